//! The configuration files: `/etc/mln/mln.conf`, then `~/.mln`, the later one going before.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::error::CommandError;
use super::ui::Ui;
use crate::base::PathError;
use crate::diag::SourceMap;
use crate::project::Settings;

/// The file for everybody.
pub(crate) const SYSTEM_FILE: &str = "/etc/mln/mln.conf";

/// The plugins for everybody.
const SYSTEM_PLUGINS: &str = "/etc/mln/plugins";

/// The user's own plugins, in the home directory.
const USER_PLUGINS: &str = ".mln_plugins";

/// The user's own file, in the home directory.
const USER_FILE: &str = ".mln";

/// Reads the files that are there and shows what is wrong with them; an error if that keeps them from being used.
pub(crate) fn read(environment: &Environment, ui: &Ui) -> Result<Settings, CommandError> {
    let user = user_file(environment);
    let mut settings = Settings::default();
    let mut sources = SourceMap::new();
    for path in [Some(PathBuf::from(SYSTEM_FILE)), user].into_iter().flatten() {
        let Some(text) = text_of(&path)? else {
            continue;
        };
        let source = sources.add(path.display().to_string(), text, None);
        let found = settings.read(&sources, source, &environment.variables, false);
        ui.diagnostics(&found, &sources);
        if found.has_errors() {
            return Err(CommandError::usage(format!(
                "`{}` cannot be used",
                path.display()
            )));
        }
    }
    Ok(settings)
}

/// The user's own file, whether it is there or not.
pub(crate) fn user_file(environment: &Environment) -> Option<PathBuf> {
    environment.home.as_ref().map(|home| home.join(USER_FILE))
}

/// Where plugins lie, those that go before others last: everybody's, the user's, the configuration's, the command
/// line's.
pub(crate) fn plugin_dirs(
    arguments: &[PathBuf],
    settings: &Settings,
    environment: &Environment,
) -> Vec<PathBuf> {
    let user = environment.home.as_ref().map(|home| home.join(USER_PLUGINS));
    let configured = settings.plugin_dirs.iter().chain(arguments).cloned();
    let first = [Some(PathBuf::from(SYSTEM_PLUGINS)), user].into_iter().flatten();
    first.chain(configured).collect()
}

/// The text at `path`; `None` where there is no such file.
fn text_of(path: &Path) -> Result<Option<String>, CommandError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(PathError::on("read", path)(error).into()),
    };
    let longest = u64::try_from(SourceMap::TEXT_MAX).unwrap_or(u64::MAX);
    if !metadata.is_file() || metadata.len() > longest {
        return Err(CommandError::usage(format!(
            "`{}` is no configuration file: it has to be a regular file of at most {longest} bytes",
            path.display()
        )));
    }
    let bytes = fs::read(path).map_err(PathError::on("read", path))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(CommandError::usage(format!("`{}` is not UTF-8", path.display()))),
    }
}
