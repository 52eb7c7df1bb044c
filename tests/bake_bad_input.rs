//! Bad templates, bad places and full file systems: a clear error, the template untouched, nothing under a final name.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use mln_image::bake::BakeError;
use mln_image::base::ByteSize;
use mln_image::project::{FileCopy, Host, SizeRequest};

use crate::support::bakery::{Bakery, files_below};
use crate::support::project::{host, of, project};
use crate::support::{BlockSize, Content, ExtKind, Tree, e2fsck_clean, sha256};

/// A host made from `small.KIND`.
fn small_host(kind: ExtKind, name: &str) -> Host {
    let mut host = host(name);
    host.template = of(format!("small.{}", kind.name()));
    host.size = of(SizeRequest::FreeSpace(ByteSize(0)));
    host
}

/// The failures of a bake of one host, without the place's own path, and proof that nothing was made.
#[track_caller]
fn refused(bakery: &Bakery, host: Host) -> String {
    let template = bakery.template(ExtKind::Ext4);
    let before = template.exists().then(|| sha256(&template));
    let error = bakery.bake(&project("farm", [host])).unwrap_err();
    assert_eq!(template.exists().then(|| sha256(&template)), before);
    assert_eq!(files_below(&bakery.path("projects")), Vec::<String>::new());
    told(bakery, &error)
}

