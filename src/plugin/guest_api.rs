//! A guest as plugins see it in `configure`: its files as they are by now, and edits to them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use mlua::{Lua, LuaString, Scope, Table, Value};

use super::sandbox::Steps;
use super::swap;
use crate::base::{FileKind, GuestPath, Origin};
use crate::edit::{Attributes, Change, Edit, EditList, EditedView, GuestView};

/// The longest file that a plugin may read or write, in bytes.
const FILE_MAX: usize = 16 << 20;
/// How many bytes a plugin may read or write in one guest.
const TOTAL_MAX: usize = 64 << 20;
/// What a look at a file costs in steps.
const LOOK_UP_STEPS: u64 = 500;

/// What the calls of one hook work on.
pub(super) struct GuestState<'a> {
    pub(super) view: &'a dyn GuestView,
    pub(super) edits: RefCell<&'a mut EditList>,
    pub(super) plugin: &'a str,
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    /// The project's line that asked for the plugin.
    pub(super) origin: Option<Origin>,
    pub(super) steps: Steps,
    pub(super) bytes: Cell<usize>,
    pub(super) swaps: &'a swap::Swaps,
}

/// The table that plugins call `guest`.
pub(super) fn object<'s, 'e>(
    lua: &Lua,
    scope: &'s Scope<'s, 'e>,
    state: &'e GuestState<'_>,
) -> mlua::Result<Table> {
    let guest = lua.create_table()?;
    readers(scope, state, &guest)?;
    writers(scope, state, &guest)?;
    let attributes = |lua: &Lua, (_, path, options): (Table, String, Table)| {
        let attributes = state.attributes(Some(&options))?;
        state.change_attributes(lua, &path, attributes)
    };
    guest.set("attributes", scope.create_function(attributes)?)?;
    let mode = |lua: &Lua, (_, path, mode): (Table, String, Value)| {
        let attributes = Attributes::mode(mode_of(&mode)?);
        state.change_attributes(lua, &path, attributes)
    };
    guest.set("mode", scope.create_function(mode)?)?;
    let own = |lua: &Lua, (_, path, owner, group): (Table, String, Value, Option<Value>)| {
        let attributes = Attributes {
            mode: None,
            uid: Some(state.id("/etc/passwd", &owner)?),
            gid: group.map(|group| state.id("/etc/group", &group)).transpose()?,
        };
        state.change_attributes(lua, &path, attributes)
    };
    guest.set("own", scope.create_function(own)?)?;
    Ok(guest)
}

fn readers<'s, 'e>(scope: &'s Scope<'s, 'e>, state: &'e GuestState<'_>, guest: &Table) -> mlua::Result<()> {
    let read = |lua: &Lua, (_, path): (Table, String)| {
        let bytes = state.read(&guest_path(&path)?)?;
        bytes.map(|bytes| lua.create_string(bytes)).transpose()
    };
    guest.set("read", scope.create_function(read)?)?;
    let lines = |lua: &Lua, (_, path): (Table, String)| {
        let bytes = state.read(&guest_path(&path)?)?.unwrap_or_default();
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let lines = text.split(|byte| *byte == b'\n').filter(|_| !bytes.is_empty());
        lua.create_sequence_from(
            lines
                .map(|line| lua.create_string(line))
                .collect::<mlua::Result<Vec<_>>>()?,
        )
    };
    guest.set("lines", scope.create_function(lines)?)?;
    let kind = |_: &Lua, (_, path): (Table, String)| state.kind(&guest_path(&path)?);
    guest.set("kind", scope.create_function(kind)?)?;
    let exists = |_: &Lua, (_, path): (Table, String)| Ok(state.kind(&guest_path(&path)?)?.is_some());
    guest.set("exists", scope.create_function(exists)?)?;
    let list = |lua: &Lua, (_, path): (Table, String)| {
        state.steps.take(LOOK_UP_STEPS)?;
        let names = state.look(|view| view.list(&guest_path(&path)?).map_err(mlua::Error::external))?;
        let names = names.unwrap_or_default();
        state.steps.take(names.len() as u64)?;
        names
            .iter()
            .map(|name| lua.create_string(name))
            .collect::<mlua::Result<Vec<_>>>()
    };
    guest.set("list", scope.create_function(list)?)?;
    let user = |lua: &Lua, (_, name): (Table, String)| {
        let Some(fields) = state.record("/etc/passwd", &name)? else {
            return Ok(None);
        };
        let field = |place: usize| fields.get(place).cloned().unwrap_or_default();
        let table = lua.create_table()?;
        table.set("name", field(0))?;
        table.set("uid", field(2).parse::<u32>().ok())?;
        table.set("gid", field(3).parse::<u32>().ok())?;
        table.set("home", field(5))?;
        table.set("shell", field(6))?;
        Ok(Some(table))
    };
    guest.set("user", scope.create_function(user)?)
}

