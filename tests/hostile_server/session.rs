//! Packets of a session, each of which breaks one rule. The server has the key: nothing but the rule is wrong with them.

use bytes::Bytes;
use moongram::crypto::DecryptError;
use moongram::mtproto::{InflateError, MsgId, PacketError};
use moongram::tl::{DecodeError, VECTOR};

use crate::forge::*;
use crate::server::{Answer, Server};
use crate::{Client, QUERY};

/// What becomes of the connection.
enum Then {
    /// It stays, and this is refused.
    Stays(fn(&PacketError) -> bool),
    /// It is dropped because of this, and made anew.
    Drops(PacketError),
    /// It stays, and nothing is wrong: what was said is of no consequence.
    Nothing,
}

/// The client takes note of what the server says, handles nothing of it, and its calls are answered as before.
async fn check(name: &str, say: impl AsyncFn(&Server, &Forger) -> Vec<Vec<u8>>, then: Then) {
    let server = Server::honest().await;
    let mut client = Client::new(&server, Some(server.key.clone()));
    client.works(name).await;
    let forger = server.forger().await;
    for packet in say(&server, &forger).await {
        server.say(packet);
    }
    let connections = match &then {
        Then::Stays(is_it) => {
            let status = client.sees(name, |status| status.refused > 0).await;
            let refused = status.last_refused.expect("it is told with the count");
            assert!(is_it(&refused), "{name}: {refused:?}");
            assert!(!refused.is_fatal(), "{name}: {refused:?}");
            1
        }
        Then::Drops(error) => {
            let status = client.sees(name, |status| status.trouble.is_some()).await;
            assert_eq!(status.trouble, Some(error.to_string()), "{name}");
            2
        }
        Then::Nothing => 1,
    };
    client.works(name).await;
    let status = client.status.borrow().clone();
    assert_eq!((status.connections, server.accepted()), (connections, connections), "{name}: {status:?}");
    assert_eq!(client.updates.try_recv(), None, "{name}: a forged update was handled");
    assert_eq!(status.fatal, None, "{name}");
    if matches!(then, Then::Nothing) {
        assert_eq!((status.refused, status.trouble), (0, None), "{name}");
    }
}

/// An update that is one: were all well, it would be handed on.
const UPDATE: &[u8] = b"\x05\x06\x07\x08news";

/// With this about it, it must not be.
async fn changed(name: &str, change: impl Fn(Forged) -> Forged, then: Then) {
    check(name, async |_, forger| vec![forger.seal(&change(forger.message(UPDATE)))], then).await;
}

/// A body that is wrong in itself.
async fn wrong(name: &str, body: impl Fn(&Server, &Forger) -> Vec<u8>, then: Then) {
    check(name, async |server, forger| vec![forger.seal(&forger.message(body(server, forger)))], then).await;
}

fn decrypt(error: DecryptError) -> Then {
    Then::Drops(PacketError::Decrypt(error))
}

#[tokio::test]
async fn an_update_is_handed_on_when_all_is_well() {
    let server = Server::honest().await;
    let mut client = Client::new(&server, Some(server.key.clone()));
    client.works("well").await;
    let forger = server.forger().await;
    server.say(forger.seal(&forger.message(UPDATE)));
    assert_eq!(crate::within(client.updates.recv()).await.as_deref(), Some(UPDATE));
}

#[tokio::test]
async fn what_the_key_s_holder_cannot_have_sealed_drops_the_connection() {
    let spoilt = |at: usize| {
        move |name: &'static str, error: DecryptError| async move {
            let say = async |_: &Server, forger: &Forger| {
                let mut packet = forger.seal(&forger.message(UPDATE));
                packet[at] ^= 1;
                vec![packet]
            };
            check(name, say, decrypt(error)).await;
        }
    };
    spoilt(8)("msg_key", DecryptError::WrongMsgKey).await;
    spoilt(40)("a changed byte", DecryptError::WrongMsgKey).await;
    let other = async |_: &Server, forger: &Forger| {
        let mut packet = forger.seal(&forger.message(UPDATE));
        packet[..8].copy_from_slice(&5_u64.to_le_bytes());
        vec![packet]
    };
    check("another key's packet", other, decrypt(DecryptError::WrongAuthKey(5))).await;
    let unencrypted = async |_: &Server, _: &Forger| vec![[&[0; 8][..], &id(0, 1).to_le_bytes(), &[0; 56]].concat()];
    check("an unencrypted message", unencrypted, decrypt(DecryptError::WrongAuthKey(0))).await;
    let cut = async |_: &Server, forger: &Forger| {
        let mut packet = forger.seal(&forger.message(UPDATE));
        packet.truncate(packet.len() - 8);
        vec![packet]
    };
    check("broken blocks", cut, decrypt(DecryptError::NotWholeBlocks(56))).await;
    let short = async |_: &Server, forger: &Forger| vec![forger.seal(&forger.message(UPDATE))[..56].to_vec()];
    check("too short", short, decrypt(DecryptError::TooShort(56))).await;
}

