//! One host compared with what is remembered of it.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::fs;
use std::path::PathBuf;

use super::changes::{Action, HostChange};
use super::host_plan::HostPlan;
use super::kept::{self, Remade, Trust};
use super::memory::{Inputs, Memory, Wish};
use super::offline::open_image;
use crate::base::ByteSize;
use crate::base::digest::Sha256Digest;
use crate::image;
use crate::launch::DomainSpec;
use crate::project::ImageFormat;
use crate::store::HostPlaces;

/// How many paths of the guest a reason names before it only counts them.
const NAMED_PATHS: usize = 3;

/// Parts of a machine's definition that make no difference to one that runs.
const OF_NO_CONCERN: [&str; 4] = ["project", "host", "order", "server"];

/// A host as it is to be, beside what is remembered of it.
pub(super) struct Comparison<'a> {
    pub(super) host: &'a HostPlan,
    pub(super) inputs: Inputs,
    pub(super) key: Sha256Digest,
    pub(super) domain: DomainSpec,
    pub(super) old_domain: Option<&'a DomainSpec>,
    /// The project's directory.
    pub(super) directory: PathBuf,
    /// The host's own place.
    pub(super) own: HostPlaces,
    pub(super) is_written: bool,
    /// Whether the user wants it baked anew.
    pub(super) is_fresh: bool,
}

