//! The template store: how names find files, what import takes and refuses, and what several processes at once do.

use std::error::Error as _;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use mln_image::base::Timestamp;
use mln_image::template::{ImportOrder, State, Store, TemplateError, TemplateType, default_name};
use tempfile::TempDir;

use crate::support::{BlockSize, ExtKind, Mkfs, e2fsck_clean, sha256, tool};

/// A directory with a small image of each kind, and a store that is still empty.
struct Setting {
    directory: TempDir,
    store: Store,
}

impl Setting {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("templates"));
        Self { directory, store }
    }

    fn image(&self, kind: ExtKind) -> PathBuf {
        let image = self.directory.path().join(format!("source.{}", kind.name()));
        Mkfs::new(kind, BlockSize(4096), 16 << 20).make(&image, None);
        image
    }

    /// Puts an empty file into the store by hand.
    fn put(&self, name: &str) {
        fs::create_dir_all(self.store.directory()).unwrap();
        File::create(self.store.directory().join(name)).unwrap();
    }

    fn import(&self, file: &Path, name: &str) -> Result<String, TemplateError> {
        import(&self.store, file, name)
    }
}

fn import(store: &Store, file: &Path, name: &str) -> Result<String, TemplateError> {
    let order = ImportOrder {
        file: file.to_path_buf(),
        name: name.parse()?,
        message: format!("imported as {name}"),
        time: Timestamp::from_seconds(1_700_000_000),
    };
    store.import(&order, || ()).map(|entry| entry.file.to_string())
}

#[test]
fn a_name_means_its_newest_version_or_the_bare_file() {
    let setting = Setting::new();
    for name in [
        "ubuntu-server-V1.9.ext3",
        "ubuntu-server-V1.10.ext3",
        "ubuntu-server-V0.99.ext3",
        "ubuntu-server-V7.0.ext4",
        "ubuntu-server.ext3",
        "ubuntu-V9.9.ext3",
        "busybox.ext2",
        "a-V1.0.img",
        "notes.txt",
        "templates.toml.mln-partial",
        "b.ext3.mln-partial",
    ] {
        setting.put(name);
    }
    fs::create_dir(setting.store.directory().join("directory.ext3")).unwrap();
    for (wanted, found) in [
        ("ubuntu-server.ext3", Some("ubuntu-server-V1.10.ext3")),
        ("ubuntu-server-V1.9.ext3", Some("ubuntu-server-V1.9.ext3")),
        ("ubuntu-server.ext4", Some("ubuntu-server-V7.0.ext4")),
        ("ubuntu-server-V1.11.ext3", None),
        ("ubuntu-server.ext2", None),
        ("ubuntu.ext3", Some("ubuntu-V9.9.ext3")),
        ("busybox.ext2", Some("busybox.ext2")),
        ("busybox-V1.0.ext2", None),
        ("a.img", Some("a-V1.0.img")),
        ("notes.txt", None),
        ("b.ext3", None),
        ("directory.ext3", None),
        ("../templates/a-V1.0.img", None),
        ("", None),
    ] {
        let answer = setting.store.find(wanted);
        let answer = answer.ok().map(|template| template.name().to_string());
        assert_eq!(answer.as_deref(), found, "{wanted}");
    }
}

#[test]
fn a_name_that_is_not_found_brings_near_names_and_ways_out() {
    let setting = Setting::new();
    for name in ["ubuntu-server-V1.0.ext3", "debian-12-V1.0.ext3"] {
        setting.put(name);
    }
    let error = setting.store.find("ubunto-server.ext3").unwrap_err();
    let directory = setting.store.directory().display();
    assert_eq!(
        error.to_string(),
        format!(
            "there is no template `ubunto-server.ext3` in `{directory}`; there is `ubuntu-server.ext3`, \
             `ubuntu-server-V1.0.ext3`"
        )
    );
    assert_eq!(
        error.hints(),
        [
            "build one: `mln-image template build debian-12`",
            "take one that you have: `mln-image template import FILE --name ubunto-server.ext3`",
            "use another in its place: `mln-image bake --template ubunto-server.ext3=NAME`",
        ]
    );
    let empty = Store::open(setting.directory.path().join("nowhere"));
    assert!(matches!(empty.find("a.ext3"), Err(TemplateError::NotFound { near, .. }) if near.is_empty()));
    assert_eq!(empty.list().unwrap(), []);
    assert!(!empty.directory().exists(), "looking made the directory");
}

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
    assert_eq!(default_name(&image).unwrap().to_string(), "source.ext3");
    let renamed = setting.directory.path().join("rootfs.raw");
    fs::rename(&image, &renamed).unwrap();
    assert_eq!(default_name(&renamed).unwrap().to_string(), "rootfs.ext3");
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
        (
            incompat,
            0x06,
            0x02,
            "has a journal that must be replayed; run `e2fsck -p` on it first",
        ),
        (
            incompat,
            0x03,
            0x02,
            "has features that cannot be read: compression",
        ),
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
        (
            510,
            &b"\x55\xaa"[..],
            "it is a whole disk, take the root partition out of it",
        ),
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
            default_name(&image).unwrap().file_type(),
            expected,
            "{kind:?} {features}"
        );
    }
}