#[tokio::test]
async fn padding_and_lengths_that_lie_drop_the_connection() {
    let padding = |bytes| move |forged| Forged { padding: Some(bytes), ..forged };
    // 40 bytes and the padding are whole blocks.
    changed("no padding", |forged| Forged { body: vec![7; 16], padding: Some(0), ..forged }, {
        decrypt(DecryptError::WrongPadding(0))
    })
    .await;
    changed("8 bytes of padding", padding(8), decrypt(DecryptError::WrongPadding(8))).await;
    changed("1032 bytes of padding", padding(1032), decrypt(DecryptError::WrongPadding(1032))).await;
    let length = |bytes: u32| move |forged| Forged { length: Some(bytes), ..forged };
    changed("longer than the packet", length(1 << 20), decrypt(DecryptError::BodyTooLong(1 << 20))).await;
    changed("into the padding", length(24), decrypt(DecryptError::WrongPadding(8))).await;
    changed("a negative length", length(-4_i32 as u32), decrypt(DecryptError::BodyTooLong(u32::MAX - 3))).await;
    changed("no whole words", length(6), decrypt(DecryptError::BodyNotWholeWords(6))).await;
}

#[tokio::test]
async fn a_message_that_is_not_for_now_and_here_is_ignored() {
    let stays = Then::Stays;
    changed("a client's id", |forged| Forged { id: id(0, 0), ..forged }, {
        stays(|error| matches!(error, PacketError::MsgIdParity(_)))
    })
    .await;
    changed("id of 2 modulo 4", |forged| Forged { id: id(0, 2), ..forged }, {
        stays(|error| matches!(error, PacketError::MsgIdParity(_)))
    })
    .await;
    changed("too old", |forged| Forged { id: id(-310, 3), ..forged }, {
        stays(|error| matches!(error, PacketError::TooOld(_)))
    })
    .await;
    changed("too far ahead", |forged| Forged { id: id(40, 3), ..forged }, {
        stays(|error| matches!(error, PacketError::TooNew(_)))
    })
    .await;
    changed("a negative id", |forged| Forged { id: -1, ..forged }, {
        stays(|error| matches!(error, PacketError::TooOld(_)))
    })
    .await;
    changed("another's session", |forged| Forged { session: 5, ..forged }, {
        stays(|error| *error == PacketError::WrongSession { got: 5 })
    })
    .await;
}

#[tokio::test]
async fn a_message_id_is_taken_once() {
    let server = Server::honest().await;
    let mut client = Client::new(&server, Some(server.key.clone()));
    client.works("before").await;
    let forger = server.forger().await;
    let first = forger.message(UPDATE);
    let another = Forged { body: b"\x05\x06\x07\x08lies".to_vec(), ..first.clone() };
    for message in [&first, &first, &another] {
        server.say(forger.seal(message));
    }
    let status = client.sees("replay", |status| status.refused == 2).await;
    assert_eq!(status.last_refused, Some(PacketError::Duplicate(MsgId(first.id))));
    client.works("after").await;
    assert_eq!(client.updates.try_recv().as_deref(), Some(UPDATE));
    assert_eq!(client.updates.try_recv(), None);
    assert_eq!(client.status.borrow().connections, 1);
}

