//! Streams that are not what their transport says. <https://core.telegram.org/mtproto/mtproto-transports>

use moongram::crypto::{Random, SeededRandom};
use moongram::mtproto::{FrameError, Transport};
use moongram::net::{CallFailure, Clock, Fatal};

use crate::server::Server;
use crate::{Bytes, Client, QUERY};

/// The connection breaks for this reason, and the next one works.
async fn check(name: &str, transport: Transport, bytes: &[u8], expected: Option<FrameError>) {
    let server = Server::honest().await;
    let mut client = Client::by_clock(&server, Some(server.key.clone()), transport, Clock::real());
    client.works(name).await;
    server.raw(bytes.to_vec());
    let status = client.sees(name, |status| status.trouble.is_some()).await;
    if let Some(expected) = expected {
        assert_eq!(status.trouble, Some(expected.to_string()), "{name}");
    }
    client.works(name).await;
    let status = client.status.borrow().clone();
    assert_eq!((status.connections, status.fatal), (2, None), "{name}");
}

#[tokio::test]
async fn a_length_that_lies_drops_the_connection() {
    use FrameError::*;
    use Transport::*;
    const TOO_LONG: usize = (1 << 24) + 4;
    let long = (TOO_LONG as u32).to_le_bytes();
    check("intermediate, too long", Intermediate, &long, Some(TooLong(TOO_LONG))).await;
    check("padded, too long", Padded, &long, Some(TooLong(TOO_LONG))).await;
    check("abridged, too long", Abridged, &[0x7f, 0xff, 0xff, 0xff], Some(TooLong(0xff_ffff * 4))).await;
    let full = [&(TOO_LONG as u32 + 12).to_le_bytes()[..], &[0; 4]].concat();
    check("full, too long", Full, &full, Some(TooLong(TOO_LONG))).await;
    check("intermediate, negative", Intermediate, &(i32::MAX as u32).to_le_bytes(), Some(TooLong(i32::MAX as usize)))
        .await;
    check("full, negative", Full, &[0xff; 8], Some(TooLong(u32::MAX as usize - 12))).await;
    check("intermediate, nothing", Intermediate, &[0; 4], Some(TooShort(0))).await;
    check("padded, a byte", Padded, &[1, 0, 0, 0], Some(TooShort(1))).await;
    check("abridged, nothing", Abridged, &[0], Some(TooShort(0))).await;
    check("full, less than its own frame", Full, &[8, 0, 0, 0, 0, 0, 0, 0], Some(TooShort(0))).await;
    check("intermediate, broken words", Intermediate, &[&[22, 0, 0, 0], &[7; 22][..]].concat(), Some(Unaligned(22)))
        .await;
    check("full, broken words", Full, &[34, 0, 0, 0, 0, 0, 0, 0], Some(Unaligned(22))).await;
    check("shorter than any packet", Intermediate, &[&[12, 0, 0, 0], &[7; 12][..]].concat(), Some(TooShort(12))).await;
    // It says that nothing is wrong.
    check("an error of 0", Intermediate, &[4, 0, 0, 0, 0, 0, 0, 0], Some(TooShort(4))).await;
}

#[tokio::test]
async fn a_full_transport_out_of_step_drops_the_connection() {
    let server = Server::honest().await;
    let mut client = Client::by_clock(&server, Some(server.key.clone()), Transport::Full, Clock::real());
    client.works("in step").await;
    // A packet that is right but for its number.
    let mut packet = [&52_u32.to_le_bytes()[..], &77_u32.to_le_bytes(), &[7; 40]].concat();
    let checksum = crc32fast::hash(&packet);
    packet.extend_from_slice(&checksum.to_le_bytes());
    server.raw(packet);
    let status = client.sees("out of step", |status| status.trouble.is_some()).await;
    let trouble = status.trouble.expect("seen");
    assert!(trouble.starts_with("packet 77 arrived where"), "{trouble}");
    client.works("after").await;
}

#[tokio::test]
async fn a_wrong_checksum_drops_the_connection() {
    let server = Server::honest().await;
    // The first packet on the stream, so that its number is known to be 0.
    server.greet(vec![[&52_u32.to_le_bytes()[..], &[0; 4], &[7; 44]].concat()]);
    let mut client = Client::by_clock(&server, Some(server.key.clone()), Transport::Full, Clock::real());
    let status = client.sees("checksum", |status| status.trouble.is_some()).await;
    assert_eq!(status.trouble, Some(FrameError::Checksum.to_string()));
    client.works("after").await;
}

