//! The TL language: schema tables, borrowed types, bytes to values and back. Knows nothing of MTProto sessions.
//!
//! `tl/*.tl` is read by `build.rs` and becomes two things. The **tables** ([`Definition`], by [`by_id`], [`constructor`],
//! [`function`]) describe everything there is; the dynamic codec ([`Object`], [`Value`], [`encode`], [`decode_object`]), the
//! skipper ([`Reader::skip`]), the shallow reader ([`Fields`]) and the JSON form ([`Object::to_json`]) all work by them. The
//! **borrowed types** ([`types`], [`enums`], [`functions`]) exist for the names in `tl/named.txt` only; they read without
//! allocating, and what they have no type for stays a checked slice, [`Raw`].
//!
//! What is read is not trusted: every reader checks bounds, that a constructor belongs to the type that was asked for, that a
//! vector's count can fit in what is left before it allocates, that a `string` is UTF-8, and how deep values nest.
//!
//! The language: <https://core.telegram.org/mtproto/TL>, its bytes: <https://core.telegram.org/mtproto/serialize>.

#[cfg(test)]
pub(crate) mod arbitrary;
mod borrowed;
mod decode;
mod encode;
pub mod envelope;
mod fields;
mod hash;
mod json;
mod list;
mod methods;
mod nearest;
mod object;
mod older;
#[cfg(test)]
mod parse;
#[cfg(test)]
mod proofs;
mod raw;
mod reader;
mod schema;
mod skip;
mod value;

pub use borrowed::generated::{enums, functions, types};
pub use borrowed::{Bare, Tl};
pub use decode::{decode_object, decode_result, decode_value, returning};
pub use encode::{EncodeError, encode, encode_value};
pub use fields::{Field, Fields, Items};
pub use json::JsonError;
pub use list::List;
pub use methods::{Callers, ErrorInfo, Method, Scripts, error, errors, method, methods, split_error};
pub use nearest::{nearest, nearest_constructor, nearest_definition, nearest_function};
pub use object::{FieldError, IntoField, Object, UnknownName};
pub use older::{Older, decode_any_layer, older, older_by_id, older_by_name, since};
pub use raw::Raw;
pub use reader::{DecodeError, MAX_DEPTH, Reader};
pub use schema::{
    BareType, BoxedType, Definition, Flag, Kind, LAYER, OLDEST_LAYER, Param, Type, by_id, constructor, constructors_of,
    definitions, function,
};
pub use value::{Value, VectorItem};

/// The id of a boxed vector, `vector#1cb5c415`.
pub const VECTOR: u32 = 0x1cb5_c415;
/// The id of `boolTrue`.
pub const BOOL_TRUE: u32 = 0x9972_75b5;
/// The id of `boolFalse`.
pub const BOOL_FALSE: u32 = 0xbc79_9737;
