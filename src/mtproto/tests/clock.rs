//! The server's time, as a client knows it. <https://core.telegram.org/mtproto/security_guidelines#checking-msg-id>

use super::pair::*;
use super::service::*;
use crate::mtproto::*;

/// What the client believes of the server's clock, in seconds ahead of the truth.
fn error(pair: &Pair) -> f64 {
    pair.client.clock.unix(pair.client_now()).as_secs_f64() - pair.now.unix.as_secs_f64()
}

/// The ids of the client's messages since the last look.
fn ids(packets: &[bytes::Bytes]) -> Vec<MsgId> {
    packets.iter().flat_map(|packet| messages(Side::Client, packet)).map(|(id, ..)| id).collect()
}

#[test]
fn a_clock_that_loses_is_set_by_the_servers_messages() {
    let mut pair = Pair::connected();
    pair.client_gains = -0.01;
    for _ in 0..3600 {
        pair.wait(seconds(1));
        pair.server.push(RESULT.into(), pair.now);
        pair.settle();
    }
    assert!(error(&pair).abs() <= 5.1, "{}", error(&pair));
    assert_eq!(pair.errors, []);
}

#[test]
fn a_clock_that_gains_is_set_by_pongs_and_its_ids_never_go_back() {
    let mut pair = Pair::connected();
    pair.client_gains = 0.01;
    let mut last = MsgId(0);
    for _ in 0..3600 {
        pair.wait(seconds(1));
        pair.send();
        let packets = pair.client_packets();
        for id in ids(&packets) {
            assert!(id > last);
            last = id;
        }
        packets.iter().for_each(|packet| pair.deliver_to_server(packet));
        for query in pair.server_events() {
            if let Event::Query { msg_id, .. } = query {
                pair.reply(msg_id);
            }
        }
        for packet in pair.server_packets() {
            pair.deliver_to_client(&packet);
        }
    }
    // A minute passes from ping to ping.
    assert!(error(&pair) <= 5.0 + 0.7, "{}", error(&pair));
    assert_eq!(pair.errors, []);
}

#[test]
fn a_pong_that_took_long_does_not_set_the_clock_back() {
    let mut pair = Pair::connected();
    pair.client.ping(pair.now);
    let packets = pair.client_packets();
    packets.iter().for_each(|packet| pair.deliver_to_server(packet));
    let pong = pair.server_packets();
    pair.wait(seconds(20));
    pong.iter().for_each(|packet| pair.deliver_to_client(packet));
    assert_eq!(error(&pair), 0.0);
}

#[test]
fn an_old_message_that_comes_late_does_not_set_the_clock_back() {
    let mut pair = Pair::connected();
    pair.server.push(RESULT.into(), pair.now);
    let late = pair.server_packets();
    pair.wait(seconds(200));
    late.iter().for_each(|packet| pair.deliver_to_client(packet));
    assert_eq!(pair.client_events(), [Event::Update(RESULT.into())]);
    assert_eq!(error(&pair), 0.0);
}

#[test]
fn ids_too_high_for_the_server_are_followed_by_none_lower_than_it_has_accepted() {
    let mut pair = Pair::connected();
    // Within the window, and accepted.
    pair.client.clock = crate::mtproto::ids::ServerClock::new(28, pair.now);
    pair.call();
    let accepted = pair.client.ids.next(pair.now.unix, crate::mtproto::ids::IdKind::FromClient);
    // Beyond it, and refused with 17.
    pair.client.clock = crate::mtproto::ids::ServerClock::new(4000, pair.now);
    let call = pair.send();
    let refused = pair.client_packets();
    refused.iter().for_each(|packet| pair.deliver_to_server(packet));
    for packet in pair.server_packets() {
        pair.deliver_to_client(&packet);
    }
    let again = pair.client_packets();
    let sent = ids(&again);
    assert!(sent.iter().all(|id| *id > accepted && id.seconds() <= pair.now.unix.as_secs() as i64 + 30), "{sent:?}");
    again.iter().for_each(|packet| pair.deliver_to_server(packet));
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    pair.settle();
    assert!(pair.client_events().contains(&answer(call)));
    assert!(matches!(pair.errors[..], [(Side::Server, PacketError::TooNew(_))]), "{:?}", pair.errors);
}

#[test]
fn a_time_that_a_stranger_s_notification_tells_is_not_taken() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix + seconds(4000), 1, 1);
    let body = Writer::new(BAD_MSG_NOTIFICATION).long(12).int(1).int(16).done();
    pair.deliver_to_client(&Forged::new(id, 0, body).packet(Side::Server));
    assert_eq!(pair.errors, [(Side::Client, PacketError::TooNew(id))]);
    assert_eq!(error(&pair), 0.0);
}
