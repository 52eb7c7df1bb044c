//! What took how long: a table for people, and a trace that Chrome's `chrome://tracing` and Perfetto show.
//!
//! The trace is in the [Trace Event Format][format]: one complete event for each stage of each host.
//!
//! [format]: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::base::report::Reporter;

/// Notes when each thing goes from one stage to the next, and passes all on to another face.
pub(crate) struct Timings {
    inner: Box<dyn Reporter>,
    /// Whether anything is noted.
    is_on: bool,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The stage that each thing is in, and since when.
    running: BTreeMap<String, (String, Duration)>,
    spans: Vec<Span>,
}

/// A stage of a thing, from its beginning to its end since the start.
struct Span {
    name: String,
    stage: String,
    from: Duration,
    to: Duration,
}

impl Timings {
    /// Starts the clock; `inner` is told all that happens. Unless it `is_on`, nothing is noted.
    pub(crate) fn new(inner: Box<dyn Reporter>, is_on: bool) -> Self {
        Self {
            inner,
            is_on,
            start: Instant::now(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the stage that `name` is in and begins `next`, if there is one.
    pub(crate) fn turn(&self, name: &str, next: Option<&str>) {
        if !self.is_on {
            return;
        }
        let now = self.start.elapsed();
        let mut state = self.state();
        let ended = match next {
            Some(stage) => state.running.insert(name.to_owned(), (stage.to_owned(), now)),
            None => state.running.remove(name),
        };
        if let Some((stage, from)) = ended {
            state.spans.push(Span {
                name: name.to_owned(),
                stage,
                from,
                to: now,
            });
        }
    }

    /// One line for each stage: how many went through it, and how long that took in all, on average, and at most.
    pub(crate) fn table(&self) -> String {
        let mut stages: BTreeMap<(Duration, String), Vec<Duration>> = BTreeMap::new();
        let mut firsts: BTreeMap<String, Duration> = BTreeMap::new();
        let state = self.state();
        for span in &state.spans {
            let first = firsts.entry(span.stage.clone()).or_insert(span.from);
            *first = (*first).min(span.from);
        }
        for span in &state.spans {
            let key = (firsts[&span.stage], span.stage.clone());
            stages
                .entry(key)
                .or_default()
                .push(span.to.saturating_sub(span.from));
        }
        let mut text = format!(
            "{:<12} {:>6} {:>10} {:>10} {:>10}\n",
            "stage", "count", "total ms", "mean ms", "most ms"
        );
        for ((_, stage), times) in stages {
            let total: Duration = times.iter().sum();
            let most = times.iter().max().copied().unwrap_or_default();
            let count = u32::try_from(times.len()).unwrap_or(u32::MAX).max(1);
            let line = writeln!(
                text,
                "{stage:<12} {count:>6} {:>10.1} {:>10.2} {:>10.2}",
                milliseconds(total),
                milliseconds(total / count),
                milliseconds(most)
            );
            line.expect("writing to a string does not fail");
        }
        text
    }

    /// The trace.
    pub(crate) fn trace(&self) -> Value {
        let state = self.state();
        let rows: BTreeMap<&str, usize> = state
            .spans
            .iter()
            .map(|span| span.name.as_str())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .zip(1..)
            .collect();
        let names = rows.iter().map(|(name, row)| {
            json!({"ph": "M", "pid": 1, "tid": row, "name": "thread_name", "args": {"name": name}})
        });
        let spans = state.spans.iter().map(|span| {
            json!({
                "ph": "X",
                "pid": 1,
                "tid": rows[span.name.as_str()],
                "name": span.stage,
                "cat": "bake",
                "ts": milliseconds(span.from) * 1000.0,
                "dur": milliseconds(span.to.saturating_sub(span.from)) * 1000.0,
            })
        });
        json!({"displayTimeUnit": "ms", "traceEvents": names.chain(spans).collect::<Vec<_>>()})
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl Reporter for Timings {
    fn begin(&self, total: usize) {
        self.inner.begin(total);
    }

    fn stage(&self, name: &str, stage: &str) {
        self.turn(name, Some(stage));
        self.inner.stage(name, stage);
    }

    fn done(&self, name: &str, summary: &str) {
        self.turn(name, None);
        self.inner.done(name, summary);
    }

    fn failed(&self, name: &str, message: &str) {
        self.turn(name, None);
        self.inner.failed(name, message);
    }

    fn end(&self) {
        self.inner.end();
    }
}
