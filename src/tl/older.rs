//! Earlier layers: what they have otherwise than `tl/api.tl`, and what they have not. For the local DC, which answers in the
//! layer that a client asks for; nothing else reads or writes these definitions.
//!
//! <https://core.telegram.org/api/invoking#layers>

use super::decode::{Known, object};
use super::object::Object;
use super::reader::{DecodeError, Reader};
use super::schema::{Definition, OLDER, SINCE, by_id};

/// A definition that this layer has no more, or has otherwise under the same name.
#[derive(Debug)]
pub struct Older {
    pub definition: Definition,
    /// The last layer that has it.
    pub until: i32,
}

/// All of them, by id.
pub fn older() -> &'static [Older] {
    &OLDER
}

/// The older definition with an id.
pub fn older_by_id(id: u32) -> Option<&'static Older> {
    OLDER.binary_search_by_key(&id, |older| older.definition.id).ok().map(|at| &OLDER[at])
}

/// What a layer calls by a name, where that is not what this layer does.
pub fn older_by_name(name: &str, layer: i32) -> Option<&'static Definition> {
    let named = OLDER.iter().filter(|older| older.definition.name == name && older.until >= layer);
    named.min_by_key(|older| older.until).map(|older| &older.definition)
}

/// The first layer that has a definition of this layer, as it is now. None if that is [`OLDEST_LAYER`](super::OLDEST_LAYER) or
/// before.
pub fn since(definition: &Definition) -> Option<i32> {
    SINCE.binary_search_by_key(&definition.id, |(id, _)| *id).ok().map(|at| SINCE[at].1)
}

/// Reads one boxed constructor or function of this layer or an earlier one, in which others may be nested, likewise. It must be
/// all there is.
pub fn decode_any_layer(bytes: &[u8]) -> Result<Object, DecodeError> {
    let mut reader = Reader::new(bytes);
    let object = object::<AnyLayer>(&mut reader)?;
    reader.finish()?;
    Ok(object)
}

/// This layer and those before it.
struct AnyLayer;

impl Known for AnyLayer {
    fn by_id(id: u32) -> Option<&'static Definition> {
        by_id(id).or_else(|| older_by_id(id).map(|older| &older.definition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tl::arbitrary::{Heights, Source};
    use crate::tl::{Kind, LAYER, OLDEST_LAYER, constructor, decode_object, definitions, encode, function, parse};

    const TEXT: &str = include_str!("../../tl/older.tl");

    #[test]
    fn every_id_is_the_crc32_of_its_line() {
        for (layer, lines) in parse::sections(TEXT).expect("it parses") {
            for line in lines {
                assert_eq!(line.id, line.computed_id(), "layer {layer}: {line}");
            }
        }
    }

    #[test]
    fn the_file_is_in_normal_form() {
        let sections = parse::sections(TEXT).expect("it parses");
        let layers: Vec<i32> = sections.iter().map(|(layer, _)| *layer).collect();
        assert_eq!(layers, (OLDEST_LAYER..LAYER).collect::<Vec<_>>());
        let print = |(layer, lines): &(i32, Vec<parse::Line>)| format!("// LAYER {layer}\n{}", parse::print(lines));
        assert!(TEXT.ends_with(&sections.iter().map(print).collect::<Vec<_>>().join("\n")));
    }

    #[test]
    fn an_older_definition_is_found_by_its_id_and_by_its_layer() {
        for older in older() {
            assert_eq!(older_by_id(older.definition.id).map(|found| &found.definition), Some(&older.definition));
            let found = older_by_name(older.definition.name, older.until);
            assert_eq!(found, Some(&older.definition));
            assert_eq!(by_id(older.definition.id), None, "this layer has {}", older.definition);
            let now = match older.definition.kind {
                Kind::Constructor => constructor(older.definition.name),
                Kind::Function => function(older.definition.name),
            };
            if let Some(now) = now {
                assert_eq!(since(now), Some(older.until + 1), "{}", older.definition.name);
            }
        }
        assert_eq!(older_by_id(0).map(|older| older.until), None);
        assert_eq!(older_by_name("user", LAYER), None);
    }

    #[test]
    fn what_is_new_is_new_since_a_layer_that_is_described() {
        let new = definitions().iter().filter_map(since);
        assert!(new.clone().all(|layer| OLDEST_LAYER < layer && layer <= LAYER));
        assert_eq!(new.count(), SINCE.len());
    }

    #[test]
    fn every_older_definition_comes_back_from_its_bytes() {
        let heights = Heights::new();
        for older in older() {
            for seed in 0..12 {
                let object = heights.object(&older.definition, &mut Source(&entropy(seed)), 3);
                let mut bytes = Vec::new();
                encode(&object, &mut bytes).expect("it is whole");
                assert_eq!(decode_any_layer(&bytes), Ok(object));
                assert_eq!(decode_object(&bytes), Err(DecodeError::UnknownId(older.definition.id)));
            }
        }
    }

    /// Bytes of which a seed makes always the same: splitmix64.
    fn entropy(seed: u64) -> Vec<u8> {
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (mixed ^ (mixed >> 27)).to_le_bytes()
        };
        (0..32).flat_map(|_| next()).collect()
    }
}
