//! What `plan` and `bake` share: the project, its templates, the clock and the threads.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use super::super::error::{CommandError, chain};
use super::Context;
use super::project_file::LoadedProject;
use crate::bake::{self, BakeError, HostFailure, Identity, Plan, Request, Selection};
use crate::base::Timestamp;
use crate::diag::nearest;
use crate::launch::LaunchSettings;
use crate::plugin::Guests;
use crate::project::{CanonicalText, HostName, ImageFormat, Platform, Project, Settings};
use crate::store::{Projects, StoreError};
use crate::template::Store;

/// The stack of the thread that loads a project: that of a main thread.
const STACK_BYTES: usize = 8 << 20;

/// How many hosts a failure names before it only counts them.
const NAMED_HOSTS: usize = 3;

/// Which project, made from what, by how many threads.
#[derive(Debug, clap::Args)]
pub(crate) struct MakingArgs {
    #[command(flatten)]
    project: super::project_file::ProjectArgs,
    #[command(flatten)]
    secrets: super::secrets::SecretArgs,
    /// Take template NEW wherever the project says OLD; may be given again
    #[arg(long = "template", value_name = "OLD=NEW", value_parser = substitution)]
    substitutions: Vec<(String, String)>,
    /// Make every host one of this platform, whatever the project says: uml, xen, xen-hvm or qemu
    #[arg(long, value_name = "PLATFORM", value_parser = platform)]
    platform: Option<Platform>,
    /// Make every root image of this format, whatever the project says
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FormatArg>,
    /// Work on this many hosts at a time [default: one for each processor]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// The format of root images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormatArg {
    /// The disk, byte for byte, with holes
    Raw,
    /// The same, a bare file system being put into a disk with a GPT
    Gpt,
    /// QEMU's format, over the template
    Qcow2,
    /// User-Mode Linux's copy-on-write format, over the template
    UmlCow,
}

impl From<FormatArg> for ImageFormat {
    fn from(argument: FormatArg) -> Self {
        match argument {
            FormatArg::Raw => Self::Raw,
            FormatArg::Gpt => Self::Gpt,
            FormatArg::Qcow2 => Self::Qcow2,
            FormatArg::UmlCow => Self::UmlCow,
        }
    }
}

/// What a plan is made from.
#[derive(Debug)]
pub(crate) struct Material<'a> {
    project: Project,
    project_text: CanonicalText,
    guests: Guests,
    templates: Store,
    substitutions: BTreeMap<String, String>,
    projects: Projects,
    launch: LaunchSettings,
    identity: Identity,
    now: Option<Timestamp>,
    format: Option<ImageFormat>,
    jobs: usize,
    context: &'a Context<'a>,
}

fn substitution(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => Err("it has to have the form OLD=NEW".to_owned()),
    }
}

fn platform(text: &str) -> Result<Platform, String> {
    Platform::from_name(text).ok_or_else(|| "it has to be uml, xen, xen-hvm or qemu".to_owned())
}

/// Makes every host of `project` one of `platform`. A kernel belongs to its platform, so that hosts that change theirs
/// get the new one's usual kernel.
fn change_platform(project: &mut Project, platform: Platform) {
    project.hosts.alter(move |host| {
        if host.platform.value != platform {
            host.platform.value = platform;
            host.kernel = None;
            host.ramdisk = None;
        }
    });
}

impl MakingArgs {
    /// Loads the project in a thread of its own. What reading a large project takes for a while comes from that thread's
    /// part of the heap, which the first worker takes over; the main thread's would lie idle.
    fn load(&self, context: &Context<'_>) -> Result<LoadedProject, CommandError> {
        let builder = thread::Builder::new()
            .name("load".to_owned())
            .stack_size(STACK_BYTES);
        thread::scope(
            |scope| match builder.spawn_scoped(scope, || self.project.load(context)) {
                Ok(loading) => loading
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(_) => self.project.load(context),
            },
        )
    }

    /// Loads the project and finds the rest.
    pub(crate) fn gather<'a>(&self, context: &'a Context<'a>) -> Result<Material<'a>, CommandError> {
        let mut loaded = self.load(context)?;
        if let Some(platform) = self.platform {
            change_platform(&mut loaded.project, platform);
        }
        if loaded.project.hosts.is_empty() {
            let error = CommandError::usage(format!("project `{}` has no hosts", loaded.project.name));
            return Err(error.hint("write `host NAME { }`, or have `autoenum` make some"));
        }
        self.secrets.set_passwords(&mut loaded.project, context)?;
        let projects = Projects::at(&context.places.projects);
        let identity = self.secrets.identity(&loaded.project, &projects)?;
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Material {
            project: loaded.project,
            project_text: loaded.text,
            guests: loaded.guests,
            templates: Store::open(&context.places.templates),
            substitutions: self.substitutions.iter().cloned().collect(),
            projects,
            identity,
            launch: launch_settings(&context.settings),
            now: context.environment.source_date_epoch()?,
            format: self.format.map(ImageFormat::from),
            jobs: self.jobs.map_or_else(cores, NonZeroUsize::get),
            context,
        })
    }
}

