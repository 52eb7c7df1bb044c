//! The processes of this machine, found by what they were started with: what a crashed run has left is recognised by
//! this alone.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long the system may take to be rid of a killed process.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    /// Its number.
    pub(super) pid: u32,
    /// Whose child it is.
    parent: u32,
    /// What it was started with.
    pub(super) words: Vec<String>,
}

impl Process {
    fn read(pid: u32) -> Option<Self> {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = line
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned());
        let mut words: Vec<String> = words.collect();
        words.pop();
        // The name, in parentheses, may hold anything; the state and the parent come after its end.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut rest = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let is_gone = matches!(rest.next()?, "Z" | "X");
        let parent = rest.next()?.parse().ok()?;
        (!is_gone).then_some(Self { pid, parent, words })
    }

    /// Whether it runs `program`, called so or by its path, with every one of `arguments`.
    pub(super) fn is(&self, program: &str, arguments: &[&str]) -> bool {
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let runs = self
            .words
            .first()
            .is_some_and(|first| name(first) == name(program));
        runs && arguments
            .iter()
            .all(|argument| self.words.iter().skip(1).any(|word| word == argument))
    }

    /// Whether `text` stands in one of its arguments.
    pub(super) fn names(&self, text: &str) -> bool {
        self.words.iter().skip(1).any(|word| word.contains(text))
    }
}

/// Every process that can be seen.
pub(super) fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Process::read)
        .collect()
}

/// The processes that run `program` with every one of `arguments`.
pub(super) fn running(program: &str, arguments: &[&str]) -> Vec<u32> {
    let found = all().into_iter().filter(|process| process.is(program, arguments));
    found.map(|process| process.pid).collect()
}

/// Whether `pid` runs `program`.
pub(super) fn is_running(pid: u32, program: &str) -> bool {
    Process::read(pid).is_some_and(|process| process.is(program, &[]))
}

/// Asks `pid` to end.
pub(super) fn ask_to_end(pid: u32) {
    signal(pid, Signal::TERM);
}

/// Ends `pids` and whatever they have started, and waits until they are gone; tells whether they are.
pub(super) fn end(pids: &[u32]) -> bool {
    let deadline = Instant::now() + KILL_LIMIT;
    let mut doomed = with_children(pids);
    while !doomed.is_empty() {
        for pid in &doomed {
            signal(*pid, Signal::KILL);
        }
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(10));
        doomed.retain(|pid| Process::read(*pid).is_some());
    }
    true
}

/// `pids` and everything below them.
fn with_children(pids: &[u32]) -> BTreeSet<u32> {
    let processes = all();
    let mut found: BTreeSet<u32> = pids.iter().copied().collect();
    loop {
        let before = found.len();
        let children = processes.iter().filter(|process| found.contains(&process.parent));
        let children: Vec<u32> = children.map(|process| process.pid).collect();
        found.extend(children);
        if found.len() == before {
            return found;
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // A process that is gone already is what was wanted; one that is not ours stays and is seen to.
        let _: Result<(), _> = kill_process(pid, signal);
    }
}

/// The processes that hold a lock on the file at `path`: proc(5), `/proc/locks`.
pub(super) fn lock_holders(path: &Path) -> Vec<u32> {
    let (Ok(found), Ok(locks)) = (fs::metadata(path), fs::read_to_string("/proc/locks")) else {
        return Vec::new();
    };
    let device = found.dev();
    let file = format!(
        "{:02x}:{:02x}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device),
        found.ino()
    );
    let holder = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let place = words.iter().position(|word| *word == file)?;
        words.get(place.checked_sub(1)?)?.parse::<i64>().ok()
    };
    let holders: BTreeSet<u32> = locks
        .lines()
        // A process that waits for a lock has an arrow before it.
        .filter(|line| !line.contains("->"))
        .filter_map(holder)
        .filter_map(|pid| u32::try_from(pid).ok())
        .collect();
    holders.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_what_it_was_started_with_and_ended_with_its_children() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 7077 & wait", "mln-image-test-process"])
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut sleeper = Vec::new();
        while sleeper.is_empty() && Instant::now() < deadline {
            sleeper = running("sleep", &["7077"]);
        }
        assert_eq!(running("sh", &["mln-image-test-process"]), [child.id()]);
        assert!(is_running(child.id(), "/bin/sh"));
        assert_eq!(running("bash", &["mln-image-test-process"]), Vec::<u32>::new());
        // Our own child stays a zombie until it is waited for, which does not count as running.
        assert!(end(&[child.id()]));
        assert_eq!(running("sleep", &["7077"]), Vec::<u32>::new());
        child.wait().unwrap();
    }
}
