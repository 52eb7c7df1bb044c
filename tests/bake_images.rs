//! A bake from the project as a value to images, as outside judges see them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use mln_image::bake::{BakeError, Verify};
use mln_image::base::{ByteSize, Timestamp};
use mln_image::project::{FileCopy, Host, Project, SizeRequest};
use mln_image::store::Existing;

use crate::support::bakery::{Bakery, files_below};
use crate::support::project::{account, group, host, of, project, static_interface};
use crate::support::{BlockSize, Content, ExtKind, Tree, debugfs, e2fsck_clean, sha256};

/// A host of the farm, `number` from 1, made from `small.KIND`.
fn farm_host(kind: ExtKind, number: u8) -> Host {
    let mut host = host(&format!("www{number}"));
    host.template = of(format!("small.{}", kind.name()));
    host.size = of(SizeRequest::Total(ByteSize(64 << 20)));
    host.users = vec![account("john", Some("$6$salt$hash"))];
    host.groups = vec![group("admin", &["john"])];
    host.interfaces = vec![static_interface("eth0", &format!("10.0.0.{number}"))];
    host.startup = vec![of("echo started".to_owned())];
    host
}

/// Three hosts, the last one larger and with swap.
fn farm(kind: ExtKind) -> Project {
    let mut hosts: Vec<Host> = (1..=3).map(|number| farm_host(kind, number)).collect();
    hosts[2].size = of(SizeRequest::FreeSpace(ByteSize(80 << 20)));
    hosts[2].swap = Some(of(ByteSize(1 << 20)));
    project("farm", hosts)
}

#[test]
fn a_farm_is_baked_on_every_kind_of_file_system() {
    for kind in ExtKind::ALL {
        let bakery = Bakery::with_template(kind);
        let before = sha256(&bakery.template(kind));
        let baked = bakery.bake(&farm(kind)).unwrap();
        assert_eq!(sha256(&bakery.template(kind)), before, "{kind:?}");
        for (number, len) in [(1, 64 << 20), (2, 64 << 20), (3, 128 << 20)] {
            let image = bakery.baked("farm", &format!("www{number}/root.img"));
            assert_eq!(fs::metadata(&image).unwrap().len(), len);
            e2fsck_clean(&image);
            let tree = Tree::read(&image);
            let hostname = &tree.0[b"/etc/hostname".as_slice()];
            assert_eq!(
                hostname.content,
                Content::of(format!("www{number}\n").as_bytes()),
                "{kind:?}"
            );
            assert_eq!(
                debugfs(&image, "cat /etc/hostname"),
                format!("www{number}\n"),
                "{kind:?}"
            );
            assert_eq!(tree.0[b"/etc/shadow".as_slice()].mode, 0o640);
            assert_eq!(tree.0[b"/home/john".as_slice()].uid, 1000);
        }
        assert_eq!(baked.hosts, 3);
        let farm = bakery.baked("farm", "");
        let files = files_below(&farm);
        let mut expected: Vec<String> = [
            "etc_hosts",
            "farm.mln",
            "known_hosts",
            "launch.json",
            "manifest.json",
        ]
        .map(str::to_owned)
        .to_vec();
        for number in 1..=3 {
            let names = [".baked", "root.img", "start", "stop", "swap.img", "xl.cfg"];
            let own = names
                .into_iter()
                .filter(|name| *name != "swap.img" || number == 3);
            expected.extend(own.map(|name| format!("www{number}/{name}")));
        }
        assert_eq!(files, expected);
    }
}

#[test]
fn the_manifest_tells_digests_and_files_as_they_are() {
    let bakery = Bakery::with_template(ExtKind::Ext4);
    bakery.bake(&farm(ExtKind::Ext4)).unwrap();
    let text = bakery.manifest("farm");
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let template = bakery.template(ExtKind::Ext4);
    assert_eq!(
        json["templates"][0]["sha256"].as_str().unwrap(),
        sha256(&template).to_string()
    );
    assert_eq!(
        json["project"]["sha256"].as_str().unwrap(),
        sha256(&bakery.baked("farm", "farm.mln")).to_string()
    );
    for host in json["hosts"].as_array().unwrap() {
        let image = bakery.baked("farm", host["image"]["file"].as_str().unwrap());
        let digest = blake3::hash(&fs::read(&image).unwrap());
        assert_eq!(host["image"]["blake3"].as_str().unwrap(), digest.to_string());
        let tree = Tree::read(&image);
        for file in host["files"].as_array().unwrap() {
            let node = &tree.0[file["path"].as_str().unwrap().as_bytes()];
            assert_eq!(
                format!("{:04o}", node.mode),
                file["mode"].as_str().unwrap(),
                "{file}"
            );
            assert_eq!(u64::from(node.uid), file["uid"].as_u64().unwrap(), "{file}");
            if let Content::Bytes { sha256, .. } = &node.content {
                assert_eq!(sha256.to_string(), file["sha256"].as_str().unwrap(), "{file}");
            }
        }
    }
}

