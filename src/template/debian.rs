//! A Debian system from packages: mmdebstrap makes a tar archive of it, as root or, in a user namespace, as anyone.
//!
//! The options are those of mmdebstrap's manual page; the files that a definition places are written by its hooks, which
//! see the new system's root directory as `$1`.

use std::path::Path;
use std::process::Command;

use super::apt;
use super::definition::{DebianDefinition, DebianVariant};
use super::error::TemplateError;
use super::tools::{self, BuildHost};
use crate::base::process;

/// The programs that the work needs, with the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 5] = [
    ("mmdebstrap", "mmdebstrap"),
    ("apt-config", "apt"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("tar", "tar"),
];

/// What an ordinary user needs beside them.
const USER_PROGRAMS: [(&str, &str); 2] = [("newuidmap", "uidmap"), ("newgidmap", "uidmap")];

/// What a build of a Debian system is told beside its definition.
#[derive(Debug, Clone, Copy)]
pub(super) struct DebianOrder<'a> {
    /// The archive to use instead of the host's.
    pub(super) mirror: Option<&'a str>,
    /// No file of the result is newer than this, in seconds since the epoch.
    pub(super) content_seconds: i64,
    /// Where it happens.
    pub(super) host: &'a BuildHost,
}

/// Refuses when the host lacks something that [`make_archive`] needs.
pub(super) fn check_host(host: &BuildHost) -> Result<(), TemplateError> {
    host.require(&PROGRAMS)?;
    if !Path::new(apt::DEBIAN_KEYRING).exists() {
        return Err(TemplateError::ProgramsMissing {
            programs: vec![apt::DEBIAN_KEYRING.to_owned()],
            packages: vec!["debian-archive-keyring".to_owned()],
        });
    }
    if host.is_root {
        return Ok(());
    }
    host.require(&USER_PROGRAMS)?;
    let mut probe = host.command("unshare");
    probe.args(["--user", "--map-root-user", "--map-auto", "--", "true"]);
    tools::run("unshare", &mut probe, |_| {}).map_err(TemplateError::NoSubordinateIds)
}

/// Installs the system that `definition` describes into the new tar archive `archive`; `heard` is told each step.
pub(super) fn make_archive(
    definition: &DebianDefinition,
    order: DebianOrder<'_>,
    archive: &Path,
    mut heard: impl FnMut(&str),
) -> Result<(), TemplateError> {
    let sources = apt::source_lines(
        &definition.suite,
        &definition.components,
        order.mirror,
        &order.host.apt_directory,
    )?;
    let mut command = order.host.command("mmdebstrap");
    let mode = if order.host.is_root { "root" } else { "unshare" };
    command
        .env("SOURCE_DATE_EPOCH", order.content_seconds.max(0).to_string())
        .arg("--format=tar")
        .arg(format!("--variant={}", definition.variant.name()))
        .arg(format!("--mode={mode}"))
        .arg(format!("--include={}", definition.packages.join(",")))
        .arg("--aptopt=Apt::Install-Recommends \"false\"");
    take_over_apt_settings(&mut command, order.host)?;
    for pattern in &definition.exclude {
        command.arg(format!("--dpkgopt=path-exclude={pattern}"));
    }
    for pattern in &definition.include {
        command.arg(format!("--dpkgopt=path-include={pattern}"));
    }
    let when = match definition.variant {
        DebianVariant::Minbase => "customize",
        // There is nothing to customize where nothing is installed, nor to clean up after its tools.
        DebianVariant::Extract => {
            command.arg("--skip=cleanup");
            "extract"
        }
    };
    for hook in hooks(definition) {
        command.arg(format!("--{when}-hook={hook}"));
    }
    command.arg(&definition.suite).arg(archive).args(sources);
    tools::run("mmdebstrap", &mut command, |line| {
        // Steps are marked `I:`; the rest is for the case that it fails.
        if let Some(step) = line.strip_prefix("I: ") {
            heard(step);
        }
    })
    .map_err(TemplateError::process("install the packages"))
}

