//! Packets that break a rule each: every one has its own error, and none is handled.

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use super::pair::*;
use super::service::*;
use crate::crypto::DecryptError;
use crate::mtproto::*;

/// A message id that a server would make a moment later.
fn later(pair: &Pair) -> MsgId {
    msg_id(pair.now.unix + seconds(1), 0, 3)
}

/// The client refuses a message that would be an update if it were well, and tells why.
fn client_refuses(change: impl FnOnce(Forged) -> Forged) -> PacketError {
    let mut pair = Pair::connected();
    let forged = change(Forged::new(later(&pair), 1, RESULT));
    refuses(&mut pair, &forged.packet(Side::Server))
}

fn refuses(pair: &mut Pair, packet: &[u8]) -> PacketError {
    pair.deliver_to_client(packet);
    assert_eq!(pair.client_events(), [], "nothing of it is handled");
    pair.errors.pop().expect("it is refused").1
}

#[test]
fn the_forged_update_is_taken_when_it_is_well() {
    let mut pair = Pair::connected();
    pair.deliver_to_client(&Forged::new(later(&pair), 1, RESULT).packet(Side::Server));
    assert_eq!(pair.client_events(), [Event::Update(RESULT.into())]);
}

#[test]
fn a_wrong_msg_key_is_refused() {
    let mut pair = Pair::connected();
    let packet = Forged::new(later(&pair), 1, RESULT).packet(Side::Server);
    for at in [8, 23, 24, packet.len() - 1] {
        let mut packet = packet.clone();
        packet[at] ^= 1;
        let error = refuses(&mut pair, &packet);
        assert_eq!(error, PacketError::Decrypt(DecryptError::WrongMsgKey));
        assert!(error.is_fatal());
    }
}

#[test]
fn a_packet_for_another_auth_key_is_refused() {
    let mut pair = Pair::connected();
    let mut packet = Forged::new(later(&pair), 1, RESULT).packet(Side::Server);
    packet[0] ^= 1;
    assert!(matches!(refuses(&mut pair, &packet), PacketError::Decrypt(DecryptError::WrongAuthKey(_))));
}

#[test]
fn our_own_packet_sent_back_is_refused() {
    let mut pair = Pair::connected();
    pair.send();
    let packet = pair.client_packets().remove(0);
    assert_eq!(refuses(&mut pair, &packet), PacketError::Decrypt(DecryptError::WrongMsgKey));
}

#[test]
fn a_packet_that_is_no_whole_number_of_blocks_is_refused() {
    let mut pair = Pair::connected();
    let packet = Forged::new(later(&pair), 1, RESULT).packet(Side::Server);
    let error = refuses(&mut pair, &packet[..packet.len() - 4]);
    assert!(matches!(error, PacketError::Decrypt(DecryptError::NotWholeBlocks(_))));
}

#[test]
fn padding_of_less_than_12_bytes_is_refused() {
    let error = client_refuses(|forged| Forged { padding: Some(8), ..forged });
    assert_eq!(error, PacketError::Decrypt(DecryptError::WrongPadding(8)));
}

#[test]
fn padding_of_more_than_1024_bytes_is_refused() {
    let error = client_refuses(|forged| Forged { padding: Some(1032), ..forged });
    assert_eq!(error, PacketError::Decrypt(DecryptError::WrongPadding(1032)));
}

#[test]
fn padding_of_1016_bytes_is_taken() {
    let mut pair = Pair::connected();
    let forged = Forged { padding: Some(1016), ..Forged::new(later(&pair), 1, RESULT) };
    pair.deliver_to_client(&forged.packet(Side::Server));
    assert_eq!(pair.client_events(), [Event::Update(RESULT.into())]);
}

#[test]
fn a_length_that_lies_is_refused() {
    for length in [1 << 20, u32::MAX, 1 << 31] {
        let error = client_refuses(|forged| Forged { length: Some(length), ..forged });
        assert_eq!(error, PacketError::Decrypt(DecryptError::BodyTooLong(length)));
    }
    let error = client_refuses(|forged| Forged { length: Some(6), ..forged });
    assert_eq!(error, PacketError::Decrypt(DecryptError::BodyNotWholeWords(6)));
}

#[test]
fn the_session_of_another_is_refused() {
    let error = client_refuses(|forged| Forged { session: 1, ..forged });
    assert_eq!(error, PacketError::WrongSession { got: 1 });
    assert!(!error.is_fatal());
}

