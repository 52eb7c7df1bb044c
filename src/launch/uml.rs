//! User-Mode Linux: the command line of the kernel that is a program, and scripts around it.
//!
//! The machine's control socket lies at `uml/<host>/mconsole`; paths are relative to the machine's directory, since
//! the path of a Unix socket may be no longer than 107 bytes.

use crate::project::Terminal;

use super::LaunchFile;
use super::quote::shell;
use super::script::{in_terminal, require, script, stop};
use super::spec::{Attachment, DomainSpec, Vif};

/// The directory of control sockets and process ids.
const UML_DIRECTORY: &str = "uml";

/// The scripts.
pub(super) fn files(spec: &DomainSpec) -> Vec<LaunchFile> {
    let place = shell(&format!("{UML_DIRECTORY}/{}", spec.host));
    let mut body = format!(
        "\n\
         if [ -e {place}/pid ] && kill -0 \"$(cat {place}/pid)\" 2>/dev/null; then\n    \
             echo {} >&2\n    \
             exit 1\n\
         fi\n\
         mkdir -p {UML_DIRECTORY}\n",
        shell(&format!("{} is running already", spec.name()))
    );
    for vif in &spec.vifs {
        body.push_str(&precondition(vif));
    }
    // The guest's memory is a file there, so that it has to be a memory file system.
    body.push_str("TMPDIR=/dev/shm\nexport TMPDIR\n");
    body.push_str(&in_terminal(spec, &command(spec)));
    let control = |request: &str| format!("exec uml_mconsole {place}/mconsole {request}");
    vec![
        script("start", spec, "Starts the machine", &body),
        stop(spec, &control("cad"), &control("halt")),
    ]
}

/// The command line.
fn command(spec: &DomainSpec) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(kernel) = &spec.kernel {
        words.push(kernel.file.clone());
    }
    words.push(format!("umid={}", spec.host));
    words.push(format!("uml_dir={UML_DIRECTORY}"));
    words.push(format!("mem={}M", spec.memory_mib));
    if let Some(ramdisk) = spec.kernel.as_ref().and_then(|kernel| kernel.ramdisk.as_ref()) {
        words.push(format!("initrd={ramdisk}"));
    }
    for (index, disk) in spec.disks.iter().enumerate() {
        let flag = if disk.read_only { "r" } else { "" };
        words.push(format!("ubd{index}{flag}={}", disk.image));
    }
    words.extend(spec.vifs.iter().map(network));
    let console = match spec.terminal {
        Terminal::Screen | Terminal::Tmux | Terminal::Xterm => "fd:0,fd:1",
        Terminal::Log => "null,fd:1",
        Terminal::Pty => "pts",
        Terminal::None => "null",
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
fn network(vif: &Vif) -> String {
    let Vif {
        name,
        mac,
        attachment,
    } = vif;
    match attachment {
        Attachment::Bridge { tap, .. } => format!("{name}=tuntap,{tap},{mac}"),
        Attachment::Socket { path, .. } => format!("{name}=daemon,{mac},unix,{path}"),
    }
}

/// What has to be there before a machine can be plugged in, as shell text that says how to get it.
fn precondition(vif: &Vif) -> String {
    match &vif.attachment {
        Attachment::Bridge { bridge, tap } => require(
            &format!("[ -e /sys/class/net/{tap} ]"),
            &format!(
                "{} needs the tap device {tap}; as root: ip tuntap add dev {tap} mode tap user USER && \
                 ip link set {tap} master {bridge} up",
                vif.name
            ),
        ),
        Attachment::Socket { path, hub } => {
            let hub = if *hub { " -hub" } else { "" };
            require(
                &format!("[ -S {} ]", shell(path)),
                &format!(
                    "{} needs its switch; start it by: uml_switch -unix {path}{hub}",
                    vif.name
                ),
            )
        }
    }
}
