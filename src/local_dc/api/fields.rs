//! Reading a query's fields. The schema has checked their types, so a missing field is one whose flag is off.

use crate::local_dc::refusal::Refusal;
use crate::local_dc::world::Blob;
use crate::tl::{self, Object, Reader, VECTOR, Value, decode_object};

/// What a handler reads of a decoded object.
pub trait Fields {
    /// A number; 0 where it is absent. Ints and longs alike.
    fn number(&self, name: &str) -> i64;
    fn number_opt(&self, name: &str) -> Option<i64>;
    fn small(&self, name: &str) -> i32 {
        i32::try_from(self.number(name)).unwrap_or_default()
    }
    fn small_opt(&self, name: &str) -> Option<i32> {
        self.number_opt(name).and_then(|number| i32::try_from(number).ok())
    }
    fn text(&self, name: &str) -> &str;
    fn text_opt(&self, name: &str) -> Option<&str>;
    fn raw(&self, name: &str) -> Option<&[u8]>;
    fn inner(&self, name: &str) -> Option<&Object>;
    /// A required field that holds an object.
    fn required(&self, name: &str) -> Result<&Object, Refusal> {
        self.inner(name).ok_or(Refusal::bad("INPUT_REQUEST_INVALID"))
    }
    fn items(&self, name: &str) -> &[Value];
    fn numbers(&self, name: &str) -> impl Iterator<Item = i64> {
        self.items(name).iter().filter_map(|value| if let Value::Int(number) = value { Some(*number) } else { None })
    }
    fn objects(&self, name: &str) -> impl Iterator<Item = &Object> {
        self.items(name).iter().filter_map(|value| if let Value::Object(object) = value { Some(object) } else { None })
    }
    /// The field encoded again, for the world to keep.
    fn blob(&self, name: &str) -> Option<Blob>;
}

impl Fields for Object {
    fn number(&self, name: &str) -> i64 {
        self.number_opt(name).unwrap_or_default()
    }

    fn number_opt(&self, name: &str) -> Option<i64> {
        if let Some(Value::Int(number)) = self.get(name) { Some(*number) } else { None }
    }

    fn text(&self, name: &str) -> &str {
        self.text_opt(name).unwrap_or_default()
    }

    fn text_opt(&self, name: &str) -> Option<&str> {
        if let Some(Value::String(text)) = self.get(name) { Some(text) } else { None }
    }

    fn raw(&self, name: &str) -> Option<&[u8]> {
        if let Some(Value::Bytes(bytes)) = self.get(name) { Some(bytes) } else { None }
    }

    fn inner(&self, name: &str) -> Option<&Object> {
        if let Some(Value::Object(object)) = self.get(name) { Some(object) } else { None }
    }

    fn items(&self, name: &str) -> &[Value] {
        if let Some(Value::Vector(items)) = self.get(name) { items } else { &[] }
    }

    fn blob(&self, name: &str) -> Option<Blob> {
        match self.get(name)? {
            Value::Object(object) => encode(object).map(Blob),
            Value::Vector(items) => encode_vector(items).map(Blob),
            _ => None,
        }
    }
}

/// What the world keeps of objects, decoded again.
pub trait Kept {
    fn object(&self) -> Option<Object>;
    fn objects(&self) -> Option<Vec<Value>>;
}

impl Kept for Blob {
    fn object(&self) -> Option<Object> {
        decode_object(&self.0).ok()
    }

    fn objects(&self) -> Option<Vec<Value>> {
        let mut reader = Reader::new(&self.0);
        reader.expect(VECTOR).ok()?;
        let count = reader.count(4).ok()?;
        let mut objects = Vec::with_capacity(count);
        for _ in 0..count {
            objects.push(Value::Object(reader.object().ok()?));
        }
        Some(objects)
    }
}

/// One boxed object.
pub fn encode(object: &Object) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    tl::encode(object, &mut out).ok()?;
    Some(out)
}

/// A boxed vector of objects.
pub fn encode_vector(objects: &[Value]) -> Option<Vec<u8>> {
    let mut out = VECTOR.to_le_bytes().to_vec();
    out.extend_from_slice(&u32::try_from(objects.len()).ok()?.to_le_bytes());
    for object in objects {
        let Value::Object(object) = object else { return None };
        tl::encode(object, &mut out).ok()?;
    }
    Some(out)
}
