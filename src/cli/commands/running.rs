//! What the commands for running projects share: which project, which hosts, on which server.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::error::CommandError;
use super::Context;
use super::making::no_such_host;
use crate::base::PathError;
use crate::diag::nearest;
use crate::launch::run::{Notice, RunError, Running};
use crate::launch::{LaunchHost, ProjectSpec};
use crate::project::HostName;
use crate::store::{ProjectPlaces, Projects};

/// The variable that names another directory for what belongs to running machines.
const RUNTIME_VARIABLE: &str = "MLN_RUNTIME_DIR";

/// Which projects to work on.
#[derive(Debug, clap::Args)]
pub(crate) struct ProjectChoice {
    /// The project
    #[arg(value_name = "PROJECT")]
    project: Option<String>,
    /// The project, in the way that MLN takes it
    #[arg(
        short = 'p',
        long = "project",
        value_name = "PROJECT",
        conflicts_with = "project"
    )]
    named: Option<String>,
}

impl ProjectChoice {
    /// The project that is named, if one is.
    pub(crate) fn name(&self) -> Option<&str> {
        self.project.as_deref().or(self.named.as_deref())
    }

    /// The projects that are named, or with `all` every one that has been baked.
    pub(crate) fn load(&self, all: bool, context: &Context<'_>) -> Result<Vec<Running>, CommandError> {
        match self.name() {
            Some(name) => Ok(vec![load(name, context)?]),
            None if all => Projects::at(&context.places.projects)
                .baked()?
                .iter()
                .map(|name| load(name, context))
                .collect(),
            None => Err(CommandError::usage("no project is named").hint("name one, or give --all")),
        }
    }
}

/// The place of the project called `name`, which has been baked.
pub(crate) fn places(name: &str, context: &Context<'_>) -> Result<ProjectPlaces, CommandError> {
    let projects = Projects::at(&context.places.projects);
    let places = projects.project(name).map_err(CommandError::usage)?;
    if places.is_baked() {
        return Ok(places);
    }
    if places.launch().is_file() {
        let text =
            format!("project `{name}` is not finished: a bake or an upgrade of it has failed or was cut off");
        return Err(CommandError::work(text).hint("do that again; what runs of it can be stopped"));
    }
    let baked = projects.baked()?;
    let error = CommandError::usage(format!(
        "no project `{name}` has been baked in `{}`",
        context.places.projects.display()
    ));
    Err(match nearest(name, baked.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None if Path::new(name).extension() == Some("mln".as_ref()) => {
            error.hint(format!("bake it: mln-image bake {name}"))
        }
        None => error,
    })
}

/// The project called `name` as it can be run here; one of which a bake was cut off can still be stopped.
pub(crate) fn load(name: &str, context: &Context<'_>) -> Result<Running, CommandError> {
    let projects = Projects::at(&context.places.projects);
    match projects.project(name) {
        Ok(places) if places.launch().is_file() => load_from(&places, context),
        _ => load_from(&places(name, context)?, context),
    }
}

/// The project in `places` as it was last launched, even if a bake of it has been cut off since; `None` where it cannot
/// be told.
pub(crate) fn load_unfinished(places: &ProjectPlaces, context: &Context<'_>) -> Option<Running> {
    load_from(places, context).ok()
}

fn load_from(places: &ProjectPlaces, context: &Context<'_>) -> Result<Running, CommandError> {
    let path = places.launch();
    let text = fs::read(&path).map_err(PathError::on("read", &path));
    let text = text.map_err(|error| {
        CommandError::from(error).hint("it was baked by an older version; bake it again with --replace")
    })?;
    let spec: ProjectSpec = serde_json::from_slice(&text)
        .map_err(|error| CommandError::work(format!("`{}` is damaged: {error}", path.display())))?;
    Ok(Running::new(spec, &places.directory(), host(context)))
}

/// Where the user wants what belongs to running machines instead of in the usual place.
pub(crate) fn runtime_override(context: &Context<'_>) -> Option<PathBuf> {
    let path = context.environment.variables.get(RUNTIME_VARIABLE);
    path.filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// This server.
pub(crate) fn host(context: &Context<'_>) -> LaunchHost {
    let environment = context.environment;
    let runtime = match runtime_override(context) {
        Some(path) => path,
        None if environment.is_root => PathBuf::from("/run/mln"),
        None => PathBuf::from(format!("/tmp/mln-{}", environment.uid)),
    };
    LaunchHost {
        search_path: environment.search_path.clone(),
        runtime,
        uid: environment.uid,
        has_display: environment
            .variables
            .get("DISPLAY")
            .is_some_and(|display| !display.is_empty()),
        name: context.settings.service_host.clone(),
    }
}

/// The closing word where `failed` hosts did not do as they should: `did not come up`, say.
pub(crate) fn verdict(failed: usize, did_not: &str) -> Result<(), CommandError> {
    match failed {
        0 => Ok(()),
        1 => Err(CommandError::work(format!("1 host {did_not}"))),
        _ => Err(CommandError::work(format!("{failed} hosts {did_not}"))),
    }
}

/// `count` hosts, in words.
pub(crate) fn hosts_counted(count: usize, shown: &str) -> String {
    format!("{shown} {}", if count == 1 { "host" } else { "hosts" })
}

/// The hosts called `names`, all of which `running` has.
pub(crate) fn hosts(names: &[String], running: &Running) -> Result<Vec<HostName>, CommandError> {
    let known: Vec<&str> = running.project.names().iter().map(|name| name.as_str()).collect();
    let named = names.iter().map(|name| {
        let spec = running.project.host(name);
        spec.map(|spec| spec.host.clone())
            .ok_or_else(|| no_such_host(name, &known))
    });
    named.collect()
}

/// Tells everything that is in the way, and gives the closing word.
pub(crate) fn command_error(error: RunError, context: &Context<'_>) -> CommandError {
    let mut hints: Vec<String> = Vec::new();
    if let RunError::Obstacles(obstacles) = &error {
        for obstacle in obstacles {
            context.ui.failure(&obstacle.to_string());
            hints.extend(obstacle.hints());
        }
    }
    if matches!(error, RunError::RuntimeNotOurs { .. }) {
        hints.push(format!("set {RUNTIME_VARIABLE} to a directory of yours"));
    }
    let mut told: Vec<String> = Vec::new();
    for hint in hints {
        if !told.contains(&hint) {
            told.push(hint);
        }
    }
    told.into_iter()
        .fold(CommandError::work(error), CommandError::hint)
}

/// Tells what a person should know.
pub(crate) fn tell_notice(context: &Context<'_>, notice: &Notice) {
    context.ui.note(&notice.to_string());
}