#[tokio::test]
async fn containers_that_lie_drop_the_connection() {
    let drops = Then::Drops;
    let two = |forger: &Forger| [forger.message(UPDATE), forger.message(UPDATE)];
    wrong("a count too high", |_, forger| container(3, &two(forger)), drops(PacketError::ContainerLength)).await;
    wrong("a count too low", |_, forger| container(1, &two(forger)), drops(PacketError::ContainerLength)).await;
    wrong("a count of billions", |_, forger| container(u32::MAX, &two(forger)), drops(PacketError::ContainerLength))
        .await;
    wrong("a negative count", |_, forger| container(1 << 31, &two(forger)), drops(PacketError::ContainerLength)).await;
    let lying = |length| {
        move |_: &Server, forger: &Forger| container(1, &[Forged { length: Some(length), ..forger.message(UPDATE) }])
    };
    wrong("an inner length too long", lying(12), drops(PacketError::ContainerLength)).await;
    wrong("an inner length of broken words", lying(6), drops(PacketError::ContainerLength)).await;
    wrong("a negative inner length", lying(u32::MAX - 3), drops(PacketError::ContainerLength)).await;
    wrong("1025 messages", |_, forger| container(1025, &vec![forger.message([]); 1025]), {
        drops(PacketError::ContainerCount(1025))
    })
    .await;
    let nested = |_: &Server, forger: &Forger| {
        let inner = container(1, &[forger.message(UPDATE)]);
        container(1, &[forger.message(inner)])
    };
    wrong("a container in a container", nested, drops(PacketError::NestedContainer)).await;
    let packed_in = |_: &Server, forger: &Forger| {
        let inner = packed(&gzip(&container(1, &[forger.message(UPDATE)])));
        container(1, &[forger.message(inner)])
    };
    wrong("a packed container in a container", packed_in, drops(PacketError::NestedContainer)).await;
    let copy_in = |_: &Server, forger: &Forger| {
        let copy = Words::of(MSG_COPY).raw(&forger.message(UPDATE).inner()).0;
        container(1, &[forger.message(copy)])
    };
    wrong("a copy in a container", copy_in, drops(PacketError::NestedContainer)).await;
}

#[tokio::test]
async fn what_stands_twice_in_a_container_is_handled_once() {
    let server = Server::honest().await;
    let mut client = Client::new(&server, Some(server.key.clone()));
    client.works("before").await;
    let forger = server.forger().await;
    let first = forger.message(UPDATE);
    let again = Forged { body: b"\x05\x06\x07\x08lies".to_vec(), ..first.clone() };
    server.say(forger.seal(&forger.message(container(2, &[first, again]))));
    let status = client.sees("twice", |status| status.refused == 1).await;
    assert!(matches!(status.last_refused, Some(PacketError::Duplicate(_))), "{status:?}");
    client.works("after").await;
    assert_eq!(client.updates.try_recv().as_deref(), Some(UPDATE));
    assert_eq!(client.updates.try_recv(), None);
}

#[tokio::test]
async fn packed_objects_that_burst_or_break_drop_the_connection() {
    let inflate = |error| Then::Drops(PacketError::Inflate(error));
    let bomb = packed(&gzip(&vec![0; 64 << 20]));
    wrong("a bomb", |_, _| bomb.clone(), inflate(InflateError::Bomb)).await;
    wrong("no gzip", |_, _| packed(b"rubbish"), inflate(InflateError::NotGzip)).await;
    wrong("gzip that breaks off", |_, _| packed(&gzip(UPDATE)[..20]), inflate(InflateError::NotGzip)).await;
    let checksum = |_: &Server, _: &Forger| {
        let mut gzip = gzip(UPDATE);
        let at = gzip.len() - 8;
        gzip[at] ^= 1;
        packed(&gzip)
    };
    wrong("a wrong checksum", checksum, inflate(InflateError::NotGzip)).await;
    wrong("packed within packed", |_, _| packed(&gzip(&packed(&gzip(UPDATE)))), inflate(InflateError::Nested)).await;
}

#[tokio::test]
async fn service_messages_that_are_malformed_drop_the_connection() {
    let drops = |error| Then::Drops(PacketError::Malformed(error));
    for constructor in [MSGS_ACK, RPC_RESULT, BAD_MSG_NOTIFICATION, BAD_SERVER_SALT, NEW_SESSION_CREATED, PONG] {
        let body = move |_: &Server, _: &Forger| constructor.to_le_bytes().to_vec();
        wrong(&format!("{constructor:08x} cut short"), body, drops(DecodeError::Truncated)).await;
    }
    let huge = |constructor: u32, count: u32| {
        move |_: &Server, _: &Forger| Words::of(constructor).int(VECTOR as i32).int(count as i32).raw(&[0; 64]).0
    };
    for constructor in [MSGS_ACK, MSGS_STATE_REQ, MSG_RESEND_REQ] {
        let name = format!("{constructor:08x} of billions");
        wrong(&name, huge(constructor, u32::MAX), drops(DecodeError::Count(u32::MAX))).await;
        wrong(&name, huge(constructor, 9), drops(DecodeError::Count(9))).await;
    }
    let many = |_: &Server, _: &Forger| Words::of(MSGS_STATE_REQ).longs(&[4; 8193]).0;
    wrong("8193 ids", many, Then::Drops(PacketError::TooManyIds(8193))).await;
    let salts = |_: &Server, _: &Forger| Words::of(FUTURE_SALTS).long(4).int(0).int(1 << 30).0;
    wrong("salts by the million", salts, drops(DecodeError::Count(1 << 30))).await;
}

