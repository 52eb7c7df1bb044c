//! What two images differ in, and what every structure says.

use std::fs;

use crate::support::lab::ImageLab;
use crate::support::{BlockSize, ExtKind, Mkfs, debugfs};

/// Two images of the same small tree.
fn twins() -> ImageLab {
    let lab = ImageLab::new();
    let tree = lab.path("tree");
    fs::create_dir_all(tree.join("etc")).unwrap();
    for name in ["etc/hosts", "etc/motd", "etc/mode", "odd\n"] {
        crate::support::recovery::put(&tree.join(name), name.as_bytes());
    }
    Mkfs::new(ExtKind::Ext4, BlockSize(1024), 16 << 20).make(&lab.image(), Some(&tree));
    fs::copy(lab.image(), lab.path("other.img")).unwrap();
    lab
}

#[test]
fn diff_tells_every_file_that_differs_and_in_what() {
    let lab = twins();
    let same = lab.run(&["diff", "IMG", "other.img"]);
    assert_eq!((same.status.code(), same.stdout.len()), (Some(0), 0));
    lab.answer(&["rm", "other.img:/etc/hosts"]);
    lab.answer(&["mkdir", "other.img:/srv"]);
    lab.answer(&["chmod", "600", "other.img:/etc/mode"]);
    lab.answer(&["chown", "5:6", "other.img:/etc/mode"]);
    lab.answer(&["cp", "tree/odd\n", "other.img:/etc/motd"]);
    let differs = lab.run(&["diff", "IMG", "other.img"]);
    assert_eq!(differs.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&differs.stderr), "");
    assert_eq!(
        String::from_utf8_lossy(&differs.stdout),
        "- /etc/hosts\n~ /etc/mode: mode, owner\n~ /etc/motd: content\n+ /srv\n"
    );
    let json = lab.run(&["diff", "--json", "IMG:/etc", "other.img:/etc"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        json,
        serde_json::json!([
            {"path": "/hosts", "in": "first", "kind": "regular"},
            {"path": "/mode", "in": "both", "differs": ["mode", "owner"]},
            {"path": "/motd", "in": "both", "differs": ["content"]},
        ])
    );
}

#[test]
fn dump_tells_what_debugfs_tells_and_the_same_twice() {
    let lab = twins();
    let dump = lab.answer(&["dump", "IMG"]);
    assert_eq!(dump, lab.answer(&["dump", "other.img"]));
    let stat = debugfs(&lab.image(), "stat /etc/motd");
    let number = stat.split_whitespace().nth(1).unwrap();
    let record = dump.split(&format!("inode {number}\n")).nth(1).unwrap();
    let record: Vec<&str> = record.lines().take_while(|line| line.starts_with("  ")).collect();
    let block = debugfs(&lab.image(), "blocks /etc/motd");
    assert!(record.contains(&"  i_mode: 0o100644"), "{record:?}");
    assert!(record.contains(&"  i_size: 8"), "{record:?}");
    assert!(
        record.contains(&format!("  run: 0 -> {} +1", block.trim()).as_str()),
        "{record:?}"
    );
    let superblock = crate::support::recovery::debugfs_number(&lab.image(), "stats", "Free blocks:");
    assert!(dump.contains(&format!("  s_free_blocks_count_lo: {superblock}\n")));
    assert!(dump.contains("\"odd\\n\""), "names are told in one line");
    for line in lab.answer(&["dump", "--json", "IMG"]).lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(record["what"].is_string() && record["fields"].is_array());
    }
}
