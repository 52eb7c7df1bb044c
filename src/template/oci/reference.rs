//! How a template in a registry is named: `REGISTRY/REPOSITORY`, then `:TAG` or `@sha256:DIGEST`
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>).

use std::fmt;
use std::str::FromStr;

use crate::base::digest::Sha256Digest;

/// The tag that is meant where none is given.
pub(super) const DEFAULT_TAG: &str = "latest";

/// The longest name of a repository, and of a registry.
const NAME_MAX: usize = 255;

/// The longest tag.
const TAG_MAX: usize = 128;

/// A place in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    target: Target,
}

/// Which of a repository's manifests is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// None was named.
    Unnamed,
    /// The one that has this tag now.
    Tag(String),
    /// The one with this digest.
    Digest(Sha256Digest),
}

/// Says why a text names no place in a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There is no registry's name before the first slash.
    #[error(
        "`{0}` does not begin with a registry, as in registry.example.org/lab/debian or localhost:5000/debian"
    )]
    NoRegistry(String),
    /// The repository has a name that no registry takes.
    #[error(
        "`{0}` is no repository: lower-case letters, digits and single `.`, `_`, `-` between them make its parts"
    )]
    Repository(String),
    /// The tag is none.
    #[error("`{0}` is no tag: at most 128 letters, digits, `.`, `_` and `-` make one")]
    Tag(String),
    /// The digest is none.
    #[error("`{0}` is no digest: `sha256:` and 64 hexadecimal digits make one")]
    Digest(String),
}

impl Reference {
    /// The registry: its host, and its port where it has one of its own.
    pub(super) fn registry(&self) -> &str {
        &self.registry
    }

    /// The registry under which credentials for it are kept.
    pub fn credentials_key(&self) -> &str {
        &self.registry
    }

    /// The repository in the registry.
    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    /// Which manifest is meant.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// The same repository's manifest with `digest`.
    pub(super) fn with_digest(&self, digest: Sha256Digest) -> Self {
        Self {
            target: Target::Digest(digest),
            ..self.clone()
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (registry, rest) = text
            .split_once('/')
            .filter(|(registry, _)| is_registry(registry))
            .ok_or_else(|| ReferenceError::NoRegistry(text.to_owned()))?;
        let (repository, target) = match (rest.split_once('@'), rest.split_once(':')) {
            (Some((repository, digest)), _) => {
                // As others do, a tag before a digest is passed over: the digest says which.
                let repository = repository.split_once(':').map_or(repository, |(name, _)| name);
                (repository, Target::Digest(digest_of(digest)?))
            }
            (None, Some((repository, tag))) => (repository, Target::Tag(tag_of(tag)?)),
            (None, None) => (rest, Target::Unnamed),
        };
        if repository.len() > NAME_MAX || !repository.split('/').all(is_part) {
            return Err(ReferenceError::Repository(repository.to_owned()));
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            target,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        match &self.target {
            Target::Unnamed => write!(formatter, ":{DEFAULT_TAG}"),
            Target::Tag(tag) => write!(formatter, ":{tag}"),
            Target::Digest(digest) => write!(formatter, "@sha256:{digest}"),
        }
    }
}

/// Whether `text` is a host with an optional port, and not the first part of a repository.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            let is_address = address.parse::<std::net::Ipv6Addr>().is_ok();
            return is_address
                && (port.is_empty()
                    || port
                        .strip_prefix(':')
                        .is_some_and(|port| port.parse::<u16>().is_ok()));
        }
        None => text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let is_host = text.len() <= NAME_MAX
        && host.split('.').all(|label| {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !label.is_empty() && !label.starts_with('-') && label.bytes().all(is_letter)
        });
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let is_no_repository = port.is_some() || host.contains('.') || host == "localhost";
    is_host && is_port && is_no_repository
}

/// Whether `part` is one part of a repository's name: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_part(part: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    let separators = part.split(|sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit());
    ends.into_iter()
        .all(|end| end.is_some_and(|byte| is_letter(*byte)))
        && separators
            .filter(|separator| !separator.is_empty())
            .all(|separator| {
                matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
            })
}

fn tag_of(text: &str) -> Result<String, ReferenceError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_tag = text.len() <= TAG_MAX
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || b".-".contains(&byte));
    if is_tag {
        Ok(text.to_owned())
    } else {
        Err(ReferenceError::Tag(text.to_owned()))
    }
}

fn digest_of(text: &str) -> Result<Sha256Digest, ReferenceError> {
    text.strip_prefix("sha256:")
        .and_then(|hex| hex.parse().ok())
        .ok_or_else(|| ReferenceError::Digest(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        let digest = "a".repeat(64);
        for (text, registry, repository, shown) in [
            ("localhost/a", "localhost", "a", "localhost/a:latest"),
            (
                "127.0.0.1:5000/lab/debian:1.0",
                "127.0.0.1:5000",
                "lab/debian",
                "127.0.0.1:5000/lab/debian:1.0",
            ),
            ("[::1]:5000/a", "[::1]:5000", "a", "[::1]:5000/a:latest"),
            (
                "ghcr.io/a__b/c.d-e--f:V_1",
                "ghcr.io",
                "a__b/c.d-e--f",
                "ghcr.io/a__b/c.d-e--f:V_1",
            ),
            (
                &format!("r.example/a:old@sha256:{digest}"),
                "r.example",
                "a",
                &format!("r.example/a@sha256:{digest}"),
            ),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(
                (reference.registry(), reference.repository()),
                (registry, repository)
            );
            assert_eq!(reference.to_string(), shown);
        }
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for text in [
            "",
            "debian",
            "lab/debian",
            "/a",
            "-x.y/a",
            "a:b/c",
            "a:99999/c",
            "a..b/c",
            "[::1/a",
            "[1]/a",
        ] {
            assert_eq!(
                text.parse::<Reference>(),
                Err(ReferenceError::NoRegistry(text.to_owned()))
            );
        }
        for name in [
            "", "A", "a//b", "../a", "a/..", "a._b", "a___b", "a-", "a b", "a/",
        ] {
            let refused = Err(ReferenceError::Repository(name.to_owned()));
            assert_eq!(format!("r.io/{name}").parse::<Reference>(), refused);
        }
        for tag in ["", "-a", "a:b", "a/b", "é", &"t".repeat(129)] {
            let refused = Err(ReferenceError::Tag(tag.to_owned()));
            assert_eq!(format!("r.io/a:{tag}").parse::<Reference>(), refused);
        }
        for digest in ["", "sha256:", "sha256:ab", "sha512:00"] {
            let refused = Err(ReferenceError::Digest(digest.to_owned()));
            assert_eq!(format!("r.io/a@{digest}").parse::<Reference>(), refused);
        }
    }
}
