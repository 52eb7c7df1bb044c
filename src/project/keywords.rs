//! Holds each block against the schema: unknown, misplaced and repeated keywords, and values that do not parse.

use std::collections::BTreeMap;

use super::accounts;
use super::extension::{self, Extension, ExtensionBlock};
use super::inherit::{Effective, Member};
use super::problem::Problem;
use super::schema::{self, BlockContent, Effect, Keyword, Place, ValueKind};
use super::section::{Content, Entry, Section};
use super::values::Values;
use crate::diag::{Span, nearest};

/// Reports what each block says wrongly by itself, but for the hosts'.
pub(super) fn check(effective: &Effective, extension: Option<&dyn Extension>, values: &mut Values<'_>) {
    let values = &mut Checker { extension, values };
    for entry in &effective.others {
        check_top_level(entry, values);
    }
    check_section(&effective.global, Place::Global, values);
    for superclass in &effective.superclasses {
        check_section(&superclass.own, Place::Host, values);
        accounts::check(&superclass.own, values.values);
    }
    for (_, section) in &effective.switches {
        check_section(section, Place::Switch, values);
    }
}

/// Reports what the block of `host` says wrongly by itself; what only shows in the whole host is checked elsewhere.
pub(super) fn check_host(host: &Member, extension: Option<&dyn Extension>, values: &mut Values<'_>) {
    let values = &mut Checker { extension, values };
    check_section(&host.own, Place::Host, values);
    check_required(host, values);
}

/// Reports what a plugin's block in `host` needs and has from nowhere, neither the host nor what it inherits.
fn check_required(host: &Member, values: &mut Checker<'_, '_>) {
    let blocks = values.extension.map_or(&[][..], Extension::blocks);
    for block in blocks.iter().filter(|block| block.place == Place::Host) {
        if let Some((name, section)) = host.whole.section_named(&block.name) {
            report_missing(block, section, name.span, values);
        }
    }
}

fn report_missing(block: &ExtensionBlock, section: &Section, span: Span, values: &mut Checker<'_, '_>) {
    let required = block.keywords.iter().flatten().filter(|keyword| keyword.required);
    for keyword in required.filter(|keyword| section.setting(&keyword.name).is_none()) {
        let problem = Problem::MissingInBlock {
            keyword: keyword.name.clone(),
            block: block.name.clone(),
            help: keyword.help.clone(),
        };
        values.report(problem, span);
    }
}

/// Where faults go, and who knows further blocks.
struct Checker<'a, 'v> {
    extension: Option<&'a dyn Extension>,
    values: &'a mut Values<'v>,
}

impl<'v> std::ops::Deref for Checker<'_, 'v> {
    type Target = Values<'v>;

    fn deref(&self) -> &Self::Target {
        self.values
    }
}

impl std::ops::DerefMut for Checker<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.values
    }
}

/// Holds a plugin's block against what the plugin says of it.
fn check_extension(block: &ExtensionBlock, entry: &Entry, values: &mut Checker<'_, '_>) {
    let Content::Section(section) = &entry.content else {
        if block.value != ValueKind::Any && !entry.per_host {
            values.check(block.value, entry);
        }
        return;
    };
    let Some(known) = &block.keywords else { return };
    // A host may inherit what its own block leaves out, and is looked at as a whole.
    if !matches!(block.place, Place::Host | Place::Network) {
        report_missing(block, section, entry.key.span, values);
    }
    for inner in section.entries.iter().filter(|entry| !is_variable(entry)) {
        let name = &*inner.key.text;
        let Some(keyword) = known.iter().find(|keyword| keyword.name == name) else {
            let near = nearest(name, known.iter().map(|keyword| keyword.name.as_str()));
            let problem = Problem::UnknownInBlock {
                keyword: name.to_owned(),
                block: block.name.clone(),
                near: near.map(str::to_owned),
            };
            values.report(problem, inner.key.span);
            continue;
        };
        match (&inner.content, keyword.value) {
            (Content::Section(_), ValueKind::Any) => {}
            (Content::Section(_), _) => {
                let keyword = name.to_owned();
                values.report(Problem::ValueExpected { keyword }, inner.key.span);
            }
            _ if inner.per_host || keyword.value == ValueKind::Any => {}
            _ => values.check(keyword.value, inner),
        }
    }
}

fn check_top_level(entry: &Entry, values: &mut Checker<'_, '_>) {
    let name = entry.key.text.to_string();
    let problem = match &entry.content {
        Content::Section(_) => {
            let near = nearest(&name, schema::TOP_LEVEL).map(str::to_owned);
            Problem::UnknownBlock { name, near }
        }
        _ if is_variable(entry) => return,
        _ if schema::TOP_LEVEL.contains(&name.as_str()) => {
            let keyword = format!("{name} {}", entry.value_text()).trim_end().to_owned();
            return values.report(Problem::BlockExpected { keyword }, entry.span());
        }
        _ => Problem::OutsideBlock { keyword: name },
    };
    values.report(problem, entry.key.span);
}

