//! A device whose changes stay in memory, over a base that is never written.
//!
//! ```text
//!   base     |....|....|....|....|            shared, read-only
//!   overlay       |####|         |####|       whole units, only those that were written
//!   reading  |....|####|....|....|####|0000|  beyond the base all is zero
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::delta::Delta;
use super::device::{BlockDevice, DeviceError, check_range, len_of};
use super::unit::{UNIT, UNIT_BYTES, Unit, pieces, place_at, read_base};

/// A writable device over a read-only base: what is written is kept in memory by units of [`UNIT_BYTES`].
pub struct Overlay {
    base: Arc<dyn BlockDevice>,
    state: RwLock<State>,
    /// Units of the overlay that this one was forked from which are others than the base's.
    inherited: Arc<Changed>,
    /// The same for those that are forked from this one.
    own: OnceLock<Arc<Changed>>,
}

/// Units, by number, that are others than those of a base that shows up to so many bytes.
#[derive(Default)]
struct Changed {
    base_end_bytes: u64,
    units: BTreeMap<u64, Unit>,
}

/// What differs from the base.
struct State {
    len_bytes: u64,
    /// Bytes of the base from here on are cut off, even if the device grew again later.
    base_end_bytes: u64,
    units: BTreeMap<u64, Unit>,
}

impl Overlay {
    /// An overlay without changes, as long as `base`.
    pub fn new(base: Arc<dyn BlockDevice>) -> Self {
        let len_bytes = base.len_bytes();
        let state = State {
            len_bytes,
            base_end_bytes: len_bytes,
            units: BTreeMap::new(),
        };
        Self::of(base, state, Arc::default())
    }

    /// An overlay over `base` with the changes of `delta`, which was made over the same bytes.
    pub fn with_changes(base: Arc<dyn BlockDevice>, delta: &Delta) -> Self {
        let units = delta
            .units()
            .map(|(offset, unit)| (offset / UNIT, Arc::clone(unit)));
        let state = State {
            len_bytes: delta.len_bytes(),
            base_end_bytes: delta.base_end_bytes(),
            units: units.collect(),
        };
        Self::of(base, state, Arc::default())
    }

    fn of(base: Arc<dyn BlockDevice>, state: State, inherited: Arc<Changed>) -> Self {
        Self {
            base,
            state: RwLock::new(state),
            inherited,
            own: OnceLock::new(),
        }
    }

