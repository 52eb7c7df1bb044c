//! Bakes of what was baked before: what is kept, what is made again, and parts of a project.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use mln_image::bake::{Selection, Written, merge};
use mln_image::base::ByteSize;
use mln_image::project::{Host, ImageFormat, Project, SizeRequest};
use mln_image::store::Existing;

use crate::support::bakery::{Bakery, files_below};
use crate::support::project::{host, of, project};
use crate::support::recovery::put;
use crate::support::{ExtKind, sha256};

fn farm() -> Project {
    let farm_host = |number: u8| -> Host {
        let mut host = host(&format!("www{number}"));
        host.template = of("small.ext4".to_owned());
        host.size = of(SizeRequest::Total(ByteSize(64 << 20)));
        host
    };
    project("farm", (1..=6).map(farm_host))
}

/// A place where `farm` is baked in `format`, and what has not changed is kept.
fn baked(format: ImageFormat) -> Bakery {
    let mut bakery = Bakery::with_template(ExtKind::Ext4);
    bakery.format = Some(format);
    bakery.keep = true;
    bakery.existing = Existing::Replace;
    assert_eq!(bakery.bake(&farm()).unwrap().kept, 0);
    bakery
}

/// The inode numbers of the root images: a kept one is the same file.
fn inodes(bakery: &Bakery, format: ImageFormat) -> Vec<u64> {
    (1..=6)
        .map(|number| {
            let image = bakery.baked("farm", &format!("www{number}/{}", format.root_image()));
            fs::metadata(image).unwrap().ino()
        })
        .collect()
}

/// The places, from 0, where two lists differ.
fn changed(before: &[u64], after: &[u64]) -> Vec<usize> {
    (0..before.len())
        .filter(|place| before[*place] != after[*place])
        .collect()
}

#[test]
fn only_the_host_that_was_edited_is_made_again() {
    for format in ImageFormat::ALL {
        let mut bakery = baked(format);
        let whole = fs::read(bakery.baked("farm", "manifest.json")).unwrap();
        let before = inodes(&bakery, format);
        assert_eq!(bakery.bake(&farm()).unwrap().kept, 6, "{format}");
        assert_eq!(inodes(&bakery, format), before);
        assert!(fs::read(bakery.baked("farm", "manifest.json")).unwrap() == whole);
        let mut edited = farm();
        edited.hosts.alter(|host| {
            if host.name.as_str() == "www4" {
                host.startup = vec![of("echo more".to_owned())];
            }
        });
        let manifest = bakery.bake(&edited).unwrap();
        assert_eq!(manifest.kept, 5);
        assert_eq!(changed(&before, &inodes(&bakery, format)), [3]);
        // The same as if all had been made anew.
        let after = fs::read(bakery.baked("farm", "manifest.json")).unwrap();
        bakery.keep = false;
        assert_eq!(bakery.bake(&edited).unwrap().kept, 0);
        assert!(
            fs::read(bakery.baked("farm", "manifest.json")).unwrap() == after,
            "{format}"
        );
    }
}

#[test]
fn what_was_written_to_an_image_is_lost_only_when_asked() {
    let mut bakery = baked(ImageFormat::Raw);
    let before = inodes(&bakery, ImageFormat::Raw);
    let digest = sha256(&bakery.baked("farm", "www2/root.img"));
    fs::remove_file(bakery.baked("farm", "www1/xl.cfg")).unwrap();
    let image = fs::OpenOptions::new()
        .write(true)
        .open(bakery.baked("farm", "www2/root.img"))
        .unwrap();
    image.set_len(1000).unwrap();
    drop(image);
    let manifest = bakery.manifest("farm");
    let refused = |bakery: &Bakery, project: &Project, hosts: &str| {
        let error = bakery.bake(project).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("an image has been written to since the last bake, and would lose that: {hosts}")
        );
        assert!(bakery.manifest("farm") == manifest, "the project is as it was");
        assert_eq!(inodes(bakery, ImageFormat::Raw), before);
    };
    refused(&bakery, &farm(), "`www2`");
    // The same if the host is gone from the project, and if nothing is remembered of it.
    let mut without = farm();
    without.hosts = without
        .hosts
        .iter()
        .filter(|host| host.name.as_str() != "www2")
        .collect();
    refused(&bakery, &without, "`www2`");
    let memory = fs::read(bakery.baked("farm", "www2/.baked")).unwrap();
    fs::remove_file(bakery.baked("farm", "www2/.baked")).unwrap();
    refused(&bakery, &farm(), "`www2`");
    put(&bakery.baked("farm", "www2/.baked"), &memory);
    bakery.keep = false;
    refused(&bakery, &farm(), "`www2`");
    bakery.keep = true;
    bakery.written = Written::Discard;
    assert_eq!(bakery.bake(&farm()).unwrap().kept, 4);
    assert_eq!(changed(&before, &inodes(&bakery, ImageFormat::Raw)), [0, 1]);
    assert_eq!(sha256(&bakery.baked("farm", "www2/root.img")), digest);
}

