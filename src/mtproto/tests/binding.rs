//! The query that binds a temporary key has to prove its own message id, whichever it gets at last.
//! <https://core.telegram.org/method/auth.bindTempAuthKey>

use super::pair::*;
use crate::crypto::AuthKey;
use crate::mtproto::binding::open_binding;
use crate::mtproto::*;
use crate::tl::{Reader, functions};

fn permanent() -> AuthKey {
    AuthKey::new([0x33; 256])
}

const EXPIRES_AT: i32 = 1_750_086_400;

fn bind(pair: &mut Pair) -> MsgId {
    let now = pair.client_now();
    pair.client.bind(permanent(), EXPIRES_AT, now)
}

/// The one query that came, which must be a binding whose proof holds.
fn proven(pair: &mut Pair) -> MsgId {
    let [Event::Query { msg_id, body }] = &pair.server_events()[..] else { panic!("one query should have come") };
    let mut reader = Reader::new(body);
    reader.expect(functions::AuthBindTempAuthKey::ID).unwrap();
    let query = functions::AuthBindTempAuthKey::read(&mut reader).unwrap();
    let (proven, inner) = open_binding(&permanent(), query.encrypted_message).expect("a proof by the permanent key");
    assert_eq!(proven, *msg_id, "the proof is for the message that it came in");
    assert_eq!((inner.nonce, inner.expires_at), (query.nonce, query.expires_at));
    assert_eq!((inner.temp_auth_key_id as u64, inner.temp_session_id), (auth_key().id(), SESSION));
    assert_eq!((inner.perm_auth_key_id, inner.expires_at), (query.perm_auth_key_id, EXPIRES_AT));
    *msg_id
}

#[test]
fn a_binding_proves_the_message_id_that_it_goes_out_with() {
    let mut pair = Pair::new();
    let call = bind(&mut pair);
    pair.settle();
    let query = proven(&mut pair);
    pair.reply(query);
    pair.settle();
    assert!(pair.client_events().contains(&answer(call)));
}

#[test]
fn a_binding_that_waited_for_its_turn_proves_its_new_id() {
    let mut pair = Pair::new();
    let old = bind(&mut pair);
    pair.now = pair.now + seconds(100);
    pair.settle();
    assert_ne!(proven(&mut pair), old, "an id of 100 seconds ago is not used any more");
}

#[test]
fn a_binding_refused_for_its_salt_or_its_time_proves_its_second_id() {
    let mut pair = Pair::new();
    pair.server.set_future_salts(vec![FutureSalt { valid_since: 0, valid_until: i32::MAX, salt: 99 }]);
    let call = bind(&mut pair);
    pair.settle();
    let query = proven(&mut pair);
    assert_ne!(query, call);
    pair.reply(query);
    pair.settle();
    assert!(pair.client_events().contains(&answer(call)), "the owner knows it by its first name");

    let mut pair = Pair::with_server_ahead(1000);
    let call = bind(&mut pair);
    pair.settle();
    assert_ne!(proven(&mut pair), call);
}

#[test]
fn a_binding_lost_with_its_connection_proves_the_id_that_it_is_sent_again_with() {
    // After a while its id is too old to be kept.
    for (later, keeps_id) in [(1, true), (1000, false)] {
        let mut pair = Pair::connected();
        let call = bind(&mut pair);
        assert_eq!(pair.client_packets().len(), 1, "and that one is lost");
        pair.now = pair.now + seconds(later);
        pair.reconnect();
        pair.settle();
        let query = proven(&mut pair);
        assert_eq!(query == call, keeps_id);
        pair.reply(query);
        pair.settle();
        assert!(pair.client_events().contains(&answer(call)));
    }
}

#[test]
fn a_call_is_unsent_until_it_has_left_and_again_when_it_was_refused() {
    let mut pair = Pair::connected();
    let call = pair.send();
    assert!(pair.client.is_unsent(call));
    let packets = pair.client_packets();
    assert!(!pair.client.is_unsent(call));
    pair.server.set_future_salts(vec![FutureSalt { valid_since: 0, valid_until: i32::MAX, salt: 99 }]);
    pair.deliver_to_server(&packets[0]);
    for packet in pair.server_packets() {
        pair.deliver_to_client(&packet);
    }
    assert!(pair.client.is_unsent(call));
}
