//! What both kinds of qcow2 images have: the header's cluster, and tables of numbers.

use zerocopy::big_endian::{U16, U32, U64};
use zerocopy::{Immutable, IntoBytes};

use super::super::run_writer::RunWriter;
use super::error::QcowError;
use super::raw::{
    COMPRESSION_ZSTD, EXTENSION_BACKING_FORMAT, HEADER_LENGTH, Header, HeaderExtension,
    INCOMPATIBLE_COMPRESSION_TYPE, MAGIC, MOST_L1_BYTES, REFCOUNT_ORDER, VERSION,
};
use crate::block::{DeviceError, UNIT_BYTES, is_zero};

/// The bytes of an entry of the L1, L2 and refcount tables.
const ENTRY_BYTES: u64 = 8;

/// The bytes of a refcount.
const REFCOUNT_BYTES: u64 = 2;

/// The size of an image's clusters, as its power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClusterBits(pub(super) u32);

impl ClusterBits {
    /// The bytes of a cluster.
    pub(super) fn bytes(self) -> u64 {
        1_u64.checked_shl(self.0).unwrap_or(u64::MAX)
    }

    /// How many clusters an L2 table maps.
    pub(super) fn l2_entries(self) -> u64 {
        self.bytes() / ENTRY_BYTES
    }

    /// The number of the cluster that holds `offset_bytes`.
    pub(super) fn cluster_of(self, offset_bytes: u64) -> u64 {
        offset_bytes.checked_div(self.bytes()).unwrap_or_default()
    }

    /// The number of the L2 table that maps `cluster`.
    pub(super) fn table_of(self, cluster: u64) -> u64 {
        cluster.checked_div(self.l2_entries()).unwrap_or_default()
    }

    /// Where in its L2 table `cluster` is mapped.
    pub(super) fn index_in_table(self, cluster: u64) -> u64 {
        cluster.checked_rem(self.l2_entries()).unwrap_or_default()
    }

    /// How many clusters `len_bytes` take.
    pub(super) fn clusters(self, len_bytes: u64) -> u64 {
        len_bytes.div_ceil(self.bytes())
    }

    /// Where the cluster of this number lies.
    pub(super) fn offset(self, cluster: u64) -> u64 {
        cluster.saturating_mul(self.bytes())
    }

    /// The number of L1 entries of an image, if that is an image that QEMU opens.
    pub(super) fn l1_entries(self, len_bytes: u64) -> Result<u64, QcowError> {
        if !len_bytes.is_multiple_of(512) {
            return Err(QcowError::PartSector { len_bytes });
        }
        let mapped = self.bytes().saturating_mul(self.l2_entries());
        let most_entries = MOST_L1_BYTES / ENTRY_BYTES;
        let entries = len_bytes.div_ceil(mapped);
        if entries > most_entries {
            let most_bytes = most_entries.saturating_mul(mapped);
            return Err(QcowError::TooLong {
                len_bytes,
                most_bytes,
            });
        }
        Ok(entries)
    }
}

/// How many clusters the refcounts take, and where their two parts begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RefcountPlace {
    pub(super) table_clusters: u64,
    pub(super) block_clusters: u64,
}

impl RefcountPlace {
    /// The refcounts for `others` clusters and for themselves.
    pub(super) fn of(bits: ClusterBits, others: u64) -> Self {
        let mut place = Self {
            table_clusters: 1,
            block_clusters: 1,
        };
        // More blocks may need more blocks: each round only grows, by far less than the last, and so ends.
        loop {
            let counted = others.saturating_add(place.clusters());
            let block_clusters = bits.clusters(counted.saturating_mul(REFCOUNT_BYTES));
            let table_clusters = bits.clusters(block_clusters.saturating_mul(ENTRY_BYTES));
            let next = Self {
                table_clusters,
                block_clusters,
            };
            if next == place {
                return place;
            }
            place = next;
        }
    }

    /// How many clusters the refcounts take in all.
    pub(super) fn clusters(self) -> u64 {
        self.table_clusters.saturating_add(self.block_clusters)
    }

    /// Writes the table at the cluster `first`, and behind it the blocks with `counts` from the first cluster on.
    pub(super) fn write(
        self,
        bits: ClusterBits,
        first: u64,
        counts: &[U16],
        runs: &mut RunWriter<'_>,
    ) -> Result<(), DeviceError> {
        let first_block = first.saturating_add(self.table_clusters);
        let table: Vec<U64> = (0..self.block_clusters)
            .map(|block| U64::new(bits.offset(first_block.saturating_add(block))))
            .collect();
        push_table(runs, bits.offset(first), &table)?;
        push_table(runs, bits.offset(first_block), counts)
    }
}

