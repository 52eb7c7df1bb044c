//! What a plugin says of itself: its hook `describe`.

use mlua::{Table, Value};

use super::error::PluginError;
use super::sandbox::Sandbox;
use crate::project::schema::{Place, ValueKind};
use crate::project::{ExtensionBlock, ExtensionKeyword};

/// When plugins run that do not say; those with a lower number run before.
const ORDER: i64 = 50;

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) help: String,
    pub(super) order: i64,
    pub(super) blocks: Vec<ExtensionBlock>,
    /// The hooks that it has.
    hooks: Vec<&'static str>,
}

impl Description {
    /// Whether the plugin has the hook `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.hooks.contains(&name)
    }
}

/// The hooks beside `describe`.
const HOOKS: [&str; 3] = ["post_parse", "check", "configure"];

/// The words for kinds of values.
const KINDS: [(&str, ValueKind); 11] = [
    ("any", ValueKind::Any),
    ("list", ValueKind::Any),
    ("flag", ValueKind::Flag),
    ("word", ValueKind::Word),
    ("text", ValueKind::Text),
    ("number", ValueKind::Number(0, u32::MAX)),
    ("size", ValueKind::Size),
    ("memory", ValueKind::Memory),
    ("address", ValueKind::Address),
    ("netmask", ValueKind::Netmask),
    ("hash", ValueKind::Hash),
];

/// Runs the file of a plugin, and its `describe` if it has that.
pub(super) fn describe(name: &str, file: &str, text: &str) -> Result<Description, PluginError> {
    let sandbox = Sandbox::new(name, file, text)?;
    let mut hooks = Vec::new();
    for hook in HOOKS {
        if sandbox.hook(hook)?.is_some() {
            hooks.push(hook);
        }
    }
    let Some(hook) = sandbox.hook("describe")? else {
        return Ok(Description {
            help: String::new(),
            order: ORDER,
            blocks: Vec::new(),
            hooks,
        });
    };
    hook.call::<Table>(())
        .and_then(|table| description(name, &table, hooks))
        .map_err(|error| sandbox.failure("describe", &error))
}

fn description(plugin: &str, table: &Table, hooks: Vec<&'static str>) -> mlua::Result<Description> {
    known_keys(table, &["help", "order", "blocks"])?;
    let mut blocks = Vec::new();
    for block in list(table, "blocks")? {
        blocks.push(self::block(plugin, &block)?);
    }
    Ok(Description {
        help: text(table, "help")?.unwrap_or_default(),
        order: table.get::<Option<i64>>("order")?.unwrap_or(ORDER),
        blocks,
        hooks,
    })
}

fn block(plugin: &str, table: &Table) -> mlua::Result<ExtensionBlock> {
    known_keys(table, &["place", "name", "help", "value", "keywords"])?;
    let place = match text(table, "place")?.as_deref() {
        Some("global") => Place::Global,
        Some("switch") => Place::Switch,
        Some("host") => Place::Host,
        Some("network") => Place::Network,
        _ => {
            return Err(wrong(
                "`place` of a block has to be `global`, `switch`, `host` or `network`",
            ));
        }
    };
    let name = text(table, "name")?.ok_or_else(|| wrong("a block needs a `name`"))?;
    let has_keywords = !matches!(table.get::<Value>("keywords")?, Value::Nil);
    let mut keywords = Vec::new();
    for keyword in list(table, "keywords")? {
        known_keys(&keyword, &["name", "value", "help", "required"])?;
        keywords.push(ExtensionKeyword {
            name: text(&keyword, "name")?.ok_or_else(|| wrong("a keyword needs a `name`"))?,
            value: kind(&keyword)?,
            required: keyword.get::<Option<bool>>("required")?.unwrap_or(false),
            help: text(&keyword, "help")?.unwrap_or_default(),
        });
    }
    Ok(ExtensionBlock {
        plugin: plugin.to_owned(),
        place,
        name,
        value: kind(table)?,
        help: text(table, "help")?.unwrap_or_default(),
        keywords: has_keywords.then_some(keywords),
    })
}

fn kind(table: &Table) -> mlua::Result<ValueKind> {
    let word = text(table, "value")?.unwrap_or_else(|| "any".to_owned());
    let found = KINDS.iter().find(|(name, _)| *name == word);
    found.map(|(_, kind)| *kind).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        wrong(&format!(
            "`{word}` is no kind of value: there are {}",
            known.join(", ")
        ))
    })
}

fn text(table: &Table, key: &str) -> mlua::Result<Option<String>> {
    table.get(key)
}

fn list(table: &Table, key: &str) -> mlua::Result<Vec<Table>> {
    match table.get::<Option<Table>>(key)? {
        Some(list) => list.sequence_values().collect(),
        None => Ok(Vec::new()),
    }
}

/// Refuses what nobody would read, which is a slip of the pen.
fn known_keys(table: &Table, known: &[&str]) -> mlua::Result<()> {
    for pair in table.pairs::<Value, Value>() {
        let (key, _) = pair?;
        let key = key.to_string()?;
        if !known.contains(&key.as_str()) {
            return Err(wrong(&format!(
                "`{key}` means nothing here: there are {}",
                known.join(", ")
            )));
        }
    }
    Ok(())
}

fn wrong(text: &str) -> mlua::Error {
    mlua::Error::runtime(text)
}
