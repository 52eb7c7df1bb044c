//! Which family a template belongs to, what a guest is called, and whom it knows by name; templates that mislead.

use mln_image::base::FileKind;
use mln_image::guest::Family;
use mln_image::project::Interface;

use crate::support::debian::{baked, configured, debian};
use crate::support::project::{host, interface, project, static_interface};

#[test]
fn template_must_be_of_the_debian_family() {
    let mut ubuntu = debian();
    ubuntu
        .without("/etc/os-release")
        .file("/usr/lib/os-release", "ID=ubuntu\n")
        .link("/etc/os-release", "../usr/lib/os-release");
    let mut breezy = debian();
    breezy
        .without("/etc/os-release")
        .file("/etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=5.10\n");
    let mut sarge = debian();
    sarge.without("/etc/os-release");
    for (guest, family, reason) in [
        (debian(), Family::Debian, "`/etc/os-release` says ID=debian"),
        (ubuntu, Family::Ubuntu, "`/etc/os-release` says ID=ubuntu"),
        (
            breezy,
            Family::Ubuntu,
            "`/etc/lsb-release` says DISTRIB_ID=Ubuntu",
        ),
        (sarge, Family::Debian, "the template has `/etc/debian_version`"),
    ] {
        let found = configured(&project("p", []), &host("a"), &guest).unwrap().family;
        assert_eq!((found.value, found.reason.as_str()), (family, reason));
    }
}

#[test]
fn a_family_that_is_not_known_is_an_error_that_names_it() {
    let mut slackware = debian();
    slackware.file(
        "/etc/os-release",
        "ID=slackware\nPRETTY_NAME=\"Slackware 15.0\"\n",
    );
    let error = configured(&project("p", []), &host("a"), &slackware).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template holds Slackware 15.0, which is of no family that is known here (`/etc/os-release` says \
         ID=slackware); choose the nearest one by the keyword `family`"
    );
}

#[test]
fn hostname_is_the_short_name_and_the_mail_name_stays() {
    let mut guest = debian();
    guest.file("/etc/mailname", "mail.example.org\n");
    let guest = baked(&project("web_farm", [host("www1")]), &host("www1"), &guest);
    assert_eq!(guest.text("/etc/hostname"), "www1\n");
    assert_eq!(guest.text("/etc/mailname"), "mail.example.org\n");
}

#[test]
fn hosts_lists_every_static_address_of_the_project() {
    let dhcp = Interface {
        address: Some(crate::support::project::of(
            mln_image::project::InterfaceAddress::Dhcp,
        )),
        ..interface("eth1")
    };
    let mut www1 = host("www1");
    www1.interfaces = vec![
        static_interface("eth0", "10.0.0.1"),
        static_interface("eth1", "128.39.73.101"),
    ];
    let mut www2 = host("www2");
    www2.interfaces = vec![interface("eth0"), dhcp, static_interface("eth2", "10.0.0.2")];
    let project = project("webfarm", [host("lonely"), www1.clone(), www2]);
    let guest = baked(&project, &www1, &debian());
    assert_eq!(
        guest.text("/etc/hosts"),
        "127.0.0.1\tlocalhost\n\
         \n\
         ::1\tlocalhost ip6-localhost\n\
         # BEGIN mln-image\n\
         10.0.0.1\twww1 www1.webfarm\n\
         128.39.73.101\twww1-eth1\n\
         10.0.0.2\twww2 www2.webfarm\n\
         127.0.1.1\twww1\n\
         # END mln-image\n"
    );
}