#[test]
fn images_do_not_depend_on_threads_nor_on_when_they_are_baked() {
    for kind in [ExtKind::Ext3, ExtKind::Ext4] {
        let mut bakery = Bakery::with_template(kind);
        bakery.verify = Verify::None;
        let mut seen = Vec::new();
        for (jobs, now) in [
            (1, None),
            (8, None),
            (8, Some(Timestamp::from_seconds(1_700_000_000))),
            (2, Some(Timestamp::from_seconds(1_700_000_000))),
        ] {
            bakery.jobs = jobs;
            bakery.now = now;
            bakery.existing = Existing::Replace;
            bakery.bake(&farm(kind)).unwrap();
            let images = ["www1/root.img", "www2/root.img", "www3/root.img", "www3/swap.img"];
            let digests = images.map(|image| sha256(&bakery.baked("farm", image)));
            seen.push((digests, bakery.manifest("farm")));
        }
        assert!(seen[0] == seen[1], "{kind:?}: one thread and eight");
        assert!(seen[2] == seen[3], "{kind:?}: twice at the same time");
        assert!(seen[0].0 != seen[2].0, "{kind:?}: another time");
    }
}

#[test]
fn what_the_template_does_not_use_does_not_reach_the_guests() {
    let bakery = Bakery::new();
    let template = bakery.make_template(ExtKind::Ext3, BlockSize(1024), 24 << 20);
    let secret = bakery.path("secret");
    fs::File::create(&secret).unwrap();
    fs::copy("/proc/self/exe", &secret).unwrap();
    let big = fs::OpenOptions::new().write(true).open(&secret).unwrap();
    big.set_len(4 << 20).unwrap();
    let run = |request: &str| {
        let output = crate::support::tool("debugfs", "e2fsprogs")
            .args(["-w", "-R", request])
            .arg(&template)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(&format!("write {} secret", secret.display()));
    run("rm secret");
    let marker = &fs::read(&secret).unwrap()[4096..8192];
    let holds = |path: &std::path::Path| {
        let bytes = fs::read(path).unwrap();
        bytes.chunks(1024).any(|chunk| chunk == &marker[..1024])
    };
    assert!(holds(&template), "the deleted file's blocks are still there");
    let mut host = farm_host(ExtKind::Ext3, 1);
    host.size = of(SizeRequest::Total(ByteSize(24 << 20)));
    bakery.bake(&project("farm", [host])).unwrap();
    let image = bakery.baked("farm", "www1/root.img");
    e2fsck_clean(&image);
    assert!(!holds(&image));
    assert!(fs::metadata(&image).unwrap().blocks() < fs::metadata(&template).unwrap().blocks());
}

#[test]
fn files_and_trees_are_copied_in_with_their_modes() {
    use std::os::unix::fs::PermissionsExt as _;
    let bakery = Bakery::with_template(ExtKind::Ext4);
    let tree = bakery.path("files/site");
    fs::create_dir_all(tree.join("html")).unwrap();
    let large: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    for (name, content, mode) in [
        ("html/index.html", b"<p>hello</p>\n".as_slice(), 0o644),
        ("run.sh", b"#!/bin/sh\n", 0o755),
        ("large", &large, 0o600),
    ] {
        let path = tree.join(name);
        std::io::Write::write_all(&mut fs::File::create(&path).unwrap(), content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut host = farm_host(ExtKind::Ext4, 1);
    host.files = vec![of(FileCopy {
        source: "site".to_owned(),
        destination: "/srv/www".parse().unwrap(),
        into_directory: false,
        mode: None,
    })];
    bakery.bake(&project("farm", [host])).unwrap();
    let image = bakery.baked("farm", "www1/root.img");
    e2fsck_clean(&image);
    let nodes = Tree::read(&image).0;
    let node = |path: &str| nodes[path.as_bytes()].clone();
    assert_eq!(node("/srv/www/large").content, Content::of(&large));
    assert_eq!(node("/srv/www/run.sh").mode, 0o755);
    assert_eq!(
        node("/srv/www/html/index.html").content,
        Content::of(b"<p>hello</p>\n")
    );
}

#[test]
fn an_existing_project_is_replaced_only_when_asked() {
    let mut bakery = Bakery::with_template(ExtKind::Ext4);
    bakery.bake(&farm(ExtKind::Ext4)).unwrap();
    let error = bakery.bake(&farm(ExtKind::Ext4)).unwrap_err();
    assert!(matches!(error, BakeError::Store(_)), "{error}");
    assert_eq!(error.to_string(), "project `farm` exists already");
    let image = bakery.baked("farm", "www1/root.img");
    let before = fs::metadata(&image).unwrap().ino();
    bakery.existing = Existing::Replace;
    let mut smaller = farm(ExtKind::Ext4);
    smaller.hosts = smaller.hosts.iter().take(2).collect();
    bakery.bake(&smaller).unwrap();
    assert_ne!(fs::metadata(&image).unwrap().ino(), before);
    assert!(!bakery.baked("farm", "www3").exists(), "a host that has gone");
}
