//! One object opened one level: its fields, with what is nested in them still bytes.

use super::VECTOR;
use super::raw::Raw;
use super::reader::{DecodeError, Reader};
use super::schema::{Definition, Param, Type, by_id};

/// The fields of one object in order, the absent ones left out. What is nested is passed over, not decoded, so a reader pays
/// for what it looks at.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    definition: &'static Definition,
    reader: Reader<'a>,
    next: usize,
    flags: [u32; 4],
    slot: usize,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// `int` and `long`.
    Int(i64),
    Double(f64),
    /// A `Bool`, or a flag, which is `true` when it is there at all.
    Bool(bool),
    Bytes(&'a [u8]),
    String(&'a str),
    Int128(&'a [u8; 16]),
    Int256(&'a [u8; 32]),
    /// A boxed value.
    Object(Raw<'a>),
    /// Anything else: a vector, or a bare constructor, as [`decode_value`](super::decode_value) reads it with that type.
    Nested {
        ty: &'static Type,
        bytes: &'a [u8],
    },
}

impl<'a> Fields<'a> {
    /// Opens an object.
    pub fn new(raw: Raw<'a>) -> Result<Fields<'a>, DecodeError> {
        let mut reader = Reader::new(raw.bytes());
        let id = reader.id()?;
        let definition = by_id(id).ok_or(DecodeError::UnknownId(id))?;
        Ok(Fields { definition, reader, next: 0, flags: [0; 4], slot: 0 })
    }

    pub fn definition(&self) -> &'static Definition {
        self.definition
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(&'static Param, Field<'a>), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let param = self.definition.params.get(self.next)?;
            self.next += 1;
            if let Some(flag) = param.flag
                && self.flags[usize::from(flag.slot) & 3] >> (flag.bit & 31) & 1 == 0
            {
                continue;
            }
            if param.ty != Type::Flags {
                let field = field(&mut self.reader, &param.ty);
                if field.is_err() {
                    self.next = self.definition.params.len();
                }
                return Some(field.map(|field| (param, field)));
            }
            match self.reader.id() {
                Ok(flags) => self.flags[self.slot & 3] = flags,
                Err(error) => {
                    self.next = self.definition.params.len();
                    return Some(Err(error));
                }
            }
            self.slot += 1;
        }
    }
}

impl<'a> Field<'a> {
    /// The items of a vector, one by one, each as a field of its own. Nothing for what is not a vector.
    pub fn items(&self) -> Result<Option<Items<'a>>, DecodeError> {
        let Field::Nested { ty, bytes } = self else { return Ok(None) };
        let mut reader = Reader::new(bytes);
        let item = match ty {
            Type::Vector(item) => {
                reader.expect(VECTOR)?;
                item
            }
            Type::BareVector(item) => item,
            _ => return Ok(None),
        };
        let left = reader.count(item.min_size())?;
        Ok(Some(Items { item, left, reader }))
    }
}

/// The items of a vector.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    item: &'static Type,
    left: usize,
    reader: Reader<'a>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Field<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let read = field(&mut self.reader, self.item);
        if read.is_err() {
            self.left = 0;
        }
        Some(read)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

/// Reads one value, the nested ones by passing over them.
fn field<'a>(reader: &mut Reader<'a>, ty: &'static Type) -> Result<Field<'a>, DecodeError> {
    Ok(match ty {
        Type::Flags => Field::Int(reader.id()?.into()),
        Type::Int => Field::Int(reader.int()?.into()),
        Type::Long => Field::Int(reader.long()?),
        Type::Double => Field::Double(reader.double()?),
        Type::Bool => Field::Bool(reader.bool()?),
        Type::True => Field::Bool(true),
        Type::String => Field::String(reader.string()?),
        Type::Bytes => Field::Bytes(reader.bytes()?),
        Type::Int128 => Field::Int128(reader.array()?),
        Type::Int256 => Field::Int256(reader.array()?),
        Type::Boxed(ty) => Field::Object(reader.raw_of(ty.index)?),
        Type::Generic => Field::Object(reader.raw()?),
        Type::Bare(_) | Type::Vector(_) | Type::BareVector(_) => {
            let start = reader.rest();
            reader.skip(ty)?;
            Field::Nested { ty, bytes: reader.since(start) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tl::{Object, encode};

    #[test]
    fn an_object_opens_one_level() {
        let object =
            Object::new("updateDeleteMessages").with("messages", vec![1, 2]).with("pts", 3).with("pts_count", 4);
        let mut bytes = Vec::new();
        encode(&object, &mut bytes).expect("it is complete");
        let fields = Fields::new(Raw::new(&bytes).expect("it was encoded")).expect("it was encoded");
        let fields: Vec<_> = fields.map(|field| field.expect("it was encoded")).collect();
        let names: Vec<&str> = fields.iter().map(|(param, _)| param.name).collect();
        assert_eq!(names, ["messages", "pts", "pts_count"]);
        let items = fields[0].1.items().expect("it was encoded").expect("it is a vector");
        assert_eq!(items.collect::<Result<Vec<_>, _>>(), Ok(vec![Field::Int(1), Field::Int(2)]));
        assert_eq!(fields[1].1, Field::Int(3));

        let object = Object::new("inputReplyToStory").with("peer", Object::new("inputPeerSelf")).with("story_id", 1);
        bytes.clear();
        encode(&object, &mut bytes).expect("it is complete");
        let mut fields = Fields::new(Raw::new(&bytes).expect("it was encoded")).expect("it was encoded");
        let (_, field) = fields.next().expect("it has a peer").expect("it was encoded");
        assert!(
            matches!(field, Field::Object(raw) if raw.definition().is_some_and(|definition| definition.name == "inputPeerSelf"))
        );
    }
}
