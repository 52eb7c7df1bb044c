//! Writes a qcow2 image over a raw backing file, in one pass from its first byte to its last.
//!
//! ```text
//!   header | refcount table | refcount blocks | L1 table | L2 tables | compressed data | data clusters
//! ```
//!
//! A cluster is one unit of the delta. With QEMU's usual 64 KiB a changed block would drag up to 60 KiB of the
//! template along: an image grown from 512 MiB to 2 GiB with some forty new files took 648 KiB with clusters of 4 KiB,
//! 856 KiB with 16 and 1776 KiB with 64; two hundred blocks scattered over 2 GiB took 1.5 MiB, 3.7 MiB and 12.6 MiB.
//! Subclusters would save a few per cent more, but only QEMU reads them.
//!
//! Most of what a bake changes are bitmaps, tables and short files, so that clusters are compressed, each by itself, and
//! packed: 96 changed units of a configured Debian that grew to 2 GiB take some 20 KiB instead of 384. QEMU writes to a
//! compressed cluster by giving it a new place.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zerocopy::big_endian::{U16, U64};
use zstd::bulk::Compressor;

use super::super::backing::{Backing, DeltaWritten};
use super::super::common_units::Compressed;
use super::super::differing::{Baked, Differing};
use super::super::ranges::Ranges;
use super::super::run_writer::RunWriter;
use super::backing_name::backing_name;
use super::error::QcowError;
use super::raw::{COMPRESSED, COPIED, READS_AS_ZERO};
use super::tables::{ClusterBits, HeaderFields, RefcountPlace, number, push_table, set};
use crate::base::{AtomicFile, PathError};
use crate::block::{BlockDevice, Delta, FileDevice, UNIT_BYTES, is_zero};

/// Clusters of 4 KiB: units of the delta.
const BITS: ClusterBits = ClusterBits(12);

/// zstd's fastest regular level: the units are short.
const ZSTD_LEVEL: i32 = 1;

/// A cluster stays as it is unless compression saves a quarter of it.
const MOST_COMPRESSED_BYTES: usize = 3072;

/// Compressed clusters are held in memory, up to this many bytes; what comes behind them stays as it is.
const MOST_PACKED_BYTES: usize = 256 << 20;

/// The unit in which a compressed cluster's length is told.
const SECTOR: u64 = 512;

/// [Compressed Clusters Descriptor][spec]: above this bit, the number of further sectors.
///
/// [spec]: https://qemu-project.gitlab.io/qemu/interop/qcow2.html#cluster-mapping
const SECTORS_SHIFT: u32 = 62 - (BITS.0 - 8);

/// A cluster of the image that differs from the backing.
#[derive(Debug, Clone)]
struct Difference {
    cluster: u64,
    content: Content,
}

/// Where a cluster's bytes go.
#[derive(Debug, Clone)]
enum Content {
    Zero,
    /// A range of the packed bytes.
    Compressed(Range<u64>),
    /// A cluster of its own.
    Plain,
}

/// What differs from the backing, and the compressed bytes of it.
#[derive(Debug, Default)]
struct Differences {
    clusters: Vec<Difference>,
    packed: Vec<u8>,
}

/// Where the parts lie, by numbers of clusters.
#[derive(Debug)]
struct Layout {
    refcounts: RefcountPlace,
    l1_entries: u64,
    l1: u64,
    l2: u64,
    packed: u64,
    data: u64,
    end: u64,
}

impl Layout {
    fn of(l1_entries: u64, differences: &Differences) -> Self {
        let clusters = &differences.clusters;
        let l1_clusters = BITS.clusters(l1_entries.saturating_mul(8)).max(1);
        let l2_clusters = number(clusters.chunk_by(same_table).count());
        let packed_clusters = BITS.clusters(number(differences.packed.len()));
        let is_plain = |one: &&Difference| matches!(one.content, Content::Plain);
        let data_clusters = number(clusters.iter().filter(is_plain).count());
        let others = [l1_clusters, l2_clusters, packed_clusters, data_clusters]
            .into_iter()
            .fold(1, u64::saturating_add);
        let refcounts = RefcountPlace::of(BITS, others);
        let l1 = refcounts.clusters().saturating_add(1);
        let l2 = l1.saturating_add(l1_clusters);
        let packed = l2.saturating_add(l2_clusters);
        let data = packed.saturating_add(packed_clusters);
        Self {
            refcounts,
            l1_entries,
            l1,
            l2,
            packed,
            data,
            end: data.saturating_add(data_clusters),
        }
    }

