//! What the generated types are made of.

pub(super) use super::list::List;
pub(super) use super::raw::Raw;
pub(super) use super::reader::{DecodeError, Reader};
use super::{BOOL_FALSE, BOOL_TRUE};

/// The modules that `build.rs` writes.
pub(super) mod generated {
    include!(concat!(env!("OUT_DIR"), "/tl_types.rs"));
}

/// A Rust type that stands for a TL type, as a field or the item of a vector: `int`, `string`, `Peer`. A generated struct is
/// boxed here: its id is read and checked, and written.
pub trait Tl<'a>: Sized {
    /// The fewest bytes that a value takes.
    const MIN_SIZE: usize;
    /// Whether every value takes exactly `MIN_SIZE` bytes, whatever they are.
    const FIXED: bool = false;

    fn get(r: &mut Reader<'a>) -> Result<Self, DecodeError>;
    /// Passes over a value and checks it as `get` does.
    #[inline]
    fn pass(r: &mut Reader<'a>) -> Result<(), DecodeError> {
        Self::get(r).map(drop)
    }
    fn put(&self, out: &mut Vec<u8>);
}

macro_rules! fixed {
    ($($ty:ty, $size:literal, |$r:ident| $get:expr;)*) => {$(
        impl<'a> Tl<'a> for $ty {
            const MIN_SIZE: usize = $size;
            const FIXED: bool = true;
            #[inline]
            fn get($r: &mut Reader<'a>) -> Result<Self, DecodeError> {
                $get
            }
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

fixed! {
    i32, 4, |r| r.int();
    i64, 8, |r| r.long();
    f64, 8, |r| r.double();
}

impl<'a, const N: usize> Tl<'a> for [u8; N] {
    const MIN_SIZE: usize = N;
    const FIXED: bool = true;

    #[inline]
    fn get(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.array().copied()
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<'a> Tl<'a> for bool {
    const MIN_SIZE: usize = 4;

    #[inline]
    fn get(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.bool()
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        let id = if *self { BOOL_TRUE } else { BOOL_FALSE };
        out.extend_from_slice(&id.to_le_bytes());
    }
}

impl<'a> Tl<'a> for &'a [u8] {
    const MIN_SIZE: usize = 4;

    #[inline]
    fn get(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.bytes()
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self, out);
    }
}

impl<'a> Tl<'a> for &'a str {
    const MIN_SIZE: usize = 4;

    #[inline]
    fn get(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.string()
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }
}

impl<'a> Tl<'a> for Raw<'a> {
    const MIN_SIZE: usize = 4;

    fn get(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.raw()
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        self.write(out);
    }
}

/// A constructor without its id, as the item of a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bare<T>(pub T);

impl<'a> Tl<'a> for Bare<generated::types::FutureSalt> {
    const MIN_SIZE: usize = 16;

    #[inline]
    fn get(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        generated::types::FutureSalt::read(r).map(Bare)
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        self.0.write_bare(out);
    }
}

/// Writes `bytes`, and what `string` has. The longest that TL can say are 2^24 - 1 bytes; more are cut off, and whoever takes
/// bytes from outside checks that before.
pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let bytes = &bytes[..bytes.len().min(MAX_BYTES)];
    let length = bytes.len() as u32;
    out.reserve(bytes.len() + 8);
    let head = if length < 254 {
        out.push(length as u8);
        1
    } else {
        out.extend_from_slice(&(254 | length << 8).to_le_bytes());
        4
    };
    out.extend_from_slice(bytes);
    let padding = (head + bytes.len()).wrapping_neg() % 4;
    out.extend_from_slice(&[0u8; 3][..padding]);
}

/// The longest `bytes` or `string`.
pub(super) const MAX_BYTES: usize = (1 << 24) - 1;

#[inline(always)]
pub(super) fn bytes_at<const N: usize, const M: usize>(bytes: &[u8; N], at: usize) -> [u8; M] {
    let mut part = [0; M];
    part.copy_from_slice(&bytes[at..at + M]);
    part
}

#[inline(always)]
pub(super) fn u32_at<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

#[inline(always)]
pub(super) fn i32_at<const N: usize>(bytes: &[u8; N], at: usize) -> i32 {
    i32::from_le_bytes(bytes_at(bytes, at))
}

#[inline(always)]
pub(super) fn i64_at<const N: usize>(bytes: &[u8; N], at: usize) -> i64 {
    i64::from_le_bytes(bytes_at(bytes, at))
}

#[allow(dead_code)] // Used once a definition with a double is named.
#[inline(always)]
pub(super) fn f64_at<const N: usize>(bytes: &[u8; N], at: usize) -> f64 {
    f64::from_le_bytes(bytes_at(bytes, at))
}
