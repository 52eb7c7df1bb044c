//! Images in delta formats that are edited after a machine has written to them: nothing of either is lost.

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use crate::support::delta_lab::{DeltaLab, FS_BYTES};
use crate::support::{BlockSize, ExtKind, Mkfs, e2fsck_clean, sha256, tool};

fn labs() -> [DeltaLab; 4] {
    [
        DeltaLab::qcow2("64k"),
        DeltaLab::qcow2("4k"),
        DeltaLab::qcow2("512"),
        DeltaLab::uml_cow(),
    ]
}

#[test]
fn every_edit_keeps_what_a_machine_has_written_outside() {
    for lab in labs() {
        let base = sha256(&lab.path("base.img"));
        fs::set_permissions(lab.image(), fs::Permissions::from_mode(0o640)).unwrap();
        chown(lab.image(), Some(1234), Some(2345)).unwrap();
        lab.answer(&["cp", "file", "IMG:/file"]);
        lab.answer(&["mkdir", "IMG:/dir"]);
        lab.answer(&["ln", "-s", "/file", "IMG:/dir/link"]);
        lab.answer(&["chmod", "600", "IMG:/file"]);
        lab.answer(&["chown", "7:8", "IMG:/file"]);
        lab.answer(&["cp", "file", "IMG:/gone"]);
        lab.answer(&["cp", "IMG:/file", "IMG:/copy"]);
        lab.answer(&["rm", "IMG:/gone"]);
        let merged = lab.outside_is_there();
        fs::OpenOptions::new()
            .write(true)
            .open(&merged)
            .unwrap()
            .set_len(FS_BYTES)
            .unwrap();
        e2fsck_clean(&merged);
        let list = lab.answer(&["ls", "-R", "IMG:/"]);
        let merged_list = lab.answer(&["ls", "-R", "merged.img:/"]);
        assert_eq!(list, merged_list);
        assert!(list.contains("link") && !list.contains("gone"), "{list}");
        assert_eq!(lab.answer(&["cat", "IMG:/copy"]).len(), 100_000);
        let found = fs::metadata(lab.image()).unwrap();
        assert_eq!(
            (found.mode() & 0o7777, found.uid(), found.gid()),
            (0o640, 1234, 2345)
        );
        let info = lab.answer(&["info", "IMG"]);
        assert!(
            info.contains("state: can be edited\n") && info.contains("base.img\n"),
            "{info}"
        );
        assert_eq!(sha256(&lab.path("base.img")), base);
        assert!(found.blocks() * 512 < 3 << 20, "{} blocks", found.blocks());
        // Nothing but the image, the template, the file and the merged disk.
        assert_eq!(fs::read_dir(lab.directory.path()).unwrap().count(), 4);
    }
}

#[test]
fn an_image_grows_and_shrinks_with_what_was_written() {
    for lab in [DeltaLab::qcow2("64k"), DeltaLab::uml_cow()] {
        for (size, bytes) in [("96M", 96_u64 << 20), ("32M", 32 << 20), ("64M", 64 << 20)] {
            lab.answer(&["resize", "IMG", size]);
            lab.answer(&["cp", "file", &format!("IMG:/at-{size}")]);
            let merged = lab.data_is_there();
            assert_eq!(fs::metadata(&merged).unwrap().len(), bytes, "{}", lab.name);
            assert_eq!(lab.answer(&["check", "IMG"]), "clean\n");
        }
        let list = lab.answer(&["ls", "IMG:/"]);
        assert!(
            ["at-96M", "at-32M", "at-64M"]
                .iter()
                .all(|name| list.contains(name)),
            "{list}"
        );
    }
}

#[test]
fn an_image_that_stands_alone_is_edited_too() {
    let lab = DeltaLab::qcow2("64k");
    let mut rebase = tool("qemu-img", "qemu-utils");
    lab.does(rebase.args(["rebase", "-f", "qcow2", "-b", "", "guest.qcow2"]));
    lab.answer(&["cp", "file", "IMG:/file"]);
    fs::rename(lab.path("base.img"), lab.path("away")).unwrap();
    lab.outside_is_there();
    assert_eq!(lab.answer(&["cat", "IMG:/file"]).len(), 100_000);
}

