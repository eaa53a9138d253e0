//! The schema as tables: every constructor and function of the API's layer and of MTProto, with its fields.

use super::hash;
use super::methods::{Callers, ErrorInfo, Method, Scripts};
use super::older::Older;
use super::reader::{DecodeError, Reader};
use std::fmt::{self, Display};

/// A constructor or a function.
#[derive(Debug)]
pub struct Definition {
    pub id: u32,
    /// The name in TL: `messages.sendMessage`.
    pub name: &'static str,
    pub kind: Kind,
    /// The fields in order, the `flags` fields among them.
    pub params: &'static [Param],
    /// The type that a constructor is of, or what a function returns.
    pub result: Type,
    /// The index of a constructor's type; a function has `u16::MAX`.
    pub(super) type_index: u16,
    /// The fewest bytes that the fields take.
    pub(super) min_size: u16,
    /// A bit for each parameter that is a `true` flag.
    pub(super) trues: [u64; 2],
    /// The skipper's programme: see `skip.rs`.
    pub(super) steps: &'static [u8],
    /// The same compiled, where Rust has a type for it.
    pub(super) skip: Option<Skip>,
}

/// Passes over the fields of one definition.
pub(super) type Skip = fn(&mut Reader) -> Result<(), DecodeError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Constructor,
    Function,
}

/// A field of a definition.
#[derive(Debug)]
pub struct Param {
    pub name: &'static str,
    pub ty: Type,
    /// For an optional field, the bit that says whether it is there.
    pub flag: Option<Flag>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The index of the `flags` field in the definition's parameters.
    pub field: u8,
    /// Which of the definition's `flags` fields that is: 0 or 1.
    pub slot: u8,
    /// 0 to 31.
    pub bit: u8,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `#`: the bits that say which optional fields follow.
    Flags,
    Int,
    Long,
    Double,
    String,
    Bytes,
    Bool,
    /// A flag's bit and nothing else.
    True,
    Int128,
    Int256,
    Boxed(&'static BoxedType),
    /// A constructor without its id.
    Bare(BareType),
    Vector(&'static Type),
    /// A vector without its id.
    BareVector(&'static Type),
    /// `!X`, any function, as a field; what that function returns, as a result.
    Generic,
}

/// A type with constructors: `Peer`.
#[derive(Debug)]
pub struct BoxedType {
    pub name: &'static str,
    pub(super) index: u16,
    /// The fewest bytes that a value takes, its id among them.
    pub(super) min_size: u16,
    pub(super) constructors: &'static [u16],
}

/// A constructor that is used as a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BareType(pub(super) u16);

include!(concat!(env!("OUT_DIR"), "/tl_tables.rs"));

/// All definitions, the API's before MTProto's.
pub fn definitions() -> &'static [Definition] {
    &DEFINITIONS
}

/// The constructor or function with an id.
#[inline]
pub fn by_id(id: u32) -> Option<&'static Definition> {
    let mut slot = hash::id_slot(id);
    loop {
        let definition = DEFINITIONS.get(entry(BY_ID, slot))?;
        if definition.id == id {
            return Some(definition);
        }
        slot = (slot + 1) % hash::SLOTS;
    }
}

/// The index in a slot of one of the two tables; one that is past all definitions where the slot is empty.
#[inline]
fn entry(table: &[u8; 2 * hash::SLOTS], slot: usize) -> usize {
    u16::from_le_bytes([table[2 * slot], table[2 * slot + 1]]).into()
}

/// The constructor of that name: `peerUser`.
pub fn constructor(name: &str) -> Option<&'static Definition> {
    by_name(name, Kind::Constructor)
}

/// The function of that name: `messages.sendMessage`.
pub fn function(name: &str) -> Option<&'static Definition> {
    by_name(name, Kind::Function)
}

fn by_name(name: &str, kind: Kind) -> Option<&'static Definition> {
    let mut slot = hash::name_slot(name);
    loop {
        let definition = DEFINITIONS.get(entry(BY_NAME, slot))?;
        if definition.name == name && definition.kind == kind {
            return Some(definition);
        }
        slot = (slot + 1) % hash::SLOTS;
    }
}

/// The constructors of a type, none if there is no such type: `constructors_of("Peer")`.
pub fn constructors_of(type_name: &str) -> impl Iterator<Item = &'static Definition> {
    TYPES.iter().find(|ty| ty.name == type_name).into_iter().flat_map(BoxedType::constructors)
}

impl Definition {
    /// The field of that name, a `flags` field too.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// The fields that a value has: all but the `flags` fields.
    pub fn fields(&self) -> impl Iterator<Item = &'static Param> {
        self.params.iter().filter(|param| param.ty != Type::Flags)
    }

    /// Whether it wraps a query of any type, as `invokeWithLayer` does.
    pub fn is_generic(&self) -> bool {
        self.result == Type::Generic
    }

    pub fn is_function(&self) -> bool {
        self.kind == Kind::Function
    }

    /// Whether it is a constructor of `ty`.
    pub fn is_of(&self, ty: &BoxedType) -> bool {
        self.type_index == ty.index
    }
}

