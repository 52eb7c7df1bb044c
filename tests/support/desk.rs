//! A small project whose machines have run, to be upgraded.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use mln_image::project::ImageFormat;

use super::bakery::Bakery;
use super::recovery::put;
use super::{ExtKind, e2fsck_clean, tool};

/// Two hosts, with something of each kind.
pub(crate) const BEFORE: &str = "\
global { project farm }
superclass common {
    template small.ext4
    size 56M
    swap 4M
    users { john }
    nameserver 10.0.0.53
    files { page.html /srv/page.html; banner /etc/banner }
    startup { echo first }
}
host www1 { superclass common }
host www2 { superclass common }
";

/// A project that has been baked, and whose images have been written to.
pub(crate) struct Desk {
    pub(crate) bakery: Bakery,
    pub(crate) format: ImageFormat,
}

impl Desk {
    /// A place where the project has been baked, and both images have been written to.
    pub(crate) fn used() -> Self {
        Self::used_as(ImageFormat::Raw)
    }

    /// The same, the images being of `format`.
    pub(crate) fn used_as(format: ImageFormat) -> Self {
        let desk = Self {
            bakery: Bakery::with_template(ExtKind::Ext4),
            format,
        };
        put(&desk.bakery.path("files/page.html"), b"a page\n");
        put(&desk.bakery.path("files/banner"), b"a banner\n");
        put(&desk.bakery.path("note"), b"precious\n");
        desk.describe(BEFORE);
        desk.succeeds(&["bake", "farm.mln"]);
        for host in ["www1", "www2"] {
            desk.writes(host, "/srv/precious");
        }
        desk
    }

    pub(crate) fn describe(&self, text: &str) {
        let mut text = text.to_owned();
        if self.format != ImageFormat::Raw {
            text = text.replacen("swap 4M", &format!("swap 4M\n    format {}", self.format), 1);
        }
        put(&self.bakery.path("farm.mln"), text.as_bytes());
    }

    /// As a machine of `host` would.
    pub(crate) fn writes(&self, host: &str, path: &str) {
        let target = format!("{}:{path}", self.image(host).display());
        self.succeeds(&["image", "cp", "note", &target]);
    }

    pub(crate) fn image(&self, host: &str) -> PathBuf {
        self.bakery
            .baked("farm", &format!("{host}/{}", self.format.root_image()))
    }

    /// The whole disk of `host`, as the format's own tool sees it.
    pub(crate) fn merged(&self, host: &str) -> PathBuf {
        let merged = self.bakery.path("merged.img");
        let _may_be_missing = fs::remove_file(&merged);
        let image = self.image(host);
        let mut merge = if self.format == ImageFormat::UmlCow {
            let mut moo = tool("uml_moo", "uml-utilities");
            moo.arg(&image);
            moo
        } else {
            let mut check = tool("qemu-img", "qemu-utils");
            assert!(
                check
                    .args(["check", "-q"])
                    .arg(&image)
                    .status()
                    .unwrap()
                    .success()
            );
            let mut convert = tool("qemu-img", "qemu-utils");
            convert.args(["convert", "-O", "raw"]).arg(&image);
            convert
        };
        assert!(merge.arg(&merged).status().unwrap().success());
        e2fsck_clean(&merged);
        merged
    }

    pub(crate) fn command(&self, program: Command, arguments: &[&str]) -> Command {
        let mut command = program;
        command
            .args(arguments)
            .arg("-P")
            .arg(self.bakery.path("projects"))
            .arg("-T")
            .arg(self.bakery.path("templates"))
            .arg("-F")
            .arg(self.bakery.path("files"))
            .current_dir(self.bakery.path(""))
            .env("HOME", self.bakery.path(""))
            .env("MLN_RUNTIME_DIR", self.bakery.path("run"));
        command
    }

    /// Upgrades the project, and kills that when it makes the system call `call` for the `number`th time; answers
    /// whether it came so far.
    pub(crate) fn upgrade_is_killed_at(&self, call: &str, number: usize) -> bool {
        let mut strace = tool("strace", "strace");
        strace
            .args(["-f", "-qq", "-o", "/dev/null", "-e"])
            .arg(format!("inject={call}:signal=KILL:when={number}"))
            .arg(env!("CARGO_BIN_EXE_mln-image"));
        let ended = self.command(strace, &["upgrade", "-j", "1", "farm.mln"]).output();
        !ended.unwrap().status.success()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let program = Command::new(env!("CARGO_BIN_EXE_mln-image"));
        self.command(program, arguments).output().unwrap()
    }

    #[track_caller]
    pub(crate) fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `arguments`, which are refused, complain of.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let manifest = self.bakery.manifest("farm");
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(self.bakery.manifest("farm") == manifest, "nothing is done");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The file at `path` in the guest of `host`.
    #[track_caller]
    pub(crate) fn cat(&self, host: &str, path: &str) -> String {
        let source = format!("{}:{path}", self.image(host).display());
        self.succeeds(&["image", "cat", &source])
    }

    pub(crate) fn has(&self, host: &str, path: &str) -> bool {
        let source = format!("{}:{path}", self.image(host).display());
        self.run(&["image", "ls", &source]).status.success()
    }
}
