//! Whole projects as one file: packed, unpacked in another place, and refused where they are not what they say.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::bakery::{Bakery, files_below};
use crate::support::recovery::put;
use crate::support::{ExtKind, e2fsck_clean, sha256};

const PROJECT: &str = "\
global { project farm }
switch lan { address 10.0.0.1/24
    dhcp 10.0.0.100 10.0.0.200 }
superclass common {
    template small.ext4
    size 64M
    swap 4M
    users { john }
    network eth0 { switch lan; address dhcp }
}
host www1 { superclass common }
host www2 { superclass common; qemu; format qcow2 }
host www3 { superclass common; xen }
host www4 { superclass common; qemu; format gpt }
";

struct Desk {
    bakery: Bakery,
}

impl Desk {
    /// A place where the project has been baked, and `www3` has been written to.
    fn new() -> Self {
        let desk = Self {
            bakery: Bakery::with_template(ExtKind::Ext4),
        };
        put(&desk.path("farm.mln"), PROJECT.as_bytes());
        put(&desk.path("note"), b"precious\n");
        fs::create_dir(desk.path("hostile")).unwrap();
        desk.succeeds("projects", &["bake", "farm.mln"]);
        let target = format!(
            "{}:/srv/precious",
            desk.path("projects/farm/www3/root.img").display()
        );
        desk.succeeds("projects", &["image", "cp", "note", &target]);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bakery.path(name)
    }

    fn run(&self, projects: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_mln-image"))
            .args(arguments)
            .arg("-P")
            .arg(self.path(projects))
            .arg("-T")
            .arg(self.path("templates"))
            .current_dir(self.path(""))
            .env("HOME", self.path(""))
            .env("MLN_RUNTIME_DIR", self.path("run"))
            .output()
            .unwrap()
    }

