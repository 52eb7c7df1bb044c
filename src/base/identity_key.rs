//! The secret of a project from which everything is derived that tells its machines from all others: the same key and
//! the same names always give the same bytes, and nobody without the key can tell them.

use std::fmt;

/// Sets this program's use of BLAKE3's key derivation apart from all others.
const CONTEXT: &str = "mln-image 2026-11-24 secret of a project";

/// A project's secret, as 32 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityKey([u8; Self::LEN_BYTES]);

impl IdentityKey {
    /// The key's length in bytes.
    pub const LEN_BYTES: usize = 32;

    /// The key with these bytes, which have to be random.
    pub fn from_bytes(bytes: [u8; Self::LEN_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key that follows from a secret of any length.
    pub fn from_secret(secret: &[u8]) -> Self {
        Self(blake3::derive_key(CONTEXT, secret))
    }

    /// The key's bytes, to be kept where only their owner reads them.
    pub fn to_bytes(&self) -> [u8; Self::LEN_BYTES] {
        self.0
    }

    /// `N` bytes for `purpose`, which differ for other names and do not tell the key.
    pub fn derive<const N: usize>(&self, purpose: &str, names: &[&str]) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream(purpose, names).fill(&mut bytes);
        bytes
    }

    /// An endless stream of such bytes.
    pub fn stream(&self, purpose: &str, names: &[&str]) -> blake3::OutputReader {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in std::iter::once(&purpose).chain(names) {
            // With its length, so that no two lists of names are the same bytes.
            let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
            hasher.update(&len.to_le_bytes()).update(part.as_bytes());
        }
        hasher.finalize_xof()
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IdentityKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_bytes_depend_on_key_purpose_and_every_name() {
        let key = IdentityKey::from_secret(b"secret");
        let derived: [u8; 16] = key.derive("a", &["b", "c"]);
        assert_eq!(derived, key.derive("a", &["b", "c"]));
        assert_ne!(derived, key.derive("a", &["bc"]));
        assert_ne!(derived, key.derive("a", &["b", "c", ""]));
        assert_ne!(derived, key.derive("ab", &["", "c"]));
        assert_ne!(
            derived,
            IdentityKey::from_secret(b"other").derive("a", &["b", "c"])
        );
        assert_eq!(format!("{key:?}"), "IdentityKey(..)");
    }
}
