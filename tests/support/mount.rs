//! The kernel's own driver as a judge, through a loop device.

use std::path::Path;

use tempfile::TempDir;

use super::tool;

/// A mounted image; dropping it unmounts.
#[derive(Debug)]
pub(crate) struct Mounted {
    directory: TempDir,
}

impl Mounted {
    /// Mounts `image` with the driver `kind` for reading and writing.
    #[track_caller]
    pub(crate) fn new(image: &Path, kind: &str) -> Self {
        Self::with(image, kind, "loop")
    }

    /// Mounts `image` for reading only; nothing of it changes.
    #[track_caller]
    pub(crate) fn read_only(image: &Path, kind: &str) -> Self {
        Self::with(image, kind, "loop,ro")
    }

    #[track_caller]
    fn with(image: &Path, kind: &str, options: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let output = tool("mount", "mount")
            .args(["-t", kind, "-o", options])
            .args([image, directory.path()])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "mounting {} failed (tests of the kernel's driver need root and loop devices): {}",
            image.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        Self { directory }
    }

    /// Where the image is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let umount = || {
            tool("umount", "mount")
                .arg(self.directory.path())
                .output()
                .unwrap()
        };
        let mut output = umount();
        // A program that another test is just starting may still have a file of ours open.
        for _ in 0..50 {
            if output.status.success() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
            output = umount();
        }
        if !std::thread::panicking() {
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}