#[test]
fn a_template_that_changes_is_noticed() {
    let setting = Setting::new();
    let image = setting.image(ExtKind::Ext4);
    setting.import(&image, "lab.ext4").unwrap();
    let template = setting.store.find("lab.ext4").unwrap();
    template.ensure_unchanged().unwrap();
    let path = template.path().to_path_buf();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .write_all_at(b"x", 0)
        .unwrap();
    let error = template.ensure_unchanged().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the template `{}` was changed while it was in use",
            path.display()
        )
    );
    // Whoever opens it now is not told the old digest.
    let template = setting.store.find("lab.ext4").unwrap();
    assert_eq!(template.entry(), None);
    assert_eq!(template.digest().unwrap(), sha256(&path));
    assert_eq!(setting.store.list().unwrap()[0].state, State::Changed);
    fs::remove_file(&path).unwrap();
    assert_eq!(setting.store.list().unwrap()[0].state, State::Missing);
    assert_eq!(
        setting.store.remove("lab-V1.0.ext4", || ()).unwrap().to_string(),
        "lab-V1.0.ext4"
    );
    assert_eq!(setting.store.list().unwrap(), []);
}

#[test]
fn remove_takes_the_file_that_the_name_means() {
    let setting = Setting::new();
    let image = setting.image(ExtKind::Ext2);
    for _ in 0..2 {
        setting.import(&image, "lab.ext2").unwrap();
    }
    setting.put("lab.ext2");
    for expected in ["lab-V1.1.ext2", "lab-V1.0.ext2", "lab.ext2"] {
        assert_eq!(
            setting.store.remove("lab.ext2", || ()).unwrap().to_string(),
            expected
        );
    }
    assert!(matches!(
        setting.store.remove("lab.ext2", || ()),
        Err(TemplateError::NotFound { .. })
    ));
}

#[test]
fn templates_that_are_registered_at_once_are_all_there() {
    let setting = Setting::new();
    let image = setting.image(ExtKind::Ext2);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // A store of its own: what two processes would have.
                let store = Store::open(setting.store.directory());
                for name in ["same.ext2", "other.ext2"] {
                    import(&store, &image, name).unwrap();
                }
            });
        }
    });
    let listed = setting.store.list().unwrap();
    let mut expected: Vec<String> = ["other", "same"]
        .iter()
        .flat_map(|stem| (0..8).map(move |minor| format!("{stem}-V1.{minor}.ext2")))
        .collect();
    expected.sort();
    assert_eq!(
        listed.iter().map(|one| one.file.to_string()).collect::<Vec<_>>(),
        expected
    );
    assert!(listed.iter().all(|one| one.state == State::Recorded));
}

#[test]
fn what_a_killed_process_left_behind_goes_with_the_next_change() {
    let setting = Setting::new();
    let image = setting.image(ExtKind::Ext2);
    setting.import(&image, "lab.ext2").unwrap();
    let registry = setting.store.directory().join("templates.toml");
    let recorded = fs::read_to_string(&registry).unwrap();
    setting.put("lab-V1.1.ext2.mln-partial");
    setting.put("templates.toml.mln-partial");
    // A process that has the lock and never gives it back, until it is killed.
    let lock = setting.store.directory().join("templates.lock");
    let mut holder = tool("flock", "util-linux")
        .arg("--no-fork")
        .arg(&lock)
        .args(["sleep", "1000"])
        .spawn()
        .unwrap();
    while tool("flock", "util-linux")
        .arg("-n")
        .arg(&lock)
        .arg("true")
        .status()
        .unwrap()
        .success()
    {}
    let (told, hears) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| setting.store.remove("lab.ext2", || told.send(()).unwrap()));
        hears.recv().unwrap();
        assert_eq!(
            fs::read_to_string(&registry).unwrap(),
            recorded,
            "changed without the lock"
        );
        holder.kill().unwrap();
        holder.wait().unwrap();
        assert_eq!(waiting.join().unwrap().unwrap().to_string(), "lab-V1.0.ext2");
    });
    let mut left: Vec<_> = fs::read_dir(setting.store.directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["templates.lock", "templates.toml"]);
}

#[test]
fn a_record_that_makes_no_sense_is_named_and_keeps_nobody_from_a_template() {
    let setting = Setting::new();
    let image = setting.image(ExtKind::Ext2);
    setting.import(&image, "lab.ext2").unwrap();
    let registry = setting.store.directory().join("templates.toml");
    File::create(&registry).unwrap();
    assert_eq!(setting.store.list().unwrap()[0].state, State::Unrecorded);
    let file = OpenOptions::new().write(true).open(&registry).unwrap();
    file.write_all_at(b"[[template]]\nname = 7\n", 0).unwrap();
    let error = setting.store.list().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot understand `{}`; mend it, or remove it: templates are found without it",
            registry.display()
        )
    );
    assert_eq!(
        setting.store.find("lab.ext2").unwrap().name().to_string(),
        "lab-V1.0.ext2"
    );
}
