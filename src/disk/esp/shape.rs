//! What the boot sector says of a FAT file system, held against itself and the partition's length: all that is computed
//! from it later stays within that. Microsoft's FAT32 File System Specification, version 1.03, "Boot Sector and BPB".

use super::error::EspError;
use crate::block::BlockDevice;

/// From how many clusters on a file system is FAT16, and FAT32.
const FAT16_CLUSTERS: u64 = 4085;
const FAT32_CLUSTERS: u64 = 65_525;

/// A sound boot sector, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// The volume's number.
    pub(super) volume_id: u64,
}

impl Shape {
    /// Reads and checks the boot sector of `device`.
    pub(super) fn read(device: &dyn BlockDevice) -> Result<Self, EspError> {
        let unsound = |what| Err(EspError::Unsound { what });
        if device.len_bytes() < 512 {
            return unsound("it is too short");
        }
        let mut sector = [0; 512];
        device.read_at(0, &mut sector)?;
        let number = |at, len| number(&sector, at, len);
        if number(510, 2) != 0xAA55 {
            return unsound("it has no signature");
        }
        let sector_bytes = number(11, 2);
        if ![512, 1024, 2048, 4096].contains(&sector_bytes) {
            return unsound("its sectors have an impossible length");
        }
        let cluster = number(13, 1);
        let cluster_bytes = cluster.saturating_mul(sector_bytes);
        if !cluster.is_power_of_two() || cluster_bytes > 1 << 16 {
            return unsound("its clusters have an impossible length");
        }
        let or = |short: u64, long: u64| if short == 0 { long } else { short };
        let (short_fat, fat) = (number(22, 2), or(number(22, 2), number(36, 4)));
        let (reserved, fats, total) = (number(14, 2), number(16, 1), or(number(19, 2), number(32, 4)));
        if total.saturating_mul(sector_bytes) > device.len_bytes() {
            return unsound("it is longer than the partition");
        }
        let root = number(17, 2).saturating_mul(32).div_ceil(sector_bytes);
        let before = reserved
            .saturating_add(fats.saturating_mul(fat))
            .saturating_add(root);
        if reserved == 0 || !(1..=2).contains(&fats) || fat == 0 || before >= total {
            return unsound("its tables do not fit into it");
        }
        let clusters = total.saturating_sub(before).checked_div(cluster).unwrap_or(0);
        let bits: u64 = match clusters {
            ..FAT16_CLUSTERS => 12,
            FAT16_CLUSTERS..FAT32_CLUSTERS => 16,
            FAT32_CLUSTERS.. => 32,
        };
        let is_long = bits == 32;
        let table_bits = fat.saturating_mul(sector_bytes).saturating_mul(8);
        if clusters.saturating_add(2).saturating_mul(bits) > table_bits {
            return unsound("its table is too short for its clusters");
        }
        if is_long != (short_fat == 0) {
            return unsound("its number of clusters is not that of its kind of table");
        }
        if is_long && !(2..clusters.saturating_add(2)).contains(&number(44, 4)) {
            return unsound("its root directory lies outside");
        }
        Ok(Self {
            volume_id: number(if is_long { 67 } else { 39 }, 4),
        })
    }
}

/// The little-endian number of `len` bytes at `at`.
fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    let field = bytes.iter().skip(at).take(len).rev();
    field.fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
