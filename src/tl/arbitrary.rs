//! Objects made of arbitrary bytes, and the samples, for tests. The fuzzing test includes this file by path; what `super` has is the public API.

use super::{BoxedType, Definition, Object, Type, Value, definitions, function};
use std::collections::HashMap;

/// Choices taken from bytes; when they run out, the least of each.
pub struct Source<'a>(pub &'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) * limit / 256
    }
}

/// How deep the simplest value of each constructor nests: what to choose from when a value has to end.
pub struct Heights(HashMap<u32, usize>);

impl Heights {
    pub fn new() -> Heights {
        let mut heights = Heights(HashMap::new());
        loop {
            let before = heights.0.len();
            for definition in definitions() {
                let needed =
                    definition.params.iter().filter(|param| param.flag.is_none()).map(|param| heights.of(&param.ty));
                let height =
                    needed.collect::<Option<Vec<usize>>>().map(|below| below.into_iter().max().unwrap_or(0) + 1);
                if let Some(height) = height {
                    heights.0.entry(definition.id).or_insert(height);
                }
            }
            if heights.0.len() == before {
                return heights;
            }
        }
    }

    fn of(&self, ty: &Type) -> Option<usize> {
        match ty {
            Type::Boxed(ty) => ty.constructors().filter_map(|constructor| self.0.get(&constructor.id).copied()).min(),
            Type::Bare(bare) => self.0.get(&bare.constructor().id).copied(),
            _ => Some(0),
        }
    }

    fn lowest(&self, ty: &BoxedType) -> &'static Definition {
        let height = |constructor: &&Definition| self.0.get(&constructor.id).copied().unwrap_or(usize::MAX);
        ty.constructors().min_by_key(height).expect("every type has a constructor")
    }

    /// A value for every field that must be there, and for some of those that need not.
    pub fn object(&self, definition: &'static Definition, source: &mut Source, depth: usize) -> Object {
        let mut object = Object::of(definition);
        let mut bits = HashMap::new();
        for param in definition.fields() {
            let there = match param.flag {
                None => true,
                // Fields of one bit are there together.
                Some(flag) => *bits.entry((flag.field, flag.bit)).or_insert_with(|| depth > 0 && source.byte() >= 160),
            };
            let value = there.then(|| self.value(&param.ty, source, depth));
            object.try_set(param.name, value).expect("it is a field of the definition");
        }
        object
    }

    fn value(&self, ty: &Type, source: &mut Source, depth: usize) -> Value {
        match ty {
            Type::Flags | Type::Int => Value::Int(i32::from_le_bytes(source.array()).into()),
            Type::Long => Value::Int(i64::from_le_bytes(source.array())),
            Type::Double => Value::Double(f64::from(i32::from_le_bytes(source.array())) / 3.0),
            Type::String => Value::String("aж🦊\u{7ff}b".chars().cycle().take(self.length(source)).collect()),
            Type::Bytes => Value::Bytes((0..self.length(source)).map(|at| at as u8).collect()),
            Type::Bool => Value::Bool(source.byte() >= 128),
            Type::True => Value::Bool(true),
            Type::Int128 => Value::Int128(source.array()),
            Type::Int256 => Value::Int256(source.array()),
            Type::Boxed(ty) => {
                let constructor = match depth {
                    0 => self.lowest(ty),
                    _ => {
                        ty.constructors().nth(source.below(ty.constructors().count())).expect("it is below their count")
                    }
                };
                Value::Object(self.object(constructor, source, depth.saturating_sub(1)))
            }
            Type::Bare(bare) => Value::Object(self.object(bare.constructor(), source, depth.saturating_sub(1))),
            Type::Vector(item) | Type::BareVector(item) => {
                let count = if depth == 0 { 0 } else { source.below(4) };
                Value::Vector((0..count).map(|_| self.value(item, source, depth - 1)).collect())
            }
            Type::Generic => {
                let query = if depth == 0 { "help.getConfig" } else { "messages.sendMessage" };
                let query = function(query).expect("it is in the schema");
                Value::Object(self.object(query, source, depth.saturating_sub(1)))
            }
        }
    }

    /// Short, or around the length where TL's form of it changes.
    fn length(&self, source: &mut Source) -> usize {
        match source.byte() {
            255 => 250 + source.below(10),
            short => usize::from(short) % 12,
        }
    }
}

/// The bytes of `tests/samples/NAME.hex`.
pub fn sample(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/samples/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let hex = std::fs::read_to_string(path).expect("the sample is in the repository");
    let digits: Vec<u8> = hex.trim().bytes().map(|byte| char::from(byte).to_digit(16).expect("hex") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
