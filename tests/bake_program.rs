//! `mln-image bake` and `plan` as a user runs them, on the skeleton template and on real Debian ones; killed at any moment.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::bakery::files_below;
use crate::support::{ExtKind, Mounted, Tree, debugfs, e2fsck_clean, sha256, templates};

/// Three machines behind one gateway, in the language's own way of sharing what they have in common.
const FARM: &str = "\
global { project farm }
superclass common {
    xen
    memory 128M
    template TEMPLATE
    size 2G
    network eth0 { switch lan
        netmask 255.255.255.0 }
    users { john $6$saltsalt$hash }
    groups { admin { john } }
}
switch lan { }
host www1 { superclass common
    network eth0 { address 10.0.0.1 } }
host www2 { superclass common
    network eth0 { address 10.0.0.2 } }
host db { superclass common
    size 3G
    swap 64M
    network eth0 { address 10.0.0.3 } }
";

/// A home with a project file and a place for templates.
struct Desk {
    home: TempDir,
    templates: PathBuf,
}

impl Desk {
    /// A desk whose project is made from `template` of the directory `templates`.
    fn new(templates: &Path, template: &str) -> Self {
        let desk = Self {
            home: tempfile::tempdir().unwrap(),
            templates: templates.to_path_buf(),
        };
        let text = FARM.replace("TEMPLATE", template);
        desk.put("farm.mln", &text);
        desk
    }

