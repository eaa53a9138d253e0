//! What is told in earlier layers, and understood of them: by the schema first, then by example.

use super::*;
use crate::tl::arbitrary::{Heights, Source};
use crate::tl::{Kind, Param, decode_any_layer, definitions, encode, older};

/// Older definitions that nothing is converted from or to, and why. The local DC neither tells nor takes them.
const ALONE: &[(&str, &str)] = &[
    ("messages.chatInviteJoinResultWebView", "a web view then, a query id now"),
    ("inputPasskeyCredentialFirebasePNV", "gone without a successor"),
];

fn now_of(then: &Definition) -> Option<&'static Definition> {
    match then.kind {
        Kind::Constructor => constructor(then.name),
        Kind::Function => function(then.name),
    }
}

/// What a difference between two fields of one name calls for.
fn difference(now: &Param, then: &Param) -> Option<Becomes> {
    match (&now.ty, &then.ty) {
        (Type::Vector(_), Type::Vector(_)) if now.ty != then.ty => Some(Becomes::Items),
        _ if now.ty != then.ty => Some(Becomes::Plain),
        _ if now.flag.is_some() && then.flag.is_none() => Some(Becomes::Needed),
        _ => None,
    }
}

#[test]
fn every_difference_of_a_definition_has_its_row_and_no_row_is_without_one() {
    let mut rows = FIELDS.to_vec();
    let by_hand = |then: &Definition| BUTTONS.iter().chain([&("", "", "")]).any(|(older, ..)| *older == then.name);
    for older in older().iter().filter(|older| !by_hand(&older.definition)) {
        let then = &older.definition;
        if ALONE.iter().any(|(name, _)| *name == then.name) {
            continue;
        }
        let now = now_of(then).unwrap_or_else(|| panic!("what became of {then}?"));
        for param in now.fields() {
            let expected = then.param(param.name).map_or(Some(Becomes::Dropped), |then| difference(param, then));
            let place = rows
                .iter()
                .position(|(until, name, field, _)| (*until, *name, *field) == (older.until, now.name, param.name));
            let row = place.map(|place| rows.remove(place).3);
            assert_eq!(row, expected, "{}.{} in layer {}", now.name, param.name, older.until);
        }
        let lost: Vec<&str> = then.fields().map(|param| param.name).filter(|name| now.param(name).is_none()).collect();
        assert_eq!(lost, Vec::<&str>::new(), "fields of {} that would have to be made up", then.name);
    }
    assert_eq!(rows, []);
}

#[test]
fn an_old_button_has_the_fields_of_the_new_one_and_of_its_kind() {
    let old: Vec<&str> = older()
        .iter()
        .filter(|older| older.definition.result.to_string() == "KeyboardButton")
        .map(|older| older.definition.name)
        .collect();
    assert_eq!(old.len(), BUTTONS.len());
    for (then, now, kind) in BUTTONS {
        let names = |definition: &Definition| -> Vec<String> {
            definition.fields().map(|param| format!("{}:{}", param.name, param.ty)).collect()
        };
        let mut then_has = names(older_by_name(then, OLD_BUTTONS).expect("an old button"));
        let mut now_has = names(constructor(now).expect("a button"));
        now_has.retain(|name| !name.starts_with("type:"));
        now_has.extend(names(constructor(kind).expect("a kind of button")));
        then_has.sort();
        now_has.sort();
        assert_eq!(then_has, now_has, "{then}");
    }
}

/// Whether all of it is what a layer has.
fn is_of_layer(value: &Value, layer: i32) -> bool {
    match value {
        Value::Object(object) => {
            let definition = object.definition();
            let own = match older_by_id(definition.id) {
                Some(_) => older_by_name(definition.name, layer) == Some(definition),
                None => since(definition).is_none_or(|since| since <= layer),
            };
            own && object.fields().all(|(_, value)| is_of_layer(value, layer))
        }
        Value::Vector(items) => items.iter().all(|item| is_of_layer(item, layer)),
        _ => true,
    }
}

fn entropy(seed: u64) -> Vec<u8> {
    use crate::crypto::Random as _;
    let mut bytes = vec![0; 256];
    crate::crypto::SeededRandom::new(seed).fill(&mut bytes);
    bytes
}