/// Pushes a table's bytes, leaving holes where there is nothing but zeros. A short last page is filled up, so that what
/// follows in the next cluster goes to the disk in the same write.
pub(super) fn push_table<T: IntoBytes + Immutable>(
    runs: &mut RunWriter<'_>,
    mut offset_bytes: u64,
    table: &[T],
) -> Result<(), DeviceError> {
    for bytes in table.as_bytes().chunks(UNIT_BYTES) {
        if !is_zero(bytes) {
            let mut page = [0; UNIT_BYTES];
            page.split_at_mut(bytes.len()).0.copy_from_slice(bytes);
            runs.push(offset_bytes, &page)?;
        }
        offset_bytes = offset_bytes.saturating_add(number(bytes.len()));
    }
    Ok(())
}

/// Sets an entry of a table; a cluster of the image has its place in the tables that were made for the image's length.
pub(super) fn set(table: &mut [U64], index: u64, entry: u64) {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    *table.get_mut(index).expect("the cluster lies in the image") = U64::new(entry);
}

/// What tells one image's header from another's.
#[derive(Debug)]
pub(super) struct HeaderFields<'a> {
    pub(super) bits: ClusterBits,
    pub(super) len_bytes: u64,
    pub(super) l1_entries: u64,
    pub(super) l1_offset_bytes: u64,
    pub(super) refcounts: RefcountPlace,
    pub(super) refcount_offset_bytes: u64,
    /// The backing file; without one the image stands alone.
    pub(super) backing_name: Option<&'a [u8]>,
    /// Whether clusters are compressed, by zstd.
    pub(super) is_compressed: bool,
}

impl HeaderFields<'_> {
    /// The file's first page: header, extensions, backing file name.
    pub(super) fn to_page(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        if self.backing_name.is_some() {
            push_extension(&mut extensions, EXTENSION_BACKING_FORMAT, b"raw");
        }
        push_extension(&mut extensions, 0, b"");
        let name = self.backing_name.unwrap_or_default();
        let name_offset = HEADER_LENGTH.saturating_add(extensions.len());
        let header = Header {
            magic: U32::new(MAGIC),
            version: U32::new(VERSION),
            backing_file_offset: U64::new(self.backing_name.map_or(0, |_| number(name_offset))),
            backing_file_size: U32::new(u32::try_from(name.len()).unwrap_or(u32::MAX)),
            cluster_bits: U32::new(self.bits.0),
            size: U64::new(self.len_bytes),
            crypt_method: U32::ZERO,
            l1_size: U32::new(u32::try_from(self.l1_entries).unwrap_or(u32::MAX)),
            l1_table_offset: U64::new(self.l1_offset_bytes),
            refcount_table_offset: U64::new(self.refcount_offset_bytes),
            refcount_table_clusters: U32::new(
                u32::try_from(self.refcounts.table_clusters).unwrap_or(u32::MAX),
            ),
            nb_snapshots: U32::ZERO,
            snapshots_offset: U64::ZERO,
            incompatible_features: U64::new(if self.is_compressed {
                INCOMPATIBLE_COMPRESSION_TYPE
            } else {
                0
            }),
            compatible_features: U64::ZERO,
            autoclear_features: U64::ZERO,
            refcount_order: U32::new(REFCOUNT_ORDER),
            header_length: U32::new(u32::try_from(HEADER_LENGTH).unwrap_or_default()),
            compression_type: if self.is_compressed { COMPRESSION_ZSTD } else { 0 },
            padding: [0; 7],
        };
        let mut page = [header.as_bytes(), &extensions, name].concat();
        page.resize(UNIT_BYTES, 0);
        page
    }
}

/// Appends a header extension, padded to eight bytes.
fn push_extension(extensions: &mut Vec<u8>, kind: u32, data: &[u8]) {
    let head = HeaderExtension {
        kind: U32::new(kind),
        len_bytes: U32::new(u32::try_from(data.len()).unwrap_or(u32::MAX)),
    };
    extensions.extend_from_slice(head.as_bytes());
    extensions.extend_from_slice(data);
    extensions.resize(extensions.len().next_multiple_of(8), 0);
}

/// An index as tables hold it.
pub(super) fn number(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refcounts_count_themselves() {
        for bits in [ClusterBits(12), ClusterBits(16)] {
            for others in [1, 2046, 2047, 2048, 32_766, 32_767, 1_048_000, 3_000_000_000] {
                let place = RefcountPlace::of(bits, others);
                let counted = others + place.clusters();
                assert!(place.block_clusters * bits.bytes() / 2 >= counted, "{others}");
                assert!(
                    (place.block_clusters - 1) * bits.bytes() / 2 < counted,
                    "{others}"
                );
                assert!(place.table_clusters * bits.bytes() / 8 >= place.block_clusters);
            }
        }
    }

    #[test]
    fn an_image_is_refused_beyond_what_qemu_loads() {
        let bits = ClusterBits(12);
        assert_eq!(bits.l1_entries(8 << 40).unwrap(), 4 << 20);
        assert_eq!(
            bits.l1_entries((8 << 40) + 512).unwrap_err().to_string(),
            "an image of 8796093022720 bytes is too long for this kind of qcow2 image, which holds 8796093022208"
        );
        assert_eq!(
            bits.l1_entries(1000).unwrap_err().to_string(),
            "an image of 1000 bytes is not a whole number of sectors of 512 bytes"
        );
    }
}
