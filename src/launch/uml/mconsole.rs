//! The management console of User-Mode Linux: one datagram asks, datagrams answer.
//!
//! The form is that of the kernel's `arch/um/drivers/mconsole.h`, version 2, in the machine's own byte order:
//!
//! ```text
//!   request   magic u32 = 0xcafebabe   version u32 = 2   len u32   data [u8; 512]
//!   answer    err u32                  more u32          len u32   data [u8; 512]
//! ```
//!
//! The answer goes to the asker's own address, which is therefore a socket with a path: an abstract one, such as
//! `uml_mconsole` has, is out of reach for a guest in another network namespace.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::base::cleanup::Temporary;

const MAGIC: u32 = 0xcafe_babe;
const VERSION: u32 = 2;
const DATA_MAX: usize = 512;
const HEADER_LEN: usize = 12;

/// How much text all answers together may have.
const ANSWER_MAX: usize = 1 << 20;

/// Says why the management console gave no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::launch) enum MconsoleError {
    /// The socket cannot be reached.
    #[error("the management console does not answer: {0}")]
    Unreachable(#[from] io::Error),
    /// The kernel refused.
    #[error("the management console says: {0}")]
    Refused(String),
}

/// How many questions this process has asked, so that each has an address of its own.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// Asks the machine behind `socket` to do `command`; gives its answer. `directory` is where the question's own socket
/// may be made.
pub(in crate::launch) fn ask(
    socket: &Path,
    directory: &Path,
    command: &str,
    limit: Duration,
) -> Result<String, MconsoleError> {
    let number = ASKED.fetch_add(1, Ordering::Relaxed);
    let own = Temporary::register(directory.join(format!(".ask-{}-{number}", std::process::id())));
    drop(fs::remove_file(own.path()));
    let datagram = UnixDatagram::bind(own.path())?;
    // The machine may run as another user than we do.
    fs::set_permissions(own.path(), Permissions::from_mode(0o666))?;
    datagram.send_to(&request(command)?, socket)?;
    let deadline = Instant::now() + limit;
    let mut text = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        datagram.set_read_timeout(Some(left))?;
        let mut answer = [0; HEADER_LEN + DATA_MAX];
        let len = datagram.recv(&mut answer)?;
        let (is_refused, has_more, part) = parse(answer.get(..len).unwrap_or_default())?;
        text.extend_from_slice(part);
        if has_more && text.len() < ANSWER_MAX {
            continue;
        }
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        return if is_refused {
            Err(MconsoleError::Refused(text))
        } else {
            Ok(text)
        };
    }
}

/// The datagram that asks for `command`.
fn request(command: &str) -> io::Result<Vec<u8>> {
    if command.len() >= DATA_MAX {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let len = u32::try_from(command.len()).map_err(io::Error::other)?;
    let mut datagram = Vec::with_capacity(HEADER_LEN + DATA_MAX);
    for word in [MAGIC, VERSION, len] {
        datagram.extend_from_slice(&native(word));
    }
    datagram.extend_from_slice(command.as_bytes());
    datagram.resize(HEADER_LEN + DATA_MAX, 0);
    Ok(datagram)
}

/// Whether an answer is a refusal, whether more follows, and its text.
fn parse(answer: &[u8]) -> io::Result<(bool, bool, &[u8])> {
    let word = |at: usize| {
        let bytes: Option<[u8; 4]> = answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(from_native)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    };
    let (error, more, len) = (word(0)?, word(4)?, word(8)?);
    let data = answer.get(HEADER_LEN..).unwrap_or_default();
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(data.len());
    let text = data.get(..len).unwrap_or_default();
    // The kernel counts the final zero of its strings.
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    Ok((error != 0, more != 0, text.get(..end).unwrap_or_default()))
}

#[expect(
    clippy::host_endian_bytes,
    reason = "both ends are processes of one machine, and the kernel speaks its own byte order"
)]
fn native(word: u32) -> [u8; 4] {
    word.to_ne_bytes()
}

#[expect(clippy::host_endian_bytes, reason = "as above")]
fn from_native(bytes: [u8; 4]) -> u32 {
    u32::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn answer(error: u32, more: u32, text: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [error, more, text.len() as u32] {
            bytes.extend_from_slice(&native(word));
        }
        bytes.extend_from_slice(text);
        bytes
    }

    /// A machine that answers one question with `answers`; gives what the asker makes of it.
    fn asked(answers: Vec<Vec<u8>>) -> Result<String, MconsoleError> {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("mconsole");
        let machine = UnixDatagram::bind(&socket).unwrap();
        let thread = thread::spawn(move || {
            let mut question = [0; 1000];
            let (len, from) = machine.recv_from(&mut question).unwrap();
            assert_eq!((len, &question[12..20]), (524, &b"version\0"[..]));
            for answer in answers {
                machine.send_to(&answer, from.as_pathname().unwrap()).unwrap();
            }
        });
        let answer = ask(&socket, directory.path(), "version", Duration::from_millis(300));
        thread.join().unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        answer
    }

    #[test]
    fn answers_are_put_together_and_refusals_are_errors() {
        let parts = vec![answer(0, 1, b"OK Linux\0"), answer(0, 0, b" 6.1\n\0")];
        assert_eq!(asked(parts).unwrap(), "OK Linux 6.1");
        let error = asked(vec![answer(1, 0, b"ERR no such thing\0")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the management console says: ERR no such thing"
        );
    }

    #[test]
    fn silence_and_nonsense_are_errors() {
        for answers in [vec![], vec![b"short".to_vec()]] {
            assert!(matches!(asked(answers), Err(MconsoleError::Unreachable(_))));
        }
        let mut lying = answer(0, 0, b"OK");
        lying[8..12].copy_from_slice(&[255; 4]);
        assert_eq!(asked(vec![lying]).unwrap(), "OK");
        let nowhere = Path::new("/nowhere/mconsole");
        ask(nowhere, Path::new("/tmp"), "version", Duration::from_millis(1)).unwrap_err();
    }
}
