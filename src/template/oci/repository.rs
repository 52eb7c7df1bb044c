//! What a repository holds: blobs by their digest, manifests by digest or tag, and what refers to a manifest.

use std::collections::BTreeSet;
use std::io::Read;

use ureq::http::header::{HeaderMap, LOCATION};
use ureq::http::{Method, StatusCode};

use super::client::{Ask, Client, again, body, read_all};
use super::document::{BlobDigest, Descriptor, Index, MANIFEST_MAX, media_type};
use super::error::OciError;
use crate::base::digest::Sha256Digest;

/// The header by which a registry says that it keeps lists of what refers to a manifest.
const SUBJECT_HEADER: &str = "oci-subject";

/// How registries answer that keep no lists of what refers to a manifest.
const NO_LISTS: [StatusCode; 4] = [
    StatusCode::BAD_REQUEST,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::NOT_ACCEPTABLE,
];

/// A manifest as it came.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Sha256Digest,
}

impl Client {
    /// Whether the repository has the blob.
    pub(super) fn has_blob(&self, digest: &BlobDigest) -> Result<bool, OciError> {
        let ask = Ask::new(
            Method::HEAD,
            self.url(&format!("blobs/{digest}")),
            "when asked for a blob",
        );
        let answer = self.send(&ask, &[StatusCode::OK, StatusCode::NOT_FOUND])?;
        Ok(answer.status() == StatusCode::OK)
    }

    /// Gives the repository a blob.
    pub(super) fn put_blob(&self, digest: &BlobDigest, bytes: &[u8]) -> Result<(), OciError> {
        const ACTION: &str = "when sent a blob";
        const OCTETS: &str = "application/octet-stream";
        // An upload that failed is begun anew: its place is used up.
        again(|_| {
            let ask = Ask::new(Method::POST, self.url("blobs/uploads/"), ACTION).with_body(OCTETS, &[]);
            let answer = self.send(&ask, &[StatusCode::ACCEPTED])?;
            let place = location(answer.headers())?;
            let mark = if place.contains('?') { '&' } else { '?' };
            let url = format!("{}{mark}digest={digest}", self.located(&place));
            let ask = Ask::new(Method::PUT, url, ACTION).with_body(OCTETS, bytes);
            self.send(&ask, &[StatusCode::CREATED]).map(drop)
        })
    }

