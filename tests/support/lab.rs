//! `mln-image image` run on one image in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::tool;

/// The time of every edit, in seconds since the epoch.
pub(crate) const EPOCH: &str = "1750000000";

/// A directory with an image `guest.img` in it.
pub(crate) struct ImageLab {
    directory: TempDir,
}

impl ImageLab {
    /// An empty directory.
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A directory with an image of these bytes.
    pub(crate) fn with_image(bytes: &[u8]) -> Self {
        let lab = Self::new();
        super::recovery::put(&lab.image(), bytes);
        lab
    }

    pub(crate) fn image(&self) -> PathBuf {
        self.path("guest.img")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts a copy of `original` in the image's place, holes and all, without anything beside it.
    pub(crate) fn restore(&self, original: &Path) {
        let _may_be_missing = fs::remove_file(self.redo());
        let output = tool("cp", "coreutils")
            .arg("--sparse=always")
            .args([original, &self.image()])
            .status()
            .unwrap();
        assert!(output.success());
    }

    /// Where the file lies that completes an edit.
    pub(crate) fn redo(&self) -> PathBuf {
        self.path("guest.img.mln-redo")
    }

    /// The command `mln-image image` with `arguments`, `IMG` standing for the image.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.settled(Command::new(env!("CARGO_BIN_EXE_mln-image")), arguments)
    }

    /// The same under strace, which tampers with system calls as `inject` says.
    pub(crate) fn tampered(&self, inject: &str, arguments: &[&str]) -> Command {
        let mut strace = tool("strace", "strace");
        strace
            .args(["-f", "-qq", "-o", "/dev/null", "-e"])
            .arg(format!("inject={inject}"))
            .arg(env!("CARGO_BIN_EXE_mln-image"));
        self.settled(strace, arguments)
    }

    fn settled(&self, mut command: Command, arguments: &[&str]) -> Command {
        let image = self.image();
        let image = image.to_str().unwrap();
        command
            .arg("image")
            .args(arguments.iter().map(|argument| argument.replace("IMG", image)))
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.directory.path())
            .env("SOURCE_DATE_EPOCH", EPOCH);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What `image` with `arguments` answers; it may say nothing else.
    #[track_caller]
    pub(crate) fn answer(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `image` with `arguments`, which succeeds, says on standard error, the image's path as `IMG`.
    #[track_caller]
    pub(crate) fn notes(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = self.shown(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{text}");
        text
    }

    /// What `image` with `arguments`, which fails, complains about, the image's path as `IMG`.
    #[track_caller]
    pub(crate) fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = self.shown(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        text
    }

    fn shown(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        text.replace(self.image().to_str().unwrap(), "IMG")
    }
}
