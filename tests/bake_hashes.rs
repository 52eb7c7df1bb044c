//! Hashes of templates that the store keeps from one bake for the next: they spare reading, and never make a difference.

use std::fs;
use std::path::Path;

use mln_image::base::atomic::{self, Durability};
use mln_image::project::Project;
use mln_image::store::{Existing, Projects};
use mln_image::template::Store;
use mln_image::{bake, image};

use crate::support::bakery::Bakery;
use crate::support::project::{host, of, project};
use crate::support::store::import;
use crate::support::{ExtKind, debugfs_write};

/// A bakery whose template is recorded in the store, and a farm of two hosts that are copies of it.
fn farm() -> (Bakery, Project) {
    let mut bakery = Bakery::with_template(ExtKind::Ext4);
    bakery.existing = Existing::Replace;
    let store = Store::open(bakery.path("templates"));
    import(&store, &bakery.template(ExtKind::Ext4), "known.ext4").unwrap();
    let hosts = ["www1", "www2"].map(|name| {
        let mut host = host(name);
        host.template = of("known.ext4".to_owned());
        host
    });
    (bakery, project("farm", hosts.to_vec()))
}

fn put(path: &Path, bytes: &[u8]) {
    atomic::write(path, bytes, Durability::NoSync).unwrap();
}

/// Bakes the farm anew; tells what the manifest says, once it is found to be right.
fn baked(bakery: &Bakery, farm: &Project) -> Vec<u8> {
    drop(fs::remove_dir_all(bakery.path("projects/farm")));
    bakery.bake(farm).unwrap();
    let place = Projects::at(&bakery.path("projects")).project("farm").unwrap();
    let store = Store::open(bakery.path("templates"));
    assert!(bake::prove(&place, &store).unwrap().faults.is_empty());
    let manifest = bakery.manifest("farm");
    let image = fs::File::open(bakery.baked("farm", "www2/root.img")).unwrap();
    let digest = image::Blake3Digest::of_reader(image).unwrap().to_string();
    assert!(String::from_utf8_lossy(&manifest).contains(&digest));
    manifest
}

#[test]
fn a_bake_with_kept_hashes_is_like_one_without() {
    let (bakery, farm) = farm();
    let kept = bakery.path("templates/hashes/known-V1.0.ext4.hashes");
    let first = baked(&bakery, &farm);
    let hashes = fs::read(&kept).unwrap();
    // Kept hashes are taken as they are: that they are used shows in a time of change that stays.
    let written = fs::metadata(&kept).unwrap().modified().unwrap();
    assert!(baked(&bakery, &farm) == first);
    assert_eq!(fs::metadata(&kept).unwrap().modified().unwrap(), written);

    let mut damaged = hashes.clone();
    damaged[hashes.len() / 2] ^= 1;
    for useless in [&damaged[..], &hashes[..hashes.len() - 5], b"", b"MLNLEAF\n"] {
        put(&kept, useless);
        assert!(baked(&bakery, &farm) == first);
        assert!(fs::read(&kept).unwrap() == hashes);
    }
    // Where nothing can be kept, nothing is.
    fs::remove_dir_all(bakery.path("templates/hashes")).unwrap();
    put(&bakery.path("templates/hashes"), b"");
    assert!(baked(&bakery, &farm) == first);
}

#[test]
fn the_hashes_go_with_their_template_and_are_no_others() {
    let (bakery, farm) = farm();
    let kept = bakery.path("templates/hashes/known-V1.0.ext4.hashes");
    baked(&bakery, &farm);
    let hashes = fs::read(&kept).unwrap();
    let store = Store::open(bakery.path("templates"));
    store.remove("known.ext4", || ()).unwrap();
    assert!(!kept.exists());

    // Another template gets the name, and finds the hashes of the one before.
    let other = bakery.path("other.ext4");
    fs::copy(bakery.template(ExtKind::Ext4), &other).unwrap();
    debugfs_write(&other, &["mkdir /marked"]);
    import(&store, &other, "known.ext4").unwrap();
    put(&kept, &hashes);
    baked(&bakery, &farm);
    assert!(fs::read(&kept).unwrap() != hashes);
}
