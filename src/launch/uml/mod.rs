//! User-Mode Linux: the command line of the kernel that is a program, and scripts around it.
//!
//! A machine's control socket lies in the runtime directory, at `HANDLE/HANDLE/mconsole`, since the path of a Unix
//! socket may be no longer than 107 bytes.

mod mconsole;
mod running;

use crate::project::{ImageFormat, Terminal};

use super::LaunchFile;
use super::quote::{RUNTIME, shell};
use super::script::{find_runtime, in_terminal, require, script, stop};
use super::spec::{Attachment, DomainSpec, Vif};

pub(super) use running::UserModeLinux;

/// The scripts.
pub(super) fn files(spec: &DomainSpec) -> Vec<LaunchFile> {
    let runtime = RUNTIME.to_string();
    let place = shell(&format!("{runtime}/{0}/{0}", spec.handle()));
    let mut body = format!(
        "\n{}\
         if [ -e {place}/pid ] && kill -0 \"$(cat {place}/pid)\" 2>/dev/null; then\n    \
             echo {} >&2\n    \
             exit 1\n\
         fi\n\
         mkdir -p {}\n",
        find_runtime(spec),
        shell(&format!("{} is running already", spec.name())),
        shell(&format!("{runtime}/{}", spec.handle())),
    );
    for vif in &spec.vifs {
        body.push_str(&precondition(vif));
    }
    // The guest's memory is a file there, so that it has to be a memory file system.
    body.push_str("TMPDIR=/dev/shm\nexport TMPDIR\n");
    body.push_str(&in_terminal(spec, &command(spec, &runtime, spec.terminal)));
    let running = require(
        &format!("[ -S {place}/mconsole ]"),
        &format!("{} is not running", spec.name()),
    );
    let control = |request: &str| format!("exec uml_mconsole {place}/mconsole {request}");
    vec![
        script("start", spec, "Starts the machine", &body),
        stop(
            spec,
            &(find_runtime(spec) + &running),
            &control("cad"),
            &control("halt"),
        ),
    ]
}

/// The command line that starts the machine, its sockets below `runtime`, its console in `terminal`.
pub(super) fn command(spec: &DomainSpec, runtime: &str, terminal: Terminal) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(niceness) = spec.nice {
        words.extend(["nice", "-n"].map(str::to_owned));
        words.push(niceness.to_string());
    }
    // With random addresses the kernel takes the page structures of up to 1.5 GB of empty heap out of the memory.
    words.extend(["setarch", "-R"].map(str::to_owned));
    words.extend(machine(spec, runtime, terminal));
    words
}

/// The kernel and its arguments.
fn machine(spec: &DomainSpec, runtime: &str, terminal: Terminal) -> Vec<String> {
    let handle = spec.handle();
    let mut words = Vec::new();
    if let Some(kernel) = &spec.kernel {
        words.push(kernel.file.clone());
    }
    words.push(format!("umid={handle}"));
    words.push(format!("uml_dir={runtime}/{handle}"));
    words.push(format!("mem={}M", spec.memory_mib));
    if let Some(ramdisk) = spec.kernel.as_ref().and_then(|kernel| kernel.ramdisk.as_ref()) {
        words.push(format!("initrd={ramdisk}"));
    }
    for (index, disk) in spec.disks.iter().enumerate() {
        let access = if disk.read_only { "r" } else { "" };
        // `d`: plain data, whatever it begins with. A guest could make its raw disk look like a COW file.
        let data = if disk.format == ImageFormat::Raw { "d" } else { "" };
        words.push(format!("ubd{index}{access}{data}={}", disk.image));
    }
    words.extend(spec.vifs.iter().map(|vif| network(vif, runtime)));
    let console = match terminal {
        Terminal::Screen | Terminal::Tmux | Terminal::Xterm => "fd:0,fd:1",
        Terminal::Log | Terminal::None => "null,fd:1",
        Terminal::Pty => "pts",
    };
    words.extend([
        "con=none".to_owned(),
        "ssl=none".to_owned(),
        format!("ssl0={console}"),
    ]);
    if let Some(kernel) = &spec.kernel {
        words.extend(kernel.arguments.iter().cloned());
    }
    words
}

/// One interface: `ethN=TRANSPORT,..`.
fn network(vif: &Vif, runtime: &str) -> String {
    let Vif {
        name,
        mac,
        attachment,
        ..
    } = vif;
    match attachment {
        Attachment::Bridge { tap, .. } => format!("{name}=tuntap,{tap},{mac}"),
        Attachment::Switch { switch, .. } => format!("{name}=daemon,{mac},unix,{runtime}/{switch}.ctl"),
        Attachment::Socket { path } => format!("{name}=daemon,{mac},unix,{path}"),
        Attachment::Vde { switch } => format!("{name}=vde,{runtime}/{switch}.vde,{mac}"),
        Attachment::Nat => format!("{name}=vde,{runtime}/nat.vde,{mac}"),
    }
}

/// What has to be there before a machine can be plugged in, as shell text that says how to get it.
fn precondition(vif: &Vif) -> String {
    let name = &vif.name;
    let socket = |path: &str, start: &str| {
        let message = format!("{name} needs its switch; start it by: {start}");
        require(&format!("[ -S {} ]", shell(path)), &message)
    };
    match &vif.attachment {
        Attachment::Bridge { bridge, tap } => require(
            &format!("[ -e /sys/class/net/{tap} ]"),
            &format!(
                "{name} needs the tap device {tap}; as root: ip tuntap add dev {tap} mode tap user USER && \
                 ip link set {tap} master {bridge} up"
            ),
        ),
        Attachment::Switch { switch, hub } => {
            let path = format!("{RUNTIME}/{switch}.ctl");
            let hub = if *hub { " -hub" } else { "" };
            socket(&path, &format!("uml_switch -unix {path}{hub} -daemon"))
        }
        Attachment::Socket { path } => socket(path, &format!("uml_switch -unix {path} -daemon")),
        Attachment::Vde { switch } => {
            let path = format!("{RUNTIME}/{switch}.vde");
            socket(&format!("{path}/ctl"), &format!("vde_switch -s {path} -d"))
        }
        Attachment::Nat => {
            let path = format!("{RUNTIME}/nat.vde");
            socket(
                &format!("{path}/ctl"),
                &format!("vde_switch -s {path} -d && slirpvde -s {path} -dhcp -d"),
            )
        }
    }
}
