//! Values to bytes.

use super::borrowed::{MAX_BYTES, put_bytes};
use super::object::Object;
use super::reader::MAX_DEPTH;
use super::schema::{Definition, Param, Type};
use super::value::Value;
use super::{BOOL_FALSE, BOOL_TRUE, VECTOR};
use thiserror::Error;

/// Why a value cannot be written, and where: `messages.sendMessage.reply_to.reply_to_msg_id: int expected, got string`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}: {problem}")]
pub struct EncodeError {
    /// The function or constructor, then fields and `[index]`es down to the value.
    pub path: String,
    pub problem: String,
}

/// Writes a constructor or function with its id. The types of all fields are checked, and that those that must be there are;
/// `flags` fields are computed. On an error `out` has a part of the value at its end.
pub fn encode(object: &Object, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    boxed(object, out, MAX_DEPTH).map_err(|error| error.within(object.name()))
}

/// Writes a value of a type, without a name in the path of an error.
pub fn encode_value(value: &Value, ty: &Type, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    write(value, ty, out, MAX_DEPTH)
}

fn boxed(object: &Object, out: &mut Vec<u8>, depth: u16) -> Result<(), EncodeError> {
    out.extend_from_slice(&object.id().to_le_bytes());
    body(object, out, depth)
}

fn body(object: &Object, out: &mut Vec<u8>, depth: u16) -> Result<(), EncodeError> {
    let depth = depth.checked_sub(1).ok_or_else(|| problem(format!("nested deeper than {MAX_DEPTH}")))?;
    let definition = object.definition();
    for (index, param) in definition.params.iter().enumerate() {
        match (object.at(index), param.flag) {
            (_, None) if param.ty == Type::Flags => {
                let flags = flags(object, index);
                out.extend_from_slice(&flags.to_le_bytes());
            }
            (Some(_), Some(_)) if param.ty == Type::True => {}
            (Some(value), _) => write(value, &param.ty, out, depth).map_err(|error| error.within(param.name))?,
            (None, None) => return Err(problem("missing".to_owned()).within(param.name)),
            (None, Some(_)) if param.ty == Type::True => {}
            // Absent, unless another field of the same bit is there: the reader would look for this one too.
            (None, Some(_)) => {
                if let Some(other) = partner(object, definition, param) {
                    return Err(problem(format!("missing, as it goes with {}", other.name)).within(param.name));
                }
            }
        }
    }
    Ok(())
}

fn flags(object: &Object, field: usize) -> u32 {
    let params = object.definition().params.iter().enumerate();
    params.fold(0, |bits, (index, param)| match param.flag {
        Some(flag) if usize::from(flag.field) == field && object.at(index).is_some() => bits | 1 << flag.bit,
        _ => bits,
    })
}

fn partner(object: &Object, definition: &'static Definition, param: &Param) -> Option<&'static Param> {
    let params = definition.params.iter().enumerate();
    params
        .filter(|(_, other)| other.flag == param.flag)
        .find(|(index, _)| object.at(*index).is_some())
        .map(|(_, other)| other)
}

fn write(value: &Value, ty: &Type, out: &mut Vec<u8>, depth: u16) -> Result<(), EncodeError> {
    match (ty, value) {
        (Type::Int, Value::Int(int)) => match i32::try_from(*int) {
            Ok(int) => out.extend_from_slice(&int.to_le_bytes()),
            Err(_) => return Err(problem(format!("int expected, {int} is out of its range"))),
        },
        (Type::Long, Value::Int(int)) => out.extend_from_slice(&int.to_le_bytes()),
        (Type::Int | Type::Long, Value::Double(double)) => match whole(*double) {
            Some(int) => write(&Value::Int(int), ty, out, depth)?,
            None => return Err(problem(format!("{ty} expected, got {double}"))),
        },
        (Type::Double, Value::Double(double)) => out.extend_from_slice(&double.to_le_bytes()),
        (Type::Double, Value::Int(int)) => out.extend_from_slice(&(*int as f64).to_le_bytes()),
        (Type::Bool, Value::Bool(true)) => out.extend_from_slice(&BOOL_TRUE.to_le_bytes()),
        (Type::Bool, Value::Bool(false)) => out.extend_from_slice(&BOOL_FALSE.to_le_bytes()),
        (Type::String, Value::String(string)) => bytes(string.as_bytes(), out)?,
        (Type::String, Value::Bytes(string)) if std::str::from_utf8(string).is_err() => {
            return Err(problem("string expected, got bytes that are not UTF-8".to_owned()));
        }
        (Type::String | Type::Bytes, Value::Bytes(value)) => bytes(value, out)?,
        (Type::Bytes, Value::String(string)) => bytes(string.as_bytes(), out)?,
        (Type::Int128, Value::Int128(value)) => out.extend_from_slice(value),
        (Type::Int256, Value::Int256(value)) => out.extend_from_slice(value),
        (Type::Int128, Value::Bytes(value)) if value.len() == 16 => out.extend_from_slice(value),
        (Type::Int256, Value::Bytes(value)) if value.len() == 32 => out.extend_from_slice(value),
        (Type::Boxed(ty), Value::Object(object)) if object.definition().is_of(ty) => boxed(object, out, depth)?,
        (Type::Bare(bare), Value::Object(object)) if object.definition() == bare.constructor() => {
            body(object, out, depth)?
        }
        (Type::Generic, Value::Object(object)) if object.definition().is_function() => boxed(object, out, depth)?,
        (Type::Vector(item), Value::Vector(items)) => {
            out.extend_from_slice(&VECTOR.to_le_bytes());
            vector(items, item, out, depth)?;
        }
        (Type::BareVector(item), Value::Vector(items)) => vector(items, item, out, depth)?,
        (ty, value) => return Err(problem(format!("{} expected, got {}", expected(ty), value.kind()))),
    }
    Ok(())
}

fn vector(items: &[Value], item: &Type, out: &mut Vec<u8>, depth: u16) -> Result<(), EncodeError> {
    let count = i32::try_from(items.len()).map_err(|_| problem("too many items".to_owned()))?;
    out.extend_from_slice(&count.to_le_bytes());
    for (index, value) in items.iter().enumerate() {
        write(value, item, out, depth).map_err(|error| error.within(&format!("[{}]", index + 1)))?;
    }
    Ok(())
}

fn bytes(value: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if value.len() > MAX_BYTES {
        return Err(problem(format!("{} bytes are more than the {MAX_BYTES} that fit", value.len())));
    }
    put_bytes(value, out);
    Ok(())
}

fn whole(double: f64) -> Option<i64> {
    // 2^63 is the first that does not fit; -2^63 does.
    let fits = double.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&double);
    fits.then_some(double as i64)
}

fn expected(ty: &Type) -> String {
    match ty {
        Type::Generic => "function".to_owned(),
        ty => ty.to_string(),
    }
}

#[cold]
fn problem(problem: String) -> EncodeError {
    EncodeError { path: String::new(), problem }
}

impl EncodeError {
    #[cold]
    fn within(mut self, name: &str) -> EncodeError {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{joint}{}", self.path);
        self
    }
}
