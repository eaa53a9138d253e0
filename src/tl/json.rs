//! Values as JSON.
//!
//! An object is `{"_": "name", …}` with its fields by name, absent ones left out and flags `true`. `int` and `long` are
//! integers, `string` a string. `bytes`, `int128` and `int256` are `{"$bytes": "0a1b…"}` in hexadecimal; where `bytes` are
//! expected a string may be given too. A `double` that JSON cannot say is `{"$double": "NaN"}`, `"inf"` or `"-inf"`.

use super::object::{FieldError, Object, UnknownName};
use super::reader::MAX_DEPTH;
use super::schema::Definition;
use super::value::Value;
use serde_json::{Map, Number, Value as Json, json};
use std::fmt::Write;
use thiserror::Error;

/// Why JSON is not a TL value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    #[error("{path}: {error}")]
    Name { path: String, error: UnknownName },
    #[error("{0}")]
    Field(#[from] FieldError),
    #[error("{path}: {problem}")]
    Value { path: String, problem: &'static str },
}

impl Object {
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        map.insert("_".to_owned(), self.name().into());
        map.extend(self.fields().map(|(name, value)| (name.to_owned(), value.to_json())));
        Json::Object(map)
    }

    /// Reads `{"_": "name", …}`. The types of the fields are checked by `encode`.
    pub fn from_json(json: &Json) -> Result<Object, JsonError> {
        match Value::from_json_at(json, "value", MAX_DEPTH)? {
            Value::Object(object) => Ok(object),
            _ => Err(problem("value", "an object with `_` is expected")),
        }
    }

    /// Reads the fields of a function or constructor that is already known, without `_`: `{"peer": …, "message": "hi"}`.
    pub fn from_json_fields(definition: &'static Definition, fields: &Map<String, Json>) -> Result<Object, JsonError> {
        fields_at(definition, fields, definition.name, MAX_DEPTH)
    }
}

impl Value {
    pub fn to_json(&self) -> Json {
        match self {
            Value::Int(value) => (*value).into(),
            Value::Double(value) => match Number::from_f64(*value) {
                Some(number) => Json::Number(number),
                None => json!({ "$double": value.to_string() }),
            },
            Value::Bool(value) => (*value).into(),
            Value::String(value) => value.as_str().into(),
            Value::Bytes(value) => hex_object(value),
            Value::Int128(value) => hex_object(value),
            Value::Int256(value) => hex_object(value),
            Value::Vector(items) => items.iter().map(Value::to_json).collect(),
            Value::Object(object) => object.to_json(),
        }
    }

    pub fn from_json(json: &Json) -> Result<Value, JsonError> {
        Value::from_json_at(json, "value", MAX_DEPTH)
    }

    fn from_json_at(json: &Json, path: &str, depth: u16) -> Result<Value, JsonError> {
        let depth = depth.checked_sub(1).ok_or_else(|| problem(path, "nested too deep"))?;
        Ok(match json {
            Json::Null => return Err(problem(path, "null stands for no value")),
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(int), _) => Value::Int(int),
                (None, Some(double)) if number.is_f64() => Value::Double(double),
                _ => return Err(problem(path, "the number does not fit into a long")),
            },
            Json::String(value) => Value::String(value.clone()),
            Json::Array(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(index, item)| Value::from_json_at(item, &format!("{path}[{index}]"), depth));
                Value::Vector(items.collect::<Result<_, _>>()?)
            }
            Json::Object(map) => match (map.get("_"), map.get("$bytes"), map.get("$double")) {
                (Some(Json::String(name)), ..) => {
                    let named = Object::try_new(name);
                    let named = named.map_err(|error| JsonError::Name { path: path.to_owned(), error })?;
                    Value::Object(fields_at(named.definition(), map, path, depth)?)
                }
                (None, Some(Json::String(hex)), _) => {
                    Value::Bytes(from_hex(hex).ok_or_else(|| problem(path, "$bytes is not hexadecimal"))?)
                }
                (None, None, Some(Json::String(double))) => {
                    Value::Double(double.parse().map_err(|_| problem(path, "$double is not a number"))?)
                }
                _ => return Err(problem(path, "an object needs `_`, the name of its constructor")),
            },
        })
    }
}

fn fields_at(
    definition: &'static Definition,
    map: &Map<String, Json>,
    path: &str,
    depth: u16,
) -> Result<Object, JsonError> {
    let mut object = Object::of(definition);
    for (name, value) in map.iter().filter(|(name, _)| *name != "_") {
        let value = match value {
            Json::Null => None,
            value => Some(Value::from_json_at(value, &format!("{path}.{name}"), depth)?),
        };
        object.try_set(name, value)?;
    }
    Ok(object)
}

fn problem(path: &str, problem: &'static str) -> JsonError {
    JsonError::Value { path: path.to_owned(), problem }
}

fn hex_object(bytes: &[u8]) -> Json {
    let hex = bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    json!({ "$bytes": hex })
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: Json) -> String {
        Object::from_json(&json).expect_err("it is wrong").to_string()
    }

    #[test]
    fn an_object_comes_back_from_json() {
        let object = Object::new("message")
            .with("out", true)
            .with("id", 5)
            .with("peer_id", Object::new("peerUser").with("user_id", i64::MAX))
            .with("date", 0)
            .with("message", "привет")
            .with("entities", vec![Object::new("messageEntityBold").with("offset", 0).with("length", 2)]);
        assert_eq!(Object::from_json(&object.to_json()), Ok(object));
    }

    #[test]
    fn bytes_are_hexadecimal() {
        let object = Object::new("fileHash").with("offset", 1).with("limit", 2).with("hash", vec![0u8, 0xab]);
        let json = json!({ "_": "fileHash", "offset": 1, "limit": 2, "hash": { "$bytes": "00ab" } });
        assert_eq!(object.to_json(), json);
        assert_eq!(Object::from_json(&json), Ok(object));
    }

    #[test]
    fn a_double_that_json_cannot_say_comes_back() {
        let back = Value::from_json(&Value::Double(f64::NEG_INFINITY).to_json());
        assert_eq!(back, Ok(Value::Double(f64::NEG_INFINITY)));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        assert_eq!(error(json!({ "_": "peerUsr" })), "value: there is no `peerUsr`; did you mean `peerUser`?");
        assert_eq!(
            error(json!({ "_": "peerUser", "userid": 1 })),
            "no field `userid` in peerUser; did you mean `user_id`?"
        );
        assert_eq!(
            error(json!({ "_": "peerUser", "user_id": {} })),
            "value.user_id: an object needs `_`, the name of its constructor"
        );
        assert_eq!(
            error(json!({ "_": "peerUser", "user_id": [{ "$bytes": "0" }] })),
            "value.user_id[0]: $bytes is not hexadecimal"
        );
        assert_eq!(error(json!([])), "value: an object with `_` is expected");
    }
}
