//! Passing over values: everything about them is checked, nothing is kept.

use super::VECTOR;
use super::borrowed::Tl;
use super::reader::{DecodeError, Reader};
use super::schema::{Definition, Kind, TYPES, Type, by_id};

/// What a step of a definition's programme passes over. `tl/generate/tables.rs` has the same list. A step is four bytes: `when`,
/// one of these, and the argument.
mod op {
    /// A flags field; the argument says which.
    pub const FLAGS: u8 = 0;
    /// As many bytes as the argument says.
    pub const FIXED: u8 = 1;
    pub const STRING: u8 = 2;
    pub const BYTES: u8 = 3;
    pub const BOOL: u8 = 4;
    /// A value of the type with that index.
    pub const BOXED: u8 = 5;
    pub const GENERIC: u8 = 6;
    /// A vector of items of that many bytes.
    pub const VECTOR_FIXED: u8 = 7;
    pub const VECTOR_STRING: u8 = 8;
    pub const VECTOR_BYTES: u8 = 9;
    /// A vector of values of the type with that index.
    pub const VECTOR_BOXED: u8 = 10;
    // 11: whatever the parameter with that index says.
}

/// The `when` of a step that is never left out. Any other is 32 times the number of the flags field, plus the bit.
const ALWAYS: u8 = 255;

impl<'a> Reader<'a> {
    /// Passes over one value of a type.
    pub fn skip(&mut self, ty: &Type) -> Result<(), DecodeError> {
        match ty {
            Type::Flags | Type::Int => self.array::<4>().map(drop),
            Type::Long | Type::Double => self.array::<8>().map(drop),
            Type::Int128 => self.array::<16>().map(drop),
            Type::Int256 => self.array::<32>().map(drop),
            Type::String => self.string().map(drop),
            Type::Bytes => self.bytes().map(drop),
            Type::Bool => self.bool().map(drop),
            Type::True => Ok(()),
            Type::Boxed(ty) => self.skip_boxed(ty.index),
            Type::Bare(bare) => self.skip_body(bare.constructor()),
            Type::Generic => self.skip_function(),
            Type::Vector(item) => {
                self.expect(VECTOR)?;
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

    pub(super) fn skip_function(&mut self) -> Result<(), DecodeError> {
        let id = self.id()?;
        match by_id(id) {
            Some(definition) if definition.kind == Kind::Function => self.skip_body(definition),
            _ => Err(DecodeError::UnknownConstructor { id, expected: "function" }),
        }
    }

    /// Passes over a vector of values of the type with that index.
    pub(super) fn skip_vector(&mut self, ty: u16) -> Result<(), DecodeError> {
        self.expect(VECTOR)?;
        for _ in 0..self.count(TYPES[usize::from(ty)].min_size.into())? {
            self.skip_boxed(ty)?;
        }
        Ok(())
    }

    /// Passes over a vector of what Rust has a type for.
    #[inline]
    pub(super) fn pass_items<T: Tl<'a>>(&mut self) -> Result<(), DecodeError> {
        self.expect(VECTOR)?;
        let count = self.count(T::MIN_SIZE)?;
        if T::FIXED {
            return self.take(count * T::MIN_SIZE).map(drop);
        }
        for _ in 0..count {
            T::pass(self)?;
        }
        Ok(())
    }

    fn skip_body(&mut self, definition: &'static Definition) -> Result<(), DecodeError> {
        self.enter()?;
        match definition.skip {
            Some(skip) => skip(self)?,
            None => self.run(definition)?,
        }
        self.leave();
        Ok(())
    }

    /// Passes over the fields of a definition by its programme.
    fn run(&mut self, definition: &'static Definition) -> Result<(), DecodeError> {
        let mut flags = [0u32; 4];
        for [when, op, low, high] in definition.steps.as_chunks().0 {
            if *when != ALWAYS && flags[usize::from(when >> 5) & 3] >> (when & 31) & 1 == 0 {
                continue;
            }
            let argument = u16::from_le_bytes([*low, *high]);
            let number = usize::from(argument);
            match *op {
                op::FLAGS => flags[number & 3] = self.id()?,
                op::FIXED => drop(self.take(number)?),
                op::STRING => drop(self.string()?),
                op::BYTES => drop(self.bytes()?),
                op::BOOL => drop(self.bool()?),
                op::BOXED => self.skip_boxed(argument)?,
                op::GENERIC => self.skip_function()?,
                op::VECTOR_FIXED => {
                    self.expect(VECTOR)?;
                    let count = self.count(number)?;
                    self.take(count * number)?;
                }
                op::VECTOR_STRING => self.pass_items::<&str>()?,
                op::VECTOR_BYTES => self.pass_items::<&[u8]>()?,
                op::VECTOR_BOXED => self.skip_vector(argument)?,
                _ => self.skip(&definition.params[number].ty)?,
            }
        }
        Ok(())
    }
}
