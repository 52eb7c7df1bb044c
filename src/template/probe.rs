//! Whether a file is an ext2, ext3 or ext4 file system that a bake can start from. Nothing is changed.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::error::TemplateError;
use super::name::TemplateType;
use crate::base::{PathError, Timestamp};
use crate::block::{BlockDevice, FileDevice, Overlay};
use crate::disk::find_root;
use crate::ext::{ExtError, Fs};

/// What people take for an image of a file system: where its mark lies, the mark, and what to do.
const LOOKALIKES: [(u64, &[u8], &str); 6] = [
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
];

/// The file system in a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileSystem {
    /// The oldest generation of ext that knows every feature in use.
    #[serde(rename = "type")]
    pub file_type: TemplateType,
    /// The names of the features, as mke2fs has them.
    pub features: Vec<String>,
    /// Its UUID.
    pub uuid: String,
    /// The volume's name; often empty.
    pub label: String,
    /// The length of a block in bytes.
    pub block_size: u32,
    /// All blocks.
    pub blocks: u64,
    /// The free blocks.
    pub free_blocks: u64,
    /// All inodes.
    pub inodes: u64,
    /// The free inodes.
    pub free_inodes: u64,
    /// The number of the partition that it lies in; `None` where the template is no whole disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
}

/// Looks at the file system in `file` and refuses what no bake can start from: what is truncated, damaged, not clean or
/// has features that cannot be edited. `path` is for messages; `partition` is the root of a whole disk, where it is
/// named.
pub(super) fn probe(file: &File, path: &Path, partition: Option<&str>) -> Result<FileSystem, TemplateError> {
    let handle = file.try_clone();
    let device = handle
        .and_then(|handle| FileDevice::from_file(handle, false))
        .map_err(PathError::on("read", path))?;
    let device: Arc<dyn BlockDevice> = Arc::new(device);
    let on_disk = |source| TemplateError::Disk {
        path: path.to_path_buf(),
        source,
    };
    let root = find_root(&*device, partition).map_err(on_disk)?;
    let device = root.on(device).map_err(on_disk)?;
    // Nothing will be edited, so that the time does not matter; the checks are those before an edit, and what a journal
    // holds is put in place in memory, as a bake will do it.
    let overlay = Arc::new(Overlay::new(device));
    let (fs, _) = Fs::recover(overlay, Timestamp::default()).map_err(|error| match error {
        ExtError::NotExt => TemplateError::NotExt {
            path: path.to_path_buf(),
            hint: lookalike(file),
        },
        source => TemplateError::Ext {
            path: path.to_path_buf(),
            source,
        },
    })?;
    let number = root.partition().map(|partition| partition.number);
    describe(&fs, number).map_err(TemplateError::Name)
}

fn describe(fs: &Fs, partition: Option<u32>) -> Result<FileSystem, super::name::NameError> {
    let superblock = fs.superblock();
    let usage = fs.usage();
    Ok(FileSystem {
        file_type: superblock.type_name().parse()?,
        features: superblock.features().names().map(ToOwned::to_owned).collect(),
        uuid: Uuid::from_bytes(superblock.uuid()).to_string(),
        label: String::from_utf8_lossy(superblock.volume_name()).into_owned(),
        block_size: fs.block_size().bytes(),
        blocks: usage.blocks,
        free_blocks: usage.free_blocks,
        inodes: usage.inodes,
        free_inodes: usage.free_inodes,
        partition,
    })
}

/// What `file` looks like instead.
fn lookalike(file: &File) -> Option<&'static str> {
    LOOKALIKES.into_iter().find_map(|(offset, mark, advice)| {
        let mut found = vec![0; mark.len()];
        let read = file.read_exact_at(&mut found, offset);
        (read.is_ok() && found == mark).then_some(advice)
    })
}
