//! Lua's patterns, within the limit of steps.
//!
//! The language is that of the Lua 5.4 manual, section 6.4.1. Lua's own functions are taken away from plugins, since a
//! pattern like `.-.-.-b` can keep them busy for ever where no limit looks.

mod matcher;

use mlua::{Function, IntoLuaMulti as _, Lua, LuaString, MultiValue, Value};

use super::sandbox::Steps;
use matcher::{Match, find};

/// The longest text that a replacement may give, in bytes.
const RESULT_MAX: usize = 16 << 20;

/// Puts `find`, `match`, `gmatch` and `gsub` into the global table `matcher`.
pub(super) fn install(lua: &Lua, steps: &Steps) -> mlua::Result<()> {
    let table = lua.create_table()?;
    let counted = steps.clone();
    table.set(
        "find",
        lua.create_function(
            move |lua, arguments: (LuaString, LuaString, Option<i64>, Option<bool>)| {
                find_in(lua, arguments, &counted)
            },
        )?,
    )?;
    let counted = steps.clone();
    table.set(
        "match",
        lua.create_function(
            move |lua, (text, pattern, init): (LuaString, LuaString, Option<i64>)| {
                let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
                let Some(start) = start(init, text.len()) else {
                    return Ok(MultiValue::from_vec(vec![Value::Nil]));
                };
                match find(&text, &pattern, start, &counted)? {
                    Some(found) => captures(lua, &text, &found),
                    None => Ok(MultiValue::from_vec(vec![Value::Nil])),
                }
            },
        )?,
    )?;
    let counted = steps.clone();
    table.set(
        "gmatch",
        lua.create_function(move |lua, (text, pattern): (LuaString, LuaString)| {
            each_match(
                lua,
                text.as_bytes().to_vec(),
                pattern.as_bytes().to_vec(),
                counted.clone(),
            )
        })?,
    )?;
    let counted = steps.clone();
    table.set(
        "gsub",
        lua.create_function(
            move |lua, (text, pattern, with, most): (LuaString, LuaString, Value, Option<i64>)| {
                replace(lua, &text.as_bytes(), &pattern.as_bytes(), &with, most, &counted)
            },
        )?,
    )?;
    lua.globals().set("matcher", table)
}

/// The byte that `init`, from 1 or from the end, stands for; `None` beyond the end.
fn start(init: Option<i64>, len: usize) -> Option<usize> {
    let init = init.unwrap_or(1);
    let distance = usize::try_from(init.unsigned_abs()).unwrap_or(usize::MAX);
    let start = match init {
        0 => 0,
        1.. => distance - 1,
        _ => len.saturating_sub(distance),
    };
    (start <= len).then_some(start)
}

fn find_in(
    lua: &Lua,
    (text, pattern, init, plain): (LuaString, LuaString, Option<i64>, Option<bool>),
    steps: &Steps,
) -> mlua::Result<MultiValue> {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let nothing = || Ok(MultiValue::from_vec(vec![Value::Nil]));
    let Some(start) = start(init, text.len()) else {
        return nothing();
    };
    if plain.unwrap_or(false) {
        steps.take(u64::try_from(text.len()).unwrap_or(u64::MAX) / 8 + 1)?;
        let place = if pattern.is_empty() {
            Some(0)
        } else {
            text[start..]
                .windows(pattern.len())
                .position(|window| *window == *pattern)
        };
        return match place {
            Some(place) => (start + place + 1, start + place + pattern.len()).into_lua_multi(lua),
            None => nothing(),
        };
    }
    let Some(found) = find(&text, &pattern, start, steps)? else {
        return nothing();
    };
    let mut values = (found.start + 1, found.end).into_lua_multi(lua)?;
    if !found.captures.is_empty() {
        values.extend(captures(lua, &text, &found)?);
    }
    Ok(values)
}

/// The captures of a match, or the whole of it where there are none.
fn captures(lua: &Lua, text: &[u8], found: &Match) -> mlua::Result<MultiValue> {
    if found.captures.is_empty() {
        let whole = lua.create_string(&text[found.start..found.end])?;
        return whole.into_lua_multi(lua);
    }
    let values = found
        .captures
        .iter()
        .map(|capture| capture_value(lua, text, *capture));
    Ok(MultiValue::from_vec(values.collect::<mlua::Result<_>>()?))
}

/// A capture as Lua has it: its text, or for `()` the place.
fn capture_value(lua: &Lua, text: &[u8], (start, end): (usize, Option<usize>)) -> mlua::Result<Value> {
    match end {
        Some(end) => Ok(Value::String(lua.create_string(&text[start..end])?)),
        None => Ok(Value::Integer(i64::try_from(start + 1).unwrap_or(i64::MAX))),
    }
}

