//! What is wrong between blocks: names that nothing defines, addresses given twice, gateways out of reach.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};

use super::inherit::{Effective, Member};
use super::problem::Problem;
use super::section::{Entry, Section};
use super::unique::Unique;
use super::values::Values;
use crate::diag::{Span, nearest};
use crate::lang::Word;

/// What hosts on one shared file system have in common.
const SHARED_BY_COW: [&str; 3] = ["template", "size", "free_space"];

/// What is known of the hosts that were held against each other so far.
pub(super) struct Between<'a> {
    switches: BTreeSet<&'a str>,
    /// Each fixed address with its place and its host.
    addresses: BTreeMap<IpAddr, (Span, Arc<str>)>,
    /// Each hardware address with its place and its host.
    macs: BTreeMap<String, (Span, Arc<str>)>,
    /// Each shared file system with the first host that names it.
    cows: BTreeMap<String, FirstOnCow>,
    servers: Servers,
}

/// The first host that names a shared file system.
struct FirstOnCow {
    span: Span,
    host: Arc<str>,
    /// What it says of each of [`SHARED_BY_COW`].
    texts: [Option<String>; 3],
}

/// Which hosts say on what server they belong.
#[derive(Default)]
struct Servers {
    is_any_placed: bool,
    first_unplaced: Option<Word>,
    unplaced: usize,
}

impl<'a> Between<'a> {
    pub(super) fn new(effective: &'a Effective) -> Self {
        Self {
            switches: effective.switches.iter().map(|(name, _)| &*name.text).collect(),
            addresses: BTreeMap::new(),
            macs: BTreeMap::new(),
            cows: BTreeMap::new(),
            servers: Servers::default(),
        }
    }

    /// Reports what is wrong between `host` and the switches, its users and the hosts before it.
    pub(super) fn host(&mut self, host: &Member, values: &mut Values<'_>) {
        let mut checker = Checker { known: self, values };
        if let Some(network) = host.whole.section("network") {
            for (name, interface) in network.sections() {
                checker.interface(&host.name.text, &name.text, interface);
            }
        }
        checker.groups(host);
        checker.cow(host);
        self.servers.note(host);
    }

    /// Reports what only shows once all hosts are known.
    pub(super) fn finish(self, values: &mut Values<'_>) {
        let Servers {
            is_any_placed,
            first_unplaced,
            unplaced,
        } = self.servers;
        // In a project of several servers, every host says where it belongs.
        if let Some(first) = first_unplaced.filter(|_| is_any_placed) {
            let (host, more) = (first.text.to_string(), unplaced - 1);
            values.report(Problem::NoServer { host, more }, first.span);
        }
    }
}

impl Servers {
    fn note(&mut self, host: &Member) {
        let names = ["service_host", "location"];
        if names.iter().any(|name| host.whole.setting(name).is_some()) {
            self.is_any_placed = true;
            return;
        }
        self.unplaced += 1;
        self.first_unplaced.get_or_insert_with(|| host.name.clone());
    }
}

struct Checker<'a, 'k, 'v> {
    known: &'a mut Between<'k>,
    values: &'a mut Values<'v>,
}

