//! What happens to calls and updates when a connection breaks: nothing is done twice, nothing is lost unsaid.

use super::pair::*;
use super::service::*;
use crate::mtproto::*;

#[test]
fn a_call_that_never_arrived_is_sent_again() {
    let mut pair = Pair::connected();
    let call = pair.send();
    assert_eq!(pair.client_packets().len(), 1, "and that one is lost");
    pair.reconnect();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    pair.settle();
    assert_eq!(pair.client_events(), [answer(call)]);
}

#[test]
fn a_call_that_arrived_is_not_done_again() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reconnect();
    pair.settle();
    assert_eq!(pair.queries(), []);
    pair.reply(query);
    pair.settle();
    assert_eq!(pair.client_events(), [answer(call)]);
}

#[test]
fn a_call_that_arrives_late_over_the_old_connection_is_done_once() {
    let mut pair = Pair::connected();
    let call = pair.send();
    let late = pair.client_packets();
    pair.reconnect();
    pair.settle();
    // It was sent again because the server did not have it yet.
    late.iter().for_each(|packet| pair.deliver_to_server(packet));
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    pair.settle();
    assert_eq!(pair.client_events(), [answer(call)]);
    assert_eq!(pair.errors, [(Side::Server, PacketError::Duplicate(query))]);
}

#[test]
fn an_answer_that_was_lost_is_sent_again() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    assert_eq!(pair.server_packets().len(), 1, "and that one is lost");
    pair.reconnect();
    pair.settle();
    assert_eq!(pair.client_events(), [answer(call)]);
}

#[test]
fn an_answer_that_comes_twice_is_told_once() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    pair.settle();
    // The acknowledgment is lost.
    pair.wait(seconds(5));
    assert_eq!(pair.client_packets().len(), 1);
    pair.reconnect();
    pair.settle();
    assert_eq!(pair.client_events(), [answer(call)]);
}

#[test]
fn a_message_sent_again_under_its_id_is_in_a_container() {
    let mut pair = Pair::connected();
    pair.server.push(RESULT.into(), pair.now);
    let lost = pair.server_packets();
    let (first, ..) = opened(Side::Server, &lost[0]);
    pair.reconnect();
    let packets = pair.server_packets();
    let (outer, _, body) = opened(Side::Server, &packets[0]);
    assert_eq!(constructor(&body), MSG_CONTAINER);
    assert_eq!(messages(Side::Server, &packets[0])[0].0, first);
    assert!(outer > first);
}

#[test]
fn updates_that_were_lost_come_in_their_order() {
    let mut pair = Pair::connected();
    for n in 0..10_u8 {
        pair.server.push(vec![9, 9, 9, n].into(), pair.now);
        pair.server_packets();
    }
    pair.server.push(vec![9, 9, 9, 10].into(), pair.now);
    pair.reconnect();
    pair.settle();
    let updates: Vec<Event> = (0..=10).map(|n| Event::Update(vec![9, 9, 9, n].into())).collect();
    assert_eq!(pair.client_events(), updates);
}

#[test]
fn calls_made_while_there_is_no_connection_go_over_the_next() {
    let mut pair = Pair::connected();
    pair.wait(seconds(1000));
    let call = pair.send();
    pair.wait(seconds(1000));
    pair.reconnect();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    pair.settle();
    assert!(pair.client_events().contains(&answer(call)));
    assert_eq!(pair.errors, [], "its id was made when it went out");
}

#[test]
fn a_call_is_sent_again_long_after_its_id_has_grown_too_old() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.client_packets();
    pair.now = pair.now + seconds(4000);
    pair.reconnect();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    pair.settle();
    assert!(pair.client_events().contains(&answer(call)));
    assert_eq!(pair.errors, []);
}

#[test]
fn a_session_that_the_server_forgot_loses_the_calls_on_their_way() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    pair.forget_session();
    pair.reconnect();
    let later = pair.send();
    pair.settle();
    let events = pair.client_events();
    let lost = Event::QueryLost { to: call, body: QUERY.into(), reason: LostReason::SessionReset };
    assert_eq!(events[0], lost);
    assert!(matches!(events[1], Event::SessionRenewed { .. }));
    let [query] = pair.queries()[..] else { panic!("only the later call comes") };
    pair.reply(query);
    pair.settle();
    assert_eq!(pair.client_events(), [answer(later)]);
}

#[test]
fn a_question_that_was_lost_with_its_connection_is_asked_again() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.client_packets();
    for _ in 0..3 {
        pair.reconnect();
        pair.client_packets();
    }
    pair.reconnect();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    pair.settle();
    assert_eq!(pair.client_events(), [answer(call)]);
}

#[test]
fn a_question_refused_for_its_salt_is_asked_again() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.client_packets();
    let salt = FutureSalt { valid_since: 0, valid_until: i32::MAX, salt: 99 };
    pair.server.set_future_salts(vec![salt]);
    pair.reconnect();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    pair.settle();
    assert_eq!(pair.client_events(), [Event::SaltChanged(99), answer(call)]);
}
