//! What `template import` takes and refuses.

use std::error::Error as _;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use mln_image::template::{State, TemplateType, default_name};

use crate::support::store::Setting;
use crate::support::{BlockSize, ExtKind, Mkfs, e2fsck_clean, sha256};

#[test]
fn import_copies_the_image_sparsely_and_records_it() {
    let setting = Setting::new();
    for kind in ExtKind::ALL {
        let image = setting.image(kind);
        let before = sha256(&image);
        let name = format!("lab.{}", kind.name());
        for version in ["V1.0", "V1.1"] {
            let file = setting.import(&image, &name).unwrap();
            assert_eq!(file, format!("lab-{version}.{}", kind.name()));
        }
        let template = setting.store.find(&name).unwrap();
        let entry = template.entry().unwrap();
        assert_eq!((sha256(&image), entry.sha256), (before, before));
        assert_eq!(template.verify_digest().unwrap(), before);
        assert_eq!(entry.file_system.as_str(), kind.name());
        assert_eq!(entry.message, format!("imported as {name}"));
        e2fsck_clean(template.path());
        let mode = fs::metadata(template.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o444);
    }
    let listed = setting.store.list().unwrap();
    let newest: Vec<_> = listed
        .iter()
        .map(|one| (one.file.to_string(), one.is_newest))
        .collect();
    assert_eq!(
        newest[..2],
        [("lab-V1.0.ext2".into(), false), ("lab-V1.1.ext2".into(), true)]
    );
    assert!(
        listed
            .iter()
            .all(|one| one.state == State::Recorded && one.allocated_bytes < one.len_bytes / 2)
    );
}

#[test]
fn import_takes_a_version_that_is_free_and_a_name_from_the_file() {
    let setting = Setting::new();
    let image = setting.image(ExtKind::Ext3);
    assert_eq!(setting.import(&image, "lab-V3.7.ext3").unwrap(), "lab-V3.7.ext3");
    assert_eq!(setting.import(&image, "lab.ext3").unwrap(), "lab-V3.8.ext3");
    let error = setting.import(&image, "lab-V3.7.ext3").unwrap_err();
    assert_eq!(error.to_string(), "the store has `lab-V3.7.ext3` already");
    assert_eq!(setting.import(&image, "any.img").unwrap(), "any-V1.0.img");
    assert_eq!(default_name(&image, None).unwrap().to_string(), "source.ext3");
    let renamed = setting.directory.path().join("rootfs.raw");
    fs::rename(&image, &renamed).unwrap();
    assert_eq!(default_name(&renamed, None).unwrap().to_string(), "rootfs.ext3");
}

/// The whole message of the refusal to import `image`.
fn refusal(setting: &Setting, image: &Path, name: &str) -> String {
    let error = setting.import(image, name).unwrap_err();
    assert!(
        !setting.store.directory().exists(),
        "a refused import made the store"
    );
    let message = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    message.replace(&image.display().to_string(), "IMAGE")
}

/// Overwrites a few bytes of `image`.
fn overwrite(image: &Path, offset: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(image).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

#[test]
fn import_refuses_a_file_system_that_no_bake_can_start_from() {
    let setting = Setting::new();
    let image = setting.image(ExtKind::Ext3);
    assert_eq!(
        refusal(&setting, &image, "lab.ext4"),
        "`lab.ext4` shall be ext4, but the file system is ext3"
    );
    // s_state and s_feature_incompat of the superblock, as damaged and as they were
    let [state, incompat] = [0x3A, 0x60].map(|field| 1024 + field);
    for (offset, wrong, right, reason) in [
        (
            state,
            0,
            1,
            "was not unmounted cleanly; run `e2fsck -p` on it first",
        ),
        (state, 3, 1, "has recorded errors; run `e2fsck -p` on it first"),
        (incompat + 1, 0x10, 0, "has features that cannot be read: dirdata"),
    ] {
        overwrite(&image, offset, &[wrong]);
        assert_eq!(
            refusal(&setting, &image, "lab.ext3"),
            format!("`IMAGE` cannot be a template: the file system {reason}")
        );
        overwrite(&image, offset, &[right]);
    }
    let file = OpenOptions::new().write(true).open(&image).unwrap();
    file.set_len((16 << 20) - 1).unwrap();
    assert_eq!(
        refusal(&setting, &image, "lab.ext3"),
        "`IMAGE` cannot be a template: the image is cut off: the file system has 16777216 bytes, the image 16777215"
    );
}

#[test]
fn import_refuses_what_is_no_file_system_and_says_what_it_looks_like() {
    let setting = Setting::new();
    let image = setting.image(ExtKind::Ext3);
    let plain = "`IMAGE` is not an ext2, ext3 or ext4 file system";
    overwrite(&image, 1024 + 0x38, &[0, 0]);
    assert_eq!(refusal(&setting, &image, "lab.ext3"), plain);
    for (offset, mark, advice) in [
        (
            0,
            &b"QFI\xfb"[..],
            "it is a qcow2 image, make a raw one with `qemu-img convert -O raw`",
        ),
        (0, &b"\x1f\x8b\x08\0"[..], "it is compressed with gzip, unpack it"),
    ] {
        overwrite(&image, offset, mark);
        assert_eq!(
            refusal(&setting, &image, "lab.ext3"),
            format!("{plain}: {advice}")
        );
        overwrite(&image, offset, &[0; 4]);
    }
    File::create(&image).unwrap();
    assert_eq!(refusal(&setting, &image, "lab.ext3"), plain);
}

#[test]
fn import_knows_every_type_by_its_features() {
    let setting = Setting::new();
    for (kind, features, expected) in [
        (ExtKind::Ext2, "^dir_index", TemplateType::Ext2),
        (ExtKind::Ext2, "has_journal", TemplateType::Ext3),
        (ExtKind::Ext3, "^has_journal", TemplateType::Ext2),
        (ExtKind::Ext3, "extents", TemplateType::Ext4),
        (ExtKind::Ext4, "^has_journal", TemplateType::Ext4),
        (ExtKind::Ext4, "^metadata_csum,^64bit", TemplateType::Ext4),
    ] {
        let image = setting.directory.path().join("source");
        Mkfs::new(kind, BlockSize(1024), 8 << 20)
            .features(features)
            .make(&image, None);
        assert_eq!(
            default_name(&image, None).unwrap().file_type(),
            expected,
            "{kind:?} {features}"
        );
    }
}
