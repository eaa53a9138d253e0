//! What a server refuses, and what a client does then.

use super::pair::*;
use super::service::*;
use crate::mtproto::*;

/// The codes of the refusals in these packets.
fn refusals(packets: &[bytes::Bytes]) -> Vec<(MsgId, i32)> {
    let messages = packets.iter().flat_map(|packet| messages(Side::Server, packet));
    messages
        .filter(|(_, _, body)| matches!(constructor(body), BAD_MSG_NOTIFICATION | BAD_SERVER_SALT))
        .map(|(_, _, body)| {
            let mut fields = Fields::of("bad_msg_notification", &body);
            let (id, _, code) = (fields.long().unwrap(), fields.int().unwrap(), fields.int().unwrap());
            (MsgId(id), code)
        })
        .collect()
}

/// What the server of a session says to this packet of its client.
fn server_says(pair: &mut Pair, packet: &Forged) -> Vec<(MsgId, i32)> {
    pair.deliver_to_server(&packet.packet(Side::Client));
    let said = refusals(&pair.server_packets());
    assert_eq!(pair.server_events(), [], "what is refused is not handled");
    said
}

#[test]
fn a_new_salt_is_adopted_and_the_call_sent_again() {
    let mut pair = Pair::new();
    let salt = FutureSalt { valid_since: 0, valid_until: i32::MAX, salt: 99 };
    pair.server.set_future_salts(vec![salt]);
    let call = pair.send();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("it came once") };
    assert_ne!(query, call, "a message that is sent again has a new id");
    pair.reply(query);
    pair.settle();
    let events = pair.client_events();
    assert_eq!(events[0], Event::SaltChanged(99));
    assert_eq!(events.last(), Some(&answer(call)), "the caller knows it by its old name");
    assert_eq!(pair.errors, [(Side::Server, PacketError::WrongSalt { msg_id: call })]);
}

#[test]
fn calls_in_a_refused_container_are_sent_again_in_order() {
    let mut pair = Pair::connected();
    let salt = FutureSalt { valid_since: 0, valid_until: i32::MAX, salt: 99 };
    pair.server.set_future_salts(vec![salt]);
    let calls = [pair.send(), pair.send(), pair.send()];
    pair.settle();
    for query in pair.queries() {
        pair.reply(query);
    }
    pair.settle();
    let events = pair.client_events();
    assert_eq!(events, [Event::SaltChanged(99), answer(calls[0]), answer(calls[1]), answer(calls[2])]);
}

#[test]
fn calls_in_a_container_that_came_before_are_not_done_again() {
    let mut pair = Pair::connected();
    let calls = [pair.send(), pair.send()];
    let [packet] = &pair.client_packets()[..] else { panic!("they share a container") };
    // Somebody who listens is faster than the network.
    pair.deliver_to_server(packet);
    let queries = pair.queries();
    pair.deliver_to_server(packet);
    assert!(matches!(pair.errors[..], [(Side::Server, PacketError::Duplicate(_))]), "{:?}", pair.errors);
    pair.settle();
    assert_eq!(pair.queries(), [], "they came once, and come no more");
    queries.into_iter().for_each(|query| pair.reply(query));
    pair.settle();
    assert_eq!(pair.client_events(), calls.map(answer));
}

#[test]
fn a_copy_whose_container_is_refused_keeps_its_id() {
    let mut pair = Pair::connected();
    let call = pair.send();
    let late = pair.client_packets();
    // It has not come when the next connection asks, so a copy is sent; with a salt that the server has changed meanwhile.
    pair.reconnect();
    let up = pair.client_packets();
    up.iter().for_each(|packet| pair.deliver_to_server(packet));
    let down = pair.server_packets();
    down.iter().for_each(|packet| pair.deliver_to_client(packet));
    let salt = FutureSalt { valid_since: 0, valid_until: i32::MAX, salt: 99 };
    pair.server.set_future_salts(vec![salt]);
    pair.settle();
    assert_eq!(pair.queries(), [call]);
    // The first copy comes after all, by its own connection; what is said to it stays there.
    for packet in &late {
        let late = open(&auth_key(), Side::Client, packet[..].into()).expect("a good packet");
        let (result, said) = pair.server.handle_aside(late, pair.now);
        assert!(result.is_err() && said.len() == 1, "{result:?}");
    }
    assert_eq!(pair.queries(), []);
    pair.reply(call);
    pair.settle();
    assert_eq!(pair.client_events().last(), Some(&answer(call)));
}

