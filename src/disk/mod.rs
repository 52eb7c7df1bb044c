//! What a whole disk holds: its partition table, and where in it the root file system lies.
//!
//! ```text
//!   device --probe--> a bare file system: the device is the root
//!                \--> Table (GPT or MBR) --root--> Partition --Slice--> the root as a device of its own
//!                                            \--grow--> longer disk, longer partition, both copies of the table right
//! ```
//!
//! A table is found by its signature, never guessed; where a device could be both a disk and a file system, that is an
//! error. Formats: UEFI specification 2.10, chapter 5 (GPT and the MBR that protects it,
//! <https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html>); partition types:
//! <https://uapi-group.org/specifications/specs/discoverable_partitions_specification/>.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing
    )
)]

mod choose;
mod cursor;
mod error;
mod esp;
mod frame;
mod gpt;
mod kind;
mod mbr;
mod probe;
mod root;
mod signature;
mod table;

pub use error::DiskError;
pub use esp::{Esp, EspError, EspNode};
pub use frame::{FRAME_BYTES, frame};
pub use kind::PartitionKind;
pub use probe::{Content, probe};
pub use root::{Root, find_root};
pub use signature::Holds;
pub use table::{Partition, Table, TableKind};
