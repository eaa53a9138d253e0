//! A cursor over TL bytes that checks everything it reads.

use thiserror::Error;

/// How deep values may nest. Telegram's own stay under twenty.
pub const MAX_DEPTH: u16 = 100;

/// Why bytes are not the TL value that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    #[error("the bytes end within a value")]
    Truncated,
    #[error("unknown constructor {0:#010x}")]
    UnknownId(u32),
    #[error("constructor {id:#010x} is not a {expected}")]
    UnknownConstructor { id: u32, expected: &'static str },
    #[error("a string is not UTF-8")]
    Utf8,
    #[error("a vector of {0} items does not fit in its bytes")]
    Count(u32),
    #[error("values nest deeper than {MAX_DEPTH}")]
    Depth,
    #[error("{0} bytes are left over")]
    Trailing(usize),
    #[error("the result depends on the query within")]
    Generic,
}

/// Bounds-checked reading from the front of a slice. After an error the position is unspecified.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    depth: u16,
}

impl<'a> Reader<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, depth: MAX_DEPTH }
    }

    /// What has not been read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// An error unless everything has been read.
    #[inline]
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(array)
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub fn int(&mut self) -> Result<i32, DecodeError> {
        self.array().map(|bytes| i32::from_le_bytes(*bytes))
    }

    #[inline]
    pub fn long(&mut self) -> Result<i64, DecodeError> {
        self.array().map(|bytes| i64::from_le_bytes(*bytes))
    }

    #[inline]
    pub fn double(&mut self) -> Result<f64, DecodeError> {
        self.array().map(|bytes| f64::from_le_bytes(*bytes))
    }

    /// A constructor's id, or a flags field.
    #[inline]
    pub fn id(&mut self) -> Result<u32, DecodeError> {
        self.array().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// The id that comes next, which stays unread.
    #[inline]
    pub fn peek_id(&self) -> Result<u32, DecodeError> {
        self.rest.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)).ok_or(DecodeError::Truncated)
    }

    /// An error unless `id` comes next.
    #[inline]
    pub fn expect(&mut self, id: u32) -> Result<(), DecodeError> {
        match self.id()? {
            read if read == id => Ok(()),
            read => Err(unexpected(read, id)),
        }
    }

    /// `Bool`, boxed.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.id()? {
            super::BOOL_TRUE => Ok(true),
            super::BOOL_FALSE => Ok(false),
            id => Err(DecodeError::UnknownConstructor { id, expected: "Bool" }),
        }
    }

    /// `bytes`: one byte of length, or 254 and three; padded to four bytes, with zeros as anything else is accepted too.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let head = u32::from_le_bytes(*self.rest.first_chunk().ok_or(DecodeError::Truncated)?) as usize;
        let (start, length) = match head & 0xff {
            254 => (4, head >> 8),
            255 => return Err(DecodeError::Truncated),
            length => (1, length),
        };
        let padded = (start + length + 3) & !3;
        let taken = self.take(padded)?;
        taken.get(start..start + length).ok_or(DecodeError::Truncated)
    }

    /// `string`: as `bytes`, and UTF-8.
    #[inline]
    pub fn string(&mut self) -> Result<&'a str, DecodeError> {
        utf8(self.bytes()?)
    }

    /// A vector's count, which must fit: each item takes at least `min_size` bytes.
    #[inline]
    pub fn count(&mut self, min_size: usize) -> Result<usize, DecodeError> {
        let count = self.id()?;
        match (count as usize).checked_mul(min_size.max(1)) {
            Some(size) if size <= self.rest.len() => Ok(count as usize),
            _ => Err(DecodeError::Count(count)),
        }
    }

    /// One level deeper. Whoever enters leaves.
    #[inline]
    pub(super) fn enter(&mut self) -> Result<(), DecodeError> {
        self.depth = self.depth.checked_sub(1).ok_or(DecodeError::Depth)?;
        Ok(())
    }

    #[inline]
    pub(super) fn leave(&mut self) {
        self.depth += 1;
    }

    /// The bytes that were read since `start`, which was `rest()` then.
    #[inline]
    pub(super) fn since(&self, start: &'a [u8]) -> &'a [u8] {
        &start[..start.len() - self.rest.len()]
    }
}

/// Most strings are ASCII; of the others, those shorter than a block of the vectorised check are filled up to one with zeros,
/// which are characters of their own.
#[inline]
#[allow(unsafe_code)]
fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    let mut block = [0; 64];
    let valid = bytes.is_ascii()
        || match block.get_mut(..bytes.len()) {
            Some(start) => {
                start.copy_from_slice(bytes);
                simdutf8::basic::from_utf8(&block).is_ok()
            }
            None => simdutf8::basic::from_utf8(bytes).is_ok(),
        };
    match valid {
        // SAFETY: ASCII is UTF-8, and the rest has been checked: a block of `bytes` and zeros is UTF-8 only if `bytes` are.
        true => Ok(unsafe { std::str::from_utf8_unchecked(bytes) }),
        false => Err(DecodeError::Utf8),
    }
}

#[cold]
fn unexpected(id: u32, wanted: u32) -> DecodeError {
    let expected = match wanted {
        super::VECTOR => "Vector",
        wanted => super::by_id(wanted).map_or("value of that type", |definition| definition.name),
    };
    DecodeError::UnknownConstructor { id, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_checked_as_std_checks_them() {
        let whole = "aж🦊\u{7ff}\u{ffff}é".repeat(12);
        for start in 0..20 {
            for end in start..whole.len() {
                for damage in [None, Some(0xff), Some(0xc0), Some(0xed)] {
                    let mut bytes = whole.as_bytes()[start..end].to_vec();
                    let middle = bytes.len() / 2;
                    if let (Some(damage), Some(byte)) = (damage, bytes.get_mut(middle)) {
                        *byte = damage;
                    }
                    assert_eq!(utf8(&bytes).ok(), std::str::from_utf8(&bytes).ok());
                }
            }
        }
    }
}
