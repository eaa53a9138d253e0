//! Bytes to values.

use super::VECTOR;
use super::object::Object;
use super::reader::{DecodeError, Reader};
use super::schema::{Definition, Kind, Type, by_id};
use super::value::Value;

/// Which definitions may be met.
pub(super) trait Known {
    fn by_id(id: u32) -> Option<&'static Definition>;
}

/// Those of this layer.
struct ThisLayer;

impl Known for ThisLayer {
    #[inline]
    fn by_id(id: u32) -> Option<&'static Definition> {
        by_id(id)
    }
}

/// Reads one boxed constructor or function, which must be all there is.
pub fn decode_object(bytes: &[u8]) -> Result<Object, DecodeError> {
    let mut reader = Reader::new(bytes);
    let object = reader.object()?;
    reader.finish()?;
    Ok(object)
}

/// Reads one value of a type. Bytes may follow.
pub fn decode_value(reader: &mut Reader, ty: &Type) -> Result<Value, DecodeError> {
    value::<ThisLayer>(reader, ty)
}

fn value<K: Known>(reader: &mut Reader, ty: &Type) -> Result<Value, DecodeError> {
    Ok(match ty {
        Type::Flags => Value::Int(reader.id()?.into()),
        Type::Int => Value::Int(reader.int()?.into()),
        Type::Long => Value::Int(reader.long()?),
        Type::Double => Value::Double(reader.double()?),
        Type::String => Value::String(reader.string()?.to_owned()),
        Type::Bytes => Value::Bytes(reader.bytes()?.to_vec()),
        Type::Bool => Value::Bool(reader.bool()?),
        Type::True => Value::Bool(true),
        Type::Int128 => Value::Int128(*reader.array()?),
        Type::Int256 => Value::Int256(*reader.array()?),
        Type::Boxed(ty) => {
            let id = reader.id()?;
            match K::by_id(id) {
                Some(definition) if definition.is_of(ty) => Value::Object(body::<K>(reader, definition)?),
                _ => return Err(DecodeError::UnknownConstructor { id, expected: ty.name }),
            }
        }
        Type::Bare(bare) => Value::Object(body::<K>(reader, bare.constructor())?),
        Type::Vector(item) => {
            reader.expect(VECTOR)?;
            items::<K>(reader, item)?
        }
        Type::BareVector(item) => items::<K>(reader, item)?,
        Type::Generic => {
            let id = reader.id()?;
            match K::by_id(id) {
                Some(definition) if definition.kind == Kind::Function => Value::Object(body::<K>(reader, definition)?),
                _ => return Err(DecodeError::UnknownConstructor { id, expected: "function" }),
            }
        }
    })
}

/// Reads what a function returned, which must be all there is. A function that wraps another returns what that one does, so
/// for it pass the definition that [`returning`] finds; here it is an error.
pub fn decode_result(function: &Definition, bytes: &[u8]) -> Result<Value, DecodeError> {
    if function.result == Type::Generic {
        return Err(DecodeError::Generic);
    }
    let mut reader = Reader::new(bytes);
    let value = decode_value(&mut reader, &function.result)?;
    reader.finish()?;
    Ok(value)
}

/// The definition that says what a call returns: the function's own, or that of the query within `invokeWithLayer` and the
/// like, however deep.
pub fn returning(call: &Object) -> &'static Definition {
    let mut call = call;
    while call.definition().is_generic() {
        match call.object("query") {
            Some(query) => call = query,
            None => break,
        }
    }
    call.definition()
}

fn items<K: Known>(reader: &mut Reader, item: &Type) -> Result<Value, DecodeError> {
    let count = reader.count(item.min_size())?;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(value::<K>(reader, item)?);
    }
    Ok(Value::Vector(values))
}

impl Reader<'_> {
    /// One boxed constructor or function, whatever it is.
    pub fn object(&mut self) -> Result<Object, DecodeError> {
        object::<ThisLayer>(self)
    }
}

pub(super) fn object<K: Known>(reader: &mut Reader) -> Result<Object, DecodeError> {
    let id = reader.id()?;
    body::<K>(reader, K::by_id(id).ok_or(DecodeError::UnknownId(id))?)
}

fn body<K: Known>(reader: &mut Reader, definition: &'static Definition) -> Result<Object, DecodeError> {
    reader.enter()?;
    let mut object = Object::of(definition);
    let mut flags = [0u32; 4];
    let mut slot = 0;
    for (index, param) in definition.params.iter().enumerate() {
        if let Some(flag) = param.flag
            && flags[usize::from(flag.slot) & 3] >> (flag.bit & 31) & 1 == 0
        {
            continue;
        }
        match param.ty {
            Type::Flags => {
                flags[slot & 3] = reader.id()?;
                slot += 1;
            }
            Type::True => object.put_true(index),
            ref ty => object.push(index, value::<K>(reader, ty)?),
        }
    }
    reader.leave();
    Ok(object)
}
