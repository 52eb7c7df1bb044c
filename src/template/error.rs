//! What can go wrong with templates.

use std::path::PathBuf;

use super::name::{NameError, TemplateName, TemplateType};
use super::oci::OciError;
use super::rootfs::RootfsError;
use crate::base::digest::Sha256Digest;
use crate::base::process::ProcessError;
use crate::base::{GuestPath, GuestPathError, PathError};
use crate::disk::DiskError;
use crate::ext::{ExtError, FormatError};

/// Says why a template could not be found, made or kept.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// No file of the store has that name.
    #[error("there is no template `{name}` in `{}`{}", directory.display(), near_names(near))]
    NotFound {
        /// The name that was asked for.
        name: String,
        /// Where it was looked for.
        directory: PathBuf,
        /// Names in the store that are written nearly the same.
        near: Vec<String>,
    },
    /// The text cannot be a template's name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The name's end and the file system's type disagree.
    #[error("`{name}` shall be {expected}, but the file system is {found}")]
    WrongType {
        /// The name that was wanted.
        name: TemplateName,
        /// The type that the name ends in.
        expected: TemplateType,
        /// The type that the file system has.
        found: TemplateType,
    },
    /// A file of that very name is there already.
    #[error("the store has `{0}` already")]
    Exists(TemplateName),
    /// The file is not an ext2, ext3 or ext4 file system.
    #[error("`{}` is not an ext2, ext3 or ext4 file system{}", path.display(), .hint.map(|hint| format!(": {hint}")).unwrap_or_default())]
    NotExt {
        /// The file.
        path: PathBuf,
        /// What it looks like instead.
        hint: Option<&'static str>,
    },
    /// The file system cannot be the start of a bake.
    #[error("`{}` cannot be a template", path.display())]
    Ext {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ExtError,
    },
    /// A tree of files did not become a file system.
    #[error("cannot make a template of `{origin}`")]
    Tree {
        /// Where the tree comes from.
        origin: String,
        /// Why.
        #[source]
        source: Box<RootfsError>,
    },
    /// The partitions of a whole disk cannot be used.
    #[error("`{}` cannot be a template", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: DiskError,
    },
    /// The template's file was changed while it was in use.
    #[error("the template `{}` was changed while it was in use", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file is not the one that was recorded.
    #[error("`{}` is not what was recorded: its digest is {found}, recorded was {recorded}", path.display())]
    DigestDiffers {
        /// The file.
        path: PathBuf,
        /// The digest of the file as it is.
        found: Sha256Digest,
        /// The digest in the record.
        recorded: Sha256Digest,
    },
    /// The record is not what this program writes.
    #[error("cannot understand `{}`; mend it, or remove it: templates are found without it", path.display())]
    Registry {
        /// The record.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: toml::de::Error,
    },
    /// The record cannot be put into words.
    #[error("cannot write the record of templates")]
    RegistryForm(#[source] toml::ser::Error),
    /// No definition has that name.
    #[error("there is no definition of a template called `{name}`; there are {}", known.join(", "))]
    NoDefinition {
        /// The name that was asked for.
        name: String,
        /// Every name that there is.
        known: Vec<String>,
    },
    /// A definition is not understood.
    #[error("the definition `{origin}` is wrong")]
    Definition {
        /// The file.
        origin: String,
        /// Where and why.
        #[source]
        source: toml::de::Error,
    },
    /// A skeleton's manifest names a path that the skeleton does not have.
    #[error("`{origin}` names `{path}`, which the skeleton does not have")]
    NoSuchNode {
        /// The manifest.
        origin: String,
        /// The path.
        path: GuestPath,
    },
    /// A path of a definition is none that a guest can have.
    #[error(transparent)]
    GuestPath(#[from] GuestPathError),
    /// No file system can be made like this.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The new file system does not take a file.
    #[error("cannot put `{path}` into the file system")]
    Fill {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: ExtError,
    },
    /// Only file systems of a known type can be made.
    #[error("a template is built as ext2, ext3 or ext4, not as {0}")]
    NotBuilt(TemplateType),
    /// Programs that the work needs are not installed.
    #[error("building needs {}: install the Debian {} {}", programs.join(", "), if packages.len() == 1 { "package" } else { "packages" }, packages.join(" "))]
    ProgramsMissing {
        /// The programs.
        programs: Vec<String>,
        /// The Debian packages that bring them.
        packages: Vec<String>,
    },
    /// The user may not have user ids of their own, so that files could not get their owners.
    #[error(
        "an ordinary user needs subordinate user and group ids to build: as root, run \
         `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`"
    )]
    NoSubordinateIds(#[source] ProcessError),
    /// Another program failed.
    #[error("cannot {action}")]
    Process {
        /// What it was run for.
        action: &'static str,
        /// How it failed.
        #[source]
        source: ProcessError,
    },
    /// A registry did not take it, or did not give it.
    #[error(transparent)]
    Oci(Box<OciError>),
    /// A file could not be used.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl From<OciError> for TemplateError {
    fn from(error: OciError) -> Self {
        match error {
            OciError::Path(error) => Self::Path(error),
            other => Self::Oci(Box::new(other)),
        }
    }
}

impl TemplateError {
    /// What the user can do about it, one way a line.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NotFound { name, .. } => vec![
                "build one: `mln-image template build debian-12`".to_owned(),
                format!("take one that you have: `mln-image template import FILE --name {name}`"),
                format!("use another in its place: `mln-image bake --template {name}=NAME`"),
            ],
            Self::Disk { source, .. } => source.hints(),
            Self::Oci(source) => source.hints(),
            Self::Exists(_) => vec!["give it another name, or another version, with --name".to_owned()],
            _ => Vec::new(),
        }
    }

    /// Makes the closure that `map_err` wants around another program.
    pub(super) fn process(action: &'static str) -> impl FnOnce(ProcessError) -> Self {
        move |source| Self::Process { action, source }
    }
}

/// The near names, as the end of a sentence.
fn near_names(near: &[String]) -> String {
    if near.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    format!("; there is {}", quoted.join(", "))
}
