//! What an edit list really changes in a guest, and what configuration makes of any template whatever.

use std::collections::BTreeSet;

use mln_image::base::{GuestPath, Origin};
use mln_image::edit::{Attributes, Change, Edit, EditList, EditedView, Effect, GuestView as _, effective};
use mln_image::project::{Host, Renderer};
use proptest::prelude::*;

use crate::support::debian::{baked, configured, debian};
use crate::support::memory_guest::MemoryGuest;
use crate::support::project::{account, group, host, of, project, static_interface};

fn path(text: &str) -> GuestPath {
    GuestPath::literal(text)
}

fn origin() -> Origin {
    Origin::implied("test")
}

fn file(place: &str, content: &str, attributes: Attributes) -> Edit {
    Edit::file(path(place), content, attributes, origin())
}

#[test]
fn effect_is_what_really_changes() {
    let mut guest = MemoryGuest::new();
    guest
        .file("/f", "same")
        .own("/f", 0o640, 0, 42)
        .directory("/d")
        .link("/l", "f");
    let keep = Attributes::default();
    let owned = |mut edit: Edit, uid| {
        if let Change::Symlink { attributes, .. } = &mut edit.change {
            *attributes = Attributes::owned(0o600, uid, 0);
        }
        edit
    };
    for (edit, effect) in [
        (file("/f", "same", keep), Effect::None),
        (file("/f", "same", Attributes::owned(0o640, 0, 42)), Effect::None),
        (file("/f", "same", Attributes::mode(0o600)), Effect::Attributes),
        (
            file("/f", "same", Attributes::owned(0o640, 1, 42)),
            Effect::Attributes,
        ),
        (file("/f", "sam", keep), Effect::Modify),
        (file("/f", "SAME", keep), Effect::Modify),
        (file("/new", "", keep), Effect::Create),
        (file("/l", "same", keep), Effect::Modify),
        (file("/d", "", keep), Effect::Modify),
        (Edit::directory(path("/d"), keep, origin()), Effect::None),
        (
            Edit::directory(path("/d"), Attributes::mode(0o700), origin()),
            Effect::Attributes,
        ),
        (Edit::directory(path("/f"), keep, origin()), Effect::Modify),
        (Edit::symlink(path("/l"), "f", origin()), Effect::None),
        (Edit::symlink(path("/l"), "g", origin()), Effect::Modify),
        (owned(Edit::symlink(path("/l"), "f", origin()), 0), Effect::None),
        (
            owned(Edit::symlink(path("/l"), "f", origin()), 1),
            Effect::Attributes,
        ),
        (Edit::absent(path("/f"), origin()), Effect::Remove),
        (Edit::absent(path("/new"), origin()), Effect::None),
    ] {
        let shown = format!("{edit:?}");
        let mut edits = EditList::new();
        edits.push(edit);
        let found: Vec<Effect> = effective(&guest, &edits)
            .unwrap()
            .iter()
            .map(|(_, effect)| *effect)
            .collect();
        assert_eq!(found, [effect], "{shown}");
    }
}

#[test]
fn what_is_made_below_a_removed_directory_comes_into_being() {
    let mut guest = MemoryGuest::new();
    guest.file("/d/f", "same").file("/d/g", "");
    let mut edits = EditList::new();
    edits.push(Edit::absent(path("/d"), origin()));
    edits.push(file("/d/f", "same", Attributes::default()));
    let found: Vec<Effect> = effective(&guest, &edits)
        .unwrap()
        .iter()
        .map(|(_, effect)| *effect)
        .collect();
    assert_eq!(found, [Effect::Remove, Effect::Create]);
}

#[test]
fn edited_view_shows_the_guest_as_it_will_be() {
    let mut host = host("a");
    host.users = vec![account("john", None)];
    host.startup = vec![of("true".to_owned())];
    let edits = configured(&project("p", []), &host, &debian()).unwrap().edits;
    let before = debian();
    let view = EditedView::new(&before, &edits);
    let after = debian().applied(&edits);
    let mut places = vec![GuestPath::root()];
    let mut seen = BTreeSet::new();
    while let Some(place) = places.pop() {
        let mut shown = view.info(&place).unwrap().unwrap();
        let mut real = after.info(&place).unwrap().unwrap();
        // The length of a directory is the file system's affair.
        (shown.len_bytes, real.len_bytes) = (0, 0);
        assert_eq!(shown, real, "{place}");
        assert_eq!(
            view.read_link(&place).unwrap(),
            after.read_link(&place).unwrap(),
            "{place}"
        );
        assert_eq!(view.read(&place).unwrap(), after.read(&place).unwrap(), "{place}");
        let names = view.list(&place).unwrap();
        assert_eq!(names, after.list(&place).unwrap(), "{place}");
        let is_link = view.read_link(&place).unwrap().is_some();
        for name in names.into_iter().flatten().filter(|_| !is_link) {
            places.push(place.join(name).unwrap());
        }
        seen.insert(place);
    }
    assert!(seen.len() > 40, "{} places", seen.len());
}

/// Lines that look like those of the files that configuration reads, with bytes that are no text among them.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        3 => "(root|john|sudo|x):[x!]?:[0-9]{1,5}:[0-9a-z,]{0,9}:{0,4}[a-z/]{0,5}".prop_map(String::into_bytes),
        1 => r"(127\.0\.0\.1|127\.0\.1\.1|10\.0\.0\.1)[ \t](localhost|a)".prop_map(String::into_bytes),
        2 => "# (BEGIN|END) mln-image".prop_map(String::into_bytes),
        1 => "(source|source-directory|auto|iface) [a-z/*]{0,9}".prop_map(String::into_bytes),
        1 => "(UID_MIN|UID_MAX|GID_MIN|UMASK|HOME_MODE|PASS_MAX_DAYS)[ \t](0x)?[0-9]{1,10}".prop_map(String::into_bytes),
        1 => "[a-z/]{0,5} (/|none|/home) [a-z]{0,4} [a-z]{0,4}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ];
    (proptest::collection::vec(line, 0..8), any::<bool>()).prop_map(|(lines, ended)| {
        let mut content = lines.join(&b'\n');
        if ended {
            content.push(b'\n');
        }
        content
    })
}

const FILES: [&str; 9] = [
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/gshadow",
    "/etc/hosts",
    "/etc/fstab",
    "/etc/login.defs",
    "/etc/network/interfaces",
    "/etc/resolv.conf",
];

/// A host that asks for something of every kind.
fn full_host() -> Host {
    Host {
        users: vec![account("john", Some("hash")), account("ann", None)],
        groups: vec![group("sudo", &["john"]), group("new", &["ann"])],
        root_password: Some(of(mln_image::project::Password::Hash("hash".to_owned()))),
        interfaces: vec![static_interface("eth0", "10.0.0.1")],
        renderer: Some(of(Renderer::Ifupdown)),
        nameservers: vec![of("10.0.0.1".parse().unwrap())],
        startup: vec![of("true".to_owned())],
        modules: Some(of(vec!["loop".to_owned()])),
        ..host("a")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_template_is_an_error_or_converges(contents in proptest::collection::vec(lines(), FILES.len())) {
        let mut guest = debian();
        for (path, content) in FILES.iter().zip(&contents) {
            guest.file(path, content);
        }
        let host = full_host();
        let project = project("p", [host.clone()]);
        if configured(&project, &host, &guest).is_ok() {
            baked(&project, &host, &guest);
        }
    }
}
