//! Calls to be done in order. <https://core.telegram.org/api/invoking#helper-method-sequence>

use bytes::Bytes;

use super::pair::*;
use super::service::*;
use crate::mtproto::*;
use crate::tl::envelope::{INVOKE_AFTER_MSG, INVOKE_AFTER_MSGS};

fn query(n: u8) -> Bytes {
    vec![9, 9, 9, n].into()
}

fn send(pair: &mut Pair, n: u8, after: &[MsgId]) -> MsgId {
    let now = pair.client_now();
    pair.client.send_after(query(n), after.to_vec(), now)
}

/// The queries in these packets: number, id, and the ids that each is to be done after.
fn sent(packets: &[Bytes]) -> Vec<(u8, MsgId, Vec<i64>)> {
    let messages = packets.iter().flat_map(|packet| messages(Side::Client, packet));
    let long = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let queries = messages.filter_map(|(id, _, body)| {
        let (after, query) = match constructor(&body) {
            INVOKE_AFTER_MSG => (vec![long(&body[4..12])], &body[12..]),
            INVOKE_AFTER_MSGS => {
                let end = 12 + 8 * usize::from(body[8]);
                (body[12..end].chunks(8).map(long).collect(), &body[end..])
            }
            _ => (vec![], &body[..]),
        };
        matches!(query, [9, 9, 9, _]).then(|| (query[3], id, after))
    });
    queries.collect()
}

fn failed(call: MsgId) -> Event {
    let error = RpcError { code: 400, message: "MSG_WAIT_FAILED".into() };
    Event::Reply { to: call, result: Err(error) }
}

/// A server with other salts: whatever comes next is refused, and told the right one.
fn change_salt(pair: &mut Pair) {
    let salt = FutureSalt { valid_since: 0, valid_until: i32::MAX, salt: 99 };
    pair.server.set_future_salts(vec![salt]);
}

#[test]
fn a_call_names_the_one_before_it() {
    let mut pair = Pair::connected();
    let first = send(&mut pair, 1, &[]);
    let second = send(&mut pair, 2, &[first]);
    let third = send(&mut pair, 3, &[first, second]);
    let packets = pair.client_packets();
    assert_eq!(packets.len(), 1, "nobody waits for a round trip");
    assert_eq!(sent(&packets), [(1, first, vec![]), (2, second, vec![first.0]), (3, third, vec![first.0, second.0])]);
}

#[test]
fn a_call_that_was_done_need_not_be_named() {
    let mut pair = Pair::connected();
    let first = send(&mut pair, 1, &[]);
    pair.settle();
    let Some(Event::Query { msg_id, .. }) = pair.server.poll_event() else { panic!("a query") };
    pair.reply(msg_id);
    pair.settle();
    let second = send(&mut pair, 2, &[first]);
    assert_eq!(sent(&pair.client_packets()), [(2, second, vec![])]);
}

#[test]
fn calls_that_are_refused_together_are_named_by_their_new_ids() {
    let mut pair = Pair::connected();
    let first = send(&mut pair, 1, &[]);
    let second = send(&mut pair, 2, &[first]);
    change_salt(&mut pair);
    for packet in pair.client_packets() {
        pair.deliver_to_server(&packet);
    }
    for packet in pair.server_packets() {
        pair.deliver_to_client(&packet);
    }
    let sent = sent(&pair.client_packets());
    let [(1, id, _), (2, other, after)] = &sent[..] else { panic!("{sent:?}") };
    assert!(*id > second && other > id);
    assert_eq!(after, &[id.0]);
}

