//! Passing over values without looking at more of them than their length needs.

use super::reader::{DecodeError, Reader};
use super::schema::{ALWAYS, Definition, Kind, Op, TYPES, Type, by_id};

impl<'a> Reader<'a> {
    /// Passes over one value of a type.
    pub fn skip(&mut self, ty: &Type) -> Result<(), DecodeError> {
        match ty {
            Type::Flags | Type::Int => self.array::<4>().map(drop),
            Type::Long | Type::Double => self.array::<8>().map(drop),
            Type::Int128 => self.array::<16>().map(drop),
            Type::Int256 => self.array::<32>().map(drop),
            Type::String | Type::Bytes => self.bytes().map(drop),
            Type::Bool => self.bool().map(drop),
            Type::True => Ok(()),
            Type::Boxed(ty) => self.skip_boxed(ty.index),
            Type::Bare(bare) => self.skip_body(bare.constructor()),
            Type::Generic => self.skip_function(),
            Type::Vector(item) => {
                self.expect(super::VECTOR)?;
                self.skip_items(item)
            }
            Type::BareVector(item) => self.skip_items(item),
        }
    }

    /// Passes over one boxed value of any type, or over a function.
    pub fn skip_object(&mut self) -> Result<&'static Definition, DecodeError> {
        let id = self.id()?;
        let definition = by_id(id).ok_or(DecodeError::UnknownId(id))?;
        self.skip_body(definition)?;
        Ok(definition)
    }

    fn skip_items(&mut self, item: &Type) -> Result<(), DecodeError> {
        for _ in 0..self.count(item.min_size())? {
            self.skip(item)?;
        }
        Ok(())
    }

    /// Passes over one value of the type with that index.
    #[inline]
    pub(super) fn skip_boxed(&mut self, ty: u16) -> Result<(), DecodeError> {
        let id = self.id()?;
        self.skip_after_id(id, ty)
    }

    pub(super) fn skip_after_id(&mut self, id: u32, ty: u16) -> Result<(), DecodeError> {
        match by_id(id) {
            Some(definition) if definition.type_index == ty => self.skip_body(definition),
            _ => Err(DecodeError::UnknownConstructor { id, expected: TYPES[usize::from(ty)].name }),
        }
    }

    fn skip_function(&mut self) -> Result<(), DecodeError> {
        let id = self.id()?;
        match by_id(id) {
            Some(definition) if definition.kind == Kind::Function => self.skip_body(definition),
            _ => Err(DecodeError::UnknownConstructor { id, expected: "function" }),
        }
    }

    fn skip_body(&mut self, definition: &'static Definition) -> Result<(), DecodeError> {
        self.enter()?;
        let mut flags = [0u32; 4];
        for step in definition.steps {
            if step.when != ALWAYS && flags[usize::from(step.when >> 5) & 3] >> (step.when & 31) & 1 == 0 {
                continue;
            }
            let argument = usize::from(step.argument);
            match step.op {
                Op::Flags => flags[argument & 3] = self.id()?,
                Op::Fixed => drop(self.take(argument)?),
                Op::Bytes => drop(self.bytes()?),
                Op::Bool => drop(self.bool()?),
                Op::Boxed => self.skip_boxed(step.argument)?,
                Op::Generic => self.skip_function()?,
                Op::VectorFixed => {
                    self.expect(super::VECTOR)?;
                    let count = self.count(argument)?;
                    self.take(count * argument)?;
                }
                Op::VectorBytes => {
                    self.expect(super::VECTOR)?;
                    for _ in 0..self.count(4)? {
                        self.bytes()?;
                    }
                }
                Op::VectorBoxed => {
                    self.expect(super::VECTOR)?;
                    for _ in 0..self.count(TYPES[argument].min_size.into())? {
                        self.skip_boxed(step.argument)?;
                    }
                }
                Op::Typed => self.skip(&definition.params[argument].ty)?,
            }
        }
        self.leave();
        Ok(())
    }
}