#[test]
fn whatever_is_told_in_a_layer_is_of_that_layer_and_can_be_read() {
    let heights = Heights::new();
    let mut told_otherwise = 0;
    for (seed, definition) in definitions().iter().enumerate() {
        for round in 0..4 {
            let object = heights.object(definition, &mut Source(&entropy(seed as u64 * 4 + round)), 3);
            for layer in OLDEST_LAYER..LAYER {
                let Some(told) = told_object(object.clone(), layer) else { continue };
                let mut bytes = Vec::new();
                encode(&told, &mut bytes).unwrap_or_else(|error| panic!("layer {layer}: {error}"));
                assert_eq!(decode_any_layer(&bytes).as_ref(), Ok(&told));
                told_otherwise += usize::from(told != object);
                assert!(is_of_layer(&told.into(), layer), "layer {layer}: {object:?}");
            }
            assert_eq!(told_object(object.clone(), LAYER), Some(object));
        }
    }
    assert!(told_otherwise > 100, "only {told_otherwise} objects differed");
}

#[test]
fn what_an_older_client_says_is_understood_and_comes_back_to_it_as_it_was() {
    let heights = Heights::new();
    let mut understood_of = std::collections::BTreeSet::new();
    for older in older() {
        for seed in 0..40 {
            // What it has of this layer in it is made to be of its own.
            let object = heights.object(&older.definition, &mut Source(&entropy(seed)), 2);
            let Some(object) = told_object(object, older.until) else { continue };
            let Ok(now) = understood(object.clone(), older.until) else { continue };
            encode(&now, &mut Vec::new()).expect("it fits the schema of this layer");
            assert!(is_of_layer(&now.clone().into(), LAYER));
            let back = told_object(now, older.until);
            // An empty row or keyboard is not told.
            let has_buttons = object.vector("rows").is_none_or(|rows| {
                let row = |row: &Value| {
                    row.as_object().is_some_and(|row| row.vector("buttons").is_some_and(|b| !b.is_empty()))
                };
                rows.iter().all(row)
            });
            if has_buttons {
                assert_eq!(back.as_ref(), Some(&object), "layer {}", older.until);
                understood_of.insert(older.definition.id);
            }
        }
    }
    let missing: Vec<&str> = older()
        .iter()
        .filter(|older| !understood_of.contains(&older.definition.id))
        .map(|older| older.definition.name)
        .collect();
    assert_eq!(missing, ["messages.chatInviteJoinResultWebView", "inputPasskeyCredentialFirebasePNV"]);
}

fn bold(offset: i32) -> Object {
    Object::new("messageEntityBold").with("offset", offset).with("length", 1)
}

fn inline_button(text: &str, kind: Object) -> Object {
    Object::new("keyboardInlineButton").with("text", text).with("type", kind)
}

fn inline_keyboard(rows: Vec<Vec<Object>>) -> Object {
    let rows: Vec<Object> =
        rows.into_iter().map(|buttons| Object::new("keyboardInlineButtonRow").with("buttons", buttons)).collect();
    Object::new("replyInlineMarkup").with("rows", rows)
}

fn message() -> Object {
    let peer = Object::new("peerUser").with("user_id", 5);
    Object::new("message").with("id", 1).with("peer_id", peer).with("date", 2).with("message", "text")
}

#[test]
fn an_inline_keyboard_has_a_constructor_for_each_kind_of_button_in_layer_228() {
    let callback = Object::new("inlineButtonTypeCallback").with("data", b"more".to_vec());
    let url = Object::new("inlineButtonTypeUrl").with("url", "https://example.com/");
    let keyboard = inline_keyboard(vec![vec![inline_button("More", callback), inline_button("Site", url)]]);
    for layer in [227, 228] {
        let told = told_object(message().with("reply_markup", keyboard.clone()), layer).expect("it can be told");
        let row = told.object("reply_markup").and_then(|markup| markup.vector("rows")?[0].as_object());
        let buttons = row.and_then(|row| row.vector("buttons")).expect("a row of buttons");
        let ids: Vec<u32> = buttons.iter().filter_map(|button| button.as_object().map(Object::id)).collect();
        assert_eq!(ids, [0xe62b_c960, 0xd80c_25ec]);
        assert_eq!(buttons[0].as_object().and_then(|button| button.bytes("data")), Some(&b"more"[..]));
        assert_eq!(buttons[1].as_object().and_then(|button| button.str("url")), Some("https://example.com/"));
    }
    assert_eq!(told_object(keyboard.clone(), 229), Some(keyboard));
}

