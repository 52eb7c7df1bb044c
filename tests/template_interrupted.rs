//! kill -9 in the middle of changing the store: no half template under its final name, and the record stays whole.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use mln_image::template::{State, Store};

use crate::support::{BlockSize, ExtKind, Mkfs, sha256};

/// How many times the program is killed.
const ROUNDS: u32 = 20;

#[test]
fn an_import_that_is_killed_leaves_whole_templates_only() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("lab.ext4");
    make_image(directory.path(), &image);
    let digest = sha256(&image);
    let store = Store::open(directory.path().join("templates"));
    let mut killed = 0;
    for round in 0..ROUNDS {
        let mut import = Command::new(env!("CARGO_BIN_EXE_mln-image"))
            .arg("-T")
            .arg(store.directory())
            .args(["template", "import"])
            .arg(&image)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis((round * 8).into()));
        import.kill().unwrap();
        killed += u32::from(!import.wait().unwrap().success());
        for listed in store.list().unwrap() {
            assert!(
                matches!(listed.state, State::Recorded | State::Unrecorded),
                "{listed:?} after {round} rounds"
            );
            let template = store.find(&listed.file.to_string()).unwrap();
            assert_eq!(template.verify_digest().unwrap(), digest, "after {round} rounds");
            store.remove(&listed.file.to_string(), || ()).unwrap();
        }
    }
    assert!(killed > 0, "every import was done before it was killed");
    let output = Command::new(env!("CARGO_BIN_EXE_mln-image"))
        .arg("-T")
        .arg(store.directory())
        .args(["template", "import"])
        .arg(&image)
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"lab-V1.0.ext4\n");
    let mut left: Vec<_> = fs::read_dir(store.directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["lab-V1.0.ext4", "templates.lock", "templates.toml"]);
}

/// An ext4 file system with enough in it that copying takes a while.
fn make_image(directory: &Path, image: &Path) {
    let source = directory.join("source");
    fs::create_dir(&source).unwrap();
    let mut random = File::open("/dev/urandom").unwrap().take(48 << 20);
    std::io::copy(&mut random, &mut File::create(source.join("filler")).unwrap()).unwrap();
    Mkfs::new(ExtKind::Ext4, BlockSize(4096), 64 << 20).make(image, Some(&source));
}
