//! The hashes by which names are found in a hash tree
//! (<https://docs.kernel.org/filesystems/ext4/directory.html#hash-tree-directories>): half MD4, TEA, and the first one.

use crate::ext::superblock::Superblock;

/// The last hash stands for the tree's end, so names that have it get the one before.
const END: u32 = 0xFFFF_FFFE;

/// Which function it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Legacy,
    HalfMd4,
    Tea,
}

/// A hash function with what the file system sets for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameHash {
    function: Function,
    /// Whether bytes from 0x80 on count as negative, as on the machine that first mounted the file system.
    is_signed: bool,
    seed: [u32; 4],
}

impl NameHash {
    /// The function that directories store as `version`; `None` for one that nobody here knows.
    pub(crate) fn new(superblock: &Superblock, version: u8) -> Option<Self> {
        let raw = superblock.raw();
        let seed = raw.s_hash_seed.map(zerocopy::little_endian::U32::get);
        let function = match version {
            0 => Function::Legacy,
            1 => Function::HalfMd4,
            2 => Function::Tea,
            _ => return None,
        };
        Some(Self {
            function,
            is_signed: raw.s_flags.get() & 0x2 == 0,
            seed: if seed == [0; 4] {
                [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476]
            } else {
                seed
            },
        })
    }

    /// How directories store the function.
    pub(crate) fn version(self) -> u8 {
        match self.function {
            Function::Legacy => 0,
            Function::HalfMd4 => 1,
            Function::Tea => 2,
        }
    }

    /// The hash of `name`, by which blocks are found, and a second one that orders equal hashes.
    pub(crate) fn of(self, name: &[u8]) -> (u32, u32) {
        let (hash, minor) = match self.function {
            Function::Legacy => (self.legacy(name), 0),
            Function::HalfMd4 => {
                let mut state = self.seed;
                for chunk in name.chunks(32) {
                    half_md4(&mut state, self.words(chunk));
                }
                let [_, hash, minor, _] = state;
                (hash, minor)
            }
            Function::Tea => {
                let [mut first, mut second, _, _] = self.seed;
                for chunk in name.chunks(16) {
                    (first, second) = tea(first, second, self.words(chunk));
                }
                (first, second)
            }
        };
        let hash = hash & !1;
        (if hash == END { END.wrapping_sub(2) } else { hash }, minor)
    }

    fn byte(self, byte: u8) -> u32 {
        if self.is_signed {
            i32::from(byte.cast_signed()).cast_unsigned()
        } else {
            byte.into()
        }
    }

    fn legacy(self, name: &[u8]) -> u32 {
        let (mut last, mut before) = (0x12A3_FE2D_u32, 0x37AB_E8F9_u32);
        for byte in name {
            let mut hash = before.wrapping_add(last ^ self.byte(*byte).wrapping_mul(7_152_373));
            if hash & 0x8000_0000 != 0 {
                hash = hash.wrapping_sub(0x7FFF_FFFF);
            }
            (before, last) = (last, hash);
        }
        last.wrapping_shl(1)
    }

    /// Packs the bytes of `chunk` into `N` words, four to a word, what is left over filled with the length.
    fn words<const N: usize>(self, chunk: &[u8]) -> [u32; N] {
        let len = u32::try_from(chunk.len()).unwrap_or(0) & 0xFF;
        let pad = len.wrapping_mul(0x0101_0101);
        let mut words = [pad; N];
        for (word, bytes) in words.iter_mut().zip(chunk.chunks(4)) {
            *word = bytes.iter().fold(pad, |value, byte| {
                self.byte(*byte).wrapping_add(value.wrapping_shl(8))
            });
        }
        words
    }
}

/// Three rounds of eight steps of MD4; each step rotates by one of four amounts in turn.
fn half_md4(state: &mut [u32; 4], words: [u32; 8]) {
    type Mix = fn(u32, u32, u32) -> u32;
    let rounds: [(Mix, u32, [u32; 4], [usize; 8]); 3] = [
        (
            |x, y, z| z ^ (x & (y ^ z)),
            0,
            [3, 7, 11, 19],
            [0, 1, 2, 3, 4, 5, 6, 7],
        ),
        (
            |x, y, z| (x & y).wrapping_add((x ^ y) & z),
            0x5A82_7999,
            [3, 5, 9, 13],
            [1, 3, 5, 7, 0, 2, 4, 6],
        ),
        (
            |x, y, z| x ^ y ^ z,
            0x6ED9_EBA1,
            [3, 9, 11, 15],
            [3, 7, 2, 6, 1, 5, 0, 4],
        ),
    ];
    let [mut a, mut b, mut c, mut d] = *state;
    for (mix, constant, shifts, order) in rounds {
        for (place, shift) in order.into_iter().zip(shifts.into_iter().cycle()) {
            let word = words.get(place).copied().unwrap_or(0).wrapping_add(constant);
            let sum = a.wrapping_add(mix(b, c, d)).wrapping_add(word).rotate_left(shift);
            (a, b, c, d) = (d, sum, b, c);
        }
    }
    for (value, add) in state.iter_mut().zip([a, b, c, d]) {
        *value = value.wrapping_add(add);
    }
}

/// Sixteen rounds of the Tiny Encryption Algorithm, with the words as the key.
fn tea(first: u32, second: u32, key: [u32; 4]) -> (u32, u32) {
    let [key_first, key_second, key_third, key_fourth] = key;
    let (mut left, mut right, mut sum) = (first, second, 0_u32);
    let mix = |value: u32, low: u32, high: u32, sum: u32| {
        value.wrapping_shl(4).wrapping_add(low)
            ^ value.wrapping_add(sum)
            ^ value.wrapping_shr(5).wrapping_add(high)
    };
    for _ in 0..16 {
        sum = sum.wrapping_add(0x9E37_79B9);
        left = left.wrapping_add(mix(right, key_first, key_second, sum));
        right = right.wrapping_add(mix(left, key_third, key_fourth, sum));
    }
    (first.wrapping_add(left), second.wrapping_add(right))
}
