//! Whether a file is an ext2, ext3 or ext4 file system that a bake can start from. Nothing is changed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::error::TemplateError;
use super::name::TemplateType;
use crate::base::PathError;

/// Where the superblock begins, in bytes.
const SUPERBLOCK_OFFSET: u64 = 1024;
/// `s_magic`.
const MAGIC: u16 = 0xEF53;
/// `s_state`: unmounted cleanly.
const STATE_CLEAN: u16 = 0x0001;
/// `s_state`: errors were seen.
const STATE_ERRORS: u16 = 0x0002;
/// `s_feature_compat`: has a journal.
const COMPAT_HAS_JOURNAL: u32 = 0x0004;
/// `s_feature_incompat`: the journal has to be replayed.
const INCOMPAT_RECOVER: u32 = 0x0004;
/// `s_feature_incompat`: numbers of blocks have 64 bits.
const INCOMPAT_64BIT: u32 = 0x0080;
/// The incompatible features that the ext3 of the kernel knew: filetype, recover, `meta_bg`.
const INCOMPAT_EXT3: u32 = 0x0002 | INCOMPAT_RECOVER | 0x0010;
/// The read-only compatible features that ext3 knew: `sparse_super`, `large_file`, btree directories.
const RO_COMPAT_EXT3: u32 = 0x0007;

/// Files that people take for an image of a file system: where their mark lies, the mark, and what to do.
const LOOKALIKES: [(u64, &[u8], &str); 7] = [
    (0, b"\x1f\x8b", "it is compressed with gzip, unpack it"),
    (0, b"\xfd7zXZ\0", "it is compressed with xz, unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "it is compressed with zstd, unpack it"),
    (0, b"BZh", "it is compressed with bzip2, unpack it"),
    (
        0,
        b"QFI\xfb",
        "it is a qcow2 image, make a raw one with `qemu-img convert -O raw`",
    ),
    (257, b"ustar", "it is a tar archive"),
    (
        510,
        b"\x55\xaa",
        "it is a whole disk, take the root partition out of it",
    ),
];

/// Finds the type of the file system in `file`, and refuses what is truncated or not clean. `path` is for messages.
pub(super) fn probe(file: &File, path: &Path) -> Result<TemplateType, TemplateError> {
    let superblock = read_superblock(file).map_err(PathError::on("read", path))?;
    let Some(superblock) = superblock.filter(|superblock| superblock.u16(0x38) == MAGIC) else {
        return Err(TemplateError::NotExt {
            path: path.to_path_buf(),
            hint: lookalike(file),
        });
    };
    let len_bytes = file.metadata().map_err(PathError::on("read", path))?.len();
    let needed_bytes = superblock.needed_bytes();
    if needed_bytes > len_bytes {
        return Err(TemplateError::Truncated {
            path: path.to_path_buf(),
            needed_bytes,
            len_bytes,
        });
    }
    if let Some(reason) = superblock.unclean() {
        return Err(TemplateError::NotClean {
            path: path.to_path_buf(),
            reason,
        });
    }
    Ok(superblock.file_type())
}

/// The superblock's bytes, as in the file.
struct Superblock([u8; 1024]);

impl Superblock {
    fn u16(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.0[offset], self.0[offset + 1]])
    }

    fn u32(&self, offset: usize) -> u32 {
        u32::from(self.u16(offset)) | u32::from(self.u16(offset + 2)) << 16
    }

    /// `s_blocks_count` times the block size; the largest number where that does not fit.
    fn needed_bytes(&self) -> u64 {
        let high = match self.u32(0x60) & INCOMPAT_64BIT {
            0 => 0,
            _ => self.u32(0x150),
        };
        let blocks_count = u64::from(high) << 32 | u64::from(self.u32(0x04));
        1024_u64
            .checked_shl(self.u32(0x18))
            .and_then(|block_size| blocks_count.checked_mul(block_size))
            .unwrap_or(u64::MAX)
    }

    /// Why nobody should build upon this file system, if so.
    fn unclean(&self) -> Option<&'static str> {
        if self.u32(0x60) & INCOMPAT_RECOVER != 0 {
            return Some("has a journal that was not replayed");
        }
        let state = self.u16(0x3A);
        if state & STATE_ERRORS != 0 {
            return Some("is marked as having errors");
        }
        (state & STATE_CLEAN == 0).then_some("was not unmounted cleanly")
    }

    /// The oldest generation of ext whose kernel code knew every feature in use.
    fn file_type(&self) -> TemplateType {
        if self.u32(0x60) & !INCOMPAT_EXT3 != 0 || self.u32(0x64) & !RO_COMPAT_EXT3 != 0 {
            TemplateType::Ext4
        } else if self.u32(0x5C) & COMPAT_HAS_JOURNAL != 0 {
            TemplateType::Ext3
        } else {
            TemplateType::Ext2
        }
    }
}

/// The superblock of `file`; `None` when it is too short to have one.
fn read_superblock(file: &File) -> io::Result<Option<Superblock>> {
    let mut superblock = Superblock([0; 1024]);
    match file.read_exact_at(&mut superblock.0, SUPERBLOCK_OFFSET) {
        Ok(()) => Ok(Some(superblock)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// What `file` looks like instead.
fn lookalike(file: &File) -> Option<&'static str> {
    LOOKALIKES.into_iter().find_map(|(offset, mark, advice)| {
        let mut found = vec![0; mark.len()];
        let read = file.read_exact_at(&mut found, offset);
        (read.is_ok() && found == mark).then_some(advice)
    })
}
