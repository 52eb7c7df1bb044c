//! A Lua state that can do nothing but compute, within limits.
//!
//! Left out are files, processes, network, clock, randomness, environment, the loading of code, protected calls
//! (which would catch the limits' own errors), metatables (whose finalizers run outside the limits), and everything
//! that tells addresses. `pairs` goes by sorted keys, so that the same input gives the same output.

use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, VmState};

use super::error::{Failure, PluginError};
use super::lua_text;
use super::pattern;
use crate::base::Origin;

/// How many bytes a plugin may have in use.
const MEMORY_MAX: usize = 64 << 20;
/// How many steps of Lua a hook may take.
const STEPS_MAX: u64 = 200_000_000;
/// After how many steps the limit is looked at.
const STEPS_BETWEEN: u32 = 10_000;

/// What Lua makes of its standard library before a plugin sees it.
const PRELUDE: &str = include_str!("prelude.lua");

/// A plugin in a state of its own, its file run.
pub(super) struct Sandbox<'p> {
    pub(super) lua: Lua,
    pub(super) steps: Steps,
    plugin: &'p str,
    file: &'p str,
}

/// The steps that a hook has left.
#[derive(Clone, Debug)]
pub(super) struct Steps(std::sync::Arc<std::sync::atomic::AtomicU64>);

impl Steps {
    fn new() -> Self {
        Self(std::sync::Arc::new(std::sync::atomic::AtomicU64::new(STEPS_MAX)))
    }

    /// Takes `steps` from what is left.
    pub(super) fn take(&self, steps: u64) -> mlua::Result<()> {
        use std::sync::atomic::Ordering::Relaxed;
        let left = self.0.load(Relaxed);
        self.0.store(left.saturating_sub(steps), Relaxed);
        if left < steps {
            let text = format!("it took more than {STEPS_MAX} steps: does a loop not end?");
            return Err(mlua::Error::runtime(text));
        }
        Ok(())
    }
}

impl<'p> Sandbox<'p> {
    /// Runs the file of `plugin`, whose text is `text`, and so defines its hooks.
    pub(super) fn new(plugin: &'p str, file: &'p str, text: &str) -> Result<Self, PluginError> {
        let steps = Steps::new();
        let made = state(file, &steps);
        let sandbox = match made {
            Ok(lua) => Self {
                lua,
                steps,
                plugin,
                file,
            },
            Err(error) => return Err(failure(plugin, file, "its file", &error)),
        };
        let chunk = sandbox.lua.load(text).set_name(format!("@{file}"));
        chunk
            .set_mode(mlua::chunk::ChunkMode::Text)
            .exec()
            .map_err(|error| sandbox.failure("its file", &error))?;
        Ok(sandbox)
    }

    /// The hook `name`, if the plugin has it.
    pub(super) fn hook(&self, name: &'static str) -> Result<Option<Function>, PluginError> {
        let found: mlua::Result<Option<Function>> = self.lua.globals().get(name);
        found.map_err(|_| {
            let error = mlua::Error::runtime(format!("`{name}` is no function"));
            self.failure(name, &error)
        })
    }

    /// What went wrong in `hook`.
    pub(super) fn failure(&self, hook: &'static str, error: &mlua::Error) -> PluginError {
        failure(self.plugin, self.file, hook, error)
    }
}

fn failure(plugin: &str, file: &str, hook: &'static str, error: &mlua::Error) -> PluginError {
    let (line, message) = lua_text::place_and_message(error, file);
    PluginError::Failed(Box::new(Failure {
        plugin: plugin.to_owned(),
        hook,
        file: file.to_owned(),
        line,
        message,
        origin: None,
    }))
}

impl PluginError {
    /// The same with the project's line that asked for the plugin.
    pub(super) fn asked_for_by(mut self, asking: Option<Origin>) -> Self {
        if let Self::Failed(failure) = &mut self {
            failure.origin = asking;
        }
        self
    }
}

/// A state with the limits on and the library cut down.
fn state(file: &str, steps: &Steps) -> mlua::Result<Lua> {
    let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::UTF8;
    let lua = Lua::new_with(libraries, LuaOptions::default())?;
    lua.set_memory_limit(MEMORY_MAX)?;
    pattern::install(&lua, steps)?;
    lua.load(PRELUDE).set_name("=prelude").exec()?;
    let counted = steps.clone();
    let triggers = HookTriggers::new().every_nth_instruction(STEPS_BETWEEN);
    let file = file.to_owned();
    lua.set_hook(triggers, move |_, place| {
        counted.take(u64::from(STEPS_BETWEEN)).map_err(|error| {
            // What the hook of Lua says has no place of its own.
            let line = place.current_line().unwrap_or(1);
            let text = error.to_string();
            let text = text.strip_prefix("runtime error: ").unwrap_or(&text);
            mlua::Error::runtime(format!("{file}:{line}: {text}"))
        })?;
        Ok(VmState::Continue)
    })?;
    Ok(lua)
}
