//! Grown copies of templates that the store keeps for the images of all projects.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use mln_image::bake;
use mln_image::base::ByteSize;
use mln_image::project::{ImageFormat, Project, SizeRequest};
use mln_image::store::{Existing, Projects};
use mln_image::template::Store;

use crate::support::ExtKind;
use crate::support::bakery::{Bakery, files_below};
use crate::support::project::{host, of, project};

const MIB: u64 = 1 << 20;

/// A bakery that makes images in the format of User-Mode Linux.
fn bakery() -> Bakery {
    let mut bakery = Bakery::with_template(ExtKind::Ext4);
    bakery.format = Some(ImageFormat::UmlCow);
    bakery.existing = Existing::Replace;
    bakery
}

/// Two hosts that are `len_bytes` long.
fn farm(name: &str, len_bytes: u64) -> Project {
    let hosts = ["www1", "www2"].map(|name| {
        let mut host = host(name);
        host.template = of("small.ext4".to_owned());
        host.size = of(SizeRequest::Total(ByteSize(len_bytes)));
        host
    });
    project(name, hosts.to_vec())
}

/// The only image in `directory`.
fn only(directory: &Path) -> PathBuf {
    let mut images = files_below(directory);
    images.retain(|file| Path::new(file).extension().is_some_and(|end| end == "img"));
    assert_eq!(images.len(), 1, "{images:?}");
    directory.join(&images[0])
}

fn links(path: &Path) -> (u64, u64) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.ino(), metadata.nlink())
}

/// What `verify` finds in the project `name`.
fn faults(bakery: &Bakery, name: &str) -> usize {
    let place = Projects::at(&bakery.path("projects")).project(name).unwrap();
    let store = Store::open(bakery.path("templates"));
    bake::prove(&place, &store).unwrap().faults.len()
}

#[test]
fn projects_share_one_copy_which_outlives_the_template() {
    let bakery = bakery();
    let store = bakery.path("templates/grown");
    for name in ["one", "two", "one"] {
        bakery.bake(&farm(name, 64 * MIB)).unwrap();
        assert_eq!(
            links(&only(&store)),
            links(&only(&bakery.baked(name, ".backing")))
        );
    }
    let kept = only(&store);
    let (inode, count) = links(&kept);
    assert_eq!(count, 3);
    // An interrupted bake begins anew, and finds the same file.
    fs::remove_file(bakery.baked("one", "manifest.json")).unwrap();
    bakery.bake(&farm("one", 64 * MIB)).unwrap();
    assert_eq!(links(&kept), (inode, 3));
    let removed = Store::open(bakery.path("templates"))
        .remove("small.ext4", || ())
        .unwrap();
    assert_eq!(
        removed.copies,
        [format!("grown/{}", kept.file_name().unwrap().display())]
    );
    assert!(!kept.exists());
    for name in ["one", "two"] {
        assert_eq!(links(&only(&bakery.baked(name, ".backing"))), (inode, 2));
        // The template, which no image needs.
        assert_eq!(faults(&bakery, name), 1);
    }
}

#[test]
fn a_store_that_cannot_keep_a_copy_makes_no_difference() {
    let bakery = bakery();
    let store = bakery.path("templates/grown");
    bakery.bake(&farm("farm", 64 * MIB)).unwrap();
    let shared = bakery.manifest("farm");
    fs::remove_dir_all(bakery.path("projects/farm")).unwrap();
    fs::remove_dir_all(&store).unwrap();
    fs::File::create(&store).unwrap();
    bakery.bake(&farm("farm", 64 * MIB)).unwrap();
    let own = only(&bakery.baked("farm", ".backing"));
    assert_eq!(links(&own).1, 1);
    assert!(bakery.manifest("farm") == shared);
    assert_eq!(faults(&bakery, "farm"), 0);
    // The project keeps what it has, whatever the store can do.
    fs::remove_file(&store).unwrap();
    bakery.bake(&farm("farm", 64 * MIB)).unwrap();
    assert_eq!(links(&own).1, 1);
    assert!(!store.exists());
}

#[test]
fn bakes_at_once_make_one_copy() {
    let bakery = &bakery();
    std::thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || bakery.bake(&farm(&format!("farm{number}"), 64 * MIB)).unwrap());
        }
    });
    assert_eq!(links(&only(&bakery.path("templates/grown"))).1, 5);
    assert_eq!(
        (0..4)
            .map(|number| faults(bakery, &format!("farm{number}")))
            .sum::<usize>(),
        0
    );
}

#[test]
fn a_copy_that_looks_wrong_or_that_nobody_uses_is_not_kept() {
    let bakery = bakery();
    let store = bakery.path("templates/grown");
    bakery.bake(&farm("one", 64 * MIB)).unwrap();
    let kept = only(&store);
    let (first, _) = links(&kept);
    fs::File::open(&kept)
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    bakery.bake(&farm("two", 64 * MIB)).unwrap();
    let (second, count) = links(&kept);
    assert!(second != first && count == 2);
    assert_eq!(faults(&bakery, "two"), 0);
    fs::remove_dir_all(bakery.path("projects/two")).unwrap();
    bakery.bake(&farm("three", 80 * MIB)).unwrap();
    assert!(!kept.exists());
    assert_eq!(links(&only(&store)).1, 2);
}
