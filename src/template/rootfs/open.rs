//! What an archive is made of: compressed or not, a tree or the layers of an image.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read, Seek as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tar::{EntryType, Header};

use super::archive::Archive;
use super::blob::Blobs;
use super::builder::Builder;
use super::error::RootfsError;
use super::layout;
use crate::base::PathError;

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// Where a tar header has its mark, and the mark.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// How many bytes tell what an archive is.
const MAGIC_LEN: usize = 8192;

/// How much is read ahead.
const BUFFER_LEN: usize = 1 << 20;

/// What the first entry of an archive of an image layout is called, by which program ever it was made.
const LAYOUT_NAMES: [&str; 6] = [
    "oci-layout",
    "index.json",
    "blobs",
    "blobs/",
    "manifest.json",
    "repositories",
];

/// The first bytes of the file at `path`.
pub(in crate::template) fn magic_of(path: &Path) -> Result<Vec<u8>, PathError> {
    let mut magic = Vec::new();
    let file = File::open(path).map_err(PathError::on("open", path))?;
    let read = file.take(MAGIC_LEN as u64).read_to_end(&mut magic);
    read.map_err(PathError::on("read", path))?;
    Ok(magic)
}

/// Whether a file that begins with `magic` is an archive.
pub(in crate::template) fn is_archive(magic: &[u8]) -> bool {
    let has_mark = magic.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1));
    has_mark || magic.starts_with(GZIP) || magic.starts_with(ZSTD)
}

/// Fills `builder` from the archive at `path`.
pub(super) fn fill_file(builder: &mut Builder, path: &Path, platform: &str) -> Result<(), RootfsError> {
    let mut file = File::open(path).map_err(PathError::on("open", path))?;
    let magic = magic_of(path)?;
    if is_layout_archive(&magic) {
        return layout::fill(builder, &Blobs::archive(file)?, platform);
    }
    fill_stream(builder, Box::new(&mut file), platform)
}

/// Fills `builder` from an archive that is read once.
pub(super) fn fill_stream(
    builder: &mut Builder,
    mut input: Box<dyn Read + '_>,
    platform: &str,
) -> Result<(), RootfsError> {
    let mut plain = peeked(decompressed(&mut input)?)?;
    if !is_layout_archive(plain.get_ref().0.get_ref()) {
        return Archive::new(&mut plain).read_all(builder);
    }
    // Layers come in any order, so that the archive has to lie somewhere.
    let mut file = tempfile::tempfile().map_err(RootfsError::Read)?;
    io::copy(&mut plain, &mut file)
        .and_then(|_| file.rewind())
        .map_err(RootfsError::Read)?;
    layout::fill(builder, &Blobs::archive(file)?, platform)
}

/// `input` with any compression taken off.
pub(super) fn decompressed<'a>(input: &'a mut (dyn Read + 'a)) -> Result<Box<dyn Read + 'a>, RootfsError> {
    let input = peeked(BufReader::with_capacity(BUFFER_LEN, input))?;
    let magic = input.get_ref().0.get_ref();
    if magic.starts_with(GZIP) {
        return Ok(Box::new(MultiGzDecoder::new(input)));
    }
    if magic.starts_with(ZSTD) {
        let decoder = zstd::Decoder::new(input).map_err(RootfsError::Read)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(input))
}

/// `input`, its first bytes known.
fn peeked<R: Read>(mut input: R) -> Result<Chain<Cursor<Vec<u8>>, R>, RootfsError> {
    let mut magic = Vec::new();
    let read = (&mut input).take(MAGIC_LEN as u64).read_to_end(&mut magic);
    read.map_err(RootfsError::Read)?;
    Ok(Cursor::new(magic).chain(input))
}

/// Whether the archive that begins with `bytes` holds an image layout rather than a tree: told by its first entry, that
/// of its own top aside.
fn is_layout_archive(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<512>() {
        let header = Header::from_byte_slice(block);
        if !block.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) {
            return false;
        }
        let name = header.path_bytes();
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        let is_extension = matches!(header.entry_type(), EntryType::XHeader | EntryType::XGlobalHeader);
        if !is_extension && !name.is_empty() {
            return LAYOUT_NAMES.iter().any(|known| known.as_bytes() == name)
                || name.starts_with(b"blobs/sha256/");
        }
        let size = header
            .entry_size()
            .unwrap_or(u64::MAX)
            .checked_next_multiple_of(512);
        let size = size.and_then(|size| usize::try_from(size).ok());
        rest = size.and_then(|size| after.get(size..)).unwrap_or_default();
    }
    false
}