fn writers<'s, 'e>(scope: &'s Scope<'s, 'e>, state: &'e GuestState<'_>, guest: &Table) -> mlua::Result<()> {
    type Write = (Table, String, LuaString, Option<Table>);
    let write = |lua: &Lua, (_, path, text, options): Write| {
        let attributes = state.attributes(options.as_ref())?;
        state.write(lua, &path, text.as_bytes().to_vec(), attributes)
    };
    guest.set("write", scope.create_function(write)?)?;
    let append = |lua: &Lua, (_, path, text, options): Write| {
        let attributes = state.attributes(options.as_ref())?;
        let old = state.read(&guest_path(&path)?)?.unwrap_or_default();
        state.write(lua, &path, with_lines(old, &text.as_bytes()), attributes)
    };
    guest.set("append", scope.create_function(append)?)?;
    let region = |lua: &Lua, (_, path, text, options): Write| {
        let attributes = state.attributes(options.as_ref())?;
        let old = state.read(&guest_path(&path)?)?.unwrap_or_default();
        state.write(
            lua,
            &path,
            with_region(&old, state.plugin, &text.as_bytes()),
            attributes,
        )
    };
    guest.set("region", scope.create_function(region)?)?;
    let mkdir = |lua: &Lua, (_, path, options): (Table, String, Option<Table>)| {
        let attributes = state.attributes(options.as_ref())?;
        let path = state.resolve(&path)?;
        state.push(lua, Edit::directory(path, attributes, Origin::implied("")))
    };
    guest.set("mkdir", scope.create_function(mkdir)?)?;
    let link = |lua: &Lua, (_, path, target): (Table, String, LuaString)| {
        let path = state.resolve_parent(&path)?;
        let edit = Edit::symlink(path, target.as_bytes().to_vec(), Origin::implied(""));
        state.push(lua, edit)
    };
    guest.set("link", scope.create_function(link)?)?;
    let remove = |lua: &Lua, (_, path): (Table, String)| {
        let path = state.resolve_parent(&path)?;
        if path.is_root() {
            return Err(mlua::Error::runtime("`/` cannot be removed"));
        }
        state.push(lua, Edit::absent(path, Origin::implied("")))
    };
    guest.set("remove", scope.create_function(remove)?)?;
    let swap = |lua: &Lua, (_, path, size): (Table, String, String)| {
        let (path, content) = (state.resolve(&path)?, state.swaps.content(&size)?);
        let attributes = Attributes::owned(0o600, 0, 0);
        let change = Change::File { content, attributes };
        state.push(
            lua,
            Edit {
                path,
                change,
                origins: Vec::new(),
            },
        )
    };
    guest.set("swap_file", scope.create_function(swap)?)
}

