//! The reference page of the language.

use std::fmt::Write as _;

use super::super::schema::{self, Effect, Keyword, Place};
use super::value_words;

const HEAD: &str = "\
# The language

<!-- Written by `mln-image explain --all --markdown`; do not edit. -->

What a project file may say. `mln-image explain KEYWORD` tells the same about one keyword, `mln-image check FILE` what is
wrong with a file, and `mln-image show FILE` what it comes to. Projects written for MLN in 2007 mean what they meant.

The marks in the tables:

| mark | meaning |
|---|---|
| yes | supported |
| plugin | a plugin of that name acts on it; see [plugins.md](plugins.md) |
| kept | known and kept for plugins, but nothing acts on it by itself: a warning says so |
| no | belongs to a platform that is not supported: a warning says so, and it is kept for plugins |

";

/// Each place with its heading and a word about it.
const PLACES: [(Place, &str, &str); 5] = [
    (
        Place::Global,
        "`global`",
        "The project's own settings, and the blocks of plugins. Any block may define variables: `$name = value`.",
    ),
    (
        Place::Switch,
        "`switch NAME`",
        "A virtual Ethernet segment. An empty block is enough.",
    ),
    (
        Place::Host,
        "`host NAME` and `superclass NAME`",
        "A machine, or what machines inherit.",
    ),
    (
        Place::Network,
        "`network IFACE`, in a host or superclass",
        "One interface. Without `switch` and `bridge` it is on the server's local network.",
    ),
    (
        Place::User,
        "An account: `users { NAME { .. } }`",
        "What the line `name hash home uid` has no room for.",
    ),
];

/// The whole page.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for (place, heading, about) in PLACES {
        let _infallible = writeln!(text, "## {heading}\n\n{about}\n");
        text.push_str("| keyword | value | without it | meaning | |\n|---|---|---|---|---|\n");
        for keyword in schema::keywords_of(place) {
            row(&mut text, keyword);
        }
        text.push('\n');
    }
    text.push_str("## Examples\n\n");
    for keyword in schema::keywords().filter(|keyword| keyword.example.contains('\n')) {
        let _infallible = writeln!(
            text,
            "`{}` in {}:\n\n```text\n{}\n```\n",
            keyword.name,
            super::in_words(keyword.place),
            keyword.example
        );
    }
    text.push_str(include_str!("../../lang/grammar.md"));
    text.replace("\n# The grammar", "\n## The grammar")
}

fn row(text: &mut String, keyword: &Keyword) {
    let mark = match keyword.effect {
        Effect::Here => "yes",
        Effect::Plugin => "plugin",
        Effect::Carried => "kept",
        Effect::Unsupported(_) => "no",
    };
    // A bar would end the cell.
    let cell = |text: &str| text.replace('|', "\\|");
    let _infallible = writeln!(
        text,
        "| `{}` | {} | {} | {} | {mark} |",
        keyword.name,
        cell(&value_words(keyword.value)),
        cell(keyword.default),
        cell(keyword.help)
    );
}
