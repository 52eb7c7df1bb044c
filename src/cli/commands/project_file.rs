//! The project file that a command works on, loaded and checked.

use super::super::error::{CommandError, ErrorKind};
use super::Context;
use crate::lang;
use crate::project::{self, FileLoader, LoadOptions, Loaded, Project};

/// Which project file to read.
#[derive(Debug, clap::Args)]
pub(crate) struct ProjectArgs {
    /// The project file
    #[arg(value_name = "FILE", required_unless_present = "named")]
    file: Option<String>,
    /// The project file, in the way that MLN takes it
    #[arg(short = 'f', long = "file", value_name = "FILE", conflicts_with = "file")]
    named: Option<String>,
    /// Take every warning about the project for an error
    #[arg(long)]
    strict: bool,
}

/// A project without errors.
#[derive(Debug)]
pub(crate) struct LoadedProject {
    /// The project.
    pub(crate) project: Project,
    /// Its canonical text, with every included file in its place.
    pub(crate) text: String,
}

impl ProjectArgs {
    /// Loads the project and shows what is wrong with it; an error if that keeps it from being used.
    pub(crate) fn load(&self, context: &Context<'_>) -> Result<LoadedProject, CommandError> {
        let path = self.file.as_ref().or(self.named.as_ref());
        let path = path.expect("clap requires one of the two");
        let loaded = load(path, self.strict, context);
        context.ui.diagnostics(&loaded.diagnostics, &loaded.sources);
        let text = lang::format(&loaded.tree);
        match loaded.project {
            Some(project) => Ok(LoadedProject { project, text }),
            None => Err(CommandError::new(
                ErrorKind::Usage,
                format!(
                    "`{path}` cannot be used: {}",
                    count(loaded.diagnostics.error_count(), "error", "errors")
                ),
            )),
        }
    }
}

/// Loads `path` with the settings in force; includes are looked for beside it, then here, then among the files to copy.
pub(crate) fn load(path: &str, strict: bool, context: &Context<'_>) -> Loaded {
    let loader = FileLoader::new(vec![".".into(), context.places.files.clone()]);
    let options = LoadOptions {
        settings: context.settings.clone(),
        strict,
    };
    project::load(&loader, path, &options)
}

/// `no errors`, `1 error`, `2 errors`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}
