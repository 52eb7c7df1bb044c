//! A real Debian 12 through mmdebstrap: judged by e2fsck, and what a bootable template must and must not hold.

use mln_image::base::FileKind;
use mln_image::template::{Source, State, TemplateType};

use crate::support::templates::{CONTENT_SECONDS, debian12, debian12_of_an_ordinary_user, debian12_store};
use crate::support::{Content, ExtKind, Node, Tree, debugfs, e2fsck_clean, sha256};

const KINDS: [ExtKind; 2] = [ExtKind::Ext3, ExtKind::Ext4];

#[test]
fn debian_is_built_as_clean_ext3_and_ext4_of_the_same_content() {
    let mut trees = KINDS.map(|kind| {
        let image = debian12(kind);
        e2fsck_clean(&image);
        Tree::read(&image)
    });
    for tree in &mut trees {
        // Its length differs with the type.
        tree.0.remove(&b"/lost+found"[..]);
    }
    let [ext3, ext4] = trees;
    assert!(ext3 == ext4, "the two types differ in content");
    assert!(ext3.0.len() > 5000, "{} files", ext3.0.len());
}

#[test]
fn debian_has_the_owners_modes_and_capabilities_of_its_packages() {
    let image = debian12(ExtKind::Ext4);
    let tree = Tree::read(&image);
    for (path, mode, uid, gid) in [
        ("/etc/passwd", 0o644, 0, 0),
        ("/etc/shadow", 0o640, 0, 42),
        ("/etc/gshadow", 0o640, 0, 42),
        ("/etc/fstab", 0o644, 0, 0),
        ("/etc/hostname", 0o644, 0, 0),
        ("/etc/hosts", 0o644, 0, 0),
        ("/etc/resolv.conf", 0o644, 0, 0),
        ("/etc/network/interfaces", 0o644, 0, 0),
        ("/usr/bin/passwd", 0o4755, 0, 0),
        ("/var/mail", 0o2775, 0, 8),
        ("/root", 0o700, 0, 0),
        ("/tmp", 0o1777, 0, 0),
        ("/", 0o755, 0, 0),
    ] {
        let node = node(&tree, path);
        assert_eq!((node.mode, node.uid, node.gid), (mode, uid, gid), "{path}");
    }
    let capability = debugfs(&image, "ea_get -x /usr/bin/ping security.capability");
    assert!(capability.contains("01 00 00 02"), "{capability}");
}

#[test]
fn debian_holds_what_boots_everywhere_and_nothing_that_ties_it_to_a_machine() {
    for kind in KINDS {
        let image = debian12(kind);
        let tree = Tree::read(&image);
        for program in [
            "/usr/lib/systemd/systemd",
            "/usr/sbin/init",
            "/usr/sbin/sshd",
            "/usr/sbin/ifup",
            "/usr/sbin/dhclient",
            "/usr/bin/ip",
            "/usr/bin/udevadm",
            "/usr/bin/kmod",
            "/usr/bin/login",
        ] {
            assert!(tree.0.contains_key(program.as_bytes()), "{program} is missing");
        }
        for (link, target) in [
            (
                "/etc/systemd/system/ctrl-alt-del.target",
                "/lib/systemd/system/poweroff.target",
            ),
            ("/etc/systemd/network/99-default.link", "/dev/null"),
        ] {
            assert_eq!(node(&tree, link).content, Content::Target(target.to_owned()));
        }
        assert_eq!(node(&tree, "/etc/machine-id").content, Content::of(b""));
        assert_eq!(node(&tree, "/etc/resolv.conf").content, Content::of(b""));
        let host_keys = tree
            .0
            .keys()
            .filter(|path| path.starts_with(b"/etc/ssh/ssh_host_"));
        assert_eq!(host_keys.count(), 0);
        let devices = tree
            .0
            .values()
            .filter(|node| matches!(node.kind, FileKind::CharDevice | FileKind::BlockDevice));
        assert_eq!(devices.count(), 0);
        assert!(
            debugfs(&image, "cat /etc/shadow").contains("root:*:"),
            "root can log in"
        );
        assert!(
            !debugfs(&image, "cat /etc/fstab")
                .lines()
                .any(|line| !line.starts_with('#'))
        );
        assert!(!debugfs(&image, "cat /etc/group").contains("admin:"));
    }
}

#[test]
fn nothing_in_debian_is_newer_than_the_time_given() {
    let tree = Tree::read(&debian12(ExtKind::Ext4));
    let newer: Vec<_> = tree
        .0
        .iter()
        .filter(|(_, node)| node.mtime.0 > CONTENT_SECONDS)
        .map(|(path, _)| String::from_utf8_lossy(path))
        .collect();
    assert!(newer.is_empty(), "{newer:?}");
}

#[test]
fn an_ordinary_user_builds_the_same_debian_byte_for_byte() {
    let image = debian12_of_an_ordinary_user();
    e2fsck_clean(&image);
    assert_eq!(sha256(&image), sha256(&debian12(ExtKind::Ext4)));
}

#[test]
fn a_built_template_is_recorded_with_its_origin_and_its_digest_holds() {
    let store = debian12_store();
    for (listed, file_type) in store
        .list()
        .unwrap()
        .iter()
        .zip([TemplateType::Ext3, TemplateType::Ext4])
    {
        assert_eq!((listed.state, listed.is_newest), (State::Recorded, true));
        let entry = listed.entry.as_ref().unwrap();
        assert_eq!(entry.file_system, file_type);
        assert_eq!(entry.source, Source::Built("debian-12".to_owned()));
        let template = store.find(&listed.file.to_string()).unwrap();
        assert_eq!(template.verify_digest().unwrap(), entry.sha256);
    }
}

fn node<'a>(tree: &'a Tree, path: &str) -> &'a Node {
    tree.0
        .get(path.as_bytes())
        .unwrap_or_else(|| panic!("{path} is missing"))
}
