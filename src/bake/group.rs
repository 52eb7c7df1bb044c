//! Hosts that start from the same ground, in batches for the threads.

use std::collections::BTreeMap;

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSlice as _;

use super::error::{HostError, HostFailure};
use super::ground::{Ground, Prepared};
use super::plan::Shape;
use super::run::Verify;
use super::template::Source;
use super::worker::{Made, Order, Shared, bake_batch};
use crate::base::ByteSize;
use crate::base::report::Reporter;

/// How many hosts of one template are written side by side, at the most: more would gain little, and each holds its
/// plan and its changes in memory.
const BATCH_HOSTS: usize = 4;

/// Hosts of one template, one length and one format.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) source: &'a Source,
    pub(super) prepared: &'a Prepared,
    pub(super) shape: Shape,
    orders: Vec<Order<'a>>,
}

/// Groups the hosts of `orders` whose template is among those `prepared`, in an order that depends on them alone.
pub(super) fn groups<'a>(prepared: &'a BTreeMap<&str, Prepared>, orders: Vec<Order<'a>>) -> Vec<Group<'a>> {
    let mut groups = BTreeMap::new();
    for order in orders {
        let outline = order.outline;
        let source = outline.source.key();
        if let Some(prepared) = prepared.get(source) {
            let group = groups.entry((source, outline.shape)).or_insert_with(|| Group {
                source: &outline.source,
                prepared,
                shape: outline.shape,
                orders: Vec::new(),
            });
            group.orders.push(order);
        }
    }
    let mut groups: Vec<Group<'a>> = groups.into_values().collect();
    for group in &mut groups {
        group.orders.shrink_to_fit();
    }
    groups
}

/// Bakes the hosts of `group`; answers who failed. What they share lives no longer than that.
pub(super) fn bake_group(shared: &Shared<'_>, group: &Group<'_>) -> Vec<HostFailure> {
    let reporter = shared.execution.reporter;
    let ground = match ground(shared, group) {
        Ok(ground) => ground,
        Err(error) => return vec![failure_of(reporter, &group.orders, error)],
    };
    let made = Made {
        source: group.source,
        prepared: group.prepared,
        ground: &ground,
    };
    // Deltas are written one after the other all the same.
    let most = if group.shape.format.is_delta() {
        1
    } else {
        BATCH_HOSTS
    };
    let size = group
        .orders
        .len()
        .div_ceil(rayon::current_num_threads())
        .clamp(1, most);
    if !group.shape.format.is_delta() {
        shared.writer.announce(&group.prepared.base, group.orders.len());
    }
    group
        .orders
        .par_chunks(size)
        .with_max_len(1)
        .flat_map_iter(|orders| {
            let outcomes = bake_batch(shared, made, orders);
            let told = orders.iter().zip(outcomes);
            told.filter_map(|(order, outcome)| report(reporter, order, outcome).err())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// What the hosts of `group` start from.
fn ground(shared: &Shared<'_>, group: &Group<'_>) -> Result<Ground, HostError> {
    let mut ground = Ground::make(shared, group.source, group.prepared, group.shape)?;
    if group.orders.len() > 1 && shared.execution.verify != Verify::None {
        ground.check_ahead()?;
    }
    Ok(ground)
}

/// Tells the reporter what became of a host.
fn report(
    reporter: &dyn Reporter,
    order: &Order<'_>,
    outcome: Result<usize, HostError>,
) -> Result<(), HostFailure> {
    match outcome {
        Ok(paths) => {
            reporter.done(order.outline.name.as_str(), &summary(order, paths));
            Ok(())
        }
        Err(error) => Err(failure_of(reporter, std::slice::from_ref(order), error)),
    }
}

/// The failure of all hosts of `orders`, told to the reporter.
fn failure_of(reporter: &dyn Reporter, orders: &[Order<'_>], error: HostError) -> HostFailure {
    let names = orders.iter().map(|order| &order.outline.name);
    for name in names.clone() {
        reporter.failed(name.as_str(), &error.to_string());
    }
    HostFailure {
        hosts: names.cloned().collect(),
        error: Box::new(error),
    }
}

/// What came of a host, in a few words.
fn summary(order: &Order<'_>, paths: usize) -> String {
    let why = order.why.as_ref().map(|why| format!("; made again, since {why}"));
    format!(
        "{} in the root image, {paths} paths changed{}",
        ByteSize(order.outline.shape.len_bytes),
        why.unwrap_or_default()
    )
}
