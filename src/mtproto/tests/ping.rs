use super::pair::*;
use super::service::*;
use crate::mtproto::*;

#[test]
fn an_idle_client_pings_every_minute() {
    let mut pair = Pair::connected();
    for _ in 0..3 {
        assert_eq!(pair.client_packets().len(), 0);
        pair.wait(seconds(60));
        pair.settle();
        let events = pair.client_events();
        assert!(matches!(events[..], [Event::Pong { .. }]), "{events:?}");
    }
    assert_eq!(pair.server_events(), []);
}

#[test]
fn pings_need_no_acknowledgment() {
    let mut pair = Pair::connected();
    pair.client.ping(pair.now);
    let packets = pair.client_packets();
    assert_eq!(opened(Side::Client, &packets[0]).1 & 1, 0);
    pair.deliver_to_server(&packets[0]);
    assert_eq!(opened(Side::Server, &pair.server_packets()[0]).1 & 1, 0);
}

#[test]
fn a_pong_tells_how_long_it_took() {
    let mut pair = Pair::connected();
    let ping_id = pair.client.ping(pair.now);
    let packets = pair.client_packets();
    pair.wait(seconds(2));
    pair.deliver_to_server(&packets[0]);
    pair.settle();
    assert_eq!(pair.client_events(), [Event::Pong { ping_id, took: seconds(2) }]);
}

#[test]
fn a_client_that_stops_pinging_is_to_be_disconnected() {
    let mut pair = Pair::connected();
    pair.client.ping(pair.now);
    pair.settle();
    assert_eq!(pair.server.poll_timeout(), Some(pair.now.mono + seconds(75)));
    pair.wait(seconds(74));
    assert_eq!(pair.server_events(), []);
    pair.wait(seconds(1));
    assert_eq!(pair.server_events(), [Event::DisconnectDue]);
}

#[test]
fn a_dead_connection_is_noticed_within_fifteen_seconds_while_a_call_waits() {
    let mut pair = Pair::connected();
    pair.send();
    let lost = pair.client_packets();
    assert_eq!(lost.len(), 1);
    let begin = pair.now.mono;
    let mut events = Vec::new();
    while events.is_empty() {
        let due = pair.client.poll_timeout().expect("something is due");
        pair.wait(due - pair.now.mono);
        pair.client_packets();
        events = pair.client_events();
    }
    assert_eq!(events, [Event::Unresponsive]);
    assert!(pair.now.mono - begin <= seconds(15), "{:?}", pair.now.mono - begin);
}

#[test]
fn a_connection_that_dies_long_after_its_call_went_out_is_noticed_as_soon() {
    let mut pair = Pair::connected();
    pair.send();
    for _ in 0..37 {
        pair.wait(seconds(1));
        pair.settle();
    }
    pair.client_events();
    let begin = pair.now.mono;
    while pair.client_events().is_empty() {
        pair.wait(seconds(1));
        pair.client_packets();
    }
    assert!(pair.now.mono - begin <= seconds(15), "{:?}", pair.now.mono - begin);
}

#[test]
fn a_call_after_a_long_pause_is_not_pinged_for_at_once() {
    let mut pair = Pair::connected();
    pair.call();
    pair.flush_acks();
    pair.wait(seconds(30));
    pair.send();
    assert_eq!(pair.client_packets().len(), 1);
    assert_eq!(pair.client.poll_timeout(), Some(pair.now.mono + seconds(5)));
}

#[test]
fn a_dead_connection_is_noticed_while_nothing_waits() {
    let mut pair = Pair::connected();
    pair.wait(seconds(60));
    pair.client_packets();
    pair.wait(seconds(9));
    assert_eq!(pair.client_events(), []);
    pair.wait(seconds(1));
    assert_eq!(pair.client_events(), [Event::Unresponsive]);
    pair.wait(seconds(1));
    assert_eq!(pair.client_events(), [], "it is told once");
}

#[test]
fn a_server_that_takes_long_but_answers_pings_is_alive() {
    let mut pair = Pair::connected();
    pair.send();
    for _ in 0..120 {
        pair.wait(seconds(1));
        pair.settle();
    }
    assert!(!pair.client_events().contains(&Event::Unresponsive));
}

#[test]
fn a_timeout_that_is_not_due_does_nothing() {
    let mut pair = Pair::connected();
    for _ in 0..10 {
        pair.client.handle_timeout(pair.now);
        pair.server.handle_timeout(pair.now);
    }
    assert_eq!((pair.client_packets().len(), pair.server_packets().len()), (0, 0));
}

#[test]
fn a_plain_ping_is_answered_too() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix + seconds(1), 0, 0);
    pair.deliver_to_server(&Forged::new(id, 5, Writer::new(PING).long(5).done()).packet(Side::Client));
    let packets = pair.server_packets();
    let (_, _, pong) = messages(Side::Server, &packets[0])[0].clone();
    assert_eq!(pong, Writer::new(PONG).long(id.0).long(5).done());
}
