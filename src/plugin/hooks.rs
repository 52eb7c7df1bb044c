//! The hooks of all plugins, at the times when they are due.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::error::{Failure, PluginError};
use super::guest_api::{self, GuestState};
use super::project_api::{self, ProjectState, is_on, lines_table};
use super::registry::{Plugin, Registry};
use super::sandbox::Sandbox;
use super::swap::Swaps;
use crate::base::Origin;
use crate::diag::{Diagnostic, Span};
use crate::edit::{EditList, GuestView};
use crate::project::schema::Place;
use crate::project::{Draft, Extension, ExtensionBlock, Facts};

impl Extension for Registry {
    fn blocks(&self) -> &[ExtensionBlock] {
        &self.blocks
    }

    fn post_parse(&self, draft: &mut Draft<'_>) {
        for plugin in &self.plugins {
            run(plugin, "post_parse", draft);
        }
    }

    fn check(&self, draft: &mut Draft<'_>) {
        for plugin in &self.plugins {
            run(plugin, "check", draft);
        }
    }
}

/// Runs one hook of `plugin` on the project, if the project asks for the plugin.
fn run(plugin: &Plugin, hook: &'static str, draft: &mut Draft<'_>) {
    if !plugin.description.has(hook) {
        return;
    }
    let asking = asking_span(plugin, draft);
    if asking.is_none() && !plugin.description.blocks.is_empty() {
        return;
    }
    let cause = asking.unwrap_or_else(|| own_span(plugin, None, draft));
    if let Err(PluginError::Failed(failure)) = call(plugin, hook, draft, cause) {
        let span = match (failure.line, asking) {
            (None, Some(asking)) => asking,
            (line, _) => own_span(plugin, line, draft),
        };
        let Failure {
            plugin,
            hook,
            message,
            ..
        } = *failure;
        let text = format!("plugin `{plugin}` failed in `{hook}`: {message}");
        let mut fault = Diagnostic::error("plugin-failed", text, Some(span));
        if let Some(asking) = asking.filter(|asking| *asking != span) {
            fault = fault.label(asking, "asked for here");
        }
        draft.report(fault);
    }
}

fn call(plugin: &Plugin, hook: &'static str, draft: &mut Draft<'_>, cause: Span) -> Result<(), PluginError> {
    let sandbox = Sandbox::new(&plugin.name, &plugin.file, &plugin.text)?;
    let Some(function) = sandbox.hook(hook)? else {
        return Ok(());
    };
    let state = ProjectState {
        draft: RefCell::new(draft),
        plugin: &plugin.name,
        cause,
        steps: sandbox.steps.clone(),
        places: RefCell::default(),
    };
    let called = sandbox.lua.scope(|scope| {
        let project = project_api::object(&sandbox.lua, scope, &state)?;
        function.call::<()>(project)
    });
    called.map_err(|error| sandbox.failure(hook, &error))
}

/// Where the project first has a block of `plugin`.
fn asking_span(plugin: &Plugin, draft: &Draft<'_>) -> Option<Span> {
    let blocks = &plugin.description.blocks;
    let global = blocks.iter().filter(|block| block.place == Place::Global);
    let found = global
        .clone()
        .find_map(|block| draft.span(&format!("/global/{}", block.name)));
    if found.is_some() || global.count() == blocks.len() {
        return found;
    }
    let of_hosts = blocks.iter().filter(|block| block.place == Place::Host);
    let of_hosts: Vec<&str> = of_hosts
        .map(|block| block.name.as_str())
        .filter(|name| draft.may_have(name))
        .collect();
    if of_hosts.is_empty() {
        return None;
    }
    let hosts = draft.names("host");
    let mut paths = hosts
        .iter()
        .flat_map(|host| of_hosts.iter().map(move |name| format!("/host/{host}/{name}")));
    paths.find_map(|path| draft.span(&path))
}

/// A line of the plugin's own text.
fn own_span(plugin: &Plugin, line: Option<u32>, draft: &mut Draft<'_>) -> Span {
    let sources = draft.sources();
    let source = sources.add(plugin.file.as_str(), Arc::clone(&plugin.text), None);
    let lines = plugin.text.split_inclusive('\n').scan(0, |start, line| {
        let begin = *start;
        *start += line.len();
        Some((begin, line))
    });
    let number = line.unwrap_or(1).max(1) as usize;
    let (start, text) = lines.into_iter().nth(number - 1).unwrap_or((0, ""));
    let indentation = text.len() - text.trim_start().len();
    Span::new(
        source,
        start + indentation,
        start + text.trim_end().len().max(indentation),
    )
}

/// The plugins of a project, for configuring its guests.
#[derive(Debug)]
pub struct Guests {
    registry: Arc<Registry>,
    facts: Facts,
    used: Vec<Plugin>,
    swaps: Swaps,
}

impl Guests {
    /// The plugins of `registry`, for the project that `facts` tells of.
    pub fn new(registry: Arc<Registry>, facts: Facts) -> Self {
        let mut guests = Self {
            registry,
            facts,
            used: Vec::new(),
            swaps: Swaps::default(),
        };
        let hosts = guests.facts.hosts();
        let is_used = |plugin: &&Plugin| {
            plugin.description.blocks.is_empty()
                || (guests.may_ask(plugin) && hosts.iter().any(|host| guests.asking(plugin, host).is_some()))
        };
        let used: Vec<Plugin> = guests.registry.plugins.iter().filter(is_used).cloned().collect();
        if !used.iter().any(|plugin| plugin.description.has("configure")) {
            // Nobody will ask, and of a large project they are a lot.
            guests.facts = Facts::none();
        }
        guests.used = used;
        guests
    }

