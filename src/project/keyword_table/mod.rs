//! The keywords of the language as data, by place: one file for each place. `docs/language.md` is written from here.

mod global;
mod host;
mod host_carried;
mod network;
mod switch;
mod user;

use super::schema::ValueKind;
use super::schema::{Effect, Keyword, Place};

/// Every keyword, in one list for each place or group.
pub(super) const TABLES: [&[Keyword]; 6] = [
    global::KEYWORDS,
    switch::KEYWORDS,
    host::KEYWORDS,
    host_carried::KEYWORDS,
    network::KEYWORDS,
    user::KEYWORDS,
];

const fn entry(
    place: Place,
    name: &'static str,
    value: ValueKind,
    effect: Effect,
    help: &'static str,
) -> Keyword {
    Keyword {
        name,
        place,
        value,
        effect,
        help,
        default: "",
        example: "",
    }
}

/// A keyword that this program acts on.
const fn here(place: Place, name: &'static str, value: ValueKind, help: &'static str) -> Keyword {
    entry(place, name, value, Effect::Here, help)
}

/// A keyword or block that belongs to a plugin.
const fn plugin(place: Place, name: &'static str, help: &'static str) -> Keyword {
    entry(place, name, ValueKind::Any, Effect::Plugin, help)
}

/// A keyword that is known and kept for plugins, and changes nothing by itself.
const fn carried(place: Place, name: &'static str, value: ValueKind, help: &'static str) -> Keyword {
    entry(place, name, value, Effect::Carried, help)
}

/// A keyword of a platform that is not supported; it is kept for plugins.
const fn dead(place: Place, name: &'static str, platform: &'static str, help: &'static str) -> Keyword {
    entry(place, name, ValueKind::Any, Effect::Unsupported(platform), help)
}

impl Keyword {
    /// The same with what holds where a project does not say.
    const fn or(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// The same with an example, as a project would have it.
    const fn example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }
}
