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
