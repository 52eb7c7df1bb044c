//! A disk around a bare file system: a GPT with one partition.

use uuid::Uuid;

use super::error::DiskError;
use super::gpt;
use crate::block::BlockDevice;

/// Where the partition begins, and how much room is left behind it: what every tool aligns to.
pub const FRAME_BYTES: u64 = 1 << 20;

/// Makes `device`, which holds a file system of `len_bytes` at [`FRAME_BYTES`], a disk with a GPT: as long as that needs,
/// its only partition just as long as the file system. `disk_id` and `partition_id` become its GUIDs.
///
/// # Errors
/// [`DiskError`] if the device cannot be written, or cannot become so long.
pub fn frame(
    device: &dyn BlockDevice,
    len_bytes: u64,
    disk_id: Uuid,
    partition_id: Uuid,
) -> Result<(), DiskError> {
    let whole = len_bytes.div_ceil(FRAME_BYTES).saturating_mul(FRAME_BYTES);
    device.set_len_bytes(whole.saturating_add(FRAME_BYTES.saturating_mul(2)))?;
    gpt::create(
        device,
        FRAME_BYTES..FRAME_BYTES.saturating_add(len_bytes),
        disk_id,
        partition_id,
    )
}
