//! `export`: one file that needs nothing beside it: of an image a compressed qcow2 image, of a project an archive.

use std::path::{Path, PathBuf};

use super::super::error::CommandError;
use super::Context;
use super::import::failed;
use super::remove::refuse_while_running;
use super::running;
use crate::bake;
use crate::base::atomic::Durability;
use crate::image::{self, qcow2};
use crate::project::{HostName, ImageFormat};
use crate::store::{ProjectPlaces, Projects};

/// Export an image or a project as one file that stands alone, for shipping
///
/// An image, or a host as PROJECT/HOST, becomes a compressed qcow2 image. A whole project becomes an archive, compressed,
/// with its text, images, manifest, scripts and keys, which `import` puts in place anywhere: keep it secret.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image, a host of a baked project as PROJECT/HOST, or a baked project
    #[arg(
        value_name = "IMAGE|PROJECT/HOST|PROJECT",
        required_unless_present = "project"
    )]
    source: Option<String>,
    /// The project, in the way that MLN takes it
    #[arg(short, long, value_name = "PROJECT", conflicts_with = "source")]
    project: Option<String>,
    /// Where to write it [default: the name of the image or host with `.qcow2`, of the project with `.tar.zst`, here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it is there already
    #[arg(long)]
    replace: bool,
}

/// What is to be exported.
enum Source {
    Image(PathBuf),
    Project(ProjectPlaces),
}

/// Writes the file.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let (name, source) = match (&arguments.project, &arguments.source) {
        (Some(project), _) => (project, Source::Project(running::places(project, context)?)),
        (None, Some(source)) => (source, find(source, context)?),
        (None, None) => return Err(CommandError::usage("nothing is named")),
    };
    let output = match (&arguments.output, &source) {
        (Some(output), _) => output.clone(),
        (None, Source::Image(_)) => default_output(name)?,
        (None, Source::Project(_)) => PathBuf::from(format!("{name}.tar.zst")),
    };
    if !arguments.replace && output.exists() {
        let error = CommandError::work(format!("`{}` exists already", output.display()));
        return Err(error.hint("give --replace to put the new file in its place"));
    }
    match source {
        Source::Image(source) => export_image(&source, &output, context),
        Source::Project(places) => export_project(&places, &output, context),
    }
}

/// Writes the image at `source` as a qcow2 image.
fn export_image(source: &Path, output: &Path, context: &Context<'_>) -> Result<(), CommandError> {
    let opened = image::open(source).map_err(CommandError::work)?;
    let (file, written) = qcow2::export(&*opened.device, output).map_err(CommandError::work)?;
    file.persist(Durability::Sync)?;
    context.ui.note(&format!(
        "{}: {} bytes on the disk",
        output.display(),
        written.allocated_bytes
    ));
    Ok(())
}

/// Writes the project in `places` as an archive.
fn export_project(places: &ProjectPlaces, output: &Path, context: &Context<'_>) -> Result<(), CommandError> {
    refuse_while_running(places.name(), context)?;
    let packed = bake::pack(places, output).map_err(failed)?;
    packed.file.persist(Durability::Sync)?;
    context.ui.note(&format!(
        "{}: {} files of project {}, its secret keys among them",
        output.display(),
        packed.files,
        places.name()
    ));
    Ok(())
}

/// What `source` names: a file, or else a host of a project, or else a project.
fn find(source: &str, context: &Context<'_>) -> Result<Source, CommandError> {
    let path = Path::new(source);
    if path.is_file() {
        return Ok(Source::Image(path.to_path_buf()));
    }
    let host = source
        .split_once('/')
        .and_then(|(project, host)| Some((project, HostName::new(host)?)));
    if let Some((project, host)) = host {
        let projects = Projects::at(&context.places.projects);
        let places = projects.project(project).map_err(CommandError::work)?.host(&host);
        let images = ImageFormat::ALL.map(|format| places.root_image(format));
        if let Some(image) = images.into_iter().find(|image| image.is_file()) {
            return Ok(Source::Image(image));
        }
    }
    let projects = Projects::at(&context.places.projects);
    if let Ok(places) = projects.project(source)
        && places.is_baked()
    {
        return Ok(Source::Project(places));
    }
    let error = CommandError::work(format!("there is no image `{source}`"));
    Err(error.hint("name an image's file, a baked project, or a host of one as PROJECT/HOST"))
}

/// The last name in `source`, as a qcow2 image in the working directory.
fn default_output(source: &str) -> Result<PathBuf, CommandError> {
    let stem = Path::new(source).file_stem();
    let stem = stem.ok_or_else(|| CommandError::usage(format!("`{source}` names no image")))?;
    Ok(Path::new(stem).with_extension("qcow2"))
}
