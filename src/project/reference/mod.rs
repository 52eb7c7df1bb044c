//! The keywords as a person asks for them: one by one, or all of them as the reference page `docs/language.md`.

mod extensions;
mod markdown;
mod topics;

use std::fmt;

use serde::Serialize;

use super::extension::ExtensionBlock;
use super::schema::{self, BlockContent, Effect, Keyword, ValueKind};

pub use markdown::markdown;

/// All that is known of one keyword in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The keyword.
    pub keyword: String,
    /// Where it may stand.
    pub place: String,
    /// What its value is.
    pub value: String,
    /// What holds where no project says so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default: String,
    /// Who acts on it.
    pub status: String,
    /// What it does.
    pub help: String,
    /// How a project would write it.
    pub example: String,
}

/// Everything that is called `name`: a keyword may stand in several places. `blocks` are those of the plugins.
pub fn explain(name: &str, blocks: &[ExtensionBlock]) -> Vec<Explanation> {
    let mut found = explain_all(blocks);
    found.retain(|one| one.keyword == name);
    found
}

/// Every keyword of the language, in the order of the reference, then what the plugins add by their `blocks`.
pub fn explain_all(blocks: &[ExtensionBlock]) -> Vec<Explanation> {
    let topics = topics::TOPICS.iter().map(topics::Topic::explanation);
    let keywords = schema::keywords().filter(|keyword| {
        keyword.effect != Effect::Plugin || !extensions::is_told(blocks, keyword.place, keyword.name)
    });
    topics
        .chain(keywords.map(of_keyword))
        .chain(extensions::explanations(blocks))
        .collect()
}

fn of_keyword(keyword: &Keyword) -> Explanation {
    Explanation {
        keyword: keyword.name.to_owned(),
        place: in_words(keyword.place).to_owned(),
        value: value_words(keyword.value),
        default: keyword.default.to_owned(),
        status: status(keyword),
        help: keyword.help.to_owned(),
        example: example(keyword),
    }
}

fn in_words(place: schema::Place) -> &'static str {
    match place {
        schema::Place::Host => "a `host` or `superclass` block",
        place => place.shown(),
    }
}

fn status(keyword: &Keyword) -> String {
    match keyword.effect {
        Effect::Here => "supported".to_owned(),
        Effect::Plugin => "plugin".to_owned(),
        Effect::Carried => "no effect yet: known, and kept for plugins".to_owned(),
        Effect::Unsupported(platform) => {
            format!("not supported: belongs to {platform}, and is kept for plugins")
        }
    }
}

/// What a value of `kind` is, in a few words.
fn value_words(kind: ValueKind) -> String {
    let words = match kind {
        ValueKind::Flag => "none: it is on; or `on`, `off`, `1`, `0`, `yes`, `no`",
        ValueKind::Word => "one word",
        ValueKind::Choice(choices) => {
            let quoted: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
            return format!("one of {}", quoted.join(", "));
        }
        ValueKind::Text => "the rest of the line",
        ValueKind::Number(least, most) => return format!("a number from {least} to {most}"),
        ValueKind::Integer(least, most) => return format!("a number from {least} to {most}"),
        ValueKind::Size => "a size: a whole number with a unit, `512M`, `2G`; without one, bytes",
        ValueKind::Memory => "a size: a whole number with a unit, `512M`, `2G`; without one, MiB",
        ValueKind::Address => "an IPv4 address",
        ValueKind::Address6 => "an IPv6 address",
        ValueKind::Addresses => "IPv4 or IPv6 addresses",
        ValueKind::AddressOrDhcp => "an IPv4 address, with or without `/PREFIX`, or `dhcp`",
        ValueKind::Address6OrAuto => "an IPv6 address with `/PREFIX`, `auto` or `dhcp`",
        ValueKind::Prefixes => "addresses, each with `/PREFIX`",
        ValueKind::Netmask => "an IPv4 network mask",
        ValueKind::Mac => "six bytes in hexadecimal, joined by colons",
        ValueKind::Hash => "a password hash, as crypt(3) makes it, or `plain:` and the password",
        ValueKind::Any => "whatever the one who reads it takes",
        ValueKind::Lines => "a block of shell lines, kept as they are",
        ValueKind::Block(content) => content_words(content),
    };
    words.to_owned()
}

fn content_words(content: BlockContent) -> &'static str {
    match content {
        BlockContent::Users => "a block of lines `name [hash [home [uid]]]`, or of blocks `name { .. }`",
        BlockContent::Groups => "a block of blocks `name { member .. }`",
        BlockContent::Modules => "a block of lines, one module each",
        BlockContent::Files => "a block of lines `source destination [mode]`",
        BlockContent::Mounts => "a block of lines `source mountpoint type [options]`",
        BlockContent::Routes => "a block of lines `network/prefix gateway [metric]`",
        BlockContent::Interfaces => "a block for each interface: `network eth0 { .. }`",
    }
}

/// The keyword's own example, or one that its value's kind suggests.
fn example(keyword: &Keyword) -> String {
    if !keyword.example.is_empty() {
        return keyword.example.to_owned();
    }
    example_of(keyword.name, keyword.value)
}

/// How `name` with a value of `kind` would be written.
fn example_of(name: &str, kind: ValueKind) -> String {
    match kind {
        ValueKind::Flag => name.to_owned(),
        ValueKind::Word => format!("{name} NAME"),
        ValueKind::Choice(choices) => format!("{name} {}", choices.first().unwrap_or(&"")),
        ValueKind::Text => format!("{name} TEXT"),
        ValueKind::Integer(_, most) => format!("{name} {most}"),
        ValueKind::Number(least, most) => format!("{name} {}", (least + (most - least) / 4).max(1)),
        ValueKind::Size | ValueKind::Memory => format!("{name} 512M"),
        ValueKind::Address | ValueKind::Addresses | ValueKind::AddressOrDhcp => format!("{name} 10.0.0.1"),
        ValueKind::Address6 => format!("{name} 2001:db8::fe"),
        ValueKind::Address6OrAuto => format!("{name} auto"),
        ValueKind::Prefixes => format!("{name} 10.0.0.1/24"),
        ValueKind::Netmask => format!("{name} 255.255.255.0"),
        ValueKind::Mac => format!("{name} fe:fd:00:00:12:34"),
        ValueKind::Hash => format!("{name} $6$salt$hash"),
        ValueKind::Any => format!("{name} .."),
        ValueKind::Lines | ValueKind::Block(_) => format!("{name} {{\n    ..\n}}"),
    }
}

impl fmt::Display for Explanation {
    /// Writes what a terminal shows.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}: {}", self.keyword, self.help)?;
        writeln!(formatter, "  place    {}", self.place)?;
        writeln!(formatter, "  value    {}", self.value)?;
        if !self.default.is_empty() {
            writeln!(formatter, "  default  {}", self.default)?;
        }
        writeln!(formatter, "  status   {}", self.status)?;
        writeln!(formatter)?;
        for line in self.example.lines() {
            writeln!(formatter, "    {line}")?;
        }
        Ok(())
    }
}
