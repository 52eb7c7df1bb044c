//! Hosts that start from the same ground, in batches for the threads.

use std::collections::BTreeMap;

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSlice as _;

use super::error::{HostError, HostFailure};
use super::ground::{Ground, Prepared};
use super::manifest::HostRecord;
use super::plan::{HostPlan, Plan};
use super::template::Source;
use super::worker::{Made, Order, Shared, bake_batch};
use crate::base::ByteSize;
use crate::base::report::Reporter;

/// How many hosts of one template are written side by side, at the most: more would gain little, and each holds its
/// changes in memory.
const BATCH_HOSTS: usize = 8;

/// Hosts of one template, one length and one format.
#[derive(Debug)]
pub(super) struct Group<'a> {
    source: &'a Source,
    pub(super) prepared: &'a Prepared,
    /// At least one.
    orders: Vec<Order<'a>>,
}

impl<'a> Group<'a> {
    /// One of the hosts, for what they have in common.
    pub(super) fn like(&self) -> &'a HostPlan {
        self.orders.first().expect("a group has a host").plan
    }
}

/// Groups the hosts of `orders` whose template is among those `prepared`, in an order that depends on them alone.
pub(super) fn groups<'a>(
    plan: &'a Plan<'_>,
    prepared: &'a BTreeMap<&str, Prepared>,
    orders: Vec<Order<'a>>,
) -> Vec<Group<'a>> {
    let mut groups = BTreeMap::new();
    for order in orders {
        let host = order.plan;
        let name = host.source.as_str();
        if let (Some(source), Some(prepared)) = (plan.sources.get(name), prepared.get(name)) {
            let group = groups
                .entry((name, host.len_bytes, host.format))
                .or_insert_with(|| Group {
                    source,
                    prepared,
                    orders: Vec::new(),
                });
            group.orders.push(order);
        }
    }
    groups.into_values().collect()
}

/// Bakes the hosts of `group`, each with its place in the plan. What they share lives no longer than that.
pub(super) fn bake_group(
    shared: &Shared<'_>,
    group: &Group<'_>,
) -> Vec<Result<(usize, HostRecord), HostFailure>> {
    let reporter = shared.execution.reporter;
    let ground = match Ground::make(shared, group.source, group.prepared, group.like()) {
        Ok(ground) => ground,
        Err(error) => return vec![Err(failure_of(reporter, &group.orders, error))],
    };
    let made = Made {
        source: group.source,
        prepared: group.prepared,
        ground: &ground,
    };
    let size = group
        .orders
        .len()
        .div_ceil(rayon::current_num_threads())
        .clamp(1, BATCH_HOSTS);
    let batches: Vec<Vec<_>> = group
        .orders
        .par_chunks(size)
        .with_max_len(1)
        .map(|orders| {
            let outcomes = bake_batch(shared, made, orders);
            orders
                .iter()
                .zip(outcomes)
                .map(|(order, outcome)| report(reporter, order, outcome))
                .collect()
        })
        .collect();
    batches.into_iter().flatten().collect()
}

/// Tells the reporter what became of a host.
fn report(
    reporter: &dyn Reporter,
    order: &Order<'_>,
    outcome: Result<HostRecord, HostError>,
) -> Result<(usize, HostRecord), HostFailure> {
    match outcome {
        Ok(record) => {
            reporter.done(order.plan.name.as_str(), &summary(order, &record));
            Ok((order.place, record))
        }
        Err(error) => Err(failure_of(reporter, std::slice::from_ref(order), error)),
    }
}

/// The failure of all hosts of `orders`, told to the reporter.
fn failure_of(reporter: &dyn Reporter, orders: &[Order<'_>], error: HostError) -> HostFailure {
    let names = orders.iter().map(|order| &order.plan.name);
    for name in names.clone() {
        reporter.failed(name.as_str(), &error.to_string());
    }
    HostFailure {
        hosts: names.cloned().collect(),
        error: Box::new(error),
    }
}

/// What came of a host, in a few words.
fn summary(order: &Order<'_>, record: &HostRecord) -> String {
    let why = order.why.as_ref().map(|why| format!("; made again, since {why}"));
    format!(
        "{} in the root image, {} paths changed{}",
        ByteSize(record.image.len_bytes),
        record.files.len(),
        why.unwrap_or_default()
    )
}
