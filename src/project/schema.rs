//! What the language's keywords can be: where each may stand, what its value is, and who acts on it. The keywords
//! themselves stand in `keyword_table`.

use super::keyword_table::TABLES;

/// Where a keyword may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the block `global`.
    Global,
    /// In a `switch` block.
    Switch,
    /// In a `host` or `superclass` block.
    Host,
    /// In a `network` block of a host or superclass.
    Network,
    /// In the block of an account, inside `users`.
    User,
}

impl Place {
    /// The place in words.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Global => "`global`",
            Self::Switch => "a `switch` block",
            Self::Host => "a `host` block",
            Self::Network => "a `network` block",
            Self::User => "an account's block",
        }
    }
}

/// What a keyword's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// None, or `1` for on and `0` for off.
    Flag,
    /// One word.
    Word,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The rest of the line.
    Text,
    /// A number in this range.
    Number(u32, u32),
    /// A whole number in a range, which may lie below 0.
    Integer(i32, i32),
    /// A number with a unit.
    Size,
    /// A number with a unit; without one it counts in MiB.
    Memory,
    /// An IPv4 address.
    Address,
    /// An IPv6 address.
    Address6,
    /// One or more IPv4 or IPv6 addresses.
    Addresses,
    /// An IPv4 address, with or without the length of its network's prefix, or `dhcp`.
    AddressOrDhcp,
    /// An IPv6 address with the length of its network's prefix, `auto` or `dhcp`.
    Address6OrAuto,
    /// One or more IPv4 or IPv6 addresses with the length of their networks' prefix.
    Prefixes,
    /// An IPv4 network mask.
    Netmask,
    /// A hardware address.
    Mac,
    /// A password hash.
    Hash,
    /// Whatever the one who reads it makes of it: a value, a block, or nothing.
    Any,
    /// A block of lines, kept as they are.
    Lines,
    /// A block with this content.
    Block(BlockContent),
}

/// What a block's lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockContent {
    /// `name [hash [home [uid]]]`, or keywords of [`Place::User`] in a block for each account.
    Users,
    /// `group { member .. }`
    Groups,
    /// Kernel modules, one a line.
    Modules,
    /// `source destination [mode]`
    Files,
    /// `source mountpoint type [options]`
    Mounts,
    /// Keywords of [`Place::Network`], in one block for each interface.
    Interfaces,
    /// `network/prefix gateway [metric]`
    Routes,
}

/// Who acts on a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// This program.
    Here,
    /// A plugin of the keyword's name, bundled or one's own.
    Plugin,
    /// Nobody by default: the keyword is known and kept for plugins.
    Carried,
    /// Nobody: it belongs to this platform, which is not supported. It is kept for plugins.
    Unsupported(&'static str),
}

/// One keyword.
#[derive(Debug, Clone, Copy)]
pub struct Keyword {
    /// The keyword.
    pub name: &'static str,
    /// Where it may stand.
    pub place: Place,
    /// What its value is.
    pub value: ValueKind,
    /// Who acts on it.
    pub effect: Effect,
    /// What it does, in one line.
    pub help: &'static str,
    /// What holds where no project says so; empty where nothing does.
    pub default: &'static str,
    /// How a project would write it; empty where the value's kind says enough.
    pub example: &'static str,
}

/// The blocks that may stand at the top level.
pub const TOP_LEVEL: [&str; 4] = ["global", "superclass", "host", "switch"];

/// The blocks whose name follows the kind: `host NAME {`.
pub const NAMED_BLOCKS: [&str; 4] = ["superclass", "host", "switch", "network"];

/// Every keyword, by place.
pub fn keywords() -> impl Iterator<Item = &'static Keyword> {
    TABLES.into_iter().flatten()
}

/// The keyword `name` of `place`.
pub fn keyword(place: Place, name: &str) -> Option<&'static Keyword> {
    keywords_of(place).find(|keyword| keyword.name == name)
}

/// Every keyword of `place`.
pub fn keywords_of(place: Place) -> impl Iterator<Item = &'static Keyword> {
    keywords().filter(move |keyword| keyword.place == place)
}

/// Whether the block at a path of headers, outermost first, holds lines kept as they are.
pub fn holds_lines(path: &[&str]) -> bool {
    let [.., parent, name] = path else { return false };
    if NAMED_BLOCKS.contains(parent) {
        // `host { startup { .. } }` is a host called `startup`.
        return false;
    }
    let is_lines = |place| keyword(place, name).is_some_and(|keyword| keyword.value == ValueKind::Lines);
    match path.len() {
        2 if *parent == "global" => is_lines(Place::Global),
        2 => is_host_header(parent) && is_lines(Place::Host),
        3 => matches!(path[0], "host" | "superclass") && is_lines(Place::Host),
        _ => false,
    }
}

fn is_host_header(header: &str) -> bool {
    header.starts_with("host ") || header.starts_with("superclass ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_keyword_stands_once_and_has_help() {
        let mut seen = BTreeSet::new();
        for keyword in keywords() {
            assert!(
                seen.insert((keyword.place, keyword.name)),
                "{} twice",
                keyword.name
            );
            assert!(
                !keyword.help.is_empty() && !keyword.help.ends_with('.'),
                "{}",
                keyword.name
            );
        }
    }

    #[test]
    fn blocks_of_lines_are_known_by_their_path() {
        for (path, expected) in [
            (&["host a", "startup"][..], true),
            (&["host", "a", "startup"], true),
            (&["superclass a", "xen_extra"], true),
            (&["global", "beforeProjectStart"], true),
            (&["host", "startup"], false),
            (&["host a", "users"], false),
            (&["host a", "network eth0", "startup"], false),
            (&["global", "startup"], false),
            (&["startup"], false),
        ] {
            assert_eq!(holds_lines(path), expected, "{path:?}");
        }
    }
}
