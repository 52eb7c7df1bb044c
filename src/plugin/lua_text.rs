//! What Lua says of an error, and the line of the plugin that it happened on.

/// The line of `file` that `error` happened on, and what went wrong without place and traceback.
pub(super) fn place_and_message(error: &mlua::Error, file: &str) -> (Option<u32>, String) {
    let (text, traceback) = parts(error);
    let line = line_in(&text, file).or_else(|| line_in(&traceback, file));
    let first = text.lines().next().unwrap_or_default();
    let message = match place_at_start(first, file) {
        Some((_, rest)) => rest,
        None => first,
    };
    let message = message.strip_prefix("runtime error: ").unwrap_or(message);
    let message = match message {
        "not enough memory" => "it needs more than 64 MiB of memory",
        message => message,
    };
    (line, message.to_owned())
}

/// The text of an error and the traceback below it.
fn parts(error: &mlua::Error) -> (String, String) {
    match error {
        mlua::Error::CallbackError { traceback, cause } => {
            let (text, inner) = parts(cause);
            (text, format!("{inner}\n{traceback}"))
        }
        mlua::Error::RuntimeError(text) | mlua::Error::MemoryError(text) => split(text),
        mlua::Error::SyntaxError { message, .. } => split(message),
        mlua::Error::BadArgument { pos, cause, .. } => {
            let (text, inner) = parts(cause);
            // The object itself is the first argument.
            (format!("bad argument #{}: {text}", pos.saturating_sub(1)), inner)
        }
        mlua::Error::FromLuaConversionError { from, to, message } => {
            let text = match message {
                Some(message) => message.clone(),
                None => format!("{to} expected, got {from}"),
            };
            (text, String::new())
        }
        other => split(&other.to_string()),
    }
}

fn split(text: &str) -> (String, String) {
    match text.split_once("\nstack traceback:") {
        Some((text, traceback)) => (text.to_owned(), traceback.to_owned()),
        None => (text.to_owned(), String::new()),
    }
}

/// The first `file:LINE:` in `text`.
fn line_in(text: &str, file: &str) -> Option<u32> {
    let mut places = text.match_indices(file);
    places.find_map(|(start, _)| place_at_start(&text[start..], file).map(|(line, _)| line))
}

/// The line and the rest of a `text` that begins with `file:LINE:`.
fn place_at_start<'t>(text: &'t str, file: &str) -> Option<(u32, &'t str)> {
    let rest = text.strip_prefix(file)?.strip_prefix(':')?;
    let (line, rest) = rest.split_once(':')?;
    Some((line.parse().ok()?, rest.trim_start()))
}
