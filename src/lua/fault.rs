//! What a handler raised, on its way to the log and to `tg.on_error`.

use mlua::{Lua, Table, Value};

use super::error::LoadError;
use super::runtime::{Runtime, Task};
use crate::client::CallError;

/// A fault of a script.
pub(super) struct Fault {
    /// With the place before it: `hello.lua:3: …`.
    pub message: String,
    trace: Option<String>,
    /// The error object, where one was raised.
    object: Option<Table>,
    name: &'static str,
}

impl Fault {
    fn new(name: &'static str, message: impl Into<String>) -> Fault {
        Fault { message: message.into(), trace: None, object: None, name }
    }

    /// From what the worker's message handler noted: `{err, trace}`.
    pub fn from_note(lua: &Lua, note: Value) -> Fault {
        let Value::Table(note) = note else { return Fault::new("LUA_ERROR", describe(lua, &note)) };
        let raised = note.raw_get::<Value>("err").unwrap_or(Value::Nil);
        let mut fault = Fault::new("LUA_ERROR", describe(lua, &raised));
        fault.trace = note.raw_get("trace").ok();
        if let Value::Table(object) = raised {
            fault.object = Some(object);
        }
        fault
    }

    /// A handler, or something else, met its limit of CPU time at that place.
    pub fn cpu(runtime: &Runtime, place: &str, task: Option<&Task>) -> Fault {
        let limit = runtime.budget.limit().as_secs_f64();
        let handler = match task {
            Some(Task::Update(run)) => run.handler.as_ref().map(|handler| format!(" (handler of {})", handler.place)),
            _ => None,
        };
        let handler = handler.unwrap_or_default();
        let message = format!("{place}: stopped{handler}, it used more than {limit} s of CPU time without waiting");
        Fault::new("CPU_LIMIT", message)
    }

    pub fn internal(message: impl Into<String>) -> Fault {
        Fault::new("LUA_ERROR", message)
    }

    /// The whole story: message, source line, caret, traceback.
    pub fn log(&self, runtime: &Runtime) {
        let script = runtime.name();
        let shown = LoadError::new(script, &self.message, &runtime.files);
        match self.trace.as_deref().map(str::trim).filter(|trace| !trace.is_empty()) {
            Some(trace) => tracing::error!(script, "{shown}\n{trace}"),
            None => tracing::error!(script, "{shown}"),
        }
    }

    /// As `tg.try` and `tg.on_error` give it: always a table.
    pub fn to_table(&self, lua: &Lua, runtime: &Runtime) -> mlua::Result<Value> {
        if let Some(object) = &self.object
            && is_error(object)
        {
            return Ok(Value::Table(object.clone()));
        }
        let fields = lua.create_table()?;
        fields.raw_set("name", self.name)?;
        fields.raw_set("text", self.message.as_str())?;
        if let Some(object) = &self.object {
            fields.raw_set("raised", object)?;
        }
        runtime.prelude()?.make_error.call(fields)
    }
}

/// An error object of ours has a `name`.
fn is_error(object: &Table) -> bool {
    matches!(object.raw_get::<Value>("name"), Ok(Value::String(_)))
}

/// What was raised, in words; runs no code of the script.
pub(super) fn describe(lua: &Lua, raised: &Value) -> String {
    match raised {
        Value::String(text) => text.to_string_lossy(),
        Value::Error(error) => describe_error(error),
        Value::Table(object) => {
            let text = |key: &str| match object.raw_get::<Value>(key) {
                Ok(Value::String(text)) => Some(text.to_string_lossy()),
                Ok(Value::Integer(number)) => Some(number.to_string()),
                _ => None,
            };
            let place = text("place").unwrap_or_default();
            match (text("name"), text("text").or_else(|| text("message"))) {
                (Some(name), None) => format!("{place}{name}"),
                (_, Some(message)) => format!("{place}{message}"),
                (None, None) => "(an error object: a table)".into(),
            }
        }
        Value::Nil => "nil".into(),
        other => {
            let number = lua.coerce_string(other.clone()).ok().flatten();
            number.map_or_else(|| format!("(an error object: a {})", other.type_name()), |text| text.to_string_lossy())
        }
    }
}

/// The message that Lua would have shown; mlua puts its own words before it.
fn describe_error(error: &mlua::Error) -> String {
    match error {
        mlua::Error::RuntimeError(message)
        | mlua::Error::MemoryError(message)
        | mlua::Error::SyntaxError { message, .. } => message.clone(),
        mlua::Error::CallbackError { cause, .. } => describe_error(cause),
        other => other.to_string(),
    }
}

/// The fields of the error object for a call that failed.
pub(super) fn call_error(lua: &Lua, error: &CallError, method: &str, place: &str) -> mlua::Result<Table> {
    let fields = lua.create_table()?;
    fields.raw_set("place", place)?;
    fields.raw_set("method", method)?;
    let (name, text) = match error {
        CallError::Rpc(rpc) => {
            fields.raw_set("code", rpc.code)?;
            fields.raw_set("value", rpc.value)?;
            let known = crate::tl::error(&rpc.name).map(|known| known.text).filter(|text| !text.is_empty());
            let method = if rpc.method.is_empty() { method } else { rpc.method.as_str() };
            let value = rpc.value.map_or(String::new(), |value| format!(" {value}"));
            let hint = match (rpc.name.as_str(), known) {
                ("BOT_METHOD_INVALID", _) => ": bots cannot call this method, only user accounts can".to_owned(),
                (_, Some(text)) => format!(": {text}"),
                (_, None) => String::new(),
            };
            (rpc.name.clone(), format!("{} {}{value} by {method}{hint}", rpc.code, rpc.name))
        }
        CallError::OutcomeUnknown { .. } => (
            "OUTCOME_UNKNOWN".into(),
            format!("OUTCOME_UNKNOWN by {method}: the connection broke, it may have been done or not"),
        ),
        CallError::NoAnswer { only_reads, .. } => match only_reads {
            true => ("TIMEOUT".into(), format!("TIMEOUT: {error}")),
            false => ("OUTCOME_UNKNOWN".into(), format!("OUTCOME_UNKNOWN: {error}, and it may have been done or not")),
        },
        CallError::Closed { .. } => ("CLOSED".into(), format!("{method} was not called: {error}")),
        CallError::Invalid(_) => ("INVALID_CALL".into(), format!("{method}: {error}")),
        CallError::Malformed { .. } => ("MALFORMED_ANSWER".into(), error.to_string()),
    };
    fields.raw_set("name", name)?;
    fields.raw_set("text", text)?;
    Ok(fields)
}
