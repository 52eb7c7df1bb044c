//! Waiting until machines are up: each is watched until it says so, has ended, or has had its time.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::base::report::Reporter;
use crate::project::Terminal;

use super::super::command::CommandLine;
use super::super::console::{self, Console, Said};
use super::{ConsoleAccess, Machine};

/// How often consoles are looked at.
const CONSOLE_INTERVAL: Duration = Duration::from_millis(30);

/// How often processes and networks are looked at, which takes more.
const SLOW_INTERVAL: Duration = Duration::from_millis(500);

/// How many of the console's last lines a failure shows.
const SHOWN_LINES: usize = 10;

/// By what a machine is known to be up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Until {
    /// Its console has the login prompt, or the marker `BOOT-OK` at the start of a line.
    #[default]
    Console,
    /// It answers ping at one of its fixed addresses.
    Ping,
    /// Its ssh server answers at one of its fixed addresses.
    Ssh,
}

/// How waiting for one machine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Waited {
    /// It is up.
    Up(Duration),
    /// It never will be, or did not in its time; the console's last lines tell more.
    Failed { reason: String, last_lines: Vec<String> },
}

/// A machine that is waited for.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    machine: &'a Machine,
    console: Console,
    started: Instant,
    /// Since when it is watched: the time that others take to be started is none of its own.
    watched: Instant,
    looked: Instant,
    waited: Option<Waited>,
}

impl<'a> Watched<'a> {
    /// Watches `machine`, whose start began at `started`.
    pub(super) fn new(machine: &'a Machine, started: Instant) -> Self {
        let now = Instant::now();
        Self {
            machine,
            console: Console::new(&machine.console()),
            started,
            watched: now,
            looked: now,
            waited: None,
        }
    }

    /// Looks once; tells whether that decides.
    fn look(&mut self, limit: Duration, until: Until) -> bool {
        let elapsed = self.started.elapsed();
        let said = self.console.read();
        if said == Said::Up && until == Until::Console {
            self.waited = Some(Waited::Up(elapsed));
            return true;
        }
        if let Some(reason) = hopeless(said) {
            return self.fail(reason);
        }
        if self.looked.elapsed() > SLOW_INTERVAL {
            self.looked = Instant::now();
            self.listen();
            if !self.machine.platform().is_up(self.machine) {
                // What it said last may have come after we looked, or be on its way still.
                console::settle(&self.machine.console());
                let reason = hopeless(self.console.read());
                return self.fail(reason.unwrap_or("it has ended"));
            }
            if until != Until::Console && self.answers(until) {
                self.waited = Some(Waited::Up(elapsed));
                return true;
            }
        }
        if until != Until::Console && self.addresses().next().is_none() {
            return self.fail("it has no fixed address at which it could be asked whether it is up");
        }
        if self.watched.elapsed() > limit {
            return self.fail(&format!("it is not up after {} s", limit.as_secs()));
        }
        false
    }

    fn fail(&mut self, reason: &str) -> bool {
        self.waited = Some(Waited::Failed {
            reason: reason.to_owned(),
            last_lines: self.console.last_lines(SHOWN_LINES),
        });
        true
    }

    /// Reads a console that nobody else reads.
    fn listen(&mut self) {
        if self.machine.terminal == Terminal::Pty
            && let Ok(ConsoleAccess::Terminal(path)) = self.machine.platform().console(self.machine)
        {
            // One that cannot be read now is tried again.
            drop(self.console.listen(&path));
        }
    }

    /// Its fixed addresses.
    fn addresses(&self) -> impl Iterator<Item = std::net::Ipv4Addr> {
        self.machine.spec.vifs.iter().filter_map(|vif| vif.address)
    }

    /// Whether the machine answers at one of its addresses.
    fn answers(&self, until: Until) -> bool {
        self.addresses().any(|address| match until {
            Until::Console => false,
            Until::Ping => {
                let ping = CommandLine::new(["ping", "-c", "1", "-W", "1", &address.to_string()]);
                ping.run(&self.machine.host).is_ok()
            }
            Until::Ssh => {
                let connection = TcpStream::connect_timeout(&SocketAddr::from((address, 22)), SLOW_INTERVAL);
                connection.is_ok_and(|mut connection| {
                    let mut greeting = [0; 4];
                    connection.set_read_timeout(Some(SLOW_INTERVAL)).is_ok()
                        && connection.read_exact(&mut greeting).is_ok()
                        && greeting == *b"SSH-"
                })
            }
        })
    }
}

/// Waits for all of `watched`, each for `limit` at most; gives how it went, in their order. `hold` is called before
/// anything is told: it does not come back when the machines are ended by a signal to this process.
pub(super) fn wait(
    mut watched: Vec<Watched<'_>>,
    limit: Duration,
    until: Until,
    hold: &dyn Fn(),
    reporter: &dyn Reporter,
) -> Vec<Waited> {
    loop {
        let mut is_waiting = false;
        for watched in watched.iter_mut().filter(|watched| watched.waited.is_none()) {
            if watched.look(limit, until) {
                hold();
                tell(watched, reporter);
            } else {
                is_waiting = true;
            }
        }
        if !is_waiting {
            break;
        }
        sleep(CONSOLE_INTERVAL);
    }
    watched.into_iter().filter_map(|watched| watched.waited).collect()
}

/// Why a machine that has said this will never be up.
fn hopeless(said: Said) -> Option<&'static str> {
    match said {
        Said::Panic => Some("its kernel has panicked"),
        Said::Emergency => Some("its init waits for a person to mend it"),
        Said::Up | Said::Nothing => None,
    }
}

fn tell(watched: &Watched<'_>, reporter: &dyn Reporter) {
    let name = watched.machine.name().as_str();
    match &watched.waited {
        Some(Waited::Up(elapsed)) => {
            reporter.done(name, &format!("up after {:.1} s", elapsed.as_secs_f64()));
        }
        Some(Waited::Failed { reason, .. }) => reporter.failed(name, reason),
        None => {}
    }
}
