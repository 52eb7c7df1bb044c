//! QEMU: its command line, and scripts around it. The monitor is a pair of pipes, so that the shell alone can ask the
//! guest to shut down.

use crate::project::Terminal;

use super::LaunchFile;
use super::quote::{qemu, shell};
use super::script::{in_terminal, script, stop};
use super::spec::{Attachment, DomainSpec};

/// The scripts.
pub(super) fn files(spec: &DomainSpec) -> Vec<LaunchFile> {
    let body = format!(
        "\n\
         if [ -e qemu.pid ] && kill -0 \"$(cat qemu.pid)\" 2>/dev/null; then\n    \
             echo {} >&2\n    \
             exit 1\n\
         fi\n\
         rm -f monitor.in monitor.out\n\
         mkfifo -m 600 monitor.in monitor.out\n\
         {}",
        shell(&format!("{} is running already", spec.name())),
        in_terminal(spec, &command(spec))
    );
    let hard = "kill \"$(cat qemu.pid)\"";
    vec![
        script("start", spec, "Starts the machine", &body),
        stop(
            spec,
            "kill -0 \"$(cat qemu.pid)\" && echo system_powerdown >monitor.in",
            hard,
        ),
    ]
}

/// The command line.
fn command(spec: &DomainSpec) -> Vec<String> {
    let mut words: Vec<String> = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-name"]
        .map(str::to_owned)
        .into();
    words.push(qemu(&spec.name()));
    words.extend(["-machine", "q35,accel=kvm:tcg", "-cpu", "max", "-m"].map(str::to_owned));
    words.push(format!("{}M", spec.memory_mib));
    if let Some(count) = spec.vcpus {
        words.extend(["-smp".to_owned(), count.to_string()]);
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
            format!("if=virtio,format=raw{access},file={image}"),
        ]);
    }
    for vif in &spec.vifs {
        let name = &vif.name;
        if let Attachment::Bridge { bridge, .. } = &vif.attachment {
            words.extend(["-netdev".to_owned(), format!("bridge,id={name},br={bridge}")]);
            let mac = &vif.mac;
            words.extend([
                "-device".to_owned(),
                format!("virtio-net-pci,netdev={name},mac={mac}"),
            ]);
        }
    }
    let serial = match spec.terminal {
        Terminal::Screen | Terminal::Tmux | Terminal::Xterm | Terminal::Log => "stdio",
        Terminal::Pty => "pty",
        Terminal::None => "null",
    };
    words.extend(["-serial", serial, "-chardev", "pipe,id=monitor,path=monitor"].map(str::to_owned));
    words.extend(["-mon", "chardev=monitor,mode=readline", "-pidfile", "qemu.pid"].map(str::to_owned));
    words
}
