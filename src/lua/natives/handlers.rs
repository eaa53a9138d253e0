//! Natives of `prelude/filters.lua` and of the registering part of `prelude/tg.lua`.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{AnyUserData, Function, LuaString, Table, Value};

use super::{Answer, Natives, place, type_of};
use crate::lua::events::EventKind;
use crate::lua::filters::{Command, DEFAULT_PREFIX, Filter, Leaf, NAMED, Node, Pattern, PeerSet};

/// The automaton of one expression may take so many bytes.
const REGEX_SIZE: usize = 1 << 20;

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    let named = natives.lua.create_table()?;
    for (name, test) in NAMED {
        named.raw_set(*name, Filter(Rc::new(Node::Is(*test))))?;
    }
    natives.value("named_filters", named)?;

    natives.add("filter_and", |_, _, (a, b): (AnyUserData, AnyUserData)| {
        Ok(Filter(Rc::new(Node::And(node(&a)?, node(&b)?))))
    })?;
    natives.add("filter_or", |_, _, (a, b): (AnyUserData, AnyUserData)| {
        Ok(Filter(Rc::new(Node::Or(node(&a)?, node(&b)?))))
    })?;
    natives.add("filter_not", |_, _, a: AnyUserData| Ok(Filter(Rc::new(Node::Not(node(&a)?)))))?;
    let next_leaf = Cell::new(0);
    natives.add("filter_lua", move |_, _, function: Function| {
        next_leaf.set(next_leaf.get() + 1);
        Ok(Filter(Rc::new(Node::Lua(Leaf { id: next_leaf.get(), function }))))
    })?;
    natives.add("filter_command", |_, _, (names, options): (Value, Option<Table>)| -> Answer<Filter> {
        Ok(command(&names, options.as_ref()).map(|command| Filter(Rc::new(Node::Command(command)))))
    })?;
    natives.add("filter_regex", |_, runtime, (pattern, flags): (Value, Option<String>)| -> Answer<Filter> {
        Ok(regex(&pattern, flags.as_deref()).map(|regex| {
            let index = runtime.handlers.add_pattern(&regex);
            Filter(Rc::new(Node::Regex(Pattern { index, regex })))
        }))
    })?;
    natives.add("filter_data", |_, _, (pattern, flags): (Value, Option<String>)| -> Answer<Filter> {
        Ok(regex(&pattern, flags.as_deref()).map(|regex| Filter(Rc::new(Node::Data(regex)))))
    })?;
    natives.add("filter_user", |_, _, who: Value| -> Answer<Filter> {
        Ok(peers("filters.user", &who).map(|set| Filter(Rc::new(Node::User(set)))))
    })?;
    natives.add("filter_chat", |_, _, who: Value| -> Answer<Filter> {
        Ok(peers("filters.chat", &who).map(|set| Filter(Rc::new(Node::Chat(set)))))
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
        Ok(Ok(Filter(Rc::new(Node::Topic(topics)))))
    })?;

    natives.add(
        "on",
        |lua, runtime, args: (LuaString, Option<AnyUserData>, Function, Option<i64>)| -> Answer<u64> {
            let (event, filter, function, group) = args;
            let event = event.to_string_lossy();
            let Some(kind) = EventKind::by_name(&event) else { return Ok(Err(format!("there is no event {event}"))) };
            let filter = filter.as_ref().map(node).transpose()?;
            let place = place(lua).trim_end_matches(": ").to_owned();
            Ok(Ok(runtime.handlers.add(kind, group.unwrap_or(0), filter, function, place)))
        },
    )?;
    natives.add("remove", |_, runtime, id: u64| Ok(runtime.handlers.remove(id)))?;
    natives.add("note_command", |_, runtime, (name, description): (String, Option<String>)| {
        runtime.handlers.add_command(name, description);
        Ok(())
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

fn node(filter: &AnyUserData) -> mlua::Result<Rc<Node>> {
    Ok(filter.borrow::<Filter>()?.0.clone())
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

fn regex(pattern: &Value, flags: Option<&str>) -> Result<regex::Regex, String> {
    let Value::String(pattern) = pattern else {
        return Err(format!("a regular expression is a string, not a {}", type_of(pattern)));
    };
    let flags = flags.unwrap_or_default();
    if let Some(unknown) = flags.chars().find(|flag| !"imsux".contains(*flag)) {
        return Err(format!("{unknown:?} is no flag of a regular expression; there are i, m, s, u and x"));
    }
    let has = |flag: char| flags.contains(flag);
    regex::RegexBuilder::new(&pattern.to_string_lossy())
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .ignore_whitespace(has('x'))
        .size_limit(REGEX_SIZE)
        .build()
        .map_err(|error| error.to_string())
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
