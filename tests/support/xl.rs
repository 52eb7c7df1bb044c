//! Xen's own `xl` as a judge of domain configurations, on machines without Xen: a dry run, with a small library that
//! stands in for the hypervisor.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use mln_image::base::atomic::{self, Durability};
use serde_json::Value;
use tempfile::TempDir;

use super::tool;

/// What `xl` understands of a configuration. Panics with its complaints, warnings too.
#[track_caller]
pub(crate) fn xl_reads(configuration: &str) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("xl.cfg");
    atomic::write(&file, configuration.as_bytes(), Durability::NoSync).unwrap();
    let output = xl().args(["create", "-n"]).arg(&file).output().unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    let bad = ["warning", "error", "unknown"]
        .iter()
        .any(|word| complaints.contains(word));
    assert!(output.status.success() && !bad, "{complaints}\n{configuration}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The file at `path` below the directory where `scripts/unpack-judges` put judges that are not to be installed.
pub(crate) fn unpacked(path: &str) -> PathBuf {
    let judges = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/judges");
    let file = judges.join(path);
    assert!(
        file.exists(),
        "{} is not there: run scripts/unpack-judges",
        file.display()
    );
    file
}

/// A command that runs `xl` itself, past the wrapper that asks for a running Xen.
fn xl() -> Command {
    static LIBRARY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = LIBRARY.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("xl_without_xen.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/xl_without_xen.c");
        let output = tool("cc", "gcc")
            .args(["-shared", "-fPIC", "-w", "-o"])
            .arg(&library)
            .arg(source)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        (directory, library)
    });
    let mut command = Command::new(unpacked("usr/lib/xen-4.17/bin/xl"));
    command
        .env("LC_ALL", "C")
        .env("LD_PRELOAD", library)
        .env("LD_LIBRARY_PATH", unpacked("usr/lib/x86_64-linux-gnu"));
    command
}
