//! One group's bitmap of blocks or inodes (<https://docs.kernel.org/filesystems/ext4/bitmaps.html>). A set bit is in
//! use; bits beyond the group's end are set.

use std::ops::Range;

use super::types::index;

/// A bitmap in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bitmap {
    bytes: Box<[u8]>,
    bits: u32,
    is_dirty: bool,
    /// No bit below is clear.
    first_clear: u32,
}

impl Bitmap {
    /// A bitmap of `bits` bits, as read from the disk.
    pub(crate) fn from_bytes(bytes: Box<[u8]>, bits: u32) -> Self {
        Self {
            bytes,
            bits,
            is_dirty: false,
            first_clear: 0,
        }
    }

    /// A bitmap of one block in which only the bits beyond `bits` are set.
    pub(crate) fn empty(block_len: usize, bits: u32) -> Self {
        let mut bitmap = Self::from_bytes(vec![0; block_len].into(), u32::MAX);
        let all = u32::try_from(block_len.saturating_mul(8)).unwrap_or(u32::MAX);
        bitmap.put(bits..all, true);
        bitmap.bits = bits;
        bitmap
    }

    /// The bytes as they belong on disk.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bits the group has.
    pub(crate) fn bits(&self) -> u32 {
        self.bits
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    pub(crate) fn set_clean(&mut self) {
        self.is_dirty = false;
    }

    /// Whether `bit` is in use; bits beyond the end are.
    pub(crate) fn is_set(&self, bit: u32) -> bool {
        let byte = self
            .bytes
            .get(index(bit.wrapping_shr(3)))
            .copied()
            .unwrap_or(0xFF);
        bit >= self.bits || byte & mask(bit) != 0
    }

    /// Sets or clears the bits of `range`.
    pub(crate) fn put(&mut self, range: Range<u32>, value: bool) {
        self.is_dirty = true;
        if !value {
            self.first_clear = self.first_clear.min(range.start);
        }
        let mut bit = range.start;
        while bit < range.end {
            let is_whole_byte = bit.trailing_zeros() >= 3 && range.end.saturating_sub(bit) >= 8;
            let Some(byte) = self.bytes.get_mut(index(bit.wrapping_shr(3))) else {
                return;
            };
            match (is_whole_byte, value) {
                (true, true) => *byte = 0xFF,
                (true, false) => *byte = 0,
                (false, true) => *byte |= mask(bit),
                (false, false) => *byte &= !mask(bit),
            }
            bit = bit.saturating_add(if is_whole_byte { 8 } else { 1 });
        }
    }

    /// The first clear bit from `from` on.
    pub(crate) fn next_clear(&self, from: u32) -> Option<u32> {
        self.next_clear_in(from.max(self.first_clear)..self.bits)
    }

    /// The first clear bit of `range`, which ends with the group's own bits at the latest.
    pub(crate) fn next_clear_in(&self, range: Range<u32>) -> Option<u32> {
        self.next(range, 0xFF, |bitmap, bit| !bitmap.is_set(bit))
    }

    /// The first set bit of `range`, or the range's end. Bits beyond the group's own are not looked at.
    pub(crate) fn next_set(&self, range: Range<u32>) -> u32 {
        let end = range.end.min(self.bits);
        self.next(range.start..end, 0, Self::is_set).unwrap_or(end)
    }

    /// The first run of clear bits from `from` on, at most `longest` bits long.
    pub(crate) fn next_clear_run(&self, from: u32, longest: u32) -> Option<Range<u32>> {
        let start = self.next_clear(from)?;
        Some(start..self.next_set(start..start.saturating_add(longest)))
    }

    /// Remembers that all bits below `bit` are set.
    pub(crate) fn set_first_clear(&mut self, bit: u32) {
        self.first_clear = bit;
    }

    /// How many bits are set among the group's own.
    pub(crate) fn count_set(&self) -> u32 {
        let whole = self.bits / 8;
        let bytes = self.bytes.get(..index(whole)).unwrap_or_default();
        let count = bytes.iter().map(|byte| byte.count_ones()).sum::<u32>();
        let rest = whole.saturating_mul(8)..self.bits;
        rest.fold(count, |count, bit| count.saturating_add(self.is_set(bit).into()))
    }

    /// The runs of set bits.
    pub(crate) fn set_runs(&self) -> Vec<Range<u32>> {
        let mut runs = Vec::new();
        let mut bit = 0;
        while bit < self.bits {
            let start = self.next_set(bit..self.bits);
            let end = self.next_clear(start).unwrap_or(self.bits);
            if start < end {
                runs.push(start..end);
            }
            bit = end;
        }
        runs
    }

    /// The first bit of `range` for which `wanted` holds; whole bytes that are `skip` have none.
    fn next(&self, range: Range<u32>, skip: u8, wanted: impl Fn(&Self, u32) -> bool) -> Option<u32> {
        let mut bit = range.start;
        while bit < range.end {
            let is_byte_start = bit.trailing_zeros() >= 3;
            if is_byte_start && self.bytes.get(index(bit.wrapping_shr(3))) == Some(&skip) {
                bit = bit.saturating_add(8);
            } else if wanted(self, bit) {
                return Some(bit);
            } else {
                bit = bit.saturating_add(1);
            }
        }
        None
    }
}

fn mask(bit: u32) -> u8 {
    1_u8.wrapping_shl(bit & 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_beyond_the_end_are_in_use() {
        let bitmap = Bitmap::empty(2, 11);
        assert_eq!(bitmap.bytes(), [0, 0b1111_1000]);
        assert!(bitmap.is_set(11));
        assert_eq!(bitmap.next_clear_run(0, 100), Some(0..11));
    }

    #[test]
    fn runs_are_found_across_bytes() {
        let mut bitmap = Bitmap::empty(8, 64);
        bitmap.put(3..29, true);
        bitmap.put(40..41, true);
        assert_eq!(bitmap.set_runs(), [3..29, 40..41]);
        assert_eq!(bitmap.next_clear_run(5, 4), Some(29..33));
        assert_eq!(bitmap.next_clear_run(33, 100), Some(33..40));
        bitmap.put(8..16, false);
        assert_eq!(bitmap.next_clear_run(5, 100), Some(8..16));
        assert_eq!(bitmap.count_set(), 19);
    }

    #[test]
    fn a_cleared_bit_is_found_again() {
        let mut bitmap = Bitmap::empty(1, 8);
        bitmap.put(0..8, true);
        bitmap.set_first_clear(8);
        assert_eq!(bitmap.next_clear(0), None);
        bitmap.put(2..3, false);
        assert_eq!(bitmap.next_clear(0), Some(2));
    }
}
