//! How a running piece of work is shown: bars on a terminal, plain lines elsewhere, JSON lines for programs.

mod bars;
mod json;
mod lines;
mod timings;

use super::commands::Context;
use crate::base::report::Reporter;

pub(crate) use json::event;
pub(crate) use timings::Timings;

/// The face that suits whoever watches.
pub(crate) fn reporter(context: &Context<'_>) -> Box<dyn Reporter> {
    if context.json {
        Box::new(json::JsonLines)
    } else if context.ui.is_stderr_terminal() {
        Box::new(bars::Bars::new())
    } else {
        Box::new(lines::Lines)
    }
}
