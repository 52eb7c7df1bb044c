//! From a project file to the project: the stages in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::blocks::Root;
use super::canonical::CanonicalText;
use super::check::Between;
use super::draft::Draft;
use super::extension::Extension;
use super::hooks::hooks;
use super::hosts::{self, Hosts};
use super::include;
use super::inherit::{self, Effective};
use super::interfaces;
use super::keywords;
use super::loader::Loader;
use super::model::{Project, Switch};
use super::natural;
use super::origins::Origins;
use super::password;
use super::problem::Problem;
use super::reservation::reservations;
use super::section::Section;
use super::settings::Settings;
use super::unique::Found;
use super::values::Values;
use super::wording::{Problems, Stage};
use crate::diag::{Diagnostics, SourceMap, Span};
use crate::lang::Word;

/// How a project is loaded.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The defaults of keywords that hosts leave out.
    pub settings: Settings,
    /// Whether every warning counts as an error.
    pub strict: bool,
    /// The plugins.
    pub extension: Option<Arc<dyn Extension>>,
}

/// A project as loaded, faults included.
#[derive(Debug)]
pub struct Loaded {
    /// The text in canonical form, every included file in its place.
    pub text: CanonicalText,
    /// The project; `None` if there was an error.
    pub project: Option<Project>,
    /// What is wrong.
    pub diagnostics: Diagnostics,
    /// The texts that were read.
    pub sources: Arc<SourceMap>,
    /// What holds in every block.
    pub(super) effective: Option<Arc<Effective>>,
}

impl Loaded {
    /// The hosts that the text has, in its order, usable or not.
    pub fn host_names(&self) -> Vec<Arc<str>> {
        let effective = self.effective.iter();
        effective.flat_map(|effective| effective.host_names()).collect()
    }
}

/// Reads the project file `path` with all that it includes, and checks it.
pub fn load(loader: &dyn Loader, path: &str, options: &LoadOptions) -> Loaded {
    let mut sources = SourceMap::new();
    sources.hide_after(password::PLAIN);
    let mut problems = Problems::new(options.strict);
    let mut root = read(loader, path, &mut sources, &mut problems);
    let mut made = None;
    if sources.whole().is_some() {
        let extension = options.extension.as_deref();
        if let Some(extension) = extension {
            problems.begin(Stage::Extend);
            extension.post_parse(&mut Draft::new(&mut root, &mut sources, &mut problems));
        }
        Arc::make_mut(&mut root.hosts).finish();
        problems.begin(Stage::Inherit);
        let effective = Arc::new(inherit::resolve(&root, &mut problems));
        let order = check(&effective, options, &mut problems);
        if let Some(extension) = extension {
            problems.begin(Stage::Finish);
            let known = Arc::clone(&effective);
            let mut draft = Draft::read_only(&mut root, &mut sources, &mut problems, known);
            extension.check(&mut draft);
        }
        made = Some((effective, order));
    }
    let sources = Arc::new(sources);
    let mut project = None;
    let effective = made.map(|(effective, order)| {
        let origins = Arc::new(Origins::new(Arc::clone(&sources), &effective));
        let settings = options.settings.clone();
        let hosts = Hosts::described(Arc::clone(&effective), Arc::clone(&origins), settings, order);
        problems.begin(Stage::Build);
        project = build(&effective, hosts, &mut Values::new(&origins, &mut problems));
        effective
    });
    Loaded {
        text: CanonicalText::of(&sources),
        project: project.filter(|_| !problems.diagnostics.has_errors()),
        diagnostics: problems.diagnostics,
        sources,
        effective,
    }
}

/// Reads the blocks of the project file `path`.
fn read(loader: &dyn Loader, path: &str, sources: &mut SourceMap, problems: &mut Problems) -> Root {
    let mut root = Root::default();
    include::read_each(loader, path, sources, problems, &mut |node, problems| {
        problems.begin(Stage::Blocks);
        root.push(node, problems);
    });
    if let Some(whole) = sources.whole() {
        root.section.header = whole;
    }
    root
}

