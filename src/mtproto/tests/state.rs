//! Has it arrived? Questions about messages, answers to them, and news that nobody asked for, in both directions.
//!
//! <https://core.telegram.org/mtproto/service_messages_about_messages#request-for-message-status-information>

use super::pair::*;
use super::service::*;
use crate::mtproto::*;

/// A message of the server to the client, a second later.
fn from_server(pair: &mut Pair, body: impl AsRef<[u8]>) -> Forged {
    pair.now = pair.now + seconds(1);
    Forged::new(msg_id(pair.now.unix, 0, 1), 0, body)
}

/// A service message of the client to the server, a second later.
fn from_client(pair: &mut Pair, body: impl AsRef<[u8]>) -> Forged {
    pair.now = pair.now + seconds(1);
    let seqno = pair.client.seqnos.next(false);
    Forged::new(msg_id(pair.now.unix, 0, 0), seqno, body)
}

/// The bodies of these packets' messages that have this constructor.
fn of(wanted: u32, from: Side, packets: &[bytes::Bytes]) -> Vec<bytes::Bytes> {
    let messages = packets.iter().flat_map(|packet| messages(from, packet));
    messages.map(|(_, _, body)| body).filter(|body| constructor(body) == wanted).collect()
}

/// A client whose call has left and never arrived, told unasked that this is its state.
fn told_unasked(state: u8) -> (Pair, MsgId) {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.client_packets();
    let info = Writer::new(MSGS_ALL_INFO).longs(&[call.0]).bytes(&[state]).done();
    let news = from_server(&mut pair, info);
    pair.deliver_to_client(&news.packet(Side::Server));
    (pair, call)
}

#[test]
fn a_call_that_the_server_says_unasked_not_to_have_is_sent_again_under_its_id() {
    let (mut pair, call) = told_unasked(2);
    let packets = pair.client_packets();
    assert_eq!(constructor(&opened(Side::Client, &packets[0]).2), MSG_CONTAINER, "not on its own");
    assert!(messages(Side::Client, &packets[0]).iter().any(|(id, _, body)| *id == call && body == QUERY));
    pair.deliver_to_server(&packets[0]);
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    pair.settle();
    assert_eq!(pair.client_events(), [answer(call)]);
    assert_eq!(pair.errors, []);
}

#[test]
fn a_call_that_the_server_says_unasked_to_have_forgotten_is_lost() {
    let (mut pair, call) = told_unasked(1);
    let lost = Event::QueryLost { to: call, body: QUERY.into(), reason: LostReason::Forgotten };
    assert_eq!(pair.client_events(), [lost]);
    assert_eq!(pair.client_packets().len(), 0);
}

#[test]
fn a_call_that_the_server_says_unasked_not_to_have_yet_may_be_on_its_way() {
    let (mut pair, _) = told_unasked(3);
    assert_eq!((pair.client_events(), pair.client_packets().len()), (vec![], 0));
    assert_eq!(pair.client.calls_waiting(), 1);
}

#[test]
fn a_call_that_the_server_says_unasked_to_have_waits_for_its_answer() {
    let (mut pair, call) = told_unasked(4 + 32);
    assert_eq!(pair.receipts(), [call]);
    assert_eq!((pair.client_packets().len(), pair.client.calls_waiting()), (0, 1));
}

#[test]
fn states_that_are_fewer_than_their_messages_are_refused() {
    let mut pair = Pair::connected();
    let info = Writer::new(MSGS_ALL_INFO).longs(&[4, 8]).bytes(&[1]).done();
    let news = from_server(&mut pair, info);
    pair.deliver_to_client(&news.packet(Side::Server));
    assert!(matches!(pair.errors[..], [(Side::Client, PacketError::Malformed(_))]), "{:?}", pair.errors);
}

#[test]
fn what_a_client_says_unasked_to_have_or_not_is_forgotten_or_sent_again() {
    let mut pair = Pair::connected();
    let updates: Vec<MsgId> = (0..3).map(|_| pair.server.push(RESULT.into(), pair.now)).collect();
    pair.server_packets();
    let ids: Vec<i64> = updates.iter().map(|id| id.0).collect();
    let info = Writer::new(MSGS_ALL_INFO).longs(&ids).bytes(&[4, 2, 3]).done();
    let news = from_client(&mut pair, info);
    pair.deliver_to_server(&news.packet(Side::Client));
    let packets = pair.server_packets();
    let again: Vec<MsgId> = messages(Side::Server, &packets[0]).iter().map(|(id, ..)| *id).collect();
    assert_eq!(again, updates[1..2]);
    assert_eq!(pair.server.kept.messages.keys().copied().collect::<Vec<_>>(), updates[1..]);
}

