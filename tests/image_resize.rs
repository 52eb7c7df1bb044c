//! `mln-image image resize`: an image made longer and shorter, its file with it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::{BlockSize, ExtKind, Mkfs, Tree, e2fsck_clean, sha256};

const MIB: u64 = 1 << 20;

/// An image with a few files.
struct Lab {
    directory: TempDir,
}

impl Lab {
    fn new(kind: ExtKind) -> Self {
        let directory = TempDir::new().unwrap();
        let tree = directory.path().join("tree");
        fs::create_dir(&tree).unwrap();
        for number in 0..40_usize {
            let file = fs::File::create(tree.join(format!("file{number}"))).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &vec![7; number * 3000], 0).unwrap();
        }
        let lab = Self { directory };
        Mkfs::new(kind, BlockSize(4096), 64 * MIB).make(&lab.image(), Some(&tree));
        lab
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("guest.img")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_mln-image"))
            .args(["image", "resize", "guest.img"])
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .output()
            .unwrap()
    }

    #[track_caller]
    fn answer(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
        e2fsck_clean(&self.image());
        String::from_utf8(output.stdout).unwrap()
    }

    fn len_bytes(&self) -> u64 {
        fs::metadata(self.image()).unwrap().len()
    }
}

#[test]
fn an_image_becomes_longer_and_as_short_as_it_can_be() {
    for kind in ExtKind::ALL {
        let lab = Lab::new(kind);
        let tree = Tree::read(&lab.image());
        assert_eq!(lab.answer(&["2G"]), "guest.img: from 64M to 2G\n");
        assert_eq!(lab.len_bytes(), 2048 * MIB);
        assert_eq!(lab.answer(&["80M"]), "guest.img: from 2G to 80M\n");
        assert_eq!(lab.len_bytes(), 80 * MIB);
        assert!(lab.answer(&["--minimum"]).starts_with("guest.img: from 80M to "));
        let least = lab.len_bytes();
        assert!(least < 64 * MIB, "{kind:?}: {least}");
        assert_eq!(Tree::read(&lab.image()), tree, "{kind:?}");
        lab.answer(&["--minimum"]);
        assert!(lab.len_bytes() <= least);
    }
}

#[test]
fn resize_answers_programs_too() {
    let lab = Lab::new(ExtKind::Ext4);
    let answer: serde_json::Value = serde_json::from_str(&lab.answer(&["--json", "160M"])).unwrap();
    let expected = serde_json::json!({
        "old_length": 64 * MIB, "length": 160 * MIB, "old_blocks": 16_384, "blocks": 40_960, "old_groups": 1,
        "groups": 2, "moved_blocks": 0, "renumbered_inodes": 0,
    });
    assert_eq!(answer, expected);
}

#[test]
fn what_cannot_be_is_refused_with_the_way_out() {
    let lab = Lab::new(ExtKind::Ext3);
    let before = sha256(&lab.image());
    let output = lab.run(&["1M"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    let least = complaint
        .split("needs at least ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or_else(|| panic!("{complaint}"));
    assert!(
        complaint.contains("the file system cannot shrink to 1048576 bytes: what it holds needs at least")
            && complaint.contains("hint: ask for `")
            && complaint.contains("or for `--minimum`"),
        "{complaint}"
    );
    let least: u64 = least.parse().unwrap();
    let output = lab.run(&["900T"]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.contains("block numbers have 32 bits without `64bit`")
            || complaint.contains("all group descriptors have to fit into one group"),
        "{complaint}"
    );
    assert_eq!(sha256(&lab.image()), before);
    // The least that was named is possible.
    lab.answer(&[&least.to_string()]);
    assert_eq!(lab.len_bytes(), least);
    for arguments in [&[][..], &["64M", "--minimum"], &["much"]] {
        assert_eq!(lab.run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn an_image_that_is_a_link_stays_one() {
    let lab = Lab::new(ExtKind::Ext4);
    let real = lab.directory.path().join("real.img");
    fs::rename(lab.image(), &real).unwrap();
    std::os::unix::fs::symlink("real.img", lab.image()).unwrap();
    lab.answer(&["100M"]);
    assert!(lab.image().is_symlink());
    assert_eq!(fs::metadata(real).unwrap().len(), 100 * MIB);
}
