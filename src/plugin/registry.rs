//! The plugins in force: the bundled ones, and those of the directories, a later one going before an earlier one of its
//! name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::TEXT_MAX;
use super::describe::{self, Description};
use super::error::PluginError;
use crate::base::PathError;
use crate::base::digest::Sha256Digest;
use crate::project::ExtensionBlock;

/// The bundled plugins: name and text.
const BUNDLED: [(&str, &str); 8] = [
    ("apache", include_str!("bundled/apache.lua")),
    ("autoenum", include_str!("bundled/autoenum.lua")),
    ("cluster", include_str!("bundled/cluster.lua")),
    ("hosts_file", include_str!("bundled/hosts_file.lua")),
    ("internal_swap", include_str!("bundled/internal_swap.lua")),
    ("postfix", include_str!("bundled/postfix.lua")),
    ("puppet", include_str!("bundled/puppet.lua")),
    ("ssh_key", include_str!("bundled/ssh_key.lua")),
];

/// One plugin.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Its name: that of its file, without the ending.
    pub name: String,
    /// Its file, as messages call it.
    pub file: String,
    /// Its text.
    pub text: Arc<str>,
    /// What it says of itself.
    pub(super) description: Description,
}

/// Every plugin in force, in the order in which they run.
#[derive(Debug, Default)]
pub struct Registry {
    pub(super) plugins: Vec<Plugin>,
    pub(super) blocks: Vec<ExtensionBlock>,
    passed_over: Vec<PathBuf>,
}

impl Plugin {
    /// What it does, in its own words; empty if it does not say.
    pub fn help(&self) -> &str {
        &self.description.help
    }

    /// The digest of its text.
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(self.text.as_bytes())
    }
}

impl Registry {
    /// The bundled plugins.
    ///
    /// # Errors
    /// If one of them is wrong, which tests keep from happening.
    pub fn bundled() -> Result<Self, PluginError> {
        Self::with_directories(&[])
    }

    /// The bundled plugins and those of `directories`, of which some may not be there.
    ///
    /// # Errors
    /// If a directory or a plugin cannot be read, or a plugin is wrong in itself.
    pub fn with_directories(directories: &[PathBuf]) -> Result<Self, PluginError> {
        let mut texts: BTreeMap<String, (String, Arc<str>)> = BUNDLED
            .iter()
            .map(|(name, text)| {
                (
                    (*name).to_owned(),
                    (format!("bundled {name}.lua"), Arc::from(*text)),
                )
            })
            .collect();
        let mut passed_over = Vec::new();
        for directory in directories {
            for path in files(directory)? {
                match plugin_name(&path) {
                    Some(name) => {
                        texts.insert(name, (path.display().to_string(), read(&path)?));
                    }
                    None => passed_over.push(path),
                }
            }
        }
        let mut registry = Self::of_texts(texts)?;
        registry.passed_over = passed_over;
        Ok(registry)
    }

    /// The plugins `texts`: file and text by name.
    pub(super) fn of_texts(texts: BTreeMap<String, (String, Arc<str>)>) -> Result<Self, PluginError> {
        let mut plugins = Vec::new();
        for (name, (file, text)) in texts {
            let description = describe::describe(&name, &file, &text)?;
            plugins.push(Plugin {
                name,
                file,
                text,
                description,
            });
        }
        plugins.sort_by(|one, other| {
            (one.description.order, &one.name).cmp(&(other.description.order, &other.name))
        });
        let blocks = plugins
            .iter()
            .flat_map(|plugin| plugin.description.blocks.clone());
        Ok(Self {
            blocks: blocks.collect(),
            plugins,
            passed_over: Vec::new(),
        })
    }

    /// The plugins in the order in which they run.
    pub fn plugins(&self) -> &[Plugin] {
        &self.plugins
    }

    /// Files in the directories that are no Lua programs, such as the Perl plugins of MLN.
    pub fn passed_over(&self) -> &[PathBuf] {
        &self.passed_over
    }
}

/// The files of `directory`, by name; none where it is not there. Names that begin with a dot or have a tilde are
/// what editors leave.
fn files(directory: &Path) -> Result<Vec<PathBuf>, PluginError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(PathError::on("read", directory)(error).into()),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(PathError::on("read", directory))?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !name.starts_with('.') && !name.contains('~') && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The name of the plugin at `path`, if it is one.
fn plugin_name(path: &Path) -> Option<String> {
    let is_lua = path.extension().is_some_and(|extension| extension == "lua");
    let name = path.file_stem()?.to_str()?;
    is_lua.then(|| name.to_owned())
}

fn read(path: &Path) -> Result<Arc<str>, PluginError> {
    let length = fs::metadata(path).map_err(PathError::on("read", path))?.len();
    if usize::try_from(length).unwrap_or(usize::MAX) > TEXT_MAX {
        return Err(PluginError::TooLong { path: path.into() });
    }
    let bytes = fs::read(path).map_err(PathError::on("read", path))?;
    let text = String::from_utf8(bytes).map_err(|_| PluginError::NotText(path.into()))?;
    Ok(Arc::from(text))
}
