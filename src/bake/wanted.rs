//! The templates that a project's hosts are made from, each opened once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::HostFailure;
use super::host_plan::format_of;
use super::plan::Request;
use super::template::Source;
use crate::project::{Host, ImageFormat};

/// What a host is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted<'a> {
    /// The name of the template.
    template: &'a str,
    /// The root partition, where the project names it.
    partition: Option<&'a str>,
    /// Whether a bare file system is to be put into a disk.
    is_framed: bool,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(request: &Request<'a>, host: &'a Host) -> Self {
        let wanted = &host.template.value;
        Self {
            template: request.substitutions.get(wanted).unwrap_or(wanted),
            partition: host.root_partition.as_ref().map(|partition| &*partition.value),
            is_framed: format_of(request, host) == ImageFormat::Gpt,
        }
    }

    /// One text for each template, partition and way; the template's name where nothing more is wanted.
    pub(super) fn key(&self) -> String {
        let partition = self.partition.map(|partition| format!(", partition {partition}"));
        let frame = if self.is_framed { ", as a disk" } else { "" };
        self.template.to_owned() + &partition.unwrap_or_default() + frame
    }
}

/// Opens every template once; hosts whose template cannot be opened fail together.
pub(super) fn open_sources(
    request: &Request<'_>,
    failures: &mut Vec<HostFailure>,
) -> BTreeMap<String, Arc<Source>> {
    let hosts: Vec<&Host> = request
        .project
        .hosts
        .iter()
        .filter(|host| request.selection.has(&host.name))
        .collect();
    let all: BTreeSet<Wanted<'_>> = hosts.iter().map(|host| Wanted::of(request, host)).collect();
    let mut sources = BTreeMap::new();
    for wanted in all {
        let opened = Source::open(
            wanted.key(),
            request.templates,
            wanted.template,
            wanted.partition,
            wanted.is_framed,
            request.now,
        );
        match opened {
            Ok(source) => {
                sources.insert(wanted.key(), Arc::new(source));
            }
            Err(error) => {
                let without = hosts.iter().filter(|host| Wanted::of(request, host) == wanted);
                failures.push(HostFailure {
                    hosts: without.map(|host| host.name.clone()).collect(),
                    error: Box::new(error),
                });
            }
        }
    }
    sources
}
