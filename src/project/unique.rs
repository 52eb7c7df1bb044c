//! What one machine or account of a project alone may have: addresses, names, numbers, the identity of a template.
//! Addresses are held against each other where interfaces are checked; everything else here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::inherit::Member;
use super::problem::Problem;
use super::section::{Content, Entry, Section};
use super::values::Values;
use crate::diag::Span;
use crate::lang::Word;

/// What only one may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// A network address.
    Address,
    /// A hardware address.
    Mac,
    /// A name in the guests' tables of hosts.
    Name,
    /// The number of a user.
    UserNumber,
    /// Numbers that a user may give to others.
    SubordinateNumbers,
    /// The machine-id and keys of a template.
    Identity,
}

impl Unique {
    /// The fault's name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Address => "duplicate-address",
            Self::Mac => "duplicate-mac",
            Self::Name => "duplicate-name",
            Self::UserNumber => "duplicate-user-number",
            Self::SubordinateNumbers => "overlapping-numbers",
            Self::Identity => "shared-identity",
        }
    }
}

impl fmt::Display for Unique {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Address => "address",
            Self::Mac => "hardware address",
            Self::Name => "name",
            Self::UserNumber => "user number",
            Self::SubordinateNumbers => "subordinate numbers",
            Self::Identity => "machine-id and keys of the template",
        })
    }
}

/// Who was found to have what, among the hosts so far.
#[derive(Default)]
pub(super) struct Found {
    /// The first account of each number: its place, its name and its host.
    users: BTreeMap<u32, (Span, Arc<str>, Arc<str>)>,
    /// The places that were told, since many hosts may inherit the same two lines.
    told: BTreeSet<(Span, Span)>,
    /// The first host that keeps the identity of each template.
    identities: BTreeMap<String, (Span, Arc<str>)>,
    names: Names,
}

impl Found {
    /// Reports numbers, identities and names that `host` has and another one, too.
    pub(super) fn host(&mut self, host: &Member, values: &mut Values<'_>) {
        self.users(host, values);
        subordinates(host, values);
        self.identity(host, values);
        self.names.host(host, values);
    }

    /// Reports what only shows once all hosts are known.
    pub(super) fn finish(&self, values: &mut Values<'_>) {
        self.names.interfaces(values);
    }

    /// A number stands for one name in the whole project: files that machines share know their owners by it alone.
    fn users(&mut self, host: &Member, values: &mut Values<'_>) {
        let Some(users) = host.whole.section("users") else {
            return;
        };
        for entry in &users.entries {
            let Some((number, span)) = user_number(entry) else {
                continue;
            };
            let (name, host) = (&entry.key.text, &host.name.text);
            let (first, owner, owner_host) = self
                .users
                .entry(number)
                .or_insert_with(|| (span, Arc::clone(name), Arc::clone(host)));
            if owner != name && self.told.insert((*first, span)) {
                let problem = Problem::Duplicate {
                    what: Unique::UserNumber,
                    value: format!("{number} (`{name}`)"),
                    host: host.to_string(),
                    other: format!("`{owner}` in host `{owner_host}`"),
                    first: *first,
                };
                values.report(problem, span);
            }
        }
    }

    /// Hosts that keep the identity of one template cannot be told apart.
    fn identity(&mut self, host: &Member, values: &mut Values<'_>) {
        let Some(entry) = host.whole.setting("identity") else {
            return;
        };
        if entry.value_text() != "template" {
            return;
        }
        let template = host.whole.setting("template").map(Entry::value_text);
        let template = template.unwrap_or_default();
        let (name, span) = (&host.name.text, host.name.span);
        let (first, other) = self
            .identities
            .entry(template.clone())
            .or_insert_with(|| (span, Arc::clone(name)));
        if other != name {
            let problem = Problem::Duplicate {
                what: Unique::Identity,
                value: format!("`{template}`"),
                host: name.to_string(),
                other: format!("host `{other}`"),
                first: *first,
            };
            values.report(problem, span);
        }
    }
}

