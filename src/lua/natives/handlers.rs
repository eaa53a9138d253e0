//! Natives of `prelude/filters.lua` and of the registering part of `prelude/tg.lua`.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{AnyUserData, Function, Lua, LuaString, Table, Value};

use super::{Answer, Natives, place, type_of};
use crate::lua::events::EventKind;
use crate::lua::filters::{Command, DEFAULT_PREFIX, Filter, Leaf, NAMED, Node, Pattern, PeerSet};
use crate::lua::handlers::Registration;
use crate::lua::outside::Held;
use crate::lua::profile::PROFILE_BYTES;
use crate::lua::runtime::Runtime;

/// The automaton of one expression may take so many bytes; what is small is counted as no more than the least.
const REGEX_MOST: usize = 1 << 20;
const REGEX_LEAST: usize = 16 << 10;
/// What matching may keep of what it learned.
const REGEX_CACHE: usize = 256 << 10;
/// What one handler, or a command's name, takes beside Lua's own.
const HANDLER_BYTES: usize = 512;
/// As much for a filter written in Lua: a state has room for a million functions that Rust holds, and no more.
const LEAF_BYTES: usize = 4 << 10;

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    let named = natives.lua.create_table()?;
    for (name, test) in NAMED {
        named.raw_set(*name, Filter::new(Node::Is(*test)))?;
    }
    natives.value("named_filters", named)?;

    natives.add("filter_and", |_, _, (a, b): (AnyUserData, AnyUserData)| -> Answer<Filter> {
        let (a, b) = (filter(&a)?, filter(&b)?);
        Ok(Filter::of(Node::And(a.node.clone(), b.node.clone()), &[&a, &b]))
    })?;
    natives.add("filter_or", |_, _, (a, b): (AnyUserData, AnyUserData)| -> Answer<Filter> {
        let (a, b) = (filter(&a)?, filter(&b)?);
        Ok(Filter::of(Node::Or(a.node.clone(), b.node.clone()), &[&a, &b]))
    })?;
    natives.add("filter_not", |_, _, a: AnyUserData| -> Answer<Filter> {
        let a = filter(&a)?;
        Ok(Filter::of(Node::Not(a.node.clone()), &[&a]))
    })?;
    let next_leaf = Cell::new(0);
    natives.add("filter_lua", move |lua, runtime, function: Function| -> Answer<Filter> {
        next_leaf.set(next_leaf.get() + 1);
        let held = runtime.outside.hold(lua, LEAF_BYTES);
        Ok(held.map(|_held| Filter::new(Node::Lua(Leaf { id: next_leaf.get(), function, _held }))))
    })?;
    natives.add("filter_command", |_, _, (names, options): (Value, Option<Table>)| -> Answer<Filter> {
        Ok(command(&names, options.as_ref()).map(|command| Filter::new(Node::Command(command))))
    })?;
    natives.add("filter_regex", |lua, runtime, (pattern, flags): (Value, Option<String>)| -> Answer<Filter> {
        Ok(text_pattern(lua, runtime, &pattern, flags.as_deref()).map(|pattern| Filter::new(Node::Regex(pattern))))
    })?;
    natives.add("filter_data", |lua, runtime, (pattern, flags): (Value, Option<String>)| -> Answer<Filter> {
        let made = expression(&pattern, flags.as_deref()).and_then(|text| compile(lua, runtime, &text));
        Ok(made.map(|(regex, held)| Filter::new(Node::Data(Pattern { index: 0, regex, _held: Some(Rc::new(held)) }))))
    })?;
    natives.add("filter_user", |_, _, who: Value| -> Answer<Filter> {
        Ok(peers("filters.user", &who).map(|set| Filter::new(Node::User(set))))
    })?;
    natives.add("filter_chat", |_, _, who: Value| -> Answer<Filter> {
        Ok(peers("filters.chat", &who).map(|set| Filter::new(Node::Chat(set))))
    })?;
    natives.add("filter_topic", |_, _, topics: Value| -> Answer<Filter> {
        let topics = match topics {
            Value::Integer(topic) => vec![topic],
            Value::Table(list) => list.sequence_values::<i64>().collect::<mlua::Result<_>>().unwrap_or_default(),
            _ => Vec::new(),
        };
        if topics.is_empty() {
            return Ok(Err("filters.topic expects a topic's id, or a list of them".into()));
        }
        Ok(Ok(Filter::new(Node::Topic(topics))))
    })?;

    natives.add(
        "on",
        |lua, runtime, args: (LuaString, Option<AnyUserData>, Function, Option<i64>)| -> Answer<u64> {
            let (event, given, function, group) = args;
            let event = event.to_string_lossy();
            let Some(kind) = EventKind::by_name(&event) else { return Ok(Err(format!("there is no event {event}"))) };
            let filter = given.as_ref().map(filter).transpose()?;
            let place = place(lua).trim_end_matches(": ").to_owned();
            let held = runtime.outside.hold(lua, HANDLER_BYTES + PROFILE_BYTES + 2 * place.len());
            Ok(held.and_then(|held| {
                let group = group.unwrap_or(0);
                runtime.handlers.add(Registration { event: kind, group, filter, function, place, held })
            }))
        },
    )?;
    natives.add("remove", |_, runtime, id: u64| Ok(runtime.handlers.remove(id)))?;
    natives.add("note_command", |lua, runtime, (name, description): (String, Option<String>)| -> Answer<bool> {
        let bytes = HANDLER_BYTES + name.len() + description.as_ref().map_or(0, String::len);
        let held = runtime.outside.hold(lua, bytes);
        Ok(held.map(|held| {
            runtime.handlers.add_command(name, description, held);
            true
        }))
    })?;
    natives.add("commands", |lua, runtime, ()| {
        let list = lua.create_table()?;
        for command in runtime.handlers.commands() {
            let entry = lua.create_table()?;
            entry.raw_set("name", command.name)?;
            entry.raw_set("description", command.description)?;
            list.raw_push(entry)?;
        }
        Ok(list)
    })?;
    natives.add("propagate", |_, runtime, stop: bool| -> Answer<bool> {
        let name = if stop { "tg.stop_propagation" } else { "tg.continue_propagation" };
        let done = runtime.with_run(|run| {
            if run.released {
                return false;
            }
            if stop {
                run.stopped = true
            } else {
                run.continued = true
            }
            true
        });
        Ok(match done {
            Some(true) => Ok(true),
            Some(false) => Err(format!("{name} comes too late: after ask, wait_for or sleep the update has gone on")),
            None => Err(format!("{name} is for handlers of updates")),
        })
    })
}

