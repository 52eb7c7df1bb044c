//! The documents of a registry (<https://github.com/opencontainers/image-spec/blob/main/manifest.md>): manifests that list
//! blobs, and indexes that list manifests.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::OciError;
use crate::base::digest::Sha256Digest;

/// The longest manifest and index: what registries have to take
/// (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests>).
pub(super) const MANIFEST_MAX: u64 = 4 << 20;

/// The empty document, which stands where an artifact has no configuration
/// (<https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidance-for-an-empty-descriptor>).
pub(super) const EMPTY: &[u8] = b"{}";

/// The types of documents and blobs.
pub(super) mod media_type {
    /// A manifest.
    pub(in super::super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An index.
    pub(in super::super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// The empty document.
    pub(in super::super) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// A template: the type of the artifact.
    pub(in super::super) const TEMPLATE: &str = "application/vnd.mln-image.template.v1";
    /// What is known of a template.
    pub(in super::super) const TEMPLATE_CONFIG: &str = "application/vnd.mln-image.template.config.v1+json";
    /// A range of a template.
    pub(in super::super) const CHUNK: &str = "application/vnd.mln-image.template.chunk.v1+zstd";
    /// A signature of a manifest: the type of the artifact, and of its only blob.
    pub(in super::super) const SIGNATURE: &str = "application/vnd.mln-image.signature.v1+minisign";
    /// What we ask for.
    pub(in super::super) const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, \
        application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
        application/vnd.docker.distribution.manifest.list.v2+json";
}

/// A digest as registries write it, `sha256:` before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlobDigest(pub(super) Sha256Digest);

/// What lies under a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: BlobDigest,
    /// Its length in bytes.
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
}

/// A list of blobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default)]
    pub(super) media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// A list of manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u32,
    pub(super) media_type: String,
    #[serde(default)]
    pub(super) manifests: Vec<Descriptor>,
}

/// What any document of a registry may say of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Kind {
    pub(super) media_type: String,
    artifact_type: String,
    config: KindOfConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KindOfConfig {
    media_type: String,
}

impl Descriptor {
    /// The descriptor of `bytes`.
    pub(super) fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: BlobDigest(Sha256Digest::of(bytes)),
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            artifact_type: None,
        }
    }
}

impl Manifest {
    /// A manifest of an artifact of `artifact_type`.
    pub(super) fn new(artifact_type: &str, config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: media_type::MANIFEST.to_owned(),
            artifact_type: Some(artifact_type.to_owned()),
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The manifest in `bytes`, which have `digest`.
    pub(super) fn parse(bytes: &[u8], digest: Sha256Digest) -> Result<Self, OciError> {
        parse(bytes, "manifest", digest)
    }

    /// The bytes that are sent, and have the digest.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are always JSON")
    }
}

impl Index {
    /// The index in `bytes`, which have `digest`.
    pub(super) fn parse(bytes: &[u8], digest: Sha256Digest) -> Result<Self, OciError> {
        parse(bytes, "index", digest)
    }

    /// The bytes that are sent.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are always JSON")
    }
}

impl Default for Index {
    fn default() -> Self {
        Self {
            schema_version: 2,
            media_type: media_type::INDEX.to_owned(),
            manifests: Vec::new(),
        }
    }
}

impl Kind {
    /// In words, what the document in `bytes` is of.
    pub(super) fn shown(bytes: &[u8]) -> String {
        let kind: Self = serde_json::from_slice(bytes).unwrap_or_default();
        let is_list = kind.media_type.contains("index") || kind.media_type.contains("manifest.list");
        let named = [kind.artifact_type, kind.config.media_type, kind.media_type];
        match named.into_iter().find(|name| !name.is_empty()) {
            Some(_) if is_list => "a list of container images".to_owned(),
            Some(name) if name.contains("image.config") || name.contains("container.image") => {
                "a container image".to_owned()
            }
            Some(name) => format!("of the type `{}`", printable(&name)),
            None => "a document of no known type".to_owned(),
        }
    }
}

/// `text` as far as a terminal should get it.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(100)
        .collect()
}

pub(super) fn parse<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    what: &'static str,
    digest: Sha256Digest,
) -> Result<T, OciError> {
    serde_json::from_slice(bytes).map_err(|source| OciError::Document { what, digest, source })
}

impl fmt::Display for BlobDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.0)
    }
}

impl Serialize for BlobDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlobDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digest = text.strip_prefix("sha256:").and_then(|hex| hex.parse().ok());
        let digest = digest.ok_or_else(|| {
            let shown = printable(&text);
            serde::de::Error::custom(format!("`{shown}` is no sha256 digest"))
        })?;
        Ok(Self(digest))
    }
}