    /// How often each cluster of the file is used: once, but for those that hold several compressed ones.
    fn counts(&self, differences: &Differences) -> Vec<U16> {
        let mut counts = vec![U16::new(1); usize::try_from(self.end).unwrap_or(usize::MAX)];
        let place = |cluster: u64| usize::try_from(self.packed.saturating_add(cluster)).unwrap_or(usize::MAX);
        let packed_clusters = place(0)..place(self.data.saturating_sub(self.packed));
        counts
            .get_mut(packed_clusters)
            .unwrap_or_default()
            .fill(U16::ZERO);
        for one in &differences.clusters {
            let Content::Compressed(range) = &one.content else {
                continue;
            };
            for cluster in BITS.cluster_of(range.start)..BITS.clusters(range.end) {
                if let Some(count) = counts.get_mut(place(cluster)) {
                    let more = count.get().checked_add(1);
                    *count = U16::new(more.expect("a compressed cluster has more than two bytes"));
                }
            }
        }
        counts
    }

    /// The L2 entry of a compressed cluster whose bytes are `range` of the packed ones.
    fn compressed_entry(&self, range: &Range<u64>) -> u64 {
        let start = BITS.offset(self.packed).saturating_add(range.start);
        let last = BITS
            .offset(self.packed)
            .saturating_add(range.end.saturating_sub(1));
        let further = (last / SECTOR).saturating_sub(start / SECTOR);
        COMPRESSED | further.checked_shl(SECTORS_SHIFT).unwrap_or_default() | start
    }
}

impl Differences {
    /// Finds and compresses what differs.
    fn find(image: &impl Differing) -> Result<Self, QcowError> {
        let mut found = Self::default();
        image.each_difference(|offset, unit| {
            let content = if is_zero(&unit[..]) {
                Content::Zero
            } else if found.packed.len() >= MOST_PACKED_BYTES {
                Content::Plain
            } else {
                let make = || compress(unit);
                let compressed = match image.common() {
                    Some(common) => common.compressed(offset, unit, make),
                    None => make(),
                };
                found.pack(compressed.map_err(QcowError::Compress)?.as_deref())
            };
            found.clusters.push(Difference {
                cluster: BITS.cluster_of(offset),
                content,
            });
            Ok::<(), QcowError>(())
        })?;
        Ok(found)
    }

    /// Takes in a cluster's compressed bytes, if they are worth it.
    fn pack(&mut self, compressed: Option<&[u8]>) -> Content {
        let Some(compressed) = compressed else {
            return Content::Plain;
        };
        let start = number(self.packed.len());
        self.packed.extend_from_slice(compressed);
        Content::Compressed(start..number(self.packed.len()))
    }
}

thread_local! {
    /// What compresses, made when it is first needed and kept for all images.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// The compressed bytes of `unit`, if they are worth it.
fn compress(unit: &[u8; UNIT_BYTES]) -> io::Result<Compressed> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        let compressor = match compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(ZSTD_LEVEL)?),
        };
        let compressed = compressor.compress(unit)?;
        Ok((compressed.len() <= MOST_COMPRESSED_BYTES).then(|| compressed.into()))
    })
}

/// Whether two clusters are mapped by the same L2 table.
fn same_table(one: &Difference, other: &Difference) -> bool {
    BITS.table_of(one.cluster) == BITS.table_of(other.cluster)
}

/// Writes the image that differs from `backing` by `delta`, ready to be persisted as `destination`.
///
/// The image names its backing by a path that is relative to its own directory; both directories have to exist.
pub fn write(
    backing: &Backing,
    delta: &Delta,
    destination: &Path,
) -> Result<(AtomicFile, DeltaWritten), QcowError> {
    let name = backing_name(destination, backing.path())?;
    write_over(&name, &Baked { backing, delta }, destination)
}

/// Writes `image`, which lies over the raw file that the new one is to call `backing_name`.
pub(in super::super) fn write_over(
    backing_name: &[u8],
    image: &impl Differing,
    destination: &Path,
) -> Result<(AtomicFile, DeltaWritten), QcowError> {
    let unfinished = AtomicFile::create_private(destination)?;
    let failed = |action| PathError::on(action, unfinished.temporary_path());
    let device = unfinished
        .file()
        .try_clone()
        .and_then(|file| FileDevice::from_file(file, true))
        .map_err(failed("write"))?;
    let covered_units = write_to(&device, backing_name, image)?;
    let metadata = unfinished.file().metadata().map_err(failed("read"))?;
    let written = DeltaWritten {
        allocated_bytes: metadata.blocks().saturating_mul(512),
        covered_units,
        stored: Ranges::of(0..metadata.len()),
    };
    Ok((unfinished, written))
}

