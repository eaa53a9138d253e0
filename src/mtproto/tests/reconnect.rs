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
fn calls_that_nothing_is_known_of_are_lost() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.client_packets();
    pair.client.reconnected(pair.now);
    let packets = pair.client_packets();
    let request = messages(Side::Client, &packets[0]);
    assert_eq!(constructor(&request[0].2), MSGS_STATE_REQ);
    let body = Writer::new(MSGS_STATE_INFO).long(request[0].0.0).bytes(&[1]).done();
    pair.deliver_to_client(&Forged::new(msg_id(pair.now.unix + seconds(1), 0, 1), 0, body).packet(Side::Server));
    let lost = Event::QueryLost { to: call, body: QUERY.into(), reason: LostReason::Forgotten };
    assert_eq!(pair.client_events(), [lost]);
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

#[test]
fn a_large_answer_that_is_announced_is_asked_for() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    let query = pair.queries()[0];
    pair.reply(query);
    let lost = pair.server_packets();
    let (answer_id, _, body) = messages(Side::Server, &lost[0])[0].clone();
    let info = Writer::new(MSG_DETAILED_INFO).long(query.0).long(answer_id.0).int(body.len() as i32).int(0).done();
    pair.deliver_to_client(&Forged::new(msg_id(pair.now.unix + seconds(1), 0, 1), 0, info).packet(Side::Server));
    pair.settle();
    assert_eq!(pair.client_events(), [answer(call)]);
}

#[test]
fn an_update_that_is_announced_is_asked_for() {
    let mut pair = Pair::connected();
    pair.server.push(RESULT.into(), pair.now);
    let lost = pair.server_packets();
    let (id, ..) = opened(Side::Server, &lost[0]);
    let info = Writer::new(MSG_NEW_DETAILED_INFO).long(id.0).int(8).int(0).done();
    pair.deliver_to_client(&Forged::new(msg_id(pair.now.unix + seconds(1), 0, 3), 0, info).packet(Side::Server));
    pair.settle();
    assert_eq!(pair.client_events(), [Event::Update(RESULT.into())]);
}

#[test]
fn a_server_asked_for_what_it_has_not_tells_what_it_knows() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix + seconds(1), 0, 0);
    let unknown = msg_id(pair.now.unix + seconds(1), 9, 1);
    let request = Writer::new(MSG_RESEND_REQ).longs(&[unknown.0]).done();
    pair.deliver_to_server(&Forged::new(id, 3, request).packet(Side::Client));
    let packets = pair.server_packets();
    let info = Writer::new(MSGS_STATE_INFO).long(id.0).bytes(&[3]).done();
    assert!(messages(Side::Server, &packets[0]).iter().any(|(_, _, body)| *body == info));
}

#[test]
fn a_server_tells_the_state_of_each_message() {
    let mut pair = Pair::connected();
    let begin = pair.now.unix + seconds(1);
    let at = |n: i64| msg_id(begin, 100 + n, 0);
    let (answered, running, ping, request) = (at(0), at(2), at(3), at(5));
    pair.deliver_to_server(&Forged::new(answered, 3, QUERY).packet(Side::Client));
    pair.deliver_to_server(&Forged::new(running, 5, QUERY).packet(Side::Client));
    pair.deliver_to_server(&Forged::new(ping, 6, Writer::new(PING).long(1).done()).packet(Side::Client));
    pair.reply(answered);
    pair.server_packets();
    let about = [MsgId(4), answered, at(1), running, ping, at(9)].map(|id| id.0);
    pair.deliver_to_server(
        &Forged::new(request, 7, Writer::new(MSGS_STATE_REQ).longs(&about).done()).packet(Side::Client),
    );
    let packets = pair.server_packets();
    let info = Writer::new(MSGS_STATE_INFO).long(request.0).bytes(&[1, 4 + 32 + 64, 2, 4 + 32, 4 + 16, 3]).done();
    assert!(messages(Side::Server, &packets[0]).iter().any(|(_, _, body)| *body == info));
}