impl Material<'_> {
    /// Refuses a name that no host of the project has.
    pub(crate) fn require_hosts(&self, wanted: &[String]) -> Result<(), CommandError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let names: Vec<HostName> = self.project.hosts.names().collect();
        let is_known = |host: &&String| names.iter().any(|name| name.as_str() == **host);
        match wanted.iter().find(|host| !is_known(host)) {
            Some(host) => Err(no_such_host(host, &names)),
            None => Ok(()),
        }
    }

    /// Refuses while machines of the project run with the images that are to be replaced.
    pub(crate) fn refuse_while_running(&self) -> Result<(), CommandError> {
        super::remove::refuse_while_running(&self.project.name, self.context)
    }

    /// The project's name.
    pub(crate) fn name(&self) -> &str {
        &self.project.name
    }

    /// The host called `wanted`, or the only one.
    pub(crate) fn one_host(&self, wanted: Option<&str>) -> Result<String, CommandError> {
        let names: Vec<HostName> = self.project.hosts.names().collect();
        match (wanted, &names[..]) {
            (Some(host), names) if names.iter().any(|name| name.as_str() == host) => Ok(host.to_owned()),
            (Some(host), names) => Err(no_such_host(host, names)),
            (None, [only]) => Ok(only.to_string()),
            (None, _) => Err(CommandError::usage("the project has more than one host")
                .hint("say with --host which one shall become a template")),
        }
    }

    /// Does `work` in as many threads as the user wants.
    pub(crate) fn in_threads<T: Send>(
        &self,
        selection: &Selection,
        work: impl FnOnce(&Request<'_>) -> Result<T, BakeError> + Send,
    ) -> Result<T, BakeError> {
        let request = Request {
            project: &self.project,
            project_text: &self.project_text,
            plugins: Some(&self.guests),
            templates: &self.templates,
            files: &self.context.places.files,
            substitutions: &self.substitutions,
            projects: &self.projects,
            launch: &self.launch,
            identity: &self.identity,
            selection,
            format: self.format,
            now: self.now,
            held_bytes: bake::HELD_BYTES,
        };
        bake::threads(self.jobs)?.install(|| work(&request))
    }
}

/// What the configuration says of starting machines, over what Debian has.
pub(crate) fn launch_settings(settings: &Settings) -> LaunchSettings {
    let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let debian = LaunchSettings::new(PathBuf::new());
    // A ramdisk belongs to its kernel: one's own kernel does not get Debian's.
    let default_ramdisk = debian.ramdisk.filter(|_| settings.xen_kernel.is_none());
    LaunchSettings {
        uml_kernel: text(&settings.default_kernel).unwrap_or(debian.uml_kernel),
        kernel: text(&settings.xen_kernel).unwrap_or(debian.kernel),
        ramdisk: text(&settings.xen_ramdisk).or(default_ramdisk),
        lan_bridge: settings.xen_bridge.clone().unwrap_or(debian.lan_bridge),
        ..debian
    }
}

/// The error for a host that the project, whose hosts are `names`, does not have.
pub(crate) fn no_such_host(host: &str, names: &[impl AsRef<str>]) -> CommandError {
    let error = CommandError::usage(format!("the project has no host `{host}`"));
    match nearest(host, names.iter().map(AsRef::as_ref)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// Every warning of a plan, its host's name first.
pub(crate) fn warnings(plan: &Plan<'_>) -> Vec<String> {
    let warnings = plan.warnings();
    warnings
        .map(|(host, warning)| format!("{host}: {warning}"))
        .collect()
}

/// Tells every host's failure, and gives the closing word.
pub(crate) fn command_error(error: BakeError, context: &Context<'_>) -> CommandError {
    match error {
        BakeError::Hosts { ref failures, .. } => {
            let mut hints: Vec<String> = Vec::new();
            for failure in failures {
                context
                    .ui
                    .failure(&format!("{}: {}", hosts(failure), chain(&failure.error)));
                hints.extend(failure.error.hints());
            }
            hints.dedup();
            let error = CommandError::work(error);
            hints.into_iter().fold(error, CommandError::hint)
        }
        BakeError::Store(StoreError::Exists { .. }) => {
            CommandError::work(error).hint("give --replace to put the new images in the old ones' place")
        }
        BakeError::WouldLose { .. } => CommandError::work(error)
            .hint("`mln-image upgrade` brings them to the new description and keeps what was written")
            .hint("give --discard-changes to bake them anew all the same"),
        error => CommandError::work(error),
    }
}

/// The names of the hosts that failed together.
fn hosts(failure: &HostFailure) -> String {
    let named: Vec<String> = failure
        .hosts
        .iter()
        .take(NAMED_HOSTS)
        .map(ToString::to_string)
        .collect();
    match failure.hosts.len().saturating_sub(named.len()) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