#[test]
fn what_an_edit_would_lose_is_refused_with_the_way_out() {
    let lab = DeltaLab::qcow2("64k");
    let edit = ["cp", "file", "IMG:/file"];
    let snapshot = |verb: &str| {
        let mut command = tool("qemu-img", "qemu-utils");
        lab.does(command.args(["snapshot", verb, "before", "guest.qcow2"]));
    };
    snapshot("-c");
    let complaint = lab.complaint(&edit);
    assert!(
        complaint.ends_with(
            ": the qcow2 image has 1 internal snapshots, which an edit would lose\n\
             hint: `qemu-img snapshot -l` lists them, `-d` removes one\n"
        ),
        "{complaint}"
    );
    assert!(
        lab.answer(&["info", "IMG"])
            .contains("which an edit would lose\n")
    );
    snapshot("-d");
    let mut bitmap = tool("qemu-img", "qemu-utils");
    lab.does(bitmap.args(["bitmap", "--add", "guest.qcow2", "backup"]));
    assert!(
        lab.complaint(&edit)
            .contains("bitmaps or other autoclear_features (1)")
    );
    let mut bitmap = tool("qemu-img", "qemu-utils");
    lab.does(bitmap.args(["bitmap", "--remove", "guest.qcow2", "backup"]));
    let damage = |place: u64, byte: u8| {
        let file = fs::OpenOptions::new().write(true).open(lab.image()).unwrap();
        file.write_all_at(&[byte], place).unwrap();
    };
    damage(79, 2);
    assert!(
        lab.complaint(&edit)
            .contains("is marked as corrupt\nhint: `qemu-img check -r all`")
    );
    damage(79, 0);
    lab.answer(&edit);
    lab.outside_is_there();
}

#[test]
fn an_image_that_a_machine_uses_is_refused() {
    let lab = DeltaLab::qcow2("64k");
    let edit = ["cp", "file", "IMG:/file"];
    // In use by a machine: locked as QEMU and User-Mode Linux do.
    let mut io = tool("qemu-io", "qemu-utils");
    let mut holder = io
        .args([
            "-f",
            "qcow2",
            "-c",
            "read -q 0 512",
            "-c",
            "sleep 60000",
            "guest.qcow2",
        ])
        .current_dir(lab.directory.path())
        .spawn()
        .unwrap();
    let locks = || fs::read_to_string("/proc/locks").unwrap();
    let inode = format!(":{} ", fs::metadata(lab.image()).unwrap().ino());
    while !locks().contains(&inode) {
        assert!(holder.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    let complaint = lab.complaint(&edit);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(complaint.contains("guest.qcow2` is in use by "), "{complaint}");
    lab.answer(&edit);
    lab.outside_is_there();
}

#[test]
fn a_file_system_with_small_blocks_in_a_cow_file_is_refused() {
    let lab = DeltaLab::uml_cow();
    let base = lab.path("base.img");
    Mkfs::new(ExtKind::Ext4, BlockSize(1024), FS_BYTES).make(&base, None);
    fs::remove_file(lab.image()).unwrap();
    lab.does(tool("uml_mkcow", "uml-utilities").arg("guest.cow").arg(&base));
    let complaint = lab.complaint(&["mkdir", "IMG:/dir"]);
    assert!(
        complaint.contains("blocks have to be 4096 bytes or more"),
        "{complaint}"
    );
}

/// The file that an image lies over, as `info` tells it.
fn backing(lab: &DeltaLab) -> String {
    let info = lab.answer(&["info", "IMG"]);
    let line = info.lines().find_map(|line| line.strip_prefix("backing: "));
    line.unwrap().to_owned()
}

#[test]
fn the_name_of_the_backing_stays_as_it_was() {
    let lab = DeltaLab::qcow2("64k");
    let before = backing(&lab);
    lab.answer(&["cp", "file", "IMG:/file"]);
    assert_eq!(backing(&lab), before);
    assert!(!Path::new(&before).is_absolute(), "{before}");
    let lab = DeltaLab::uml_cow();
    let before = backing(&lab);
    lab.answer(&["cp", "file", "IMG:/file"]);
    assert_eq!(backing(&lab), before);
}
