//! Files and trees that a project copies into its guests.

use std::error::Error as _;
use std::sync::Arc;

use mln_image::base::{FileKind, GuestPath, Sourced};
use mln_image::edit::Content;
use mln_image::guest::{HostNode, HostNodeKind};
use mln_image::project::{FileCopy, Host};

use crate::support::debian::{NOW, Sources, baked_with, configured_with, debian};
use crate::support::memory_guest::MemoryGuest;
use crate::support::project::{at, host, project};

fn node(path: &str, mode: u16, kind: HostNodeKind) -> HostNode {
    HostNode {
        path: path.as_bytes().to_vec(),
        mode,
        kind,
    }
}

fn bytes(text: &str) -> HostNodeKind {
    HostNodeKind::File(Content::Bytes(Arc::from(text.as_bytes())))
}

/// A file, and a tree with everything that can be copied.
fn sources() -> Sources {
    let tree = vec![
        node("", 0o775, HostNodeKind::Directory),
        node("bin", 0o700, HostNodeKind::Directory),
        node("bin/run", 0o4755, bytes("run")),
        node("latest", 0o777, HostNodeKind::Symlink(b"bin/run".to_vec())),
    ];
    let file = vec![node("", 0o664, bytes("page"))];
    Sources([("site", tree), ("pages/index.html", file)].into())
}

fn copy(source: &str, destination: &str, mode: Option<u16>) -> Sourced<FileCopy> {
    at(
        7,
        source,
        FileCopy {
            source: source.to_owned(),
            destination: GuestPath::literal(destination),
            into_directory: destination.ends_with('/'),
            mode,
        },
    )
}

fn with(files: Vec<Sourced<FileCopy>>) -> Host {
    Host { files, ..host("a") }
}

/// What the copies add to the guest.
#[track_caller]
fn added(files: Vec<Sourced<FileCopy>>, guest: &MemoryGuest) -> Vec<String> {
    let after = baked_with(&sources(), &project("p", []), &with(files), guest);
    let changes = after.changes_since(guest);
    let ours = ["/etc/fstab", "/etc/hostname", "/etc/hosts", "/etc/machine-id"];
    let lines = changes
        .lines()
        .filter(|line| !ours.iter().any(|path| line.ends_with(path)));
    lines.map(str::to_owned).collect()
}

#[test]
fn file_goes_to_its_destination_or_into_a_directory() {
    for (destination, mode, expected) in [
        (
            "/srv/page",
            None,
            vec!["+ d0755 0:0 /srv", "+ -0664 0:0 /srv/page"],
        ),
        (
            "/srv/",
            Some(0o600),
            vec!["+ d0755 0:0 /srv", "+ -0600 0:0 /srv/index.html"],
        ),
        ("/home", None, vec!["+ -0664 0:0 /home/index.html"]),
        ("/", None, vec!["+ -0664 0:0 /index.html"]),
        (
            "/etc/debian_version",
            None,
            vec!["~ -0664 0:0 /etc/debian_version"],
        ),
        ("/lib/page", None, vec!["+ -0664 0:0 /usr/lib/page"]),
    ] {
        let files = vec![copy("pages/index.html", destination, mode)];
        assert_eq!(added(files, &debian()), expected, "{destination}");
    }
}

#[test]
fn tree_becomes_its_destination_with_modes_and_links() {
    assert_eq!(
        added(vec![copy("site", "/srv/www", None)], &debian()),
        [
            "+ d0755 0:0 /srv",
            "+ d0775 0:0 /srv/www",
            "+ d0700 0:0 /srv/www/bin",
            "+ -4755 0:0 /srv/www/bin/run",
            "+ l0777 0:0 /srv/www/latest -> bin/run",
        ]
    );
    assert_eq!(
        added(vec![copy("site", "/srv/www/", Some(0o640))], &debian())[3..],
        [
            "+ d0700 0:0 /srv/www/site/bin",
            "+ -0640 0:0 /srv/www/site/bin/run",
            "+ l0777 0:0 /srv/www/site/latest -> bin/run",
        ]
    );
}

#[test]
fn tree_is_laid_over_directories_that_keep_mode_and_owner() {
    let mut guest = debian();
    guest
        .directory("/srv/real/bin")
        .own("/srv/real", 0o2770, 33, 33)
        .own("/srv/real/bin", 0o711, 33, 33)
        .file("/srv/real/bin/run", "old")
        .own("/srv/real/bin/run", 0o600, 33, 33)
        .file("/srv/real/bin/other", "")
        .link("/srv/real/latest", "/nowhere")
        .link("/srv/www", "real");
    assert_eq!(
        added(vec![copy("site", "/srv/www", None)], &guest),
        [
            "~ -4755 0:0 /srv/real/bin/run",
            "~ l0777 0:0 /srv/real/latest -> bin/run",
        ]
    );
}

#[test]
fn later_copies_see_earlier_ones() {
    let files = vec![
        copy("site", "/srv/www", None),
        copy("pages/index.html", "/srv/www", None),
        copy("pages/index.html", "/srv/www/latest", None),
    ];
    let after = baked_with(&sources(), &project("p", []), &with(files), &debian());
    assert_eq!(after.text("/srv/www/index.html"), "page");
    assert_eq!(after.text("/srv/www/latest"), "page");
    assert_eq!(after.text("/srv/www/bin/run"), "run");
}

#[test]
fn what_is_in_the_way_is_an_error_that_names_it() {
    let mut guest = debian();
    guest
        .special("/srv/pipe", FileKind::Fifo)
        .file("/srv/bin", "")
        .directory("/srv/latest");
    for (source, destination, message) in [
        (
            "pages/index.html",
            "/srv/pipe",
            "`/srv/pipe` is a named pipe in the guest and cannot be replaced (p.mln:7: pages/index.html)",
        ),
        (
            "site",
            "/srv",
            "`/srv/bin` is a regular file in the guest and cannot be replaced (p.mln:7: site)",
        ),
        (
            "pages/index.html",
            "/srv/bin/x",
            "`/srv/bin/x` cannot be made, since `/srv/bin` is a regular file in the guest",
        ),
    ] {
        let host = with(vec![copy(source, destination, None)]);
        let error = configured_with(&sources(), NOW, &project("p", []), &host, &guest).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn missing_source_is_an_error_with_its_line() {
    let host = with(vec![copy("gone", "/srv/", None)]);
    let error = configured_with(&sources(), NOW, &project("p", []), &host, &debian()).unwrap_err();
    assert_eq!(error.to_string(), "cannot copy `gone` (p.mln:7: gone)");
    assert_eq!(error.source().unwrap().to_string(), "cannot read `gone`");
}