    /// Opens a blob for reading; whoever reads counts, and holds what comes against the digest.
    pub(super) fn open_blob(&self, digest: &BlobDigest) -> Result<impl Read, OciError> {
        let url = self.url(&format!("blobs/{digest}"));
        let ask = Ask::new(Method::GET, url, "when asked for a blob");
        let answer = self.send(&ask, &[StatusCode::OK, StatusCode::NOT_FOUND])?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(OciError::NotFound(format!("blob {digest}")));
        }
        Ok(body(answer))
    }

    /// A small blob, whole and proved.
    pub(super) fn blob(
        &self,
        descriptor: &Descriptor,
        limit_bytes: u64,
        what: &'static str,
    ) -> Result<Vec<u8>, OciError> {
        again(|_| {
            let url = self.url(&format!("blobs/{}", descriptor.digest));
            let ask = Ask::new(Method::GET, url, "when asked for a blob");
            let answer = self.send(&ask, &[StatusCode::OK, StatusCode::NOT_FOUND])?;
            if answer.status() == StatusCode::NOT_FOUND {
                return Err(OciError::NotFound(format!("blob {}", descriptor.digest)));
            }
            let bytes = read_all(answer, limit_bytes, what)?;
            prove(what, descriptor.digest.0, &bytes)?;
            Ok(bytes)
        })
    }

    /// The manifest that `name`, a tag or a digest, means; `None` where there is none.
    pub(super) fn manifest(&self, name: &str) -> Result<Option<Fetched>, OciError> {
        let url = self.url(&format!("manifests/{name}"));
        let mut ask = Ask::new(Method::GET, url, "when asked for a manifest");
        ask.accept = Some(media_type::ACCEPTED);
        again(|_| {
            let answer = self.send(&ask, &[StatusCode::OK, StatusCode::NOT_FOUND])?;
            if answer.status() == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            let bytes = read_all(answer, MANIFEST_MAX, "manifest")?;
            let digest = Sha256Digest::of(&bytes);
            if let Some(expected) = name.strip_prefix("sha256:").and_then(|hex| hex.parse().ok()) {
                prove("manifest", expected, &bytes)?;
            }
            Ok(Some(Fetched { bytes, digest }))
        })
    }

    /// Gives the repository a manifest under `name`; says whether it keeps lists of what refers to others.
    pub(super) fn put_manifest(&self, name: &str, media_type: &str, bytes: &[u8]) -> Result<bool, OciError> {
        let url = self.url(&format!("manifests/{name}"));
        let ask = Ask::new(Method::PUT, url, "when sent a manifest").with_body(media_type, bytes);
        let answer = self.send(&ask, &[StatusCode::CREATED])?;
        Ok(answer.headers().contains_key(SUBJECT_HEADER))
    }

    /// What refers to the manifest with `digest` and is of `artifact_type`. Registries that keep no lists have them
    /// under a tag (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>).
    pub(super) fn referrers(
        &self,
        digest: Sha256Digest,
        artifact_type: &str,
    ) -> Result<Vec<Descriptor>, OciError> {
        let url = self.url(&format!("referrers/sha256:{digest}"));
        let mut ask = Ask::new(Method::GET, url, "when asked for signatures");
        ask.accept = Some(media_type::INDEX);
        let expected: Vec<StatusCode> = [StatusCode::OK].into_iter().chain(NO_LISTS).collect();
        let answer = self.send(&ask, &expected)?;
        let listed = if answer.status() == StatusCode::OK {
            let bytes = read_all(answer, MANIFEST_MAX, "list of signatures")?;
            Index::parse(&bytes, digest)?
        } else {
            Index::default()
        };
        let tagged = self.tagged_referrers(digest)?;
        let mut seen = BTreeSet::new();
        let all = listed.manifests.into_iter().chain(tagged.manifests);
        Ok(all
            .filter(|one| one.artifact_type.as_deref() == Some(artifact_type))
            .filter(|one| seen.insert(one.digest.0))
            .collect())
    }

    /// Adds `referrer` to the list, kept under a tag, of what refers to the manifest with `digest`.
    pub(super) fn add_tagged_referrer(
        &self,
        digest: Sha256Digest,
        referrer: Descriptor,
    ) -> Result<(), OciError> {
        let mut index = self.tagged_referrers(digest)?;
        if index
            .manifests
            .iter()
            .all(|known| known.digest != referrer.digest)
        {
            index.manifests.push(referrer);
        }
        let bytes = index.to_bytes();
        self.put_manifest(&referrers_tag(digest), media_type::INDEX, &bytes)?;
        Ok(())
    }

    fn tagged_referrers(&self, digest: Sha256Digest) -> Result<Index, OciError> {
        match self.manifest(&referrers_tag(digest))? {
            Some(fetched) => Index::parse(&fetched.bytes, fetched.digest),
            None => Ok(Index::default()),
        }
    }
}

/// The tag that stands for the list of what refers to the manifest with `digest`.
fn referrers_tag(digest: Sha256Digest) -> String {
    format!("sha256-{digest}")
}

/// Where an upload goes on.
fn location(headers: &HeaderMap) -> Result<String, OciError> {
    headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
        .ok_or_else(|| OciError::Protocol("it does not say where to send a blob".to_owned()))
}

/// Holds `bytes` against the digest that they should have.
fn prove(what: &'static str, expected: Sha256Digest, bytes: &[u8]) -> Result<(), OciError> {
    let found = Sha256Digest::of(bytes);
    if found == expected {
        return Ok(());
    }
    Err(OciError::Digest {
        what,
        expected,
        found,
    })
}
