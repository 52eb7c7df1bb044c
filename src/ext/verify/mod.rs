//! The engine's own full check: everything that e2fsck would complain about, found without changing anything.
//!
//! ```text
//!   1 every inode   --> Census: who is what, where directories lie     Claims: which block is whose
//!   2 directories   --> names counted for each inode, parents
//!   3 the tree      --> is everything reached from the root, by as many names as it says
//!   4 bitmaps       --> Claims and Census against bitmaps and counts
//! ```
//!
//! The check reads maps and entries with its own eyes rather than through the readers of the engine, so that a fault
//! in one is seen by the other. It never follows a block twice, and so ends on any input.

mod attributes;
mod bitmaps;
mod census;
mod checked;
mod claims;
mod directories;
mod extents;
mod finding;
mod hash_tree;
mod indirect;
mod inodes;
mod layered;
mod mapped;
mod reserved;
mod tree;

use std::sync::Arc;

use self::census::Census;
use self::claims::Claims;
use self::finding::Report;
use super::error::{Access, ExtError, Place};
use super::fs::Fs;
use super::types::GroupNo;
use crate::block::BlockDevice;

pub use checked::Checked;
pub use finding::Finding;

impl Fs {
    /// Checks the whole file system, changes included, and tells what is wrong, at most 1000 things.
    ///
    /// # Errors
    /// What the device answers; [`ExtError::Unsupported`] for features whose structures the engine cannot judge.
    pub fn check(&self) -> Result<Vec<Finding>, ExtError> {
        let mut report = Report::default();
        survey(self, &mut report)?;
        Ok(report.into_findings())
    }
}

/// Reads everything, and judges it.
fn survey(fs: &Fs, report: &mut Report) -> Result<(Census, Claims), ExtError> {
    fs.superblock.features().check(Access::Edit)?;
    let mut claims = Claims::of_tables(fs, report);
    let mut census = Census::take(fs, &mut claims, report)?;
    directories::count_names(fs, &mut census, report)?;
    judge_whole(fs, &census, &claims, |_| false, report)?;
    Ok((census, claims))
}

/// Judges what belongs to no single inode; the bitmaps of groups that are `known` to be right are taken for that.
fn judge_whole(
    fs: &Fs,
    census: &Census,
    claims: &Claims,
    known: impl Fn(GroupNo) -> bool,
    report: &mut Report,
) -> Result<(), ExtError> {
    if let Err(ExtError::NeedsCheck { state }) = fs.superblock.check_editable() {
        report.add(Place::Superblock, "state", "clean", state);
    }
    let usage = fs.usage();
    if usage.reserved_blocks > usage.blocks / 2 {
        let most = format_args!("at most half of {}", usage.blocks).to_string();
        report.add(Place::Superblock, "reserved blocks", most, usage.reserved_blocks);
    }
    census.judge_journal(fs, report)?;
    tree::judge(census, fs, report);
    bitmaps::judge(fs, census, claims, known, report)
}

/// Opens and checks the file system on `device`; damage that keeps it from being opened is a finding too.
///
/// # Errors
/// As [`Fs::open`] and [`Fs::check`], but for [`ExtError::Corrupt`] and [`ExtError::Truncated`].
pub fn check(device: Arc<dyn BlockDevice>) -> Result<Vec<Finding>, ExtError> {
    let mut report = Report::default();
    match Fs::open(device) {
        Ok(fs) => fs.check(),
        Err(ExtError::Truncated {
            expected_bytes,
            found_bytes,
        }) => {
            report.add(Place::Superblock, "length in bytes", expected_bytes, found_bytes);
            Ok(report.into_findings())
        }
        Err(error) => {
            report.absorb::<()>(Err(error))?;
            Ok(report.into_findings())
        }
    }
}
