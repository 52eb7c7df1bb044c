//! From a project file to the project: the stages in order.

use std::rc::Rc;
use std::sync::Arc;

use super::check;
use super::draft::Draft;
use super::extension::Extension;
use super::hooks::hooks;
use super::host::Builder;
use super::include;
use super::inherit::{self, Effective};
use super::interfaces;
use super::keywords;
use super::loader::Loader;
use super::model::{Host, Project, Switch};
use super::natural;
use super::password;
use super::problem::Problem;
use super::reservation::reservations;
use super::section::Section;
use super::settings::Settings;
use super::unique;
use super::values::Values;
use super::wording::Problems;
use crate::diag::{Diagnostics, SourceMap, Span};
use crate::lang::{self, Word};

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
    pub text: String,
    /// The project; `None` if there was an error.
    pub project: Option<Project>,
    /// What is wrong.
    pub diagnostics: Diagnostics,
    /// The texts that were read.
    pub sources: SourceMap,
    /// What holds in every block.
    pub(super) effective: Option<Effective>,
}

impl Loaded {
    /// The hosts that the text has, in its order, usable or not.
    pub fn host_names(&self) -> Vec<&str> {
        let hosts = self.effective.iter().flat_map(|effective| &effective.hosts);
        hosts.map(|host| &*host.name.text).collect()
    }
}

/// Reads the project file `path` with all that it includes, and checks it.
pub fn load(loader: &dyn Loader, path: &str, options: &LoadOptions) -> Loaded {
    let mut sources = SourceMap::new();
    sources.hide_after(password::PLAIN);
    let mut problems = Problems::new(options.strict);
    let tree = include::read_tree(loader, path, &mut sources, &mut problems);
    let text = lang::format(&tree);
    let mut project = None;
    let mut effective = None;
    if let Some(whole) = sources.whole() {
        let mut root = Section::of_tree(tree.nodes, whole, &mut problems);
        let extension = options.extension.as_deref();
        if let Some(extension) = extension {
            extension.post_parse(&mut Draft::new(&mut root, &mut sources, &mut problems));
        }
        let resolved = Rc::new(inherit::resolve(&root, None, &mut problems));
        let mut values = Values::new(&sources, &mut problems);
        keywords::check(&resolved, extension, &mut values);
        check::check(&resolved, &mut values);
        unique::check(&resolved, &mut values);
        project = build(&resolved, whole, options, &mut values);
        if let Some(extension) = extension {
            let known = Rc::clone(&resolved);
            extension.check(&mut Draft::read_only(
                &mut root,
                &mut sources,
                &mut problems,
                known,
            ));
        }
        effective = Rc::into_inner(resolved);
    }
    let project = project.filter(|_| !problems.diagnostics.has_errors());
    Loaded {
        text,
        project,
        diagnostics: problems.diagnostics,
        sources,
        effective,
    }
}

fn build(
    effective: &Effective,
    whole: Span,
    options: &LoadOptions,
    values: &mut Values<'_>,
) -> Option<Project> {
    let name = project_name(&effective.global, whole, values);
    let mut hosts = hosts(effective, options, values);
    // In place, since no two names are the same: a copy of all hosts beside them is much.
    hosts.sort_unstable_by(|one, other| natural::compare(one.name.as_str(), other.name.as_str()));
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
    for switch in &project.switches {
        let without = reservations(project, switch)
            .into_iter()
            .find(|made| made.address.is_none());
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

fn hosts(effective: &Effective, options: &LoadOptions, values: &mut Values<'_>) -> Vec<Host> {
    let mut builder = Builder {
        values,
        settings: &options.settings,
        global: &effective.global,
    };
    let mut names = std::collections::BTreeMap::new();
    let mut hosts = Vec::with_capacity(effective.hosts.len());
    for member in &effective.hosts {
        // Blocks of one name were told before; these have become so by their variables.
        if let Some(first) = names.insert(&*member.name.text, member.name.span) {
            let name = member.name.text.to_string();
            builder
                .values
                .report(Problem::DuplicateHost { name, first }, member.name.span);
        }
        hosts.extend(builder.host(member));
    }
    hosts
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
