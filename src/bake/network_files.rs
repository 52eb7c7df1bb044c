//! The files beside a project's hosts that tell others of them before they start: `known_hosts` for ssh(1), `etc_hosts`
//! for hosts(5), and for each switch that hands out addresses a configuration of dnsmasq(8).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::error::BakeError;
use super::host_plan::HostPlan;
use super::plan::Plan;
use crate::base::IdentityKey;
use crate::project::{AddressBook, MacTable, Project, Reservation, Switch, reservations};

/// A file in the project's directory.
#[derive(Debug)]
pub(super) struct NetworkFile {
    /// Its name.
    pub(super) name: String,
    /// Its text.
    pub(super) content: String,
}

/// What is given to the interfaces of the whole project.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) macs: Arc<MacTable>,
    pub(super) addresses: AddressBook,
}

impl Numbers {
    /// The numbers of `project`, which follow from `key` where it does not say them.
    pub(super) fn of(project: &Project, key: &IdentityKey) -> Result<Self, BakeError> {
        Ok(Self {
            macs: Arc::new(MacTable::assign(project, Some(key))?),
            addresses: AddressBook::of(project),
        })
    }
}

/// The file that tells ssh(1) the hosts' keys.
pub(super) const KNOWN_HOSTS: &str = "known_hosts";

/// The first line of each file.
pub(super) const HEAD: &str = "# Written by mln-image from the project's description.\n";

/// The files of `project` whose text follows from its description alone, for a project in `directory`.
pub(super) fn files(project: &Project, numbers: &Numbers, directory: &Path) -> Vec<NetworkFile> {
    let Numbers { macs, addresses } = numbers;
    let mut files = vec![NetworkFile {
        name: "etc_hosts".to_owned(),
        content: etc_hosts(addresses),
    }];
    for (switch, made) in project.switches.iter().zip(reservations(project)) {
        if let Some(content) = dnsmasq(project, switch, &made, macs, directory) {
            files.push(NetworkFile {
                name: format!("dnsmasq.{}.conf", switch.name),
                content,
            });
        }
    }
    files
}

fn etc_hosts(addresses: &AddressBook) -> String {
    HEAD.to_owned() + &String::from_utf8_lossy(&addresses.lines())
}

/// The lines of `known_hosts` about the host of `plan`, which is at `place` of the project.
pub(super) fn known_lines(whole: &Plan<'_>, place: usize, plan: &HostPlan) -> String {
    let project = whole.request.project;
    let mut text = String::new();
    if plan.identity.host_keys.is_empty() {
        return text;
    }
    let host = project.hosts.at(place);
    let mut patterns = vec![host.name.to_string(), format!("{}.{}", host.name, project.name)];
    for named in whole.numbers.addresses.named(project, &host) {
        patterns.push(named.address.to_string());
        patterns.extend(named.names);
    }
    let mut seen = BTreeSet::new();
    patterns.retain(|pattern| seen.insert(pattern.clone()));
    for key in &plan.identity.host_keys {
        let _infallible = writeln!(text, "{} {key}", patterns.join(","));
    }
    text
}

/// What a switch hands out, which is `made`; `None` for one that hands out nothing.
fn dnsmasq(
    project: &Project,
    switch: &Switch,
    made: &[Reservation],
    macs: &MacTable,
    directory: &Path,
) -> Option<String> {
    let (first, last) = switch.dhcp.as_ref()?.value;
    let own = switch.address.as_ref()?.value;
    let directory = directory.display();
    let mut text = format!(
        "{HEAD}bind-interfaces\n\
         listen-address={}\n\
         no-hosts\n\
         addn-hosts={directory}/etc_hosts\n\
         domain={}\n\
         dhcp-authoritative\n\
         dhcp-leasefile={directory}/dnsmasq.{}.leases\n\
         dhcp-range={first},{last},{},12h\n",
        own.addr(),
        project.name,
        switch.name,
        own.netmask(),
    );
    for made in made {
        let host = project.hosts.at(made.place);
        let interface = host
            .interfaces
            .iter()
            .find(|interface| interface.name == made.interface)?;
        if let Some(address) = made.address {
            let _infallible = writeln!(
                text,
                "dhcp-host={},{address},{}",
                macs.get(&host, interface),
                host.name
            );
        }
    }
    Some(text)
}
