//! The image that sequences begin with, held in memory; results are written as files with holes.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use mln_image::block::{BlockDevice, Delta, MemoryDevice, UNIT_BYTES};

use crate::support::Mounted;
use crate::support::layouts::Layout;
use crate::support::snapshot::Snapshot;

/// An image made by mke2fs.
pub(super) struct Template {
    device: Arc<dyn BlockDevice>,
    /// The units that hold anything but zeros, with their offsets.
    units: Vec<(u64, Vec<u8>)>,
    pub(super) tree: Snapshot,
}

impl Template {
    pub(super) fn new(layout: &Layout, directory: &Path) -> Self {
        let image = directory.join("template");
        layout.mkfs(super::LEN_BYTES).make(&image, None);
        let mounted = Mounted::read_only(&image, layout.driver());
        let tree = Snapshot::by_kernel(mounted.path());
        drop(mounted);
        let bytes = std::fs::read(&image).unwrap();
        let zeros = [0; UNIT_BYTES];
        let units = (0..)
            .step_by(UNIT_BYTES)
            .zip(bytes.chunks(UNIT_BYTES))
            .filter(|(_, unit)| !zeros.starts_with(unit))
            .map(|(offset, unit)| (offset, unit.to_vec()))
            .collect();
        Self {
            tree,
            units,
            device: Arc::new(MemoryDevice::from_bytes(bytes)),
        }
    }

    pub(super) fn device(&self) -> Arc<dyn BlockDevice> {
        Arc::clone(&self.device)
    }

    /// Writes the image that differs from the template by `delta`.
    pub(super) fn write(&self, delta: &Delta, image: &Path) {
        let file = File::create(image).unwrap();
        let len_bytes = delta.len_bytes();
        file.set_len(len_bytes).unwrap();
        let unchanged = self.units.iter().filter(|(offset, _)| !delta.is_changed(*offset));
        let base = unchanged.map(|(offset, unit)| (*offset, unit.as_slice()));
        for (offset, unit) in base.chain(delta.units().map(|(offset, unit)| (offset, unit.as_slice()))) {
            let inside = usize::try_from(len_bytes.saturating_sub(offset))
                .unwrap()
                .min(unit.len());
            file.write_all_at(&unit[..inside], offset).unwrap();
        }
    }
}