impl Comparison<'_> {
    /// What becomes of the host, and why.
    pub(super) fn change(&self) -> HostChange {
        let mut change = HostChange::new(&self.host.name, Action::Keep, self.is_written);
        if !self.own.has_images() {
            change.action = Action::Bake;
            return change;
        }
        if self.is_fresh {
            change.because(Action::Rebake, "it is asked for by --fresh".to_owned());
            return change;
        }
        let memory = Memory::read(&self.own);
        match (&memory, self.is_written) {
            (Some(memory), true) => self.written(&mut change, memory),
            (None, true) => {
                let reason = "nothing is remembered of how it was made";
                change.because(Action::Reconfigure, reason.to_owned());
                self.can_be_edited(&mut change);
            }
            (_, false) => self.unwritten(&mut change, memory.as_ref()),
        }
        if let Some(reason) = self.other_definition() {
            change.because(Action::Restart, reason);
        }
        change
    }

    /// Compares a host whose image is as it was made.
    fn unwritten(&self, change: &mut HostChange, memory: Option<&Memory>) {
        let kept = kept::recall(&self.directory, &self.own, self.host, self.key, Trust::Looks);
        let Err(why) = kept else { return };
        let old = memory.and_then(|memory| memory.inputs.as_ref());
        match (old, &why) {
            (Some(old), Remade::Inputs) => {
                if self.other_launch(old) && self.is_same_but_for_launch(old) {
                    change.action = Action::Restart;
                    if self.other_definition().is_none() {
                        change.reasons.push("it is started otherwise".to_owned());
                    }
                    return;
                }
                self.other_inputs(change, old);
                change.action = Action::Rebake;
                if change.reasons.is_empty() {
                    change.reasons.push(why.to_string());
                }
            }
            _ => change.because(Action::Rebake, why.to_string()),
        }
    }

    /// Every way in which the host is made from something else.
    fn other_inputs(&self, change: &mut HostChange, old: &Inputs) {
        if let Some(reason) = self.other_template(old) {
            change.because(Action::Rebake, reason);
        }
        if let Some(reason) = self.other_format(old) {
            change.because(Action::Rebake, reason);
        }
        if let Some(reason) = self.other_len(old.len_bytes) {
            change.because(Action::Rebake, reason);
        }
        self.other_swap(change, old);
        if let Some(reason) = other_wishes(&old.wishes, &self.inputs.wishes) {
            change.because(Action::Rebake, reason);
        }
        if old.version != self.inputs.version {
            change.because(Action::Rebake, format!("it was baked by version {}", old.version));
        }
    }

    /// Compares a host whose image holds what a machine has written.
    fn written(&self, change: &mut HostChange, memory: &Memory) {
        let Some(old) = &memory.inputs else {
            let reason = "it was baked by a version that did not remember why";
            change.because(Action::Reconfigure, reason.to_owned());
            return self.can_be_edited(change);
        };
        let anew = format!("--fresh {} makes it anew, without what was written", change.host);
        if let Some(reason) = self.other_format(old) {
            change.because(Action::Rebake, reason);
            let reason = "its image has been written to, and keeps its format".to_owned();
            return change.blocked(reason, format!("bake with --format {}; or {anew}", old.format));
        }
        if let Some(reason) = self.other_template(old) {
            let reason = format!("{reason}, but it stays with what it was made from: {anew}");
            change.notes.push(reason);
        }
        self.resize(change, memory, old);
        self.other_swap(change, old);
        if let Some(reason) = other_wishes(&old.wishes, &self.inputs.wishes) {
            change.because(Action::Reconfigure, reason);
        }
        if change.action == Action::Reconfigure {
            self.can_be_edited(change);
        }
        if self.other_launch(old) && self.other_definition().is_none() {
            change.because(Action::Restart, "it is started otherwise".to_owned());
        }
        let is_missing = |file: &&String| !self.own.file(file).is_file();
        if let Some(missing) = old.launch.keys().find(is_missing) {
            change.because(Action::Restart, format!("its `{missing}` is missing"));
        }
    }

    /// Finds out whether the image gets another length where it lies.
    fn resize(&self, change: &mut HostChange, memory: &Memory, old: &Inputs) {
        let image = self.own.file(memory.image_name());
        let found = if old.format.is_delta() {
            image::open(&image).ok().map(|opened| opened.device.len_bytes())
        } else {
            fs::metadata(&image).ok().map(|found| found.len())
        };
        let (wanted, Some(found)) = (self.host.len_bytes, found) else {
            return;
        };
        if old.len_bytes == wanted || (old.format == ImageFormat::Raw && found == wanted) {
            return;
        }
        let reason = self.other_len(if old.format.is_delta() {
            old.len_bytes
        } else {
            found
        });
        change.because(Action::Reconfigure, reason.unwrap_or_default());
        change.len_bytes = Some(wanted);
        if self.host.root_partition.is_some() {
            change.blocked(
                "its image is a whole disk that has been written to, and keeps its length".to_owned(),
                format!(
                    "leave its size as it was; or --fresh {} makes it anew",
                    change.host
                ),
            );
        } else if wanted < found
            // One that cannot be opened now, since its machine is up, is found out about later.
            && let Ok(opened) = open_image(&image, None)
            && let Ok(blocks) = opened.fs.minimum_blocks()
        {
            let least = blocks.saturating_mul(u64::from(opened.fs.block_size().bytes()));
            if least > wanted {
                change.blocked(
                    format!("what its image holds needs {} at least", ByteSize(least)),
                    format!(
                        "ask for `size {}` or more, or let its machine remove something",
                        ByteSize(least)
                    ),
                );
            }
        }
    }

    /// Notes an image that cannot be edited where it lies.
    fn can_be_edited(&self, change: &mut HostChange) {
        let image = self.own.root_image(self.host.format);
        if let Err(error) = image::ensure_editable(&image) {
            let source = error.source().map(|source| format!(": {source}"));
            let reason = format!("{error}{}", source.unwrap_or_default());
            let anew = format!("--fresh {} makes it anew, without what was written", change.host);
            let hint = error
                .hint()
                .map_or_else(|| anew.clone(), |hint| format!("{hint}; or {anew}"));
            change.blocked(
                format!("its image has been written to, and cannot be changed: {reason}"),
                hint,
            );
        }
    }

    fn other_template(&self, old: &Inputs) -> Option<String> {
        let (old, new) = (&old.template, &self.inputs.template);
        if old.name != new.name {
            return Some(format!(
                "its template is `{}` instead of `{}`",
                new.name, old.name
            ));
        }
        (old.sha256 != new.sha256).then(|| format!("its template `{}` has changed", old.name))
    }

    fn other_format(&self, old: &Inputs) -> Option<String> {
        let new = self.host.format;
        (old.format != new).then(|| format!("its image becomes {new} instead of {}", old.format))
    }

    fn other_len(&self, old_bytes: u64) -> Option<String> {
        let new_bytes = self.host.len_bytes;
        let verb = if old_bytes < new_bytes { "grows" } else { "shrinks" };
        let (from, to) = (ByteSize(old_bytes), ByteSize(new_bytes));
        (old_bytes != new_bytes).then(|| format!("it {verb} from {from} to {to}"))
    }

    fn other_swap(&self, change: &mut HostChange, old: &Inputs) {
        if old.swap_len_bytes != self.host.swap_len_bytes {
            let size = self.host.swap_len_bytes.map(|len| ByteSize(len).to_string());
            let size = size.unwrap_or_else(|| "none".to_owned());
            change.because(Action::Restart, format!("its swap area becomes {size}"));
        }
    }

    fn other_launch(&self, old: &Inputs) -> bool {
        old.launch != self.inputs.launch
    }

    fn is_same_but_for_launch(&self, old: &Inputs) -> bool {
        let without = |inputs: &Inputs| Inputs {
            launch: BTreeMap::new(),
            ..without_contents(inputs)
        };
        without(old) == without(&self.inputs)
    }

    /// Which parts of the machine's definition differ.
    fn other_definition(&self) -> Option<String> {
        let old = serde_json::to_value(self.old_domain?).ok()?;
        let new = serde_json::to_value(&self.domain).ok()?;
        let objects = [&new, &old].into_iter().filter_map(serde_json::Value::as_object);
        let keys: BTreeSet<&String> = objects.flat_map(|object| object.keys()).collect();
        let other: Vec<String> = keys
            .into_iter()
            .filter(|key| !OF_NO_CONCERN.contains(&key.as_str()) && new.get(*key) != old.get(*key))
            .map(|key| match key.as_str() {
                "memory_mib" => "memory".to_owned(),
                "vifs" => "network".to_owned(),
                "run_as" => "user".to_owned(),
                "image_group" => "group".to_owned(),
                key => key.replace('_', " "),
            })
            .collect();
        (!other.is_empty()).then(|| format!("its machine has another {}", other.join(", ")))
    }
}