#[test]
fn a_message_id_of_the_wrong_parity_is_refused() {
    for bits in [0, 2] {
        let mut id = MsgId(0);
        let error = client_refuses(|forged| {
            id = MsgId(forged.id.0 & !3 | bits);
            Forged { id, ..forged }
        });
        assert_eq!(error, PacketError::MsgIdParity(id));
    }
}

#[test]
fn a_replay_is_refused() {
    let mut pair = Pair::connected();
    let id = later(&pair);
    let packet = Forged::new(id, 1, RESULT).packet(Side::Server);
    pair.deliver_to_client(&packet);
    assert_eq!(pair.client_events().len(), 1);
    assert_eq!(refuses(&mut pair, &packet), PacketError::Duplicate(id));
}

#[test]
fn a_message_outside_of_the_time_window_is_refused() {
    let shifted = |by: i64| move |forged: Forged| Forged { id: MsgId(forged.id.0 + (by << 32)), ..forged };
    assert!(matches!(client_refuses(shifted(-302)), PacketError::TooOld(_)));
    assert!(matches!(client_refuses(shifted(30)), PacketError::TooNew(_)));
}

#[test]
fn a_message_older_than_all_that_is_remembered_is_refused() {
    let mut pair = Pair::connected();
    for n in 0..5000 {
        pair.deliver_to_client(&Forged::new(msg_id(pair.now.unix + seconds(1), n, 3), 1, RESULT).packet(Side::Server));
    }
    pair.client_events();
    let id = msg_id(pair.now.unix + seconds(1), 2, 1);
    let error = refuses(&mut pair, &Forged::new(id, 1, RESULT).packet(Side::Server));
    assert_eq!(error, PacketError::OlderThanMemory(id));
}

/// A container a moment later than its messages.
fn contained(pair: &Pair, body: Vec<u8>) -> BytesMut {
    Forged::new(msg_id(pair.now.unix + seconds(2), 0, 1), 2, body).packet(Side::Server)
}

#[test]
fn a_container_within_a_container_is_refused() {
    let mut pair = Pair::connected();
    let inner = container(&[Forged::new(later(&pair), 1, RESULT)]);
    let body = container(&[Forged::new(msg_id(pair.now.unix + seconds(1), 1, 1), 2, inner)]);
    let packet = contained(&pair, body);
    assert_eq!(refuses(&mut pair, &packet), PacketError::NestedContainer);
}

#[test]
fn a_container_packed_within_a_container_is_refused() {
    let mut pair = Pair::connected();
    let inner = container(&[Forged::new(later(&pair), 1, RESULT)]);
    let inner = Writer::new(GZIP_PACKED).bytes(&gzip(&inner)).done();
    let body = container(&[Forged::new(msg_id(pair.now.unix + seconds(1), 1, 1), 2, inner)]);
    let packet = contained(&pair, body);
    assert_eq!(refuses(&mut pair, &packet), PacketError::NestedContainer);
}

#[test]
fn a_truncated_container_is_refused_as_a_whole() {
    let pair = Pair::connected();
    let body =
        container(&[Forged::new(later(&pair), 1, RESULT), Forged::new(msg_id(pair.now.unix, 900, 3), 1, RESULT)]);
    for length in (4..body.len()).step_by(4) {
        let mut pair = Pair::connected();
        let packet = contained(&pair, body[..length].to_vec());
        assert_eq!(refuses(&mut pair, &packet), PacketError::ContainerLength, "{length} bytes");
    }
}

#[test]
fn a_container_with_something_after_its_messages_is_refused() {
    let mut pair = Pair::connected();
    let mut body = container(&[Forged::new(later(&pair), 1, RESULT)]);
    body.put_u32_le(0);
    let packet = contained(&pair, body);
    assert_eq!(refuses(&mut pair, &packet), PacketError::ContainerLength);
}

#[test]
fn a_container_whose_inner_length_lies_is_refused() {
    for length in [9, 12, u32::MAX] {
        let mut pair = Pair::connected();
        let body = container(&[Forged { length: Some(length), ..Forged::new(later(&pair), 1, RESULT) }]);
        let packet = contained(&pair, body);
        assert_eq!(refuses(&mut pair, &packet), PacketError::ContainerLength);
    }
}

#[test]
fn a_container_of_too_many_messages_is_refused() {
    let mut pair = Pair::connected();
    let body = container(&vec![Forged::new(later(&pair), 1, []); 1025]);
    let packet = contained(&pair, body);
    assert_eq!(refuses(&mut pair, &packet), PacketError::ContainerCount(1025));
}

