//! SHA-256 of bytes and files, written as lower-case hexadecimal.

use std::fmt;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// How many bytes of a long file are read at once.
const LONGEST_READ: usize = 1 << 16;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// The digest's first `N` bytes, at most 32.
    pub fn first<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        for (byte, own) in bytes.iter_mut().zip(self.0) {
            *byte = own;
        }
        bytes
    }

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of everything that `reader` yields.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        // Most of what is digested is short.
        let mut buffer = vec![0; 1 << 12];
        loop {
            let length = reader.read(&mut buffer)?;
            if length == 0 {
                return Ok(Self(hasher.finalize().into()));
            }
            hasher.update(&buffer[..length]);
            if length == buffer.len() && length < LONGEST_READ {
                buffer.resize(length * 4, 0);
            }
        }
    }
}

impl From<Sha256> for Sha256Digest {
    /// The digest of everything that the hasher was given.
    fn from(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }
}

impl Sha256Digest {
    /// The first eight bytes as a number, for dividing things evenly.
    pub fn head(&self) -> u64 {
        let (head, _) = self.0.split_first_chunk().expect("a digest has 32 bytes");
        u64::from_be_bytes(*head)
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        for (digits, byte) in text.chunks_exact_mut(2).zip(self.0) {
            digits
                .copy_from_slice(&[byte >> 4, byte & 15].map(|half| b"0123456789abcdef"[usize::from(half)]));
        }
        formatter.write_str(str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_char('"')?;
        fmt::Display::fmt(self, formatter)?;
        formatter.write_char('"')
    }
}

impl serde::Serialize for Sha256Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Says that a text is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a SHA-256 digest")]
pub struct DigestError(pub String);

impl FromStr for Sha256Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let refused = || DigestError(text.to_owned());
        let mut digest = [0; 32];
        if text.len() != 2 * digest.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refused());
        }
        for (byte, start) in digest.iter_mut().zip((0..).step_by(2)) {
            let pair = text.get(start..start + 2).ok_or_else(refused)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refused())?;
        }
        Ok(Self(digest))
    }
}

impl<'de> serde::Deserialize<'de> for Sha256Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_value() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256Digest::of(b"abc").to_string(), abc);
        assert_eq!(Sha256Digest::of_reader(&b"abc"[..]).unwrap().to_string(), abc);
    }

    #[test]
    fn a_written_digest_is_read_back_and_nothing_else_is() {
        let digest = Sha256Digest::of(b"abc");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for wrong in ["", "ab", &"g".repeat(64), &"+1".repeat(32), &"0".repeat(65)] {
            assert_eq!(wrong.parse::<Sha256Digest>(), Err(DigestError(wrong.to_owned())));
        }
    }
}