#[test]
fn a_client_tells_the_state_of_each_message() {
    let mut pair = Pair::connected();
    let (update, missing) = (pair.server.push(RESULT.into(), pair.now), pair.server.push(RESULT.into(), pair.now));
    let later = pair.server.push(RESULT.into(), pair.now);
    let packet = pair.server_packets().remove(0);
    let whole = messages(Side::Server, &packet);
    for (id, seqno, body) in whole.iter().filter(|(id, ..)| *id != missing) {
        pair.deliver_to_client(&Forged::new(*id, *seqno, body).packet(Side::Server));
    }
    let about = [MsgId(1), update, missing, later, msg_id(pair.now.unix + seconds(9), 0, 3)].map(|id| id.0);
    let request = from_server(&mut pair, Writer::new(MSGS_STATE_REQ).longs(&about).done());
    pair.deliver_to_client(&request.packet(Side::Server));
    let expected = Writer::new(MSGS_STATE_INFO).long(request.id.0).bytes(&[1, 4, 2, 4, 3]).done();
    assert_eq!(of(MSGS_STATE_INFO, Side::Client, &pair.client_packets()), [expected]);
}

#[test]
fn states_that_nobody_asked_for_in_so_many_words_change_nothing() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.client_packets();
    let info = Writer::new(MSGS_STATE_INFO).long(12).bytes(&[1]).done();
    let news = from_server(&mut pair, &info);
    pair.deliver_to_client(&news.packet(Side::Server));
    pair.server.push(RESULT.into(), pair.now);
    pair.server_packets();
    let news = from_client(&mut pair, &info);
    pair.deliver_to_server(&news.packet(Side::Client));
    assert_eq!((pair.client_events(), pair.server.kept.messages.len()), (vec![], 1), "{call}");
}

#[test]
fn a_large_answer_is_announced_on_the_next_connection_and_sent_when_it_is_asked_for() {
    let mut pair = Pair::connected();
    let (call, query) = {
        let call = pair.send();
        pair.settle();
        (call, pair.queries()[0])
    };
    let mut large = RESULT.to_vec();
    crate::crypto::Random::fill(&mut crate::crypto::SeededRandom::new(1), &mut large);
    large.resize(20_000, 7);
    crate::crypto::Random::fill(&mut crate::crypto::SeededRandom::new(2), &mut large[4..]);
    pair.server.reply(query, large.clone().into(), pair.now);
    pair.server.push(large.clone().into(), pair.now);
    pair.server_packets();
    pair.reconnect();
    let news = pair.server_packets();
    assert!(news.iter().map(bytes::Bytes::len).sum::<usize>() < 1000, "it is not sent unasked");
    assert_eq!(of(MSG_DETAILED_INFO, Side::Server, &news).len(), 1);
    assert_eq!(of(MSG_NEW_DETAILED_INFO, Side::Server, &news).len(), 1);
    news.iter().for_each(|packet| pair.deliver_to_client(packet));
    pair.settle();
    let large: bytes::Bytes = large.into();
    assert_eq!(pair.client_events(), [Event::Reply { to: call, result: Ok(large.clone()) }, Event::Update(large)]);
    pair.flush_acks();
    pair.reconnect();
    assert_eq!(pair.server_packets().len(), 0);
}

#[test]
fn a_query_that_comes_twice_has_its_large_answer_announced() {
    let mut pair = Pair::connected();
    pair.send();
    let packets = pair.client_packets();
    let (query, seqno, _) = opened(Side::Client, &packets[0]);
    pair.deliver_to_server(&packets[0]);
    let mut large = vec![0; 20_000];
    crate::crypto::Random::fill(&mut crate::crypto::SeededRandom::new(1), &mut large);
    pair.queries();
    pair.server.reply(query, large.into(), pair.now);
    pair.server_packets();
    let again = container(&[Forged::new(query, seqno, QUERY)]);
    let news = from_client(&mut pair, again);
    pair.deliver_to_server(&news.packet(Side::Client));
    assert_eq!(of(MSG_DETAILED_INFO, Side::Server, &pair.server_packets()).len(), 1);
}

