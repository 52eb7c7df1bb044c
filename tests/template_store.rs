//! The template store: how names find files, what is noticed of changes, and what several processes at once do.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use mln_image::template::{State, Store, TemplateError};

use crate::support::store::{Setting, import};
use crate::support::{ExtKind, sha256, tool};

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
        setting
            .store
            .remove("lab-V1.0.ext4", || ())
            .unwrap()
            .file
            .to_string(),
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
            setting.store.remove("lab.ext2", || ()).unwrap().file.to_string(),
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
        assert_eq!(waiting.join().unwrap().unwrap().file.to_string(), "lab-V1.0.ext2");
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
