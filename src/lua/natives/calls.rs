//! Natives that call Telegram.

use std::rc::Rc;

use bytes::Bytes;
use mlua::{IntoLua, Lua, Table, Value};

use super::{Answer, Natives, place};
use crate::client::CallError;
use crate::lua::convert::{Converter, Stop, value_to_lua};
use crate::lua::events::{sent_messages, user_table};
use crate::lua::fault::call_error;
use crate::lua::runtime::{Outcome, Phase, Runtime, Wait};
use crate::tl::{self, Object, Reader, Tl, enums};

/// What a call's result is made into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Tables as the schema has them.
    Raw,
    /// The message that the call made or changed.
    Message,
    /// All of them, in a list.
    Messages,
}

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    // Yielded as a result where the call has to be begun once more, now that its peers are known.
    natives.value("RETRY", mlua::LightUserData((&raw const RETRY_MARK).cast_mut().cast()))?;
    natives.add("call", |lua, runtime, (method, fields, shape): (Value, Value, Option<String>)| -> Answer<u64> {
        let Value::String(method) = method else {
            return Ok(Err(format!("a method's name is expected, got {}", super::type_of(&method))));
        };
        let method = method.to_string_lossy();
        let fields = match fields {
            Value::Nil => None,
            Value::Table(fields) => Some(fields),
            other => {
                return Ok(Err(format!(
                    "{method}: its fields are expected in a table, got {}",
                    super::type_of(&other)
                )));
            }
        };
        let shape = match shape.as_deref() {
            Some("message") => Shape::Message,
            Some("messages") => Shape::Messages,
            _ => Shape::Raw,
        };
        Ok(begin(lua, runtime, &method, fields.as_ref(), shape))
    })?;
    natives.add("resolve", |lua, runtime, name: String| -> Answer<u64> {
        if let Err(problem) = may_wait(runtime, "a lookup") {
            return Ok(Err(problem));
        }
        Ok(Ok(resolve(runtime, name, place(lua))))
    })?;
    natives.add("known_id", |_, runtime, name: String| {
        let resolved = runtime.resolved.borrow().get(&name).copied();
        Ok(resolved.or_else(|| name.parse().ok()).or_else(|| runtime.env.client.peers().username(&name)))
    })?;
    natives.add("me", |lua, runtime, ()| {
        let me = runtime.env.client.me();
        match enums::User::get(&mut Reader::new(&me.raw)) {
            Ok(enums::User::User(user)) => user_table(lua, &user, me.id),
            _ => {
                let table = lua.create_table()?;
                table.raw_set("id", me.id)?;
                table.raw_set("is_self", true)?;
                table.raw_set("is_bot", me.is_bot)?;
                table.raw_set("first_name", me.first_name.as_str())?;
                table.raw_set("username", me.username.as_deref())?;
                Ok(table)
            }
        }
    })?;
    natives.add("has_method", |_, _, name: String| Ok(tl::function(&name).is_some()))?;
    natives.add("has_namespace", |_, _, name: String| {
        let is_in = |method: &&tl::Method| method.name.split_once('.').is_some_and(|(space, _)| space == name);
        Ok(tl::methods().iter().any(|method| is_in(&method)))
    })?;
    natives.add("nearest_method", |_, _, name: String| Ok(tl::nearest_function(&name)))
}

static RETRY_MARK: u8 = 3;

/// The top level only registers.
pub(super) fn may_wait(runtime: &Runtime, what: &str) -> Result<(), String> {
    match runtime.phase.get() {
        Phase::Loading => {
            Err(format!("{what} waits, and the top level only registers: put it into tg.on_start(function() … end)"))
        }
        _ => Ok(()),
    }
}

fn begin(lua: &Lua, runtime: &Rc<Runtime>, method: &str, fields: Option<&Table>, shape: Shape) -> Result<u64, String> {
    may_wait(runtime, method)?;
    let converter = Converter { client: &runtime.env.client, grants: &runtime.grants, resolved: &runtime.resolved };
    let call = match converter.function(method, fields) {
        Ok(call) => call,
        Err(Stop::Wrong(problem)) => return Err(problem),
        Err(Stop::Resolve(name)) => return Ok(resolve(runtime, name, place(lua))),
    };
    let mut bytes = Vec::new();
    tl::encode(&call, &mut bytes).map_err(|error| error.to_string())?;
    let place = place(lua);
    let client = runtime.env.client.clone();
    let branch = runtime.with_job(|job| job.branch.clone()).flatten();
    Ok(runtime.begin(Wait::Call, async move {
        let result = match &branch {
            Some(branch) => client.invoke_in(Bytes::from(bytes), &branch.turn).await,
            None => client.invoke(Bytes::from(bytes)).await,
        };
        let outcome: Outcome = Box::new(move |lua, runtime| match result {
            Ok(bytes) => answer(lua, runtime, &call, &bytes, shape).or_else(|error| match error {
                Undecoded::Lua(error) => Err(error),
                Undecoded::Tl(reason) => {
                    let error = CallError::Malformed { method: call.name().to_owned(), reason };
                    raise(lua, runtime, &error, call.name(), &place)
                }
            }),
            Err(error) => raise(lua, runtime, &error, call.name(), &place),
        });
        outcome
    }))
}

fn resolve(runtime: &Rc<Runtime>, name: String, place: String) -> u64 {
    let client = runtime.env.client.clone();
    runtime.begin(Wait::Call, async move {
        let result = client.resolve(&name).await;
        let outcome: Outcome = Box::new(move |lua, runtime| match result {
            Ok(peer) => {
                runtime.resolved.borrow_mut().insert(name, peer.id());
                Ok(Ok(Value::LightUserData(mlua::LightUserData((&raw const RETRY_MARK).cast_mut().cast()))))
            }
            Err(error) => raise(lua, runtime, &error, "contacts.resolveUsername", &place),
        });
        outcome
    })
}

fn raise(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    error: &CallError,
    method: &str,
    place: &str,
) -> mlua::Result<Result<Value, Value>> {
    let fields = call_error(lua, error, method, place)?;
    Ok(Err(runtime.prelude()?.make_error.call(fields)?))
}

enum Undecoded {
    Lua(mlua::Error),
    Tl(String),
}

impl From<mlua::Error> for Undecoded {
    fn from(error: mlua::Error) -> Undecoded {
        Undecoded::Lua(error)
    }
}

fn answer(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    call: &Object,
    bytes: &[u8],
    shape: Shape,
) -> Result<Result<Value, Value>, Undecoded> {
    if shape == Shape::Raw {
        let value = tl::decode_result(call.definition(), bytes).map_err(|error| Undecoded::Tl(error.to_string()))?;
        return Ok(Ok(value_to_lua(lua, &value)?));
    }
    let me = runtime.env.client.me();
    let bundles = sent_messages(call, bytes, &me, &runtime.env.client).map_err(Undecoded::Tl)?;
    let make = &runtime.prelude()?.make_message;
    let mut messages = Vec::new();
    for bundle in bundles {
        messages.push(make.call::<Value>((lua.create_string(bundle)?, 0))?);
    }
    Ok(Ok(match shape {
        Shape::Messages => lua.create_sequence_from(messages)?.into_lua(lua)?,
        _ => messages.into_iter().next().unwrap_or(Value::Nil),
    }))
}
