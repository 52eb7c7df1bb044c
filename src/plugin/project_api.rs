//! The project as plugins see it in `post_parse` and `check`.

use std::cell::RefCell;

use mlua::{Lua, Scope, Table, Value};

use super::sandbox::Steps;
use crate::diag::{Diagnostic, Span};
use crate::project::{Draft, DraftError, Line};

/// What the calls of one hook work on.
pub(super) struct ProjectState<'a, 'd> {
    pub(super) draft: RefCell<&'a mut Draft<'d>>,
    pub(super) plugin: &'a str,
    /// The project's line that asked for the plugin.
    pub(super) cause: Span,
    pub(super) steps: Steps,
    /// The places of the lines that the plugin was given.
    pub(super) places: RefCell<Vec<Span>>,
}

impl ProjectState<'_, '_> {
    /// The line to show faults at: that of a path or of a line that the plugin was given, else the one that asked for
    /// the plugin.
    fn cause(&self, because: &Value) -> mlua::Result<Span> {
        let found = match because {
            Value::String(path) => self.draft.borrow().span(&path.to_str()?),
            Value::Table(line) => {
                let place: usize = line.get("place")?;
                self.places.borrow().get(place).copied()
            }
            _ => None,
        };
        Ok(found.unwrap_or(self.cause))
    }

    /// The lines of a block as Lua sees them, their places kept.
    fn lines(&self, lua: &Lua, lines: &[Line]) -> mlua::Result<Table> {
        let table = lines_table(lua, lines)?;
        let mut places = self.places.borrow_mut();
        for (line, entry) in lines.iter().zip(table.sequence_values::<Table>()) {
            entry?.set("place", places.len())?;
            places.push(line.span);
        }
        Ok(table)
    }

    fn report(&self, is_error: bool, span: Span, message: &str, hint: Option<String>) {
        let make = if is_error {
            Diagnostic::error
        } else {
            Diagnostic::warning
        };
        let mut fault = make("plugin", format!("{}: {message}", self.plugin), Some(span));
        if let Some(hint) = hint {
            fault = fault.hint(hint);
        }
        self.draft.borrow_mut().report(fault);
    }
}

/// What a call looks up costs: more than a step, less than nothing to worry about.
const LOOK_UP_STEPS: u64 = 50;

/// The table that plugins call `project`.
pub(super) fn object<'s, 'e>(
    lua: &Lua,
    scope: &'s Scope<'s, 'e>,
    state: &'e ProjectState<'_, '_>,
) -> mlua::Result<Table> {
    let project = lua.create_table()?;
    project.set("name", state.draft.borrow().get("/global/project"))?;
    readers(lua, scope, state, &project)?;
    writers(scope, state, &project)?;
    for (name, is_error) in [("error", true), ("warn", false)] {
        let report = move |_: &Lua, (_, because, message, hint): (Table, Value, String, Option<String>)| {
            state.steps.take(LOOK_UP_STEPS)?;
            state.report(is_error, state.cause(&because)?, &message, hint);
            Ok(())
        };
        project.set(name, scope.create_function(report)?)?;
    }
    Ok(project)
}

fn readers<'s, 'e>(
    _lua: &Lua,
    scope: &'s Scope<'s, 'e>,
    state: &'e ProjectState<'_, '_>,
    project: &Table,
) -> mlua::Result<()> {
    let get = |_: &Lua, (_, path): (Table, String)| {
        state.steps.take(LOOK_UP_STEPS)?;
        Ok(state.draft.borrow().get(&path))
    };
    project.set("get", scope.create_function(get)?)?;
    let flag = |_: &Lua, (_, path): (Table, String)| {
        state.steps.take(LOOK_UP_STEPS)?;
        Ok(is_on(state.draft.borrow().get(&path).as_deref()))
    };
    project.set("flag", scope.create_function(flag)?)?;
    let lines = |lua: &Lua, (_, path): (Table, String)| {
        let lines = state.draft.borrow().lines(&path);
        state.steps.take(LOOK_UP_STEPS * (1 + lines.len() as u64))?;
        state.lines(lua, &lines)
    };
    project.set("lines", scope.create_function(lines)?)?;
    for (name, kind) in [
        ("hosts", "host"),
        ("superclasses", "superclass"),
        ("switches", "switch"),
    ] {
        let names = move |_: &Lua, _: Table| {
            let names = state.draft.borrow().names(kind);
            state.steps.take(LOOK_UP_STEPS * (1 + names.len() as u64))?;
            Ok(names)
        };
        project.set(name, scope.create_function(names)?)?;
    }
    Ok(())
}

fn writers<'s, 'e>(
    scope: &'s Scope<'s, 'e>,
    state: &'e ProjectState<'_, '_>,
    project: &Table,
) -> mlua::Result<()> {
    type Write = (Table, String, Value, Option<Value>);
    let set = |_: &Lua, (_, path, value, because): Write| {
        state.steps.take(LOOK_UP_STEPS)?;
        let cause = state.cause(&because.unwrap_or(Value::Nil))?;
        let value = text_of(&value)?;
        state.draft.borrow_mut().set(&path, &value, cause).map_err(wrong)
    };
    project.set("set", scope.create_function(set)?)?;
    let add = |_: &Lua, (_, path, value, because): Write| {
        state.steps.take(LOOK_UP_STEPS)?;
        let cause = state.cause(&because.unwrap_or(Value::Nil))?;
        let value = text_of(&value)?;
        state.draft.borrow_mut().add(&path, &value, cause).map_err(wrong)
    };
    project.set("add", scope.create_function(add)?)?;
    let add_host =
        |_: &Lua, (_, name, superclass, because): (Table, String, Option<String>, Option<Value>)| {
            state.steps.take(LOOK_UP_STEPS)?;
            let cause = state.cause(&because.unwrap_or(Value::Nil))?;
            let mut draft = state.draft.borrow_mut();
            draft.add_host(&name, superclass.as_deref(), cause).map_err(wrong)
        };
    project.set("add_host", scope.create_function(add_host)?)
}

/// A value as a project would have it.
fn text_of(value: &Value) -> mlua::Result<String> {
    match value {
        Value::String(text) => Ok(text.to_str()?.to_owned()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(true) => Ok(String::new()),
        Value::Boolean(false) => Ok("off".to_owned()),
        other => Err(mlua::Error::runtime(format!(
            "a value has to be a string, a whole number or a boolean, and this is a {}",
            other.type_name()
        ))),
    }
}

/// Whether a flag's text means on.
pub(super) fn is_on(text: Option<&str>) -> bool {
    text.is_some_and(|text| !matches!(text, "0" | "off" | "no"))
}

/// The lines of a block as Lua sees them.
pub(super) fn lines_table(lua: &Lua, lines: &[Line]) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for line in lines {
        let entry = lua.create_table()?;
        entry.set("key", line.key.as_str())?;
        entry.set("value", line.value())?;
        entry.set("words", line.words.as_slice())?;
        entry.set("block", line.is_block)?;
        table.push(entry)?;
    }
    Ok(table)
}

fn wrong(error: DraftError) -> mlua::Error {
    mlua::Error::runtime(error)
}
