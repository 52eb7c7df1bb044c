//! What a machine has printed: read as it grows, until it says that it is up, or that it never will be.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// How much of the end of the output is kept.
const KEPT_LEN: usize = 64 << 10;

/// How much is read at a time.
const READ_LEN: usize = 16 << 10;

/// What says that a machine is up: the project's own marker, printed at the end of its start.
const MARKER: &str = "BOOT-OK ";

/// How a kernel says that it has given up.
const PANIC: &str = "Kernel panic - not syncing";

/// What a machine's output says about its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::launch) enum Said {
    /// Nothing that decides.
    Nothing,
    /// It is up: it has printed the marker, or asks for a login.
    Up,
    /// Its kernel has given up.
    Panic,
    /// Its init waits for a person to mend it.
    Emergency,
}

/// A console's output.
#[derive(Debug)]
pub(in crate::launch) struct Console {
    path: PathBuf,
    file: Option<File>,
    /// A terminal that is read into the file, since nobody else does.
    terminal: Option<File>,
    kept: Vec<u8>,
}

impl Console {
    /// The console whose output is, or will be, in the file at `path`.
    pub(in crate::launch) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            file: None,
            terminal: None,
            kept: Vec::new(),
        }
    }

    /// Reads the terminal at `path` too, and writes what it says to the file.
    pub(in crate::launch) fn listen(&mut self, path: &Path) -> io::Result<()> {
        if self.terminal.is_none() {
            let terminal = super::open_terminal(path)?;
            rustix::fs::fcntl_setfl(&terminal, rustix::fs::OFlags::NONBLOCK)?;
            self.terminal = Some(terminal);
        }
        Ok(())
    }

    /// Reads what has come since the last time; tells what it says.
    pub(in crate::launch) fn read(&mut self) -> Said {
        self.copy_terminal();
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let mut buffer = [0; READ_LEN];
        while let Some(len) = self.file.as_mut().and_then(|file| file.read(&mut buffer).ok()) {
            if len == 0 {
                break;
            }
            self.kept.extend_from_slice(buffer.get(..len).unwrap_or_default());
        }
        let surplus = self.kept.len().saturating_sub(KEPT_LEN);
        self.kept.drain(..surplus);
        said(&String::from_utf8_lossy(&self.kept))
    }

    fn copy_terminal(&mut self) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let mut buffer = [0; READ_LEN];
        while let Ok(len @ 1..) = terminal.read(&mut buffer) {
            let appended = OpenOptions::new().append(true).create(true).open(&self.path);
            // Output that cannot be kept is lost to us, and the machine goes on.
            drop(appended.and_then(|mut file| file.write_all(buffer.get(..len).unwrap_or_default())));
        }
    }

    /// The last `count` lines, without what only a terminal understands. What follows the words of a kernel that has
    /// given up, which is of use to its developers alone, is left out.
    pub(in crate::launch) fn last_lines(&self, count: usize) -> Vec<String> {
        let text = plain(&String::from_utf8_lossy(&self.kept));
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .collect();
        let panic = lines.iter().position(|line| line.contains(PANIC));
        let end = panic.map_or(lines.len(), |place| place + 1);
        let first = end.saturating_sub(count);
        lines
            .into_iter()
            .take(end)
            .skip(first)
            .map(str::to_owned)
            .collect()
    }
}

/// What a console's output says; the first word that decides counts.
fn said(text: &str) -> Said {
    for line in text.split(['\n', '\r']) {
        if line.contains(PANIC) {
            return Said::Panic;
        }
        if line.contains("Give root password for maintenance")
            || line.contains("Press Enter for maintenance")
            || line.contains("You are in emergency mode")
        {
            return Said::Emergency;
        }
        if line.starts_with(MARKER) || asks_for_login(line) {
            return Said::Up;
        }
    }
    Said::Nothing
}

/// Whether a line is getty's: the machine's name and `login:`, whatever a kernel message adds. `Last login:` is what
/// the shell says to one who is in already.
fn asks_for_login(line: &str) -> bool {
    let line = plain(line);
    let mut words = line.trim_start().split(' ');
    let is_name = |word: &str| !word.is_empty() && word != "Last" && !word.contains(['[', ']', ':']);
    words.next().is_some_and(is_name) && words.next() == Some("login:")
}

/// `text` without escape sequences and other control characters than the end of a line.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            // ECMA-48, 5.4: a control sequence ends with a letter between @ and ~.
            if letters.next_if_eq(&'[').is_some() {
                while letters.next_if(|letter| !('@'..='~').contains(letter)).is_some() {}
            }
            letters.next();
        } else if letter == '\n' || !letter.is_control() {
            plain.push(letter);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_says_when_it_is_up_and_when_it_never_will_be() {
        for (text, expected) in [
            ("", Said::Nothing),
            ("[  OK  ] Started User Login Management.\r\n", Said::Nothing),
            ("Last login: Mon\r\n", Said::Nothing),
            ("foo: login: x\n", Said::Nothing),
            ("echo BOOT-OK later\n", Said::Nothing),
            ("\r\nwww1 login: ", Said::Up),
            ("\r\nwww1 login: EXT4-fs (ubda): re-mounted", Said::Up),
            ("\u{1b}[0m\u{1b}[1mdb\u{1b}[0m login: ", Said::Up),
            ("init\nBOOT-OK a 2.4\n", Said::Up),
            (
                "Kernel panic - not syncing: VFS: Unable to mount root fs",
                Said::Panic,
            ),
            ("You are in emergency mode. After logging in", Said::Emergency),
        ] {
            assert_eq!(said(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_last_lines_are_fit_for_a_message() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console");
        let mut console = Console::new(&path);
        assert_eq!(console.read(), Said::Nothing);
        drop(File::create(&path).unwrap());
        let text = b"one\r\n\x1b[31mtwo\x1b[0m\r\n\r\nthree\x07";
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(text)
            .unwrap();
        assert_eq!(console.read(), Said::Nothing);
        assert_eq!(console.last_lines(2), ["two", "three"]);
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"\nx login: ")
            .unwrap();
        assert_eq!(console.read(), Said::Up);
    }
}
