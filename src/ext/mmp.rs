//! Multiple mount protection: the block that says who has the file system mounted
//! (<https://docs.kernel.org/filesystems/ext4/mmp.html>).

use zerocopy::{FromBytes as _, IntoBytes as _};

use super::checksum::crc32c_raw;
use super::error::{ExtError, Place};
use super::feature;
use super::fs::Fs;
use super::raw::RawMmp;
use super::types::{FsBlock, InodeNo};

const MAGIC: u32 = 0x004D_4D50;
/// The sequence of a file system that nobody has mounted or is checking.
const SEQUENCE_CLEAN: u32 = 0xFF4D_4D50;

impl Fs {
    /// Refuses a file system that somebody has mounted or is checking, as far as it has a block that says so.
    pub(crate) fn check_not_in_use(&self) -> Result<(), ExtError> {
        if !self.superblock.features().has(feature::MMP) {
            return Ok(());
        }
        let block = FsBlock(self.superblock.raw().s_mmp_block.get());
        // The block belongs to no inode; blame the root for a number that is none.
        self.check_block(InodeNo::ROOT, block)?;
        let bytes = self.read_block(block)?;
        let place = Place::Superblock;
        let Ok((mmp, _)) = RawMmp::read_from_prefix(&bytes) else {
            return Err(ExtError::corrupt(place, "mmp block", "1024 bytes", bytes.len()));
        };
        if mmp.mmp_magic.get() != MAGIC {
            let found = format_args!("{:#x}", mmp.mmp_magic.get()).to_string();
            return Err(ExtError::corrupt(
                place,
                "magic of the mmp block",
                "0x4d4d50",
                found,
            ));
        }
        self.verify_mmp(&mmp)?;
        if mmp.mmp_seq.get() == SEQUENCE_CLEAN {
            return Ok(());
        }
        Err(ExtError::InUse {
            node: text(&mmp.mmp_nodename),
            device: text(&mmp.mmp_bdevname),
        })
    }

    fn verify_mmp(&self, mmp: &RawMmp) -> Result<(), ExtError> {
        let Some(seed) = self.superblock.checksums().seed() else {
            return Ok(());
        };
        let covered = mmp.as_bytes().split_last_chunk::<4>();
        let expected = crc32c_raw(seed, covered.map_or(&[][..], |(covered, _)| covered));
        let found = mmp.mmp_checksum.get();
        if expected != found {
            return Err(ExtError::checksum(Place::Superblock, expected, found));
        }
        Ok(())
    }
}

/// The text before the first zero byte.
fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
