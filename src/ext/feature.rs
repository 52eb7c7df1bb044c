//! The feature bits: one table of what can be edited, what can only be read, and what is refused
//! (<https://docs.kernel.org/filesystems/ext4/super.html>, `s_feature_*`). Names are mke2fs's.
//!
//! Some features concern single inodes only (`encrypt`, `casefold`, `verity`, `compression`): the file system can be
//! edited, those inodes cannot (`obstacle`).

use super::error::{Access, ExtError};

/// The three words of feature bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// Whoever does not know one of these may do everything.
    pub compat: u32,
    /// Whoever does not know one of these may do nothing.
    pub incompat: u32,
    /// Whoever does not know one of these may only read.
    pub ro_compat: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Compat,
    Incompat,
    RoCompat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    Edit,
    Read,
    Refuse,
}

/// One feature bit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Feature {
    word: Word,
    bit: u32,
    name: &'static str,
    support: Support,
}

macro_rules! features {
    ($($constant:ident = $word:ident $bit:literal $name:literal $support:ident;)*) => {
        $(
            #[allow(dead_code, reason = "the table is whole; not every row is asked for by name")]
            pub(crate) const $constant: Feature =
                Feature { word: Word::$word, bit: $bit, name: $name, support: Support::$support };
        )*
        const TABLE: &[Feature] = &[$($constant),*];
    };
}

features! {
    HAS_JOURNAL = Compat 0x4 "has_journal" Edit;
    EXT_ATTR = Compat 0x8 "ext_attr" Edit;
    RESIZE_INODE = Compat 0x10 "resize_inode" Edit;
    DIR_INDEX = Compat 0x20 "dir_index" Edit;
    SPARSE_SUPER2 = Compat 0x200 "sparse_super2" Edit;
    FAST_COMMIT = Compat 0x400 "fast_commit" Edit;
    STABLE_INODES = Compat 0x800 "stable_inodes" Edit;
    ORPHAN_FILE = Compat 0x1000 "orphan_file" Edit;
    COMPRESSION = Incompat 0x1 "compression" Edit;
    FILETYPE = Incompat 0x2 "filetype" Edit;
    NEEDS_RECOVERY = Incompat 0x4 "needs_recovery" Edit;
    JOURNAL_DEV = Incompat 0x8 "journal_dev" Refuse;
    META_BG = Incompat 0x10 "meta_bg" Edit;
    EXTENT = Incompat 0x40 "extent" Edit;
    IS_64BIT = Incompat 0x80 "64bit" Edit;
    MMP = Incompat 0x100 "mmp" Edit;
    FLEX_BG = Incompat 0x200 "flex_bg" Edit;
    EA_INODE = Incompat 0x400 "ea_inode" Edit;
    DIRDATA = Incompat 0x1000 "dirdata" Refuse;
    CSUM_SEED = Incompat 0x2000 "metadata_csum_seed" Edit;
    LARGE_DIR = Incompat 0x4000 "large_dir" Edit;
    INLINE_DATA = Incompat 0x8000 "inline_data" Edit;
    ENCRYPT = Incompat 0x10000 "encrypt" Edit;
    CASEFOLD = Incompat 0x20000 "casefold" Edit;
    SPARSE_SUPER = RoCompat 0x1 "sparse_super" Edit;
    LARGE_FILE = RoCompat 0x2 "large_file" Edit;
    HUGE_FILE = RoCompat 0x8 "huge_file" Edit;
    GDT_CSUM = RoCompat 0x10 "uninit_bg" Edit;
    DIR_NLINK = RoCompat 0x20 "dir_nlink" Edit;
    EXTRA_ISIZE = RoCompat 0x40 "extra_isize" Edit;
    QUOTA = RoCompat 0x100 "quota" Read;
    BIGALLOC = RoCompat 0x200 "bigalloc" Read;
    METADATA_CSUM = RoCompat 0x400 "metadata_csum" Edit;
    READONLY = RoCompat 0x1000 "read-only" Read;
    PROJECT = RoCompat 0x2000 "project" Edit;
    SHARED_BLOCKS = RoCompat 0x4000 "shared_blocks" Read;
    VERITY = RoCompat 0x8000 "verity" Edit;
    ORPHAN_PRESENT = RoCompat 0x10000 "orphan_present" Edit;
}

impl Feature {
    /// The word `bits` without this feature, which must be one of that word's.
    pub(crate) fn cleared(self, bits: u32) -> u32 {
        bits & !self.bit
    }

    /// What mke2fs calls it.
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    /// The bit within its word.
    pub(crate) fn bit(self) -> u32 {
        self.bit
    }
}

impl Features {
    /// Whether `feature` is on.
    pub(crate) fn has(self, feature: Feature) -> bool {
        self.word(feature.word) & feature.bit != 0
    }

    /// Whether group descriptors carry checksums, and so may mark bitmaps and inode tables as not initialised.
    pub(crate) fn has_group_checksums(self) -> bool {
        self.has(METADATA_CSUM) || self.has(GDT_CSUM)
    }

    /// Refuses, by name, the features that stand against `access`.
    ///
    /// # Errors
    /// [`ExtError::Unsupported`].
    pub fn check(self, access: Access) -> Result<(), ExtError> {
        let mut names: Vec<String> = TABLE
            .iter()
            .filter(|feature| self.has(**feature) && !allows(feature.support, access))
            .map(|feature| feature.name.to_owned())
            .collect();
        self.unknown(Word::Incompat, &mut names);
        if access == Access::Edit {
            self.unknown(Word::RoCompat, &mut names);
        }
        if names.is_empty() {
            Ok(())
        } else {
            Err(ExtError::Unsupported { access, names })
        }
    }

    /// The names of the features that are on, in the table's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        TABLE
            .iter()
            .filter(move |feature| self.has(**feature))
            .map(|feature| feature.name)
    }

    fn word(self, word: Word) -> u32 {
        match word {
            Word::Compat => self.compat,
            Word::Incompat => self.incompat,
            Word::RoCompat => self.ro_compat,
        }
    }

    /// Adds a name for each bit of `word` that is not in the table.
    fn unknown(self, word: Word, names: &mut Vec<String>) {
        let known = TABLE
            .iter()
            .filter(|feature| feature.word == word)
            .fold(0, |bits, feature| bits | feature.bit);
        let unknown = self.word(word) & !known;
        if unknown != 0 {
            let kind = if word == Word::Incompat {
                "incompat"
            } else {
                "ro_compat"
            };
            names.push(format!("unknown {kind} bits {unknown:#x}"));
        }
    }
}

fn allows(support: Support, access: Access) -> bool {
    match support {
        Support::Edit => true,
        Support::Read => access == Access::Read,
        Support::Refuse => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(incompat: u32, ro_compat: u32) -> Features {
        Features {
            compat: 0,
            incompat,
            ro_compat,
        }
    }

    #[test]
    fn unknown_features_are_refused_by_name() {
        let refusal = features(0x42 | 0x8, 0x200).check(Access::Edit).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the file system has features that cannot be edited: journal_dev, bigalloc"
        );
        let refusal = features(0x4000_0000, 0).check(Access::Read).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the file system has features that cannot be read: unknown incompat bits 0x40000000"
        );
    }

    #[test]
    fn read_only_features_do_not_hinder_reading() {
        features(0x40, 0x4000_0200).check(Access::Read).unwrap();
        features(0x40, 0x200).check(Access::Edit).unwrap_err();
        features(0, 0x4000_0000).check(Access::Edit).unwrap_err();
    }
}
