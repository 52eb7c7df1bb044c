//! OCI image layouts: an index names a manifest, a manifest its layers, and each layer is a tar archive over those below
//! (<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>, and `layer.md` for whiteouts).

use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;

use super::archive::{Archive, Sink};
use super::blob::Blobs;
use super::builder::Builder;
use super::content::{Content, Node};
use super::error::RootfsError;
use super::open::decompressed;

/// The file that marks a layout.
pub(super) const MARK: &str = "oci-layout";

/// How many indexes may lead from one to the next.
const DEPTH_MAX: usize = 4;

/// The beginning of names that remove something of lower layers.
const WHITEOUT: &[u8] = b".wh.";
/// The name that removes everything of lower layers in its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";

#[derive(Debug, Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    platform: Option<Platform>,
}

#[derive(Debug, Clone, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

/// Whether the directory at `path` is a layout.
pub(super) fn is_layout(path: &Path) -> bool {
    path.join(MARK).is_file() && path.join("index.json").is_file()
}

/// Gives `builder` the layers of the only image, or of the only one for `platform`, lowest first.
pub(super) fn fill(builder: &mut Builder, blobs: &Blobs, platform: &str) -> Result<(), RootfsError> {
    let index: Index = parse(&blobs.document("index.json")?, "index.json")?;
    let manifest = find(blobs, index, platform)?;
    for layer in &manifest.layers {
        let is_tar = layer.media_type.contains("tar");
        if !is_tar || layer.media_type.contains("encrypted") {
            return Err(RootfsError::Layout(format!(
                "a layer of type `{}`",
                layer.media_type
            )));
        }
        builder.begin_layer();
        let mut blob = blobs.blob(&layer.digest)?;
        let mut input = decompressed(&mut blob)?;
        Archive::new(&mut input).read_all(&mut Layer(builder))?;
        drop(input);
        blob.prove()?;
    }
    Ok(())
}

/// Follows the index to the manifest.
fn find(blobs: &Blobs, mut index: Index, platform: &str) -> Result<Manifest, RootfsError> {
    for _ in 0..DEPTH_MAX {
        let chosen = choose(index.manifests, platform)?;
        let document = document(blobs, &chosen.digest)?;
        if !chosen.media_type.contains("index") && !chosen.media_type.contains("manifest.list") {
            return parse(&document, &chosen.digest);
        }
        index = parse(&document, &chosen.digest)?;
    }
    Err(RootfsError::Layout("indexes without end".to_owned()))
}

/// The only manifest, or the only one for `platform`.
fn choose(mut manifests: Vec<Descriptor>, platform: &str) -> Result<Descriptor, RootfsError> {
    if manifests.len() > 1 {
        let known: Vec<String> = manifests.iter().filter_map(Descriptor::platform).collect();
        manifests.retain(|descriptor| descriptor.platform().as_deref() == Some(platform));
        if manifests.len() != 1 {
            return Err(no_image(manifests.len(), platform, known));
        }
    }
    manifests.pop().ok_or_else(|| no_image(0, platform, Vec::new()))
}

fn no_image(count: usize, platform: &str, known: Vec<String>) -> RootfsError {
    RootfsError::NoImage {
        count,
        platform: platform.to_owned(),
        known,
    }
}

impl Descriptor {
    fn platform(&self) -> Option<String> {
        let platform = self.platform.as_ref()?;
        Some(format!("{}/{}", platform.os, platform.architecture))
    }
}

/// A document among the blobs, proved.
fn document(blobs: &Blobs, digest: &str) -> Result<Vec<u8>, RootfsError> {
    let mut blob = blobs.blob(digest)?;
    let mut bytes = Vec::new();
    let read = blob.by_ref().take(4 << 20).read_to_end(&mut bytes);
    read.map_err(RootfsError::Read)?;
    blob.prove()?;
    Ok(bytes)
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, RootfsError> {
    serde_json::from_slice(bytes).map_err(|source| RootfsError::Document {
        what: what.to_owned(),
        source,
    })
}

/// One layer over those that were put before.
struct Layer<'a>(&'a mut Builder);

impl Sink for Layer<'_> {
    fn node(&mut self, node: Node, content: Option<Content<'_>>) -> Result<(), RootfsError> {
        let path = node.path.strip_suffix(b"/").unwrap_or(&node.path);
        let name_at = path
            .iter()
            .rposition(|byte| *byte == b'/')
            .map_or(0, |slash| slash + 1);
        let (directory, name) = path.split_at(name_at);
        if name == OPAQUE {
            return self.0.remove_below(directory);
        }
        match name.strip_prefix(WHITEOUT) {
            Some(hidden) if !hidden.starts_with(WHITEOUT) && !hidden.is_empty() => {
                self.0.remove(&[directory, hidden].concat())
            }
            // Marks of union file systems, which are no files.
            Some(_) => Ok(()),
            None => self.0.node(node, content),
        }
    }
}