/// Gives mmdebstrap's apt, which does not read the host's configuration, the host's proxies and its opinion of dates.
fn take_over_apt_settings(command: &mut Command, host: &BuildHost) -> Result<(), TemplateError> {
    let mut dump = host.command("apt-config");
    dump.args(["dump", "--format", "%F=%v%n", "Acquire"]);
    let output = process::run(&mut dump).map_err(TemplateError::process("read the settings of apt"))?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((key, value)) = line.split_once('=').filter(|(_, value)| !value.is_empty()) else {
            continue;
        };
        // Scoped names come as `Acquire::http::Proxy::some.host`, which apt takes back as they are.
        let is_taken = key.starts_with("Acquire::http::Proxy")
            || key.starts_with("Acquire::https::Proxy")
            || matches!(key, "Acquire::Check-Valid-Until" | "Acquire::Check-Date");
        if is_taken {
            command.arg(format!("--aptopt={key} \"{value}\""));
        }
    }
    Ok(())
}

/// The shell commands that put a definition's own files in place, in order.
fn hooks(definition: &DebianDefinition) -> Vec<String> {
    let files = definition.files.iter().map(|file| {
        let path = in_root(&file.path.to_string());
        format!(
            "rm -f {path} && install -D -m {:04o} /dev/null {path} && printf %s {} >{path}",
            file.mode,
            quoted(file.content.trim_start_matches('\n'))
        )
    });
    let links = definition.links.iter().map(|link| {
        let path = in_root(&link.path.to_string());
        format!(
            "mkdir -p \"$(dirname {path})\" && ln -sfn {} {path}",
            quoted(&link.target)
        )
    });
    // A pattern stays outside the quotes' reach, so that the shell expands it; spaces in it are not supported.
    let removals = definition
        .remove
        .iter()
        .map(|pattern| format!("rm -rf \"$1\"{pattern}"));
    files
        .chain(links)
        .chain(removals)
        .chain(definition.hooks.iter().cloned())
        .collect()
}

/// The guest's path below the directory that hooks are told.
fn in_root(path: &str) -> String {
    format!("\"$1\"{}", quoted(path))
}

/// `text` as one word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::GuestPath;
    use crate::template::definition::{PlacedFile, PlacedLink};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn hooks_put_files_and_links_in_place_and_remove_the_rest() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/ssh")).unwrap();
        for name in ["etc/ssh/ssh_host_a", "etc/ssh/ssh_host_b", "etc/ssh/moduli"] {
            fs::File::create(root.path().join(name)).unwrap();
        }
        let content = "it's \"$1\"\n\n%s\\n";
        let definition = DebianDefinition {
            suite: String::new(),
            components: Vec::new(),
            variant: DebianVariant::default(),
            packages: Vec::new(),
            exclude: Vec::new(),
            include: Vec::new(),
            files: vec![PlacedFile {
                path: GuestPath::literal("/etc/new dir/it's"),
                content: content.to_owned(),
                mode: 0o640,
            }],
            links: vec![PlacedLink {
                path: GuestPath::literal("/etc/systemd/network/99-default.link"),
                target: "/dev/null".to_owned(),
            }],
            remove: vec!["/etc/ssh/ssh_host_*".to_owned()],
            hooks: vec!["touch \"$1\"/last".to_owned()],
        };
        for hook in hooks(&definition) {
            let status = Command::new("sh")
                .args(["-euc", &hook, "sh"])
                .arg(root.path())
                .status()
                .unwrap();
            assert!(status.success(), "{hook}");
        }
        let placed = root.path().join("etc/new dir/it's");
        assert_eq!(fs::read_to_string(&placed).unwrap(), content);
        assert_eq!(
            fs::metadata(&placed).unwrap().permissions().mode() & 0o7777,
            0o640
        );
        let link = root.path().join("etc/systemd/network/99-default.link");
        assert_eq!(fs::read_link(link).unwrap(), Path::new("/dev/null"));
        assert!(root.path().join("last").exists());
        let left: Vec<_> = fs::read_dir(root.path().join("etc/ssh"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["moduli"]);
    }
}
