//! Sessions, as a server has them.

use super::pair::*;
use super::service::*;
use crate::mtproto::*;

#[test]
fn a_new_session_is_told_to_the_client() {
    let mut pair = Pair::new();
    let call = pair.send();
    pair.settle();
    let events = pair.client_events();
    assert!(matches!(events[..], [Event::SessionRenewed { first_msg_id, .. }] if first_msg_id == call), "{events:?}");
}

#[test]
fn a_session_that_begins_with_a_container_begins_with_its_first_message() {
    let mut pair = Pair::new();
    let calls = [pair.send(), pair.send()];
    pair.settle();
    let events = pair.client_events();
    assert!(
        matches!(events[..], [Event::SessionRenewed { first_msg_id, .. }] if first_msg_id == calls[0]),
        "{events:?}"
    );
    assert_eq!(pair.queries().len(), 2);
}

#[test]
fn an_older_message_begins_the_session_again() {
    let mut pair = Pair::new();
    pair.deliver_to_server(&Forged::new(msg_id(pair.now.unix, 10, 0), 3, QUERY).packet(Side::Client));
    pair.deliver_to_server(&Forged::new(msg_id(pair.now.unix, 5, 0), 1, QUERY).packet(Side::Client));
    pair.deliver_to_server(&Forged::new(msg_id(pair.now.unix, 15, 0), 5, QUERY).packet(Side::Client));
    let packets = pair.server_packets();
    let firsts: Vec<i64> = messages(Side::Server, &packets[0])
        .iter()
        .filter(|(_, _, body)| constructor(body) == NEW_SESSION_CREATED)
        .map(|(_, _, body)| Fields::of("new_session_created", body).long().unwrap())
        .collect();
    assert_eq!(firsts, [msg_id(pair.now.unix, 10, 0).0, msg_id(pair.now.unix, 5, 0).0]);
}

#[test]
fn calls_older_than_a_sessions_beginning_are_sent_again_on_its_first_connection() {
    let mut pair = Pair::new();
    let call = pair.send();
    pair.client_packets();
    let later = pair.send();
    pair.settle();
    let queries = pair.queries();
    assert_eq!(queries.len(), 2);
    queries.into_iter().for_each(|query| pair.reply(query));
    pair.settle();
    let events = pair.client_events();
    assert!(events.contains(&answer(call)) && events.contains(&answer(later)), "{events:?}");
}

#[test]
fn a_session_that_is_announced_twice_loses_nothing() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    let announce = |n, first: i64| {
        let body = Writer::new(NEW_SESSION_CREATED).long(first).long(5).long(SALT).done();
        Forged::new(msg_id(start().unix + seconds(6), n, 3), 1, body).packet(Side::Server)
    };
    pair.client.reconnected(pair.now);
    pair.deliver_to_client(&announce(0, call.0));
    assert!(matches!(pair.client_events()[..], [Event::SessionRenewed { unique_id: 5, .. }]));
    pair.deliver_to_client(&announce(1, call.0 + 4));
    assert_eq!(pair.client_events(), []);
    assert_eq!(pair.client.calls_waiting(), 1);
}

#[test]
fn a_packet_is_opened_to_find_its_session() {
    let mut pair = Pair::new();
    let call = pair.send();
    let packet = pair.client_packets().remove(0);
    assert_eq!(auth_key_id(&packet), Some(auth_key().id()));
    let opened = open(&auth_key(), Side::Client, packet[..].into()).expect("a good packet");
    assert_eq!((opened.session_id, opened.salt, opened.msg_id()), (SESSION, SALT, call));
    pair.server.handle_opened(opened, pair.now).expect("the session's own");
    assert_eq!(pair.queries(), [call]);
}

#[test]
fn two_sessions_of_one_key_are_apart() {
    let mut one = Pair::new();
    let mut other = engine(Side::Server, 77, 5);
    one.send();
    let packet = one.client_packets().remove(0);
    assert_eq!(other.handle_packet(packet[..].into(), one.now), Err(PacketError::WrongSession { got: SESSION }));
    assert_eq!(other.poll_event(), None);
}

#[test]
fn a_query_that_comes_twice_is_handled_once_and_its_answer_sent_again() {
    let mut pair = Pair::connected();
    let call = pair.send();
    let packets = pair.client_packets();
    pair.deliver_to_server(&packets[0]);
    let query = pair.queries()[0];
    pair.reply(query);
    pair.server_packets();
    let again = container(&[Forged::new(query, opened(Side::Client, &packets[0]).1, QUERY)]);
    pair.deliver_to_server(&Forged::new(msg_id(pair.now.unix + seconds(1), 0, 0), 6, again).packet(Side::Client));
    assert_eq!(pair.queries(), []);
    pair.settle();
    assert_eq!(pair.client_events(), [answer(call)]);
}

#[test]
fn a_servers_ids_tell_answers_from_the_rest() {
    let mut pair = Pair::connected();
    pair.send();
    pair.settle();
    let query = pair.queries()[0];
    pair.server.push(RESULT.into(), pair.now);
    pair.reply(query);
    let packet = pair.server_packets().remove(0);
    let kinds: Vec<(u32, i64)> =
        messages(Side::Server, &packet).iter().map(|(id, _, body)| (constructor(body), id.0 & 3)).collect();
    assert_eq!(kinds, [(constructor(RESULT), 3), (RPC_RESULT, 1)]);
}

#[test]
fn future_salts_are_answered() {
    let mut pair = Pair::connected();
    let now = pair.now.unix.as_secs() as i32;
    let id = msg_id(pair.now.unix + seconds(1), 0, 0);
    pair.deliver_to_server(&Forged::new(id, 5, Writer::new(GET_FUTURE_SALTS).int(3).done()).packet(Side::Client));
    let packets = pair.server_packets();
    let (_, _, body) = messages(Side::Server, &packets[0])[0].clone();
    let expected = Writer::new(FUTURE_SALTS).long(id.0).int(now).int(1).int(now).int(now + 3600).long(SALT);
    assert_eq!(body, expected.done());
}

#[test]
fn another_session_is_destroyed() {
    let mut pair = Pair::connected();
    pair.client.destroy_session(77);
    pair.settle();
    assert_eq!(pair.server_events(), [Event::DestroySession { session_id: 77 }]);
    pair.server.session_destroyed(77, true);
    pair.settle();
    assert_eq!(pair.client_events(), [Event::SessionDestroyed { session_id: 77, existed: true }]);
}

#[test]
fn a_session_does_not_destroy_itself() {
    let mut pair = Pair::connected();
    pair.client.destroy_session(SESSION);
    pair.settle();
    assert_eq!(pair.server_events(), []);
    assert_eq!(pair.client_events(), [Event::SessionDestroyed { session_id: SESSION, existed: false }]);
}

#[test]
fn an_auth_key_is_destroyed() {
    let mut pair = Pair::connected();
    pair.client.destroy_auth_key();
    pair.settle();
    assert!(matches!(pair.server_events()[..], [Event::DestroyAuthKey { .. }]));
    pair.server.auth_key_destroyed(true);
    pair.settle();
    assert_eq!(pair.client_events(), [Event::AuthKeyDestroyed(true)]);
}

#[test]
fn what_a_client_never_acknowledges_is_kept_within_bounds() {
    let mut pair = Pair::connected();
    for _ in 0..10_000 {
        pair.server.push(RESULT.into(), pair.now);
    }
    pair.server_packets();
    pair.server.reconnected(pair.now);
    let packets = pair.server_packets();
    assert_eq!(packets.iter().map(|packet| messages(Side::Server, packet).len()).sum::<usize>(), 8192);
}
