//! The Debian programs that know the account files, as judges: pwck and grpck check what we wrote, useradd and its
//! kin do the same work themselves. Each runs inside a user namespace, so that an ordinary user can run it too.

use std::fs;
use std::path::Path;

use mln_image::base::atomic::{self, Durability};

use super::memory_guest::MemoryGuest;
use super::tool;

/// The account files that the judges read.
const FILES: [&str; 4] = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"];

/// Panics with their complaints unless pwck and grpck find the guest's account files in order.
#[track_caller]
pub(crate) fn check(guest: &MemoryGuest) {
    let root = tempfile::tempdir().unwrap();
    lay_out(guest, root.path());
    for arguments in [["pwck", "-qr"], ["grpck", "-r"]] {
        run(&arguments, "-R", root.path(), "");
    }
}

/// The four account files after Debian's own programs did `commands`, each a line as for a shell, on the guest's.
#[track_caller]
pub(crate) fn after_commands(guest: &MemoryGuest, seconds: i64, commands: &[&str]) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    lay_out(guest, root.path());
    for command in commands {
        let (program, arguments) = command.split_once(' ').unwrap();
        let epoch = seconds.to_string();
        run(
            &[&[program], &*arguments.split(' ').collect::<Vec<_>>()].concat(),
            "-P",
            root.path(),
            &epoch,
        );
    }
    FILES
        .iter()
        .map(|path| fs::read_to_string(root.path().join(&path[1..])).unwrap())
        .collect()
}

/// The guest's four account files.
pub(crate) fn files(guest: &MemoryGuest) -> Vec<String> {
    FILES.iter().map(|path| guest.text(path)).collect()
}

/// Writes the guest's account files below `root`.
fn lay_out(guest: &MemoryGuest, root: &Path) {
    fs::create_dir_all(root.join("etc/default")).unwrap();
    for path in FILES.iter().chain(&["/etc/login.defs"]) {
        let content = guest.text(path);
        atomic::write(&root.join(&path[1..]), content.as_bytes(), Durability::NoSync).unwrap();
    }
}

#[track_caller]
fn run(words: &[&str], root_option: &str, root: &Path, epoch: &str) {
    // Found first, so that a missing program is named rather than the shell that would start it.
    let program = tool(words[0], "passwd").get_program().to_owned();
    let mut command = tool("unshare", "util-linux");
    command.arg("-r").arg(program).arg(root_option).arg(root);
    command.args(&words[1..]);
    if !epoch.is_empty() {
        command.env("SOURCE_DATE_EPOCH", epoch);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{words:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