#[test]
fn what_is_announced_and_known_is_acknowledged_and_not_asked_for() {
    let mut pair = Pair::connected();
    let id = pair.server.push(RESULT.into(), pair.now);
    pair.settle();
    pair.flush_acks();
    let info = Writer::new(MSG_NEW_DETAILED_INFO).long(id.0).int(8).int(0).done();
    let news = from_server(&mut pair, info);
    pair.deliver_to_client(&news.packet(Side::Server));
    pair.wait(seconds(5));
    let packets = pair.client_packets();
    assert_eq!(of(MSG_RESEND_REQ, Side::Client, &packets), [] as [bytes::Bytes; 0]);
    assert_eq!(of(MSGS_ACK, Side::Client, &packets), [Writer::new(MSGS_ACK).longs(&[id.0]).done()]);
}

#[test]
fn what_a_client_announces_is_asked_for_by_the_server() {
    let mut pair = Pair::connected();
    pair.send();
    let lost = pair.client_packets();
    let (id, ..) = opened(Side::Client, &lost[0]);
    let info = Writer::new(MSG_NEW_DETAILED_INFO).long(id.0).int(8).int(0).done();
    let news = from_client(&mut pair, info);
    pair.deliver_to_server(&news.packet(Side::Client));
    pair.settle();
    assert_eq!(pair.queries(), [id], "it was sent again under its id, and came once");
}

#[test]
fn answers_are_sent_again_to_a_client_that_names_their_queries() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    let query = pair.queries()[0];
    pair.reply(query);
    pair.server_packets();
    let request = Writer::new(MSG_RESEND_ANS_REQ).longs(&[query.0]).done();
    let news = from_client(&mut pair, request);
    pair.deliver_to_server(&news.packet(Side::Client));
    let packets = pair.server_packets();
    assert_eq!(of(RPC_RESULT, Side::Server, &packets).len(), 1);
    packets.iter().for_each(|packet| pair.deliver_to_client(packet));
    assert_eq!(pair.client_events(), [answer(call)]);
}

#[test]
fn a_client_asked_for_answers_tells_what_it_knows() {
    let mut pair = Pair::connected();
    let update = pair.server.push(RESULT.into(), pair.now);
    pair.settle();
    let request = from_server(&mut pair, Writer::new(MSG_RESEND_ANS_REQ).longs(&[update.0]).done());
    pair.deliver_to_client(&request.packet(Side::Server));
    let expected = Writer::new(MSGS_STATE_INFO).long(request.id.0).bytes(&[4]).done();
    assert_eq!(of(MSGS_STATE_INFO, Side::Client, &pair.client_packets()), [expected]);
}

#[test]
fn a_call_that_the_server_asks_for_is_sent_again_and_done_once() {
    let mut pair = Pair::connected();
    pair.send();
    let first = pair.client_packets();
    let (id, ..) = opened(Side::Client, &first[0]);
    let request = Writer::new(MSG_RESEND_REQ).longs(&[id.0]).done();
    let news = from_server(&mut pair, request);
    pair.deliver_to_client(&news.packet(Side::Server));
    let again = pair.client_packets();
    assert!(messages(Side::Client, &again[0]).iter().any(|(this, ..)| *this == id));
    first.iter().chain(&again).for_each(|packet| pair.deliver_to_server(packet));
    assert_eq!(pair.queries(), [id]);
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
    pair.deliver_to_server(&Forged::new(id, 5, request).packet(Side::Client));
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
    pair.deliver_to_server(&Forged::new(answered, 5, QUERY).packet(Side::Client));
    pair.deliver_to_server(&Forged::new(running, 7, QUERY).packet(Side::Client));
    pair.deliver_to_server(&Forged::new(ping, 8, Writer::new(PING).long(1).done()).packet(Side::Client));
    pair.reply(answered);
    pair.server_packets();
    let about = [MsgId(4), answered, at(1), running, ping, at(9)].map(|id| id.0);
    pair.deliver_to_server(
        &Forged::new(request, 9, Writer::new(MSGS_STATE_REQ).longs(&about).done()).packet(Side::Client),
    );
    let packets = pair.server_packets();
    let info = Writer::new(MSGS_STATE_INFO).long(request.0).bytes(&[1, 4 + 32 + 64, 2, 4 + 32, 4 + 16, 3]).done();
    assert!(messages(Side::Server, &packets[0]).iter().any(|(_, _, body)| *body == info));
}