/// Reports what is wrong with the blocks of a project, each by itself and beside the others. Answers the places of the
/// hosts that can be made, in natural order of their names.
fn check(effective: &Effective, options: &LoadOptions, problems: &mut Problems) -> Vec<u32> {
    let extension = options.extension.as_deref();
    let values = &mut Values::checking(problems);
    values.problems.begin(Stage::Keywords);
    keywords::check(effective, extension, values);
    let mut between = Between::new(effective);
    let mut found = Found::default();
    let mut names = BTreeMap::new();
    let mut made = Vec::with_capacity(effective.host_count());
    let mut budget = effective.budget();
    for place in 0..effective.host_count() {
        values.problems.begin(Stage::Inherit);
        let host = effective.host(place, &mut budget, values.problems);
        values.problems.begin(Stage::Keywords);
        keywords::check_host(&host, extension, values);
        values.problems.begin(Stage::Between);
        between.host(&host, values);
        values.problems.begin(Stage::Unique);
        found.host(&host, values);
        values.problems.begin(Stage::Build);
        let (name, span) = (&host.name.text, host.name.span);
        // Blocks of one name were told before; these have become so by their variables.
        if let Some(first) = names.insert(Arc::clone(name), span) {
            let name = name.to_string();
            values.report(Problem::DuplicateHost { name, first }, span);
        }
        if hosts::build(&host, effective, &options.settings, values).is_some() {
            let place = u32::try_from(place).expect("hosts are counted in 32 bits");
            made.push((Arc::clone(name), place));
        }
    }
    values.problems.begin(Stage::Between);
    between.finish(values);
    values.problems.begin(Stage::Unique);
    found.finish(values);
    made.sort_by(|(one, _), (other, _)| natural::compare(one, other));
    made.into_iter().map(|(_, place)| place).collect()
}

fn build(effective: &Effective, hosts: Hosts, values: &mut Values<'_>) -> Option<Project> {
    let whole = effective.header();
    let name = project_name(&effective.global, whole, values);
    let mut switches: Vec<Switch> = effective
        .switches
        .iter()
        .filter_map(|(name, section)| switch(name, section, values))
        .collect();
    switches.sort_by(|one, other| natural::compare(&one.name, &other.name));
    let project = Project {
        name: name?,
        hosts,
        switches,
        hooks: hooks(&effective.global),
        persist: effective
            .global
            .setting("persist")
            .is_some_and(|entry| values.flag(entry) == Some(true)),
        secret: values.setting(&effective.global, "secret", Values::text),
    };
    check_reservations(&project, effective, values);
    Some(project)
}

/// Reports a switch that has fewer addresses than machines ask it for.
fn check_reservations(project: &Project, effective: &Effective, values: &mut Values<'_>) {
    for (switch, made) in project.switches.iter().zip(reservations(project)) {
        let without = made.into_iter().find(|made| made.address.is_none());
        let span = effective
            .switches
            .iter()
            .find(|(name, _)| *name.text == *switch.name);
        if let (Some(made), Some((name, _))) = (without, span) {
            let problem = Problem::NoAddressLeft {
                switch: switch.name.clone(),
                host: made.host.to_string(),
                interface: made.interface,
            };
            values.report(problem, name.span);
        }
    }
}

fn project_name(global: &Section, whole: Span, values: &mut Values<'_>) -> Option<String> {
    let Some(entry) = global.setting("project") else {
        let span = if global.header == whole {
            Span {
                end: whole.start,
                ..whole
            }
        } else {
            global.header
        };
        values.report(Problem::MissingProject, span);
        return None;
    };
    let word = values.word(entry)?;
    file_name(word, "project", values)
}

/// `word` if it can name a directory on every server.
fn file_name(word: &Word, what: &'static str, values: &mut Values<'_>) -> Option<String> {
    let name = &*word.text;
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(is_inner) && !name.starts_with(['.', '-']) {
        return Some(name.to_owned());
    }
    let name = name.to_owned();
    let rule = "at most 64 letters, digits, `_`, `.` and `-`, the first neither `.` nor `-`";
    values.report(Problem::BadName { name, what, rule }, word.span);
    None
}

fn switch(name: &Word, section: &Section, values: &mut Values<'_>) -> Option<Switch> {
    interfaces::check_dhcp(section, values);
    let hub = section
        .setting("hub")
        .is_some_and(|entry| values.flag(entry) == Some(true));
    Some(Switch {
        name: file_name(name, "switch", values)?,
        origin: values.origin(name.span),
        hub: hub
            || section
                .setting("type")
                .is_some_and(|entry| entry.value_text() == "hub"),
        bridge: values.setting(section, "bridge", Values::one_word),
        socket: values.setting(section, "socket", Values::text),
        tap: values.setting(section, "tap", Values::one_word),
        owner: values.setting(section, "owner", Values::one_word),
        group: values.setting(section, "group", Values::one_word),
        run_as: values.setting(section, "sudo", Values::one_word),
        service_host: values.setting(section, "service_host", Values::one_word),
        address: values.setting(section, "address", |values, entry| {
            values.prefixes(entry)?.first().copied()
        }),
        dhcp: interfaces::dhcp_range(section, values),
    })
}
