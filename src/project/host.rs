//! A host's effective section as the model has it.

use std::sync::Arc;

use super::accounts;
use super::inherit::Member;
use super::interfaces;
use super::model::{
    Family, Host, HostKeyKind, HostName, IdentityChoice, Platform, Renderer, SizeRequest, Terminal,
};
use super::problem::Problem;
use super::schema::{self, Place, ValueKind};
use super::section::{Content, Entry, Section};
use super::settings::Settings;
use super::users;
use super::values::Values;
use crate::base::{ByteSize, Sourced};

/// How many disks a host may have: one for each letter that a device name has left.
const DISKS_MAX: usize = 26;

/// Builds hosts, with the defaults of the settings.
pub(super) struct Builder<'a, 'v> {
    pub(super) values: &'a mut Values<'v>,
    pub(super) settings: &'a Settings,
    /// The content of `global`.
    pub(super) global: &'a Section,
}

impl Builder<'_, '_> {
    /// The host `member`; `None` if it has no name or no template, which is reported.
    pub(super) fn host(&mut self, member: &Member) -> Option<Host> {
        let section = &*member.whole;
        let name = self.name(member);
        let template = self.template(member);
        let host = Host {
            origin: self.values.origin(member.name.span),
            platform: self.platform(section),
            root_partition: self.values.setting(section, "root_partition", Values::one_word),
            size: self.size(member),
            format: self.image_format(section),
            swap: self
                .values
                .setting(section, "swap", Values::size)
                .filter(|swap| swap.value.0 > 0),
            memory: self.memory(section),
            vcpus: self
                .values
                .setting(section, "vcpus", |values, entry| values.number(entry, 1, 512)),
            term: self.term(section),
            service_host: self
                .values
                .either(section, "service_host", "location", Values::one_word),
            boot_order: self.boot_order(section),
            run_as: self.values.either(section, "sudo", "owner", Values::one_word),
            image_group: self.values.setting(section, "group", Values::one_word),
            nice: self.nice(section),
            kernel: self.values.setting(section, "kernel", Values::text),
            ramdisk: self.values.setting(section, "ramdisk", Values::text),
            nameservers: self.nameservers(section),
            root_password: self
                .values
                .either(section, "root_password", "root_passwd", Values::password),
            users: users::users(section, self.values),
            groups: accounts::groups(section, self.values),
            interfaces: interfaces::interfaces(section, self.values),
            renderer: self.values.setting(section, "renderer", |values, entry| {
                Renderer::from_name(values.choice(entry, choices_of("renderer"))?)
            }),
            search: self.words(section, "search"),
            family: self.family(section),
            identity: self.identity(section),
            host_keys: self.host_keys(section),
            startup: self.lines(section, "startup"),
            shutdown: self.lines(section, "shutdown"),
            modules: accounts::modules(section, self.values),
            files: accounts::files(section, self.values),
            mounts: accounts::mounts(section, self.values),
            xen_extra: self.lines(section, "xen_extra"),
            // Last, so that a host without a name or template has its other faults told too.
            name: name?,
            template: template?,
        };
        let count = host.disks().len();
        if count > DISKS_MAX {
            let (host, max) = (host.name.to_string(), DISKS_MAX);
            let problem = Problem::TooManyDisks { host, count, max };
            self.values.report(problem, member.name.span);
            return None;
        }
        Some(host)
    }

    fn name(&mut self, member: &Member) -> Option<HostName> {
        let name = HostName::shared(Arc::clone(&member.name.text));
        if name.is_none() {
            let problem = Problem::BadName {
                name: member.name.text.to_string(),
                what: "guest",
                rule: "at most 63 letters, digits and inner hyphens",
            };
            self.values.report(problem, member.name.span);
        }
        name
    }

    fn template(&mut self, member: &Member) -> Option<Sourced<String>> {
        if member.whole.setting("template").is_some() {
            return self.values.setting(&member.whole, "template", Values::one_word);
        }
        if let Some(template) = &self.settings.default_template {
            return Some(self.values.implied(template.clone(), "default_template"));
        }
        if member.is_cut_off {
            // The superclass that is not there was told, and may well have had one.
            return None;
        }
        let host = member.name.text.to_string();
        self.values
            .report(Problem::MissingTemplate { host }, member.name.span);
        None
    }

    /// The platform that the nearest of the platforms' flags switches on.
    fn platform(&mut self, section: &Section) -> Sourced<Platform> {
        let mut chosen = None;
        let mut is_full = false;
        for (place, entry) in section.entries.iter().enumerate() {
            let platform = match &*entry.key.text {
                "xen" => Platform::Xen,
                "hvm" => Platform::XenHvm,
                "qemu" | "kvm" => Platform::Qemu,
                _ => continue,
            };
            // Only the last word on each flag counts, since a nearer block may switch it off.
            let is_last = section
                .setting(&entry.key.text)
                .is_none_or(|last| std::ptr::eq(last, entry));
            let is_on = is_last && (entry.value().is_none() || self.values.flag(entry) == Some(true));
            if is_on {
                is_full |= platform == Platform::XenHvm;
                chosen = Some((platform, place));
            }
        }
        let Some((platform, place)) = chosen else {
            let platform = self.settings.default_vm.unwrap_or(Platform::Uml);
            return self.values.implied(platform, "default platform");
        };
        let platform = if platform == Platform::Xen && is_full {
            Platform::XenHvm
        } else {
            platform
        };
        self.values.sourced(platform, section.entries[place].key.span)
    }

