//! What a template is in a registry, held against what can be.
//!
//! ```text
//!   raw image   |  chunk 0  |  chunk 1  |  chunk 2  | 3 |      equal ranges, the last one shorter
//!                    |           (zeros)      |       |
//!   manifest    config, layer 0,           layer 1, layer 2    each layer one range, compressed by zstd
//!   config      name, version, len_bytes, sha256, ...          of the whole image
//!               chunks: [{0, sha256}, {2, sha256}, {3, sha256}] of the ranges' raw bytes, in the layers' order
//! ```
//!
//! A range of zeros is nothing. The same template gives the same documents: they hold no times.

use serde::{Deserialize, Serialize};

use super::super::name::{TemplateName, TemplateType, Version};
use super::super::registry::Lineage;
use super::client::Client;
use super::document::{Descriptor, Kind, Manifest, media_type, parse, printable};
use super::error::OciError;
use super::repository::Fetched;
use crate::base::ByteSize;
use crate::base::digest::Sha256Digest;

/// The lengths that a range can have; the first with which a template has no more than [`CHUNKS_MAX`] is taken.
pub(super) const CHUNK_LENGTHS: [u64; 3] = [16 << 20, 32 << 20, 64 << 20];

/// How many ranges with data a template can have.
pub(super) const CHUNKS_MAX: usize = 4096;

/// The longest template, holes included.
pub(super) const TEMPLATE_MAX: u64 = 1 << 40;

/// The longest description of a template.
const CONFIG_MAX: u64 = 4 << 20;

/// The longest text of a description.
const TEXT_MAX: usize = 4096;

/// What is known of a template; it goes along with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Config {
    /// What projects call it.
    pub(super) name: TemplateName,
    pub(super) version: Version,
    pub(super) len_bytes: u64,
    /// The digest of the whole image.
    pub(super) sha256: Sha256Digest,
    pub(super) file_system: TemplateType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) root_partition: Option<u32>,
    #[serde(default)]
    pub(super) features: Vec<String>,
    #[serde(default)]
    pub(super) message: String,
    /// The definition that it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) definition: Option<String>,
    /// What it was baked from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lineage: Option<Lineage>,
    /// The length of a range in bytes.
    pub(super) chunk_len_bytes: u64,
    /// The ranges that are not zero, in the order of the manifest's layers.
    pub(super) chunks: Vec<Chunk>,
}

/// A range of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chunk {
    /// Its place among the ranges, from 0.
    pub(super) index: u32,
    /// The digest of its raw bytes.
    pub(super) sha256: Sha256Digest,
}

/// A template in a registry, understood and possible.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) config: Config,
    /// As many as there are chunks.
    pub(super) layers: Vec<Descriptor>,
}

impl Config {
    /// Where the range `chunk` begins, and its length, in bytes.
    pub(super) fn range(&self, chunk: Chunk) -> (u64, u64) {
        range(self.len_bytes, self.chunk_len_bytes, chunk.index)
    }

    /// How many bytes are in ranges that are not zero.
    pub(super) fn data_bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| self.range(*chunk).1).sum()
    }
}

/// Where the range `index` of an image begins, and its length, in bytes.
pub(super) fn range(len_bytes: u64, chunk_len_bytes: u64, index: u32) -> (u64, u64) {
    let start = u64::from(index).saturating_mul(chunk_len_bytes).min(len_bytes);
    (start, chunk_len_bytes.min(len_bytes - start))
}

impl Contents {
    /// Takes a manifest and gets its description; refuses what is no template, or none that can be.
    pub(super) fn read(client: &Client, fetched: &Fetched, reference: &str) -> Result<Self, OciError> {
        let not_ours = || OciError::NotATemplate {
            reference: reference.to_owned(),
            found: Kind::shown(&fetched.bytes),
        };
        let manifest = Manifest::parse(&fetched.bytes, fetched.digest).map_err(|_| not_ours())?;
        if manifest.config.media_type != media_type::TEMPLATE_CONFIG {
            return Err(not_ours());
        }
        let bytes = client.blob(&manifest.config, CONFIG_MAX, "description of the template")?;
        let config: Config = parse(&bytes, "description", manifest.config.digest.0)?;
        match fault(&config, &manifest.layers) {
            Some(what) => Err(OciError::Hostile {
                reference: reference.to_owned(),
                what,
            }),
            None => Ok(Self {
                config,
                layers: manifest.layers,
            }),
        }
    }
}

