//! `fmt`: canonical text, comments kept.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::super::error::{CommandError, ErrorKind};
use super::Context;
use super::project_file::count;
use crate::base::PathError;
use crate::base::atomic::{AtomicFile, Durability};
use crate::diag::{Diagnostics, SourceMap};
use crate::lang;
use crate::project::{FileLoader, Loader as _, PLAIN_PASSWORD, schema};

/// Write a project file in its canonical form
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project files
    #[arg(value_name = "FILE", required = true)]
    paths: Vec<String>,
    /// Replace the files instead of printing
    #[arg(short, long, conflicts_with = "check")]
    write: bool,
    /// Only name the files that are not in canonical form; exit code 1 if there are any
    #[arg(long)]
    check: bool,
}

/// Prints, replaces, or compares.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let mut different = Vec::new();
    for file in &arguments.paths {
        let (text, canonical) = read(file, context)?;
        if arguments.check {
            if text != canonical {
                different.push(format!("{file}\n"));
            }
        } else if arguments.write {
            if text != canonical {
                replace(Path::new(file), &canonical)?;
            }
        } else {
            context.ui.answer(&canonical)?;
        }
    }
    if different.is_empty() {
        return Ok(());
    }
    context.ui.answer(&different.concat())?;
    let files = count(different.len(), "file is", "files are");
    let error = CommandError::work(format!("{files} not in canonical form"));
    Err(error.hint("run `mln-image fmt --write`"))
}

/// The text of `file`, and the same in canonical form; a text with errors has none.
fn read(file: &str, context: &Context<'_>) -> Result<(String, String), CommandError> {
    let loaded = FileLoader::default()
        .load(file, None)
        .map_err(CommandError::usage)?;
    let text = String::from_utf8(loaded.bytes).map_err(|_| {
        CommandError::usage(format!("`{file}` is not UTF-8"))
            .hint("convert it with `iconv -f latin1 -t utf-8`")
    })?;
    let mut sources = SourceMap::new();
    sources.hide_after(PLAIN_PASSWORD);
    let source = sources.add(loaded.name, text.as_str(), None);
    let (tree, faults) = lang::parse(&sources, source, schema::holds_lines);
    let mut found = Diagnostics::new(false);
    for fault in faults {
        found.push(fault.into());
    }
    context.ui.diagnostics(&found, &sources);
    if found.has_errors() {
        let errors = count(found.error_count(), "error", "errors");
        let message = format!("`{file}` cannot be written anew: {errors}");
        return Err(CommandError::new(ErrorKind::Usage, message));
    }
    Ok((text, lang::format(&tree)))
}

/// Puts `text` in the place of the file at `path`, which keeps its permissions.
fn replace(path: &Path, text: &str) -> Result<(), CommandError> {
    let path = fs::canonicalize(path).map_err(PathError::on("find", path))?;
    let permissions = fs::metadata(&path)
        .map_err(PathError::on("read", &path))?
        .permissions();
    let file = AtomicFile::create(&path)?;
    let written = file.file().write_all(text.as_bytes());
    written
        .and_then(|()| file.file().set_permissions(permissions))
        .map_err(PathError::on("write", file.temporary_path()))?;
    Ok(file.persist(Durability::Sync)?)
}