impl Checker<'_, '_, '_> {
    /// All hosts on one shared file system have one size and one template.
    fn cow(&mut self, host: &Member) {
        let section = &host.whole;
        let Some(entry) = section
            .setting("cow_filesystem")
            .or_else(|| section.setting("cow"))
        else {
            return;
        };
        let (cow, span) = (entry.value_text(), entry.value_span());
        let texts = SHARED_BY_COW.map(|keyword| section.setting(keyword).map(Entry::value_text));
        let Some(first) = self.known.cows.get(&cow) else {
            let host = Arc::clone(&host.name.text);
            self.known.cows.insert(cow, FirstOnCow { span, host, texts });
            return;
        };
        for ((keyword, own), other) in SHARED_BY_COW.into_iter().zip(&texts).zip(&first.texts) {
            if own != other {
                let problem = Problem::CowDiffers {
                    host: host.name.text.to_string(),
                    other: first.host.to_string(),
                    cow: cow.clone(),
                    keyword,
                    first: first.span,
                };
                self.values.report(problem, span);
            }
        }
    }

    fn interface(&mut self, host: &Arc<str>, name: &str, section: &Section) {
        self.switch(section);
        self.mac(host, section);
        for keyword in ["address6", "addresses"] {
            let Some(entry) = section.setting(keyword) else {
                continue;
            };
            for word in entry.value().unwrap_or_default() {
                if let Ok(network) = word.text.parse::<IpNet>() {
                    self.address(host, network.addr(), word.span);
                }
            }
        }
        let Some((address, entry)) = address_of(section, "address") else {
            return;
        };
        self.address(host, address.into(), entry.value_span());
        let prefix = prefix_of(entry).and_then(|len| Ipv4Net::new(address, len).ok());
        let mask = prefix.map(|network| network.netmask());
        let Some(mask) = address_of(section, "netmask").map(|(mask, _)| mask).or(mask) else {
            if section.setting("netmask").is_none() {
                let (host, interface) = (host.to_string(), name.to_owned());
                self.values
                    .report(Problem::MissingNetmask { host, interface }, entry.value_span());
            }
            return;
        };
        if let (Ok(network), Some((gateway, entry))) = (
            Ipv4Net::with_netmask(address, mask),
            address_of(section, "gateway"),
        ) && !network.contains(&gateway)
        {
            let problem = Problem::GatewayOutside {
                host: host.to_string(),
                gateway: gateway.to_string(),
                network: network.trunc().to_string(),
            };
            self.values.report(problem, entry.value_span());
        }
    }

    /// Reports an address that another interface has.
    fn address(&mut self, host: &Arc<str>, address: IpAddr, span: Span) {
        let problem = claim(&mut self.known.addresses, Unique::Address, address, host, span);
        self.report(problem, span);
    }

    fn report(&mut self, problem: Option<Problem>, span: Span) {
        if let Some(problem) = problem {
            self.values.report(problem, span);
        }
    }

    fn switch(&mut self, section: &Section) {
        let Some(entry) = section.setting("switch") else {
            return;
        };
        let name = entry.value_text();
        if name.is_empty() || name.starts_with('/') || self.known.switches.contains(name.as_str()) {
            return;
        }
        let near = if self.values.problems.is_flooded() {
            None
        } else {
            nearest(&name, self.known.switches.iter().copied()).map(str::to_owned)
        };
        self.values
            .report(Problem::UnknownSwitch { name, near }, entry.value_span());
    }

    fn mac(&mut self, host: &Arc<str>, section: &Section) {
        let Some(entry) = section.setting("mac") else {
            return;
        };
        let Some(mac) = self.values.mac(entry) else {
            return;
        };
        let span = entry.value_span();
        let problem = claim(&mut self.known.macs, Unique::Mac, mac, host, span);
        self.report(problem, span);
    }

    fn groups(&mut self, host: &Member) {
        let users: BTreeSet<&str> = host
            .whole
            .section("users")
            .map(|users| users.entries.iter().map(|entry| &*entry.key.text).collect())
            .unwrap_or_default();
        let Some(groups) = host.whole.section("groups") else {
            return;
        };
        for (group, section) in groups.sections() {
            for entry in section.entries.iter().filter(|entry| !entry.is_definition) {
                let words = std::iter::once(&entry.key).chain(entry.value().unwrap_or_default());
                for member in words.filter(|word| !users.contains(&*word.text) && &*word.text != "root") {
                    let problem = Problem::UnknownMember {
                        host: host.name.text.to_string(),
                        group: group.text.to_string(),
                        member: member.text.to_string(),
                    };
                    self.values.report(problem, member.span);
                }
            }
        }
    }
}

/// Makes `host` the owner of `value`; what is wrong with that if another interface has it already.
fn claim<T: Ord + ToString>(
    owners: &mut BTreeMap<T, (Span, Arc<str>)>,
    what: Unique,
    value: T,
    host: &Arc<str>,
    span: Span,
) -> Option<Problem> {
    if let Some((first, other)) = owners.get(&value) {
        return Some(Problem::Duplicate {
            what,
            value: value.to_string(),
            host: host.to_string(),
            other: format!("host `{other}`"),
            first: *first,
        });
    }
    owners.insert(value, (span, Arc::clone(host)));
    None
}

/// The address that `keyword` gives, if it is one; what is none was reported before.
fn address_of<'s>(section: &'s Section, keyword: &str) -> Option<(Ipv4Addr, &'s Entry)> {
    let entry = section.setting(keyword)?;
    let text = &entry.value()?.first()?.text;
    let address = text.split_once('/').map_or(&**text, |(address, _)| address);
    Some((address.parse().ok()?, entry))
}

/// The length of the prefix that follows an address.
fn prefix_of(entry: &Entry) -> Option<u8> {
    entry.value()?.first()?.text.split_once('/')?.1.parse().ok()
}
