//! A total bar, and one line for each thing that is being worked on.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::base::report::Reporter;

/// How often a running line turns its sign.
const TICK: Duration = Duration::from_millis(120);

/// Bars on the terminal. Things come and go, so there are never more lines than workers.
pub(super) struct Bars {
    lines: MultiProgress,
    total: ProgressBar,
    running: Mutex<HashMap<String, ProgressBar>>,
}

impl Bars {
    pub(super) fn new() -> Self {
        let lines = MultiProgress::new();
        let total = lines.add(ProgressBar::new(0));
        total.set_style(style("{bar:30} {pos}/{len} {elapsed}"));
        Self {
            lines,
            total,
            running: Mutex::new(HashMap::new()),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, name: &str, message: &str) {
        if let Some(line) = self.running().remove(name) {
            line.finish_and_clear();
            self.lines.remove(&line);
        }
        // A terminal that does not take the line has no use for it.
        drop(self.lines.println(format!("{name}: {message}")));
        self.total.inc(1);
    }
}

impl Reporter for Bars {
    fn begin(&self, total: usize) {
        self.total.set_length(u64::try_from(total).unwrap_or(u64::MAX));
        self.total.tick();
    }

    fn stage(&self, name: &str, stage: &str) {
        let mut running = self.running();
        let line = running.entry(name.to_owned()).or_insert_with(|| {
            let line = self.lines.insert_before(&self.total, ProgressBar::new_spinner());
            line.set_style(style("{spinner} {prefix}: {msg}"));
            line.set_prefix(name.to_owned());
            line.enable_steady_tick(TICK);
            line
        });
        line.set_message(stage.to_owned());
    }

    fn done(&self, name: &str, summary: &str) {
        self.finish(name, summary);
    }

    fn failed(&self, name: &str, _message: &str) {
        self.finish(name, "failed");
    }

    fn end(&self) {
        self.total.finish_and_clear();
    }
}

/// A style from a template that is written in this file.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is written in this program")
}
