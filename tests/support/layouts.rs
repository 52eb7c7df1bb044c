//! The layouts that the engine must read and edit, as mke2fs makes them.

use super::{BlockSize, ExtKind, Mkfs};

/// A layout and its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) name: &'static str,
    kind: ExtKind,
    block_size: u32,
    inode_len_bytes: u16,
    /// Features as for mke2fs's `-O`; empty for the defaults.
    features: &'static str,
    /// Further options of mke2fs.
    options: &'static str,
}

impl Layout {
    /// An image of this layout of `len_bytes` bytes.
    pub(crate) fn mkfs(&self, len_bytes: u64) -> Mkfs {
        let mkfs = Mkfs::new(self.kind, BlockSize(self.block_size), len_bytes);
        let mkfs = mkfs.inode_len_bytes(self.inode_len_bytes).options(self.options);
        if self.features.is_empty() {
            mkfs
        } else {
            mkfs.features(self.features)
        }
    }

    /// The driver that mounts it. The oldest ones are all the same one today.
    pub(crate) fn driver(&self) -> &'static str {
        self.kind.name()
    }

    /// Whether the kernel of the machine that runs the tests must mount it. Kernels need not be built with quotas,
    /// Unicode or encryption, nor have pages of 64 KiB; the block against multiple mounts makes them wait for seconds.
    pub(crate) fn is_for_kernel(&self) -> bool {
        !["project", "casefold", "mmp"].iter().any(|name| self.has(name)) && self.block_size <= 4096
    }

    /// Whether `ext4-view` reads it.
    pub(crate) fn is_for_second_reader(&self) -> bool {
        // It wants the upper half of an inode's checksum, which the oldest inodes have no room for.
        let has_half_checksums =
            self.kind == ExtKind::Ext4 && self.inode_len_bytes == 128 && !self.has("^metadata_csum");
        let features_unknown_to_it = [
            "inline_data",
            "ea_inode",
            "meta_bg",
            "large_dir",
            "mmp",
            "casefold",
            "^filetype",
            "none",
        ];
        !has_half_checksums && !features_unknown_to_it.iter().any(|name| self.has(name))
    }

    /// Whether there are blocks in reserve for more descriptors, and nothing that growing cannot do.
    pub(crate) fn can_grow(&self) -> bool {
        !["meta_bg", "sparse_super2", "^resize_inode", "none"]
            .iter()
            .any(|name| self.has(name))
    }

    /// Whether inodes have room for more than the seconds of their times.
    pub(crate) fn has_nanoseconds(&self) -> bool {
        self.inode_len_bytes > 128
    }

    /// Whether `name` is among the features that were switched on.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.features.split(',').any(|feature| feature == name)
    }
}

macro_rules! layouts {
    ($($name:literal $kind:ident $block_size:literal $inode_len:literal $features:literal $options:literal;)*) => {
        /// All layouts.
        pub(crate) const LAYOUTS: &[Layout] = &[$(Layout {
            name: $name,
            kind: ExtKind::$kind,
            block_size: $block_size,
            inode_len_bytes: $inode_len,
            features: $features,
            options: $options,
        }),*];
    };
}

layouts! {
    "ext2 1k" Ext2 1024 128 "" "";
    "ext2 4k" Ext2 4096 256 "" "";
    "ext2 bare" Ext2 1024 128 "none" "-r 0";
    "ext3 1k" Ext3 1024 128 "" "";
    "ext3 2k" Ext3 2048 256 "" "";
    "ext3 4k" Ext3 4096 128 "" "";
    "ext3 no index" Ext3 1024 256 "^dir_index,^filetype,^sparse_super,^resize_inode" "";
    "ext4 1k" Ext4 1024 256 "" "";
    "ext4 2k" Ext4 2048 256 "" "";
    "ext4 4k" Ext4 4096 256 "" "";
    "ext4 small inodes" Ext4 1024 128 "^64bit" "";
    "ext4 512-byte inodes" Ext4 2048 512 "metadata_csum_seed,orphan_file" "";
    "ext4 1024-byte inodes" Ext4 4096 1024 "stable_inodes,project" "";
    "ext4 no journal" Ext4 4096 256 "^has_journal" "";
    "ext4 uninit_bg" Ext4 1024 256 "^metadata_csum,uninit_bg,^64bit" "";
    "ext4 no checksums" Ext4 1024 256 "^metadata_csum,^uninit_bg,^flex_bg" "";
    "ext4 meta_bg" Ext4 1024 256 "meta_bg,^resize_inode" "-g 256";
    "ext4 meta_bg old" Ext4 1024 128 "meta_bg,^resize_inode,^64bit,^metadata_csum,^flex_bg" "-g 512";
    "ext4 small groups" Ext4 1024 256 "^flex_bg,^resize_inode" "-g 512";
    "ext4 sparse_super2" Ext4 1024 256 "sparse_super2,^resize_inode" "-g 2048";
    "ext4 inline_data" Ext4 4096 256 "inline_data" "";
    "ext4 inline_data large inodes" Ext4 1024 512 "inline_data,^has_journal" "";
    "ext4 ea_inode" Ext4 4096 256 "ea_inode" "";
    "ext4 ea_inode inline" Ext4 1024 256 "ea_inode,inline_data,^metadata_csum" "";
    "ext4 large_dir" Ext4 1024 256 "large_dir" "";
    "ext4 fast_commit" Ext4 4096 256 "fast_commit,orphan_file" "";
    "ext4 flex 4" Ext4 1024 256 "" "-G 4 -g 1024";
    "ext4 block maps" Ext4 2048 256 "^extent,^64bit" "";
    "ext4 mmp" Ext4 4096 256 "mmp" "";
    "ext4 casefold" Ext4 4096 256 "casefold,encrypt,verity" "";
    "ext4 64k blocks" Ext4 65536 256 "" "";
}