/// Two definitions are the same if they have the same id.
impl PartialEq for Definition {
    fn eq(&self, other: &Definition) -> bool {
        self.id == other.id
    }
}

impl Eq for Definition {}

impl PartialEq for BoxedType {
    fn eq(&self, other: &BoxedType) -> bool {
        self.index == other.index
    }
}

impl Eq for BoxedType {}

impl BoxedType {
    /// The constructors, in the schema's order.
    pub fn constructors(&self) -> impl Iterator<Item = &'static Definition> + use<> {
        self.constructors.iter().map(|index| &DEFINITIONS[usize::from(*index)])
    }
}

impl BareType {
    pub fn constructor(self) -> &'static Definition {
        &DEFINITIONS[usize::from(self.0)]
    }
}

impl Type {
    /// The fewest bytes that a value takes.
    pub(super) fn min_size(&self) -> usize {
        match self {
            Type::True => 0,
            Type::Long | Type::Double | Type::Vector(_) => 8,
            Type::Int128 => 16,
            Type::Int256 => 32,
            Type::Boxed(ty) => ty.min_size.into(),
            Type::Bare(bare) => bare.constructor().min_size.into(),
            Type::Flags | Type::Int | Type::String | Type::Bytes | Type::Bool | Type::BareVector(_) | Type::Generic => {
                4
            }
        }
    }
}

/// As the schema spells it: `Vector<int>`.
impl Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Type::Flags => "#",
            Type::Int => "int",
            Type::Long => "long",
            Type::Double => "double",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Bool => "Bool",
            Type::True => "true",
            Type::Int128 => "int128",
            Type::Int256 => "int256",
            Type::Boxed(ty) => ty.name,
            Type::Bare(bare) => bare.constructor().name,
            Type::Vector(item) => return write!(f, "Vector<{item}>"),
            Type::BareVector(item) => return write!(f, "vector<{item}>"),
            Type::Generic => "X",
        })
    }
}

/// The whole line of the schema.
impl Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}#{:08x}", self.name, self.id)?;
        if self.is_generic() {
            f.write_str(" {X:Type}")?;
        }
        for param in self.params {
            write!(f, " {}:", param.name)?;
            if let Some(flag) = param.flag {
                write!(f, "{}.{}?", self.params[usize::from(flag.field)].name, flag.bit)?;
            }
            if param.ty == Type::Generic {
                f.write_str("!")?;
            }
            write!(f, "{}", param.ty)?;
        }
        write!(f, " = {};", self.result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tl::parse;

    const API: &str = include_str!("../../tl/api.tl");
    const MTPROTO: &str = include_str!("../../tl/mtproto.tl");

    #[test]
    fn every_id_of_the_api_is_the_crc32_of_its_line() {
        assert_eq!(differing(API), Vec::<String>::new());
    }

    #[test]
    fn every_id_of_mtproto_is_the_crc32_of_its_line_with_a_few_exceptions() {
        let known = ["accessPointRule", "help.configSimple", "ipPortSecret"];
        assert_eq!(differing(MTPROTO), known);
    }

    fn differing(text: &str) -> Vec<String> {
        let lines = parse::schema(text).expect("the schema parses");
        let differing = lines.iter().filter(|line| line.id != line.computed_id());
        let mut names: Vec<String> = differing.map(|line| line.name.clone()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_files_are_in_normal_form() {
        assert_eq!(parse::layer(API), Some(LAYER));
        for text in [API, MTPROTO] {
            let lines = parse::schema(text).expect("the schema parses");
            assert!(text.ends_with(&parse::print(&lines)));
        }
    }

    #[test]
    fn a_definition_prints_as_its_line() {
        let texts: Vec<&str> = API.lines().chain(MTPROTO.lines()).collect();
        for definition in definitions() {
            let line = definition.to_string();
            assert!(texts.contains(&line.as_str()), "{line}");
        }
    }

    #[test]
    fn every_definition_is_found_by_id_and_by_name() {
        for definition in definitions() {
            assert_eq!(by_id(definition.id), Some(definition));
            let found = match definition.kind {
                Kind::Constructor => constructor(definition.name),
                Kind::Function => function(definition.name),
            };
            assert_eq!(found, Some(definition));
        }
        assert_eq!(by_id(0), None);
        assert_eq!(constructor("messages.sendMessage"), None);
        assert_eq!(function("peerUser"), None);
    }

    #[test]
    fn the_constructors_of_a_type_are_known() {
        let names: Vec<&str> = constructors_of("Peer").map(|definition| definition.name).collect();
        assert_eq!(names, ["peerUser", "peerChat", "peerChannel"]);
        assert_eq!(constructors_of("Nothing").count(), 0);
    }
}
