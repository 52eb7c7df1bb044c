//! Images and templates that were not unmounted: the journal comes first, so that no later replay undoes an edit.

use std::fs;

use mln_image::base::ByteSize;
use mln_image::project::SizeRequest;

use crate::support::bakery::Bakery;
use crate::support::lab::ImageLab;
use crate::support::project::{host, of, project};
use crate::support::recovery::{Image, fixture, put};
use crate::support::{ExtKind, Tree, debugfs, debugfs_write, e2fsck_clean, sha256, tool};

const DIRTY: [&str; 6] = [
    "ext3-wrapped",
    "ext3-orphans",
    "ext4-orphans",
    "ext4-orphan-file",
    "ext4-checksum-v1",
    "ext4-checksum-v3",
];

/// What e2fsck makes of the image, as a tree.
fn mended(lab: &ImageLab) -> Tree {
    let copy = lab.path("mended");
    fs::copy(lab.image(), &copy).unwrap();
    let status = tool("e2fsck", "e2fsprogs")
        .arg("-fy")
        .arg(&copy)
        .output()
        .unwrap()
        .status;
    assert!(matches!(status.code(), Some(0 | 1)));
    Tree::read(&copy)
}

#[test]
fn an_edit_of_a_dirty_image_replays_its_journal_first() {
    for name in DIRTY {
        let lab = ImageLab::with_image(&fixture(name));
        let before = mended(&lab);
        let kept = lab.answer(&["cat", "IMG:/kept"]);
        assert_eq!(kept.lines().count(), 3000, "{name}");
        let notes = lab.notes(&["mkdir", "IMG:/new"]);
        assert!(
            notes.starts_with("note: `IMG` was not unmounted cleanly; what that left to do was done first: "),
            "{name}: {notes}"
        );
        e2fsck_clean(&lab.image());
        let mut after = Tree::read(&lab.image());
        assert!(after.0.remove(&b"/new"[..]).is_some(), "{name}");
        let root = before.0.get(&b"/"[..]).cloned();
        if let Some(root) = root {
            after.0.insert(b"/".to_vec(), root);
        }
        assert_eq!(after, before, "{name}");
        assert_eq!(lab.answer(&["check", "IMG"]), "clean\n", "{name}");
        assert_eq!(lab.answer(&["cat", "IMG:/kept"]), kept, "{name}");
        assert!(
            mended(&lab).0.contains_key(&b"/new"[..]),
            "{name}: undone by a later replay"
        );
    }
}

#[test]
fn reading_a_dirty_image_shows_what_a_mount_would_and_changes_nothing() {
    for name in DIRTY {
        let lab = ImageLab::with_image(&fixture(name));
        let before = sha256(&lab.image());
        let notes = lab.notes(&["check", "IMG"]);
        assert!(
            notes.starts_with("note: `IMG` was not unmounted cleanly; checked is"),
            "{notes}"
        );
        let listed = lab.answer(&["ls", "-R", "IMG"]);
        let paths: Vec<&str> = listed
            .lines()
            .map(|line| &line[line.find(" /").unwrap() + 1..])
            .map(|path| path.split(" -> ").next().unwrap())
            .collect();
        let tree = mended(&lab);
        let expected: Vec<String> = tree
            .0
            .keys()
            .map(|path| String::from_utf8_lossy(path).into_owned())
            .filter(|path| path != "/")
            .collect();
        let mut paths: Vec<String> = paths.into_iter().map(ToOwned::to_owned).collect();
        paths.sort();
        assert_eq!(paths, expected, "{name}");
        assert_eq!(sha256(&lab.image()), before, "{name}");
    }
}

#[test]
fn fast_commits_are_refused_by_name_and_the_image_stays() {
    let lab = ImageLab::with_image(&fixture("ext4-fast-commit"));
    let before = sha256(&lab.image());
    assert_eq!(
        lab.complaint(&["mkdir", "IMG:/new"]),
        "error: cannot use the image `IMG`: the journal holds fast commits, which cannot be replayed; mount and \
         unmount the image once first\n"
    );
    assert_eq!(sha256(&lab.image()), before);
}

/// A log that is not empty although the file system says that it needs none of it: e2fsck would replay it.
#[test]
fn a_log_without_its_flag_never_undoes_an_edit() {
    let image = Image::new("-t ext4 -b 1024 -J size=1");
    let root = crate::support::recovery::debugfs_number(&image.path(), "blocks /", "");
    let old_root = image.blocks_file("old", &[&image.block(root)]);
    image.debugfs_write(&format!("jo -c -v 3\njw -b {root} {old_root}\njc\n"));
    debugfs_write(&image.path(), &["feature -needs_recovery"]);
    let lab = ImageLab::with_image(&fs::read(image.path()).unwrap());
    lab.answer(&["mkdir", "IMG:/new"]);
    assert!(debugfs(&lab.image(), "ls -p /").contains("/new/"));
    let status = tool("e2fsck", "e2fsprogs")
        .arg("-fy")
        .arg(lab.image())
        .output()
        .unwrap()
        .status;
    assert_eq!(status.code(), Some(0));
    assert!(
        debugfs(&lab.image(), "ls -p /").contains("/new/"),
        "a replay took the edit back"
    );
}

/// A template whose journal holds another content of a file of the guest.
#[test]
fn a_bake_from_a_dirty_template_replays_in_the_images_and_leaves_the_template() {
    for (kind, journal) in [(ExtKind::Ext3, ""), (ExtKind::Ext4, "-c -v 3")] {
        let bakery = Bakery::with_template(kind);
        let template = bakery.template(kind);
        let image = Image::of(&template);
        let block = crate::support::recovery::debugfs_number(&template, "blocks /etc/debian_version", "");
        let content = image.blocks_file("content", &[b"from the log\n"]);
        image.debugfs_write(&format!("jo {journal}\njw -b {block} {content}\njc\n"));
        put(&template, &fs::read(image.path()).unwrap());
        let mut host = host("www1");
        host.template = of(format!("small.{}", kind.name()));
        host.size = of(SizeRequest::FreeSpace(ByteSize(0)));
        let before = sha256(&template);
        bakery.bake(&project("farm", [host])).unwrap();
        assert_eq!(sha256(&template), before);
        let image = bakery.baked("farm", "www1/root.img");
        e2fsck_clean(&image);
        let lab = ImageLab::with_image(&fs::read(&image).unwrap());
        assert!(
            lab.answer(&["cat", "IMG:/etc/debian_version"])
                .starts_with("from")
        );
        let len = debugfs(&image, "cat /etc/debian_version").len();
        assert!(len > 3 && debugfs(&image, "cat /etc/debian_version").as_bytes()[..4] == *b"from");
    }
}
