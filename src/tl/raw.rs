//! A value that has been passed over but not looked into.

use super::borrowed::Tl;
use super::decode::decode_object;
use super::object::Object;
use super::reader::{DecodeError, Reader};
use super::schema::{Definition, by_id};

/// The bytes of one boxed value, or of a function with its fields, all of it checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a [u8]);

impl<'a> Raw<'a> {
    /// Checks that the bytes are exactly one boxed value or function.
    pub fn new(bytes: &'a [u8]) -> Result<Raw<'a>, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.skip_object()?;
        reader.finish()?;
        Ok(Raw(bytes))
    }

    /// Its bytes, the id first.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    #[inline]
    pub fn id(&self) -> u32 {
        self.0.first_chunk().map_or(0, |id| u32::from_le_bytes(*id))
    }

    pub fn definition(&self) -> Option<&'static Definition> {
        by_id(self.id())
    }

    /// Reads it as a borrowed type, all of it.
    #[inline]
    pub fn parse<T: Tl<'a>>(&self) -> Result<T, DecodeError> {
        let mut reader = Reader::new(self.0);
        let value = T::get(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    /// Reads it as an owned object.
    pub fn decode(&self) -> Result<Object, DecodeError> {
        decode_object(self.0)
    }

    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
}

impl<'a> Reader<'a> {
    /// One boxed value of any type, or a function.
    pub fn raw(&mut self) -> Result<Raw<'a>, DecodeError> {
        let start = self.rest();
        self.skip_object()?;
        Ok(Raw(self.since(start)))
    }

    /// One boxed value of the type with that index.
    #[inline]
    pub(super) fn raw_of(&mut self, ty: u16) -> Result<Raw<'a>, DecodeError> {
        let start = self.rest();
        self.skip_boxed(ty)?;
        Ok(Raw(self.since(start)))
    }

    /// The same, where `id` has been read since `start`.
    #[inline]
    pub(super) fn raw_after_id(&mut self, start: &'a [u8], id: u32, ty: u16) -> Result<Raw<'a>, DecodeError> {
        self.skip_after_id(id, ty)?;
        Ok(Raw(self.since(start)))
    }
}
