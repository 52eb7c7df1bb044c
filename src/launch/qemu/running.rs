//! QEMU at work: machines as processes of the user, spoken to by QMP.

use std::fs;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::base::process::ProcessError;
use crate::project::Terminal;

use super::super::command::CommandLine;
use super::super::console::{self, Launching};
use super::super::process;
use super::super::run::{ConsoleAccess, Machine, Obstacle, Platform};
use super::super::runtime::SOCKET_PATH_MAX;
use super::super::spec::Firmware;
use super::qmp::Qmp;
use super::{Accelerator, PROGRAM};

/// How long QEMU may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Machines under QEMU.
#[derive(Debug, Clone, Copy)]
pub(in crate::launch) struct Qemu;

impl Qemu {
    fn qmp_socket(machine: &Machine) -> PathBuf {
        machine.place.directory.join(super::QMP)
    }

    fn qmp(machine: &Machine) -> std::io::Result<Qmp> {
        Qmp::connect(&Self::qmp_socket(machine), ANSWER_LIMIT)
    }

    /// The machine's processes, told by the socket that they were given.
    fn processes(machine: &Machine) -> Vec<u32> {
        let monitor = super::monitor(&machine.place.directory.display().to_string());
        process::running(PROGRAM, &[&monitor])
    }
}

impl Platform for Qemu {
    fn obstacles(&self, machine: &Machine, found: &mut Vec<Obstacle>) {
        if machine.host.find(PROGRAM).is_none() {
            found.push(Obstacle::NoProgram {
                program: PROGRAM.to_owned(),
                package: Some("qemu-system-x86"),
            });
        }
        let kernel = machine.spec.kernel.iter();
        for file in kernel.flat_map(|kernel| std::iter::once(&kernel.file).chain(&kernel.ramdisk)) {
            if !machine.spec.directory.join(file).exists() {
                found.push(Obstacle::NoKernel {
                    host: machine.name().to_string(),
                    kernel: file.clone(),
                    package: None,
                });
            }
        }
        if machine.spec.firmware == Some(Firmware::Uefi) && !Path::new(super::OVMF).exists() {
            found.push(Obstacle::NoKernel {
                host: machine.name().to_string(),
                kernel: super::OVMF.to_owned(),
                package: Some("ovmf"),
            });
        }
        let socket = Self::qmp_socket(machine);
        if socket.as_os_str().len() > SOCKET_PATH_MAX {
            found.push(Obstacle::LongSocket { path: socket });
        }
    }

    fn commands(&self, machine: &Machine) -> Vec<Launching> {
        let accelerator = accelerator();
        let console = super::Console::Launched {
            in_terminal: console::program(machine.terminal).is_some(),
            log: machine.console().display().to_string(),
            has_taps: machine.host.is_root(),
        };
        let words = super::command(&machine.spec, &machine.runtime.shown(), accelerator, &console);
        let command = CommandLine::new(words).within(&machine.spec.directory);
        let log = match machine.terminal {
            // QEMU keeps the log itself.
            Terminal::Screen | Terminal::Tmux | Terminal::Xterm => Path::new("/dev/null").to_path_buf(),
            _ => machine.console(),
        };
        console::in_terminal(command, machine.terminal, &machine.spec.name(), &log)
    }

    fn is_up(&self, machine: &Machine) -> bool {
        let pid = fs::read_to_string(machine.place.directory.join(super::PID_FILE)).ok();
        let pid = pid.and_then(|text| text.trim().parse().ok());
        pid.is_some_and(|pid| process::is_running(pid, PROGRAM)) || !Self::processes(machine).is_empty()
    }

    fn has_left_overs(&self, machine: &Machine) -> bool {
        // QEMU removes this file when it ends by itself.
        machine.place.directory.join(super::PID_FILE).exists()
    }

    fn ask_to_stop(&self, machine: &Machine) -> Result<(), String> {
        let asked = Self::qmp(machine).and_then(|mut qmp| {
            // A guest without ACPI hears of ctrl-alt-del; one that would start anew after it is over then.
            qmp.execute("set-action", Some(json!({"reboot": "shutdown"})))?;
            qmp.execute("system_powerdown", None)?;
            let keys = ["ctrl", "alt", "delete"].map(|key| json!({"type": "qcode", "data": key}));
            qmp.execute("send-key", Some(json!({"keys": keys})))
        });
        asked.map(drop).map_err(|error| error.to_string())
    }

    fn end(&self, machine: &Machine) -> Result<(), String> {
        if let Ok(mut qmp) = Self::qmp(machine) {
            // One that does not obey is killed below.
            drop(qmp.execute("quit", None));
        }
        if process::end(&Self::processes(machine)) {
            Ok(())
        } else {
            Err(format!("processes of `{}` cannot be ended", machine.spec.name()))
        }
    }

    fn console(&self, machine: &Machine) -> Result<ConsoleAccess, ProcessError> {
        let socket = machine.place.directory.join(super::CONSOLE);
        Ok(if socket.exists() {
            ConsoleAccess::Socket(socket)
        } else {
            ConsoleAccess::None
        })
    }

    fn describe(&self, machine: &Machine) -> Option<String> {
        let mut qmp = Self::qmp(machine).ok()?;
        let version = qmp.execute("query-version", None).ok()?;
        let part = |name: &str| version.pointer(&format!("/qemu/{name}")).map(ToString::to_string);
        let kvm = qmp.execute("query-kvm", None).ok();
        let is_kvm = kvm.is_some_and(|kvm| kvm["enabled"] == true);
        Some(format!(
            "QEMU {}.{}.{}, {}",
            part("major")?,
            part("minor")?,
            part("micro")?,
            if is_kvm { "KVM" } else { "TCG" }
        ))
    }
}

/// KVM where the processor has what it takes and the device can be opened, else emulation. A `/dev/kvm` alone proves
/// nothing: there are some that emulate the guest's kernel instruction by instruction, and fail at those of today.
fn accelerator() -> Accelerator {
    if has_kvm() {
        Accelerator::Kvm
    } else {
        Accelerator::Tcg
    }
}

/// Whether the processor itself can run guests.
pub(in crate::launch) fn has_kvm() -> bool {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut flags = processor.lines().filter(|line| line.starts_with("flags"));
    let has_virtualisation = flags.next().is_some_and(|flags| {
        flags
            .split_ascii_whitespace()
            .any(|flag| flag == "vmx" || flag == "svm")
    });
    let can_open = || OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    has_virtualisation && can_open()
}
