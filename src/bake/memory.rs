//! What is remembered of a host beside its images: what they were made from, and what they looked like when they were
//! whole.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

use super::manifest::{ImageRecord, LaunchRecord, SwapRecord, TemplateRecord, name_in_host};
use crate::base::PathError;
use crate::base::atomic::{self, Durability};
use crate::base::digest::Sha256Digest;
use crate::block::redo;
use crate::project::ImageFormat;
use crate::store::HostPlaces;

/// What is remembered of a host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The digest of all that it is made from.
    pub(super) key: Sha256Digest,
    pub(super) image: ImageRecord,
    pub(super) swap: Option<SwapRecord>,
    pub(super) launch: Vec<LaunchRecord>,
    /// The digests of the guest's changed files, in the plan's order.
    pub(super) contents: Vec<Option<Sha256Digest>>,
    pub(super) stored: Vec<Stored>,
    /// The same as the key, piece by piece, so that a change can be given its reason.
    #[serde(default)]
    pub(super) inputs: Option<Inputs>,
    /// Whether the image holds what a machine has written, and so cannot be made again.
    #[serde(default)]
    pub(super) is_lived_in: bool,
}

/// What a file of a host looked like when it was whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) name: String,
    len_bytes: u64,
    modified: (i64, i64),
}

/// What a host is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inputs {
    /// The version of this program.
    pub(super) version: String,
    pub(super) template: TemplateRecord,
    pub(super) format: ImageFormat,
    pub(super) len_bytes: u64,
    pub(super) swap_len_bytes: Option<u64>,
    /// The digests of the files beside the image, by name.
    pub(super) launch: BTreeMap<String, Sha256Digest>,
    /// What is wanted of the guest's paths.
    pub(super) wishes: BTreeMap<String, Wish>,
}

/// What is wanted of one path of the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wish {
    /// The digest of the state that was asked for.
    pub(super) state: Sha256Digest,
    /// The digest of the content that the path has with that, if it is a regular file that was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Sha256Digest>,
    /// The text of the symbolic link that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
}

impl Memory {
    /// What is remembered of the host in `places`, if anything is.
    pub(super) fn read(places: &HostPlaces) -> Option<Self> {
        let text = fs::read(places.memory()).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Remembers, once all files have their names.
    pub(super) fn write(&self, places: &HostPlaces) -> Result<(), PathError> {
        let text = serde_json::to_vec(self).expect("what is remembered is plain data");
        atomic::write(&places.memory(), &text, Durability::NoSync)
    }

    /// Forgets the host in `places`, whose files are about to be replaced: what the new ones hold is not lived in.
    pub(super) fn forget(places: &HostPlaces) -> Result<(), PathError> {
        atomic::remove_if_there(&places.memory())
    }

    /// The name of the image's file in the host's directory.
    pub(super) fn image_name(&self) -> &str {
        name_in_host(&self.image.file)
    }

    /// Whether a machine, or someone else, has written to the image since it was made. One that is gone has nothing to
    /// lose.
    pub(super) fn is_written(&self, places: &HostPlaces) -> bool {
        let name = self.image_name();
        match look_at(places, name) {
            Ok(found) => {
                self.is_lived_in || !self.stored.contains(&found) || redo::has_redo(&places.file(name))
            }
            Err(_) => false,
        }
    }
}

/// What the file called `name` looks like.
pub(super) fn look_at(places: &HostPlaces, name: &str) -> std::io::Result<Stored> {
    let metadata = fs::symlink_metadata(places.file(name))?;
    if !metadata.is_file() {
        return Err(std::io::ErrorKind::NotFound.into());
    }
    Ok(Stored {
        name: name.to_owned(),
        len_bytes: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    })
}
