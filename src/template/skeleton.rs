//! A template of plain files: what a guest's configuration needs to be there, and nothing that runs.
//!
//! The files lie below `files/` of the skeleton's directory as they will in the guest; `skeleton.toml` beside it names
//! what plain files cannot say: empty directories, links, modes and owners. The file system is made by the program's own
//! engine, so that it needs no other program and comes out the same everywhere, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use include_dir::Dir;
use serde::Deserialize;

use super::definition::{PACKED, PlacedLink, guest_path, octal_mode};
use super::error::TemplateError;
use super::name::{TemplateName, TemplateType};
use super::pack::identifier;
use crate::base::{GuestPath, PathError, Timestamp};
use crate::block::BlockDevice;
use crate::ext::{ExtError, ExtKind, FormatOptions, Fs, InodeNo, NewNode, format};

/// The name of the file that says what plain files cannot.
const MANIFEST: &str = "skeleton.toml";
/// The directory of plain files.
const FILES: &str = "files";

/// A template of plain files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkeletonDefinition {
    /// Its directory, beside the definition.
    pub directory: String,
    /// When all of it was last changed, in seconds since the epoch.
    pub seconds: u32,
}

/// Everything that a skeleton puts into a file system, directories before what they hold.
#[derive(Debug, Default)]
pub(super) struct Skeleton {
    nodes: BTreeMap<GuestPath, Node>,
}

#[derive(Debug)]
struct Node {
    content: Content,
    attributes: NewNode,
}

#[derive(Debug)]
enum Content {
    Directory,
    File(Vec<u8>),
    Link(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(default)]
    directories: Vec<String>,
    #[serde(default, rename = "link")]
    links: Vec<PlacedLink>,
    #[serde(default)]
    attributes: Vec<Attributes>,
}

/// The mode and owner of one path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attributes {
    #[serde(deserialize_with = "guest_path")]
    path: GuestPath,
    #[serde(deserialize_with = "octal_mode")]
    mode: u16,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
}

impl Skeleton {
    /// Reads the skeleton `definition`, which lies beside `file`, or in the program where that is `None`.
    pub(super) fn read(definition: &SkeletonDefinition, file: Option<&Path>) -> Result<Self, TemplateError> {
        let mut skeleton = Self::default();
        skeleton.put(GuestPath::root(), Content::Directory);
        let (origin, manifest) = match file {
            None => skeleton.read_packed(&definition.directory)?,
            Some(file) => skeleton.read_directory(&file.with_file_name(&definition.directory))?,
        };
        let manifest = toml::from_str(&manifest).map_err(|source| TemplateError::Definition {
            origin: origin.clone(),
            source,
        })?;
        skeleton.complete(manifest, &origin)?;
        Ok(skeleton)
    }

    /// Takes the files of the packed directory `name`; gives the manifest's name and text.
    fn read_packed(&mut self, name: &str) -> Result<(String, String), TemplateError> {
        let origin = format!("{name}/{MANIFEST}");
        let missing = || PathError::on("read", &origin)(std::io::ErrorKind::NotFound.into());
        let manifest = PACKED.get_file(&origin).and_then(|file| file.contents_utf8());
        let manifest = manifest.ok_or_else(missing)?.to_owned();
        let files = PACKED.get_dir(format!("{name}/{FILES}")).ok_or_else(missing)?;
        self.take_packed(files, files.path())?;
        Ok((origin, manifest))
    }

    fn take_packed(&mut self, directory: &Dir<'_>, root: &Path) -> Result<(), TemplateError> {
        for file in directory.files() {
            self.put_host_path(file.path(), root, Content::File(file.contents().to_vec()))?;
        }
        for below in directory.dirs() {
            self.take_packed(below, root)?;
        }
        Ok(())
    }

    /// Takes the files of the host's directory `path`; gives the manifest's path and text.
    fn read_directory(&mut self, path: &Path) -> Result<(String, String), TemplateError> {
        let root = path.join(FILES);
        for entry in walkdir::WalkDir::new(&root).sort_by_file_name() {
            let entry = entry.map_err(|error| PathError::on("read", &root)(error.into()))?;
            if entry.file_type().is_file() {
                let content = fs::read(entry.path()).map_err(PathError::on("read", entry.path()))?;
                self.put_host_path(entry.path(), &root, Content::File(content))?;
            }
        }
        let manifest = path.join(MANIFEST);
        let text = fs::read_to_string(&manifest).map_err(PathError::on("read", &manifest))?;
        Ok((manifest.display().to_string(), text))
    }

    fn put_host_path(&mut self, path: &Path, root: &Path, content: Content) -> Result<(), TemplateError> {
        let below = path.strip_prefix(root).unwrap_or(path);
        let guest_path = GuestPath::root().join(below.as_os_str().as_encoded_bytes())?;
        self.put(guest_path, content);
        Ok(())
    }

    /// Puts `content` at `path`, and directories above it.
    fn put(&mut self, path: GuestPath, content: Content) {
        if let Some(parent) = path.parent().filter(|parent| !self.nodes.contains_key(parent)) {
            self.put(parent, Content::Directory);
        }
        let mode = match content {
            Content::Directory => 0o755,
            Content::File(_) => 0o644,
            Content::Link(_) => 0o777,
        };
        let attributes = NewNode {
            mode,
            ..NewNode::default()
        };
        self.nodes.insert(path, Node { content, attributes });
    }

