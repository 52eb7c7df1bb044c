//! The project file that a command works on, loaded and checked.

use std::sync::Arc;

use super::super::error::{CommandError, ErrorKind};
use super::Context;
use crate::plugin::{Guests, Registry};
use crate::project::{self, CanonicalText, Extension, Facts, FileLoader, LoadOptions, Loaded, Project};

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
    pub(crate) text: CanonicalText,
    /// The plugins, for its guests.
    pub(crate) guests: Guests,
}

impl ProjectArgs {
    /// Loads the project and shows what is wrong with it; an error if that keeps it from being used.
    pub(crate) fn load(&self, context: &Context<'_>) -> Result<LoadedProject, CommandError> {
        let path = self.file.as_ref().or(self.named.as_ref());
        let path = path.expect("clap requires one of the two");
        let plugins = plugins(context)?;
        let mut loaded = load(path, self.strict, &plugins, context);
        context.ui.diagnostics(&loaded.diagnostics, &loaded.sources);
        let text = loaded.text.clone();
        let errors = loaded.diagnostics.error_count();
        let project = loaded.project.take();
        match project.zip(Facts::new(loaded)) {
            Some((project, facts)) => Ok(LoadedProject {
                project,
                text,
                guests: Guests::new(plugins, facts),
            }),
            None => Err(CommandError::new(
                ErrorKind::Usage,
                format!("`{path}` cannot be used: {}", count(errors, "error", "errors")),
            )),
        }
    }
}

/// The plugins in force; files beside them that are no plugins are named.
pub(crate) fn plugins(context: &Context<'_>) -> Result<Arc<Registry>, CommandError> {
    let registry = Registry::with_directories(&context.plugin_dirs).map_err(CommandError::usage)?;
    for path in registry.passed_over() {
        let path = path.display();
        context.ui.note(&format!(
            "`{path}` is passed over: plugins are Lua programs, named `NAME.lua`"
        ));
    }
    Ok(Arc::new(registry))
}

/// Loads `path` with the settings in force; includes are looked for beside it, then here, then in `recipes`, then among
/// the files to copy.
pub(crate) fn load(path: &str, strict: bool, plugins: &Arc<Registry>, context: &Context<'_>) -> Loaded {
    let loader = FileLoader::new(vec![".".into(), "recipes".into(), context.places.files.clone()]);
    let options = LoadOptions {
        settings: context.settings.clone(),
        strict,
        extension: Some(Arc::clone(plugins) as Arc<dyn Extension>),
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
