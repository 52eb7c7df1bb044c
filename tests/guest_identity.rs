//! What tells machines from each other: machine-ids and ssh host keys, derived from a secret, and nothing of the
//! template's left.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use mln_image::project::{Host, HostKeyKind, IdentityChoice};

use crate::support::debian::{baked, configured};
use crate::support::families::{all, debian_with_udev};
use crate::support::memory_guest::MemoryGuest;
use crate::support::project::{host, of, project};
use crate::support::tool;

/// A template from which a machine ran already.
fn used() -> MemoryGuest {
    let mut guest = debian_with_udev();
    guest
        .file("/etc/ssh/ssh_host_dsa_key", "template's\n")
        .file("/etc/ssh/ssh_host_ed25519_key", "template's\n")
        .own("/etc/ssh/ssh_host_ed25519_key", 0o640, 0, 101)
        .file("/etc/ssh/ssh_host_ed25519_key.pub", "template's\n")
        .file("/var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n")
        .file("/var/lib/systemd/random-seed", "template's\n")
        .file("/var/lib/dhcp/dhclient.eth0.leases", "template's\n")
        .file("/etc/udev/rules.d/70-persistent-net.rules", "template's\n");
    guest
}

fn baked_host(name: &str) -> MemoryGuest {
    baked(&project("p", []), &host(name), &used())
}

#[test]
fn two_hosts_of_one_template_share_neither_number_nor_key() {
    let (a, b) = (baked_host("a"), baked_host("b"));
    for path in [
        "/etc/machine-id",
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/ssh/ssh_host_ed25519_key.pub",
        "/etc/ssh/ssh_host_ecdsa_key",
    ] {
        assert_ne!(a.text(path), b.text(path), "{path}");
        assert_ne!(a.text(path), "template's\n");
        assert_eq!(a.text(path), baked_host("a").text(path), "{path} a second time");
    }
    let id = a.text("/etc/machine-id");
    assert_eq!(id.len(), 33);
    assert!(id.trim_end().bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert_eq!(&id[12..13], "4");
}

#[test]
fn nothing_of_the_templates_own_is_left() {
    let changes = baked_host("a").changes_since(&used());
    for line in [
        "- /etc/ssh/ssh_host_dsa_key\n",
        "- /etc/udev/rules.d/70-persistent-net.rules\n",
        "- /var/lib/dhcp/dhclient.eth0.leases\n",
        "- /var/lib/systemd/random-seed\n",
        "~ l0777 0:0 /var/lib/dbus/machine-id -> /etc/machine-id\n",
        "~ -0600 0:0 /etc/ssh/ssh_host_ed25519_key\n",
        "~ -0644 0:0 /etc/ssh/ssh_host_ed25519_key.pub\n",
        "+ -0600 0:0 /etc/ssh/ssh_host_ecdsa_key\n",
    ] {
        assert!(changes.contains(line), "{line}{changes}");
    }
    let (_, busybox) = all().pop().unwrap();
    let baked = baked(&project("p", []), &host("a"), &busybox);
    assert!(
        baked
            .changes_since(&busybox)
            .contains("- /etc/dropbear/dropbear_ed25519_host_key\n")
    );
}

#[test]
fn the_project_may_keep_the_templates_identity_or_leave_it_to_the_first_start() {
    let with = |choice| Host {
        identity: of(choice),
        ..host("a")
    };
    let kept = baked(&project("p", []), &with(IdentityChoice::Template), &used());
    assert_eq!(kept.text("/etc/machine-id"), used().text("/etc/machine-id"));
    assert_eq!(kept.text("/etc/ssh/ssh_host_dsa_key"), "template's\n");
    let fresh = baked(&project("p", []), &with(IdentityChoice::FirstStart), &used());
    assert_eq!(fresh.text("/etc/machine-id"), "");
    assert!(
        fresh
            .changes_since(&used())
            .contains("- /etc/ssh/ssh_host_ed25519_key\n")
    );
}

#[test]
fn ssh_keygen_finds_both_halves_of_every_key_to_agree() {
    let host = Host {
        host_keys: Some(of(HostKeyKind::ALL.to_vec())),
        ..host("a")
    };
    // Once only: a key of RSA takes its time.
    let found = configured(&project("p", []), &host, &used()).unwrap();
    let guest = used().applied(&found.edits);
    let directory = tempfile::tempdir().unwrap();
    guest.write_below(directory.path());
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let private = directory.path().join(format!("etc/ssh/ssh_host_{kind}_key"));
        assert_eq!(
            fs::metadata(&private).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let output = tool("ssh-keygen", "openssh-client")
            .arg("-y")
            .arg("-f")
            .arg(&private)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let public = guest.text(&format!("/etc/ssh/ssh_host_{kind}_key.pub"));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), public);
        assert!(public.ends_with(" root@a\n"), "{public}");
    }
}

#[test]
fn kinds_of_key_follow_the_servers_configuration() {
    let kinds = |guest: &MemoryGuest| -> Vec<String> {
        let found = configured(&project("p", []), &host("a"), guest).unwrap();
        let keys = found.identity.host_keys.iter();
        keys.map(|key| key.split(' ').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(kinds(&debian_with_udev()), ["ssh-ed25519", "ecdsa-sha2-nistp256"]);
    let mut named = debian_with_udev();
    named.file(
        "/etc/ssh/sshd_config",
        "HostKey /etc/ssh/ssh_host_ed25519_key # the one\n#HostKey /etc/ssh/ssh_host_rsa_key\n",
    );
    assert_eq!(kinds(&named), ["ssh-ed25519"]);
    let mut without = debian_with_udev();
    without.without("/etc/ssh");
    assert_eq!(kinds(&without), Vec::<String>::new());
}
