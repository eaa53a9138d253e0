//! Values whose type is known at run time only.

use super::object::Object;

/// A TL value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `int` and `long`; the range is checked when it is encoded.
    Int(i64),
    Double(f64),
    Bool(bool),
    /// `bytes`. A `string` may be given so too.
    Bytes(Vec<u8>),
    /// `string`. `bytes` may be given so too.
    String(String),
    Int128([u8; 16]),
    Int256([u8; 32]),
    Vector(Vec<Value>),
    Object(Object),
}

impl Value {
    /// What it is, for a message: `string`, `messages.sendMessage`.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Int(_) => "integer",
            Value::Double(_) => "number",
            Value::Bool(_) => "boolean",
            Value::Bytes(_) => "bytes",
            Value::String(_) => "string",
            Value::Int128(_) => "int128",
            Value::Int256(_) => "int256",
            Value::Vector(_) => "vector",
            Value::Object(object) => object.name(),
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_double(&self) -> Option<f64> {
        match self {
            Value::Double(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(value) => Some(value),
            _ => None,
        }
    }

    /// Of `bytes`, `string`, `int128` and `int256`.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(value) => Some(value),
            Value::String(value) => Some(value.as_bytes()),
            Value::Int128(value) => Some(value),
            Value::Int256(value) => Some(value),
            _ => None,
        }
    }

    pub fn as_vector(&self) -> Option<&[Value]> {
        match self {
            Value::Vector(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    pub fn into_object(self) -> Option<Object> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($ty:ty => |$value:ident| $into:expr;)*) => {$(
        impl From<$ty> for Value {
            fn from($value: $ty) -> Value {
                $into
            }
        }

        impl VectorItem for $ty {}
    )*};
}

/// Whatever a vector of it becomes a `Value::Vector`; `u8` is not among them, a vector of it is `bytes`.
pub trait VectorItem: Into<Value> {}

from! {
    i32 => |value| Value::Int(value.into());
    u32 => |value| Value::Int(value.into());
    i64 => |value| Value::Int(value);
    f64 => |value| Value::Double(value);
    bool => |value| Value::Bool(value);
    &str => |value| Value::String(value.to_owned());
    String => |value| Value::String(value);
    &[u8] => |value| Value::Bytes(value.to_vec());
    Vec<u8> => |value| Value::Bytes(value);
    [u8; 16] => |value| Value::Int128(value);
    [u8; 32] => |value| Value::Int256(value);
    Object => |value| Value::Object(value);
}

impl VectorItem for Value {}

impl<T: VectorItem> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        Value::Vector(items.into_iter().map(Into::into).collect())
    }
}
