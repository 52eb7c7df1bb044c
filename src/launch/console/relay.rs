//! A console on the user's terminal: what is typed goes to the machine, what it prints comes back, until Ctrl-].

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

/// What leaves the console, as in xl(1) and virsh(1): Ctrl-].
const ESCAPE: u8 = 0x1d;

/// How a console was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayEnd {
    /// The user left it.
    Left,
    /// The machine closed it.
    Closed,
    /// There is nothing more to type.
    InputEnded,
}

/// Puts a terminal back as it was.
struct Restored<F: AsFd> {
    terminal: F,
    before: Option<Termios>,
}

impl<F: AsFd> Restored<F> {
    /// Makes `terminal` hand on every key as it is, if it is a terminal at all.
    fn raw(terminal: F) -> io::Result<Self> {
        let mut before = None;
        if isatty(&terminal) {
            let settings = tcgetattr(&terminal)?;
            let mut raw = settings.clone();
            raw.make_raw();
            tcsetattr(&terminal, OptionalActions::Now, &raw)?;
            before = Some(settings);
        }
        Ok(Self { terminal, before })
    }
}

impl<F: AsFd> Drop for Restored<F> {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that is gone needs no settings.
            let _: Result<(), _> = tcsetattr(&self.terminal, OptionalActions::Now, before);
        }
    }
}

/// Connects the user's terminal with `console`, a terminal or a socket.
pub(in crate::launch) fn relay(console: &mut File) -> io::Result<RelayEnd> {
    // Read unbuffered, since what is buffered cannot be waited for.
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut output = io::stdout();
    let _restored = Restored::raw(io::stdin())?;
    let mut buffer = [0; 4096];
    loop {
        let events = {
            let mut watched = [
                PollFd::new(&input, PollFlags::IN),
                PollFd::new(&*console, PollFlags::IN),
            ];
            poll(&mut watched, None)?;
            watched.map(|watched| watched.revents())
        };
        let [typed, printed] = events;
        if !printed.is_empty() {
            match console.read(&mut buffer) {
                Ok(0) => return Ok(RelayEnd::Closed),
                Ok(len) => {
                    output.write_all(buffer.get(..len).unwrap_or_default())?;
                    output.flush()?;
                }
                // What a terminal says whose other end is gone: pty(7).
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                    return Ok(RelayEnd::Closed);
                }
                Err(error) => return Err(error),
            }
        }
        if !typed.is_empty() {
            let len = input.read(&mut buffer)?;
            let typed = buffer.get(..len).unwrap_or_default();
            if typed.is_empty() {
                return Ok(RelayEnd::InputEnded);
            }
            let end = typed.iter().position(|byte| *byte == ESCAPE);
            console.write_all(typed.get(..end.unwrap_or(len)).unwrap_or_default())?;
            if end.is_some() {
                return Ok(RelayEnd::Left);
            }
        }
    }
}