    /// Adds what the manifest says; `origin` names it.
    fn complete(&mut self, manifest: Manifest, origin: &str) -> Result<(), TemplateError> {
        for directory in manifest.directories {
            let path = GuestPath::new(directory)?;
            if !self.nodes.contains_key(&path) {
                self.put(path, Content::Directory);
            }
        }
        for link in manifest.links {
            self.put(link.path, Content::Link(link.target));
        }
        for Attributes { path, mode, uid, gid } in manifest.attributes {
            let node = self
                .nodes
                .get_mut(&path)
                .ok_or_else(|| TemplateError::NoSuchNode {
                    origin: origin.to_owned(),
                    path: path.clone(),
                })?;
            node.attributes = NewNode { mode, uid, gid };
        }
        Ok(())
    }

    /// Makes a file system of the type that `name` ends in on the whole of `device`, which reads as zero, and fills it.
    pub(super) fn make_image(
        &self,
        name: &TemplateName,
        device: &Arc<dyn BlockDevice>,
        now: Timestamp,
    ) -> Result<(), TemplateError> {
        let kind = match name.file_type() {
            TemplateType::Ext2 => ExtKind::Ext2,
            TemplateType::Ext3 => ExtKind::Ext3,
            TemplateType::Ext4 => ExtKind::Ext4,
            TemplateType::Img => return Err(TemplateError::NotBuilt(TemplateType::Img)),
        };
        let options = FormatOptions {
            kind,
            block_size: 4096,
            inode_len_bytes: 256,
            bytes_per_inode: 16384,
            uuid: identifier(name, "uuid").into_bytes(),
            hash_seed: identifier(name, "hash seed").into_bytes(),
            label: String::new(),
            now,
            reserved_percent: 1,
            journal_blocks: 1024,
        };
        format(device, &options)?;
        let mut fs = Fs::open_for_edit(Arc::clone(device), now).map_err(filling("/"))?;
        let mut directories = BTreeMap::new();
        for (path, node) in &self.nodes {
            let inode = fill(&mut fs, &directories, path, node).map_err(filling(path))?;
            directories.insert(path, inode);
        }
        fs.commit().map_err(filling("/"))
    }
}

/// Makes `node` at `path`, whose parent is in `directories` already.
fn fill(
    fs: &mut Fs,
    directories: &BTreeMap<&GuestPath, InodeNo>,
    path: &GuestPath,
    node: &Node,
) -> Result<InodeNo, ExtError> {
    let parent = path.parent().and_then(|parent| directories.get(&parent).copied());
    let (Some(parent), Some(name)) = (parent, path.file_name()) else {
        let NewNode { mode, uid, gid } = node.attributes;
        fs.set_mode(InodeNo::ROOT, mode)?;
        fs.set_owner(InodeNo::ROOT, uid, gid)?;
        return Ok(InodeNo::ROOT);
    };
    match &node.content {
        Content::Directory => fs.mkdir(parent, name, node.attributes),
        Content::Link(target) => fs.symlink(parent, name, target.as_bytes(), node.attributes),
        Content::File(content) => {
            let inode = fs.create_file(parent, name, node.attributes)?;
            fs.replace_content(inode, content)?;
            Ok(inode)
        }
    }
}

/// Makes the closure that `map_err` wants where the file system is filled.
fn filling(path: impl ToString) -> impl FnOnce(ExtError) -> TemplateError {
    move |source| TemplateError::Fill {
        path: path.to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed() -> Skeleton {
        let definition = SkeletonDefinition {
            directory: "skeleton".to_owned(),
            seconds: 0,
        };
        Skeleton::read(&definition, None).unwrap()
    }

    #[test]
    fn the_packed_skeleton_is_the_same_as_its_directory() {
        let definition = SkeletonDefinition {
            directory: "skeleton".to_owned(),
            seconds: 0,
        };
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/skeleton.toml");
        let from_directory = Skeleton::read(&definition, Some(&file)).unwrap();
        assert_eq!(format!("{from_directory:?}"), format!("{:?}", packed()));
    }

    #[test]
    fn every_directory_is_there_before_what_it_holds() {
        let skeleton = packed();
        let mut seen = Vec::new();
        for path in skeleton.nodes.keys() {
            assert!(path.is_root() || seen.contains(&path.parent().unwrap()), "{path}");
            seen.push(path.clone());
        }
        let shadow = &skeleton.nodes[&GuestPath::literal("/etc/shadow")];
        assert_eq!((shadow.attributes.mode, shadow.attributes.gid), (0o640, 42));
    }

    #[test]
    fn attributes_of_nothing_are_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("mine");
        fs::create_dir_all(below.join(FILES)).unwrap();
        let text = "[[attributes]]\npath = \"/etc/shadow\"\nmode = \"0640\"\n";
        let durability = crate::base::atomic::Durability::NoSync;
        crate::base::atomic::write(&below.join(MANIFEST), text.as_bytes(), durability).unwrap();
        let definition = SkeletonDefinition {
            directory: "mine".to_owned(),
            seconds: 0,
        };
        let error = Skeleton::read(&definition, Some(&directory.path().join("mine.toml"))).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("names `/etc/shadow`, which the skeleton does not have"),
            "{error}"
        );
    }
}
