//! What holds in a project, as flat `path = value` pairs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inherit::Effective;
use super::load::Loaded;
use super::natural;
use super::password;
use super::section::{Content, Entry, Section};
use crate::base::Origin;
use crate::diag::Span;

/// The blocks of a host whose lines are a list: two lines of one first word are two lines.
const LISTS: [&str; 3] = ["files", "modules", "mount"];

/// Every value that holds, with its path, in natural order; only those of `host` if one is given.
///
/// A keyword without a value is `1`. The lines of a block of lines are numbered from 1. What follows from other
/// values is shown too: the hosts of a switch, and its bridge.
pub fn show(loaded: &Loaded, host: Option<&str>) -> Vec<(String, String)> {
    let pairs = pairs(loaded, host).into_iter();
    pairs.map(|(path, value, _)| (path, value)).collect()
}

/// A value that holds, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The value's path.
    pub path: String,
    /// The value.
    pub value: String,
    /// The line that set it; `None` where it follows from other values.
    pub origin: Option<Origin>,
}

/// The same as [`show`], each value with the line that it comes from.
pub fn show_with_origins(loaded: &Loaded, host: Option<&str>) -> Vec<Shown> {
    let shown = |(path, value, span): Pair| Shown {
        path,
        value,
        origin: span.map(|span| loaded.sources.origin(span)),
    };
    pairs(loaded, host).into_iter().map(shown).collect()
}

/// A path, its value, and the value's place.
type Pair = (String, String, Option<Span>);

fn pairs(loaded: &Loaded, host: Option<&str>) -> Vec<Pair> {
    let mut pairs = Pairs::default();
    let Some(effective) = &loaded.effective else {
        return Vec::new();
    };
    for member in effective.known_hosts() {
        if host.is_none_or(|host| *member.name.text == *host) {
            pairs.section(&format!("/host/{}", member.name.text), &member.whole);
        }
    }
    if host.is_none() {
        pairs.section("/global", &effective.global);
        for member in &effective.superclasses {
            pairs.section(&format!("/superclass/{}", member.name.text), &member.whole);
        }
        for entry in &effective.others {
            pairs.entry("", entry);
        }
        pairs.switches(effective);
    }
    pairs.sorted()
}

#[derive(Default)]
struct Pairs {
    pairs: Vec<Pair>,
}

impl Pairs {
    fn section(&mut self, path: &str, section: &Section) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_list = LISTS.contains(&name) && path.starts_with("/host/");
        let mut last: BTreeMap<&str, &Entry> = BTreeMap::new();
        let mut lines = 0;
        for entry in &section.entries {
            match &entry.content {
                Content::Line => {
                    lines += 1;
                    let text = entry.key.text.to_string();
                    self.pairs
                        .push((format!("{path}/{lines}"), text, Some(entry.key.span)));
                }
                Content::Value(_) if !is_list => {
                    last.insert(&entry.key.text, entry);
                }
                _ => self.entry(path, entry),
            }
        }
        for entry in last.into_values() {
            self.entry(path, entry);
        }
    }

    fn entry(&mut self, path: &str, entry: &Entry) {
        let path = format!("{path}/{}", entry.key.text);
        if let Content::Section(section) = &entry.content {
            return self.section(&path, section);
        }
        let is_flag = entry.value().is_some_and(<[_]>::is_empty);
        let text = if is_flag {
            "1".to_owned()
        } else {
            entry.value_text()
        };
        let text = password::hidden(&text).unwrap_or(text);
        self.pairs.push((path, text, Some(entry.span())));
    }

    fn switches(&mut self, effective: &Effective) {
        let project = effective.global.setting("project").map(Entry::value_text);
        let plugs = plugs(effective);
        for (name, section) in &effective.switches {
            let path = format!("/switch/{}", name.text);
            self.section(&path, section);
            let mut has_xen = section.setting("xen").is_some();
            let mut is_xen = section.setting("xen").is_some_and(is_on);
            for plug in plugs.get(&*name.text).into_iter().flatten() {
                let place = format!("{path}/hosts/{}", plug.host);
                self.pairs.push((place, plug.interface.to_string(), None));
                is_xen |= plug.is_xen;
            }
            if is_xen {
                if !std::mem::replace(&mut has_xen, true) {
                    self.pairs.push((format!("{path}/xen"), "1".to_owned(), None));
                }
                if section.setting("bridge").is_none() {
                    let bridge = format!("{}.{}", name.text, project.as_deref().unwrap_or_default());
                    self.pairs.push((format!("{path}/bridge"), bridge, None));
                }
            }
        }
    }

    fn sorted(mut self) -> Vec<Pair> {
        // A stable sort, so that lines of a list keep their order.
        self.pairs
            .sort_by(|(one, _, _), (other, _, _)| compare_paths(one, other));
        self.pairs
    }
}

/// Whether a flag is on.
fn is_on(entry: &Entry) -> bool {
    !matches!(&*entry.value_text(), "0" | "off" | "no")
}

/// An interface that is plugged into a switch.
struct Plug {
    host: Arc<str>,
    interface: Arc<str>,
    /// Whether the host runs under Xen.
    is_xen: bool,
}

/// The interfaces of all hosts by the name of the switch that they are plugged into.
fn plugs(effective: &Effective) -> BTreeMap<String, Vec<Plug>> {
    let mut plugs: BTreeMap<String, Vec<Plug>> = BTreeMap::new();
    if effective.switches.is_empty() {
        return plugs;
    }
    for host in effective.known_hosts() {
        let Some(network) = host.whole.section("network") else {
            continue;
        };
        for (name, interface) in network.sections() {
            if let Some(switch) = interface.setting("switch") {
                plugs.entry(switch.value_text()).or_default().push(Plug {
                    host: Arc::clone(&host.name.text),
                    interface: Arc::clone(&name.text),
                    is_xen: host.whole.setting("xen").is_some_and(is_on),
                });
            }
        }
    }
    plugs
}

/// Natural order, component by component.
fn compare_paths(one: &str, other: &str) -> std::cmp::Ordering {
    let mut pairs = one.split('/').zip(other.split('/'));
    let decided =
        pairs.find_map(|(one, other)| Some(natural::compare(one, other)).filter(|order| order.is_ne()));
    decided.unwrap_or_else(|| one.matches('/').count().cmp(&other.matches('/').count()))
}