impl GuestState<'_> {
    /// Looks at the guest as it is by now.
    fn look<T>(&self, look: impl FnOnce(&dyn GuestView) -> mlua::Result<T>) -> mlua::Result<T> {
        let edits = self.edits.borrow();
        look(&EditedView::new(self.view, &edits))
    }

    /// Takes `bytes` from what the plugin may read and write.
    fn count(&self, bytes: usize) -> mlua::Result<()> {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        self.steps.take(LOOK_UP_STEPS + bytes as u64 / 16)?;
        if bytes > FILE_MAX || self.bytes.get() > TOTAL_MAX {
            let text = format!(
                "a plugin reads and writes files of {FILE_MAX} bytes at most, and {TOTAL_MAX} in all"
            );
            return Err(mlua::Error::runtime(text));
        }
        Ok(())
    }

    fn read(&self, path: &GuestPath) -> mlua::Result<Option<Vec<u8>>> {
        let path = self.look(|view| view.resolve(path).map_err(mlua::Error::external))?;
        let info = self.look(|view| view.info(&path).map_err(mlua::Error::external))?;
        match info {
            Some(info) if info.kind == FileKind::Regular => {
                self.count(usize::try_from(info.len_bytes).unwrap_or(usize::MAX))?;
                self.look(|view| view.read(&path).map_err(mlua::Error::external))
            }
            _ => {
                self.count(0)?;
                Ok(None)
            }
        }
    }

    fn kind(&self, path: &GuestPath) -> mlua::Result<Option<&'static str>> {
        self.count(0)?;
        let info = self.look(|view| view.info(path).map_err(mlua::Error::external))?;
        Ok(info.map(|info| match info.kind {
            FileKind::Regular => "file",
            FileKind::Directory => "directory",
            FileKind::Symlink => "link",
            _ => "other",
        }))
    }

    /// The path with every link resolved.
    fn resolve(&self, path: &str) -> mlua::Result<GuestPath> {
        let path = guest_path(path)?;
        self.look(|view| view.resolve(&path).map_err(mlua::Error::external))
    }

    /// The path with the links of its directories resolved.
    fn resolve_parent(&self, path: &str) -> mlua::Result<GuestPath> {
        let path = guest_path(path)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(path);
        };
        let parent = self.look(|view| view.resolve(&parent).map_err(mlua::Error::external))?;
        parent.join(name).map_err(mlua::Error::external)
    }

    fn write(&self, lua: &Lua, path: &str, bytes: Vec<u8>, attributes: Attributes) -> mlua::Result<()> {
        self.count(bytes.len())?;
        let path = self.resolve(path)?;
        if self.kind(&path)? == Some("directory") {
            return Err(mlua::Error::runtime(format!(
                "`{path}` is a directory in the guest"
            )));
        }
        self.push(lua, Edit::file(path, bytes, attributes, Origin::implied("")))
    }

    fn change_attributes(&self, lua: &Lua, path: &str, attributes: Attributes) -> mlua::Result<()> {
        let path = self.resolve(path)?;
        match self.kind(&path)? {
            Some("directory") => self.push(lua, Edit::directory(path, attributes, Origin::implied(""))),
            Some("file") => {
                let bytes = self.read(&path)?.unwrap_or_default();
                self.push(lua, Edit::file(path, bytes, attributes, Origin::implied("")))
            }
            _ => Err(mlua::Error::runtime(format!(
                "`{path}` is no file or directory in the guest"
            ))),
        }
    }

    /// Adds an edit, with the project's line and the plugin's line as its origins.
    fn push(&self, lua: &Lua, mut edit: Edit) -> mlua::Result<()> {
        self.steps.take(LOOK_UP_STEPS)?;
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method's own lifetime is not general enough"
        )]
        let line = lua.inspect_stack(1, |frame| frame.current_line()).flatten();
        let line = u32::try_from(line.unwrap_or_default()).unwrap_or_default();
        let number = line.saturating_sub(1) as usize;
        let text = self.text.lines().nth(number).unwrap_or_default();
        let own = Origin::new(Arc::from(self.file), line, text.trim());
        edit.origins = self.origin.clone().into_iter().chain([own]).collect();
        self.edits.borrow_mut().push(edit);
        Ok(())
    }

    /// The attributes that the table `options` names.
    fn attributes(&self, options: Option<&Table>) -> mlua::Result<Attributes> {
        let Some(options) = options else {
            return Ok(Attributes::default());
        };
        for pair in options.pairs::<String, Value>() {
            let (key, _) = pair?;
            if !["mode", "owner", "group"].contains(&key.as_str()) {
                let text = format!("`{key}` is no attribute: there are `mode`, `owner` and `group`");
                return Err(mlua::Error::runtime(text));
            }
        }
        let id = |key: &str, file: &str| match options.get::<Value>(key)? {
            Value::Nil => Ok(None),
            value => self.id(file, &value).map(Some),
        };
        Ok(Attributes {
            mode: match options.get::<Value>("mode")? {
                Value::Nil => None,
                value => Some(mode_of(&value)?),
            },
            uid: id("owner", "/etc/passwd")?,
            gid: id("group", "/etc/group")?,
        })
    }

    /// The number of a user or group, by number or by its name in `file`.
    fn id(&self, file: &str, value: &Value) -> mlua::Result<u32> {
        let name = match value {
            Value::Integer(number) if u32::try_from(*number).is_ok() => {
                return Ok(u32::try_from(*number).unwrap_or_default());
            }
            Value::String(name) => name.to_str()?.to_owned(),
            other => {
                let text = format!(
                    "an owner is a name or a number, and this is a {}",
                    other.type_name()
                );
                return Err(mlua::Error::runtime(text));
            }
        };
        let record = self.record(file, &name)?;
        let id = record.and_then(|fields| fields.get(2)?.parse().ok());
        id.ok_or_else(|| mlua::Error::runtime(format!("`{name}` is not in `{file}` of the guest")))
    }

    /// The fields of the line of `name` in `file`.
    fn record(&self, file: &str, name: &str) -> mlua::Result<Option<Vec<String>>> {
        let bytes = self.read(&guest_path(file)?)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let mut records = text.lines().map(|line| line.split(':'));
        let found = records.find(|fields| fields.clone().next() == Some(name));
        Ok(found.map(|fields| fields.map(str::to_owned).collect()))
    }
}