/// The number that an account is given, and where.
fn user_number(entry: &Entry) -> Option<(u32, Span)> {
    let word = match &entry.content {
        Content::Value(words) if !entry.is_definition => words.get(2)?,
        Content::Section(account) => account.setting("uid")?.value()?.first()?,
        _ => return None,
    };
    Some((word.text.parse().ok()?, word.span))
}

/// Numbers below a user's own belong to one user of a machine.
fn subordinates(host: &Member, values: &mut Values<'_>) {
    let Some(users) = host.whole.section("users") else {
        return;
    };
    for keyword in ["subuid", "subgid"] {
        let mut ranges: Vec<(u64, u64, &str, Span)> = users
            .sections()
            .filter_map(|(name, account)| {
                let (first, count, span) = range(account, keyword)?;
                Some((first, first + count, &*name.text, span))
            })
            .collect();
        ranges.sort_unstable_by_key(|(first, end, _, span)| (*first, *end, *span));
        for pair in ranges.windows(2) {
            if let [(_, end, owner, first_span), (first, other_end, name, span)] = pair
                && first < end
            {
                let problem = Problem::Duplicate {
                    what: Unique::SubordinateNumbers,
                    value: format!("{first} to {} (`{name}`)", other_end - 1),
                    host: host.name.text.to_string(),
                    other: format!("`{owner}`"),
                    first: *first_span,
                };
                values.report(problem, *span);
            }
        }
    }
}

/// A first number, how many there are, and where that stands.
fn range(account: &Section, keyword: &str) -> Option<(u64, u64, Span)> {
    let entry = account.setting(keyword)?;
    let [first, count] = entry.value()? else {
        return None;
    };
    let number = |text: &str| text.parse::<u32>().ok().map(u64::from);
    let (first, count) = (number(&first.text)?, number(&count.text)?);
    (count > 0).then(|| (first, count, entry.value_span()))
}

/// The names of machines: a machine's further interfaces are called `HOST-INTERFACE`, which no other machine may be, and
/// names of machines differ in more than case, which resolvers do not see.
#[derive(Default)]
struct Names {
    /// The last host of each name in lower case, and its place.
    owners: BTreeMap<Arc<str>, (Span, Arc<str>)>,
    /// The further interfaces, each with its host.
    interfaces: Vec<(Arc<str>, Word)>,
}

impl Names {
    fn host(&mut self, host: &Member, values: &mut Values<'_>) {
        let (name, span) = (&host.name.text, host.name.span);
        let owner = (span, Arc::clone(name));
        // The very same name was told before.
        let other = self.owners.insert(in_lower_case(name), owner);
        if let Some((first, owner)) = other.filter(|(_, owner)| owner != name) {
            report_name(name, name, &owner, first, span, values);
        }
        let network = host.whole.section("network");
        let interfaces = network.into_iter().flat_map(|network| network.sections().skip(1));
        let interfaces = interfaces.map(|(interface, _)| (Arc::clone(name), interface.clone()));
        self.interfaces.extend(interfaces);
    }

    fn interfaces(&self, values: &mut Values<'_>) {
        for (host, interface) in &self.interfaces {
            let name = format!("{host}-{}", interface.text);
            if let Some((first, owner)) = self.owners.get(&*name.to_lowercase()) {
                report_name(host, &name, owner, *first, interface.span, values);
            }
        }
    }
}

fn in_lower_case(name: &Arc<str>) -> Arc<str> {
    let lower = name.to_lowercase();
    if *lower == **name {
        Arc::clone(name)
    } else {
        Arc::from(lower)
    }
}

fn report_name(host: &str, name: &str, other: &str, first: Span, span: Span, values: &mut Values<'_>) {
    let problem = Problem::Duplicate {
        what: Unique::Name,
        value: format!("`{name}`"),
        host: host.to_owned(),
        other: format!("host `{other}`"),
        first,
    };
    values.report(problem, span);
}
