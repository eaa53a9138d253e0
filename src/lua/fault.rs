//! What a handler raised, on its way to the log and to `tg.on_error`.

use mlua::{Lua, Table, Thread, Value};

use super::error::LoadError;
use super::natives::PRELUDE_SOURCE;
use super::outside::size;
use super::runtime::{JobKind, Runtime, Task};
use super::thread;
use crate::client::CallError;

/// Longer messages and tracebacks are cut: a script may raise a string of megabytes.
const MAX_MESSAGE: usize = 4 << 10;

/// What Lua raises for want of memory, with no place before it and past every message handler.
const NO_MEMORY: &str = "not enough memory";

/// A fault of a script.
pub(super) struct Fault {
    /// With the place before it: `hello.lua:3: …`.
    pub message: String,
    trace: Option<String>,
    /// The error object, where one was raised.
    object: Option<Table>,
    name: &'static str,
    /// Whether it is that a limit was passed, for which the handler was ended.
    pub is_limit: bool,
}

impl Fault {
    fn new(name: &'static str, message: impl Into<String>) -> Fault {
        Fault { message: message.into(), trace: None, object: None, name, is_limit: false }
    }

    /// From what a coroutine raised that it did not survive.
    pub fn raised(lua: &Lua, runtime: &Runtime, thread: &Thread, raised: Value, task: Option<&Task>) -> Fault {
        if is_memory(&raised) {
            let inner = runtime.memory_place.take();
            let place = inner.or_else(|| thread::place_of(lua, thread));
            let mut fault = Fault::memory(runtime, place.as_deref(), task);
            fault.trace = thread::trace_of(lua, thread);
            return fault;
        }
        let mut fault = Fault::new("LUA_ERROR", describe(lua, &raised));
        fault.trace = thread::trace_of(lua, thread);
        if let Value::Table(object) = raised {
            fault.object = Some(object);
        }
        fault
    }

    /// A handler, or something else, met its limit of CPU time at that place; `thread` is where it was stopped.
    pub fn cpu(lua: &Lua, runtime: &Runtime, place: &str, thread: Option<&Thread>, task: Option<&Task>) -> Fault {
        let is_ours = place.is_empty() || place.starts_with(PRELUDE_SOURCE);
        let own = thread.filter(|_| is_ours).and_then(|thread| thread::place_of(lua, thread));
        let place = own.as_deref().unwrap_or(place);
        let limit = runtime.budget.limit().as_secs_f64();
        let what = busy_with(task);
        let message = format!(
            "{}stopped{what}, it used more than {limit} s of CPU time without waiting (limits.cpu)",
            before(runtime, Some(place)),
        );
        let mut fault = Fault::new("CPU_LIMIT", message);
        fault.trace = thread.and_then(|thread| thread::trace_of(lua, thread));
        fault.is_limit = true;
        fault
    }

    /// There was no memory for what a handler, or something else, wanted at that place.
    pub fn memory(runtime: &Runtime, place: Option<&str>, task: Option<&Task>) -> Fault {
        let what = busy_with(task);
        let limit = size(runtime.outside.limit());
        let message = format!(
            "{}{NO_MEMORY}: stopped{what}, it needs more than the limit of {limit} (limits.memory)",
            before(runtime, place),
        );
        Fault { is_limit: true, ..Fault::new("MEMORY_LIMIT", message) }
    }

    /// A native of ours failed beside the script's own code.
    pub fn of_host(runtime: &Runtime, error: &mlua::Error, task: Option<&Task>) -> Fault {
        if is_memory_error(error) {
            return Fault::memory(runtime, None, task);
        }
        Fault::internal(error.to_string())
    }

    pub fn internal(message: impl Into<String>) -> Fault {
        Fault::new("LUA_ERROR", message)
    }

    /// The whole story: message, source line, caret, traceback.
    pub fn log(&self, runtime: &Runtime) {
        let script = runtime.name();
        if !runtime.may_log(self.message.len()) {
            return;
        }
        let shown = LoadError::new(script, &self.message, &runtime.files);
        match self.trace.as_deref().map(str::trim).filter(|trace| !trace.is_empty()) {
            Some(trace) => tracing::error!(script, "{shown}\n{}", cut(trace)),
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

/// `hello.lua:3: `, or the script's main file where the line is not known.
fn before(runtime: &Runtime, place: Option<&str>) -> String {
    match place {
        Some(place) if !place.is_empty() => format!("{place}: "),
        _ => format!("{}: ", runtime.files.main_name()),
    }
}

/// ` (handler of hello.lua:1)`: what a worker was doing, where it was doing anything.
fn busy_with(task: Option<&Task>) -> String {
    let (what, place) = match task {
        None => return String::new(),
        Some(Task::Update(run)) if run.asks_filter() => return " (a filter)".into(),
        Some(Task::Update(run)) => match &run.handler {
            Some(handler) => ("handler", Some(handler.place.clone())),
            None => return String::new(),
        },
        Some(Task::Job(job)) => {
            let what = match job.kind {
                JobKind::Main => return " (the top level)".into(),
                JobKind::Start => "handler of the event start,",
                JobKind::Task => "task",
                JobKind::Branch => "function of tg.in_order,",
                JobKind::Unload => "handler of the event stop,",
                JobKind::Error => "handler of the event error,",
                JobKind::Console(_) => return " (a line of the console)".into(),
            };
            let info = job.function.info();
            let place = info.short_src.filter(|source| !source.starts_with(PRELUDE_SOURCE));
            (what, place.zip(info.line_defined).map(|(source, line)| format!("{source}:{line}")))
        }
    };
    match place {
        Some(place) if what.ends_with(',') => format!(" ({what} {place})"),
        Some(place) => format!(" ({what} of {place})"),
        None => format!(" ({})", what.trim_end_matches(',')),
    }
}

/// Whether what was raised says that there is no memory.
pub(super) fn is_memory(raised: &Value) -> bool {
    match raised {
        Value::String(text) => text.as_bytes() == NO_MEMORY.as_bytes(),
        Value::Error(error) => is_memory_error(error),
        _ => false,
    }
}

fn is_memory_error(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::MemoryError(_) => true,
        mlua::Error::CallbackError { cause, .. } => is_memory_error(cause),
        _ => false,
    }
}

/// A text, or as much of it as anyone reads.
pub(super) fn cut(text: &str) -> std::borrow::Cow<'_, str> {
    if text.len() <= MAX_MESSAGE {
        return text.into();
    }
    let end = (0..=MAX_MESSAGE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}… ({} bytes in all)", &text[..end], text.len()).into()
}

/// An error object of ours has a `name`.
fn is_error(object: &Table) -> bool {
    matches!(object.raw_get::<Value>("name"), Ok(Value::String(_)))
}

/// What was raised, in words; runs no code of the script.
pub(super) fn describe(lua: &Lua, raised: &Value) -> String {
    let words = |text: &mlua::LuaString| -> String {
        let bytes = text.as_bytes();
        // One that is longer is not copied as a whole.
        let kept = bytes.len().min(MAX_MESSAGE + 1);
        let shown = String::from_utf8_lossy(&bytes[..kept]);
        if kept == bytes.len() { shown.into_owned() } else { format!("{shown}… ({} bytes in all)", bytes.len()) }
    };
    match raised {
        Value::String(text) => words(text),
        Value::Error(error) => cut(&describe_error(error)).into_owned(),
        Value::Table(object) => {
            let text = |key: &str| match object.raw_get::<Value>(key) {
                Ok(Value::String(text)) => Some(words(&text)),
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
            number.map_or_else(|| format!("(an error object: a {})", other.type_name()), |text| words(&text))
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
