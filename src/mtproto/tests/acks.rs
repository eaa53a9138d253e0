use super::pair::*;
use super::service::*;
use crate::mtproto::*;

/// The ids that the packets acknowledge.
fn acknowledged(from: Side, packets: &[bytes::Bytes]) -> Vec<i64> {
    let messages = packets.iter().flat_map(|packet| messages(from, packet));
    messages
        .filter(|(_, _, body)| constructor(body) == MSGS_ACK)
        .flat_map(|(_, seqno, body)| {
            assert_eq!(seqno & 1, 0, "acknowledgments are not acknowledged");
            Fields::of("msgs_ack", &body).longs().unwrap().collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn an_acknowledgment_waits_for_something_to_go_with() {
    let mut pair = Pair::connected();
    pair.server.push(RESULT.into(), pair.now);
    pair.settle();
    assert_eq!(pair.client_packets().len(), 0);
    pair.send();
    let packets = pair.client_packets();
    assert_eq!(packets.len(), 1);
    assert_eq!(acknowledged(Side::Client, &packets).len(), 1);
}

#[test]
fn an_acknowledgment_goes_alone_after_the_delay() {
    let mut pair = Pair::connected();
    pair.server.push(RESULT.into(), pair.now);
    pair.settle();
    assert_eq!(pair.client.poll_timeout(), Some(pair.now.mono + seconds(5)));
    pair.wait(seconds(4));
    assert_eq!(pair.client_packets().len(), 0);
    pair.wait(seconds(1));
    assert_eq!(acknowledged(Side::Client, &pair.client_packets()).len(), 1);
}

#[test]
fn more_than_sixteen_acknowledgments_go_at_once() {
    let mut pair = Pair::connected();
    for _ in 0..16 {
        pair.server.push(RESULT.into(), pair.now);
        let packets = pair.server_packets();
        packets.iter().for_each(|packet| pair.deliver_to_client(packet));
        assert_eq!(pair.client_packets().len(), 0);
    }
    pair.server.push(RESULT.into(), pair.now);
    let packets = pair.server_packets();
    packets.iter().for_each(|packet| pair.deliver_to_client(packet));
    assert_eq!(acknowledged(Side::Client, &pair.client_packets()).len(), 17);
}

#[test]
fn one_message_acknowledges_at_most_8192() {
    let mut pair = Pair::connected();
    for _ in 0..9000 {
        pair.server.push(RESULT.into(), pair.now);
    }
    for packet in pair.server_packets() {
        pair.deliver_to_client(&packet);
    }
    let packets = pair.client_packets();
    assert_eq!(packets.len(), 2);
    assert_eq!(acknowledged(Side::Client, &packets[..1]).len(), 8192);
    assert_eq!(acknowledged(Side::Client, &packets[1..]).len(), 808);
}

#[test]
fn an_answer_acknowledges_its_query() {
    let mut pair = Pair::connected();
    pair.call();
    pair.wait(seconds(6));
    assert!(acknowledged(Side::Server, &pair.server_packets()).is_empty());
}

#[test]
fn a_query_whose_answer_is_long_in_coming_is_acknowledged_before() {
    let mut pair = Pair::connected();
    pair.send();
    pair.settle();
    let query = pair.queries()[0];
    pair.wait(seconds(5));
    assert_eq!(acknowledged(Side::Server, &pair.server_packets()), [query.0]);
}

#[test]
fn what_is_acknowledged_is_not_sent_again() {
    let mut pair = Pair::connected();
    pair.server.push(RESULT.into(), pair.now);
    pair.settle();
    pair.flush_acks();
    pair.reconnect();
    assert_eq!(pair.server_packets().len(), 0);
}

#[test]
fn an_acknowledgment_that_was_refused_is_sent_again() {
    let mut pair = Pair::connected();
    pair.server.push(RESULT.into(), pair.now);
    pair.settle();
    let salt = FutureSalt { valid_since: 0, valid_until: i32::MAX, salt: 99 };
    pair.server.set_future_salts(vec![salt]);
    pair.flush_acks();
    pair.reconnect();
    assert_eq!(pair.server_packets().len(), 0, "the acknowledgment arrived in the end");
}

#[test]
fn what_came_twice_is_acknowledged_twice() {
    let mut pair = Pair::connected();
    pair.server.push(RESULT.into(), pair.now);
    let packets = pair.server_packets();
    pair.deliver_to_client(&packets[0]);
    pair.wait(seconds(5));
    let first = acknowledged(Side::Client, &pair.client_packets());
    pair.deliver_to_client(&packets[0]);
    pair.wait(seconds(5));
    assert_eq!(acknowledged(Side::Client, &pair.client_packets()), first);
    assert_eq!(pair.client_events(), [Event::Update(RESULT.into())]);
}
