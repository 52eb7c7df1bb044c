//! A machine's console: the terminal that it is started in, and what it prints.

mod log;
mod relay;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::project::Terminal;

use super::command::CommandLine;
use super::process;

pub(super) use log::{Console, Said};
pub use relay::RelayEnd;
pub(super) use relay::relay;

/// How long a terminal may take to end by itself, and then when asked.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// A command of a start, and how it is run.
#[derive(Debug, Clone)]
pub(super) struct Launching {
    /// The command.
    pub(super) command: CommandLine,
    /// Whether it stays, with its output in the console's file, rather than ends by itself.
    pub(super) stays: bool,
}

/// How long a terminal may take to write down the last of a machine that has ended: on a busy server it is behind.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// What `screen` is told by the file that lies beside a machine's log: to write that at once, not every ten seconds.
pub(super) const SCREEN_SETTINGS: &str = "logfile flush 0\n";

/// The commands that start `machine`, whose standard input and output are the console, in `terminal` as `name`; what
/// it prints also goes to `log`.
pub(super) fn in_terminal(
    machine: CommandLine,
    terminal: Terminal,
    name: &str,
    log: &Path,
) -> Vec<Launching> {
    let log = log.display().to_string();
    let run = |command| Launching {
        command,
        stays: false,
    };
    match terminal {
        Terminal::Screen => {
            let settings = format!("{log}.screenrc");
            let before = ["screen", "-c", &settings, "-dmS", name, "-L", "-Logfile", &log];
            vec![run(machine.after(before))]
        }
        Terminal::Tmux => {
            let session = tmux_session(name);
            let variables: Vec<String> = machine
                .environment
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let mut command =
                machine
                    .after(variables)
                    .after(["tmux", "new-session", "-d", "-s", &session, "--", "env"]);
            let copy = format!("cat >>{}", super::quote::shell(&log));
            command
                .words
                .extend([";", "pipe-pane", "-t", &session, &copy].map(str::to_owned));
            vec![run(command)]
        }
        Terminal::Xterm => {
            let mut inner = machine.clone();
            inner.directory = None;
            let script = ["xterm", "-T", name, "-e", "script", "-qfec", &inner.shown(), &log];
            let window = CommandLine {
                words: script.map(str::to_owned).to_vec(),
                ..machine
            };
            vec![Launching {
                command: window,
                stays: true,
            }]
        }
        Terminal::Pty | Terminal::Log | Terminal::None => vec![Launching {
            command: machine,
            stays: true,
        }],
    }
}

/// The program that a terminal takes, with the Debian package that has it.
pub(super) fn program(terminal: Terminal) -> Option<(&'static str, &'static str)> {
    match terminal {
        Terminal::Screen => Some(("screen", "screen")),
        Terminal::Tmux => Some(("tmux", "tmux")),
        Terminal::Xterm => Some(("xterm", "xterm")),
        Terminal::Pty | Terminal::Log | Terminal::None => None,
    }
}

/// The command that shows a machine's terminal to the user; `None` where that is no program's business.
pub(super) fn attach(terminal: Terminal, name: &str, log: &Path) -> Option<CommandLine> {
    match terminal {
        Terminal::Screen => {
            let pid = screen(log)?;
            Some(CommandLine::new(["screen", "-x", &format!("{pid}.{name}")]))
        }
        Terminal::Tmux => Some(CommandLine::new([
            "tmux",
            "attach-session",
            "-t",
            &tmux_session(name),
        ])),
        _ => None,
    }
}

/// The process of the `screen` that keeps its log in `log`; names alone may be those of another project's machines.
fn screen(log: &Path) -> Option<u32> {
    let log = log.display().to_string();
    process::running("SCREEN", &["-dmS", "-Logfile", &log])
        .first()
        .copied()
}

/// Waits until the last words of a machine that has ended are in `log`: until what writes them there, which has the
/// log among its arguments in each kind of terminal, has gone with the machine.
pub(super) fn settle(log: &Path) {
    let log = log.display().to_string();
    let deadline = Instant::now() + SETTLE_LIMIT;
    while process::all().iter().any(|process| process.names(&log)) && Instant::now() < deadline {
        sleep(Duration::from_millis(10));
    }
}

/// Waits until the terminal whose log is `log` has ended with its machine, and ends it if it does not.
pub(super) fn end_left_over(terminal: Terminal, log: &Path) {
    if terminal != Terminal::Screen {
        return;
    }
    let began = Instant::now();
    let mut was_asked = false;
    while let Some(pid) = screen(log) {
        if began.elapsed() > LEAVE_LIMIT * 2 {
            process::end(&[pid]);
        } else if began.elapsed() > LEAVE_LIMIT && !was_asked {
            was_asked = true;
            process::ask_to_end(pid);
        }
        sleep(Duration::from_millis(10));
    }
}

/// Opens a terminal without making it this process's own.
pub(super) fn open_terminal(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).map_err(io::Error::other)?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path)
}

/// tmux has its own use for a dot and a colon in the name of a session.
fn tmux_session(name: &str) -> String {
    name.replace(['.', ':'], "_")
}
