//! The templates that a project's hosts are made from, each opened once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::HostFailure;
use super::host_plan::format_of;
use super::plan::Request;
use super::template::Source;
use crate::project::{Host, HostName, ImageFormat};

/// What a host is made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    /// The name of the template.
    template: String,
    /// The root partition, where the project names it.
    partition: Option<String>,
    /// Whether a bare file system is to be put into a disk.
    is_framed: bool,
}

impl Wanted {
    pub(super) fn of(request: &Request<'_>, host: &Host) -> Self {
        let wanted = &host.template.value;
        let partition = host.root_partition.as_ref();
        Self {
            template: request.substitutions.get(wanted).unwrap_or(wanted).clone(),
            partition: partition.map(|partition| partition.value.clone()),
            is_framed: format_of(request, host) == ImageFormat::Gpt,
        }
    }

    /// One text for each template, partition and way; the template's name where nothing more is wanted.
    pub(super) fn key(&self) -> String {
        let partition = self
            .partition
            .as_ref()
            .map(|partition| format!(", partition {partition}"));
        let frame = if self.is_framed { ", as a disk" } else { "" };
        self.template.clone() + &partition.unwrap_or_default() + frame
    }
}

/// Opens every template once; hosts whose template cannot be opened fail together.
pub(super) fn open_sources(
    request: &Request<'_>,
    failures: &mut Vec<HostFailure>,
) -> BTreeMap<String, Arc<Source>> {
    let mut all: BTreeMap<Wanted, Vec<HostName>> = BTreeMap::new();
    let hosts = &request.project.hosts;
    for place in (0..hosts.len()).filter(|place| request.selection.has(&hosts.name_at(*place))) {
        let host = hosts.at(place);
        all.entry(Wanted::of(request, &host)).or_default().push(host.name);
    }
    let mut sources = BTreeMap::new();
    for (wanted, hosts) in all {
        let opened = Source::open(
            wanted.key(),
            request.templates,
            &wanted.template,
            wanted.partition.as_deref(),
            wanted.is_framed,
            request.now,
        );
        match opened {
            Ok(source) => {
                sources.insert(wanted.key(), Arc::new(source));
            }
            Err(error) => {
                let error = Box::new(error);
                failures.push(HostFailure { hosts, error });
            }
        }
    }
    sources
}
