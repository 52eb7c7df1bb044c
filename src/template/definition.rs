//! What a template that can be built consists of: `templates/*.toml`, packed into the program, and the user's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde::de::Error as _;

use super::error::TemplateError;
use super::name::{TemplateName, TemplateType};
use super::skeleton::SkeletonDefinition;
use crate::base::digest::Sha256Digest;
use crate::base::{ByteSize, GuestPath, PathError};

/// The definitions, and the files of skeletons, that the program brings.
pub(super) static PACKED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// How a definition's file name ends.
const ENDING: &str = "toml";

/// How one template is built.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its name: what the definition's file is called, without the ending.
    pub name: String,
    /// What it is, in a line.
    pub description: String,
    /// The file system's size unless the user wants another.
    pub size: ByteSize,
    /// The types that are built unless the user chooses, at least one.
    pub types: Vec<TemplateType>,
    /// What goes into it.
    pub content: DefinitionContent,
    /// The digest of the definition's text; a changed definition makes another template.
    pub digest: Sha256Digest,
    /// Where the definition lies; `None` for one that the program brings.
    pub file: Option<PathBuf>,
}

/// What goes into a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefinitionContent {
    /// A Debian system, installed from packages.
    Debian(DebianDefinition),
    /// Plain files.
    Skeleton(SkeletonDefinition),
}

/// A Debian system, installed from packages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianDefinition {
    /// The release's code name, such as `bookworm`.
    pub suite: String,
    /// The archive's components, such as `main`.
    pub components: Vec<String>,
    /// How much of a Debian it is.
    #[serde(default)]
    pub variant: DebianVariant,
    /// The packages to install beside the essential ones, without those that they only recommend.
    pub packages: Vec<String>,
    /// Patterns of paths that are not unpacked from any package.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Patterns of paths that are unpacked although excluded.
    #[serde(default)]
    pub include: Vec<String>,
    /// Files to write once all packages are there.
    #[serde(default, rename = "file")]
    pub files: Vec<PlacedFile>,
    /// Symbolic links to make once all packages are there.
    #[serde(default, rename = "link")]
    pub links: Vec<PlacedLink>,
    /// Patterns of paths to remove at the end.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Shell commands to run at the very end, with the root directory's path in `$1`.
    #[serde(default)]
    pub hooks: Vec<String>,
}

/// How much of a Debian system is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DebianVariant {
    /// The essential packages and those that are named, installed and configured.
    #[default]
    Minbase,
    /// The packages that are named, unpacked and not configured: nothing of them is run.
    Extract,
}

/// A file that a definition writes. It belongs to root.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedFile {
    /// Where it goes.
    #[serde(deserialize_with = "guest_path")]
    pub path: GuestPath,
    /// The whole content.
    pub content: String,
    /// The permission bits in octal.
    #[serde(default = "default_mode", deserialize_with = "octal_mode")]
    pub mode: u16,
}

/// A symbolic link that a definition makes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedLink {
    /// Where it goes.
    #[serde(deserialize_with = "guest_path")]
    pub path: GuestPath,
    /// The link's text.
    pub target: String,
}

/// A definition's file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    description: String,
    #[serde(deserialize_with = "byte_size")]
    size: ByteSize,
    types: Vec<TemplateType>,
    debian: Option<DebianDefinition>,
    skeleton: Option<SkeletonDefinition>,
}

/// Every definition, by name: the program's, and over them the `*.toml` files of `directory`, if one is given.
pub fn definitions(directory: Option<&Path>) -> Result<BTreeMap<String, Definition>, TemplateError> {
    let mut found = BTreeMap::new();
    for file in PACKED.files() {
        if let Some(definition) = file
            .contents_utf8()
            .map(|text| Definition::read(file.path(), text))
        {
            insert(&mut found, definition?);
        }
    }
    let Some(directory) = directory else {
        return Ok(found);
    };
    let failed = || PathError::on("read the directory", directory);
    for entry in fs::read_dir(directory).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            let text = fs::read_to_string(&path).map_err(PathError::on("read", &path))?;
            let mut definition = Definition::read(&path, &text)?;
            definition.file = Some(path);
            insert(&mut found, definition);
        }
    }
    Ok(found)
}