fn guest_path(text: &str) -> mlua::Result<GuestPath> {
    GuestPath::new(text).map_err(mlua::Error::runtime)
}

fn mode_of(value: &Value) -> mlua::Result<u16> {
    let text = match value {
        Value::String(text) => text.to_str()?.to_owned(),
        _ => String::new(),
    };
    let mode = u16::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o7777);
    mode.ok_or_else(|| mlua::Error::runtime("a mode is a string of octal digits, such as \"0644\""))
}

/// `old` with the lines `text` at its end, unless it has them somewhere.
fn with_lines(mut old: Vec<u8>, text: &[u8]) -> Vec<u8> {
    let mut lines = text.to_vec();
    if !lines.ends_with(b"\n") {
        lines.push(b'\n');
    }
    if !old.is_empty() && !old.ends_with(b"\n") {
        old.push(b'\n');
    }
    let starts = std::iter::once(0).chain((1..old.len()).filter(|place| old[place - 1] == b'\n'));
    let has = starts
        .into_iter()
        .any(|place| old[place.min(old.len())..].starts_with(&lines));
    if !has {
        old.extend_from_slice(&lines);
    }
    old
}

/// `old` with `text` between the marks of `plugin`, which are put at the end where there are none.
fn with_region(old: &[u8], plugin: &str, text: &[u8]) -> Vec<u8> {
    let (begin, end) = (format!("# begin {plugin}"), format!("# end {plugin}"));
    let mut kept: Vec<&[u8]> = Vec::new();
    let (mut place, mut is_inside) = (None, false);
    for line in old.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        if bare == begin.as_bytes() {
            (place, is_inside) = (Some(kept.len()), true);
        } else if is_inside {
            is_inside = bare != end.as_bytes();
        } else {
            kept.push(line);
        }
    }
    let place = place.unwrap_or(kept.len());
    let mut new = kept[..place].concat();
    if !new.is_empty() && !new.ends_with(b"\n") {
        new.push(b'\n');
    }
    if !text.is_empty() {
        new.extend_from_slice(format!("{begin}\n").as_bytes());
        new.extend_from_slice(text);
        if !text.ends_with(b"\n") {
            new.push(b'\n');
        }
        new.extend_from_slice(format!("{end}\n").as_bytes());
    }
    new.extend(kept[place..].concat());
    new
}
