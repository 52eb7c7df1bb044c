//! The skeleton: a template made without any other program, judged by e2fsck and debugfs, the same bytes every time.

use std::path::{Path, PathBuf};

use mln_image::base::report::Silent;
use mln_image::base::{ByteSize, FileKind, Timestamp};
use mln_image::template::{BuildHost, BuildOrder, Definition, Entry, Store, TemplateError, TemplateType};

use crate::support::{Content, Tree, debugfs, e2fsck_clean, sha256};

/// Builds the skeleton into a store in `directory`, on a machine without a single program.
fn build(directory: &Path, size: Option<ByteSize>, seconds: i64) -> Result<Vec<Entry>, TemplateError> {
    let order = BuildOrder {
        definition: Definition::find("skeleton", None)?,
        types: vec![TemplateType::Ext2, TemplateType::Ext3, TemplateType::Ext4],
        size,
        mirror: None,
        time: Timestamp::from_seconds(seconds),
        content_time: Timestamp::from_seconds(seconds),
    };
    let host = BuildHost {
        search_path: Some("/nowhere".into()),
        apt_directory: PathBuf::from("/nowhere"),
        is_root: false,
    };
    Store::open(directory).build(&order, &host, &Silent)
}

fn images(directory: &Path, entries: &[Entry]) -> Vec<PathBuf> {
    entries
        .iter()
        .map(|entry| directory.join(entry.file.to_string()))
        .collect()
}

#[test]
fn the_skeleton_is_a_clean_file_system_of_each_type_with_the_same_content() {
    let directory = tempfile::tempdir().unwrap();
    let entries = build(directory.path(), None, 5).unwrap();
    let names: Vec<String> = entries.iter().map(|entry| entry.file.to_string()).collect();
    assert_eq!(
        names,
        ["skeleton-V1.0.ext2", "skeleton-V1.0.ext3", "skeleton-V1.0.ext4"]
    );
    let mut trees = Vec::new();
    for (image, entry) in images(directory.path(), &entries).iter().zip(&entries) {
        e2fsck_clean(image);
        assert_eq!(entry.file_system, entry.file.file_type());
        let stat = debugfs(image, "stat /etc/shadow");
        assert!(stat.contains("Mode:  0640"), "{stat}");
        assert!(stat.contains("User:     0   Group:    42"), "{stat}");
        assert!(debugfs(image, "cat /etc/debian_version").starts_with("12"));
        let mut tree = Tree::read(image);
        tree.0.remove(&b"/lost+found"[..]);
        trees.push(tree);
    }
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0], trees[2]);
}

#[test]
fn the_skeleton_has_what_a_guest_is_configured_by_and_says_that_it_does_not_boot() {
    let directory = tempfile::tempdir().unwrap();
    let entries = build(directory.path(), None, 5).unwrap();
    let image = &images(directory.path(), &entries)[2];
    let tree = Tree::read(image);
    for (path, kind, mode) in [
        ("/etc/passwd", FileKind::Regular, 0o644),
        ("/etc/gshadow", FileKind::Regular, 0o640),
        ("/etc/network/interfaces", FileKind::Regular, 0o644),
        ("/etc/network/interfaces.d", FileKind::Directory, 0o755),
        ("/etc/init.d", FileKind::Directory, 0o755),
        ("/etc/rc2.d", FileKind::Directory, 0o755),
        ("/etc/skel/.bashrc", FileKind::Regular, 0o644),
        ("/sbin/ifup", FileKind::Regular, 0o755),
        ("/root", FileKind::Directory, 0o700),
        ("/tmp", FileKind::Directory, 0o1777),
        ("/home", FileKind::Directory, 0o755),
        ("/", FileKind::Directory, 0o755),
    ] {
        let node = &tree.0[path.as_bytes()];
        assert_eq!((node.kind, node.mode), (kind, mode), "{path}");
        assert_eq!(node.mtime, (1_700_000_000, 0), "{path}");
    }
    let mtab = Content::Target("../proc/self/mounts".to_owned());
    assert_eq!(tree.0[&b"/etc/mtab"[..]].content, mtab);
    assert!(debugfs(image, "cat /README").starts_with("This file system does not boot."));
    assert!(debugfs(image, "cat /etc/os-release").contains("(does not boot)"));
    assert!(entries[0].message.contains("does not boot"));
}

#[test]
fn the_skeleton_has_the_same_bytes_every_time_and_then_is_no_new_version() {
    let [one, two] = [1, 2].map(|_| tempfile::tempdir().unwrap());
    let first = build(one.path(), None, 5).unwrap();
    let second = build(two.path(), None, 6_000_000).unwrap();
    for (left, right) in images(one.path(), &first).iter().zip(images(two.path(), &second)) {
        assert_eq!(sha256(left), sha256(&right));
    }
    assert_eq!(build(one.path(), None, 7).unwrap(), first);
    let larger = build(one.path(), Some(ByteSize(20 << 20)), 8).unwrap();
    for (image, entry) in images(one.path(), &larger).iter().zip(&larger) {
        assert_eq!(
            (entry.version.to_string(), entry.len_bytes),
            ("1.1".to_owned(), 20 << 20)
        );
        e2fsck_clean(image);
    }
}

#[test]
fn a_size_that_is_too_small_is_an_error_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let error = build(directory.path(), Some(ByteSize(64 << 10)), 5).unwrap_err();
    assert!(
        matches!(error, TemplateError::Format(_) | TemplateError::Fill { .. }),
        "{error}"
    );
    assert_eq!(Store::open(directory.path()).list().unwrap(), []);
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["templates.lock"]);
}