fn insert(found: &mut BTreeMap<String, Definition>, definition: Definition) {
    found.insert(definition.name.clone(), definition);
}

impl Definition {
    /// The definition called `name` among all that there are.
    pub fn find(name: &str, directory: Option<&Path>) -> Result<Self, TemplateError> {
        let mut found = definitions(directory)?;
        let definition = found.remove(name);
        definition.ok_or_else(|| TemplateError::NoDefinition {
            name: name.to_owned(),
            known: found.into_keys().collect(),
        })
    }

    /// What a template built from this definition as `file_type` is called.
    pub fn template_name(&self, file_type: TemplateType) -> Result<TemplateName, TemplateError> {
        if file_type == TemplateType::Img {
            return Err(TemplateError::NotBuilt(file_type));
        }
        Ok(TemplateName::new(&self.name, file_type)?)
    }

    /// Reads the definition in `text`, the content of `path`.
    fn read(path: &Path, text: &str) -> Result<Self, TemplateError> {
        let failed = |source| TemplateError::Definition {
            origin: path.display().to_string(),
            source,
        };
        let document: Document = toml::from_str(text).map_err(failed)?;
        let content = match (document.debian, document.skeleton) {
            (Some(debian), None) => DefinitionContent::Debian(debian),
            (None, Some(skeleton)) => DefinitionContent::Skeleton(skeleton),
            _ => {
                return Err(failed(toml::de::Error::custom(
                    "it needs one of [debian] and [skeleton]",
                )));
            }
        };
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // The name becomes a file's name; say now if it cannot.
        TemplateName::new(&name, TemplateType::Img)?;
        Ok(Self {
            name,
            description: document.description,
            size: document.size,
            types: document.types,
            content,
            digest: Sha256Digest::of(text.as_bytes()),
            file: None,
        })
    }
}

impl DebianVariant {
    /// The variant's name in mmdebstrap(1).
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Minbase => "minbase",
            Self::Extract => "extract",
        }
    }
}

fn default_mode() -> u16 {
    0o644
}

fn byte_size<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

pub(super) fn guest_path<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<GuestPath, D::Error> {
    let text = String::deserialize(deserializer)?;
    GuestPath::new(text).map_err(serde::de::Error::custom)
}

pub(super) fn octal_mode<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mode = u16::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o7777);
    mode.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a mode in octal")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packed_definitions_are_read() {
        let found = definitions(None).unwrap();
        let debian = &found["debian-12"];
        assert_eq!(debian.size, ByteSize(512 << 20));
        assert_eq!(debian.types, [TemplateType::Ext3, TemplateType::Ext4]);
        let DefinitionContent::Debian(content) = &debian.content else {
            panic!("{debian:?}");
        };
        assert_eq!(content.suite, "bookworm");
        assert!(content.files.iter().all(|file| file.mode == 0o644));
    }

    #[test]
    fn a_directory_adds_definitions_and_an_unknown_name_lists_them() {
        let directory = tempfile::tempdir().unwrap();
        let debian = PACKED.get_file("debian-12.toml").unwrap().contents();
        fs::copy(
            concat!(env!("CARGO_MANIFEST_DIR"), "/templates/debian-12.toml"),
            directory.path().join("mine.toml"),
        )
        .unwrap();
        let mine = Definition::find("mine", Some(directory.path())).unwrap();
        assert_eq!(mine.digest, Sha256Digest::of(debian));
        let error = Definition::find("debain", Some(directory.path())).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("there are busybox, debian-12, mine, skeleton"),
            "{error}"
        );
    }

    #[test]
    fn a_misspelt_key_is_an_error_with_its_line() {
        let text = "description = \"\"\nsize = \"1M\"\ntypes = []\n[debian]\nsweet = \"bookworm\"\n";
        let error = Definition::read(Path::new("x.toml"), text).unwrap_err();
        let TemplateError::Definition { source, .. } = error else {
            panic!("{error}");
        };
        assert!(source.to_string().contains("line 5"), "{source}");
    }
}