/// The inputs as they are known before anything is made from them.
fn without_contents(inputs: &Inputs) -> Inputs {
    let mut inputs = inputs.clone();
    for wish in inputs.wishes.values_mut() {
        wish.content = None;
    }
    inputs
}

/// The paths of the guest of which something else is wanted now.
pub(super) fn changed_paths<'a>(
    old: &'a BTreeMap<String, Wish>,
    new: &'a BTreeMap<String, Wish>,
) -> BTreeSet<&'a str> {
    let state = |wishes: &BTreeMap<String, Wish>, path: &str| wishes.get(path).map(|wish| wish.state);
    let paths = old.keys().chain(new.keys()).map(String::as_str);
    paths
        .filter(|path| state(old, path) != state(new, path))
        .collect()
}

/// Says which paths of the guest are to be otherwise.
fn other_wishes(old: &BTreeMap<String, Wish>, new: &BTreeMap<String, Wish>) -> Option<String> {
    let other = changed_paths(old, new);
    if other.is_empty() {
        return None;
    }
    let named: Vec<String> = other
        .iter()
        .take(NAMED_PATHS)
        .map(|path| format!("`{path}`"))
        .collect();
    let more = other.len().saturating_sub(named.len());
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    Some(format!("its files change: {}{more}", named.join(", ")))
}