    /// A second overlay over the same base, with the changes made so far as its own.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = self.read();
        let inherited = self.own.get_or_init(|| {
            let mut units = state.units.clone();
            let removed = self.remove_unchanged(state.base_end_bytes, &mut units);
            // Without them every fork looks for itself, and tells what is in the way.
            Arc::new(Changed {
                base_end_bytes: state.base_end_bytes,
                units: removed.map(|()| units).unwrap_or_default(),
            })
        });
        let state = State {
            len_bytes: state.len_bytes,
            base_end_bytes: state.base_end_bytes,
            units: state.units.clone(),
        };
        Self::of(Arc::clone(&self.base), state, Arc::clone(inherited))
    }

    /// Gives the difference. Units that were written with what the base has anyway are no difference, and are left out.
    pub fn finish(self) -> Result<Delta, DeviceError> {
        self.take_changes()
    }

    /// Gives the difference and forgets it.
    pub(super) fn take_changes(&self) -> Result<Delta, DeviceError> {
        let mut state = self.write();
        let (len_bytes, base_end_bytes) = (state.len_bytes, state.base_end_bytes);
        let mut units = std::mem::take(&mut state.units);
        drop(state);
        self.remove_unchanged(base_end_bytes, &mut units)?;
        Ok(Delta::new(len_bytes, base_end_bytes, units))
    }

    /// Takes those of `units` out that are what the base has there up to `base_end_bytes`.
    fn remove_unchanged(
        &self,
        base_end_bytes: u64,
        units: &mut BTreeMap<u64, Unit>,
    ) -> Result<(), DeviceError> {
        let is_alike = self.inherited.base_end_bytes == base_end_bytes;
        let is_changed = |number: &u64, unit: &Unit| {
            let inherited = self.inherited.units.get(number);
            is_alike && inherited.is_some_and(|inherited| Arc::ptr_eq(unit, inherited))
        };
        let mut old = [0_u8; UNIT_BYTES];
        let mut unchanged = Vec::new();
        for (number, unit) in units.iter().filter(|(number, unit)| !is_changed(number, unit)) {
            read_base(&*self.base, base_end_bytes, number.saturating_mul(UNIT), &mut old)?;
            if old == **unit {
                unchanged.push(*number);
            }
        }
        for number in unchanged {
            units.remove(&number);
        }
        Ok(())
    }

    /// Where the bytes may be others than those of `other`, an overlay over the same base, by whole units.
    pub fn differing(&self, other: &Self) -> Vec<Range<u64>> {
        let own = self.read();
        let others = other.read();
        let is_cut = own.base_end_bytes != others.base_end_bytes;
        let cut =
            own.base_end_bytes.min(others.base_end_bytes)..own.base_end_bytes.max(others.base_end_bytes);
        let units: BTreeSet<u64> = own.units.keys().chain(others.units.keys()).copied().collect();
        let differing = units
            .into_iter()
            .filter(|number| own.units.get(number) != others.units.get(number))
            .map(|number| number.saturating_mul(UNIT)..number.saturating_add(1).saturating_mul(UNIT));
        differing.chain(is_cut.then_some(cut)).collect()
    }

    /// How many bytes of changes are held in memory.
    pub fn held_bytes(&self) -> u64 {
        u64::try_from(self.read().units.len())
            .unwrap_or(u64::MAX)
            .saturating_mul(UNIT)
    }

    /// Up to where the base's bytes show through.
    pub(super) fn base_end_bytes(&self) -> u64 {
        self.read().base_end_bytes
    }

    /// Where the first changed unit at or behind `offset_bytes` begins, if there is one.
    pub(super) fn next_change(&self, offset_bytes: u64) -> Option<u64> {
        let state = self.read();
        let first = state.units.range(offset_bytes / UNIT..).next();
        first.map(|(number, _)| number.saturating_mul(UNIT))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockDevice for Overlay {
    fn len_bytes(&self) -> u64 {
        self.read().len_bytes
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let state = self.read();
        check_range(offset_bytes, len_of(buffer), state.len_bytes)?;
        let (mut offset, mut rest) = (offset_bytes, buffer);
        while !rest.is_empty() {
            let place = place_at(offset, rest.len());
            let next = state.units.range(place.unit..).next();
            let own = next.filter(|(number, _)| **number == place.unit);
            // What is not changed is read in one piece up to the next change.
            let len = match (own, next) {
                (Some(_), _) => place.len(),
                (None, Some((number, _))) => {
                    let gap = number.saturating_mul(UNIT).saturating_sub(offset);
                    usize::try_from(gap).unwrap_or(usize::MAX).min(rest.len())
                }
                (None, None) => rest.len(),
            };
            let (piece, after) = rest.split_at_mut(len);
            match own {
                Some((_, unit)) => piece.copy_from_slice(place.slice(unit)),
                None => read_base(&*self.base, state.base_end_bytes, offset, piece)?,
            }
            offset = offset.saturating_add(len_of(piece));
            rest = after;
        }
        Ok(())
    }

    fn will_read(&self, offset_bytes: u64, len_bytes: u64) {
        self.base.will_read(offset_bytes, len_bytes);
    }

    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let mut state = self.write();
        check_range(offset_bytes, len_of(bytes), state.len_bytes)?;
        for (place, piece) in pieces(offset_bytes, bytes) {
            if let Some(unit) = state.units.get_mut(&place.unit) {
                // A unit that is shared with other overlays stays so if nothing changes.
                if place.slice(unit) != piece {
                    place.slice_mut(Arc::make_mut(unit)).copy_from_slice(piece);
                }
                continue;
            }
            let mut unit = [0; UNIT_BYTES];
            if piece.len() < UNIT_BYTES {
                let start = place.unit.saturating_mul(UNIT);
                read_base(&*self.base, state.base_end_bytes, start, &mut unit)?;
            }
            place.slice_mut(&mut unit).copy_from_slice(piece);
            state.units.insert(place.unit, Arc::new(unit));
        }
        Ok(())
    }

    fn set_len_bytes(&self, len_bytes: u64) -> Result<(), DeviceError> {
        let mut state = self.write();
        if len_bytes < state.len_bytes {
            state.base_end_bytes = state.base_end_bytes.min(len_bytes);
            drop(state.units.split_off(&len_bytes.div_ceil(UNIT)));
            let inside = usize::try_from(len_bytes % UNIT).unwrap_or_default();
            if inside > 0
                && let Some(unit) = state.units.get_mut(&(len_bytes / UNIT))
            {
                Arc::make_mut(unit).split_at_mut(inside).1.fill(0);
            }
        }
        state.len_bytes = len_bytes;
        Ok(())
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.read();
        formatter
            .debug_struct("Overlay")
            .field("base", &self.base)
            .field("len_bytes", &state.len_bytes)
            .field("changed_units", &state.units.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryDevice;
    use super::*;
    use proptest::prelude::*;

    fn base(len: usize) -> Arc<MemoryDevice> {
        Arc::new(MemoryDevice::from_bytes(
            (0..len).map(|index| (index % 251) as u8 + 1).collect(),
        ))
    }

    fn content(device: &dyn BlockDevice) -> Vec<u8> {
        let mut bytes = vec![0; device.len_bytes() as usize];
        device.read_at(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_unit_written_with_the_same_bytes_is_no_difference() {
        let base = base(20_000);
        let overlay = Overlay::new(base.clone());
        let same = content(&*base)[4096..8192].to_vec();
        overlay.write_at(4096, &same).unwrap();
        overlay.write_at(9000, b"new").unwrap();
        assert_eq!(overlay.held_bytes(), 8192);
        let delta = overlay.finish().unwrap();
        let units: Vec<_> = delta.units().map(|(offset, _)| offset).collect();
        assert_eq!(units, [8192]);
    }

    #[test]
    fn what_is_written_again_stays_shared() {
        let ground = Overlay::new(base(20_000));
        ground.write_at(4096, &[9; 100]).unwrap();
        let host = ground.fork();
        host.write_at(4100, &[9; 50]).unwrap();
        let (ground, host) = (ground.finish().unwrap(), host.finish().unwrap());
        assert!(Arc::ptr_eq(ground.unit(4096).unwrap(), host.unit(4096).unwrap()));
    }

    #[test]
    fn overlays_differ_where_either_was_written() {
        let first = Overlay::new(base(20_000));
        first.write_at(0, b"both").unwrap();
        first.write_at(4096, b"first").unwrap();
        let second = first.fork();
        second.write_at(4096, b"other").unwrap();
        second.write_at(12_288, b"second").unwrap();
        assert_eq!(second.differing(&first), [4096..8192, 12_288..16_384]);
        assert_eq!(first.differing(&second), second.differing(&first));
        first.set_len_bytes(18_000).unwrap();
        assert_eq!(first.differing(&second).last(), Some(&(18_000..20_000)));
        assert!(first.fork().differing(&first).is_empty());
    }

    #[test]
    fn a_fork_gives_the_difference_that_it_would_give_alone() {
        let base = base(20_000);
        let same = content(&*base)[4096..8192].to_vec();
        let ground = Overlay::new(base.clone());
        ground.write_at(0, b"ground").unwrap();
        ground.write_at(4096, &same).unwrap();
        ground.write_at(12_288, &[0; 4096]).unwrap();
        let units = |overlay: Overlay| {
            let delta = overlay.finish().unwrap();
            delta.units().map(|(offset, _)| offset).collect::<Vec<_>>()
        };
        let host = ground.fork();
        host.write_at(8192, b"host").unwrap();
        host.write_at(0, &content(&*base)[..6]).unwrap();
        assert_eq!(units(host), [8192, 12_288]);
        // Beyond a cut the base has nothing but zeros, and so has the unit.
        let cut = ground.fork();
        cut.set_len_bytes(8192).unwrap();
        cut.set_len_bytes(20_000).unwrap();
        cut.write_at(12_288, &[0; 4096]).unwrap();
        assert_eq!(units(cut.fork()), [0]);
        assert_eq!(units(ground), [0, 12_288]);
    }

    #[test]
    fn cut_bytes_stay_cut_when_the_device_grows_again() {
        let overlay = Overlay::new(base(10_000));
        overlay.set_len_bytes(5000).unwrap();
        overlay.set_len_bytes(12_000).unwrap();
        let bytes = content(&overlay);
        assert!(bytes[..5000].iter().all(|byte| *byte != 0));
        assert!(bytes[5000..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn ranges_beyond_the_end_are_refused() {
        let overlay = Overlay::new(base(100));
        assert!(matches!(
            overlay.write_at(99, b"ab"),
            Err(DeviceError::OutOfRange { .. })
        ));
        assert!(matches!(
            overlay.read_at(u64::MAX, &mut [0]),
            Err(DeviceError::OutOfRange { .. })
        ));
    }

    proptest! {
        #[test]
        fn an_overlay_reads_like_plain_memory(
            steps in prop::collection::vec((0_u64..30_000, prop::collection::vec(any::<u8>(), 0..9000), any::<bool>()), 1..12)
        ) {
            let base = base(20_000);
            let before = content(&*base);
            let overlay = Overlay::new(base.clone());
            let mut model = before.clone();
            for (offset, bytes, resize) in steps {
                if resize {
                    overlay.set_len_bytes(offset).unwrap();
                    model.resize(offset as usize, 0);
                } else if offset as usize + bytes.len() <= model.len() {
                    overlay.write_at(offset, &bytes).unwrap();
                    model[offset as usize..][..bytes.len()].copy_from_slice(&bytes);
                }
            }
            prop_assert_eq!(&content(&overlay), &model);
            let delta = overlay.finish().unwrap();
            let mut read = vec![0; model.len()];
            delta.read_at(&*base, 0, &mut read).unwrap();
            prop_assert_eq!(read, model);
            prop_assert_eq!(content(&*base), before);
        }
    }
}
