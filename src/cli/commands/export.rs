//! `export`: an image of any format as a compressed qcow2 image that needs nothing beside it.

use std::path::{Path, PathBuf};

use super::super::error::CommandError;
use super::Context;
use crate::base::atomic::Durability;
use crate::image::{self, qcow2};
use crate::project::{HostName, ImageFormat};
use crate::store::Projects;

/// Export an image as a compressed qcow2 image that stands alone, for shipping
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image, or a host of a baked project as PROJECT/HOST
    #[arg(value_name = "IMAGE|PROJECT/HOST")]
    source: String,
    /// Where to write it [default: the image's or host's name with `.qcow2`, here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it is there already
    #[arg(long)]
    replace: bool,
}

/// Writes the image.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let source = find(&arguments.source, context)?;
    let output = match &arguments.output {
        Some(output) => output.clone(),
        None => default_output(&arguments.source)?,
    };
    if !arguments.replace && output.exists() {
        let error = CommandError::work(format!("`{}` exists already", output.display()));
        return Err(error.hint("give --replace to put the new image in its place"));
    }
    let opened = image::open(&source).map_err(CommandError::work)?;
    let (file, written) = qcow2::export(&*opened.device, &output).map_err(CommandError::work)?;
    file.persist(Durability::Sync)?;
    context.ui.note(&format!(
        "{}: {} bytes on the disk",
        output.display(),
        written.allocated_bytes
    ));
    Ok(())
}

/// The image that `source` names: a file, or else a host of a project.
fn find(source: &str, context: &Context<'_>) -> Result<PathBuf, CommandError> {
    let path = Path::new(source);
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    let host = source
        .split_once('/')
        .and_then(|(project, host)| Some((project, HostName::new(host)?)));
    if let Some((project, host)) = host {
        let projects = Projects::at(&context.places.projects);
        let places = projects.project(project).map_err(CommandError::work)?.host(&host);
        let images = ImageFormat::ALL.map(|format| places.root_image(format));
        if let Some(image) = images.into_iter().find(|image| image.is_file()) {
            return Ok(image);
        }
    }
    let error = CommandError::work(format!("there is no image `{source}`"));
    Err(error.hint("name an image's file, or a host of a baked project as PROJECT/HOST"))
}

/// The last name in `source`, as a qcow2 image in the working directory.
fn default_output(source: &str) -> Result<PathBuf, CommandError> {
    let stem = Path::new(source).file_stem();
    let stem = stem.ok_or_else(|| CommandError::usage(format!("`{source}` names no image")))?;
    Ok(Path::new(stem).with_extension("qcow2"))
}
