//! A tar archive of a system becomes ext file systems: unpacked where owners can be kept, then handed to mke2fs.
//!
//! As root this needs nothing; anyone else works in a user namespace, in which the user is root and the further ids of
//! the archive are the user's subordinate ones. The unpacked tree lies in a tmpfs of a mount namespace of its own, so
//! that nothing of it is left over, whatever happens.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::error::TemplateError;
use super::name::{TemplateName, TemplateType};
use super::tools::{self, BuildHost};
use crate::base::ByteSize;

/// The programs that the work needs beside those of the archive, with the Debian packages that bring them.
pub(super) const PROGRAMS: [(&str, &str); 2] = [("mke2fs", "e2fsprogs"), ("mount", "mount")];

/// The name space of the identifiers that templates get.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d6c_6e2d_696d_6167_8574_656d_706c_6174);

/// Unpacks `$2` below `$1` and makes one file system of it for each further four words: type, UUID, hash seed, file.
///
/// Device nodes are left out: no user namespace may make them, and every kernel of today mounts a devtmpfs. Blocks are
/// of 4 KiB whatever the size, because UML's copy-on-write files lose smaller ones.
const SCRIPT: &str = r#"
tree=$1 archive=$2
shift 2
mount -t tmpfs -o mode=0755 tmpfs "$tree"
tar --extract --file="$archive" --directory="$tree" --numeric-owner --same-owner --same-permissions \
    --xattrs --xattrs-include='*' --exclude='./dev/*'
while [ $# -gt 0 ]; do
    mke2fs -q -F -t "$1" -b 4096 -m 1 -U "$2" -E "hash_seed=$3,root_owner=0:0" -d "$tree" "$4"
    shift 4
done
"#;

/// A file system to make.
#[derive(Debug)]
pub(super) struct PackedImage {
    /// The template's name, which gives the file system its identifiers.
    pub(super) name: TemplateName,
    /// The type that mke2fs makes.
    pub(super) file_type: TemplateType,
    /// The file, which has the wanted length already.
    pub(super) file: PathBuf,
}

/// Makes every one of `images` of the system in `archive`. `tree` is an empty directory to work over; `content_seconds`
/// is when the file systems claim to have been made.
pub(super) fn make_images(
    archive: &Path,
    tree: &Path,
    images: &[PackedImage],
    content_seconds: i64,
    host: &BuildHost,
) -> Result<(), TemplateError> {
    let mut command = host.command("unshare");
    if !host.is_root {
        command.args(["--user", "--map-root-user", "--map-auto"]);
    }
    command
        .env("E2FSPROGS_FAKE_TIME", content_seconds.max(0).to_string())
        .env("SOURCE_DATE_EPOCH", content_seconds.max(0).to_string())
        .args(["--mount", "--", "sh", "-euc", SCRIPT, "sh"])
        .arg(tree)
        .arg(archive);
    for image in images {
        command
            .arg(image.file_type.as_str())
            .arg(identifier(&image.name, "uuid").to_string())
            .arg(identifier(&image.name, "hash seed").to_string())
            .arg(&image.file);
    }
    tools::run("mke2fs", &mut command, |_| {}).map_err(TemplateError::process("make the file system"))
}

/// The identifier that the template `name` has for `purpose`, the same on every machine.
pub(super) fn identifier(name: &TemplateName, purpose: &str) -> Uuid {
    Uuid::new_v5(
        &NAMESPACE,
        format!("{} {purpose}", name.without_version()).as_bytes(),
    )
}

/// Says when `size` is no size for a file system of 4 KiB blocks.
pub(super) fn whole_blocks(size: ByteSize) -> ByteSize {
    ByteSize(size.0 / 4096 * 4096)
}
