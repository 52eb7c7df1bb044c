//! User-Mode Linux at work: machines as processes of the user, found by their arguments and spoken to by mconsole.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::base::process::ProcessError;
use crate::project::Terminal;

use super::super::command::CommandLine;
use super::super::console::{self, Launching};
use super::super::process;
use super::super::run::{ConsoleAccess, Machine, Obstacle, Platform};
use super::super::runtime::SOCKET_PATH_MAX;
use super::mconsole::{self, MconsoleError};

/// How long a kernel may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long a kernel may take until it has a console.
const CONSOLE_LIMIT: Duration = Duration::from_secs(5);

/// Machines under User-Mode Linux.
#[derive(Debug, Clone, Copy)]
pub(in crate::launch) struct UserModeLinux;

impl UserModeLinux {
    fn directory(machine: &Machine) -> PathBuf {
        machine.place.directory.join(machine.spec.handle())
    }

    fn mconsole(machine: &Machine) -> PathBuf {
        Self::directory(machine).join("mconsole")
    }

    fn kernel(machine: &Machine) -> &str {
        machine
            .spec
            .kernel
            .as_ref()
            .map_or("linux.uml", |kernel| &kernel.file)
    }

    /// Every process of the machine: the kernel, its helpers, and those that a crash has left.
    fn processes(machine: &Machine) -> Vec<u32> {
        let handle = machine.spec.handle();
        let place = format!("uml_dir={}", machine.place.directory.display());
        process::running(Self::kernel(machine), &[&format!("umid={handle}"), &place])
    }

    /// The kernel's own process, as it has written down itself.
    fn main_process(machine: &Machine) -> Option<u32> {
        let text = fs::read_to_string(Self::directory(machine).join("pid")).ok()?;
        let pid = text.trim().parse().ok()?;
        process::is_running(pid, Self::kernel(machine)).then_some(pid)
    }

    /// Keeps a console's pseudo-terminal open for as long as the machine runs: the kernel closes one whose last user has
    /// gone, and never opens it again.
    fn hold_console(machine: &Machine) {
        let deadline = Instant::now() + CONSOLE_LIMIT;
        while Instant::now() < deadline {
            if let (Ok(ConsoleAccess::Terminal(path)), Some(pid)) =
                (Self.console(machine), Self::main_process(machine))
                && let Ok(terminal) = console::open_terminal(&path)
            {
                let record = Self::holders_file(machine);
                let holder = CommandLine::new(["tail", &format!("--pid={pid}"), "-f", &record]);
                // Without it the console works until it is left for the first time.
                drop(holder.spawn_with(&machine.host, Stdio::from(terminal), None));
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// What the process that holds the console is recognised by.
    fn holders_file(machine: &Machine) -> String {
        machine.place.directory.join("record.json").display().to_string()
    }

    fn ask(machine: &Machine, command: &str) -> Result<String, MconsoleError> {
        let directory = &machine.place.directory;
        mconsole::ask(&Self::mconsole(machine), directory, command, ANSWER_LIMIT)
    }
}

impl Platform for UserModeLinux {
    fn obstacles(&self, machine: &Machine, found: &mut Vec<Obstacle>) {
        let kernel = Self::kernel(machine);
        let is_there = machine.host.find(kernel).is_some()
            || kernel.contains('/') && machine.spec.directory.join(kernel).is_file();
        if !is_there {
            found.push(Obstacle::NoKernel {
                host: machine.spec.host.to_string(),
                kernel: kernel.to_owned(),
                package: Some("user-mode-linux"),
            });
        }
        let socket = Self::mconsole(machine);
        if socket.as_os_str().len() > SOCKET_PATH_MAX {
            found.push(Obstacle::LongSocket { path: socket });
        }
        if !Path::new("/dev/shm").is_dir() {
            found.push(Obstacle::NoSharedMemory);
        }
    }

    fn commands(&self, machine: &Machine) -> Vec<Launching> {
        let runtime = machine.runtime.shown();
        let words = super::command(&machine.spec, &runtime, machine.terminal);
        let command = CommandLine::new(words)
            .within(&machine.spec.directory)
            // The guest's memory is a file there, so that it has to be a memory file system.
            .with("TMPDIR", "/dev/shm");
        let name = machine.spec.name();
        console::in_terminal(command, machine.terminal, &name, &machine.console())
    }

    fn started(&self, machine: &Machine) {
        if machine.terminal == Terminal::Pty {
            Self::hold_console(machine);
        }
    }

    fn is_up(&self, machine: &Machine) -> bool {
        if Self::main_process(machine).is_some() {
            return true;
        }
        // Before the kernel has written its number down, and where that file is lost.
        let found = Self::processes(machine);
        !found.is_empty() && !Self::is_over(machine)
    }

    fn has_left_overs(&self, machine: &Machine) -> bool {
        Self::directory(machine).exists() || !Self::processes(machine).is_empty()
    }

    fn ask_to_stop(&self, machine: &Machine) -> Result<(), String> {
        Self::ask(machine, "cad")
            .map(drop)
            .map_err(|error| error.to_string())
    }

    fn end(&self, machine: &Machine) -> Result<(), String> {
        if Self::main_process(machine).is_some() {
            // A kernel that does not answer is killed below.
            drop(Self::ask(machine, "halt"));
        }
        process::end(&process::running("tail", &["-f", &Self::holders_file(machine)]));
        if process::end(&Self::processes(machine)) {
            Ok(())
        } else {
            Err(format!("processes of `{}` cannot be ended", machine.spec.name()))
        }
    }

    fn console(&self, machine: &Machine) -> Result<ConsoleAccess, ProcessError> {
        if machine.started_in() != Terminal::Pty {
            return Ok(ConsoleAccess::None);
        }
        let answer = Self::ask(machine, "config ssl0").unwrap_or_default();
        let path = answer
            .split_ascii_whitespace()
            .find_map(|word| word.strip_prefix("pts:"));
        Ok(path.map_or(ConsoleAccess::None, |path| {
            ConsoleAccess::Terminal(PathBuf::from(path))
        }))
    }

    fn describe(&self, machine: &Machine) -> Option<String> {
        Self::ask(machine, "version").ok()
    }
}

impl UserModeLinux {
    /// Whether what is left of the machine are the helpers of a kernel that is gone: it had written its number down,
    /// and no process has it any more.
    fn is_over(machine: &Machine) -> bool {
        Self::directory(machine).join("pid").exists() && Self::main_process(machine).is_none()
    }
}