/// What the hosts' failures say, one a line, with all their causes.
fn told(bakery: &Bakery, error: &BakeError) -> String {
    let BakeError::Hosts { failures, .. } = error else {
        panic!("{error}");
    };
    let line = |failure: &mln_image::bake::HostFailure| {
        let mut text = format!("{}: {}", failure.hosts[0], failure.error);
        let mut cause = std::error::Error::source(&failure.error);
        while let Some(current) = cause {
            text = format!("{text}: {current}");
            cause = current.source();
        }
        text.replace(bakery.path("").to_str().unwrap(), "PLACE/")
    };
    failures.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Overwrites some bytes of a file.
fn poke(path: &Path, offset: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

#[test]
fn templates_that_cannot_be_used_are_refused_with_the_reason() {
    type Spoil = fn(&Path);
    let spoil: [(&str, Spoil, &str); 4] = [
        (
            "not ext",
            |path| poke(path, 1024, &[0; 1024]),
            "not an ext2, ext3 or ext4 file system",
        ),
        (
            "truncated",
            |path| {
                let file = OpenOptions::new().write(true).open(path).unwrap();
                file.set_len(5 << 20).unwrap();
            },
            "the image is cut off: the file system has 50331648 bytes, the image 5242880",
        ),
        (
            // s_state at 0x3A: not cleanly unmounted.
            "unclean",
            |path| poke(path, 1024 + 0x3A, &[0]),
            "the file system was not unmounted cleanly; run `e2fsck -p` on it first",
        ),
        (
            // s_feature_incompat bit 0x1000: dirdata; 0x200, flex_bg, is there.
            "unsupported",
            |path| poke(path, 1024 + 0x61, &[0x12]),
            "the file system has features that cannot be read: dirdata",
        ),
    ];
    for (what, spoil, reason) in spoil {
        let bakery = Bakery::new();
        // Without checksums, so that a poked superblock stays what it says.
        let template = bakery.template(ExtKind::Ext4);
        crate::support::Mkfs::new(ExtKind::Ext4, BlockSize(4096), 48 << 20)
            .features("^metadata_csum")
            .make(&template, None);
        spoil(&template);
        assert_eq!(
            refused(&bakery, small_host(ExtKind::Ext4, "www1")),
            format!("www1: cannot use the template `PLACE/templates/small.ext4`: {reason}"),
            "{what}"
        );
    }
}

#[test]
fn a_template_that_is_not_there_is_told_once_for_all_its_hosts() {
    let bakery = Bakery::new();
    let hosts = ["www1", "www2"].map(|name| small_host(ExtKind::Ext4, name));
    let error = bakery.bake(&project("farm", hosts)).unwrap_err();
    let BakeError::Hosts { failures, total } = &error else {
        panic!("{error}");
    };
    assert_eq!((failures.len(), failures[0].hosts.len(), *total), (1, 2, 2));
    assert_eq!(
        told(&bakery, &error),
        "www1: there is no template `small.ext4` in `PLACE/templates`"
    );
    assert_eq!(error.to_string(), "2 of 2 hosts failed");
}

#[test]
fn bake_refuses_full_filesystem_before_a_byte_is_written() {
    let bakery = Bakery::with_template(ExtKind::Ext4);
    let big = bakery.path("files/big");
    fs::File::create(&big).unwrap().set_len(60 << 20).unwrap();
    let mut full = small_host(ExtKind::Ext4, "full");
    full.size = of(SizeRequest::Total(ByteSize(48 << 20)));
    full.files = vec![of(FileCopy {
        source: "big".to_owned(),
        destination: "/big".parse().unwrap(),
        into_directory: false,
        mode: None,
    })];
    let good = small_host(ExtKind::Ext4, "good");
    let error = bakery.bake(&project("farm", [good, full])).unwrap_err();
    let text = told(&bakery, &error);
    assert!(
        text.starts_with("full: the file system would be full: 153") && text.contains(" blocks needed, "),
        "{text}"
    );
    assert_eq!(files_below(&bakery.path("projects")), Vec::<String>::new());
}

#[test]
fn a_failed_host_does_not_stop_the_others() {
    let bakery = Bakery::with_template(ExtKind::Ext4);
    let hosts = ["www1", "www2", "www3"].map(|name| small_host(ExtKind::Ext4, name));
    let farm = project("farm", hosts);
    fs::create_dir(bakery.path("projects/farm")).unwrap();
    fs::File::create(bakery.baked("farm", "www2")).unwrap();
    let error = bakery.bake(&farm).unwrap_err();
    assert_eq!(
        told(&bakery, &error),
        "www2: cannot create the directory `PLACE/projects/farm/www2`: File exists (os error 17)"
    );
    for host in ["www1", "www3"] {
        e2fsck_clean(&bakery.baked("farm", &format!("{host}/root.img")));
    }
    assert!(
        !bakery.baked("farm", "manifest.json").exists(),
        "not all of it is done"
    );
    fs::remove_file(bakery.baked("farm", "www2")).unwrap();
    bakery.bake(&farm).unwrap();
    e2fsck_clean(&bakery.baked("farm", "www2/root.img"));
}

#[test]
fn a_link_of_the_template_that_leads_outside_stays_inside() {
    let bakery = Bakery::new();
    let tree = bakery.path("tree");
    fs::create_dir(&tree).unwrap();
    crate::support::debian::debian().write_below(&tree);
    let outside = bakery.path("outside");
    std::io::Write::write_all(&mut fs::File::create(&outside).unwrap(), b"host's own\n").unwrap();
    fs::remove_file(tree.join("etc/hostname")).unwrap();
    let climbing = format!("../../../../../..{}", outside.display());
    std::os::unix::fs::symlink(&climbing, tree.join("etc/hostname")).unwrap();
    bakery.make_template(ExtKind::Ext4, BlockSize(4096), 48 << 20);
    bakery
        .bake(&project("farm", [small_host(ExtKind::Ext4, "www1")]))
        .unwrap();
    assert_eq!(fs::read(&outside).unwrap(), b"host's own\n");
    let image = bakery.baked("farm", "www1/root.img");
    e2fsck_clean(&image);
    let tree = Tree::read(&image);
    let inside = outside.to_str().unwrap().as_bytes();
    assert_eq!(tree.0[inside].content, Content::of(b"www1\n"));
}

/// Writes one byte into a template as soon as a host is being written.
struct Meddler(std::path::PathBuf);

impl mln_image::base::report::Reporter for Meddler {
    fn begin(&self, _total: usize) {}

    fn stage(&self, _name: &str, stage: &str) {
        if stage == "write" {
            poke(&self.0, 40 << 20, b"x");
        }
    }

    fn done(&self, _name: &str, _summary: &str) {}

    fn failed(&self, _name: &str, _message: &str) {}

    fn end(&self) {}
}

#[test]
fn a_template_that_changes_meanwhile_gives_no_image() {
    let bakery = Bakery::with_template(ExtKind::Ext4);
    let template = bakery.template(ExtKind::Ext4);
    // A moment that is told apart from now whatever the clock's grain.
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let file = OpenOptions::new().write(true).open(&template).unwrap();
    file.set_modified(old).unwrap();
    let farm = project("farm", [small_host(ExtKind::Ext4, "www1")]);
    let place = bakery.path("projects");
    let error = bakery.bake_to(&place, &farm, &Meddler(template)).unwrap_err();
    assert_eq!(
        told(&bakery, &error),
        "www1: the template `PLACE/templates/small.ext4` was changed while it was in use"
    );
    assert_eq!(
        files_below(&place),
        [".farm.lock"],
        "no image under a final name, and no left-over"
    );
}

#[test]
fn a_disk_without_space_is_told_and_keeps_nothing_half_done() {
    let bakery = Bakery::with_template(ExtKind::Ext4);
    let noise: Vec<u8> = (0..12_000_000_u64)
        .map(|number| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect();
    std::io::Write::write_all(&mut fs::File::create(bakery.path("files/noise")).unwrap(), &noise).unwrap();
    let mut host = small_host(ExtKind::Ext4, "www1");
    host.files = vec![of(FileCopy {
        source: "noise".to_owned(),
        destination: "/noise".parse().unwrap(),
        into_directory: false,
        mode: None,
    })];
    let disk = bakery.path("disk.img");
    crate::support::Mkfs::new(ExtKind::Ext4, BlockSize(4096), 12 << 20).make(&disk, None);
    let mounted = crate::support::Mounted::new(&disk, "ext4");
    let error = bakery
        .bake_to(
            mounted.path(),
            &project("farm", [host]),
            &mln_image::base::report::Silent,
        )
        .unwrap_err();
    let text = told(&bakery, &error);
    assert!(
        text.starts_with("www1: cannot ") && text.ends_with(": No space left on device (os error 28)"),
        "{text}"
    );
    assert_eq!(files_below(mounted.path()), [".farm.lock"]);
}
