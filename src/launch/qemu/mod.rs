//! QEMU: its command line, and scripts around it. The monitor is a pair of pipes, so that the shell alone can ask the
//! guest to shut down.

mod qmp;
mod running;

use crate::project::Terminal;

use super::LaunchFile;
use super::quote::{RUNTIME, qemu, shell};
use super::script::{find_runtime, in_terminal, script, stop};
use super::spec::{Attachment, DomainSpec, Firmware, Vif};

pub(super) use running::{Qemu, has_kvm};

/// The program.
pub(super) const PROGRAM: &str = "qemu-system-x86_64";

/// UEFI firmware, where the Debian package ovmf has it; QEMU brings a BIOS of its own.
const OVMF: &str = "/usr/share/ovmf/OVMF.fd";

/// The sockets and files of a machine in its runtime directory.
const QMP: &str = "qmp";
const CONSOLE: &str = "console.sock";
const PID_FILE: &str = "pid";

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accelerator {
    /// The processor.
    Kvm,
    /// QEMU.
    Tcg,
    /// Whatever QEMU finds when it starts.
    Any,
}

/// Where the console and the monitor are.
#[derive(Debug)]
enum Console {
    /// As a script has them: the console in the machine's terminal, the monitor a pair of pipes.
    Script,
    /// As a launch has them: the monitor a socket, the console another or the terminal, and always a log.
    Launched {
        in_terminal: bool,
        log: String,
        /// Whether each interface on a bridge has a tap device of its own, made beforehand.
        has_taps: bool,
    },
}

/// The scripts.
pub(super) fn files(spec: &DomainSpec) -> Vec<LaunchFile> {
    let body = format!(
        "\n{}\
         if [ -e qemu.pid ] && kill -0 \"$(cat qemu.pid)\" 2>/dev/null; then\n    \
             echo {} >&2\n    \
             exit 1\n\
         fi\n\
         rm -f monitor.in monitor.out\n\
         mkfifo -m 600 monitor.in monitor.out\n\
         {}",
        find_runtime(spec),
        shell(&format!("{} is running already", spec.name())),
        in_terminal(
            spec,
            &command(spec, &RUNTIME.to_string(), Accelerator::Any, &Console::Script)
        )
    );
    let missing = shell(&format!("{} is not running", spec.name()));
    let running = format!(
        "[ -e qemu.pid ] && kill -0 \"$(cat qemu.pid)\" 2>/dev/null || {{\n    echo {missing} >&2\n    exit 1\n}}\n"
    );
    vec![
        script("start", spec, "Starts the machine", &body),
        stop(
            spec,
            &running,
            "echo system_powerdown >monitor.in",
            "kill \"$(cat qemu.pid)\"",
        ),
    ]
}

/// The command line, with sockets below `runtime`.
fn command(spec: &DomainSpec, runtime: &str, accelerator: Accelerator, console: &Console) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    if let Some(niceness) = spec.nice {
        words.extend(["nice".to_owned(), "-n".to_owned(), niceness.to_string()]);
    }
    words.extend([PROGRAM, "-nodefaults", "-display", "none", "-name"].map(str::to_owned));
    words.push(qemu(&spec.name()));
    let machine = match accelerator {
        Accelerator::Kvm => "q35,accel=kvm",
        Accelerator::Tcg => "q35,accel=tcg",
        Accelerator::Any => "q35,accel=kvm:tcg",
    };
    words.extend(["-machine", machine, "-cpu", "max", "-m"].map(str::to_owned));
    words.push(format!("{}M", spec.memory_mib));
    if let Some(count) = spec.vcpus {
        words.extend(["-smp".to_owned(), count.to_string()]);
    }
    if spec.firmware == Some(Firmware::Uefi) {
        words.extend(["-bios", OVMF].map(str::to_owned));
    }
    if let Some(kernel) = &spec.kernel {
        words.extend(["-kernel".to_owned(), kernel.file.clone()]);
        if let Some(ramdisk) = &kernel.ramdisk {
            words.extend(["-initrd".to_owned(), ramdisk.clone()]);
        }
        words.extend(["-append".to_owned(), kernel.arguments.join(" ")]);
    }
    for disk in &spec.disks {
        let access = if disk.read_only { ",readonly=on" } else { "" };
        let image = qemu(&disk.image);
        words.extend([
            "-drive".to_owned(),
            format!("if=virtio,format={}{access},file={image}", disk.format),
        ]);
    }
    let has_taps = matches!(console, Console::Launched { has_taps: true, .. });
    for vif in &spec.vifs {
        words.extend(network(vif, runtime, has_taps));
    }
    words.extend(console_words(spec, runtime, console));
    words
}

/// One interface.
fn network(vif: &Vif, runtime: &str, has_taps: bool) -> [String; 4] {
    let Vif { name, mac, .. } = vif;
    let backend = match &vif.attachment {
        Attachment::Bridge { tap, .. } if has_taps => {
            format!("tap,id={name},ifname={tap},script=no,downscript=no")
        }
        Attachment::Bridge { bridge, .. } => format!("bridge,id={name},br={bridge}"),
        Attachment::Vde { switch } => {
            format!("vde,id={name},sock={}", qemu(&format!("{runtime}/{switch}.vde")))
        }
        // No machine of this platform is ever plugged into the other two.
        Attachment::Nat | Attachment::Switch { .. } | Attachment::Socket { .. } => format!("user,id={name}"),
    };
    [
        "-netdev".to_owned(),
        backend,
        "-device".to_owned(),
        format!("virtio-net-pci,netdev={name},mac={mac}"),
    ]
}

/// The console and the monitor.
fn console_words(spec: &DomainSpec, runtime: &str, console: &Console) -> Vec<String> {
    match console {
        Console::Script => {
            let serial = match spec.terminal {
                Terminal::Screen | Terminal::Tmux | Terminal::Xterm | Terminal::Log => "stdio",
                Terminal::Pty => "pty",
                Terminal::None => "null",
            };
            let monitor = ["-serial", serial, "-chardev", "pipe,id=monitor,path=monitor"];
            let rest = ["-mon", "chardev=monitor,mode=readline", "-pidfile", "qemu.pid"];
            monitor
                .iter()
                .chain(&rest)
                .map(|word| (*word).to_owned())
                .collect()
        }
        Console::Launched { in_terminal, log, .. } => {
            let place = format!("{runtime}/{}", spec.handle());
            let log = qemu(log);
            let serial = if *in_terminal {
                format!("stdio,id=console,signal=off,logfile={log},logappend=on")
            } else {
                let socket = qemu(&format!("{place}/{CONSOLE}"));
                format!("socket,id=console,path={socket},server=on,wait=off,logfile={log},logappend=on")
            };
            vec![
                "-chardev".to_owned(),
                serial,
                "-serial".to_owned(),
                "chardev:console".to_owned(),
                "-qmp".to_owned(),
                monitor(&place),
                "-pidfile".to_owned(),
                format!("{place}/{PID_FILE}"),
            ]
        }
    }
}

/// The monitor's socket in the machine's runtime directory `place`, as QEMU is told.
fn monitor(place: &str) -> String {
    format!("unix:{},server=on,wait=off", qemu(&format!("{place}/{QMP}")))
}
