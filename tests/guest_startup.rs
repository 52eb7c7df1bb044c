//! Lines for start and shutdown: run in order, verbatim, each once, by the guest's own init.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use mln_image::base::atomic::{self, Durability};
use mln_image::guest::Init;
use mln_image::project::Host;

use crate::support::debian::{baked, configured, debian};
use crate::support::memory_guest::MemoryGuest;
use crate::support::project::{at, host, of, project};
use crate::support::tool;

/// A host with these lines for start and shutdown.
fn with(startup: &[&str], shutdown: &[&str]) -> Host {
    let lines = |lines: &[&str]| lines.iter().map(|line| at(3, line, (*line).to_owned())).collect();
    Host {
        startup: lines(startup),
        shutdown: lines(shutdown),
        ..host("a")
    }
}

/// A Debian guest that starts with sysvinit.
fn sysvinit() -> MemoryGuest {
    let mut guest = debian();
    guest
        .without("/usr/sbin/init")
        .file("/usr/sbin/init", "")
        .without("/usr/lib/systemd");
    guest
}

fn write(path: &Path, text: &str) {
    atomic::write(path, text.as_bytes(), Durability::NoSync).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn systemd_runs_the_lines_by_a_unit() {
    let host = with(
        &["echo \"a    b\" # {c}", "for i in 1 2; do", "echo $i", "done"],
        &["sync"],
    );
    let guest = baked(&project("p", []), &host, &debian());
    assert_eq!(
        guest.changes_since(&debian()),
        "~ -0644 0:0 /etc/fstab\n\
         ~ -0644 0:0 /etc/hostname\n\
         ~ -0644 0:0 /etc/hosts\n\
         + -0444 0:0 /etc/machine-id\n\
         + d0755 0:0 /etc/mln\n\
         + -0755 0:0 /etc/mln/shutdown\n\
         + -0755 0:0 /etc/mln/startup\n\
         + d0755 0:0 /etc/systemd\n\
         + d0755 0:0 /etc/systemd/system\n\
         + -0644 0:0 /etc/systemd/system/mln-startup.service\n\
         + d0755 0:0 /etc/systemd/system/multi-user.target.wants\n\
         + l0777 0:0 /etc/systemd/system/multi-user.target.wants/mln-startup.service -> \
         /etc/systemd/system/mln-startup.service\n"
    );
    assert_eq!(
        guest.text("/etc/mln/startup"),
        "#!/bin/bash\n\
         # Written by mln-image from the project's description.\n\
         PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         export PATH\n\
         echo \"a    b\" # {c}\n\
         for i in 1 2; do\n\
         echo $i\n\
         done\n"
    );
    assert_eq!(
        guest.text("/etc/systemd/system/mln-startup.service"),
        "[Unit]\n\
         Description=Commands of the project at start and shutdown\n\
         After=network.target network-online.target local-fs.target remote-fs.target\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         StandardOutput=journal+console\n\
         ExecStart=-/etc/mln/startup\n\
         ExecStop=/etc/mln/shutdown\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    );
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    for host in [
        with(&["true"], &["true"]),
        with(&["true"], &[]),
        with(&[], &["true"]),
    ] {
        let guest = baked(&project("p", []), &host, &debian());
        let directory = tempfile::tempdir().unwrap();
        let scripts = directory.path().join("scripts");
        fs::create_dir(&scripts).unwrap();
        for name in ["startup", "shutdown"] {
            write(&scripts.join(name), "#!/bin/sh\n");
        }
        let unit = directory.path().join("mln-startup.service");
        let text = guest.text("/etc/systemd/system/mln-startup.service");
        write(&unit, &text.replace("/etc/mln", scripts.to_str().unwrap()));
        fs::set_permissions(&unit, fs::Permissions::from_mode(0o644)).unwrap();
        let output = tool("systemd-analyze", "systemd")
            .args(["verify", "--man=no"])
            .arg(&unit)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let about: Vec<&str> = said.lines().filter(|line| line.contains("mln-startup")).collect();
        assert!(output.status.success() && about.is_empty(), "{said}");
    }
}

#[test]
fn sysvinit_runs_the_lines_by_an_init_script() {
    let host = with(&["true"], &[]);
    let guest = baked(&project("p", []), &host, &sysvinit());
    assert_eq!(
        guest
            .changes_since(&sysvinit())
            .lines()
            .filter(|line| line.contains("/etc/rc") || line.contains("init.d"))
            .collect::<Vec<_>>(),
        [
            "+ d0755 0:0 /etc/init.d",
            "+ -0755 0:0 /etc/init.d/startup",
            "+ d0755 0:0 /etc/rc0.d",
            "+ l0777 0:0 /etc/rc0.d/K01startup -> ../init.d/startup",
            "+ d0755 0:0 /etc/rc1.d",
            "+ l0777 0:0 /etc/rc1.d/K01startup -> ../init.d/startup",
            "+ d0755 0:0 /etc/rc2.d",
            "+ l0777 0:0 /etc/rc2.d/S99startup -> ../init.d/startup",
            "+ d0755 0:0 /etc/rc3.d",
            "+ l0777 0:0 /etc/rc3.d/S99startup -> ../init.d/startup",
            "+ d0755 0:0 /etc/rc4.d",
            "+ l0777 0:0 /etc/rc4.d/S99startup -> ../init.d/startup",
            "+ d0755 0:0 /etc/rc5.d",
            "+ l0777 0:0 /etc/rc5.d/S99startup -> ../init.d/startup",
            "+ d0755 0:0 /etc/rc6.d",
            "+ l0777 0:0 /etc/rc6.d/K01startup -> ../init.d/startup",
        ]
    );
}

#[test]
fn init_script_runs_each_line_once_even_after_a_failure() {
    let host = with(
        &[
            "echo one",
            "false",
            ". /nowhere/at/all",
            "cd /nowhere/at/all",
            "echo two",
        ],
        &["echo bye"],
    );
    let guest = baked(&project("p", []), &host, &sysvinit());
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_str().unwrap();
    for name in ["startup", "shutdown"] {
        write(
            &directory.path().join(name),
            &guest.text(&format!("/etc/mln/{name}")),
        );
    }
    let script = directory.path().join("init");
    write(
        &script,
        &guest.text("/etc/init.d/startup").replace("/etc/mln", root),
    );
    for (word, expected, code) in [
        ("start", "one\ntwo\n", 0),
        ("stop", "bye\n", 0),
        ("restart", "", 0),
        ("", "", 3),
    ] {
        let output = tool("dash", "dash").arg(&script).arg(word).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{word}");
        assert_eq!(output.status.code(), Some(code), "{word}");
    }
    let output = tool("shellcheck", "shellcheck").arg(&script).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn init_is_told_by_what_it_leads_to() {
    let mut bare = debian();
    bare.without("/usr/sbin/init");
    let mut table = sysvinit();
    table.without("/usr/sbin/init").file("/etc/inittab", "");
    for (guest, init, reason) in [
        (
            debian(),
            Init::Systemd,
            "`/sbin/init` leads to `/usr/lib/systemd/systemd`",
        ),
        (
            sysvinit(),
            Init::Sysvinit,
            "`/sbin/init` does not lead to systemd",
        ),
        (bare, Init::Systemd, "the template has `/usr/lib/systemd/systemd`"),
        (table, Init::Sysvinit, "the template has `/etc/inittab`"),
    ] {
        let found = configured(&project("p", []), &host("a"), &guest)
            .unwrap()
            .init
            .unwrap();
        assert_eq!((found.value, found.reason.as_str()), (init, reason));
    }
}

#[test]
fn lines_that_nothing_would_run_are_an_error() {
    let mut guest = sysvinit();
    guest.without("/usr/sbin/init");
    let found = configured(&project("p", []), &host("a"), &guest).unwrap();
    assert_eq!(found.init, None);
    let error = configured(&project("p", []), &with(&["reboot -f"], &[]), &guest).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template has none of systemd, sysvinit, OpenRC and busybox's init, which would run `reboot -f` (p.mln:3: reboot -f)"
    );
}

#[test]
fn modules_take_the_place_of_the_templates() {
    let mut guest = debian();
    guest
        .file("/etc/modules", "# old\nlp\n")
        .own("/etc/modules", 0o600, 0, 0);
    let after = baked(&project("p", []), &host("a"), &guest);
    assert_eq!(after.text("/etc/modules"), "# old\nlp\n");
    let host = Host {
        modules: Some(of(vec!["ipv6".to_owned(), "8021q".to_owned()])),
        ..host("a")
    };
    let after = baked(&project("p", []), &host, &guest);
    assert_eq!(after.text("/etc/modules"), "ipv6\n8021q\n");
    assert!(after.changes_since(&guest).contains("~ -0600 0:0 /etc/modules\n"));
}