#[tokio::test]
async fn garbage_drops_the_connection_a_byte_at_a_time_or_all_at_once() {
    for (seed, transport) in
        [Transport::Abridged, Transport::Intermediate, Transport::Padded, Transport::Full].into_iter().enumerate()
    {
        let mut garbage = vec![0; 1 << 12];
        SeededRandom::new(seed as u64).fill(&mut garbage);
        // Short packets, so that none is waited for until its end.
        garbage[..4].copy_from_slice(&[24, 0, 0, 0]);
        check(&format!("{transport:?}"), transport, &garbage, None).await;

        let server = Server::honest().await;
        let mut client = Client::by_clock(&server, Some(server.key.clone()), transport, Clock::real());
        client.works("before").await;
        server.mute();
        for byte in garbage.iter().take(128) {
            server.raw(vec![*byte]);
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        client.sees(&format!("{transport:?}, a byte at a time"), |status| status.trouble.is_some()).await;
        client.works("after").await;
    }
}

/// The answers of an honest server vanish in a packet that never ends.
#[tokio::test]
async fn a_packet_that_never_ends_is_not_waited_for_for_ever() {
    let server = Server::honest().await;
    let clock = Clock::stepped(Clock::real().now().unix);
    let client = Client::by_clock(&server, Some(server.key.clone()), Transport::Intermediate, clock.clone());
    client.works("before").await;
    server.raw((1_u32 << 24).to_le_bytes().to_vec());
    let begun = clock.now().mono;
    stepping(&clock, client.works("in the end")).await;
    assert_eq!(client.status.borrow().connections, 2);
    // A busy machine steps on while the socket has its turn.
    let waited = clock.now().mono - begun;
    assert!(waited.as_secs() < 60, "{waited:?}");
}

/// What a web server, a mail server or somebody's TLS would say first.
#[tokio::test]
async fn a_server_of_another_kind_is_left_until_it_speaks_mtproto() {
    let server = Server::honest().await;
    let greetings =
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"220 mail.example.org ESMTP\r\n", b"\x15\x03\x03\0\x02\x02\x28"];
    server.greet(greetings.map(<[u8]>::to_vec).to_vec());
    let clock = Clock::stepped(Clock::real().now().unix);
    let client = Client::by_clock(&server, Some(server.key.clone()), Transport::Intermediate, clock.clone());
    let works = client.works("after the strangers");
    stepping(&clock, works).await;
    assert!(server.accepted() >= 3);
}

/// -429 and errors without a meaning are waited out, however often they come.
#[tokio::test]
async fn transport_errors_without_end_are_met_with_patience() {
    for code in [-429, -1, -500, i32::MIN] {
        let server = Server::honest().await;
        let error = [&4_u32.to_le_bytes()[..], &code.to_le_bytes()].concat();
        server.greet(vec![error; 6]);
        let clock = Clock::stepped(Clock::real().now().unix);
        let begun = clock.now().mono;
        let client = Client::by_clock(&server, Some(server.key.clone()), Transport::Intermediate, clock.clone());
        stepping(&clock, client.works("in the end")).await;
        assert_eq!(server.accepted(), 7, "{code}");
        let waited = clock.now().mono - begun;
        // Doubling from a quarter of a second, half of it certain; from five seconds where the server asked for that.
        let least = if code == -429 { 2.5 * 3.0 } else { 0.125 * 31.0 };
        assert!(waited.as_secs_f64() >= least, "{code}: {waited:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_denied_again_and_a_wrong_dc_are_the_end() {
    for (code, fatal) in [(-404, Fatal::KeyUnknown), (-444, Fatal::WrongDc(2))] {
        let server = Server::honest().await;
        let error = [&4_u32.to_le_bytes()[..], &i32::to_le_bytes(code)].concat();
        server.greet(vec![error; 3]);
        let client = Client::new(&server, Some(server.key.clone()));
        let failure = crate::within(client.connection.call(Bytes::from_static(QUERY))).await;
        assert_eq!(failure, Err(CallFailure::Closed(Some(fatal))));
    }
}

/// Somebody who can write into the stream, but has no key, says once that the key is unknown: that costs a connection, not the key.
#[tokio::test]
async fn a_key_that_is_denied_once_is_kept() {
    let server = Server::honest().await;
    let mut client = Client::new(&server, Some(server.key.clone()));
    for round in 0..4 {
        client.works("between").await;
        server.transport_error(-404);
        client.sees(&format!("denied {round}"), |status| status.connections == round + 2).await;
    }
    client.works("after").await;
    assert_eq!(client.status.borrow().fatal, None);
}

/// Quick acknowledgments that nobody asked for.
#[tokio::test]
async fn quick_acknowledgments_of_nothing_are_of_no_consequence() {
    for transport in [Transport::Abridged, Transport::Intermediate] {
        let server = Server::honest().await;
        let client = Client::by_clock(&server, Some(server.key.clone()), transport, Clock::real());
        client.works("before").await;
        server.raw([0xff, 0x80, 0, 0x80].repeat(200));
        client.works("after").await;
        let status = client.status.borrow().clone();
        assert_eq!((status.connections, status.trouble), (1, None), "{transport:?}");
    }
}

/// Moves the clock on while something goes on.
async fn stepping<T>(clock: &Clock, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        tokio::select! {
            done = &mut future => return done,
            () = tokio::time::sleep(std::time::Duration::from_millis(3)) => {
                clock.advance(std::time::Duration::from_millis(100));
            }
        }
    }
}