    fn size(&mut self, member: &Member) -> Sourced<SizeRequest> {
        let section = &*member.whole;
        if let Some(free) = self.values.setting(section, "free_space", Values::size) {
            if let (Some(size), Some(entry)) = (section.setting("size"), section.setting("free_space")) {
                let host = member.name.text.to_string();
                let problem = Problem::SizeIgnored {
                    host,
                    size: size.span(),
                };
                self.values.report(problem, entry.key.span);
            }
            return free.map(SizeRequest::FreeSpace);
        }
        let given = self.values.setting(section, "size", Values::size);
        let size = given.unwrap_or_else(|| match self.settings.default_size {
            Some(size) => self.values.implied(size, "default_size"),
            None => self.values.implied(ByteSize(250 << 20), "default size"),
        });
        size.map(SizeRequest::Total)
    }

    fn memory(&mut self, section: &Section) -> Sourced<ByteSize> {
        let given = self.values.setting(section, "memory", Values::memory);
        given.unwrap_or_else(|| match self.settings.default_memory {
            Some(memory) => self.values.implied(memory, "default_memory"),
            None => self.values.implied(ByteSize(128 << 20), "default memory"),
        })
    }

    fn term(&mut self, section: &Section) -> Sourced<Terminal> {
        let given = self.values.setting(section, "term", |values, entry| {
            Terminal::from_name(values.choice(entry, choices_of("term"))?)
        });
        given.unwrap_or_else(|| match self.settings.default_term {
            Some(term) => self.values.implied(term, "default_term"),
            None => self.values.implied(Terminal::Xterm, "default term"),
        })
    }

    /// The addresses of the nearest block that gives any.
    fn nameservers(&mut self, section: &Section) -> Vec<Sourced<std::net::IpAddr>> {
        let Some(nearest) = section.setting("nameserver") else {
            return Vec::new();
        };
        let is_of_nearest = |entry: &&Entry| *entry.key.text == *"nameserver" && entry.owner == nearest.owner;
        let mut servers = Vec::new();
        for entry in section.entries.iter().filter(is_of_nearest) {
            for address in self.values.addresses(entry).unwrap_or_default() {
                servers.push(self.values.sourced(address, entry.key.span));
            }
        }
        servers
    }

    fn nice(&mut self, section: &Section) -> Option<Sourced<i32>> {
        let read = |values: &mut Values<'_>, entry: &Entry| values.integer(entry, -20, 19);
        self.values.setting(section, "nice", read)
    }

    /// `boot_order`, or the last place.
    fn boot_order(&mut self, section: &Section) -> Sourced<u32> {
        let read = |values: &mut Values<'_>, entry: &Entry| values.number(entry, 0, 99);
        let given = self.values.setting(section, "boot_order", read);
        given.unwrap_or_else(|| self.values.implied(99, "default boot_order"))
    }

    fn family(&mut self, section: &Section) -> Option<Sourced<Family>> {
        self.values.setting(section, "family", |values, entry| {
            Family::from_name(values.choice(entry, &Family::NAMES)?)
        })
    }

    fn identity(&mut self, section: &Section) -> Sourced<IdentityChoice> {
        let given = self.values.setting(section, "identity", |values, entry| {
            IdentityChoice::from_name(values.choice(entry, &IdentityChoice::NAMES)?)
        });
        given.unwrap_or_else(|| self.values.implied(IdentityChoice::Own, "default identity"))
    }

    /// The kinds of ssh host key.
    fn host_keys(&mut self, section: &Section) -> Option<Sourced<Vec<HostKeyKind>>> {
        self.values.setting(section, "host_keys", |values, entry| {
            let words = entry.value()?;
            let kinds: Option<Vec<HostKeyKind>> = words
                .iter()
                .map(|word| {
                    let kind = HostKeyKind::from_name(&word.text);
                    if kind.is_none() {
                        values.bad_word(word, "one of `ed25519`, `ecdsa`, `rsa`");
                    }
                    kind
                })
                .collect();
            kinds
        })
    }

    /// The words of the nearest `keyword`.
    fn words(&mut self, section: &Section, keyword: &str) -> Vec<Sourced<String>> {
        let words = section
            .setting(keyword)
            .and_then(Entry::value)
            .unwrap_or_default();
        words
            .iter()
            .map(|word| self.values.sourced(word.text.to_string(), word.span))
            .collect()
    }

    fn lines(&mut self, section: &Section, block: &str) -> Vec<Sourced<String>> {
        let entries = section
            .section(block)
            .map(|section| section.entries.as_slice())
            .unwrap_or_default();
        let lines = entries
            .iter()
            .filter(|entry| matches!(entry.content, Content::Line));
        lines
            .map(|entry| self.values.sourced(entry.key.text.to_string(), entry.key.span))
            .collect()
    }
}

/// The words that a keyword of hosts chooses from.
pub(super) fn choices_of(name: &str) -> &'static [&'static str] {
    match schema::keyword(Place::Host, name).map(|keyword| keyword.value) {
        Some(ValueKind::Choice(choices)) => choices,
        _ => &[],
    }
}
