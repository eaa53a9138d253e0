//! What must hold of every definition.

use super::arbitrary::{Heights, Source, sample};
use super::borrowed::generated::rewrite;
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const SAMPLES: [&str; 4] = ["updates_small", "updates_big", "update_cmd", "send_message"];

fn encoded(object: &Object) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(object, &mut bytes).expect("it is complete");
    bytes
}

/// Runs a check on objects of every definition, `cases` of each.
fn for_every_definition(cases: u32, check: impl Fn(&Object)) {
    let heights = Heights::new();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    for definition in definitions() {
        let mut runner = TestRunner::new(config.clone());
        let entropy = vec(any::<u8>(), 0..256);
        let run = runner.run(&entropy, |entropy| {
            check(&heights.object(definition, &mut Source(&entropy), 3));
            Ok(())
        });
        if let Err(error) = run {
            panic!("{}: {error}", definition.name);
        }
    }
}

#[test]
fn every_definition_comes_back_from_its_bytes() {
    for_every_definition(12, |object| {
        let bytes = encoded(object);
        assert_eq!(decode_object(&bytes).as_ref(), Ok(object));
        assert!(Raw::new(&bytes).is_ok());
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.skip_object(), Ok(object.definition()));
        assert!(reader.is_empty());
    });
}

#[test]
fn every_definition_comes_back_from_json() {
    for_every_definition(3, |object| {
        let back = Object::from_json(&object.to_json()).expect("it was made of an object");
        assert_eq!(encoded(&back), encoded(object));
    });
}

#[test]
fn an_object_opened_one_level_has_the_fields_it_was_made_of() {
    for_every_definition(3, |object| {
        let bytes = encoded(object);
        let fields = Fields::new(Raw::new(&bytes).expect("it was encoded")).expect("it was encoded");
        let names: Vec<&str> = fields.map(|field| field.expect("it was encoded").0.name).collect();
        assert_eq!(names, object.fields().map(|(name, _)| name).collect::<Vec<_>>());
    });
}

#[test]
fn the_borrowed_types_write_what_they_read() {
    for_every_definition(12, |object| {
        let bytes = encoded(object);
        if let Some(again) = rewrite(&bytes) {
            assert_eq!(again, Ok(bytes), "{object:?}");
        }
    });
}

#[test]
fn the_samples_come_back_by_both_ways() {
    for name in SAMPLES {
        let bytes = sample(name);
        let object = decode_object(&bytes).expect("the sample is well-formed");
        assert_eq!(encoded(&object), bytes, "{name}");
        assert_eq!(rewrite(&bytes), Some(Ok(bytes)), "{name}");
    }
}

#[test]
fn the_borrowed_types_say_what_the_samples_say() {
    for name in ["updates_small", "updates_big"] {
        let bytes = sample(name);
        let object = decode_object(&bytes).expect("the sample is well-formed");
        let Ok(enums::Updates::Updates(updates)) = enums::Updates::read(&mut Reader::new(&bytes)) else {
            panic!("{name} is `updates`");
        };
        assert_eq!(Some(i64::from(updates.date)), object.int("date"));
        let items = object.vector("updates").expect("it has updates");
        assert_eq!(updates.updates.len(), items.len());
        let mut messages = 0;
        for (update, item) in updates.updates.iter().zip(items) {
            let (enums::Update::NewChannelMessage(update), Some(item)) = (update, item.as_object()) else {
                continue;
            };
            messages += 1;
            assert_eq!(Some(i64::from(update.pts)), item.int("pts"));
            let (enums::Message::Message(message), Some(item)) = (update.message, item.object("message")) else {
                panic!("{name} has messages");
            };
            assert_eq!(Some(message.message), item.str("message"));
            assert_eq!(message.entities.map(|list| list.len()), item.vector("entities").map(<[Value]>::len));
            assert_eq!(message.media.map(|raw| raw.decode()), item.object("media").cloned().map(Ok));
        }
        assert!(messages > 0);
        for (user, item) in updates.users.iter().zip(object.vector("users").expect("it has users")) {
            let (enums::User::User(user), Some(item)) = (user, item.as_object()) else { panic!("{name} has users") };
            assert_eq!((Some(user.id), user.first_name), (item.int("id"), item.str("first_name")));
            assert_eq!((user.premium, user.access_hash), (item.flag("premium"), item.int("access_hash")));
        }
    }
}

