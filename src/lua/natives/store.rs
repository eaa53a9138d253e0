//! Natives of `prelude/store.lua`.

use std::rc::Rc;

use mlua::{AnyUserData, Function, IntoLua, Lua, UserData, Value};

use super::calls::may_wait;
use super::{Answer, Natives, place, type_of};
use crate::lua::kept::{self, NotKept};
use crate::lua::runtime::{Outcome, Runtime, Wait};
use crate::storage::store::{MAX_KEY, Pinned, StoreError, Ticket, Written};

/// A pinned value on its way through Lua, to the call that takes it.
struct Lease(Option<Pinned>);

impl UserData for Lease {}

/// What [`apply`] tells the prelude: what to do, and with what.
type Applied = (&'static str, Value, Value);

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    natives.add("store_get", |lua, runtime, key: Value| -> Answer<u64> {
        let key = match begin(runtime, "store.get", &key) {
            Ok(key) => key,
            Err(problem) => return Ok(Err(problem)),
        };
        let (store, place) = (runtime.store.clone(), place(lua));
        Ok(Ok(runtime.begin(Wait::Call, async move {
            let found = store.get(&key).await;
            let outcome: Outcome = Box::new(move |lua, runtime| match found {
                Ok(found) => match found.value.as_deref().map(|bytes| kept::decode(lua, bytes)).transpose()? {
                    None => Ok(Ok(Value::Nil)),
                    Some(Some(value)) => Ok(Ok(value)),
                    Some(None) => damaged(lua, runtime, "store.get", &key, &place),
                },
                Err(error) => failed(lua, runtime, "store.get", &error, &place),
            });
            outcome
        })))
    })?;
    natives.add("store_keys", |lua, runtime, prefix: Value| -> Answer<u64> {
        let prefix = if prefix.is_nil() { Ok(Vec::new()) } else { key_of("store.keys", "prefix", &prefix) };
        let prefix = match may_wait(runtime, "store.keys").and(prefix) {
            Ok(prefix) => prefix,
            Err(problem) => return Ok(Err(problem)),
        };
        let (store, place) = (runtime.store.clone(), place(lua));
        // More than fits into the script's memory is not worth reading.
        let limit = runtime.spec.limits.memory as u64;
        Ok(Ok(runtime.begin(Wait::Call, async move {
            let found = store.keys(&prefix, limit).await;
            let outcome: Outcome = Box::new(move |lua, runtime| match found {
                Ok(found) => {
                    let table = lua.create_table_with_capacity(found.value.len(), 0)?;
                    for (at, key) in found.value.iter().enumerate() {
                        table.raw_seti(at + 1, lua.create_string(key)?)?;
                    }
                    Ok(Ok(Value::Table(table)))
                }
                Err(error) => failed(lua, runtime, "store.keys", &error, &place),
            });
            outcome
        })))
    })?;
    natives.add("store_set", |lua, runtime, (key, value): (Value, Value)| -> Answer<u64> {
        let key = match begin(runtime, "store.set", &key) {
            Ok(key) => key,
            Err(problem) => return Ok(Err(problem)),
        };
        if !runtime.store.has_room() {
            return Ok(Ok(wait_for_room(lua, runtime, "store.set")));
        }
        let value = match encode(runtime, "store.set", &value)? {
            Ok(value) => value,
            Err(problem) => return Ok(Err(problem)),
        };
        Ok(Ok(wait_for(lua, runtime, "store.set", runtime.store.put(&key, value), |_| Value::Boolean(true))))
    })?;
    natives.add("store_delete", |lua, runtime, key: Value| -> Answer<u64> {
        let key = match begin(runtime, "store.delete", &key) {
            Ok(key) => key,
            Err(problem) => return Ok(Err(problem)),
        };
        Ok(Ok(wait_for(lua, runtime, "store.delete", runtime.store.put(&key, None), Value::Boolean)))
    })?;
    natives.add("store_pin", |lua, runtime, key: Value| -> Answer<Value> {
        let key = match begin(runtime, "store.update", &key) {
            Ok(key) => key,
            Err(problem) => return Ok(Err(problem)),
        };
        if let Some(pinned) = runtime.store.pin_known(&key) {
            return Ok(Ok(Value::UserData(lua.create_userdata(Lease(Some(pinned)))?)));
        }
        let (store, place) = (runtime.store.clone(), place(lua));
        let op = runtime.begin(Wait::Call, async move {
            let pinned = store.pin(&key).await;
            let outcome: Outcome = Box::new(move |lua, runtime| match pinned {
                Ok(pinned) => Ok(Ok(Value::UserData(lua.create_userdata(Lease(Some(pinned)))?))),
                Err(error) => failed(lua, runtime, "store.update", &error, &place),
            });
            outcome
        });
        Ok(Ok(op.into_lua(lua)?))
    })?;
    natives.add("store_apply", |lua, runtime, (lease, pcall, function): (AnyUserData, Function, Function)| {
        apply(lua, runtime, &lease, &pcall, function)
    })
}