#[tokio::test]
async fn what_names_messages_that_were_never_sent_is_of_no_consequence() {
    let nothing = || Then::Nothing;
    let result = |_: &Server, _: &Forger| Words::of(RPC_RESULT).long(id(0, 0)).raw(UPDATE).0;
    wrong("a result of no call", result, nothing()).await;
    // Answered by now, so it is no call any more.
    let again = |server: &Server, _: &Forger| Words::of(RPC_RESULT).long(server.last_query()).raw(UPDATE).0;
    wrong("a second result", again, nothing()).await;
    for code in [16, 17, 18, 19, 20, 32, 33, 34, 35, 48, 64, 99, -1] {
        let bad = move |_: &Server, _: &Forger| Words::of(BAD_MSG_NOTIFICATION).long(id(0, 0)).int(1).int(code).0;
        wrong(&format!("bad_msg_notification {code} of nothing"), bad, nothing()).await;
    }
    let salt = |_: &Server, _: &Forger| Words::of(BAD_SERVER_SALT).long(id(0, 0)).int(1).int(48).long(5).0;
    wrong("bad_server_salt of nothing", salt, nothing()).await;
    let salts =
        |_: &Server, _: &Forger| Words::of(FUTURE_SALTS).long(id(0, 0)).int(0).int(1).int(0).int(i32::MAX).long(5).0;
    wrong("salts that nobody asked for", salts, nothing()).await;
    wrong("acknowledgments", |_, _| Words::of(MSGS_ACK).longs(&[id(0, 0), -1, 0, i64::MAX]).0, nothing()).await;
    wrong("a pong to no ping", |_, _| Words::of(PONG).long(id(0, 0)).long(5).0, nothing()).await;
    wrong("states of nothing", |_, _| Words::of(MSGS_STATE_INFO).long(id(0, 0)).bytes(&[4; 200]).0, nothing()).await;
    let detailed = |_: &Server, _: &Forger| Words::of(MSG_DETAILED_INFO).long(id(0, 0)).long(id(0, 1)).int(9).int(0).0;
    wrong("news of an answer to nothing", detailed, nothing()).await;
    let resend = |server: &Server, _: &Forger| Words::of(MSG_RESEND_REQ).longs(&[server.last_query(); 8192]).0;
    wrong("what is done, 8192 times again", resend, nothing()).await;
    wrong("a key that stays", |_, _| DESTROY_AUTH_KEY_FAIL.to_le_bytes().to_vec(), nothing()).await;
}

/// An answer that does not take the call's own answer away.
#[tokio::test]
async fn what_answers_a_call_as_something_else_leaves_it_waiting() {
    let server = Server::start(Vec::new(), |_| Answer::Never).await;
    let client = Client::new(&server, Some(server.key.clone()));
    let mut call = std::pin::pin!(client.connection.call(Bytes::from_static(QUERY)));
    let mut seen = server.seen.clone();
    let came = async { seen.wait_for(|seen| seen.query.0 != 0).await.expect("it runs").query.0 };
    let query = tokio::select! {
        answer = &mut call => panic!("{answer:?}"),
        query = came => query,
    };
    let forger = server.forger().await;
    for body in [
        Words::of(FUTURE_SALTS).long(query).int(0).int(0),
        Words::of(PONG).long(query).long(5),
        Words::of(MSGS_STATE_INFO).long(query).bytes(&[1]),
        Words::of(MSGS_ACK).longs(&[query]),
        Words::of(MSG_DETAILED_INFO).long(query).long(id(-400, 1)).int(9).int(0),
    ] {
        server.say(forger.seal(&forger.message(body.0)));
    }
    let answer = Words::of(RPC_RESULT).long(query).raw(QUERY).0;
    server.say(forger.seal(&forger.message(answer)));
    assert_eq!(crate::within(call).await.as_deref(), Ok(QUERY));
    assert_eq!(client.status.borrow().connections, 1);
}
