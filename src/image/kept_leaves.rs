//! The hashes of a template's leaves as bytes, so that the next bake need not read the whole template for them.
//!
//! All numbers are little-endian:
//!
//! ```text
//!    0   8  "MLNLEAF" and a newline
//!    8  32  BLAKE3 of what the leaves are those of: version of the program, digest and place of the template, free ranges
//!   40   8  number of leaves
//!   48      for each leaf: 1 and its chaining value, or 0 where it lies in a stretch of zeros
//!   end 32  BLAKE3 of all before
//! ```
//!
//! No byte of an image depends on them, its digest alone.

use super::base_image::BaseImage;
use super::digest::{ChainingValue, LEAF, LeafHashes};
use crate::base::digest::Sha256Digest;
use crate::block::BlockDevice as _;

const MAGIC: &[u8; 8] = b"MLNLEAF\n";

/// How many bytes the file has that hold no leaf.
const FRAME_BYTES: u64 = 80;

/// How many bytes a leaf takes at most.
const LEAF_ENTRY_BYTES: u64 = 33;

impl BaseImage {
    /// How many bytes hashes of this base take at most.
    pub fn most_hashes_bytes(&self) -> u64 {
        let leaves = self.len_bytes().div_ceil(LEAF);
        leaves
            .saturating_mul(LEAF_ENTRY_BYTES)
            .saturating_add(FRAME_BYTES)
    }

    /// Takes the hashes in `kept`, if they are those of this base, made of the template with this digest; answers whether
    /// they are.
    pub fn take_hashes(&self, kept: &[u8], template: &Sha256Digest) -> bool {
        self.decode(kept, template)
            .is_some_and(|leaves| self.know(LeafHashes::new(leaves)))
    }

    /// The base's hashes as bytes, made first where they are not known; `template` is the digest of the template.
    pub fn hashes(&self, template: &Sha256Digest) -> Vec<u8> {
        let leaves = self.leaves().leaves();
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.made_from(template).as_bytes());
        bytes.extend(u64::try_from(leaves.len()).unwrap_or(u64::MAX).to_le_bytes());
        for leaf in leaves {
            bytes.push(leaf.is_some().into());
            bytes.extend(leaf.iter().flatten());
        }
        let digest = blake3::hash(&bytes);
        bytes.extend(digest.as_bytes());
        bytes
    }

    fn decode(&self, kept: &[u8], template: &Sha256Digest) -> Option<Vec<Option<ChainingValue>>> {
        let (bytes, digest) = kept.split_last_chunk::<{ blake3::OUT_LEN }>()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (made_from, rest) = rest.split_first_chunk()?;
        let (count, mut rest) = rest.split_first_chunk()?;
        let is_own = self.made_from(template) == *made_from
            && u64::from_le_bytes(*count) == self.len_bytes().div_ceil(LEAF)
            && blake3::hash(bytes) == *digest;
        if !is_own {
            return None;
        }
        let mut leaves = Vec::new();
        while let Some((is_known, behind)) = rest.split_first() {
            let (leaf, behind) = match is_known {
                0 => (None, behind),
                _ => behind
                    .split_first_chunk()
                    .map(|(leaf, behind)| (Some(*leaf), behind))?,
            };
            leaves.push(leaf);
            rest = behind;
        }
        Some(leaves)
    }

    /// What the hashes depend on.
    fn made_from(&self, template: &Sha256Digest) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{} {template} {}", env!("CARGO_PKG_VERSION"), self.before_bytes()).as_bytes());
        for range in self.free().iter() {
            hasher.update(&range.start.to_le_bytes());
            hasher.update(&range.end.to_le_bytes());
        }
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{CommonDigest, Ranges};
    use super::*;
    use crate::block::{FileDevice, Overlay};

    fn base(bytes: &[u8], used: &Ranges) -> Arc<BaseImage> {
        use std::io::Write as _;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let device = Arc::new(FileDevice::from_file(file, false).unwrap());
        Arc::new(BaseImage::scan(device, used).unwrap())
    }

    fn digest(base: &Arc<BaseImage>) -> String {
        let delta = Overlay::new(base.clone()).finish().unwrap();
        let common = CommonDigest::nothing(base.clone(), Overlay::new(base.clone()).finish().unwrap());
        common.digest(&delta).unwrap().to_string()
    }

    #[test]
    fn only_the_hashes_of_the_same_base_are_taken() {
        let mut bytes = vec![0; (3 << 20) + 100_000];
        bytes[5] = 1;
        bytes[(2 << 20) + 70_000..][..5000].fill(7);
        let all = Ranges::whole(u64::MAX);
        let template = Sha256Digest::of(b"template");
        let first = base(&bytes, &all);
        let kept = first.hashes(&template);
        // Two of the three stretches of 1 MiB and the rest behind them hold data.
        assert_eq!(first.most_hashes_bytes() - kept.len() as u64, 16 * 32);
        let again = base(&bytes, &all);
        assert!(again.take_hashes(&kept, &template));
        assert_eq!(digest(&again), blake3::hash(&bytes).to_string());
        assert_eq!(digest(&again), digest(&first));
        // Known already.
        assert!(!again.take_hashes(&kept, &template));

        let fresh = || base(&bytes, &all);
        assert!(!fresh().take_hashes(&kept, &Sha256Digest::of(b"another")));
        assert!(!base(&bytes, &Ranges::whole(1 << 20)).take_hashes(&kept, &template));
        assert!(!base(&bytes[..1 << 20], &all).take_hashes(&kept, &template));
        for len in [0, 7, 50, kept.len() - 1] {
            assert!(!fresh().take_hashes(&kept[..len], &template), "{len}");
        }
        for place in (0..kept.len()).step_by(97) {
            let mut damaged = kept.clone();
            damaged[place] ^= 1;
            assert!(!fresh().take_hashes(&damaged, &template), "{place}");
        }
    }
}