#[test]
fn a_notification_of_a_message_never_sent_changes_nothing() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix, 900, 1);
    let body = Writer::new(BAD_SERVER_SALT).long(12).int(1).int(48).long(666).done();
    pair.deliver_to_client(&Forged::new(id, 0, body).packet(Side::Server));
    let body = Writer::new(BAD_MSG_NOTIFICATION).long(12).int(1).int(16).done();
    pair.deliver_to_client(&Forged::new(msg_id(pair.now.unix, 901, 1), 0, body).packet(Side::Server));
    assert_eq!(pair.client.server_salt(pair.now), SALT);
    assert_eq!(pair.client_events(), []);
}

fn a_wrong_clock_is_set(server_ahead: i64) {
    let mut pair = Pair::with_server_ahead(server_ahead);
    let call = pair.send();
    pair.settle();
    let [query] = pair.queries()[..] else { panic!("it came once") };
    pair.reply(query);
    pair.settle();
    assert_eq!(pair.client.time_offset(), server_ahead);
    let events = pair.client_events();
    assert_eq!(events[0], Event::TimeOffsetChanged(server_ahead));
    assert_eq!(events.last(), Some(&answer(call)));
}

#[test]
fn a_client_whose_clock_is_behind_learns_the_time() {
    a_wrong_clock_is_set(86_400);
}

#[test]
fn a_client_whose_clock_is_ahead_learns_the_time() {
    a_wrong_clock_is_set(-86_400);
}

#[test]
fn a_wall_clock_that_is_set_disturbs_nobody() {
    for by in [-7200, 7200] {
        let mut pair = Pair::connected();
        pair.server_ahead = by;
        pair.call();
        pair.server.push(RESULT.into(), pair.now);
        pair.settle();
        assert_eq!(pair.client_events(), [Event::Update(RESULT.into())]);
        assert_eq!(pair.errors, []);
    }
}

#[test]
fn a_machine_that_slept_takes_its_wall_clock() {
    let mut pair = Pair::connected();
    pair.server.push(RESULT.into(), pair.now);
    // The monotonic clock stood still.
    pair.now.unix += seconds(3600);
    pair.server = engine(Side::Server, SESSION, 3);
    let id = msg_id(pair.now.unix, 0, 3);
    pair.deliver_to_client(&Forged::new(id, 1, RESULT).packet(Side::Server));
    assert_eq!(pair.client_events(), [Event::Update(RESULT.into())]);
    pair.send();
    let packets = pair.client_packets();
    let (id, ..) = opened(Side::Client, &packets[0]);
    assert_eq!(id.seconds(), pair.now.unix.as_secs() as i64);
    pair.deliver_to_server(&packets[0]);
    assert_eq!(pair.errors, []);
}

#[test]
fn a_client_that_slept_without_noticing_learns_the_time() {
    let mut pair = Pair::connected();
    // Neither of the client's clocks moved.
    let slept = pair.now;
    pair.now = pair.now + seconds(3600);
    let call = pair.client.send(QUERY.into(), slept);
    for _ in 0..3 {
        while let Some(packet) = pair.client.poll_packet(slept) {
            pair.deliver_to_server(&packet);
        }
        for query in pair.queries() {
            pair.reply(query);
        }
        for packet in pair.server_packets() {
            pair.client.handle_packet(packet[..].into(), slept).expect("a good packet");
        }
    }
    assert_eq!(pair.client_events(), [Event::TimeOffsetChanged(3600), answer(call)]);
}

#[test]
fn a_message_older_than_300_seconds_is_refused_with_16() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix - seconds(301), 0, 0);
    assert_eq!(server_says(&mut pair, &Forged::new(id, 1, QUERY)), [(id, 16)]);
    assert_eq!(pair.errors, [(Side::Server, PacketError::TooOld(id))]);
}