/// Lets the function make a new value of the latest one, and queues it. Nothing else of the script runs meanwhile, and what
/// another version writes is found out when it is written.
fn apply(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    lease: &AnyUserData,
    pcall: &Function,
    function: Function,
) -> mlua::Result<Applied> {
    let again = || Ok(("again", Value::Nil, Value::Nil));
    let wrong = |problem: String| Ok(("wrong", problem.into_lua(lua)?, Value::Nil));
    let Some(pinned) = lease.borrow_mut::<Lease>()?.0.take() else { return again() };
    let store = &runtime.store;
    if !store.has_room() {
        return Ok(("wait", wait_for_room(lua, runtime, "store.update").into_lua(lua)?, Value::Nil));
    }
    let Some(latest) = store.latest(&pinned) else { return again() };
    let old = match latest.as_deref().map(|bytes| kept::decode(lua, bytes)).transpose()? {
        None => Value::Nil,
        Some(Some(value)) => value,
        Some(None) => return wrong(damage("store.update", pinned.key())),
    };
    let before = runtime.in_update.replace(true);
    let called = pcall.call::<(bool, Value)>((function, old));
    runtime.in_update.set(before);
    let (ok, value) = called?;
    if !ok {
        return Ok(("raised", value, Value::Nil));
    }
    let bytes = match encode(runtime, "store.update", &value)? {
        Ok(bytes) => bytes,
        Err(problem) => return wrong(problem),
    };
    let ticket = store.swap(&pinned, latest, bytes);
    let op = wait_for(lua, runtime, "store.update", ticket, |_| Value::Boolean(true));
    Ok(("wait", op.into_lua(lua)?, value))
}

/// The key of a call that may be made now.
fn begin(runtime: &Runtime, what: &str, key: &Value) -> Result<Vec<u8>, String> {
    may_wait(runtime, what)?;
    key_of(what, "key", key)
}

fn key_of(what: &str, which: &str, key: &Value) -> Result<Vec<u8>, String> {
    match key {
        Value::String(key) if key.as_bytes().len() <= MAX_KEY => Ok(key.as_bytes().to_vec()),
        Value::String(key) => {
            Err(format!("{what}: a {which} has at most {MAX_KEY} bytes, this one {}", key.as_bytes().len()))
        }
        Value::Integer(_) | Value::Number(_) => {
            Err(format!("{what} expects a string as its {which}, got number; tostring makes one"))
        }
        other => Err(format!("{what} expects a string as its {which}, got {}", type_of(other))),
    }
}

/// nil is no value: it deletes.
fn encode(runtime: &Runtime, what: &str, value: &Value) -> Answer<Option<Vec<u8>>> {
    if value.is_nil() {
        return Ok(Ok(None));
    }
    match kept::encode(value, &runtime.budget.steps()) {
        Ok(bytes) => Ok(Ok(Some(bytes))),
        Err(NotKept::Wrong(problem)) => Ok(Err(format!("{what}: {problem}"))),
        Err(NotKept::Lua(error)) => Err(error),
    }
}

/// Waits until a write is on the disk: gives what `done` makes of whether the key was there, or nil where it is to be done
/// anew.
fn wait_for(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    what: &'static str,
    ticket: Ticket,
    done: impl FnOnce(bool) -> Value + 'static,
) -> u64 {
    let place = place(lua);
    runtime.begin(Wait::Call, async move {
        let written = ticket.written().await;
        let outcome: Outcome = Box::new(move |lua, runtime| match written {
            Ok(Written::Done { was_there }) => Ok(Ok(done(was_there))),
            Ok(Written::Conflict) => Ok(Ok(Value::Nil)),
            Err(error) => failed(lua, runtime, what, &error, &place),
        });
        outcome
    })
}

/// Waits until the disk has taken what is queued; gives nil.
fn wait_for_room(lua: &Lua, runtime: &Rc<Runtime>, what: &'static str) -> u64 {
    let (store, place) = (runtime.store.clone(), place(lua));
    runtime.begin(Wait::Call, async move {
        let room = store.room().await;
        let outcome: Outcome = Box::new(move |lua, runtime| match room {
            Ok(()) => Ok(Ok(Value::Nil)),
            Err(error) => failed(lua, runtime, what, &error, &place),
        });
        outcome
    })
}

fn failed(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    what: &str,
    error: &StoreError,
    place: &str,
) -> mlua::Result<Result<Value, Value>> {
    raise(lua, runtime, error.name(), &format!("{what}: {error}"), place)
}

fn damaged(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    what: &str,
    key: &[u8],
    place: &str,
) -> mlua::Result<Result<Value, Value>> {
    raise(lua, runtime, "STORE_FAILED", &damage(what, key), place)
}

fn damage(what: &str, key: &[u8]) -> String {
    format!(
        "{what}: the value of \"{}\" is damaged, or a newer moongram wrote it; it was left as it is",
        kept::shown_key(key)
    )
}

fn raise(lua: &Lua, runtime: &Rc<Runtime>, name: &str, text: &str, place: &str) -> mlua::Result<Result<Value, Value>> {
    let fields = lua.create_table()?;
    fields.raw_set("place", place)?;
    fields.raw_set("name", name)?;
    fields.raw_set("text", text)?;
    Ok(Err(runtime.prelude()?.make_error.call(fields)?))
}
