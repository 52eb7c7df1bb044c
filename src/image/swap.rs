//! Swap images, as `mkswap` makes them: a header in the first page and nothing else.
//!
//! The layout is the kernel's `union swap_header` (`include/linux/swap.h`), version 1, little-endian, for 4 KiB pages:
//!
//! ```text
//!      0  boot bits, zero
//!   1024  version = 1 | last_page | nr_badpages = 0 | uuid | volume name, zero
//!   4086  "SWAPSPACE2"
//! ```

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use uuid::Uuid;
use zerocopy::little_endian::U32;
use zerocopy::{Immutable, IntoBytes, KnownLayout};

use super::error::ImageError;
use crate::base::{AtomicFile, PathError};

/// How many bytes a page has on every machine that we make images for.
const PAGE_BYTES: u64 = 4096;

/// The shortest swap area, in pages, that `mkswap` makes.
const LEAST_PAGES: u64 = 10;

/// Where the header begins, behind the boot bits.
const HEADER_OFFSET_BYTES: u64 = 1024;

/// The signature of version 1, at the end of the first page.
const SIGNATURE: &[u8; 10] = b"SWAPSPACE2";

/// Where the signature begins.
const SIGNATURE_OFFSET_BYTES: u64 = 4086;

/// The header's fields, named as in the kernel.
#[derive(IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct SwapHeader {
    version: U32,
    last_page: U32,
    nr_badpages: U32,
    sws_uuid: [u8; 16],
    sws_volume: [u8; 16],
}

const _: () = assert!(size_of::<SwapHeader>() == 44);

/// Writes a swap image of `len_bytes`, ready to be persisted as `destination`. It takes a page of disk.
pub fn write(destination: &Path, len_bytes: u64, uuid: Uuid) -> Result<AtomicFile, ImageError> {
    let pages = len_bytes / PAGE_BYTES;
    if pages < LEAST_PAGES {
        return Err(ImageError::SmallSwap {
            len_bytes,
            least_bytes: LEAST_PAGES.saturating_mul(PAGE_BYTES),
        });
    }
    let header = SwapHeader {
        version: U32::new(1),
        last_page: U32::new(u32::try_from(pages.saturating_sub(1)).unwrap_or(u32::MAX)),
        nr_badpages: U32::ZERO,
        sws_uuid: uuid.into_bytes(),
        sws_volume: [0; 16],
    };
    let unfinished = AtomicFile::create_private(destination)?;
    let file = unfinished.file();
    file.set_len(len_bytes)
        .and_then(|()| file.write_all_at(header.as_bytes(), HEADER_OFFSET_BYTES))
        .and_then(|()| file.write_all_at(SIGNATURE, SIGNATURE_OFFSET_BYTES))
        .map_err(PathError::on("write", unfinished.temporary_path()))?;
    Ok(unfinished)
}
