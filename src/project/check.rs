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

/// Reports what is wrong between the hosts, switches and users of a project.
pub(super) fn check(effective: &Effective, values: &mut Values<'_>) {
    let mut checker = Checker {
        switches: effective.switches.iter().map(|(name, _)| &*name.text).collect(),
        addresses: BTreeMap::new(),
        macs: BTreeMap::new(),
        cows: BTreeMap::new(),
        values,
    };
    for host in &effective.hosts {
        checker.host(host);
    }
    checker.servers(&effective.hosts);
}

/// What hosts on one shared file system have in common.
const SHARED_BY_COW: [&str; 3] = ["template", "size", "free_space"];

struct Checker<'a, 'v> {
    switches: BTreeSet<&'a str>,
    /// Each fixed address with its place and its host.
    addresses: BTreeMap<IpAddr, (Span, Arc<str>)>,
    /// Each hardware address with its place and its host.
    macs: BTreeMap<String, (Span, Arc<str>)>,
    /// Each shared file system with the first host that names it.
    cows: BTreeMap<String, (Span, &'a Member)>,
    values: &'a mut Values<'v>,
}

impl<'a> Checker<'a, '_> {
    fn host(&mut self, host: &'a Member) {
        if let Some(network) = host.whole.section("network") {
            for (name, interface) in network.sections() {
                self.interface(&host.name.text, &name.text, interface);
            }
        }
        self.groups(host);
        self.cow(host);
    }

    /// In a project of several servers, every host says where it belongs.
    fn servers(&mut self, hosts: &[Member]) {
        let is_placed = |host: &&Member| {
            let names = ["service_host", "location"];
            names.iter().any(|name| host.whole.setting(name).is_some())
        };
        let mut unplaced = hosts.iter().filter(|host| !is_placed(host));
        if let Some(first) = unplaced
            .next()
            .filter(|_| hosts.iter().any(|host| is_placed(&host)))
        {
            let (host, more) = (first.name.text.to_string(), unplaced.count());
            self.values
                .report(Problem::NoServer { host, more }, first.name.span);
        }
    }

    /// All hosts on one shared file system have one size and one template.
    fn cow(&mut self, host: &'a Member) {
        let section = &host.whole;
        let Some(entry) = section
            .setting("cow_filesystem")
            .or_else(|| section.setting("cow"))
        else {
            return;
        };
        let cow = entry.value_text();
        let span = entry.value_span();
        let (first, other) = *self.cows.entry(cow.clone()).or_insert((span, host));
        let text = |member: &Member, keyword| member.whole.setting(keyword).map(Entry::value_text);
        for keyword in SHARED_BY_COW {
            if text(host, keyword) != text(other, keyword) {
                let problem = Problem::CowDiffers {
                    host: host.name.text.to_string(),
                    other: other.name.text.to_string(),
                    cow: cow.clone(),
                    keyword,
                    first,
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
        let problem = claim(&mut self.addresses, Unique::Address, address, host, span);
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
        if name.is_empty() || name.starts_with('/') || self.switches.contains(name.as_str()) {
            return;
        }
        let near = if self.values.problems.is_flooded() {
            None
        } else {
            nearest(&name, self.switches.iter().copied()).map(str::to_owned)
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
        let problem = claim(&mut self.macs, Unique::Mac, mac, host, span);
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
