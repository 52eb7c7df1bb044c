//! The key that the identities of a project's machines follow from: where it comes from, and where it is kept so that a
//! machine stays the same from bake to bake.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _};

use super::error::BakeError;
use crate::base::atomic::{self, Durability};
use crate::base::{IdentityKey, PathError};
use crate::store::ProjectPlaces;

/// A key and where it comes from.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The key.
    pub key: IdentityKey,
    /// Where it comes from.
    pub source: IdentitySource,
}

/// Where a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentitySource {
    /// A secret that the user gave.
    Secret,
    /// An earlier bake of the project.
    Kept,
    /// It was drawn just now, and a bake has to keep it.
    Drawn,
}

/// What stands before the key in its file.
const HEAD: &str =
    "# The machine-ids and ssh host keys of this project follow from this number: keep it secret.\n";

impl Identity {
    /// The key that an earlier bake of the project has kept, else `drawn`.
    pub fn kept_or(places: &ProjectPlaces, drawn: IdentityKey) -> Result<Self, BakeError> {
        let path = places.identity();
        let mut text = String::new();
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self {
                    key: drawn,
                    source: IdentitySource::Drawn,
                });
            }
            Err(error) => return Err(PathError::on("open", &path)(error).into()),
        };
        // No file of ours is longer.
        file.take(4096)
            .read_to_string(&mut text)
            .map_err(PathError::on("read", &path))?;
        let key = text.lines().find(|line| !line.starts_with('#')).and_then(parse);
        match key {
            Some(key) => Ok(Self {
                key,
                source: IdentitySource::Kept,
            }),
            None => Err(BakeError::BadIdentity { path }),
        }
    }

    /// Keeps a key that was drawn, for the owner's eyes alone.
    pub(super) fn keep(&self, places: &ProjectPlaces, durability: Durability) -> Result<(), PathError> {
        if self.source != IdentitySource::Drawn {
            return Ok(());
        }
        let mut text = HEAD.to_owned();
        for byte in self.key.to_bytes() {
            let _infallible = write!(text, "{byte:02x}");
        }
        text.push('\n');
        atomic::write_private(&places.identity(), text.as_bytes(), durability)
    }
}

/// A key in hexadecimal digits.
fn parse(text: &str) -> Option<IdentityKey> {
    let digits = text.trim();
    let mut bytes = [0; IdentityKey::LEN_BYTES];
    if digits.len() != 2 * bytes.len() || !digits.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(IdentityKey::from_bytes(bytes))
}