#[test]
fn hosts_keeps_foreign_lines_and_makes_a_missing_file() {
    let block = "# BEGIN mln-image\n127.0.1.1\ta\n# END mln-image\n";
    let default = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
                   ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";
    for (before, after) in [
        (None, format!("{default}{block}")),
        (Some(""), format!("127.0.0.1\tlocalhost\n{block}")),
        (
            Some("# mine\n192.0.2.1 gw # the router\n127.0.0.1 localhost a"),
            format!("# mine\n192.0.2.1 gw # the router\n127.0.0.1 localhost a\n{block}"),
        ),
        (
            Some("127.0.0.1 localhost\n# BEGIN mln-image\n127.0.1.1\told\n# END mln-image\nlast\n"),
            format!("127.0.0.1 localhost\n{block}last\n"),
        ),
        // A line that is replaced does not name the local host.
        (
            Some("127.0.1.1 localhost\n"),
            format!("127.0.0.1\tlocalhost\n{block}"),
        ),
        (
            Some("# BEGIN mln-image\n127.0.0.1 localhost\n# END mln-image\nlast\n"),
            format!("127.0.0.1\tlocalhost\n{block}last\n"),
        ),
    ] {
        let mut guest = debian();
        guest.without("/etc/hosts");
        if let Some(before) = before {
            guest.file("/etc/hosts", before);
        }
        let guest = baked(&project("p", [host("a")]), &host("a"), &guest);
        assert_eq!(guest.text("/etc/hosts"), after);
    }
}

#[test]
fn links_lead_inside_the_image_only() {
    let mut guest = debian();
    guest
        .without("/etc/hostname")
        .without("/etc/hosts")
        .link("/etc/hostname", "../../../../srv/name")
        .link("/srv", "/var/lib/srv");
    let after = baked(&project("p", [host("a")]), &host("a"), &guest);
    assert_eq!(
        after.changes_since(&guest),
        "~ -0644 0:0 /etc/fstab\n\
         + -0644 0:0 /etc/hosts\n\
         + -0444 0:0 /etc/machine-id\n\
         + d0755 0:0 /var\n\
         + d0755 0:0 /var/lib\n\
         + d0755 0:0 /var/lib/srv\n\
         + -0644 0:0 /var/lib/srv/name\n"
    );
}

#[test]
fn misleading_files_are_errors_that_name_them() {
    let volatile = "where files do not outlive a start";
    let regular = "where a regular file is needed";
    for (path, put, message) in [
        (
            "/etc/hostname",
            Ok("/dev/null"),
            format!("`/etc/hostname` is a symbolic link to `/dev/null` in the guest, {volatile}"),
        ),
        (
            "/etc/hostname",
            Ok("../run/name"),
            format!("`/etc/hostname` is a symbolic link to `/run/name` in the guest, {volatile}"),
        ),
        (
            "/etc/hostname",
            Ok("/srv/device"),
            format!(
                "`/etc/hostname` is a character device in the guest, {regular} (its links lead to `/srv/device`)"
            ),
        ),
        (
            "/etc/hostname",
            Err(FileKind::Fifo),
            format!("`/etc/hostname` is a named pipe in the guest, {regular}"),
        ),
        (
            "/etc/hosts",
            Err(FileKind::Directory),
            format!("`/etc/hosts` is a directory in the guest, {regular}"),
        ),
        (
            "/etc/hostname",
            Ok("hostname"),
            "too many levels of symbolic links at `/etc/hostname` in the guest".to_owned(),
        ),
        (
            "/etc/hostname",
            Ok("/etc/passwd/name"),
            "`/etc/passwd/name` cannot be made, since `/etc/passwd` is a regular file in the guest"
                .to_owned(),
        ),
    ] {
        let mut guest = debian();
        guest.special("/srv/device", FileKind::CharDevice).without(path);
        match put {
            Ok(target) => guest.link(path, target),
            Err(kind) => guest.special(path, kind),
        };
        let error = configured(&project("p", [host("a")]), &host("a"), &guest).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn overlong_file_is_refused_unread() {
    let mut guest = debian();
    guest.file("/etc/hosts", vec![b'\n'; (16 << 20) + 1]);
    let error = configured(&project("p", [host("a")]), &host("a"), &guest).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`/etc/hosts` is 16777217 bytes long in the guest, and at most 16M are read"
    );
}
