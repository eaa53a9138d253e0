//! A Lua table as a TL object, by the schema's tables.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use mlua::{Table, Value as LuaValue};

use super::grants::Grants;
use super::peers::{self, Wanted};
use crate::client::Client;
use crate::crypto::{Random, SystemRandom};
use crate::tl::{self, BoxedType, Definition, Object, Param, Type, Value};

/// Nested deeper than this is a table that holds itself.
const MAX_DEPTH: usize = 64;

/// Why a table did not become an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lua) enum Stop {
    /// What is wrong, with the path to it.
    Wrong(String),
    /// This name has to be asked for; once it is known the conversion can be tried again.
    Resolve(String),
}

/// Converts one call of a script.
pub(in crate::lua) struct Converter<'c> {
    pub client: &'c Client,
    pub grants: &'c Grants,
    /// Names that were asked for, with their Bot-API ids.
    pub resolved: &'c RefCell<HashMap<String, i64>>,
    /// Bytes that the call may yet take.
    left: Cell<usize>,
}

/// No call is larger, as no packet is that carries one. A few tables can stand for many: one that is in a list twice is
/// converted twice.
const MAX_CALL: usize = 16 << 20;
/// What one value takes at least.
const VALUE: usize = 48;

impl<'c> Converter<'c> {
    pub fn new(client: &'c Client, grants: &'c Grants, resolved: &'c RefCell<HashMap<String, i64>>) -> Converter<'c> {
        Converter { client, grants, resolved, left: Cell::new(MAX_CALL) }
    }
}

impl Converter<'_> {
    fn spend(&self, bytes: usize, path: &str) -> Result<(), Stop> {
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(Stop::Wrong(format!("{path}: the call is larger than {} MiB", MAX_CALL >> 20))),
        }
    }

    /// A call: the function's name, and its fields in a table.
    pub fn function(&self, name: &str, fields: Option<&Table>) -> Result<Object, Stop> {
        let Some(definition) = tl::function(name) else {
            let nearest = tl::nearest_function(name).map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(Stop::Wrong(format!("there is no method {name}{nearest}")));
        };
        self.object(definition, fields, definition.name, 0)
    }

    fn object(
        &self,
        definition: &'static Definition,
        fields: Option<&Table>,
        path: &str,
        depth: usize,
    ) -> Result<Object, Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Wrong(format!("{path}: nested too deep")));
        }
        if definition.is_function() {
            self.grants.check(definition).map_err(Stop::Wrong)?;
        }
        let mut object = Object::of(definition);
        if let Some(fields) = fields {
            self.reject_unknown(definition, fields, path)?;
        }
        for param in definition.fields() {
            let given: LuaValue = match fields {
                Some(fields) => fields.raw_get(param.name).map_err(|error| Stop::Wrong(error.to_string()))?,
                None => LuaValue::Nil,
            };
            let value = match given {
                LuaValue::Nil => self.default(param, &object),
                given => self.field(param, &given, path, depth)?,
            };
            if value.is_some() {
                object.try_set(param.name, value).map_err(|error| Stop::Wrong(format!("{path}: {error}")))?;
            } else if param.flag.is_none() {
                return Err(Stop::Wrong(format!("{path}: {} is missing ({})", param.name, type_name(&param.ty))));
            }
        }
        Ok(object)
    }

    fn field(&self, param: &Param, given: &LuaValue, path: &str, depth: usize) -> Result<Option<Value>, Stop> {
        let at = format!("{path}.{}", param.name);
        if param.ty == Type::True {
            return match given {
                LuaValue::Boolean(flag) => Ok(flag.then_some(Value::Bool(true))),
                other => Err(wrong(&at, &param.ty, other)),
            };
        }
        self.value(&param.ty, given, &at, depth).map(Some)
    }

    /// `random_id` makes a repeated call harmless; nobody wants to write it.
    fn default(&self, param: &Param, so_far: &Object) -> Option<Value> {
        if param.name != "random_id" || param.flag.is_some() {
            return None;
        }
        match param.ty {
            Type::Long => Some(Value::Int(random_id())),
            Type::Vector(Type::Long) => {
                let count = so_far.vector("id").map_or(1, <[Value]>::len);
                Some(Value::Vector((0..count).map(|_| Value::Int(random_id())).collect()))
            }
            _ => None,
        }
    }

    fn value(&self, ty: &Type, given: &LuaValue, path: &str, depth: usize) -> Result<Value, Stop> {
        let text = if let LuaValue::String(text) = given { text.as_bytes().len() } else { 0 };
        self.spend(VALUE + text, path)?;
        Ok(match (ty, given) {
            (Type::Int | Type::Long, LuaValue::Integer(number)) => Value::Int(*number),
            (Type::Int | Type::Long, LuaValue::Number(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Value::Int(*number as i64)
            }
            (Type::Double, LuaValue::Number(number)) => Value::Double(*number),
            (Type::Double, LuaValue::Integer(number)) => Value::Double(*number as f64),
            (Type::Bool, LuaValue::Boolean(flag)) => Value::Bool(*flag),
            (Type::String, LuaValue::String(text)) => match text.to_str() {
                Ok(text) => Value::String(text.to_owned()),
                Err(_) => return Err(Stop::Wrong(format!("{path}: a string here must be UTF-8"))),
            },
            (Type::Bytes, LuaValue::String(bytes)) => Value::Bytes(bytes.as_bytes().to_vec()),
            (Type::Int128, LuaValue::String(bytes)) => match bytes.as_bytes().as_ref().try_into() {
                Ok(bytes) => Value::Int128(bytes),
                Err(_) => return Err(Stop::Wrong(format!("{path}: 16 bytes expected"))),
            },
            (Type::Int256, LuaValue::String(bytes)) => match bytes.as_bytes().as_ref().try_into() {
                Ok(bytes) => Value::Int256(bytes),
                Err(_) => return Err(Stop::Wrong(format!("{path}: 32 bytes expected"))),
            },
            (Type::Vector(item) | Type::BareVector(item), LuaValue::Table(table)) => {
                self.vector(item, table, path, depth)?
            }
            (Type::Boxed(boxed), given) => return self.boxed(boxed, given, path, depth),
            (Type::Bare(bare), LuaValue::Table(table)) => {
                Value::Object(self.object(bare.constructor(), Some(table), path, depth + 1)?)
            }
            (Type::Generic, LuaValue::Table(table)) => {
                let name = constructor_name(table).unwrap_or_default();
                let definition =
                    tl::function(&name).ok_or_else(|| Stop::Wrong(format!("{path}: no method {name:?}")))?;
                Value::Object(self.object(definition, Some(table), path, depth + 1)?)
            }
            (ty, given) => return Err(wrong(path, ty, given)),
        })
    }

    fn vector(&self, item: &Type, table: &Table, path: &str, depth: usize) -> Result<Value, Stop> {
        if constructor_name(table).is_some() {
            return Err(Stop::Wrong(format!("{path}: a list of {} expected, got one object", type_name(item))));
        }
        let count = table.raw_len();
        if count == 0 && !table.is_empty() {
            return Err(Stop::Wrong(format!("{path}: a list of {} expected, got a table of names", type_name(item))));
        }
        let mut values = Vec::with_capacity(count.min(1024));
        for i in 1..=count {
            let given: LuaValue = table.raw_get(i).map_err(|error| Stop::Wrong(error.to_string()))?;
            values.push(self.value(item, &given, &format!("{path}[{i}]"), depth)?);
        }
        Ok(Value::Vector(values))
    }

    fn boxed(&self, boxed: &'static BoxedType, given: &LuaValue, path: &str, depth: usize) -> Result<Value, Stop> {
        let named = match given {
            LuaValue::Table(table) => constructor_name(table),
            _ => None,
        };
        let named = named.map(|name| (tl::constructor(&name), name));
        if let Some((Some(definition), _)) = &named
            && definition.is_of(boxed)
            && let LuaValue::Table(table) = given
        {
            return Ok(Value::Object(self.object(definition, Some(table), path, depth + 1)?));
        }
        if let Some(wanted) = Wanted::of(boxed)
            && let Some(object) = peers::input(self, wanted, given, path)
        {
            return Ok(Value::Object(object?));
        }
        let LuaValue::Table(table) = given else { return Err(wrong(path, &Type::Boxed(boxed), given)) };
        match named {
            Some((Some(definition), _)) => {
                Err(Stop::Wrong(format!("{path}: {} expected, got {}", boxed.name, definition.name)))
            }
            Some((None, name)) => {
                let names = boxed.constructors().map(|definition| definition.name);
                let nearest = tl::nearest(&name, names).or_else(|| tl::nearest_constructor(&name));
                let hint = nearest.map_or(String::new(), |near| format!("; did you mean {near}?"));
                Err(Stop::Wrong(format!("{path}: there is no constructor {name}{hint}")))
            }
            None => {
                let mut constructors = boxed.constructors();
                // A type of one constructor needs no name.
                match (constructors.next(), constructors.next()) {
                    (Some(only), None) => Ok(Value::Object(self.object(only, Some(table), path, depth + 1)?)),
                    _ => Err(Stop::Wrong(format!("{path}: {} expected; its table needs a name in _", boxed.name))),
                }
            }
        }
    }

    fn reject_unknown(&self, definition: &'static Definition, fields: &Table, path: &str) -> Result<(), Stop> {
        let mut unknown = None;
        // A metatable means an object of ours, whose own fields are not the schema's; the lookups above are raw anyhow.
        let visited = fields.for_each(|key: LuaValue, _: LuaValue| {
            let known = match &key {
                LuaValue::String(name) => {
                    let name = name.to_string_lossy();
                    let known = name == "_" || definition.param(&name).is_some_and(|param| param.ty != Type::Flags);
                    if known { None } else { Some(name) }
                }
                LuaValue::Integer(index) => Some(format!("[{index}]")),
                _ => Some(format!("a key of type {}", key.type_name())),
            };
            if unknown.is_none() {
                unknown = known;
            }
            Ok(())
        });
        if let Err(error) = visited {
            return Err(Stop::Wrong(error.to_string()));
        }
        let Some(name) = unknown else { return Ok(()) };
        let near = tl::nearest(&name, definition.fields().map(|param| param.name));
        let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        Err(Stop::Wrong(format!("{path}: there is no field {name}{hint}")))
    }
}

fn constructor_name(table: &Table) -> Option<String> {
    match table.raw_get::<LuaValue>("_") {
        Ok(LuaValue::String(name)) => Some(name.to_string_lossy()),
        _ => None,
    }
}

fn wrong(path: &str, ty: &Type, given: &LuaValue) -> Stop {
    Stop::Wrong(format!("{path}: {} expected, got {}", type_name(ty), given.type_name()))
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::Int | Type::Long | Type::Flags => "an integer".into(),
        Type::Double => "a number".into(),
        Type::String | Type::Bytes | Type::Int128 | Type::Int256 => "a string".into(),
        Type::Bool | Type::True => "a boolean".into(),
        Type::Vector(item) | Type::BareVector(item) => format!("a list of {}", type_name(item)),
        Type::Boxed(boxed) => match Wanted::of(boxed) {
            Some(_) => format!("a chat ({})", boxed.name),
            None => boxed.name.into(),
        },
        Type::Bare(bare) => bare.constructor().name.into(),
        Type::Generic => "a query".into(),
    }
}

fn random_id() -> i64 {
    SystemRandom::default().i64()
}
