//! Start and stop scripts, judged by shellcheck and tried with programs that only write down how they were called.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread::sleep;
use std::time::Duration;

use mln_image::base::atomic::{self, Durability};
use mln_image::launch::LaunchFile;
use tempfile::TempDir;

use super::tool;

/// A machine's directory, in a place whose name needs quoting, and stand-ins for the programs that its scripts call.
#[derive(Debug)]
pub(crate) struct Bench {
    root: TempDir,
}

impl Bench {
    /// Lays out `files`, with stand-ins for `programs`. shellcheck must find nothing in any script.
    #[track_caller]
    pub(crate) fn new(files: &[LaunchFile], programs: &[&str]) -> Self {
        let bench = Self {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(bench.directory()).unwrap();
        fs::create_dir(bench.programs()).unwrap();
        for file in files {
            let path = bench.directory().join(file.name);
            write(&path, &file.content, file.mode);
            if file.content.starts_with("#!") {
                let output = tool("shellcheck", "shellcheck")
                    .args(["-S", "warning"])
                    .arg(&path)
                    .output()
                    .unwrap();
                assert!(
                    output.status.success(),
                    "{}\n{}",
                    String::from_utf8_lossy(&output.stdout),
                    file.content
                );
            }
        }
        for program in programs {
            // Written whole and renamed, since programs of one script run side by side.
            let text = "#!/bin/sh\n\
                {\n\
                    printf '%s' \"${0##*/}\"\n\
                    [ -z \"${TMPDIR-}\" ] || printf ' TMPDIR=%s' \"$TMPDIR\"\n\
                    printf ' <%s>' \"$@\"\n\
                    echo\n\
                } >>\"$RECORD\"\n";
            write(&bench.programs().join(program), text, 0o755);
        }
        bench
    }

    /// The machine's directory.
    pub(crate) fn directory(&self) -> PathBuf {
        self.root.path().join("my projects/it's $HOME/www1")
    }

    /// Runs a script from elsewhere, with nothing of our environment, by dash.
    pub(crate) fn run(&self, script: &str, arguments: &[&str]) -> Output {
        let mut path = OsString::from(self.programs());
        path.push(":/usr/bin:/bin");
        tool("dash", "dash")
            .arg(self.directory().join(script))
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .env("RECORD", self.record())
            .env("CDPATH", "/")
            .env("MLN_RUNTIME_DIR", self.runtime())
            .current_dir("/")
            .output()
            .unwrap()
    }

    /// How the stand-ins were called since the last time, one a line.
    pub(crate) fn calls(&self) -> String {
        let mut calls = self.recorded();
        while !calls.is_empty() && !calls.ends_with('\n') {
            // A stand-in in the background is in the middle of its line.
            sleep(Duration::from_millis(5));
            calls = self.recorded();
        }
        drop(fs::remove_file(self.record()));
        calls
    }

    fn recorded(&self) -> String {
        fs::read_to_string(self.record()).unwrap_or_default()
    }

    /// Where sockets and process ids of running machines lie.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.root.path().join("run time")
    }

    fn programs(&self) -> PathBuf {
        self.root.path().join("programs")
    }

    fn record(&self) -> PathBuf {
        self.root.path().join("record")
    }
}

fn write(path: &Path, text: &str, mode: u16) {
    atomic::write(path, text.as_bytes(), Durability::NoSync).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode.into())).unwrap();
}