#[test]
fn calls_refused_one_packet_after_the_other_stay_in_order() {
    let mut pair = Pair::connected();
    let first = send(&mut pair, 1, &[]);
    let packets = pair.client_packets();
    let _second = send(&mut pair, 2, &[first]);
    let more = pair.client_packets();
    change_salt(&mut pair);
    // The refusals come in the wrong order.
    more.iter().chain(&packets).for_each(|packet| pair.deliver_to_server(packet));
    for packet in pair.server_packets() {
        pair.deliver_to_client(&packet);
    }
    let sent = sent(&pair.client_packets());
    let [(1, id, _), (2, _, after)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(after, &[id.0]);
}

#[test]
fn calls_that_never_arrived_keep_their_ids_and_their_order() {
    let mut pair = Pair::connected();
    let first = send(&mut pair, 1, &[]);
    let second = send(&mut pair, 2, &[first]);
    pair.client_packets();
    pair.reconnect();
    let question = pair.client_packets();
    question.iter().for_each(|packet| pair.deliver_to_server(packet));
    for packet in pair.server_packets() {
        pair.deliver_to_client(&packet);
    }
    assert_eq!(sent(&pair.client_packets()), [(1, first, vec![]), (2, second, vec![first.0])]);
}

#[test]
fn calls_that_never_arrived_and_are_old_have_new_ids_in_their_order() {
    let mut pair = Pair::connected();
    let first = send(&mut pair, 1, &[]);
    let second = send(&mut pair, 2, &[first]);
    pair.client_packets();
    pair.now = pair.now + seconds(1000);
    pair.reconnect();
    let question = pair.client_packets();
    question.iter().for_each(|packet| pair.deliver_to_server(packet));
    for packet in pair.server_packets() {
        pair.deliver_to_client(&packet);
    }
    let sent = sent(&pair.client_packets());
    let [(1, id, _), (2, other, after)] = &sent[..] else { panic!("{sent:?}") };
    assert!(*id > second && other > id);
    assert_eq!(after, &[id.0]);
}

#[test]
fn a_call_after_one_that_failed_is_not_sent() {
    let mut pair = Pair::connected();
    let first = send(&mut pair, 1, &[]);
    pair.settle();
    let Some(Event::Query { msg_id, .. }) = pair.server.poll_event() else { panic!("a query") };
    let second = send(&mut pair, 2, &[first]);
    let third = send(&mut pair, 3, &[second]);
    pair.server.reply_error(msg_id, 400, "PEER_ID_INVALID", pair.now);
    for packet in pair.server_packets() {
        pair.deliver_to_client(&packet);
    }
    let error = RpcError { code: 400, message: "PEER_ID_INVALID".into() };
    let expected = [Event::Reply { to: first, result: Err(error) }, failed(second), failed(third)];
    assert_eq!(pair.client_events(), expected);
    assert_eq!(sent(&pair.client_packets()), []);
    assert_eq!(pair.client.calls_waiting(), 0);
}

#[test]
fn a_call_on_its_way_after_one_that_failed_is_the_servers_to_answer_and_not_sent_again() {
    let mut pair = Pair::connected();
    let first = send(&mut pair, 1, &[]);
    pair.settle();
    let Some(Event::Query { msg_id, .. }) = pair.server.poll_event() else { panic!("a query") };
    let second = send(&mut pair, 2, &[first]);
    let lost = pair.client_packets();
    assert_eq!(sent(&lost).len(), 1);
    pair.server.reply_error(msg_id, 400, "PEER_ID_INVALID", pair.now);
    for packet in pair.server_packets() {
        pair.deliver_to_client(&packet);
    }
    assert_eq!(pair.client_events().len(), 1, "whether it has arrived is not known");
    // It is refused, and would have to be sent again.
    change_salt(&mut pair);
    lost.iter().for_each(|packet| pair.deliver_to_server(packet));
    for packet in pair.server_packets() {
        pair.deliver_to_client(&packet);
    }
    assert_eq!(pair.client_events(), [Event::SaltChanged(99), failed(second)]);
    assert_eq!(sent(&pair.client_packets()), []);
}

#[test]
fn a_call_after_one_that_was_cancelled_before_it_left_is_not_sent() {
    let mut pair = Pair::connected();
    let first = send(&mut pair, 1, &[]);
    let second = send(&mut pair, 2, &[first]);
    pair.client.cancel(first);
    assert_eq!(pair.client_events(), [failed(second)]);
    assert_eq!(pair.client_packets().len(), 0);
}

#[test]
fn a_call_that_waits_for_others_is_compressed_beneath_its_head() {
    let mut pair = Pair::connected();
    let first = send(&mut pair, 1, &[]);
    let large: Bytes = [QUERY, &[0; 20_000]].concat().into();
    pair.client.send_after(large, vec![first], pair.now);
    let packets = pair.client_packets();
    let all = messages(Side::Client, &packets[0]);
    let (_, _, body) = all.last().expect("two queries");
    assert_eq!((constructor(body), constructor(&body[12..])), (INVOKE_AFTER_MSG, GZIP_PACKED));
    pair.deliver_to_server(&packets[0]);
    let Some(Event::Query { body, .. }) = pair.server_events().pop() else { panic!("two queries") };
    assert_eq!(
        (constructor(&body), &body[12..12 + QUERY.len()], body.len()),
        (INVOKE_AFTER_MSG, QUERY, 20_012 + QUERY.len())
    );
}

#[test]
fn sessions_that_are_forgotten_lose_all_of_an_order() {
    let mut pair = Pair::connected();
    let first = send(&mut pair, 1, &[]);
    let second = send(&mut pair, 2, &[first]);
    pair.settle();
    pair.server_events();
    pair.forget_session();
    pair.reconnect();
    pair.settle();
    let lost: Vec<MsgId> = pair
        .client_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::QueryLost { to, reason: LostReason::SessionReset, .. } => Some(to),
            _ => None,
        })
        .collect();
    assert_eq!(lost.len(), 2, "{first} {second}: {lost:?}");
}
