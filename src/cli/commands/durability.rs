//! Whether what a command makes is forced to the disk.

use crate::base::atomic::Durability;

/// Whether what is made is forced to the disk.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct DurabilityArgs {
    /// Leave the writing to the kernel: faster, but a power cut may take the images
    #[arg(long)]
    no_sync: bool,
}

impl DurabilityArgs {
    /// What was chosen.
    pub(crate) fn choice(self) -> Durability {
        if self.no_sync {
            Durability::NoSync
        } else {
            Durability::Sync
        }
    }
}
