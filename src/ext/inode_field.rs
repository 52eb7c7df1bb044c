//! How times and device numbers are packed into the fields of an inode
//! (<https://docs.kernel.org/filesystems/ext4/inodes.html>, section "Inode Timestamps").

use super::types::split64;
use crate::base::Timestamp;

/// The time in a field of seconds and its extra word: two more bits of the seconds, then the nanoseconds.
pub(crate) fn decode_time(seconds: u32, extra: u32) -> Timestamp {
    let epoch = i64::from(extra & 3).wrapping_shl(32);
    Timestamp {
        seconds: i64::from(seconds.cast_signed()).saturating_add(epoch),
        nanoseconds: extra.wrapping_shr(2).min(999_999_999),
    }
}

/// The field of seconds and the extra word for `time`, which is cut to what they can hold.
pub(crate) fn encode_time(time: Timestamp, has_extra: bool) -> (u32, u32) {
    let latest = if has_extra {
        0x3_7FFF_FFFF
    } else {
        i64::from(i32::MAX)
    };
    let seconds = time.seconds.clamp(i64::from(i32::MIN), latest);
    let (low, _) = split64(seconds.cast_unsigned());
    let epoch = seconds
        .saturating_sub(i64::from(low.cast_signed()))
        .wrapping_shr(32);
    let epoch = u32::try_from(epoch & 3).unwrap_or(0);
    (low, epoch | time.nanoseconds.wrapping_shl(2))
}

/// The major and minor number in the first two words of a device node's `i_block`.
pub(crate) fn decode_device(i_block: &[u8; 60]) -> (u32, u32) {
    let word = |place: usize| {
        let bytes = i_block.get(place..).and_then(|rest| rest.first_chunk::<4>());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    let (old, new) = (word(0), word(4));
    if old != 0 {
        return (old.wrapping_shr(8) & 0xFF, old & 0xFF);
    }
    (
        new.wrapping_shr(8) & 0xFFF,
        (new & 0xFF) | (new.wrapping_shr(12) & 0xF_FF00),
    )
}

/// Stores the numbers of a device node, in the old form where they fit it.
pub(crate) fn encode_device(major: u32, minor: u32, i_block: &mut [u8; 60]) {
    let is_old = major < 256 && minor < 256;
    let old = major.wrapping_shl(8) | minor;
    let new = (minor & 0xFF) | (major & 0xFFF).wrapping_shl(8) | (minor & 0xF_FF00).wrapping_shl(12);
    let words = if is_old { [old, 0] } else { [0, new] };
    for (place, word) in i_block.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_from_1901_to_2446() {
        for seconds in [
            -0x8000_0000,
            -1,
            0,
            0x7FFF_FFFF,
            0x8000_0000,
            0x1_0000_0000,
            0x3_7FFF_FFFF,
        ] {
            let time = Timestamp {
                seconds,
                nanoseconds: 123_456_789,
            };
            let (low, extra) = encode_time(time, true);
            assert_eq!(decode_time(low, extra), time);
        }
    }

    #[test]
    fn small_inodes_keep_times_within_their_range() {
        let (low, _) = encode_time(Timestamp::from_seconds(0x1_0000_0000), false);
        assert_eq!(decode_time(low, 0), Timestamp::from_seconds(0x7FFF_FFFF));
    }

    #[test]
    fn device_numbers_are_stored_in_either_form() {
        for device in [(8, 1), (259, 1), (8, 300), (4095, 0xF_FFFF)] {
            let mut i_block = [0; 60];
            encode_device(device.0, device.1, &mut i_block);
            assert_eq!(decode_device(&i_block), device);
        }
    }
}
