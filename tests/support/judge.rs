//! e2fsck and debugfs as outside judges of an image.

use std::path::Path;
use std::process::Output;

use super::tool;

/// Panics with e2fsck's whole output unless a forced check that changes nothing finds nothing.
#[track_caller]
pub(crate) fn e2fsck_clean(image: &Path) {
    let output = e2fsck(image);
    assert!(output.status.success(), "{}", complaint(image, &output));
}

/// Panics unless e2fsck finds something wrong; returns what it printed.
#[track_caller]
pub(crate) fn e2fsck_damaged(image: &Path) -> String {
    let output = e2fsck(image);
    let text = complaint(image, &output);
    assert!(
        matches!(output.status.code(), Some(4 | 8 | 12)),
        "no damage: {text}"
    );
    text
}

/// What debugfs prints for one request, read-only.
#[track_caller]
pub(crate) fn debugfs(image: &Path, request: &str) -> String {
    let output = tool("debugfs", "e2fsprogs")
        .arg("-R")
        .arg(request)
        .arg(image)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", complaint(image, &output));
    String::from_utf8(output.stdout).unwrap()
}

/// Has debugfs change the image, one request after the other.
#[track_caller]
pub(crate) fn debugfs_write(image: &Path, requests: &[&str]) {
    for request in requests {
        let output = tool("debugfs", "e2fsprogs")
            .args(["-w", "-R", request])
            .arg(image)
            .output()
            .unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        // The first line names the program's version.
        assert!(
            output.status.success() && complaints.lines().count() == 1,
            "{request}: {complaints}"
        );
    }
}

fn e2fsck(image: &Path) -> Output {
    tool("e2fsck", "e2fsprogs")
        .arg("-fn")
        .arg(image)
        .output()
        .unwrap()
}

fn complaint(image: &Path, output: &Output) -> String {
    format!(
        "{}: {}\n{}{}",
        image.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
