//! What the behaviour tests share: outside judges, images made by mke2fs, and a second reader's view of an image.
//!
//! A judge that is not installed fails the test with the name of the Debian package that has it; nothing is skipped.

pub(crate) mod accounts;
pub(crate) mod bakery;
pub(crate) mod debian;
pub(crate) mod delta_lab;
pub(crate) mod desk;
pub(crate) mod disk;
pub(crate) mod families;
mod judge;
pub(crate) mod lab;
pub(crate) mod layouts;
pub(crate) mod memory_guest;
mod mkfs;
mod mount;
pub(crate) mod plugins;
pub(crate) mod program;
pub(crate) mod project;
pub(crate) mod project_table;
mod random;
pub(crate) mod recovery;
pub(crate) mod registry;
pub(crate) mod running;
pub(crate) mod scripts;
pub(crate) mod snapshot;
pub(crate) mod store;
pub(crate) mod templates;
mod tree;
pub(crate) mod xl;

use std::env;
use std::path::Path;
use std::process::Command;

use mln_image::base::digest::Sha256Digest;
use mln_image::base::process;

pub(crate) use judge::{debugfs, debugfs_write, e2fsck_clean, e2fsck_damaged};
pub(crate) use mkfs::{BlockSize, ExtKind, Mkfs};
pub(crate) use mount::Mounted;
pub(crate) use random::runner;
pub(crate) use tree::{Content, Node, Tree};

/// A command that runs `program`, which the Debian package `package` brings.
pub(crate) fn tool(program: &str, package: &str) -> Command {
    match process::find(program, env::var_os("PATH").as_ref()) {
        Some(path) => {
            let mut command = Command::new(path);
            command.env("LC_ALL", "C").env("TZ", "UTC");
            command
        }
        None => panic!("`{program}` is not installed: the tests need the Debian package `{package}`"),
    }
}

/// The digest of the whole file, holes included.
pub(crate) fn sha256(path: &Path) -> Sha256Digest {
    Sha256Digest::of_reader(std::fs::File::open(path).unwrap()).unwrap()
}