#[test]
fn a_message_more_than_30_seconds_ahead_is_refused_with_17() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix + seconds(31), 0, 0);
    assert_eq!(server_says(&mut pair, &Forged::new(id, 3, QUERY)), [(id, 17)]);
    assert_eq!(pair.errors, [(Side::Server, PacketError::TooNew(id))]);
}

#[test]
fn a_message_id_not_divisible_by_four_is_refused_with_18() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix + seconds(1), 0, 1);
    assert_eq!(server_says(&mut pair, &Forged::new(id, 3, QUERY)), [(id, 18)]);
    assert_eq!(pair.errors, [(Side::Server, PacketError::MsgIdParity(id))]);
}

#[test]
fn a_container_with_an_id_that_came_before_is_refused_with_19() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix + seconds(2), 0, 0);
    let body = container(&[Forged::new(msg_id(pair.now.unix + seconds(1), 0, 0), 5, QUERY)]);
    let packet = Forged::new(id, 6, body);
    pair.deliver_to_server(&packet.packet(Side::Client));
    assert_eq!(pair.queries().len(), 1);
    assert_eq!(server_says(&mut pair, &packet), [(id, 19)]);
}

#[test]
fn a_message_older_than_all_that_is_remembered_is_refused_with_20() {
    let mut pair = Pair::connected();
    for n in 0..5000 {
        pair.deliver_to_server(
            &Forged::new(msg_id(pair.now.unix + seconds(1), n, 0), 4, Writer::new(HTTP_WAIT).done())
                .packet(Side::Client),
        );
    }
    let id = msg_id(pair.now.unix, 800, 0);
    assert_eq!(server_says(&mut pair, &Forged::new(id, 3, QUERY)), [(id, 20)]);
    assert_eq!(pair.errors, [(Side::Server, PacketError::OlderThanMemory(id))]);
}

#[test]
fn a_seqno_lower_than_that_of_an_older_message_is_refused_with_32() {
    let mut pair = Pair::connected();
    pair.deliver_to_server(&Forged::new(msg_id(pair.now.unix + seconds(1), 500, 0), 11, QUERY).packet(Side::Client));
    assert_eq!(pair.queries().len(), 1);
    let id = msg_id(pair.now.unix + seconds(1), 501, 0);
    assert_eq!(server_says(&mut pair, &Forged::new(id, 9, QUERY)), [(id, 32)]);
    let id = msg_id(pair.now.unix + seconds(1), 502, 0);
    assert_eq!(server_says(&mut pair, &Forged::new(id, 11, QUERY)), [(id, 32)], "equal and odd");
    assert_eq!(pair.errors[1], (Side::Server, PacketError::SeqNo { msg_id: id, code: 32 }));
}

#[test]
fn a_seqno_higher_than_that_of_a_newer_message_is_refused_with_33() {
    let mut pair = Pair::connected();
    pair.deliver_to_server(&Forged::new(msg_id(pair.now.unix + seconds(1), 500, 0), 11, QUERY).packet(Side::Client));
    assert_eq!(pair.queries().len(), 1);
    let id = msg_id(pair.now.unix + seconds(1), 499, 0);
    assert_eq!(server_says(&mut pair, &Forged::new(id, 13, QUERY)), [(id, 33)]);
}

#[test]
fn a_container_with_an_odd_seqno_is_refused_with_34() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix + seconds(1), 0, 0);
    assert_eq!(server_says(&mut pair, &Forged::new(id, 5, container(&[]))), [(id, 34)]);
}

#[test]
fn an_acknowledgment_with_an_odd_seqno_is_taken() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix + seconds(1), 0, 0);
    let ack = [MSGS_ACK.to_le_bytes(), VECTOR.to_le_bytes(), [0; 4]].concat();
    assert_eq!(server_says(&mut pair, &Forged::new(id, 5, ack)), []);
}

#[test]
fn a_query_with_an_even_seqno_is_refused_with_35() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix + seconds(1), 0, 0);
    assert_eq!(server_says(&mut pair, &Forged::new(id, 4, QUERY)), [(id, 35)]);
}