#[test]
fn both_ways_agree_on_what_is_wrong_with_bytes() {
    let sample = sample("updates_small");
    let strategy = (0..sample.len(), any::<u8>());
    let config = Config { cases: 4000, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config).run(&strategy, |(at, byte)| {
        let mut bytes = sample.clone();
        bytes[at] = byte;
        let dynamic = decode_object(&bytes);
        if let Some(borrowed) = rewrite(&bytes) {
            prop_assert_eq!(borrowed.is_ok(), dynamic.is_ok());
            if let Ok(again) = borrowed {
                prop_assert_eq!(decode_object(&again), dynamic);
            }
        }
        Ok(())
    });
    run.expect("both ways agree");
}

#[test]
fn values_nested_too_deep_are_an_error_both_ways() {
    let mut json = Object::new("jsonNull");
    for _ in 0..=MAX_DEPTH {
        json = Object::new("jsonArray").with("value", vec![json]);
    }
    assert!(encode(&json, &mut Vec::new()).is_err());

    let open: Vec<u8> = [constructor("jsonArray").expect("it is in the schema").id, VECTOR, 1]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    let mut bytes = open.repeat(100_000);
    bytes.extend(constructor("jsonNull").expect("it is in the schema").id.to_le_bytes());
    assert_eq!(decode_object(&bytes), Err(DecodeError::Depth));
    assert_eq!(Raw::new(&bytes), Err(DecodeError::Depth));
}

#[test]
fn an_error_of_encoding_names_the_place() {
    let check = |object: Object, expected: &str| {
        let error = encode(&object, &mut Vec::new()).expect_err("it is wrong");
        assert_eq!(error.to_string(), expected);
    };
    let message = || Object::new("messages.sendMessage").with("message", "hi").with("random_id", 1);
    let peer = || Object::new("inputPeerSelf");
    check(message(), "messages.sendMessage.peer: missing");
    check(message().with("peer", 5), "messages.sendMessage.peer: InputPeer expected, got integer");
    check(
        message().with("peer", Object::new("peerUser")),
        "messages.sendMessage.peer: InputPeer expected, got peerUser",
    );
    let reply = Object::new("inputReplyToMessage").with("reply_to_msg_id", "5");
    check(
        message().with("peer", peer()).with("reply_to", reply),
        "messages.sendMessage.reply_to.reply_to_msg_id: int expected, got string",
    );
    let bold = Object::new("messageEntityBold").with("offset", 1i64 << 40).with("length", 1);
    check(
        message().with("peer", peer()).with("entities", vec![bold]),
        "messages.sendMessage.entities[1].offset: int expected, 1099511627776 is out of its range",
    );
    let views = Object::new("message").with("id", 1).with("peer_id", Object::new("peerUser").with("user_id", 1));
    check(
        views.with("date", 1).with("message", "").with("views", 1),
        "message.forwards: missing, as it goes with views",
    );
}

#[test]
fn a_result_is_read_as_the_function_says() {
    let check = |name: &str, bytes: &[u8], expected: Result<Value, DecodeError>| {
        let function = function(name).expect("it is in the schema");
        assert_eq!(decode_result(function, bytes), expected, "{name}");
    };
    check("account.updateStatus", &BOOL_TRUE.to_le_bytes(), Ok(Value::Bool(true)));
    let ints: Vec<u8> = [VECTOR, 2, 7, 8].into_iter().flat_map(u32::to_le_bytes).collect();
    check("contacts.getContactIDs", &ints, Ok(Value::from(vec![7, 8])));
    let ints: Vec<u8> = [VECTOR, 1, 7, 8, 9].into_iter().flat_map(u32::to_le_bytes).collect();
    check("users.getUsers", &ints, Err(DecodeError::UnknownConstructor { id: 7, expected: "User" }));
    check("invokeWithLayer", &ints, Err(DecodeError::Generic));
    let call = Object::new("invokeWithLayer").with("layer", LAYER).with("query", Object::new("help.getConfig"));
    assert_eq!(returning(&call).name, "help.getConfig");
}
