//! Xen: the domain's configuration, xl.cfg(5), and scripts that hand it to xl(1).

mod running;

use std::fmt::Write as _;
use std::path::Path;

use crate::project::{Platform, Terminal};

use super::LaunchFile;
use super::quote::{shell, xl};
use super::script::{in_terminal, script, stop};
use super::spec::{Attachment, Disk, DomainSpec, Vif};

pub(super) use running::Xen;

/// The configuration and the scripts.
pub(super) fn files(spec: &DomainSpec) -> Vec<LaunchFile> {
    let name = shell(&spec.name());
    let console = ["xl".to_owned(), "console".to_owned(), spec.name()];
    let terminal = match spec.terminal {
        // Xen keeps a console for whoever asks for it later.
        Terminal::Pty | Terminal::None => String::new(),
        _ => in_terminal(spec, &console),
    };
    vec![
        LaunchFile {
            name: "xl.cfg",
            mode: 0o644,
            content: configuration(spec),
        },
        script(
            "start",
            spec,
            "Starts the machine",
            &format!("\nxl create xl.cfg\n{terminal}"),
        ),
        stop(
            spec,
            "",
            &format!("xl shutdown {name}"),
            &format!("xl destroy {name}"),
        ),
    ]
}

/// The text of `xl.cfg`.
fn configuration(spec: &DomainSpec) -> String {
    let mut lines = vec![
        format!(
            "# Host `{}` of project `{}`. Written by mln-image.",
            spec.host, spec.project
        ),
        format!("name = {}", xl(&spec.name())),
    ];
    let kind = match spec.platform {
        Platform::XenHvm => "hvm",
        _ => "pv",
    };
    lines.push(format!("type = {}", xl(kind)));
    if let Some(kernel) = &spec.kernel {
        lines.push(format!("kernel = {}", xl(&kernel.file)));
        lines.extend(
            kernel
                .ramdisk
                .iter()
                .map(|ramdisk| format!("ramdisk = {}", xl(ramdisk))),
        );
        lines.push(format!("extra = {}", xl(&kernel.arguments.join(" "))));
    }
    lines.push(format!("memory = {}", spec.memory_mib));
    lines.extend(spec.vcpus.map(|count| format!("vcpus = {count}")));
    lines.push(list("disk", spec.disks.iter().map(|disk| vbd(spec, disk))));
    lines.push(list("vif", spec.vifs.iter().map(vif)));
    if spec.platform == Platform::XenHvm {
        lines.push(format!("serial = {}", xl("pty")));
    }
    for (event, action) in [
        ("on_poweroff", "destroy"),
        ("on_reboot", "restart"),
        ("on_crash", "destroy"),
    ] {
        lines.push(format!("{event} = {}", xl(action)));
    }
    lines.extend(spec.extra.iter().cloned());
    lines.join("\n") + "\n"
}

/// A list of strings, one a line.
fn list(key: &str, items: impl Iterator<Item = String>) -> String {
    let mut text = format!("{key} = [\n");
    for item in items {
        writeln!(text, "    {},", xl(&item)).expect("writing to a string does not fail");
    }
    text.push(']');
    text
}

/// One disk: xl-disk-configuration(5), where the target comes last and reaches to the end.
fn vbd(spec: &DomainSpec, disk: &Disk) -> String {
    let device = disk.device.trim_start_matches("/dev/");
    let access = if disk.read_only { "ro" } else { "rw" };
    // The script that attaches disks runs elsewhere, so that the path is made absolute.
    let target = spec.directory.join(Path::new(&disk.image));
    format!(
        "format={},vdev={device},access={access},target={}",
        disk.format,
        target.display()
    )
}

/// One interface: xl-network-configuration(5).
fn vif(vif: &Vif) -> String {
    match &vif.attachment {
        Attachment::Bridge { bridge, .. } => format!("mac={},bridge={bridge}", vif.mac),
        _ => format!("mac={}", vif.mac),
    }
}
