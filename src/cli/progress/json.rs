//! One JSON document a line on standard output for each event.

use std::io::{self, Write as _};

use serde_json::json;

use crate::base::report::Reporter;

/// Writes every event.
pub(super) struct JsonLines;

/// Writes one event; a reader that has gone away misses it, and the work goes on.
pub(crate) fn event(event: &serde_json::Value) {
    let mut stdout = io::stdout().lock();
    drop(
        stdout
            .write_all(format!("{event}\n").as_bytes())
            .and_then(|()| stdout.flush()),
    );
}

impl Reporter for JsonLines {
    fn begin(&self, total: usize) {
        event(&json!({"event": "begin", "total": total}));
    }

    fn stage(&self, name: &str, stage: &str) {
        event(&json!({"event": "stage", "name": name, "stage": stage}));
    }

    fn done(&self, name: &str, summary: &str) {
        event(&json!({"event": "done", "name": name, "summary": summary}));
    }

    fn failed(&self, name: &str, message: &str) {
        event(&json!({"event": "failed", "name": name, "message": message}));
    }

    fn end(&self) {
        event(&json!({"event": "end"}));
    }
}
