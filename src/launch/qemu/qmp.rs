//! QEMU's management protocol, QMP: one JSON document a line on a Unix socket (docs/interop/qmp-spec.rst of QEMU).

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// The longest document that is taken.
const LINE_MAX: u64 = 1 << 20;

/// A conversation with one machine's QEMU.
#[derive(Debug)]
pub(super) struct Qmp {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Qmp {
    /// Connects to `socket` and agrees to talk.
    pub(super) fn connect(socket: &Path, limit: Duration) -> io::Result<Self> {
        let writer = UnixStream::connect(socket)?;
        writer.set_read_timeout(Some(limit))?;
        writer.set_write_timeout(Some(limit))?;
        let mut qmp = Self {
            reader: BufReader::new(writer.try_clone()?),
            writer,
        };
        if qmp.document()?.get("QMP").is_none() {
            return Err(io::Error::other("it does not greet as QEMU does"));
        }
        qmp.execute("qmp_capabilities", None)?;
        Ok(qmp)
    }

    /// Runs `command`; gives what it returns.
    pub(super) fn execute(&mut self, command: &str, arguments: Option<Value>) -> io::Result<Value> {
        let mut request = json!({"execute": command});
        if let (Some(arguments), Some(fields)) = (arguments, request.as_object_mut()) {
            fields.insert("arguments".to_owned(), arguments);
        }
        self.writer.write_all(format!("{request}\n").as_bytes())?;
        loop {
            let mut answer = self.document()?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.pointer("/error/desc") {
                return Err(io::Error::other(error.to_string()));
            }
            // Everything else are events.
        }
    }

    fn document(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.reader.by_ref().take(LINE_MAX).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// A QEMU that greets and answers each request with the next of `answers`.
    fn asked(answers: &'static [&'static str], command: &str) -> io::Result<Value> {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("qmp");
        let listener = UnixListener::bind(&socket).unwrap();
        let qemu = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"{\"QMP\": {}}\n").unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            for answer in answers {
                if lines.next().is_some() {
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        let answer =
            Qmp::connect(&socket, Duration::from_secs(2)).and_then(|mut qmp| qmp.execute(command, None));
        qemu.join().unwrap();
        answer
    }

    #[test]
    fn answers_are_told_from_events_and_errors() {
        let agreed = "{\"return\": {}}\n";
        let status = "{\"event\": \"STOP\"}\n{\"return\": {\"status\": \"running\"}}\n";
        let answers: &'static [&str] = Box::leak(Box::new([agreed, status]));
        assert_eq!(asked(answers, "query-status").unwrap()["status"], "running");
        let refused: &'static [&str] = Box::leak(Box::new([
            agreed,
            "{\"error\": {\"class\": \"X\", \"desc\": \"no\"}}\n",
        ]));
        assert_eq!(asked(refused, "x").unwrap_err().to_string(), "\"no\"");
        let nonsense: &'static [&str] = Box::leak(Box::new(["{}}\n"]));
        asked(nonsense, "x").unwrap_err();
    }
}
