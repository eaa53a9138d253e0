//! Vectors without an allocation.

use super::VECTOR;
use super::borrowed::Tl;
use super::raw::Raw;
use super::reader::{DecodeError, Reader};
use std::fmt::{self, Debug};

/// A vector: as it was read, each item checked, or as Rust has it, to be written.
#[derive(Clone, Copy)]
pub enum List<'a, T> {
    Encoded { count: usize, bytes: &'a [u8] },
    Items(&'a [T]),
}

impl<'a, T: Tl<'a> + Copy> List<'a, T> {
    pub fn len(&self) -> usize {
        match self {
            List::Encoded { count, .. } => *count,
            List::Items(items) => items.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> Iter<'a, T> {
        match self {
            List::Encoded { count, bytes } => Iter::Encoded { left: *count, reader: Reader::new(bytes) },
            List::Items(items) => Iter::Items(items.iter()),
        }
    }

    pub fn first(&self) -> Option<T> {
        self.iter().next()
    }

    /// Reads `Vector<T>` with its id, and every item once to check it.
    #[inline]
    pub fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.expect(VECTOR)?;
        Self::read_bare(r)
    }

    /// Reads `vector<T>`, which has no id.
    #[inline]
    pub fn read_bare(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = r.count(T::MIN_SIZE)?;
        if T::FIXED {
            return Ok(List::Encoded { count, bytes: r.take(count * T::MIN_SIZE)? });
        }
        let start = r.rest();
        for _ in 0..count {
            T::pass(r)?;
        }
        Ok(List::Encoded { count, bytes: r.since(start) })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&VECTOR.to_le_bytes());
        self.write_bare(out);
    }

    pub fn write_bare(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.len() as u32).to_le_bytes());
        match self {
            List::Encoded { bytes, .. } => out.extend_from_slice(bytes),
            List::Items(items) => items.iter().for_each(|item| item.put(out)),
        }
    }
}

impl<'a> List<'a, Raw<'a>> {
    /// Reads a vector of values of the type with that index, which Rust has no type for.
    pub(super) fn read_raw(r: &mut Reader<'a>, ty: u16) -> Result<Self, DecodeError> {
        let mut inside = r.clone();
        r.skip_vector(ty)?;
        inside.expect(VECTOR)?;
        let count = inside.count(0)?;
        let bytes = inside.rest();
        Ok(List::Encoded { count, bytes: r.since(bytes) })
    }
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        List::Items(&[])
    }
}

impl<'a, T> From<&'a [T]> for List<'a, T> {
    fn from(items: &'a [T]) -> Self {
        List::Items(items)
    }
}

impl<'a, T: Tl<'a> + Copy> Tl<'a> for List<'a, T> {
    const MIN_SIZE: usize = 8;

    #[inline]
    fn get(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        List::read(r)
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        self.write(out);
    }
}

impl<'a, T: Tl<'a> + Copy + PartialEq> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a, T: Tl<'a> + Copy + Debug> Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The items of a [`List`], decoded as they come.
#[derive(Clone)]
pub enum Iter<'a, T> {
    Encoded { left: usize, reader: Reader<'a> },
    Items(std::slice::Iter<'a, T>),
}

impl<'a, T: Tl<'a> + Copy> Iterator for Iter<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self {
            Iter::Encoded { left, reader } => {
                *left = left.checked_sub(1)?;
                T::get(reader).ok()
            }
            Iter::Items(items) => items.next().copied(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Iter::Encoded { left, .. } => (0, Some(*left)),
            Iter::Items(items) => items.size_hint(),
        }
    }
}

impl<'a, T: Tl<'a> + Copy> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
