//! The guest's table of file systems, as findmnt reads it.

use mln_image::base::atomic::{self, Durability};
use mln_image::base::{ByteSize, GuestPath, Sourced};
use mln_image::project::{ExtraMount, Host, Platform};

use crate::support::debian::{baked, configured, debian};
use crate::support::memory_guest::MemoryGuest;
use crate::support::project::{at, host, of, project};
use crate::support::tool;

fn mount(source: &str, place: &str, file_system: &str, options: &str) -> Sourced<ExtraMount> {
    at(
        9,
        source,
        ExtraMount {
            source: source.to_owned(),
            mount_point: GuestPath::literal(place),
            file_system: file_system.to_owned(),
            options: options.to_owned(),
        },
    )
}

/// What findmnt reads from the guest's table, without a parse error.
fn findmnt(guest: &MemoryGuest) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fstab");
    atomic::write(&file, guest.text("/etc/fstab").as_bytes(), Durability::NoSync).unwrap();
    let run = |arguments: &[&str]| {
        let output = tool("findmnt", "util-linux")
            .args(arguments)
            .arg("--tab-file")
            .arg(&file)
            .output();
        let output = output.unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let verdict = run(&["--verify"]);
    assert!(verdict.contains("0 parse errors"), "{verdict}");
    run(&["-n", "-P", "-o", "SOURCE,TARGET,FSTYPE,OPTIONS,PASSNO"])
}

#[test]
fn root_swap_and_mounts_follow_the_platform() {
    let mut host = Host {
        swap: Some(of(ByteSize(64 << 20))),
        mounts: vec![
            mount("data.img", "/srv/my data", "ext4", "noatime"),
            mount("server:/home", "/home", "nfs", "ro"),
            mount("cd.iso", "/cdrom", "iso9660", "ro"),
        ],
        ..host("a")
    };
    let mut guest = debian();
    guest.file(
        "/etc/fstab",
        "# mine\n\
         UUID=1234 / ext4 defaults 0 1\n\
         proc /proc proc defaults 0 0\n\
         /dev/xvdb none swap sw 0 0\n\
         /dev/sdz /home xfs defaults 0 0\n\
         tmpfs /tmp tmpfs size=1m 0 0\n",
    );
    let after = baked(&project("p", []), &host, &guest);
    assert_eq!(
        after.text("/etc/fstab"),
        "# mine\n\
         proc /proc proc defaults 0 0\n\
         tmpfs /tmp tmpfs size=1m 0 0\n\
         # BEGIN mln-image\n\
         /dev/xvda\t/\text3\terrors=remount-ro\t0\t1\n\
         /dev/xvdb\tnone\tswap\tsw\t0\t0\n\
         /dev/xvdc\t/srv/my\\040data\text4\tnoatime\t0\t2\n\
         /dev/xvdd\t/cdrom\tiso9660\tro\t0\t0\n\
         server:/home\t/home\tnfs\tro\t0\t0\n\
         # END mln-image\n"
    );
    let made = after.changes_since(&guest);
    for place in ["/srv/my data", "/cdrom"] {
        assert!(made.contains(&format!("+ d0755 0:0 {place}\n")), "{made}");
    }
    assert!(!made.contains(" /home\n"), "it is there: {made}");
    assert!(findmnt(&after).contains(
        "SOURCE=\"/dev/xvdc\" TARGET=\"/srv/my data\" FSTYPE=\"ext4\" OPTIONS=\"noatime\" PASSNO=\"2\"\n"
    ));
    for (platform, device) in [
        (Platform::Uml, "/dev/ubd"),
        (Platform::XenHvm, "/dev/xvd"),
        (Platform::Qemu, "/dev/vd"),
    ] {
        host.platform = of(platform);
        let after = baked(&project("p", []), &host, &guest);
        let read = findmnt(&after);
        assert!(
            read.contains(&format!("SOURCE=\"{device}a\" TARGET=\"/\"")),
            "{read}"
        );
        assert!(
            read.contains(&format!("SOURCE=\"{device}d\" TARGET=\"/cdrom\"")),
            "{read}"
        );
    }
}

#[test]
fn host_directories_are_for_user_mode_linux_only() {
    let mut host = Host {
        platform: of(Platform::Uml),
        mounts: vec![
            mount("/usr/lib/uml/modules", "/lib/modules", "hostfs", "defaults"),
            mount("/srv", "/srv", "hostfs", "ro"),
        ],
        ..host("a")
    };
    let after = baked(&project("p", []), &host, &debian());
    assert_eq!(
        findmnt(&after),
        "SOURCE=\"/dev/ubda\" TARGET=\"/\" FSTYPE=\"ext3\" OPTIONS=\"errors=remount-ro\" PASSNO=\"1\"\n\
         SOURCE=\"none\" TARGET=\"/lib/modules\" FSTYPE=\"hostfs\" OPTIONS=\"/usr/lib/uml/modules\" PASSNO=\"0\"\n\
         SOURCE=\"none\" TARGET=\"/srv\" FSTYPE=\"hostfs\" OPTIONS=\"ro,/srv\" PASSNO=\"0\"\n"
    );
    host.platform = of(Platform::Xen);
    let error = configured(&project("p", []), &host, &debian()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`hostfs` is for User-Mode Linux, and the host runs on xen (p.mln:9: /usr/lib/uml/modules)"
    );
}

#[test]
fn more_disks_than_letters_are_an_error() {
    let mut host = host("a");
    host.mounts = vec![mount("d", "/d", "ext4", "defaults"); 25];
    baked(&project("p", []), &host, &debian());
    host.swap = Some(of(ByteSize(1 << 20)));
    let error = configured(&project("p", []), &host, &debian()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "27 disks, and a host has 26 at most (p.mln:1: host a)"
    );
}

#[test]
fn template_without_a_table_gets_one() {
    let mut guest = debian();
    guest.without("/etc/fstab");
    let after = baked(&project("p", []), &host("a"), &guest);
    assert_eq!(
        after.text("/etc/fstab"),
        "# BEGIN mln-image\n/dev/xvda\t/\text3\terrors=remount-ro\t0\t1\n# END mln-image\n"
    );
}
