//! Busybox from Debian's own package: judged by e2fsck, and what a machine of it must and must not hold.

use mln_image::base::FileKind;

use crate::support::templates::busybox_store;
use crate::support::{Content, Tree, debugfs, e2fsck_clean};

#[test]
fn busybox_is_built_as_clean_ext3_and_ext4_of_the_same_content() {
    let store = busybox_store();
    let mut trees = ["busybox.ext3", "busybox.ext4"].map(|name| {
        let image = store.find(name).unwrap().path().to_path_buf();
        e2fsck_clean(&image);
        // UML's copy-on-write files lose smaller blocks.
        assert!(debugfs(&image, "stats").contains("Block size:               4096"));
        Tree::read(&image)
    });
    for tree in &mut trees {
        tree.0.remove(&b"/lost+found"[..]);
    }
    let [ext3, ext4] = trees;
    assert!(ext3 == ext4, "the two types differ in content");
}

#[test]
fn busybox_holds_its_applets_and_lets_nobody_in() {
    let image = busybox_store().find("busybox.ext4").unwrap().path().to_path_buf();
    let tree = Tree::read(&image);
    for applet in [
        "/bin/sh",
        "/sbin/init",
        "/sbin/getty",
        "/bin/login",
        "/sbin/ifup",
        "/usr/bin/awk",
    ] {
        let node = &tree.0[applet.as_bytes()];
        assert_eq!(
            node.content,
            Content::Target("/bin/busybox".to_owned()),
            "{applet}"
        );
    }
    for (path, mode, gid) in [
        ("/bin/busybox", 0o755, 0),
        ("/etc/init.d/rcS", 0o755, 0),
        ("/etc/udhcpc/default.script", 0o755, 0),
        ("/etc/shadow", 0o640, 42),
        ("/root", 0o700, 0),
        ("/tmp", 0o1777, 0),
        ("/var/mail", 0o2775, 8),
        ("/", 0o755, 0),
    ] {
        let node = &tree.0[path.as_bytes()];
        assert_eq!((node.mode, node.uid, node.gid), (mode, 0, gid), "{path}");
    }
    assert!(
        debugfs(&image, "cat /etc/shadow").contains("root:*:"),
        "root can log in"
    );
    for (path, node) in &tree.0 {
        let path = String::from_utf8_lossy(path);
        assert!(
            !matches!(node.kind, FileKind::CharDevice | FileKind::BlockDevice),
            "{path}"
        );
        let is_left_over = ["/etc/apt", "/tmp/", "/var/lib", "/var/cache"]
            .iter()
            .any(|left| path.starts_with(left));
        assert!(!is_left_over, "{path} is left over from the build");
    }
}
