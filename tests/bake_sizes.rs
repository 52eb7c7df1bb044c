//! `size` and `free_space`: images longer than their template, and shorter.

use std::fs;

use mln_image::bake::BakeError;
use mln_image::base::{ByteSize, Sourced};
use mln_image::project::SizeRequest;

use crate::support::bakery::Bakery;
use crate::support::project::{at, host, of, project};
use crate::support::{BlockSize, Content, ExtKind, Tree, e2fsck_clean, sha256};

const MIB: u64 = 1 << 20;

/// Bakes one host with `size` from a template of 200 MiB; answers the image's length.
fn bake(bakery: &Bakery, size: Sourced<SizeRequest>) -> Result<u64, BakeError> {
    let mut host = host("web");
    host.template = of("small.ext4".to_owned());
    host.size = size;
    let template = sha256(&bakery.template(ExtKind::Ext4));
    let outcome = bakery.bake(&project("sizes", vec![host]));
    assert_eq!(sha256(&bakery.template(ExtKind::Ext4)), template);
    outcome?;
    let image = bakery.baked("sizes", "web/root.img");
    e2fsck_clean(&image);
    let tree = Tree::read(&image);
    assert_eq!(tree.0[b"/etc/hostname".as_slice()].content, Content::of(b"web\n"));
    Ok(fs::metadata(image).unwrap().len())
}

fn bakery() -> Bakery {
    let bakery = Bakery::new();
    bakery.make_template(ExtKind::Ext4, BlockSize(4096), 200 * MIB);
    bakery
}

fn asked(size: SizeRequest) -> Sourced<SizeRequest> {
    at(7, "size", size)
}

#[test]
fn a_size_below_the_template_shrinks_it() {
    let size = asked(SizeRequest::Total(ByteSize(50 * MIB)));
    assert_eq!(bake(&bakery(), size).unwrap(), 50 * MIB);
}

#[test]
fn a_size_above_the_template_grows_it() {
    let size = asked(SizeRequest::Total(ByteSize(500 * MIB)));
    assert_eq!(bake(&bakery(), size).unwrap(), 500 * MIB);
}

#[test]
fn a_default_size_never_shrinks_a_template() {
    let size = of(SizeRequest::Total(ByteSize(50 * MIB)));
    assert_eq!(bake(&bakery(), size).unwrap(), 200 * MIB);
}

#[test]
fn free_space_is_counted_from_the_template_and_0_is_the_smallest() {
    let size = asked(SizeRequest::FreeSpace(ByteSize(30 * MIB)));
    assert_eq!(bake(&bakery(), size).unwrap(), 230 * MIB);
    let size = asked(SizeRequest::FreeSpace(ByteSize(0)));
    let len = bake(&bakery(), size).unwrap();
    assert!((8 * MIB..60 * MIB).contains(&len), "{len}");
}

#[test]
fn too_small_a_size_is_refused_while_planning() {
    let bakery = bakery();
    let BakeError::Hosts { failures, .. } =
        bake(&bakery, asked(SizeRequest::Total(ByteSize(2 * MIB)))).unwrap_err()
    else {
        panic!("another error");
    };
    let error = &failures[0].error;
    let text = error.to_string();
    assert!(
        text.starts_with("`size 2M` is too small for the template's files and the host's own ("),
        "{text}"
    );
    let hints = error.hints();
    assert!(
        hints.len() == 1 && hints[0].contains("or for `free_space 0M`"),
        "{hints:?}"
    );
    assert!(!bakery.baked("sizes", "web/root.img").exists());
    // What the hint names is enough.
    let least = hints[0]
        .split("`size ")
        .nth(1)
        .and_then(|rest| rest.split('`').next());
    let least: ByteSize = least.unwrap().parse().unwrap();
    bake(&bakery, asked(SizeRequest::Total(least))).unwrap();
}
