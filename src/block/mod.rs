//! Numbered bytes: what an image is before anyone knows which file system it holds.
//!
//! ```text
//!            BlockDevice  (positioned reads and writes through `&self`)
//!           /     |      \
//!   FileDevice  Memory   Overlay --finish--> Delta
//!                          |
//!                    base: Arc<dyn BlockDevice>, never written
//! ```

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing
    )
)]

mod device;

pub use device::{BlockDevice, DeviceError};