    /// The plugins that some host asks for, in the order in which they run.
    pub fn used(&self) -> &[Plugin] {
        &self.used
    }

    /// Adds what the plugins edit in the guest of `host`, which `view` and `edits` show as it is by now.
    ///
    /// # Errors
    /// The first plugin that fails.
    pub fn configure(
        &self,
        host: &str,
        view: &dyn GuestView,
        edits: &mut EditList,
    ) -> Result<(), PluginError> {
        for plugin in &self.used {
            let asking = self.asking(plugin, host);
            let is_due = asking.is_some() || plugin.description.blocks.is_empty();
            if is_due && plugin.description.has("configure") {
                self.configure_by(plugin, asking.clone(), host, view, edits)
                    .map_err(|error| error.asked_for_by(asking))?;
            }
        }
        Ok(())
    }

    /// Whether anything in the project might ask for `plugin`, so that it is worth to look at every host.
    fn may_ask(&self, plugin: &Plugin) -> bool {
        let mut blocks = plugin.description.blocks.iter();
        blocks.any(|block| match block.place {
            Place::Host => self.facts.may_have(&block.name),
            Place::Global => self.facts.get(&format!("/global/{}", block.name)).is_some(),
            _ => false,
        })
    }

    /// The project's line that asks for `plugin` in `host`.
    fn asking(&self, plugin: &Plugin, host: &str) -> Option<Origin> {
        let path = |block: &ExtensionBlock| match block.place {
            Place::Host => Some(format!("/host/{host}/{}", block.name)),
            Place::Global => Some(format!("/global/{}", block.name)),
            _ => None,
        };
        let paths = plugin.description.blocks.iter().filter_map(path);
        let mut on = paths.filter(|path| is_on(self.facts.get(path).as_deref()));
        on.find_map(|path| self.facts.origin(&path))
    }

    fn configure_by(
        &self,
        plugin: &Plugin,
        origin: Option<Origin>,
        host: &str,
        view: &dyn GuestView,
        edits: &mut EditList,
    ) -> Result<(), PluginError> {
        let sandbox = Sandbox::new(&plugin.name, &plugin.file, &plugin.text)?;
        let Some(function) = sandbox.hook("configure")? else {
            return Ok(());
        };
        let state = GuestState {
            view,
            edits: RefCell::new(edits),
            plugin: &plugin.name,
            file: &plugin.file,
            text: &plugin.text,
            origin,
            steps: sandbox.steps.clone(),
            bytes: Cell::new(0),
            swaps: &self.swaps,
        };
        let called = sandbox.lua.scope(|scope| {
            let guest = guest_api::object(&sandbox.lua, scope, &state)?;
            let host = self.host_object(&sandbox.lua, scope, host)?;
            function.call::<()>((host, guest))
        });
        called.map_err(|error| sandbox.failure("configure", &error))
    }

    /// The table that plugins call `host`.
    fn host_object<'s, 'e>(
        &'e self,
        lua: &mlua::Lua,
        scope: &'s mlua::Scope<'s, 'e>,
        name: &str,
    ) -> mlua::Result<mlua::Table> {
        let host = self.facts_object(lua, scope, format!("/host/{name}/"))?;
        host.set("name", name)?;
        let project = self.facts_object(lua, scope, String::new())?;
        project.set("name", self.facts.get("/global/project"))?;
        let names = |lua: &mlua::Lua, _: mlua::Table| {
            let names = self.facts.hosts().into_iter();
            lua.create_sequence_from(names.map(|name| name.to_string()))
        };
        project.set("hosts", scope.create_function(names)?)?;
        host.set("project", project)?;
        Ok(host)
    }

    /// A table with `get`, `flag` and `lines`, whose paths go on from `base`.
    fn facts_object<'s, 'e>(
        &'e self,
        lua: &mlua::Lua,
        scope: &'s mlua::Scope<'s, 'e>,
        base: String,
    ) -> mlua::Result<mlua::Table> {
        let base: Arc<str> = Arc::from(base);
        let table = lua.create_table()?;
        let (facts, start) = (&self.facts, Arc::clone(&base));
        let get =
            move |_: &mlua::Lua, (_, path): (mlua::Table, String)| Ok(facts.get(&format!("{start}{path}")));
        table.set("get", scope.create_function(get)?)?;
        let start = Arc::clone(&base);
        let flag = move |_: &mlua::Lua, (_, path): (mlua::Table, String)| {
            Ok(is_on(facts.get(&format!("{start}{path}")).as_deref()))
        };
        table.set("flag", scope.create_function(flag)?)?;
        let lines = move |lua: &mlua::Lua, (_, path): (mlua::Table, String)| {
            lines_table(lua, &facts.lines(&format!("{base}{path}")))
        };
        table.set("lines", scope.create_function(lines)?)?;
        Ok(table)
    }
}
