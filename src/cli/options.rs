//! The command line as typed, and the places that it, the configuration and the defaults together give.

use std::path::{self, Path, PathBuf};

use super::commands::Command;
use super::environment::Environment;
use super::error::CommandError;
use crate::base::PathError;
use crate::project::Settings;

/// Bake fleets of virtual machine images from one project file, without root, mounts or a helper machine
#[derive(Debug, clap::Parser)]
#[command(name = "mln-image", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes, before or after its name.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Keep projects in this directory
    #[arg(short = 'P', long = "projects", value_name = "DIR", global = true)]
    projects: Option<PathBuf>,
    /// Keep templates in this directory
    #[arg(short = 'T', long = "templates", value_name = "DIR", global = true)]
    templates: Option<PathBuf>,
    /// Look for files to copy into guests in this directory
    #[arg(short = 'F', long = "files", value_name = "DIR", global = true)]
    files: Option<PathBuf>,
    /// Take plugins from this directory too; may be given again
    #[arg(long = "plugin-dir", value_name = "DIR", global = true)]
    pub(crate) plugin_dirs: Vec<PathBuf>,
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The directories that the program works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// Where projects lie, one directory each.
    pub(crate) projects: PathBuf,
    /// Where templates lie.
    pub(crate) templates: PathBuf,
    /// What relative sources of files to copy start from.
    pub(crate) files: PathBuf,
}

/// The places: the command line's, else the configuration's, else the default's, `/var/lib/mln` for root and `$XDG_DATA_HOME/mln` for others.
pub(crate) fn resolve_places(
    arguments: &GlobalArgs,
    settings: &Settings,
    environment: &Environment,
) -> Result<Places, CommandError> {
    let default = |name: &str| default_root(environment).map(|root| root.join(name));
    let place = |wanted: &Option<PathBuf>, configured: &Option<PathBuf>, name: &str| match wanted
        .as_ref()
        .or(configured.as_ref())
    {
        Some(path) => Ok(absolute(path)?),
        None => default(name).ok_or_else(|| {
            CommandError::usage(format!("there is no home directory to keep {name} in"))
                .hint("set HOME, or give -P, -T and -F")
        }),
    };
    Ok(Places {
        projects: place(&arguments.projects, &settings.projects, "projects")?,
        templates: place(&arguments.templates, &settings.templates, "templates")?,
        files: place(&arguments.files, &settings.files, "files")?,
    })
}

/// The same place whatever directory the program works in.
fn absolute(path: &Path) -> Result<PathBuf, CommandError> {
    Ok(path::absolute(path).map_err(PathError::on("find", path))?)
}

/// Where everything lies unless told otherwise.
fn default_root(environment: &Environment) -> Option<PathBuf> {
    if environment.is_root {
        return Some(PathBuf::from("/var/lib/mln"));
    }
    let data_home = || environment.home.as_ref().map(|home| home.join(".local/share"));
    environment
        .data_home
        .clone()
        .or_else(data_home)
        .map(|data| data.join("mln"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser as _};

    fn places(line: &[&str], environment: &Environment) -> Result<Places, CommandError> {
        let line = CommandLine::try_parse_from(line).unwrap();
        resolve_places(&line.global, &Settings::default(), environment)
    }

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn capital_options_stand_anywhere_and_go_before_defaults() {
        let user = Environment {
            home: Some("/home/ada".into()),
            ..Environment::default()
        };
        let expected = Places {
            projects: "/p".into(),
            templates: "/home/ada/.local/share/mln/templates".into(),
            files: "/f".into(),
        };
        for line in [
            ["mln-image", "-P", "/p", "list", "-F", "/f"],
            ["mln-image", "list", "-F/f", "--projects", "/p", "--json"],
        ] {
            assert_eq!(places(&line, &user).unwrap(), expected);
        }
    }

    #[test]
    fn root_has_a_place_of_its_own_and_nobody_has_none() {
        let root = Environment {
            is_root: true,
            ..Environment::default()
        };
        let line = ["mln-image", "list"];
        assert_eq!(
            places(&line, &root).unwrap().files,
            PathBuf::from("/var/lib/mln/files")
        );
        assert_eq!(
            places(&line, &Environment::default()).unwrap_err().hints,
            ["set HOME, or give -P, -T and -F"]
        );
    }
}