#[test]
fn what_a_layer_has_no_words_for_is_left_out() {
    let ton = Object::new("messageEntityTonAddress").with("offset", 1).with("length", 1);
    let told = |entities: Vec<Object>, layer| told_object(message().with("entities", entities), layer);
    let entities = told(vec![bold(0), ton.clone()], 229).and_then(|mut told| told.take("entities"));
    assert_eq!(entities, Some(vec![bold(0)].into()));
    let without = told(vec![ton], 229).expect("the rest of it can be told");
    assert_eq!(without, message(), "no entity is left, so there is no vector of them");
}

#[test]
fn a_button_that_a_layer_does_not_know_takes_its_empty_row_and_keyboard_along() {
    let disabled = || inline_button("No", Object::new("inlineButtonTypeDisabled"));
    let copy = || inline_button("Copy", Object::new("inlineButtonTypeCopy").with("copy_text", "x"));
    let keyboard = inline_keyboard(vec![vec![disabled()], vec![disabled(), copy()]]);
    let told = told_object(keyboard, 228).expect("one button is left");
    let rows = told.vector("rows").expect("rows");
    assert_eq!(rows.len(), 1);
    let told = told_object(message().with("reply_markup", inline_keyboard(vec![vec![disabled()]])), 228);
    assert_eq!(told, Some(message()));
}

#[test]
fn a_query_may_have_in_it_only_what_its_layer_has() {
    let check = |object: Object, layer: i32, expected: Option<&str>| {
        let refused = understood(object.clone(), layer).err().map(|refusal| refusal.name.into_owned());
        assert_eq!(refused.as_deref(), expected, "{object:?} in layer {layer}");
    };
    let old_keyboard =
        || Object::of(older_by_name("replyInlineMarkup", 228).unwrap()).with("rows", Vec::<Object>::new());
    check(old_keyboard(), 228, None);
    check(old_keyboard(), 229, Some("INPUT_CONSTRUCTOR_INVALID_48A30254"));
    check(inline_keyboard(vec![]), 229, None);
    check(inline_keyboard(vec![]), 228, Some("INPUT_CONSTRUCTOR_INVALID_B2B15770"));
    check(Object::new("wallet.tonConnectGetSessions"), 229, Some("INPUT_CONSTRUCTOR_INVALID_A7FFB56E"));
}

#[test]
fn an_inline_button_in_a_reply_keyboard_of_an_older_client_is_refused() {
    let url = Object::of(older_by_name("keyboardButtonUrl", 228).unwrap()).with("text", "x").with("url", "x");
    let plain = Object::of(older_by_name("keyboardButton", 228).unwrap()).with("text", "x");
    let row = |button: &Object| Object::new("keyboardButtonRow").with("buttons", vec![button.clone()]);
    let reply = |button| Object::new("replyKeyboardMarkup").with("rows", vec![row(button)]);
    let inline = |button| Object::of(older_by_name("replyInlineMarkup", 228).unwrap()).with("rows", vec![row(button)]);
    let invalid = Err(Refusal::bad("BUTTON_TYPE_INVALID"));
    assert_eq!(understood(reply(&url), 228).map(drop), invalid);
    assert_eq!(understood(inline(&plain), 228).map(drop), invalid);
    assert_eq!(understood(reply(&plain), 228).map(drop), Ok(()));
    assert_eq!(understood(inline(&url), 228).map(drop), Ok(()));
}

#[test]
fn a_layer_that_is_not_spoken_is_named() {
    let check_refused = |layer: i32, name: &'static str| assert_eq!(check(layer), Err(Refusal::bad(name)));
    check_refused(OLDEST_LAYER - 1, "CONNECTION_LAYER_INVALID_226");
    check_refused(LAYER + 1, "CONNECTION_LAYER_INVALID_231");
    assert!((OLDEST_LAYER..=LAYER).all(|layer| check(layer).is_ok()));
}
