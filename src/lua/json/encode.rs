//! Lua tables to text.

use std::ffi::c_void;
use std::fmt::Write;

use mlua::{Table, Value};

use super::{MAX_DEPTH, mark};
use crate::lua::bounded::{Budget, CPU_LIMIT};

/// Steps for a value: what reading it from a table takes.
const VALUE: u64 = 100;

#[derive(Clone, Copy)]
pub(in crate::lua) struct Options {
    /// A line for each value, two spaces a level.
    pub pretty: bool,
    /// Bytes that the text may have.
    pub limit: usize,
}

/// Writes a value, keys in order. The error says what cannot be written, with the path to it.
pub(in crate::lua) fn encode(
    value: &Value,
    marks: &Table,
    budget: &Budget,
    options: Options,
) -> Result<Vec<u8>, String> {
    let mut encoder = Encoder { marks, budget, options, out: Vec::new(), path: Vec::new(), open: Vec::new() };
    encoder.value(value)?;
    Ok(encoder.out)
}

struct Encoder<'e> {
    marks: &'e Table,
    budget: &'e Budget,
    options: Options,
    out: Vec<u8>,
    path: Vec<Key>,
    /// The tables that the path leads through.
    open: Vec<*const c_void>,
}

enum Key {
    Index(i64),
    Name(String),
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value) -> Result<(), String> {
        let before = self.out.len();
        match value {
            Value::Nil => self.out.extend(b"null"),
            value if value.is_null() => self.out.extend(b"null"),
            Value::Boolean(flag) => self.out.extend(if *flag { b"true".as_slice() } else { b"false" }),
            Value::Integer(number) => self.write(number)?,
            Value::Number(number) if number.is_finite() => self.write(number)?,
            Value::Number(number) => {
                let name = if number.is_nan() { "nan" } else { "inf" };
                return Err(format!("{} is {name}, which JSON does not have", self.place()));
            }
            Value::String(text) => match text.to_str() {
                Ok(text) => self.write(&*text)?,
                Err(_) => {
                    let at = self.place();
                    return Err(format!(
                        "{at} is a string that is not UTF-8; crypto.base64_encode makes any bytes a text"
                    ));
                }
            },
            Value::Table(table) => return self.table(table),
            other => return Err(format!("{} is a {}, which JSON does not have", self.place(), other.type_name())),
        }
        self.account(before)
    }

    fn write(&mut self, value: &(impl serde::Serialize + ?Sized)) -> Result<(), String> {
        serde_json::to_writer(&mut self.out, value).map_err(|error| error.to_string())
    }

    /// What was written since costs time, and has to stay within bounds: a table that is found in many places makes a text
    /// that is larger than any memory.
    fn account(&mut self, before: usize) -> Result<(), String> {
        if self.out.len() > self.options.limit {
            return Err("not enough memory for the text".into());
        }
        let written = (self.out.len() - before) as u64;
        self.budget.charge(VALUE + written).map_err(|_| CPU_LIMIT.to_owned())
    }

    fn table(&mut self, table: &Table) -> Result<(), String> {
        let address = table.to_pointer();
        if self.open.contains(&address) {
            return Err(format!("{} is a table that holds itself", self.place()));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("{} is nested too deep", self.place()));
        }
        self.open.push(address);
        let length = self.length(table)?;
        match length {
            Some(length) => self.list(table, length)?,
            None => self.object(table)?,
        }
        self.open.pop();
        Ok(())
    }

    /// The length of what is a list.
    fn length(&self, table: &Table) -> Result<Option<usize>, String> {
        if all_fields(table).is_some() {
            return Ok(None);
        }
        let marked = mark(self.marks, table).map_err(|error| error.to_string())?;
        if marked == Some(false) {
            return Ok(None);
        }
        let length = table.raw_len();
        if marked.is_none() && length == 0 {
            return Ok(None);
        }
        let mut count = 0;
        let mut stranger = None;
        let each = |key: Value, _: Value| {
            match key {
                Value::Integer(_) => count += 1,
                other => stranger = Some(other),
            }
            Ok(())
        };
        self.budget.charge(20 * length as u64).map_err(|_| CPU_LIMIT.to_owned())?;
        table.for_each(each).map_err(|error| error.to_string())?;
        if marked == Some(true) {
            if let Some(key) = stranger {
                let key = key.to_string().unwrap_or_default();
                return Err(format!("{} is marked as a list and has the key {key}", self.table_place()));
            }
            // Where items are missing, raw_len is any of the holes, and there are more numbers than it says.
            let missing = (1..=count).find(|i| matches!(table.raw_get(*i), Ok(Value::Nil)));
            if let Some(missing) = missing {
                let at = self.table_place();
                return Err(format!("{at} is marked as a list and its item {missing} is missing; json.null is null"));
            }
        }
        let is_list = stranger.is_none() && count == length;
        Ok(is_list.then_some(length))
    }

    fn list(&mut self, table: &Table, length: usize) -> Result<(), String> {
        self.out.push(b'[');
        for i in 1..=length {
            let item: Value = table.raw_get(i).map_err(|error| error.to_string())?;
            self.separate(i == 1);
            self.path.push(Key::Index(i as i64));
            self.value(&item)?;
            self.path.pop();
        }
        self.end(length == 0, b']')
    }

    fn object(&mut self, table: &Table) -> Result<(), String> {
        let mut pairs: Vec<(String, Key, Value)> = Vec::new();
        let mut stranger = None;
        let each = |key: Value, value: Value| {
            let (text, key) = match key {
                Value::String(key) => match key.to_str() {
                    Ok(key) => (key.to_owned(), Key::Name(key.to_owned())),
                    Err(_) => {
                        stranger = Some("a string that is not UTF-8");
                        return Ok(());
                    }
                },
                Value::Integer(key) => (key.to_string(), Key::Index(key)),
                Value::Number(_) => {
                    stranger = Some("a number with a fraction");
                    return Ok(());
                }
                other => {
                    stranger = Some(other.type_name());
                    return Ok(());
                }
            };
            pairs.push((text, key, value));
            self.budget.charge(2 * VALUE)
        };
        // An object of ours has fields that it decodes only now.
        let visited = match all_fields(table) {
            Some(all) => all.call::<Table>(table).and_then(|all| all.for_each(each)),
            None => table.for_each(each),
        };
        visited.map_err(|error| match error {
            mlua::Error::RuntimeError(message) => message,
            other => other.to_string(),
        })?;
        if let Some(stranger) = stranger {
            let article = if stranger.starts_with("a ") { "" } else { "a " };
            let at = self.table_place();
            return Err(format!("{at} has a key that is {article}{stranger}; a key in JSON is a text"));
        }
        pairs.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("{} has the key {} both as a number and as a text", self.table_place(), pair[0].0));
        }
        self.out.push(b'{');
        let is_empty = pairs.is_empty();
        for (i, (text, key, value)) in pairs.into_iter().enumerate() {
            self.separate(i == 0);
            self.write(text.as_str())?;
            self.out.extend(if self.options.pretty { b": ".as_slice() } else { b":" });
            self.path.push(key);
            self.value(&value)?;
            self.path.pop();
        }
        self.end(is_empty, b'}')
    }

    fn separate(&mut self, is_first: bool) {
        if !is_first {
            self.out.push(b',');
        }
        self.line(self.open.len());
    }

    fn end(&mut self, is_empty: bool, bracket: u8) -> Result<(), String> {
        let before = self.out.len();
        if !is_empty {
            self.line(self.open.len() - 1);
        }
        self.out.push(bracket);
        self.account(before)
    }

    fn line(&mut self, depth: usize) {
        if self.options.pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * depth, b' ');
        }
    }

    /// Where in the value the path leads, as its author would write it.
    fn place(&self) -> String {
        if self.path.is_empty() { "the value".into() } else { self.table_place() }
    }

    fn table_place(&self) -> String {
        let mut place = "value".to_owned();
        for key in &self.path {
            // Writing to a String does not fail.
            let _ = match key {
                Key::Index(index) => write!(place, "[{index}]"),
                Key::Name(name) if is_name(name) => write!(place, ".{name}"),
                Key::Name(name) => write!(place, "[{name:?}]"),
            };
        }
        place
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The function that gives all fields of an object of ours.
fn all_fields(table: &Table) -> Option<mlua::Function> {
    table.metatable()?.raw_get("__all").ok()
}