#[test]
fn a_clients_container_must_be_newer_than_its_messages() {
    let mut pair = Pair::connected();
    let inner = msg_id(pair.now.unix + seconds(1), 5, 0);
    let body = container(&[Forged::new(inner, 3, QUERY)]);
    pair.deliver_to_server(&Forged::new(msg_id(pair.now.unix + seconds(1), 4, 0), 4, body).packet(Side::Client));
    assert_eq!(pair.errors, [(Side::Server, PacketError::ContainerOrder(inner))]);
    assert_eq!(pair.server_events(), []);
}

#[test]
fn one_refused_message_of_a_container_does_not_hurt_the_others() {
    let mut pair = Pair::connected();
    let wrong = msg_id(pair.now.unix + seconds(1), 1, 0);
    let body = container(&[Forged::new(wrong, 1, RESULT), Forged::new(later(&pair), 1, RESULT)]);
    let packet = contained(&pair, body);
    pair.deliver_to_client(&packet);
    assert_eq!(pair.errors, [(Side::Client, PacketError::MsgIdParity(wrong))]);
    assert_eq!(pair.client_events(), [Event::Update(RESULT.into())]);
}

fn gzip(body: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn packed(body: &[u8]) -> bytes::Bytes {
    Writer::new(GZIP_PACKED).bytes(body).done()
}

#[test]
fn a_gzip_bomb_is_refused() {
    let bomb = packed(&gzip(&vec![0; 64 << 20]));
    let error = client_refuses(|forged| Forged { body: bomb.to_vec(), ..forged });
    assert_eq!(error, PacketError::Inflate(InflateError::Bomb));
}

#[test]
fn bombs_that_are_each_just_small_enough_are_refused_together() {
    let mut pair = Pair::connected();
    let small = packed(&gzip(&vec![0; 10 << 20]));
    let body =
        container(&[Forged::new(later(&pair), 1, small.clone()), Forged::new(msg_id(pair.now.unix, 901, 3), 1, small)]);
    let packet = contained(&pair, body);
    pair.deliver_to_client(&packet);
    assert_eq!(pair.errors, [(Side::Client, PacketError::Inflate(InflateError::Bomb))]);
    assert_eq!(pair.client_events().len(), 1);
}

#[test]
fn a_packed_object_that_is_not_gzip_is_refused() {
    let error = client_refuses(|forged| Forged { body: packed(b"rubbish").to_vec(), ..forged });
    assert_eq!(error, PacketError::Inflate(InflateError::NotGzip));
    let mut cut = gzip(RESULT);
    cut.truncate(cut.len() - 9);
    let error = client_refuses(|forged| Forged { body: packed(&cut).to_vec(), ..forged });
    assert_eq!(error, PacketError::Inflate(InflateError::NotGzip));
}

#[test]
fn a_packed_object_within_a_packed_object_is_refused() {
    let body = packed(&gzip(&packed(&gzip(RESULT))));
    let error = client_refuses(|forged| Forged { body: body.to_vec(), ..forged });
    assert_eq!(error, PacketError::Inflate(InflateError::Nested));
}

#[test]
fn an_answer_that_cannot_be_unpacked_ends_its_call() {
    let mut pair = Pair::connected();
    let call = pair.send();
    pair.settle();
    let query = pair.queries()[0];
    let mut body = Writer::new(RPC_RESULT).long(query.0).done().to_vec();
    body.extend_from_slice(&packed(&gzip(&vec![0; 64 << 20])));
    pair.deliver_to_client(&Forged::new(msg_id(pair.now.unix + seconds(1), 0, 1), 1, body).packet(Side::Server));
    assert_eq!(pair.errors, [(Side::Client, PacketError::Inflate(InflateError::Bomb))]);
    let lost = Event::QueryLost { to: call, body: QUERY.into(), reason: LostReason::Unreadable };
    assert_eq!(pair.client_events(), [lost]);
}

#[test]
fn a_service_message_that_is_cut_short_is_refused() {
    let from_server = [
        MSGS_ACK,
        RPC_RESULT,
        BAD_MSG_NOTIFICATION,
        BAD_SERVER_SALT,
        FUTURE_SALTS,
        NEW_SESSION_CREATED,
        PONG,
        MSGS_STATE_REQ,
        MSGS_STATE_INFO,
        MSGS_ALL_INFO,
        MSG_DETAILED_INFO,
        MSG_NEW_DETAILED_INFO,
        MSG_RESEND_REQ,
        DESTROY_SESSION_OK,
        GZIP_PACKED,
    ];
    for constructor in from_server {
        let error = client_refuses(|forged| Forged { body: constructor.to_le_bytes().to_vec(), ..forged });
        assert!(matches!(error, PacketError::Malformed(_)), "{constructor:08x}: {error}");
    }
    let from_client = [
        PING,
        PING_DELAY_DISCONNECT,
        RPC_DROP_ANSWER,
        GET_FUTURE_SALTS,
        DESTROY_SESSION,
        MSGS_STATE_REQ,
        MSG_RESEND_REQ,
    ];
    for constructor in from_client {
        let mut pair = Pair::connected();
        let id = msg_id(pair.now.unix + seconds(1), 0, 0);
        pair.deliver_to_server(&Forged::new(id, 5, constructor.to_le_bytes()).packet(Side::Client));
        assert!(matches!(pair.errors[..], [(Side::Server, PacketError::Malformed(_))]), "{constructor:08x}");
    }
}

#[test]
fn more_ids_than_a_service_message_may_name_are_refused() {
    let mut body = Vec::new();
    body.put_u32_le(MSGS_STATE_REQ);
    body.put_u32_le(VECTOR);
    body.put_u32_le(8193);
    body.resize(12 + 8193 * 8, 0);
    assert_eq!(client_refuses(|forged| Forged { body, ..forged }), PacketError::TooManyIds(8193));
}

#[test]
fn an_empty_message_is_an_update_of_nothing_and_no_panic() {
    let mut pair = Pair::connected();
    pair.deliver_to_client(&Forged::new(later(&pair), 1, []).packet(Side::Server));
    assert_eq!(pair.client_events(), [Event::Update(bytes::Bytes::new())]);
}

/// The constructors that an engine knows.
const KNOWN: [u32; 34] = [
    MSG_CONTAINER,
    MSG_COPY,
    GZIP_PACKED,
    MSGS_ACK,
    BAD_MSG_NOTIFICATION,
    BAD_SERVER_SALT,
    MSGS_STATE_REQ,
    MSGS_STATE_INFO,
    MSGS_ALL_INFO,
    MSG_DETAILED_INFO,
    MSG_NEW_DETAILED_INFO,
    MSG_RESEND_REQ,
    MSG_RESEND_ANS_REQ,
    RPC_RESULT,
    RPC_ERROR,
    RPC_DROP_ANSWER,
    RPC_ANSWER_UNKNOWN,
    RPC_ANSWER_DROPPED_RUNNING,
    RPC_ANSWER_DROPPED,
    GET_FUTURE_SALTS,
    FUTURE_SALTS,
    PING,
    PING_DELAY_DISCONNECT,
    PONG,
    NEW_SESSION_CREATED,
    DESTROY_SESSION,
    DESTROY_SESSION_OK,
    DESTROY_SESSION_NONE,
    DESTROY_AUTH_KEY,
    DESTROY_AUTH_KEY_OK,
    DESTROY_AUTH_KEY_NONE,
    DESTROY_AUTH_KEY_FAIL,
    HTTP_WAIT,
    VECTOR,
];

/// Words that mean something somewhere, among others.
fn words() -> impl Strategy<Value = Vec<u8>> {
    let word =
        prop_oneof![prop::sample::select(&KNOWN[..]), 0..40_u32, any::<u32>(), Just(start().unix.as_secs() as u32),];
    prop::collection::vec(word, 0..40).prop_map(|words| words.into_iter().flat_map(u32::to_le_bytes).collect())
}

proptest! {
    #[test]
    fn no_packet_makes_an_engine_panic(packet in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut pair = Pair::new();
        pair.deliver_to_client(&packet);
        pair.deliver_to_server(&packet);
    }

    #[test]
    fn no_authentic_message_makes_an_engine_panic(bodies in prop::collection::vec((words(), any::<i32>(), 0..4_i64), 1..6)) {
        let mut pair = Pair::connected();
        pair.send();
        pair.client_packets();
        for (n, (body, seqno, bits)) in bodies.into_iter().enumerate() {
            let id = msg_id(pair.now.unix, 1000 + n as i64, bits);
            let forged = Forged::new(id, seqno, body);
            pair.deliver_to_client(&forged.packet(Side::Server));
            pair.deliver_to_server(&forged.packet(Side::Client));
            pair.client_packets();
            pair.server_packets();
            pair.wait(seconds(7));
        }
        pair.reconnect();
        pair.client_packets();
        pair.server_packets();
    }
}