#[test]
fn an_interrupted_bake_goes_on_where_it_was_but_believes_digests_only() {
    use std::os::unix::fs::FileExt as _;
    let mut bakery = baked(ImageFormat::Raw);
    let before = inodes(&bakery, ImageFormat::Raw);
    // As a killed bake leaves it: no manifest, a host without its memory, and one whose data the power cut took.
    fs::remove_file(bakery.baked("farm", "manifest.json")).unwrap();
    fs::remove_file(bakery.baked("farm", "www5/.baked")).unwrap();
    let path = bakery.baked("farm", "www3/root.img");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let image = fs::OpenOptions::new().write(true).open(&path).unwrap();
    image.write_all_at(&[0; 4096], 4096).unwrap();
    image.set_modified(modified).unwrap();
    drop(image);
    bakery.existing = Existing::Refuse;
    assert_eq!(bakery.bake(&farm()).unwrap().kept, 4);
    assert_eq!(changed(&before, &inodes(&bakery, ImageFormat::Raw)), [2, 4]);
}

#[test]
fn the_parts_of_several_machines_are_the_whole() {
    let whole = Bakery::with_template(ExtKind::Ext4);
    whole.bake(&farm()).unwrap();
    let expected = whole.manifest("farm");
    let mut texts = Vec::new();
    for index in 1..=3 {
        let mut machine = Bakery::new();
        fs::copy(whole.template(ExtKind::Ext4), machine.template(ExtKind::Ext4)).unwrap();
        machine.selection = Selection::Shard(format!("{index}/3").parse().unwrap());
        machine.bake(&farm()).unwrap();
        texts.push(machine.manifest("farm"));
    }
    // What starts a machine names its directory, which differs between the machines of this test.
    let without_launch = |text: &[u8]| {
        let mut value: serde_json::Value = serde_json::from_slice(text).unwrap();
        for host in value["hosts"].as_array_mut().unwrap() {
            host["launch"] = serde_json::Value::Null;
        }
        value
    };
    let merged = merge(&texts).unwrap();
    assert_eq!(without_launch(&merged), without_launch(&expected));
    texts.reverse();
    assert!(merge(&texts).unwrap() == merged, "the order does not matter");
    assert!(merge(&[expected.clone(), expected.clone()]).unwrap() == expected);
    let refused = merge(&[expected, b"{}".to_vec()]).unwrap_err();
    assert_eq!(refused.to_string(), "manifest 2 is not a manifest");
}

#[test]
fn a_bake_of_some_hosts_leaves_the_others_alone() {
    let mut bakery = baked(ImageFormat::UmlCow);
    let before = inodes(&bakery, ImageFormat::UmlCow);
    let whole = fs::read(bakery.baked("farm", "manifest.json")).unwrap();
    bakery.selection = Selection::Hosts(BTreeSet::from(["www2".to_owned(), "www6".to_owned()]));
    bakery.keep = false;
    let manifest = bakery.bake(&farm()).unwrap();
    assert_eq!(manifest.hosts, 2);
    assert_eq!(changed(&before, &inodes(&bakery, ImageFormat::UmlCow)), [1, 5]);
    assert!(fs::read(bakery.baked("farm", "manifest.json")).unwrap() == whole);
}

#[test]
fn plans_that_are_not_held_are_made_again_and_the_same() {
    let mut bakery = baked(ImageFormat::Qcow2);
    let (held, images) = (bakery.manifest("farm"), inodes(&bakery, ImageFormat::Qcow2));
    bakery.held_bytes = 0;
    assert_eq!(bakery.bake(&farm()).unwrap().kept, 6);
    assert_eq!(inodes(&bakery, ImageFormat::Qcow2), images);
    bakery.keep = false;
    assert_eq!(bakery.bake(&farm()).unwrap().kept, 0);
    assert!(bakery.manifest("farm") == held);
    let left = files_below(&bakery.baked("farm", ""));
    assert!(left.iter().all(|file| !file.ends_with("partial")), "{left:?}");
}
