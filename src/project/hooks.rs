//! The commands that the server runs around a project's start and stop.

use serde::{Deserialize, Serialize};

use super::section::{Content, Section};

/// Shell lines that the server runs at one moment of a start or a stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The moment.
    pub moment: Moment,
    /// The lines, run by one shell.
    pub lines: Vec<String>,
}

/// The moments at which a project's own commands are run, called as MLN calls them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Moment {
    BeforeProjectStart,
    BeforeHostsStart,
    AfterHostsStart,
    AfterProjectStart,
    BeforeProjectStop,
    BeforeHostsStop,
    AfterHostsStop,
    AfterProjectStop,
}

impl Moment {
    /// Every moment: those of a start in their order, then those of a stop.
    pub const ALL: [Self; 8] = [
        Self::BeforeProjectStart,
        Self::BeforeHostsStart,
        Self::AfterHostsStart,
        Self::AfterProjectStart,
        Self::BeforeProjectStop,
        Self::BeforeHostsStop,
        Self::AfterHostsStop,
        Self::AfterProjectStop,
    ];

    /// What MLN calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeProjectStart => "beforeProjectStart",
            Self::BeforeHostsStart => "beforeHostsStart",
            Self::AfterHostsStart => "afterHostsStart",
            Self::AfterProjectStart => "afterProjectStart",
            Self::BeforeProjectStop => "beforeProjectStop",
            Self::BeforeHostsStop => "beforeHostsStop",
            Self::AfterHostsStop => "afterHostsStop",
            Self::AfterProjectStop => "afterProjectStop",
        }
    }
}

/// The commands that `global` has, in the order of their moments.
pub(super) fn hooks(global: &Section) -> Vec<Hook> {
    let hook = |moment: Moment| {
        let section = global.section(moment.name())?;
        let lines = section
            .entries
            .iter()
            .filter(|entry| matches!(entry.content, Content::Line))
            .map(|entry| entry.key.text.to_string());
        let lines: Vec<String> = lines.collect();
        (!lines.is_empty()).then_some(Hook { moment, lines })
    };
    Moment::ALL.into_iter().filter_map(hook).collect()
}
