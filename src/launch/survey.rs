//! What this server has to start machines with, found by looking.

use std::fs::{self, OpenOptions};
use std::path::Path;

use serde::Serialize;

use super::command::{CommandLine, LaunchHost};
use super::qemu;

/// Something that machines may need, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provision {
    /// What it is.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// What was found; `None` where it is not there or cannot be used.
    pub found: Option<String>,
    /// What would bring it, for what is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// A program that is looked for.
struct Wanted {
    program: &'static str,
    purpose: &'static str,
    package: &'static str,
}

/// The programs beside those that need a closer look.
const PROGRAMS: [Wanted; 8] = [
    wanted("uml_switch", "switches for User-Mode Linux", "uml-utilities"),
    wanted("vde_switch", "switches that QEMU can be plugged into too", "vde2"),
    wanted("slirpvde", "a way outside for machines without a switch", "vde2"),
    wanted("dnsmasq", "addresses handed out on switches", "dnsmasq-base"),
    wanted("ip", "bridges and taps", "iproute2"),
    wanted("screen", "consoles", "screen"),
    wanted("tmux", "consoles", "tmux"),
    wanted("mmdebstrap", "templates of Debian and busybox", "mmdebstrap"),
];

const fn wanted(program: &'static str, purpose: &'static str, package: &'static str) -> Wanted {
    Wanted {
        program,
        purpose,
        package,
    }
}

impl Provision {
    fn new(name: &'static str, purpose: &'static str, found: Option<String>, remedy: &str) -> Self {
        Self {
            name,
            purpose,
            remedy: found.is_none().then(|| remedy.to_owned()),
            found,
        }
    }
}

/// Looks at the server for all that machines of any platform may need. `kernel` is the one for Xen and QEMU, and
/// `bridge` the one that machines without a switch are plugged into.
pub fn survey(host: &LaunchHost, uml_kernel: &str, kernel: &str, bridge: &str) -> Vec<Provision> {
    let mut found = vec![uml(host, uml_kernel), shared_memory()];
    found.extend(PROGRAMS.iter().map(|wanted| program(host, wanted)));
    found.push(window(host));
    found.push(qemu_program(host));
    found.push(accelerator());
    found.push(xen(host));
    found.push(Provision::new(
        "kernel",
        "machines under Xen and QEMU",
        Path::new(kernel).exists().then(|| kernel.to_owned()),
        "install the Debian package linux-image-amd64, or name a kernel as `xen_kernel`",
    ));
    found.push(Provision::new(
        "bridge",
        "machines with a fixed address and no switch",
        super::net::has_bridge(bridge).then(|| bridge.to_owned()),
        "make it, as root, or name the server's own as `xen_bridge`",
    ));
    found.push(taps());
    found.push(rights(host));
    found
}

fn program(host: &LaunchHost, wanted: &Wanted) -> Provision {
    let found = host.find(wanted.program).map(|path| path.display().to_string());
    let remedy = format!("install the Debian package {}", wanted.package);
    Provision::new(wanted.program, wanted.purpose, found, &remedy)
}

fn uml(host: &LaunchHost, kernel: &str) -> Provision {
    let version = || CommandLine::new([kernel, "--version"]).run(host).ok();
    let found = host.find(kernel).and_then(|path| {
        let version = version()?;
        Some(format!("{}, Linux {}", path.display(), version.trim()))
    });
    let remedy = "install the Debian package user-mode-linux, or name a kernel as `default_kernel`";
    Provision::new("User-Mode Linux", "machines without root", found, remedy)
}

fn shared_memory() -> Provision {
    let found = Path::new("/dev/shm").is_dir().then(|| "/dev/shm".to_owned());
    let remedy = "mount a tmpfs at /dev/shm";
    Provision::new("shared memory", "the memory of User-Mode Linux", found, remedy)
}

fn window(host: &LaunchHost) -> Provision {
    let path = host.find("xterm").filter(|_| host.has_display);
    let remedy = if host.has_display {
        "install the Debian package xterm"
    } else {
        "there is no display, so that `screen` takes its place"
    };
    Provision::new(
        "xterm",
        "consoles in windows",
        path.map(|path| path.display().to_string()),
        remedy,
    )
}

fn qemu_program(host: &LaunchHost) -> Provision {
    let found = host.find(qemu::PROGRAM).map(|path| path.display().to_string());
    let remedy = "install the Debian package qemu-system-x86";
    Provision::new("QEMU", "machines of the keywords `qemu` and `kvm`", found, remedy)
}

fn accelerator() -> Provision {
    let found = qemu::has_kvm().then(|| "/dev/kvm".to_owned());
    let remedy = "without it QEMU emulates the processor (TCG), which takes several times as long";
    Provision::new("KVM", "QEMU at the processor's own speed", found, remedy)
}

/// Xen's own word on whether this is its first domain: `control_d` in the capabilities.
fn xen(host: &LaunchHost) -> Provision {
    let is_dom0 = fs::read_to_string("/proc/xen/capabilities").is_ok_and(|text| text.contains("control_d"));
    let found = host.find("xl").filter(|_| is_dom0);
    let remedy = if host.find("xl").is_some() {
        "start this server under Xen: the Debian package xen-system-amd64 adds that to the boot menu"
    } else {
        "install the Debian package xen-system-amd64, and start this server under Xen"
    };
    Provision::new(
        "Xen",
        "machines of the keywords `xen` and `hvm`",
        found.map(|path| path.display().to_string()),
        remedy,
    )
}

fn taps() -> Provision {
    let opened = OpenOptions::new().read(true).write(true).open(super::net::TUN);
    let remedy = "let root run: chmod 666 /dev/net/tun";
    Provision::new(
        "taps",
        "User-Mode Linux on bridges",
        opened.is_ok().then(|| super::net::TUN.to_owned()),
        remedy,
    )
}

fn rights(host: &LaunchHost) -> Provision {
    let found = host.is_root().then(|| "root".to_owned());
    let remedy = "bridges, taps, Xen, and addresses handed out take root; all else does not";
    Provision::new("rights", "the server's own network, and Xen", found, remedy)
}
