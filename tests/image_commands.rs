//! `mln-image image`: one image, looked into and edited without mounting it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::{BlockSize, ExtKind, Mkfs};

/// A directory with an image in it, made by mke2fs from a small tree.
struct Lab {
    directory: TempDir,
    image: PathBuf,
}

impl Lab {
    fn new(kind: ExtKind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tree = directory.path().join("tree");
        fs::create_dir_all(tree.join("etc/ssh")).unwrap();
        for (name, content, mode) in [
            ("etc/hostname", "debian\n", 0o644),
            ("etc/shadow", "root:*:1::::::\n", 0o640),
            ("etc/ssh/key", "secret\n", 0o600),
        ] {
            put(&tree.join(name), content.as_bytes());
            mode_of(&tree.join(name), mode);
        }
        for name in ["etc", "etc/ssh"] {
            mode_of(&tree.join(name), 0o755);
        }
        symlink("hostname", tree.join("etc/alias")).unwrap();
        symlink("/../../../etc/hostname", tree.join("etc/outside")).unwrap();
        let image = directory.path().join("guest.img");
        Mkfs::new(kind, BlockSize(1024), 16 << 20).make(&image, Some(&tree));
        Self { directory, image }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs `image` with `arguments`, `IMG` standing for the image.
    fn run(&self, arguments: &[&str]) -> Output {
        let image = self.image.to_str().unwrap();
        Command::new(env!("CARGO_BIN_EXE_mln-image"))
            .arg("image")
            .args(arguments.iter().map(|argument| argument.replace("IMG", image)))
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .output()
            .unwrap()
    }

    /// What `image` with `arguments` answers.
    #[track_caller]
    fn answer(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `image` with `arguments` complains about, the image's path again as `IMG`.
    #[track_caller]
    fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stderr).unwrap();
        text.replace(self.image.to_str().unwrap(), "IMG")
    }
}

fn put(path: &Path, content: &[u8]) {
    use std::io::Write as _;
    fs::File::create(path).unwrap().write_all(content).unwrap();
}