    #[track_caller]
    fn succeeds(&self, projects: &str, arguments: &[&str]) -> String {
        let output = self.run(projects, arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the import of `archive` complains of; nothing of it stays.
    #[track_caller]
    fn refused(&self, archive: &str) -> String {
        let output = self.run("hostile", &["import", archive]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let left = files_below(&self.path("hostile"));
        assert!(left.iter().all(|file| has_end(file, "lock")), "{left:?}");
        let complaint = String::from_utf8(output.stderr).unwrap();
        complaint.replace(&format!("`{archive}`"), "ARCHIVE")
    }
}

/// Whether the name `file` has this `end`.
fn has_end(file: &str, end: &str) -> bool {
    Path::new(file).extension().is_some_and(|found| found == end)
}

/// What a disk takes, in bytes.
fn allocated(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

#[test]
fn a_project_is_moved_to_another_place_and_works_there() {
    let desk = Desk::new();
    desk.succeeds("projects", &["export", "farm"]);
    let archive = desk.path("farm.tar.zst");
    assert_eq!(
        fs::metadata(&archive).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let again = desk.run("projects", &["export", "-p", "farm"]);
    assert!(String::from_utf8_lossy(&again.stderr).starts_with("error: `farm.tar.zst` exists already\n"));
    let (old, new) = (desk.path("projects/farm"), desk.path("elsewhere/farm"));
    let answer = desk.succeeds("elsewhere", &["import", "farm.tar.zst"]);
    assert!(answer.starts_with("imported farm: "), "{answer}");
    assert!(
        answer.ends_with(&format!(" files in {}\n", new.display())),
        "{answer}"
    );
    for host in ["www1", "www3", "www4"] {
        let image = format!("{host}/root.img");
        assert_eq!(sha256(&new.join(&image)), sha256(&old.join(&image)));
        assert!(allocated(&new.join(&image)) <= allocated(&old.join(&image)) + (64 << 10));
        let mode = fs::metadata(new.join(&image)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // What lay over the template needs nothing beside it now.
    e2fsck_clean(&new.join("www2/root.img"));
    assert!(!new.join("www2/root.qcow2").exists());
    fs::rename(desk.path("templates"), desk.path("no-templates")).unwrap();
    let passwd = format!("{}:/etc/passwd", new.join("www2/root.img").display());
    assert!(
        desk.succeeds("elsewhere", &["image", "cat", &passwd])
            .contains("\njohn:x:1000:")
    );
    fs::rename(desk.path("no-templates"), desk.path("templates")).unwrap();
    is_at_home(&old, &new);
    let verified = desk.run("elsewhere", &["verify", "farm"]);
    let faults = String::from_utf8(verified.stderr).unwrap();
    let faults: Vec<&str> = faults
        .lines()
        .filter(|line| line.starts_with("error: `"))
        .collect();
    assert!(
        faults.len() == 1 && faults[0].starts_with("error: `www3/root.img`: its digest is "),
        "{faults:?}"
    );
    // The machine's data are as safe as they were.
    let plan = desk.succeeds("elsewhere", &["upgrade", "-n", "--format", "raw", "farm.mln"]);
    assert!(plan.contains("\nkeep        www3\n"), "{plan}");
    let twice = desk.run("elsewhere", &["import", "farm.tar.zst"]);
    let complaint = String::from_utf8(twice.stderr).unwrap();
    assert_eq!(
        complaint,
        "error: project `farm` exists already\n\
         hint: remove it first: mln-image remove farm; or import below another directory with -P\n"
    );
}

/// Holds that nothing in `new` names the place that it came from, `old`.
#[track_caller]
fn is_at_home(old: &Path, new: &Path) {
    for file in files_below(new) {
        let bytes = fs::read(new.join(&file)).unwrap_or_default();
        let name = old.to_str().unwrap().as_bytes();
        let is_text = !has_end(&file, "img");
        assert!(
            !is_text || !bytes.windows(name.len()).any(|window| window == name),
            "{file}"
        );
    }
    let configuration = fs::read_to_string(new.join("dnsmasq.lan.conf")).unwrap();
    assert!(configuration.contains(&format!("\naddn-hosts={}/etc_hosts\n", new.display())));
    let xl = fs::read_to_string(new.join("www3/xl.cfg")).unwrap();
    assert!(
        xl.contains(&format!("target={}/www3/root.img", new.display())),
        "{xl}"
    );
    let mode = |path: &str| fs::metadata(new.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("www1/start"), mode("www3/xl.cfg") & 0o111), (0o755, 0));
}

/// A member of an archive.
#[derive(Clone)]
struct Member {
    name: String,
    kind: tar::EntryType,
    content: Vec<u8>,
}

/// The members of the archive at `path`.
fn members(path: &Path) -> Vec<Member> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(File::open(path).unwrap()).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        Member {
            name: entry.path().unwrap().display().to_string(),
            kind: tar::EntryType::Regular,
            content,
        }
    });
    entries.collect()
}

/// Writes `members` as an archive without compression, names taken as they are.
fn write(path: &Path, members: &[Member]) {
    let mut builder = tar::Builder::new(File::create(path).unwrap());
    for member in members {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..member.name.len()].copy_from_slice(member.name.as_bytes());
        header.set_entry_type(member.kind);
        header.set_size(member.content.len() as u64);
        header.set_mode(0o644);
        if member.kind == tar::EntryType::Symlink {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, &*member.content).unwrap();
    }
    builder.finish().unwrap();
}

#[test]
fn an_archive_that_is_not_what_it_says_is_refused_and_nothing_of_it_stays() {
    let desk = Desk::new();
    desk.succeeds("projects", &["export", "farm"]);
    let whole = members(&desk.path("farm.tar.zst"));
    // As it is, it would be taken.
    write(&desk.path("bad.tar"), &whole);
    desk.succeeds("plain", &["import", "bad.tar"]);
    let index = |change: &dyn Fn(&mut serde_json::Value)| listed(&whole, change);
    let member = |change: &dyn Fn(&mut Vec<Member>)| changed(&whole, change);
    let last = whole.last().unwrap().name.clone();
    let cases: Vec<(Vec<Member>, String)> = vec![
        (
            member(&|all| drop(all.remove(0))),
            "it does not begin with `archive.json`".to_owned(),
        ),
        (member(&|all| drop(all.pop())), format!("it ends before `{last}`")),
        (
            member(&|all| all[1].name = "/etc/passwd".to_owned()),
            "`/etc/passwd` is not in its list".to_owned(),
        ),
        (
            member(&|all| {
                all[1].kind = tar::EntryType::Symlink;
                all[1].content.clear();
            }),
            format!("`{}` is not in its list", whole[1].name),
        ),
        (
            index(&|value| value["files"][0]["path"] = "../../escaped".into()),
            "`../../escaped` is no file of a project".to_owned(),
        ),
        (
            index(&|value| value["files"][0]["path"] = "/escaped".into()),
            "`/escaped` is no file of a project".to_owned(),
        ),
        (
            index(&|value| value["files"][0]["path"] = value["files"][1]["path"].clone()),
            format!("`{}` is in it twice", whole[2].name),
        ),
        (member(&|all| all[0].content.truncate(20)), String::new()),
    ];
    for (members, reason) in cases {
        write(&desk.path("bad.tar"), &members);
        let complaint = desk.refused("bad.tar");
        assert!(
            complaint.starts_with(&format!("error: ARCHIVE is no archive of a project: {reason}")),
            "{reason}: {complaint}"
        );
    }
    a_wrong_member_is_named(&desk, &whole);
    // One that is cut off in the middle, compressed.
    let bytes = fs::read(desk.path("farm.tar.zst")).unwrap();
    put(&desk.path("cut.tar.zst"), &bytes[..bytes.len() / 2]);
    let complaint = desk.refused("cut.tar.zst");
    assert!(complaint.starts_with("error: "), "{complaint}");
}

/// An archive like `whole` but for its list.
fn listed(whole: &[Member], change: &dyn Fn(&mut serde_json::Value)) -> Vec<Member> {
    let mut value: serde_json::Value = serde_json::from_slice(&whole[0].content).unwrap();
    change(&mut value);
    let mut changed = whole.to_vec();
    changed[0].content = serde_json::to_vec(&value).unwrap();
    changed
}

/// An archive like `whole` but for its members.
fn changed(whole: &[Member], change: &dyn Fn(&mut Vec<Member>)) -> Vec<Member> {
    let mut changed = whole.to_vec();
    change(&mut changed);
    changed
}

/// Holds that what differs in a member is told by the member's name.
#[track_caller]
fn a_wrong_member_is_named(desk: &Desk, whole: &[Member]) {
    let index = |change: &dyn Fn(&mut serde_json::Value)| listed(whole, change);
    let member = |change: &dyn Fn(&mut Vec<Member>)| changed(whole, change);
    let named = [
        (
            index(&|value| value["project"] = "../x".into()),
            "error: ARCHIVE is no archive of a project: `../x.mln`",
        ),
        (
            index(&|value| value["format"] = 9.into()),
            "error: ARCHIVE has the form 9, this program reads 1\n",
        ),
        (
            member(&|all| all[1].content[5000] ^= 1),
            "error: `www1/root.img` in ARCHIVE is not as it was packed: its digest is ",
        ),
        (
            member(&|all| all[1].content.push(0)),
            "error: `www1/root.img` in ARCHIVE is not as it was packed: it is too long\n",
        ),
    ];
    for (members, expected) in named {
        write(&desk.path("bad.tar"), &members);
        let complaint = desk.refused("bad.tar");
        assert!(complaint.starts_with(expected), "{complaint}");
    }
}
