//! Places inside images as the command line names them, `IMAGE:/PATH`, and images opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::super::super::error::CommandError;
use super::super::Context;
use crate::bake;
use crate::base::GuestPath;
use crate::ext::{ExtError, Follow, Fs, Inode, RecoveryReport};

/// A place inside an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The image's file.
    pub(crate) image: PathBuf,
    /// The place in it; `/` where only the image was named.
    pub(crate) path: GuestPath,
    /// Whether the path was written with a slash at its end.
    pub(crate) has_trailing_slash: bool,
}

impl Target {
    /// Takes `text` for a place inside an image if it has the form `IMAGE:/PATH`.
    pub(crate) fn explicit(text: &str) -> Result<Option<Self>, String> {
        let Some((image, path)) = text.split_once(":/") else {
            return Ok(None);
        };
        if image.is_empty() {
            return Err(format!("`{text}` names no image before `:/`"));
        }
        let path = GuestPath::new(format!("/{path}")).map_err(|error| error.to_string())?;
        Ok(Some(Self {
            image: image.into(),
            path,
            has_trailing_slash: text.ends_with('/'),
        }))
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self::explicit(text)?.unwrap_or_else(|| Self {
            image: text.into(),
            path: GuestPath::root(),
            has_trailing_slash: false,
        }))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.image.display(), self.path)
    }
}

/// Which partition of a whole disk is meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PartitionArgs {
    /// Look into this partition of a whole disk: its number, label or PARTUUID [default: the root]
    #[arg(long, value_name = "PARTITION")]
    partition: Option<String>,
}

impl PartitionArgs {
    /// The number, label or PARTUUID, where there is one.
    pub(crate) fn choice(&self) -> Option<&str> {
        self.partition.as_deref()
    }
}

/// Opens the file system in the image at `path` for reading.
pub(crate) fn open(path: &Path, partition: &PartitionArgs) -> Result<Fs, CommandError> {
    Ok(bake::open_image(path, partition.choice())?.fs)
}

/// Says what had to be done to an image before it could be edited.
pub(crate) fn note_recovery(path: &Path, recovery: RecoveryReport, context: &Context<'_>) {
    if !recovery.is_empty() {
        let path = path.display();
        let note =
            format!("`{path}` was not unmounted cleanly; what that left to do was done first: {recovery}");
        context.ui.note(&note);
    }
}

/// What is at `target`, its links followed as `follow` says.
pub(crate) fn find(fs: &Fs, target: &Target, follow: Follow) -> Result<Inode, CommandError> {
    fs.lookup(&target.path, follow)
        .and_then(|found| found.map(|inode| fs.inode(inode)).transpose())
        .map_err(|error| failed(&target.image, error))?
        .ok_or_else(|| {
            CommandError::work(format!(
                "there is no `{}` in `{}`",
                target.path,
                target.image.display()
            ))
        })
}

/// The file system's reason, with the image's name.
pub(crate) fn failed(image: &Path, error: ExtError) -> CommandError {
    CommandError::work(ImageUse {
        path: image.to_path_buf(),
        source: error,
    })
}

/// An image that does not do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the image `{}`", path.display())]
struct ImageUse {
    path: PathBuf,
    source: ExtError,
}

/// The text of a name of the guest, made safe for a terminal.
pub(crate) fn printable(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => name.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_image_and_a_path_in_it() {
        for (text, image, path, slash) in [
            ("a.img", "a.img", "/", false),
            ("a.img:/", "a.img", "/", true),
            ("dir/a.img:/etc//hosts", "dir/a.img", "/etc/hosts", false),
            ("a:/b:/c/", "a", "/b:/c", true),
        ] {
            let expected = Target {
                image: image.into(),
                path: GuestPath::literal(path),
                has_trailing_slash: slash,
            };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert_eq!(
            ":/x".parse::<Target>(),
            Err("`:/x` names no image before `:/`".to_owned())
        );
        assert_eq!(
            "a:/../x".parse::<Target>(),
            Err("`/../x` has a `..` component".to_owned())
        );
    }

    #[test]
    fn names_are_made_safe_for_a_terminal() {
        assert_eq!(printable("größe".as_bytes()), "größe");
        assert_eq!(printable(b"a\x1b[31m\xff"), "a\\x1b[31m\\xff");
    }
}
