//! Why a plugin could not be read, or what went wrong in it.

use std::path::PathBuf;

use crate::base::{Origin, PathError};

/// Says why plugins cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// A directory of plugins, or a plugin, could not be read.
    #[error(transparent)]
    Read(#[from] PathError),
    /// A plugin's file is not text.
    #[error("the plugin `{}` is not UTF-8", .0.display())]
    NotText(PathBuf),
    /// A plugin's file is longer than any plugin.
    #[error("the plugin `{}` is longer than {max} bytes", path.display(), max = super::TEXT_MAX)]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A plugin failed.
    #[error("{0}")]
    Failed(Box<Failure>),
}

/// A plugin that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The plugin's name.
    pub plugin: String,
    /// What it was doing: the name of the hook, or `its file` while that was read.
    pub hook: &'static str,
    /// The plugin's file, as messages call it.
    pub file: String,
    /// The line of it, from 1, if that is known.
    pub line: Option<u32>,
    /// What went wrong.
    pub message: String,
    /// The project's line that asked for the plugin.
    pub origin: Option<Origin>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            plugin,
            hook,
            message,
            ..
        } = self;
        write!(
            formatter,
            "plugin `{plugin}` failed in `{hook}`: {message} ({}",
            self.file
        )?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        formatter.write_str(")")?;
        match &self.origin {
            Some(origin) => write!(formatter, ", asked for by {origin}"),
            None => Ok(()),
        }
    }
}