fn check_section(section: &Section, place: Place, values: &mut Checker<'_, '_>) {
    let mut set: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in &section.entries {
        if is_variable(entry) {
            continue;
        }
        if let Some(block) = extension::block(values.extension, place, &entry.key.text) {
            check_extension(block, entry, values);
            continue;
        }
        let Some(keyword) = schema::keyword(place, &entry.key.text) else {
            unknown(entry, place, values);
            continue;
        };
        match keyword.effect {
            Effect::Plugin => {}
            Effect::Carried => {
                let keyword = entry.key.text.to_string();
                values.report(Problem::NoEffect { keyword }, entry.key.span);
            }
            Effect::Unsupported(platform) => {
                let keyword = entry.key.text.to_string();
                values.report(Problem::Unsupported { keyword, platform }, entry.key.span);
            }
            Effect::Here => {
                check_entry(keyword, entry, values);
                let earlier = set.insert(keyword.name, entry);
                check_repeated(keyword, earlier, entry, values);
            }
        }
    }
}

/// Whether an entry defines a variable, or uses one that nobody defined.
fn is_variable(entry: &Entry) -> bool {
    entry.key.text.starts_with('$') && entry.value().is_some()
}

fn check_entry(keyword: &Keyword, entry: &Entry, values: &mut Checker<'_, '_>) {
    let name = || entry.key.text.to_string();
    match (&entry.content, keyword.value) {
        (_, ValueKind::Any) | (Content::Section(_), ValueKind::Lines) | (Content::Line, _) => {}
        (Content::Section(section), ValueKind::Block(BlockContent::Interfaces)) => {
            check_interfaces(section, values);
        }
        (Content::Section(section), ValueKind::Block(content)) => check_block(section, content, values),
        (Content::Section(_), _) => values.report(Problem::ValueExpected { keyword: name() }, entry.key.span),
        (Content::Value(_), ValueKind::Block(BlockContent::Interfaces)) => {
            let keyword = format!("{} {}", name(), entry.value_text());
            values.report(Problem::BlockExpected { keyword }, entry.span());
        }
        (Content::Value(_), ValueKind::Block(_) | ValueKind::Lines) => {
            values.report(Problem::BlockExpected { keyword: name() }, entry.key.span);
        }
        // What waits for a host's name is checked where the host is put together.
        (Content::Value(_), _) if entry.per_host => {}
        (Content::Value(_), _) => values.check(keyword.value, entry),
    }
}

fn check_interfaces(section: &Section, values: &mut Checker<'_, '_>) {
    for entry in &section.entries {
        match &entry.content {
            Content::Section(interface) => check_section(interface, Place::Network, values),
            _ if is_variable(entry) => {}
            _ => {
                let keyword = format!("network {}", entry.key.text);
                values.report(Problem::BlockExpected { keyword }, entry.key.span);
            }
        }
    }
}

/// Whether the lines of a block are lines, and those of `groups` blocks.
fn check_block(section: &Section, content: BlockContent, values: &mut Checker<'_, '_>) {
    for entry in section.entries.iter().filter(|entry| !is_variable(entry)) {
        let keyword = entry.key.text.to_string();
        let is_section = matches!(entry.content, Content::Section(_));
        if let (Content::Section(account), BlockContent::Users) = (&entry.content, content) {
            check_section(account, Place::User, values);
        } else if is_section && content != BlockContent::Groups {
            values.report(Problem::ValueExpected { keyword }, entry.key.span);
        } else if !is_section && content == BlockContent::Groups {
            values.report(Problem::BlockExpected { keyword }, entry.key.span);
        }
    }
}

fn check_repeated(keyword: &Keyword, earlier: Option<&Entry>, entry: &Entry, values: &mut Checker<'_, '_>) {
    let Some(earlier) = earlier else { return };
    if keyword.value == ValueKind::Addresses || entry.value().is_none() || earlier.value().is_none() {
        return;
    }
    let problem = Problem::RepeatedKeyword {
        keyword: keyword.name.to_owned(),
        first: earlier.key.span,
    };
    values.report(problem, entry.key.span);
}

fn unknown(entry: &Entry, place: Place, values: &mut Checker<'_, '_>) {
    let name = entry.key.text.to_string();
    let shown = place.shown();
    let problem = match (where_known(entry), &entry.content) {
        (Some(belongs), _) => Problem::MisplacedKeyword {
            keyword: name,
            place: shown,
            belongs,
        },
        (None, Content::Section(_)) => Problem::UnknownBlock {
            near: near(&name, place, values),
            name,
        },
        (None, _) => Problem::UnknownKeyword {
            near: near(&name, place, values),
            keyword: name,
            place: shown,
        },
    };
    values.report(problem, entry.key.span);
}

/// The place where a keyword that is wrong here belongs.
fn where_known(entry: &Entry) -> Option<&'static str> {
    let name = &*entry.key.text;
    if entry.value().is_none() && schema::TOP_LEVEL.contains(&name) {
        return Some("no other block");
    }
    let mut known = schema::keywords();
    let known = known.find(|keyword| keyword.name == name && keyword.effect == Effect::Here)?;
    Some(known.place.shown())
}

/// The keyword of `place` that `name` most likely meant.
fn near(name: &str, place: Place, values: &Checker<'_, '_>) -> Option<String> {
    if values.problems.is_flooded() {
        return None;
    }
    let known =
        schema::keywords_of(place).filter(|keyword| matches!(keyword.effect, Effect::Here | Effect::Plugin));
    nearest(name, known.map(|keyword| keyword.name)).map(str::to_owned)
}