/// Writes the file's bytes to an empty device, and tells how many units it holds.
fn write_to(device: &dyn BlockDevice, backing_name: &[u8], image: &impl Differing) -> Result<u64, QcowError> {
    let l1_entries = BITS.l1_entries(image.len_bytes())?;
    let differences = Differences::find(image)?;
    let layout = Layout::of(l1_entries, &differences);
    device.set_len_bytes(BITS.offset(layout.end))?;
    let mut runs = RunWriter::new(device);
    let header = HeaderFields {
        bits: BITS,
        len_bytes: image.len_bytes(),
        l1_entries,
        l1_offset_bytes: BITS.offset(layout.l1),
        refcounts: layout.refcounts,
        refcount_offset_bytes: BITS.offset(1),
        backing_name: Some(backing_name),
        is_compressed: !differences.packed.is_empty(),
    };
    runs.push(0, &header.to_page())?;
    layout
        .refcounts
        .write(BITS, 1, &layout.counts(&differences), &mut runs)?;
    write_mapping(&layout, &differences.clusters, &mut runs)?;
    let mut packed = differences.packed;
    packed.resize(packed.len().next_multiple_of(UNIT_BYTES), 0);
    runs.push(BITS.offset(layout.packed), &packed)?;
    let mut place = BITS.offset(layout.data);
    let mut contents = differences.clusters.iter().map(|one| &one.content);
    image.each_difference(|_, unit| {
        if !matches!(contents.next(), Some(Content::Plain)) {
            return Ok(());
        }
        let written = runs.push(place, &unit[..]);
        place = place.saturating_add(BITS.bytes());
        written
    })?;
    runs.flush()?;
    Ok(number(differences.clusters.len()))
}

/// Writes the L1 table and the L2 tables.
fn write_mapping(
    layout: &Layout,
    differences: &[Difference],
    runs: &mut RunWriter<'_>,
) -> Result<(), QcowError> {
    let tables = || (layout.l2..).zip(differences.chunk_by(same_table));
    let mut l1 = vec![U64::ZERO; usize::try_from(layout.l1_entries).unwrap_or_default()];
    for (place, clusters) in tables() {
        if let Some(one) = clusters.first() {
            set(&mut l1, BITS.table_of(one.cluster), BITS.offset(place) | COPIED);
        }
    }
    push_table(runs, BITS.offset(layout.l1), &l1)?;
    let mut data = layout.data;
    for (place, clusters) in tables() {
        let mut table = vec![U64::ZERO; usize::try_from(BITS.l2_entries()).unwrap_or_default()];
        for one in clusters {
            let entry = match &one.content {
                Content::Zero => READS_AS_ZERO,
                Content::Compressed(range) => layout.compressed_entry(range),
                Content::Plain => {
                    let offset = BITS.offset(data);
                    data = data.saturating_add(1);
                    offset | COPIED
                }
            };
            set(&mut table, BITS.index_in_table(one.cluster), entry);
        }
        push_table(runs, BITS.offset(place), &table)?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::block::{DeviceError, FaultyDevice, MemoryDevice, Overlay};
    use crate::image::BaseImage;
    use std::sync::Arc;

    /// What the sample's image calls its backing.
    pub(in super::super) const BACKING_NAME: &str = "t.img";

    /// The file's bytes of the sample's image.
    pub(in super::super) fn sample_bytes() -> Vec<u8> {
        let (backing, delta) = &sample();
        let image = Baked { backing, delta };
        let disk = MemoryDevice::default();
        write_to(&disk, BACKING_NAME.as_bytes(), &image).unwrap();
        disk.into_bytes()
    }

    /// A template of 1 MiB of zeros, and the delta of three small changes.
    pub(in super::super) fn sample() -> (Backing, Delta) {
        let template = tempfile::NamedTempFile::new().unwrap();
        template.as_file().set_len(1 << 20).unwrap();
        let device = Arc::new(FileDevice::open(template.path()).unwrap());
        let base = Arc::new(BaseImage::as_it_is(device).unwrap());
        let overlay = Overlay::new(base.clone());
        overlay.set_len_bytes(16 << 20).unwrap();
        for place in [0, 40_000, 9_000_000] {
            overlay.write_at(place, b"new").unwrap();
        }
        let delta = overlay.finish().unwrap();
        (Backing::template(base, template.path()).unwrap(), delta)
    }

    #[test]
    fn a_full_disk_is_an_error_at_every_write() {
        let (backing, delta) = &sample();
        let image = Baked { backing, delta };
        let disk = FaultyDevice::new(MemoryDevice::default(), u64::MAX);
        assert_eq!(write_to(&disk, BACKING_NAME.as_bytes(), &image).unwrap(), 3);
        // The length, and everything in one run.
        assert_eq!(disk.writes(), 2);
        for allowed in 0..2 {
            let disk = FaultyDevice::new(MemoryDevice::default(), allowed);
            assert!(matches!(
                write_to(&disk, BACKING_NAME.as_bytes(), &image),
                Err(QcowError::Device(DeviceError::Io { .. }))
            ));
        }
    }
}