/// Where to look on after `found`: an empty match just behind another is none.
fn next_match(
    text: &[u8],
    pattern: &[u8],
    place: &mut usize,
    last_end: &mut Option<usize>,
    steps: &Steps,
) -> mlua::Result<Option<Match>> {
    while *place <= text.len() {
        let Some(found) = find(text, pattern, *place, steps)? else {
            return Ok(None);
        };
        if Some(found.end) == *last_end && found.start == found.end {
            *place = found.end + 1;
            continue;
        }
        *place = found.end;
        *last_end = Some(found.end);
        return Ok(Some(found));
    }
    Ok(None)
}

fn each_match(lua: &Lua, text: Vec<u8>, pattern: Vec<u8>, steps: Steps) -> mlua::Result<Function> {
    let (mut place, mut last_end) = (0, None);
    lua.create_function_mut(move |lua, ()| {
        if let Some(found) = next_match(&text, &pattern, &mut place, &mut last_end, &steps)? {
            return captures(lua, &text, &found);
        }
        place = text.len() + 1;
        Ok(MultiValue::from_vec(vec![Value::Nil]))
    })
}

fn replace(
    lua: &Lua,
    text: &[u8],
    pattern: &[u8],
    with: &Value,
    most: Option<i64>,
    steps: &Steps,
) -> mlua::Result<(LuaString, i64)> {
    let (mut place, mut last_end, mut copied, mut count) = (0, None, 0, 0);
    let mut result = Vec::new();
    while most.is_none_or(|most| count < most) {
        // An anchored pattern matches once, at the start.
        if pattern.first() == Some(&b'^') && count > 0 {
            break;
        }
        let Some(found) = next_match(text, pattern, &mut place, &mut last_end, steps)? else {
            break;
        };
        result.extend_from_slice(&text[copied..found.start]);
        copied = found.end;
        count += 1;
        put_replacement(lua, text, &found, with, &mut result)?;
        if result.len() > RESULT_MAX {
            return Err(mlua::Error::runtime("the text would be too long"));
        }
    }
    result.extend_from_slice(&text[copied..]);
    Ok((lua.create_string(&result)?, count))
}

fn put_replacement(
    lua: &Lua,
    text: &[u8],
    found: &Match,
    with: &Value,
    result: &mut Vec<u8>,
) -> mlua::Result<()> {
    let whole = &text[found.start..found.end];
    let first = || captures(lua, text, found);
    let value = match with {
        Value::String(template) => return fill(&template.as_bytes(), text, found, result),
        Value::Integer(_) | Value::Number(_) => {
            result.extend_from_slice(with.to_string()?.as_bytes());
            return Ok(());
        }
        Value::Table(table) => table.get(first()?.into_iter().next().unwrap_or(Value::Nil))?,
        Value::Function(function) => function.call(first()?)?,
        other => {
            let text = format!("string, function or table expected, got {}", other.type_name());
            return Err(mlua::Error::runtime(text));
        }
    };
    match value {
        Value::Nil | Value::Boolean(false) => result.extend_from_slice(whole),
        Value::String(text) => result.extend_from_slice(&text.as_bytes()),
        Value::Integer(_) | Value::Number(_) => result.extend_from_slice(value.to_string()?.as_bytes()),
        other => {
            let text = format!("a replacement cannot be a {}", other.type_name());
            return Err(mlua::Error::runtime(text));
        }
    }
    Ok(())
}

/// Appends `template` with `%0` to `%9` replaced by captures.
fn fill(template: &[u8], text: &[u8], found: &Match, result: &mut Vec<u8>) -> mlua::Result<()> {
    let mut letters = template.iter();
    while let Some(letter) = letters.next() {
        if *letter != b'%' {
            result.push(*letter);
            continue;
        }
        match letters.next() {
            Some(b'%') => result.push(b'%'),
            Some(digit @ b'0'..=b'9') => {
                let number = usize::from(digit - b'0');
                let whole = (found.start, Some(found.end));
                let capture = match number {
                    0 => Some(whole),
                    1 if found.captures.is_empty() => Some(whole),
                    number => found.captures.get(number - 1).copied(),
                };
                match capture {
                    Some((start, Some(end))) => result.extend_from_slice(&text[start..end]),
                    Some((start, None)) => result.extend_from_slice((start + 1).to_string().as_bytes()),
                    None => {
                        let text = format!("invalid capture index %{number} in replacement string");
                        return Err(mlua::Error::runtime(text));
                    }
                }
            }
            _ => return Err(mlua::Error::runtime("invalid use of `%` in replacement string")),
        }
    }
    Ok(())
}