/// What is impossible of a template.
fn fault(config: &Config, layers: &[Descriptor]) -> Option<String> {
    let length = ByteSize(config.len_bytes);
    if config.len_bytes == 0 || config.len_bytes > TEMPLATE_MAX {
        return Some(format!("a template of {length} is not supported"));
    }
    if !CHUNK_LENGTHS.contains(&config.chunk_len_bytes) {
        return Some(format!(
            "chunks of {} are not supported",
            ByteSize(config.chunk_len_bytes)
        ));
    }
    if layers.len() > CHUNKS_MAX || layers.len() != config.chunks.len() {
        let (has, says) = (layers.len(), config.chunks.len());
        return Some(format!(
            "it has {has} layers and describes {says} chunks, of which there can be {CHUNKS_MAX}"
        ));
    }
    let mut last = None;
    for chunk in &config.chunks {
        let is_ascending = last.is_none_or(|last| last < chunk.index);
        if !is_ascending || config.range(*chunk).1 == 0 {
            return Some(format!("chunk {} is out of place in {length}", chunk.index));
        }
        last = Some(chunk.index);
    }
    let limit_bytes = compressed_max(config.chunk_len_bytes);
    if let Some(layer) = layers.iter().find(|layer| layer.media_type != media_type::CHUNK) {
        return Some(format!("a layer of the type `{}`", printable(&layer.media_type)));
    }
    if let Some(layer) = layers.iter().find(|layer| layer.size > limit_bytes) {
        return Some(format!("a layer of {} holds no chunk", ByteSize(layer.size)));
    }
    if config.name.version().is_some() {
        return Some(format!("the name `{}` has a version in it", config.name));
    }
    texts(config)
        .find(|text| text.len() > TEXT_MAX || text.chars().any(char::is_control))
        .map(|text| format!("`{}` is no text to show", printable(text)))
}

/// Everything that somebody may see on a terminal.
fn texts(config: &Config) -> impl Iterator<Item = &str> {
    let lineage = config.lineage.iter();
    let lineage = lineage.flat_map(|lineage| [&lineage.parent, &lineage.project, &lineage.host]);
    [&config.message]
        .into_iter()
        .chain(&config.definition)
        .chain(lineage)
        .map(String::as_str)
}

/// How long a range of `len_bytes` can be at most when it is compressed: what zstd adds to data that cannot be
/// (<https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1>: a header, and three bytes for each block of 128 KiB).
fn compressed_max(len_bytes: u64) -> u64 {
    len_bytes + len_bytes / 256 + 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn config() -> Config {
        let sha256 = Sha256Digest::of(b"");
        Config {
            name: "lab.ext4".parse().unwrap(),
            version: Version::FIRST,
            len_bytes: 40 * MIB,
            sha256,
            file_system: TemplateType::Ext4,
            root_partition: None,
            features: Vec::new(),
            message: "a laboratory".to_owned(),
            definition: None,
            lineage: None,
            chunk_len_bytes: 16 * MIB,
            chunks: [0, 2].map(|index| Chunk { index, sha256 }).to_vec(),
        }
    }

    fn layers(count: usize) -> Vec<Descriptor> {
        vec![Descriptor::of(media_type::CHUNK, b"x"); count]
    }

    #[test]
    fn ranges_cover_the_image() {
        let config = config();
        assert_eq!(config.range(config.chunks[0]), (0, 16 * MIB));
        assert_eq!(config.range(config.chunks[1]), (32 * MIB, 8 * MIB));
        assert_eq!(config.data_bytes(), 24 * MIB);
        assert_eq!(range(40 * MIB, 16 * MIB, 3).1, 0);
        assert_eq!(range(u64::MAX, 64 * MIB, u32::MAX).1, 64 * MIB);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(fault(&config(), &layers(2)), None);
        let changed = |change: fn(&mut Config)| {
            let mut config = config();
            change(&mut config);
            fault(&config, &layers(config.chunks.len())).unwrap()
        };
        assert_eq!(
            changed(|config| config.len_bytes = 0),
            "a template of 0 is not supported"
        );
        assert_eq!(
            changed(|config| config.len_bytes = u64::MAX >> 1)
                .split(' ')
                .nth(1),
            Some("template")
        );
        assert_eq!(
            changed(|config| config.chunk_len_bytes = 1),
            "chunks of 1 are not supported"
        );
        assert_eq!(
            changed(|config| config.chunks.reverse()),
            "chunk 0 is out of place in 40M"
        );
        assert_eq!(
            changed(|config| config.chunks[1].index = 3),
            "chunk 3 is out of place in 40M"
        );
        assert_eq!(
            changed(|config| config.chunks[1].index = 0),
            "chunk 0 is out of place in 40M"
        );
        assert_eq!(
            changed(|config| config.message = "\x1b[2J".to_owned()),
            "`[2J` is no text to show"
        );
        assert_eq!(
            changed(|config| config.name = "a-V1.0.ext4".parse().unwrap()),
            "the name `a-V1.0.ext4` has a version in it"
        );
        assert_eq!(
            fault(&config(), &layers(5000)).unwrap(),
            "it has 5000 layers and describes 2 chunks, of which there can be 4096"
        );
        let mut long = layers(2);
        long[1].size = 1 << 40;
        assert_eq!(fault(&config(), &long).unwrap(), "a layer of 1T holds no chunk");
        long[1].media_type = "x\n".to_owned();
        assert_eq!(fault(&config(), &long).unwrap(), "a layer of the type `x`");
    }
}