#[test]
fn a_wrong_salt_is_refused_with_the_right_one() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix + seconds(1), 0, 0);
    let packet = Forged { salt: 1, ..Forged::new(id, 3, QUERY) };
    pair.deliver_to_server(&packet.packet(Side::Client));
    let packets = pair.server_packets();
    assert_eq!(refusals(&packets), [(id, 48)]);
    let (_, _, body) = messages(Side::Server, &packets[0])[0].clone();
    assert_eq!(body[20..], SALT.to_le_bytes());
}

#[test]
fn a_container_that_is_not_one_is_refused_with_64() {
    let mut pair = Pair::connected();
    let id = msg_id(pair.now.unix + seconds(1), 0, 0);
    let mut body = container(&[Forged::new(msg_id(pair.now.unix, 500, 0), 3, QUERY)]);
    body.truncate(body.len() - 4);
    assert_eq!(server_says(&mut pair, &Forged::new(id, 4, body)), [(id, 64)]);
    assert_eq!(pair.errors, [(Side::Server, PacketError::ContainerLength)]);
}

/// The client's last packet is refused with this code; what it sends then.
fn refused_with(pair: &mut Pair, code: i32) -> Vec<bytes::Bytes> {
    let packets = pair.client_packets();
    let (bad, seqno, _) = opened(Side::Client, packets.last().expect("something was sent"));
    let id = pair.server.ids.next(pair.now.unix, crate::mtproto::ids::IdKind::Response);
    let body = Writer::new(BAD_MSG_NOTIFICATION).long(bad.0).int(seqno).int(code).done();
    pair.deliver_to_client(&Forged::new(id, 0, body).packet(Side::Server));
    assert_eq!(pair.errors, []);
    pair.client_packets()
}

#[test]
fn a_call_refused_for_its_seqno_or_id_is_sent_again_with_others() {
    for code in [16, 17, 18, 32, 33, 34, 35, 64] {
        let mut pair = Pair::connected();
        pair.client.received = Default::default();
        let call = pair.send();
        let packets = refused_with(&mut pair, code);
        let messages = messages(Side::Client, &packets[0]);
        let (id, seqno, _) = messages.iter().find(|(_, _, body)| body == QUERY).expect("the call goes again");
        assert!(*id > call && *seqno > 3, "code {code}: {id} {seqno}");
        pair.deliver_to_server(&packets[0]);
        let query = pair.queries()[0];
        pair.reply(query);
        pair.settle();
        assert!(pair.client_events().contains(&answer(call)), "code {code}");
    }
}

#[test]
fn a_call_too_old_for_the_server_to_know_is_lost() {
    let mut pair = Pair::connected();
    let call = pair.send();
    let packets = refused_with(&mut pair, 20);
    assert_eq!(packets.len(), 0);
    let lost = Event::QueryLost { to: call, body: QUERY.into(), reason: LostReason::Forgotten };
    assert_eq!(pair.client_events(), [lost]);
}

#[test]
fn a_call_refused_again_and_again_is_given_up() {
    let mut pair = Pair::connected();
    let call = pair.send();
    for n in 0..6 {
        let packets = pair.client_packets();
        let (bad, ..) = opened(Side::Client, &packets[0]);
        let id = msg_id(pair.now.unix + seconds(1), n, 1);
        let body = Writer::new(BAD_MSG_NOTIFICATION).long(bad.0).int(1).int(35).done();
        pair.deliver_to_client(&Forged::new(id, 0, body).packet(Side::Server));
    }
    let lost = Event::QueryLost { to: call, body: QUERY.into(), reason: LostReason::Refused(35) };
    assert_eq!(pair.client_events(), [lost]);
    assert_eq!(pair.client_packets().len(), 0);
}

#[test]
fn two_packets_that_were_ahead_of_time_are_sent_again_under_ids_of_their_own() {
    // The client's clock is ten minutes ahead, and two packets are on their way before the first is refused.
    let mut pair = Pair::with_server_ahead(-600);
    let calls = [pair.send(), {
        pair.client_packets().iter().for_each(|packet| pair.deliver_to_server(packet));
        pair.send()
    }];
    pair.settle();
    let queries = pair.queries();
    assert_eq!(queries.len(), 2, "both come in the end");
    queries.into_iter().for_each(|query| pair.reply(query));
    pair.settle();
    let events = pair.client_events();
    calls.into_iter().for_each(|call| assert!(events.contains(&answer(call)), "{events:?}"));
}
