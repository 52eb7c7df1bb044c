//! Swap files inside a guest: their content, made once for all guests that want the same size.
//!
//! The layout is the kernel's `union swap_header` (`include/linux/swap.h`), version 1, for pages of 4 KiB: at byte
//! 1024 the version, the last page and the number of bad pages, and `SWAPSPACE2` at the end of the first page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::ByteSize;
use crate::edit::Content;

const PAGE_BYTES: u64 = 4096;
/// The shortest swap area that `mkswap` makes, in pages.
const PAGES_MIN: u64 = 10;
/// The largest swap file that is made in memory, in bytes.
const BYTES_MAX: u64 = 1 << 30;

/// The swap files of a run, by size.
#[derive(Debug, Default)]
pub(super) struct Swaps(Mutex<BTreeMap<u64, Arc<[u8]>>>);

impl Swaps {
    /// The content of a swap file of the size `text`.
    pub(super) fn content(&self, text: &str) -> mlua::Result<Content> {
        let size: ByteSize = text.parse().map_err(mlua::Error::runtime)?;
        let pages = size.0 / PAGE_BYTES;
        if pages < PAGES_MIN || size.0 > BYTES_MAX {
            let text = format!("a swap file has 40K to 1G, and `{text}` is not in between");
            return Err(mlua::Error::runtime(text));
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = known.entry(pages).or_insert_with(|| made(pages));
        Ok(Content::Bytes(Arc::clone(bytes)))
    }
}

fn made(pages: u64) -> Arc<[u8]> {
    let length = usize::try_from(pages * PAGE_BYTES).expect("at most a gigabyte");
    let last_page = u32::try_from(pages - 1).expect("at most a gigabyte of pages");
    let mut bytes = vec![0; length];
    bytes[1024..1028].copy_from_slice(&1_u32.to_le_bytes());
    bytes[1028..1032].copy_from_slice(&last_page.to_le_bytes());
    bytes[4086..4096].copy_from_slice(b"SWAPSPACE2");
    bytes.into()
}
