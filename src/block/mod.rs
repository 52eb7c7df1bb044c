//! Numbered bytes: what an image is before anyone knows which file system it holds.
//!
//! ```text
//!            BlockDevice  (positioned reads and writes through `&self`)
//!           /     |      \
//!   FileDevice  Memory   Overlay --finish--> Delta
//!                          |
//!                    base: Arc<dyn BlockDevice>, never written
//!
//!   InPlace: one image file changed where it lies, by way of a file beside it (`redo`)
//!   Cached: a device that is only read, its first units kept in memory
//!   Slice: a window on any of them, as a partition is one on its disk
//! ```

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing
    )
)]

mod cached;
mod delta;
mod device;
mod faulty;
mod file;
mod in_place;
mod lock;
mod memory;
mod overlay;
pub mod redo;
mod shifted;
mod slice;
mod unit;

pub use cached::Cached;
pub use delta::Delta;
pub(crate) use device::check_range;
pub use device::{BlockDevice, DeviceError};
pub use faulty::{Fault, FaultyDevice};
pub use file::FileDevice;
pub use in_place::InPlace;
pub use lock::{LockError, lock_for_edit, lock_for_reading};
pub use memory::MemoryDevice;
pub use overlay::Overlay;
pub use redo::RedoError;
pub use shifted::Shifted;
pub use slice::Slice;
pub(crate) use slice::zero;
pub use unit::{UNIT_BYTES, Unit, is_zero};
