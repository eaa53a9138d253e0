//! TL values: the reader, the skipper, the dynamic codec, the borrowed types, JSON.

use std::hint::black_box;

use moongram::tl::{
    Fields, Object, Raw, Reader, Tl, decode_object, decode_result, definitions, encode, enums, function, methods,
};

use super::Target;
use super::input::Input;

// An item of a vector is 4 bytes at least and 48 as a value; JSON and what is encoded again stand beside it.
pub const TARGET: Target = Target { name: "tl", run, seeds, memory: (1 << 14, 1024) };

fn run(data: &[u8]) -> usize {
    let mut input = Input(data);
    let method = usize::from(input.u16());
    let bytes = input.rest();
    let raw = Raw::new(bytes);
    match decode_object(bytes) {
        Ok(object) => {
            assert!(raw.is_ok());
            codec(&object);
        }
        Err(error) => assert_eq!(raw.err(), Some(error)),
    }
    if let Ok(Ok(fields)) = raw.map(Fields::new) {
        for field in fields {
            let (param, _) = black_box(field).expect("the whole of it was checked");
            assert!(!param.name.is_empty());
        }
    }
    borrowed(bytes);
    let method = &methods()[method % methods().len()];
    if let Some(function) = function(method.name) {
        let _ = black_box(decode_result(function, bytes));
    }
    0
}

/// A value is written as bytes and as JSON that say the same.
fn codec(object: &Object) {
    let mut again = Vec::new();
    encode(object, &mut again).expect("what was read can be written");
    let mut reader = Reader::new(&again);
    reader.skip_object().and_then(|_| reader.finish()).expect("what was written can be passed over");
    assert_eq!(written(&decode_object(&again).expect("what was written can be read")), again);
    let json = object.to_json();
    let from_json = Object::from_json(&json).expect("JSON of ours");
    assert_eq!(written(&from_json), again, "{json}");
}

/// A value's bytes: unlike values, they are equal where a NaN is in them.
fn written(object: &Object) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(object, &mut bytes).expect("a whole value");
    bytes
}

/// What the borrowed types take, the dynamic codec takes, and what they write they take again.
fn borrowed(bytes: &[u8]) {
    fn each<'a, T: Tl<'a>>(bytes: &'a [u8]) {
        let mut reader = Reader::new(bytes);
        if let Ok(value) = T::get(&mut reader) {
            let read = &bytes[..bytes.len() - reader.rest().len()];
            assert!(decode_object(read).is_ok());
            let mut passing = Reader::new(bytes);
            assert_eq!(T::pass(&mut passing), Ok(()));
            assert_eq!(passing.rest().len(), reader.rest().len());
            let mut again = Vec::new();
            value.put(&mut again);
            // A bit that no field answers to is not written again, so only the values are the same.
            assert!(decode_object(&again).is_ok());
        }
    }
    each::<enums::Updates>(bytes);
    each::<enums::Message>(bytes);
    each::<enums::User>(bytes);
    each::<enums::Chat>(bytes);
    each::<enums::Config>(bytes);
    each::<enums::UpdatesDifference>(bytes);
    each::<enums::UpdatesChannelDifference>(bytes);
    each::<enums::BadMsgNotification>(bytes);
    each::<enums::MsgResendReq>(bytes);
    if let Ok(enums::Updates::Updates(updates)) = enums::Updates::read(&mut Reader::new(bytes)) {
        // The reader has checked every item.
        assert_eq!(updates.updates.iter().count(), updates.updates.len());
        assert_eq!(updates.users.iter().count(), updates.users.len());
    }
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds: Vec<(String, Vec<u8>)> = [
        ("updates-small", include_str!("../../../tests/samples/updates_small.hex")),
        ("updates-big", include_str!("../../../tests/samples/updates_big.hex")),
        ("update-command", include_str!("../../../tests/samples/update_cmd.hex")),
        ("send-message", include_str!("../../../tests/samples/send_message.hex")),
    ]
    .into_iter()
    .map(|(name, hex)| (name.to_owned(), [vec![0, 0], bytes(hex)].concat()))
    .collect();
    // Something of every shape that the service messages have.
    for definition in definitions().iter().filter(|definition| definition.params.is_empty()).take(8) {
        let name = definition.name.replace('.', "-");
        seeds.push((format!("empty-{name}"), [&[0, 0], &definition.id.to_le_bytes()[..]].concat()));
    }
    seeds
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter_map(|digit| (digit as char).to_digit(16)).map(|d| d as u8).collect();
    digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect()
}