    fn put(&self, name: &str, text: &str) {
        let mut file = fs::File::create(self.path(name)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }

    /// A desk with the skeleton template as ext4.
    fn with_skeleton() -> Self {
        let mut desk = Self::new(Path::new(""), "skeleton.ext4");
        desk.templates = desk.path("templates");
        // Small images, since the tests read them whole.
        let text = fs::read_to_string(desk.path("farm.mln")).unwrap();
        let small = text.replace("size 2G", "size 64M").replace("size 3G", "size 96M");
        desk.put("farm.mln", &small);
        let output = desk.program(&["template", "build", "skeleton"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn image(&self, host: &str) -> PathBuf {
        self.path("projects/farm").join(host).join("root.img")
    }

    /// The program with `arguments`, everything it makes on this desk.
    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mln-image"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .args(arguments)
            .arg("-P")
            .arg(self.path("projects"))
            .arg("-T")
            .arg(&self.templates)
            .current_dir(self.home.path());
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Output {
        self.program(arguments).output().unwrap()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn a_real_debian_is_baked_and_every_judge_agrees() {
    let store = templates::debian12_store();
    for kind in [ExtKind::Ext3, ExtKind::Ext4] {
        let desk = Desk::new(store.directory(), &format!("debian-12.{}", kind.name()));
        let template = templates::debian12(kind);
        let before = sha256(&template);
        let answer = desk.succeeds(&["build", "-f", "farm.mln", "--jobs", "1", "--no-sync"]);
        assert!(answer.starts_with("baked farm: 3 hosts in "), "{answer}");
        assert_eq!(sha256(&template), before);
        let digests = ["db", "www1", "www2"].map(|host| sha256(&desk.image(host)));
        for (host, len) in [("db", 3_u64 << 30), ("www1", 2 << 30), ("www2", 2 << 30)] {
            let image = desk.image(host);
            let metadata = fs::metadata(&image).unwrap();
            assert_eq!(
                (metadata.len(), metadata.permissions().mode() & 0o777),
                (len, 0o600)
            );
            e2fsck_clean(&image);
            assert_eq!(debugfs(&image, "cat /etc/hostname"), format!("{host}\n"));
            let tree = Tree::read(&image);
            let shadow = &tree.0[b"/etc/shadow".as_slice()];
            assert_eq!((shadow.mode, shadow.uid, shadow.gid), (0o640, 0, 42));
        }
        let mounted = Mounted::new(&desk.image("www1"), kind.name());
        let hosts = fs::read_to_string(mounted.path().join("etc/hosts")).unwrap();
        assert!(hosts.contains("10.0.0.3"), "{hosts}");
        drop(mounted);
        desk.succeeds(&[
            "bake",
            "farm.mln",
            "--fresh",
            "--replace",
            "--discard-changes",
            "--jobs",
            "8",
            "--no-sync",
        ]);
        assert_eq!(
            ["db", "www1", "www2"].map(|host| sha256(&desk.image(host))),
            digests
        );
    }
}

#[test]
fn plan_shows_diffs_and_the_lines_that_caused_them_and_writes_nothing() {
    let desk = Desk::with_skeleton();
    let text = desk.succeeds(&["plan", "farm.mln", "--diff", "--host", "www1"]);
    assert!(
        text.starts_with("www1: 64M (ext4) from skeleton-V1.0.ext4\n"),
        "{text}"
    );
    let hostname = "\
modify /etc/hostname
  because of farm.mln:13: host www1 { superclass common
--- a/etc/hostname
+++ b/etc/hostname
@@ -1 +1 @@
-skeleton
+www1
";
    assert!(text.contains(hostname), "{text}");
    assert!(text.contains("+john:<new hash>:"), "{text}");
    assert!(!text.contains("saltsalt"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&desk.succeeds(&["plan", "farm.mln", "--json"])).unwrap();
    assert_eq!(json["hosts"].as_array().unwrap().len(), 3);
    assert!(!desk.path("projects").exists());
}

#[test]
fn a_project_with_errors_gives_exit_code_2_and_nothing_is_written() {
    let desk = Desk::with_skeleton();
    let broken = FARM.replace("10.0.0.2", "10.0.0.256");
    desk.put("broken.mln", &broken);
    let output = desk.run(&["bake", "broken.mln"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("broken.mln:16:28"), "{stderr}");
    assert!(
        stderr.ends_with("error: `broken.mln` cannot be used: 1 error\n"),
        "{stderr}"
    );
    assert!(!desk.path("projects").exists());
}

#[test]
fn source_date_epoch_is_the_time_of_every_edit() {
    let desk = Desk::with_skeleton();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut command = desk.program(&["bake", "farm.mln", "--fresh", "--replace"]);
        let output = command.env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        seen.push(sha256(&desk.image("db")));
    }
    assert_eq!(seen[0], seen[1]);
    let tree = Tree::read(&desk.image("db"));
    assert_eq!(tree.0[b"/etc/hostname".as_slice()].mtime.0, 1_700_000_000);
}

#[test]
fn events_are_one_json_document_a_line() {
    let desk = Desk::with_skeleton();
    let text = desk.succeeds(&["bake", "farm.mln", "--json"]);
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(
        (count("begin"), count("done"), count("end"), count("baked")),
        (1, 3, 1, 1)
    );
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let desk = Desk::with_skeleton();
    fs::create_dir(desk.path("projects")).unwrap();
    let place = desk.path("projects");
    let output = if rustix::process::geteuid().is_root() {
        // Root may write anywhere but in places like this one.
        let mut plain = Command::new(env!("CARGO_BIN_EXE_mln-image"));
        plain
            .env_clear()
            .env("HOME", desk.home.path())
            .current_dir(desk.home.path());
        plain
            .args(["bake", "farm.mln", "-P", "/proc/fs", "-T"])
            .arg(&desk.templates);
        plain.output().unwrap()
    } else {
        fs::set_permissions(&place, fs::Permissions::from_mode(0o555)).unwrap();
        desk.run(&["bake", "farm.mln"])
    };
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("\nerror: cannot create `"), "{stderr}");
    assert!(files_below(&place).is_empty());
}

#[test]
fn killed_at_any_moment_no_half_image_has_its_name_and_the_next_run_completes() {
    let desk = Desk::with_skeleton();
    let began = Instant::now();
    desk.succeeds(&["bake", "farm.mln"]);
    let whole = began.elapsed();
    let finished = ["db", "www1", "www2"].map(|host| sha256(&desk.image(host)));
    let mut random = 0x6d6c_6e69_6d61_6765_u64;
    for round in 0..50 {
        fs::remove_dir_all(desk.path("projects")).unwrap();
        // A fixed sequence of moments: xorshift64.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let thousandths = u32::try_from(random % 1000).unwrap();
        let moment = whole * thousandths / 1000;
        let mut child = desk
            .program(&["bake", "farm.mln"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(moment);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(status.signal() == Some(9) || status.success(), "{status}");
        for (host, digest) in ["db", "www1", "www2"].iter().zip(&finished) {
            let image = desk.image(host);
            assert!(
                !image.exists() || sha256(&image) == *digest,
                "round {round}: {host} after {moment:?}"
            );
        }
        let is_whole = desk.path("projects/farm/manifest.json").exists();
        let arguments: &[&str] = if is_whole {
            &["bake", "farm.mln", "--replace"]
        } else {
            &["bake", "farm.mln"]
        };
        desk.succeeds(arguments);
        let left = files_below(&desk.path("projects"));
        assert!(
            left.iter().all(|file| !file.ends_with(".mln-partial")),
            "{left:?}"
        );
        assert_eq!(
            ["db", "www1", "www2"].map(|host| sha256(&desk.image(host))),
            finished
        );
    }
}

#[test]
fn an_interrupted_bake_removes_what_it_began() {
    let desk = Desk::with_skeleton();
    let mut child = desk
        .program(&["bake", "farm.mln", "--verify=full"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    let has_begun = || {
        let files = desk.path("projects");
        files.exists()
            && files_below(&files)
                .iter()
                .any(|file| file.ends_with(".mln-partial"))
    };
    while !has_begun() && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "nothing was begun");
        thread::sleep(Duration::from_millis(1));
    }
    let pid = rustix::process::Pid::from_child(&child);
    let was_running = child.try_wait().unwrap().is_none();
    if was_running {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
    let status = child.wait().unwrap();
    assert!(matches!(status.code(), Some(143 | 0)), "{status}");
    let left = files_below(&desk.path("projects"));
    assert!(
        left.iter().all(|file| !file.ends_with(".mln-partial")),
        "{left:?}"
    );
}
