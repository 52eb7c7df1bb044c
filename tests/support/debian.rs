//! The files of a small Debian guest that configuration looks at.

use std::collections::BTreeMap;

use mln_image::base::{IdentityKey, PathError, Timestamp};
use mln_image::edit::{Effect, effective};
use mln_image::guest::{
    Configured, GuestContext, GuestError, HostFiles, HostFilesError, HostKeys, HostNode, RootFileSystem,
    configure,
};
use mln_image::project::{AddressBook, Host, MacTable, Project};

use super::memory_guest::MemoryGuest;

/// 2026-01-01, the day 20454.
pub(crate) const NOW: i64 = 1_767_225_600;

/// A Debian 12 guest as a small template has it, with `www-data` and the groups `adm` and `sudo`.
pub(crate) fn debian() -> MemoryGuest {
    let mut guest = MemoryGuest::new();
    guest
        .file(
            "/etc/os-release",
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
        )
        .file("/etc/debian_version", "12.5\n")
        .file("/etc/hostname", "template\n")
        .file(
            "/etc/hosts",
            "127.0.0.1\tlocalhost\n127.0.1.1\ttemplate\n\n::1\tlocalhost ip6-localhost\n",
        )
        .file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\n\
             www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        )
        .file(
            "/etc/shadow",
            "root:*:19000:0:99999:7:::\nwww-data:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n",
        )
        .own("/etc/shadow", 0o640, 0, 42)
        .file(
            "/etc/group",
            "root:x:0:\nadm:x:4:\nsudo:x:27:\nwww-data:x:33:\nshadow:x:42:\nnogroup:x:65534:\n",
        )
        .file(
            "/etc/gshadow",
            "root:*::\nadm:*::\nsudo:*::\nwww-data:*::\nshadow:*::\nnogroup:*::\n",
        )
        .own("/etc/gshadow", 0o640, 0, 42)
        .file(
            "/etc/login.defs",
            "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUMASK 022\nUSERGROUPS_ENAB yes\n\
             PASS_MAX_DAYS 99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 7\n",
        )
        .file("/etc/skel/.bashrc", "# rc\n")
        .file("/etc/skel/bin/hello", "#!/bin/sh\n")
        .own("/etc/skel/bin", 0o700, 0, 0)
        .own("/etc/skel/bin/hello", 0o750, 0, 0)
        .link("/etc/skel/.rc", ".bashrc")
        .link("/bin", "usr/bin")
        .link("/sbin", "usr/sbin")
        .link("/lib", "usr/lib")
        .file("/usr/bin/bash", "")
        .file("/usr/sbin/ifup", "")
        .link("/usr/sbin/init", "/lib/systemd/systemd")
        .file("/usr/lib/systemd/systemd", "")
        .file(
            "/etc/network/interfaces",
            "# Debian's\nsource /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n",
        )
        .directory("/etc/network/interfaces.d")
        .file("/etc/fstab", "# UNCONFIGURED FSTAB\n")
        .directory("/home")
        .directory("/root");
    guest
}

/// The sources that a test gives to `files`, by name.
#[derive(Debug, Default)]
pub(crate) struct Sources(pub(crate) BTreeMap<&'static str, Vec<HostNode>>);

impl HostFiles for Sources {
    fn walk(&self, source: &str) -> Result<Vec<HostNode>, HostFilesError> {
        self.0.get(source).cloned().ok_or_else(|| {
            let missing = PathError::on("read", source)(std::io::ErrorKind::NotFound.into());
            HostFilesError::Path(missing)
        })
    }
}

/// What the configuration of `host` in `guest`, an ext3 image, comes to.
pub(crate) fn configured(
    project: &Project,
    host: &Host,
    guest: &MemoryGuest,
) -> Result<Configured, GuestError> {
    configured_with(&Sources::default(), NOW, project, host, guest)
}

/// The same with sources for `files`, at another time.
pub(crate) fn configured_with(
    files: &Sources,
    seconds: i64,
    project: &Project,
    host: &Host,
    guest: &MemoryGuest,
) -> Result<Configured, GuestError> {
    let identity = IdentityKey::from_secret(b"the secret of the tests");
    let macs = MacTable::assign(project, Some(&identity)).unwrap();
    let addresses = AddressBook::of(project);
    let context = GuestContext {
        identity: &identity,
        host_keys: HostKeys::Made,
        macs: &macs,
        addresses: &addresses,
        now: Timestamp::from_seconds(seconds),
        root_file_system: RootFileSystem::Ext3,
        root_names: &[],
        files,
    };
    configure(project, host, guest, &context)
}

/// The guest after configuration, having shown that a second configuration changes nothing.
#[track_caller]
pub(crate) fn baked(project: &Project, host: &Host, guest: &MemoryGuest) -> MemoryGuest {
    baked_with(&Sources::default(), project, host, guest)
}

/// The same with sources for `files`.
#[track_caller]
pub(crate) fn baked_with(
    files: &Sources,
    project: &Project,
    host: &Host,
    guest: &MemoryGuest,
) -> MemoryGuest {
    let first = configured_with(files, NOW, project, host, guest).unwrap();
    let after = guest.applied(&first.edits);
    let second = configured_with(files, NOW + 10 * 86_400, project, host, &after).unwrap();
    let changing: Vec<_> = effective(&after, &second.edits)
        .unwrap()
        .into_iter()
        .filter(|(_, effect)| *effect != Effect::None)
        .collect();
    assert!(changing.is_empty(), "a second time changes {changing:#?}");
    assert_eq!(after.applied(&second.edits).changes_since(&after), "");
    after
}
