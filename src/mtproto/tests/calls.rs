use bytes::Bytes;

use super::pair::*;
use super::service::*;
use crate::mtproto::*;

#[test]
fn a_call_is_answered() {
    let mut pair = Pair::new();
    let call = pair.send();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("one query") };
    assert_eq!(query, call);
    pair.reply(query);
    pair.settle();
    assert_eq!(pair.client_events().last(), Some(&answer(call)));
    assert_eq!(pair.client.calls_waiting(), 0);
    assert_eq!(pair.errors, []);
}

#[test]
fn an_rpc_error_reaches_its_call() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    let query = pair.queries()[0];
    pair.server.reply_error(query, 420, "FLOOD_WAIT_3", pair.now);
    pair.settle();
    let error = RpcError { code: 420, message: "FLOOD_WAIT_3".into() };
    assert_eq!(pair.client_events(), [Event::Reply { to: call, result: Err(error) }]);
}

#[test]
fn answers_may_come_in_any_order() {
    let mut pair = Pair::connected();
    let calls = [pair.send(), pair.send(), pair.send()];
    pair.settle();
    for query in pair.queries().into_iter().rev() {
        pair.reply(query);
        pair.settle();
    }
    assert_eq!(pair.client_events(), [answer(calls[2]), answer(calls[1]), answer(calls[0])]);
}

#[test]
fn an_update_reaches_the_client() {
    let mut pair = Pair::connected();
    pair.server.push(RESULT.into(), pair.now);
    pair.settle();
    assert_eq!(pair.client_events(), [Event::Update(RESULT.into())]);
}

#[test]
fn what_waits_together_goes_in_one_container() {
    let mut pair = Pair::connected();
    for _ in 0..5 {
        pair.send();
    }
    let packets = pair.client_packets();
    assert_eq!(packets.len(), 1);
    let (id, seqno, body) = opened(Side::Client, &packets[0]);
    assert_eq!(constructor(&body), MSG_CONTAINER);
    assert_eq!(seqno & 1, 0, "a container is not content-related");
    assert!(messages(Side::Client, &packets[0]).iter().all(|(inner, seqno, _)| *inner < id && seqno & 1 == 1));
    pair.deliver_to_server(&packets[0]);
    assert_eq!(pair.queries().len(), 5);
}

#[test]
fn a_container_has_at_most_1020_messages() {
    let mut pair = Pair::connected();
    for _ in 0..2500 {
        pair.send();
    }
    let packets = pair.client_packets();
    let counts: Vec<usize> = packets.iter().map(|packet| messages(Side::Client, packet).len()).collect();
    assert_eq!(counts, [1020, 1020, 460]);
    packets.iter().for_each(|packet| pair.deliver_to_server(packet));
    assert_eq!(pair.queries().len(), 2500);
    assert_eq!(pair.errors, [], "ids and seqnos grow together across containers");
}

#[test]
fn a_container_has_at_most_a_mebibyte() {
    let mut pair = Pair::connected();
    let mut large = vec![0; 400_000];
    // As saveFilePart, it is not compressed.
    large[..4].copy_from_slice(&0xb304_a621_u32.to_le_bytes());
    for _ in 0..4 {
        pair.client.send(large.clone().into(), pair.now);
    }
    let packets = pair.client_packets();
    assert_eq!(packets.iter().map(|packet| messages(Side::Client, packet).len()).collect::<Vec<_>>(), [2, 2]);
    packets.iter().for_each(|packet| pair.deliver_to_server(packet));
    assert_eq!(pair.server_events().len(), 4);
}

#[test]
fn what_compresses_well_is_compressed_both_ways() {
    let mut pair = Pair::connected();
    let large: Bytes = [RESULT, &[0; 20_000]].concat().into();
    let call = pair.client.send(large.clone(), pair.now);
    let packets = pair.client_packets();
    assert!(packets[0].len() < 1000);
    pair.deliver_to_server(&packets[0]);
    let events = pair.server_events();
    let [Event::Query { msg_id, body }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(body, &large);
    pair.server.reply(*msg_id, large.clone(), pair.now);
    pair.server.push(large.clone(), pair.now);
    let packets = pair.server_packets();
    assert!(packets[0].len() < 1000);
    pair.deliver_to_client(&packets[0]);
    assert_eq!(pair.client_events(), [Event::Reply { to: call, result: Ok(large.clone()) }, Event::Update(large)]);
}

#[test]
fn a_cancelled_call_has_no_answer() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    let query = pair.queries()[0];
    pair.client.cancel(call);
    pair.settle();
    assert_eq!(pair.server_events(), [Event::QueryDropped { msg_id: query }]);
    pair.reply(query);
    pair.settle();
    assert_eq!(pair.client_events(), []);
    assert_eq!(pair.client.calls_waiting(), 0);
}

#[test]
fn a_call_that_is_cancelled_before_it_went_out_never_does() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.client.cancel(call);
    assert_eq!(pair.client_packets().len(), 0);
}

#[test]
fn an_answer_that_is_there_already_is_dropped_with_its_call() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    let query = pair.queries()[0];
    pair.reply(query);
    let lost = pair.server_packets();
    pair.client.cancel(call);
    let packets = pair.client_packets();
    packets.iter().for_each(|packet| pair.deliver_to_server(packet));
    let answers = pair.server_packets();
    let (_, _, body) = messages(Side::Server, &answers[0])[0].clone();
    assert_eq!(constructor(&body[12..]), RPC_ANSWER_DROPPED);
    assert_eq!(lost.len(), 1);
    pair.reconnect();
    assert!(
        pair.server_packets()
            .iter()
            .flat_map(|p| messages(Side::Server, p))
            .all(|(_, _, b)| b[4..12] != query.0.to_le_bytes())
    );
}
