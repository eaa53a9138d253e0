//! Quick acknowledgments. <https://core.telegram.org/mtproto/mtproto-transports#quick-ack>

use super::pair::*;
use crate::mtproto::*;

#[test]
fn a_packet_with_calls_is_worth_a_quick_acknowledgment_and_no_other_is() {
    let mut pair = Pair::connected();
    pair.send();
    assert!(pair.client.poll_packet(pair.now).is_some());
    assert!(pair.client.quick_ack_wanted());
    pair.client.ping(pair.now);
    assert!(pair.client.poll_packet(pair.now).is_some());
    assert!(!pair.client.quick_ack_wanted());
    pair.server.push(RESULT.into(), pair.now);
    assert!(pair.server.poll_packet(pair.now).is_some());
    assert!(!pair.server.quick_ack_wanted());
}

/// The token by which a server names this packet.
fn token(packet: &[u8]) -> u32 {
    open(&auth_key(), Side::Client, packet.into()).expect("a good packet").quick_ack
}

#[test]
fn every_call_of_a_packet_is_known_to_have_arrived_by_its_token() {
    let mut pair = Pair::connected();
    let calls = [pair.send(), pair.send()];
    let first = pair.client_packets();
    let other = pair.send();
    let second = pair.client_packets();
    pair.client.handle_quick_ack(token(&first[0]), pair.now);
    assert_eq!(pair.receipts(), calls);
    pair.client.handle_quick_ack(token(&second[0]), pair.now);
    assert_eq!(pair.receipts(), [other]);
    assert_eq!(pair.client.calls_waiting(), 3, "none of them is answered");
}

#[test]
fn a_token_counts_once_and_only_on_its_connection() {
    let mut pair = Pair::connected();
    pair.send();
    let packets = pair.client_packets();
    pair.client.handle_quick_ack(0x8000_0001, pair.now);
    assert_eq!(pair.receipts(), []);
    pair.client.reconnected(pair.now);
    pair.client.handle_quick_ack(token(&packets[0]), pair.now);
    assert_eq!(pair.receipts(), []);
}

#[test]
fn a_call_that_is_acknowledged_both_ways_is_told_once() {
    let mut pair = Pair::connected();
    let call = pair.send();
    let packets = pair.client_packets();
    pair.client.handle_quick_ack(token(&packets[0]), pair.now);
    pair.deliver_to_server(&packets[0]);
    pair.wait(seconds(5));
    pair.settle();
    assert_eq!(pair.receipts(), [call]);
}

#[test]
fn a_slow_call_is_acknowledged_and_that_is_told() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    assert_eq!(pair.receipts(), []);
    pair.wait(seconds(5));
    pair.settle();
    assert_eq!(pair.receipts(), [call]);
}

#[test]
fn a_quick_acknowledgment_is_a_sign_of_life() {
    let mut pair = Pair::connected();
    pair.send();
    let packets = pair.client_packets();
    assert_eq!(pair.client.poll_timeout(), Some(pair.now.mono + seconds(5)));
    pair.wait(seconds(4));
    pair.client.handle_quick_ack(token(&packets[0]), pair.now);
    assert_eq!(pair.client.poll_timeout(), Some(pair.now.mono + seconds(5)));
}

#[test]
fn what_was_acknowledged_quickly_is_still_asked_about_when_the_connection_breaks() {
    let mut pair = Pair::connected();
    let call = pair.send();
    let packets = pair.client_packets();
    // Taken, and forgotten before it was handled.
    pair.client.handle_quick_ack(token(&packets[0]), pair.now);
    pair.reconnect();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    pair.settle();
    assert_eq!(pair.client_events(), [answer(call)]);
}