fn filter(given: &AnyUserData) -> mlua::Result<Filter> {
    Ok(given.borrow::<Filter>()?.clone())
}

/// One string, or a list of them.
fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.to_string_lossy()]),
        Value::Table(list) => list.sequence_values::<String>().collect::<mlua::Result<Vec<_>>>().ok(),
        _ => None,
    }
}

fn command(names: &Value, options: Option<&Table>) -> Result<Command, String> {
    let names = strings(names).filter(|names| !names.is_empty());
    let Some(names) = names else { return Err("filters.command expects a name, or a list of names".into()) };
    let option = |key: &str| options.and_then(|options| options.raw_get::<Value>(key).ok()).unwrap_or(Value::Nil);
    let prefixes = match option("prefixes") {
        Value::Nil => vec![DEFAULT_PREFIX.to_owned()],
        given => strings(&given).ok_or("filters.command: prefixes is a string or a list of strings")?,
    };
    for name in &names {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '@') {
            return Err(format!("filters.command: {name:?} is no name for a command"));
        }
        if let Some(bare) = name.strip_prefix('/') {
            return Err(format!("filters.command: names come without their prefix: {bare:?}"));
        }
    }
    let case_sensitive = matches!(option("case_sensitive"), Value::Boolean(true));
    Ok(Command::new(names, prefixes, case_sensitive))
}

/// The expression with its flags in it: that is how expressions are compared, and put together.
fn expression(pattern: &Value, flags: Option<&str>) -> Result<String, String> {
    let Value::String(pattern) = pattern else {
        return Err(format!("a regular expression is a string, not a {}", type_of(pattern)));
    };
    let flags = flags.unwrap_or_default();
    if let Some(unknown) = flags.chars().find(|flag| !"imsux".contains(*flag)) {
        return Err(format!("{unknown:?} is no flag of a regular expression; there are i, m, s, u and x"));
    }
    let pattern = pattern.to_string_lossy();
    Ok(if flags.is_empty() { pattern } else { format!("(?{flags}){pattern}") })
}

/// Compiles an expression, and counts what it takes as the script's memory: no more than the least bound that it fits.
fn compile(lua: &Lua, runtime: &Runtime, expression: &str) -> Result<(regex::Regex, Held), String> {
    // A long one takes its time, and is seen by the clock.
    runtime.budget.steps().look();
    let mut size = REGEX_LEAST;
    loop {
        let built = regex::RegexBuilder::new(expression).size_limit(size).dfa_size_limit(REGEX_CACHE).build();
        match built {
            Ok(regex) => return Ok((regex, runtime.outside.hold(lua, size + REGEX_CACHE / 4)?)),
            Err(regex::Error::CompiledTooBig(_)) if size < REGEX_MOST => size *= 8,
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// An expression for texts: one for all filters with an equal one.
fn text_pattern(lua: &Lua, runtime: &Runtime, pattern: &Value, flags: Option<&str>) -> Result<Pattern, String> {
    let text = expression(pattern, flags)?;
    let index = match runtime.handlers.known_pattern(&text) {
        Some(index) => index,
        None => {
            let (regex, held) = compile(lua, runtime, &text)?;
            runtime.handlers.add_pattern(regex, held)
        }
    };
    let regex = runtime.handlers.pattern(index).ok_or("the expression was not kept")?;
    Ok(Pattern { index, regex, _held: None })
}

fn peers(what: &str, who: &Value) -> Result<PeerSet, String> {
    let mut set = PeerSet::default();
    let mut add = |value: &Value| match value {
        Value::Integer(id) => {
            set.add_id(*id);
            Ok(())
        }
        Value::String(name) => {
            set.add_name(&name.to_string_lossy());
            Ok(())
        }
        Value::Table(object) => match crate::lua::convert::peer_id(object) {
            Some(id) => {
                set.add_id(id);
                Ok(())
            }
            None => Err(format!("{what} expects ids and names")),
        },
        other => Err(format!("{what} expects ids and names, got {}", type_of(other))),
    };
    match who {
        Value::Table(list) if crate::lua::convert::peer_id(list).is_none() => {
            for item in list.sequence_values::<Value>() {
                add(&item.map_err(|error| error.to_string())?)?;
            }
        }
        one => add(one)?,
    }
    Ok(set)
}
