//! Images made by mke2fs, the same bytes' worth of settings on every machine.

use std::fs::File;
use std::path::Path;

use super::tool;

/// A generation of the file system, with the features that mke2fs gives it by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExtKind {
    Ext2,
    Ext3,
    Ext4,
}

impl ExtKind {
    pub(crate) const ALL: [Self; 3] = [Self::Ext2, Self::Ext3, Self::Ext4];

    /// The name that mke2fs knows.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
        }
    }
}

/// A block size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockSize(pub(crate) u32);

impl BlockSize {
    pub(crate) const ALL: [Self; 3] = [Self(1024), Self(2048), Self(4096)];
}

/// What mke2fs shall make. The UUID and the hash seed are fixed.
#[derive(Debug, Clone)]
pub(crate) struct Mkfs {
    kind: ExtKind,
    block_size: BlockSize,
    inode_len_bytes: u16,
    features: Option<&'static str>,
    options: &'static str,
    len_bytes: u64,
}

impl Mkfs {
    /// A file system of `kind` on `len_bytes`, with 256-byte inodes and no further options.
    pub(crate) fn new(kind: ExtKind, block_size: BlockSize, len_bytes: u64) -> Self {
        Self {
            kind,
            block_size,
            inode_len_bytes: 256,
            features: None,
            options: "",
            len_bytes,
        }
    }

    /// The same with inodes of another length.
    pub(crate) fn inode_len_bytes(mut self, inode_len_bytes: u16) -> Self {
        self.inode_len_bytes = inode_len_bytes;
        self
    }

    /// The same with features switched as in mke2fs's `-O`.
    pub(crate) fn features(mut self, features: &'static str) -> Self {
        self.features = Some(features);
        self
    }

    /// The same with further options of mke2fs.
    pub(crate) fn options(mut self, options: &'static str) -> Self {
        self.options = options;
        self
    }

    /// How long a block is.
    pub(crate) fn block_bytes(&self) -> u64 {
        self.block_size.0.into()
    }

    /// Makes the image, filled with the files of `source` if one is given.
    pub(crate) fn make(&self, image: &Path, source: Option<&Path>) {
        File::create(image).unwrap().set_len(self.len_bytes).unwrap();
        let mut command = tool("mke2fs", "e2fsprogs");
        command
            .args(["-q", "-F", "-t", self.kind.name()])
            .args(["-b", &self.block_size.0.to_string()])
            .args(["-I", &self.inode_len_bytes.to_string()])
            .args(["-U", "6d6c6e00-0000-4000-8000-696d61676500"])
            .args(["-E", "hash_seed=6d6c6e00-0000-4000-8000-736565640000"]);
        command.args(self.options.split_whitespace());
        if let Some(features) = self.features {
            command.args(["-O", features]);
        }
        if let Some(source) = source {
            command.arg("-d").arg(source);
        }
        let output = command.arg(image).output().unwrap();
        assert!(
            output.status.success(),
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
