//! `setup`: what this server has, what it lacks, and the configuration file.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use serde_json::json;

use super::super::configuration;
use super::super::error::CommandError;
use super::Context;
use super::{making, running};
use crate::base::PathError;
use crate::base::atomic::{self, Durability};
use crate::launch::{Provision, survey};
use crate::template::Store;

/// Look at this machine: what can be started here, what is missing, and how to get it; then write mln.conf
///
/// Every value of the configuration is asked for, with what is in force as the answer to an empty line. A file that is
/// there is kept unless it is said that it shall go.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ask nothing: take what is in force, and keep a configuration that is there
    #[arg(short = 'n', long)]
    no_questions: bool,
    /// Write /etc/mln/mln.conf, for everybody, instead of one's own
    #[arg(short, long)]
    system_wide: bool,
    /// Only look
    #[arg(long, conflicts_with_all = ["no_questions", "system_wide"])]
    look: bool,
}

/// A line of the configuration.
struct Line {
    keyword: &'static str,
    value: String,
}

/// Looks, tells, asks, writes.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let launch = making::launch_settings(&context.settings);
    let host = running::host(context);
    let found = survey(&host, &launch.uml_kernel, &launch.kernel, &launch.lan_bridge);
    let templates = Store::open(&context.places.templates).list()?.len();
    if context.json {
        context
            .ui
            .answer_json(&json!({"provisions": found, "templates": templates}))?;
    } else {
        context.ui.answer(&report(&found, templates))?;
    }
    if arguments.look {
        return Ok(());
    }
    let path = file(arguments.system_wide, context)?;
    let is_asking = !arguments.no_questions;
    if path.exists() && !(is_asking && yes(&format!("replace `{}`?", path.display()), context)?) {
        context.ui.note(&format!("kept `{}` as it is", path.display()));
        return Ok(());
    }
    let mut lines = proposal(context);
    if is_asking {
        for line in &mut lines {
            ask(line, context)?;
        }
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(PathError::on("create the directory", parent))?;
    }
    atomic::write(&path, text(&lines).as_bytes(), Durability::Sync)?;
    context.ui.note(&format!("wrote `{}`", path.display()));
    Ok(())
}

/// One line for each thing that was looked for, and what to do about those that are not there.
fn report(found: &[Provision], templates: usize) -> String {
    let mut text = String::new();
    for provision in found {
        let (mark, detail) = match (&provision.found, &provision.remedy) {
            (Some(found), _) => ("yes", found.clone()),
            (None, remedy) => ("no ", remedy.clone().unwrap_or_default()),
        };
        text.push_str(&line_of(mark, provision.name, &detail, provision.purpose));
    }
    let (mark, detail) = match templates {
        0 => (
            "no ",
            "make one: mln-image template build debian-12, or busybox".to_owned(),
        ),
        1 => ("yes", "1 template".to_owned()),
        count => ("yes", format!("{count} templates")),
    };
    text.push_str(&line_of(mark, "templates", &detail, "what images are made from"));
    text
}

fn line_of(mark: &str, name: &str, detail: &str, purpose: &str) -> String {
    format!("{mark}  {name:<15}  {detail} ({purpose})\n")
}

/// Where the configuration belongs.
fn file(is_system_wide: bool, context: &Context<'_>) -> Result<PathBuf, CommandError> {
    if is_system_wide || context.environment.is_root {
        return Ok(PathBuf::from(configuration::SYSTEM_FILE));
    }
    configuration::user_file(context.environment)
        .ok_or_else(|| CommandError::usage("there is no home directory to write to").hint("set HOME"))
}

/// What is in force already, as lines; `screen` stands for consoles, since it needs no display.
fn proposal(context: &Context<'_>) -> Vec<Line> {
    let launch = making::launch_settings(&context.settings);
    let settings = &context.settings;
    let places = &context.places;
    let line = |keyword, value: String| Line { keyword, value };
    let mut lines = vec![
        line("projects", places.projects.display().to_string()),
        line("templates", places.templates.display().to_string()),
        line("files", places.files.display().to_string()),
        line(
            "default_term",
            settings
                .default_term
                .map_or("screen", |terminal| terminal.name())
                .to_owned(),
        ),
        line("default_kernel", launch.uml_kernel),
        line("xen_kernel", launch.kernel),
        line("xen_bridge", launch.lan_bridge),
    ];
    lines.extend(launch.ramdisk.map(|ramdisk| line("xen_ramdisk", ramdisk)));
    lines.extend(
        settings
            .default_template
            .clone()
            .map(|template| line("default_template", template)),
    );
    lines.extend(
        settings
            .service_host
            .clone()
            .map(|name| line("service_host", name)),
    );
    lines
}

fn text(lines: &[Line]) -> String {
    let head = "# Written by `mln-image setup`. `mln-image config` shows what is in force.\n".to_owned();
    lines
        .iter()
        .filter(|line| !line.value.is_empty())
        .fold(head, |text, line| text + line.keyword + " " + &line.value + "\n")
}

/// Asks for a line's value; an empty answer keeps it.
fn ask(line: &mut Line, context: &Context<'_>) -> Result<(), CommandError> {
    let answer = answer(&format!("{} [{}]:", line.keyword, line.value), context)?;
    if !answer.is_empty() {
        line.value = answer;
    }
    Ok(())
}

fn yes(question: &str, context: &Context<'_>) -> Result<bool, CommandError> {
    let answer = answer(&format!("{question} [y/N]"), context)?;
    Ok(matches!(&*answer, "y" | "Y" | "yes"))
}

/// Asks, where somebody is there to read it, and reads a line.
fn answer(question: &str, context: &Context<'_>) -> Result<String, CommandError> {
    if io::stdin().is_terminal() {
        context.ui.note(question);
    }
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| CommandError::work(format!("cannot read the answer: {error}")))?;
    Ok(answer.trim().to_owned())
}