fn mode_of(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn ls_lists_a_directory_and_everything_below() {
    for kind in ExtKind::ALL {
        let lab = Lab::new(kind);
        let etc = "\
l0777 0:0         8 /etc/alias -> hostname
-0644 0:0         7 /etc/hostname
l0777 0:0        22 /etc/outside -> /../../../etc/hostname
-0640 0:0        15 /etc/shadow
d0755 0:0      1024 /etc/ssh
";
        assert_eq!(lab.answer(&["ls", "IMG:/etc"]), etc);
        assert_eq!(
            lab.answer(&["ls", "IMG:/etc/hostname"]),
            "-0644 0:0         7 /etc/hostname\n"
        );
        let all = format!(
            "d0755 0:0      1024 /etc\n{etc}-0600 0:0         7 /etc/ssh/key\nd0700 0:0     12288 /lost+found\n"
        );
        assert_eq!(lab.answer(&["ls", "-R", "IMG"]), all);
    }
}

#[test]
fn cat_follows_links_inside_the_image_only() {
    let lab = Lab::new(ExtKind::Ext4);
    for path in ["IMG:/etc/hostname", "IMG:/etc/alias", "IMG:/etc/outside"] {
        assert_eq!(lab.answer(&["cat", path]), "debian\n");
    }
    assert_eq!(
        lab.complaint(&["cat", "IMG:/etc/none"]),
        "error: there is no `/etc/none` in `IMG`\n"
    );
    assert_eq!(
        lab.complaint(&["cat", "IMG:/etc"]),
        "error: `/etc` in `IMG` is not a regular file\n"
    );
}

#[test]
fn info_tells_what_the_image_is() {
    for kind in ExtKind::ALL {
        let lab = Lab::new(kind);
        let text = lab.answer(&["info", "IMG"]);
        let lines: Vec<&str> = text.lines().take(7).collect();
        assert_eq!(
            lines,
            [
                format!("type: {}", kind.name()).as_str(),
                "state: can be edited",
                "name: ",
                "uuid: 6d6c6e00-0000-4000-8000-696d61676500",
                "length: 16777216",
                "block size: 1024",
                "blocks: 16384",
            ]
        );
        let json: serde_json::Value = serde_json::from_str(&lab.answer(&["info", "--json", "IMG"])).unwrap();
        assert_eq!(json["free_blocks"].as_u64().unwrap(), free_blocks(&lab.image));
    }
}

/// What debugfs counts as free.
fn free_blocks(image: &Path) -> u64 {
    let stats = crate::support::debugfs(image, "stats -h");
    let line = stats
        .lines()
        .find(|line| line.starts_with("Free blocks:"))
        .unwrap();
    line.split_whitespace().next_back().unwrap().parse().unwrap()
}

#[test]
fn what_is_no_image_is_told_apart() {
    let lab = Lab::new(ExtKind::Ext2);
    put(&lab.path("text"), b"hello");
    assert_eq!(
        lab.complaint(&["ls", "text"]),
        "error: cannot use the image `text`: not an ext2, ext3 or ext4 file system\n"
    );
    assert_eq!(
        lab.complaint(&["info", "missing"]),
        "error: cannot open `missing`: No such file or directory (os error 2)\n"
    );
    fs::File::options()
        .write(true)
        .open(&lab.image)
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    assert_eq!(
        lab.complaint(&["ls", "IMG"]),
        "error: cannot use the image `IMG`: the image is cut off: the file system has 16777216 bytes, the image 1048576\n"
    );
}

#[test]
fn files_go_in_and_out_and_the_image_stays_sound() {
    for kind in ExtKind::ALL {
        let lab = Lab::new(kind);
        let large: Vec<u8> = (0..2_000_000_u32).map(|number| (number % 249) as u8).collect();
        put(&lab.path("large"), &large);
        mode_of(&lab.path("large"), 0o751);
        mode_of(&lab.image, 0o640);
        lab.answer(&["cp", "large", "IMG:/etc"]);
        lab.answer(&["cp", "large", "IMG:/etc/shadow"]);
        lab.answer(&["mkdir", "-p", "--mode", "700", "--owner", "7:8", "IMG:/srv/a/b"]);
        lab.answer(&["cp", "-r", "tree", "IMG:/srv/a/b/"]);
        lab.answer(&["rm", "IMG:/etc/alias"]);
        lab.answer(&["rm", "-r", "IMG:/etc/ssh"]);
        crate::support::e2fsck_clean(&lab.image);
        assert_eq!(lab.answer(&["check", "IMG"]), "clean\n");
        assert_eq!(
            fs::metadata(&lab.image).unwrap().permissions().mode() & 0o7777,
            0o640
        );
        let etc = "\
-0644 0:0         7 /etc/hostname
-0751 0:0   2000000 /etc/large
l0777 0:0        22 /etc/outside -> /../../../etc/hostname
-0640 0:0   2000000 /etc/shadow
";
        assert_eq!(
            lab.answer(&["ls", "IMG:/etc"]),
            etc,
            "what is there keeps its mode"
        );
        assert_eq!(
            lab.answer(&["ls", "IMG:/srv/a"]),
            "d0700 7:8      1024 /srv/a/b\n"
        );
        assert_eq!(lab.answer(&["cat", "IMG:/srv/a/b/tree/etc/ssh/key"]), "secret\n");
        lab.answer(&["cp", "IMG:/etc/large", "back"]);
        assert!(fs::read(lab.path("back")).unwrap() == large);
        fs::create_dir(lab.path("out")).unwrap();
        lab.answer(&["cp", "-r", "IMG:/srv/a/b/tree", "out"]);
        assert_eq!(fs::read(lab.path("out/tree/etc/hostname")).unwrap(), b"debian\n");
        assert_eq!(
            fs::read_link(lab.path("out/tree/etc/outside")).unwrap(),
            Path::new("/../../../etc/hostname")
        );
    }
}

#[test]
fn an_edit_that_cannot_be_made_leaves_the_image_as_it_was() {
    let lab = Lab::new(ExtKind::Ext4);
    let before = crate::support::sha256(&lab.image);
    put(&lab.path("huge"), &vec![1; 20 << 20]);
    for (arguments, complaint) in [
        (
            &["rm", "IMG:/etc"][..],
            "error: `/etc` in `IMG` is a directory\nhint: give -r to remove it with everything in it\n",
        ),
        (&["rm", "IMG:/none"], "error: there is no `/none` in `IMG`\n"),
        (
            &["mkdir", "IMG:/etc"],
            "error: `/etc` is there already in `IMG`\n",
        ),
        (&["mkdir", "IMG:/none/a"], "error: there is no `/none` in `IMG`\n"),
        (
            &["cp", "tree", "IMG:/x"],
            "error: `tree` is a directory\nhint: give -r to copy it with everything in it\n",
        ),
        (
            &["cp", "missing", "IMG:/x"],
            "error: cannot read `missing`: No such file or directory (os error 2)\n",
        ),
        (
            &["cp", "large", "IMG:/etc/hostname/x"],
            "error: cannot read `large`: No such file or directory (os error 2)\n",
        ),
    ] {
        assert_eq!(lab.complaint(arguments), complaint, "{arguments:?}");
    }
    let full = lab.complaint(&["cp", "huge", "IMG:/huge"]);
    assert!(
        full.starts_with("error: cannot write `/huge` in the guest: no space left"),
        "{full}"
    );
    let blocked = lab.complaint(&["cp", "tree/etc/hostname", "IMG:/etc/hostname/x"]);
    assert_eq!(
        blocked,
        "error: cannot write `/etc/hostname/x` in the guest: `/etc/hostname` is a regular file\n"
    );
    assert_eq!(crate::support::sha256(&lab.image), before);
    assert!(!lab.path("guest.img.mln-partial").exists());
}

#[test]
fn check_finds_damage() {
    use std::os::unix::fs::FileExt as _;
    let lab = Lab::new(ExtKind::Ext4);
    // Group 0's block bitmap is wrong from its first byte on.
    let stats = crate::support::debugfs(&lab.image, "stats");
    let word = stats
        .split("block bitmap at ")
        .nth(1)
        .unwrap()
        .split([',', ' '])
        .next()
        .unwrap();
    let block: u64 = word.parse().unwrap();
    let file = fs::File::options().write(true).open(&lab.image).unwrap();
    file.write_all_at(&[0; 16], block * 1024).unwrap();
    let output = lab.run(&["check", "IMG"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stdout.is_empty());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.ends_with("hint: `e2fsck -f` can mend it\n"),
        "{complaint}"
    );
}
