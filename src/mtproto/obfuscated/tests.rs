use bytes::BytesMut;

use super::*;
use crate::crypto::SeededRandom;
use crate::crypto::hex::bytes;
use crate::mtproto::{Frame, FrameError, Framing};

const ALL: [Transport; 4] = [Transport::Abridged, Transport::Intermediate, Transport::Padded, Transport::Full];

/// The same bytes each time: 1, 8, 15…
struct Pattern;

impl Random for Pattern {
    fn fill(&mut self, buf: &mut [u8]) {
        for (at, byte) in buf.iter_mut().enumerate() {
            *byte = (at * 7 + 1) as u8;
        }
    }
}

/// Gives what it is told to, then the pattern.
struct Script(Vec<[u8; HEADER]>);

impl Random for Script {
    fn fill(&mut self, buf: &mut [u8]) {
        match self.0.pop() {
            Some(header) => buf.copy_from_slice(&header[..buf.len()]),
            None => Pattern.fill(buf),
        }
    }
}

fn header_of(stream: &mut Obfuscated) -> Vec<u8> {
    let mut out = Vec::new();
    stream.send(&[], &mut out);
    out
}

/// Made with Python's `cryptography` from the pseudocode of the documentation.
#[test]
fn the_stream_is_the_one_that_the_documentation_describes() {
    let check = |transport: Transport, key: Option<[u8; 16]>, dc, end: &str, up: &str, down: &str| {
        let mut stream = Obfuscated::client(transport, key.as_ref(), dc, &mut Pattern);
        let mut out = Vec::new();
        stream.send(&[announcement(transport), b"sixteen bytes up"].concat(), &mut out);
        let start: Vec<u8> = (0..56).map(|at| (at * 7 + 1) as u8).collect();
        assert_eq!(out, [start, bytes(end), bytes(up)].concat());
        let mut from_server = bytes(down);
        stream.receive(&mut from_server);
        assert_eq!(from_server, b"sixteen bytes dn");
    };
    let media = ProxyDc { id: 4, test: false, media: true };
    check(
        Transport::Padded,
        Some([0x99; 16]),
        Some(media),
        "396983fb4c62edc3",
        "2848140735328affc86b2a1138c6019f",
        "d67ca1e0680f57fb45c6ec0226c428eb",
    );
    check(
        Transport::Abridged,
        None,
        None,
        "5f32568e7501f691",
        "90a9aa2147a5ca886259267a12b24a17",
        "d23bb5fbecafd76a68be6ea038b0deb9",
    );
}

#[test]
fn what_a_server_would_mistake_is_never_sent_first() {
    let mut beginnings: Vec<[u8; 8]> = Vec::new();
    beginnings.push([0xef, 1, 2, 3, 4, 5, 6, 7]);
    beginnings.push([1, 2, 3, 4, 0, 0, 0, 0]);
    for taken in [*b"HEAD", *b"POST", *b"GET ", *b"OPTI", [0x16, 3, 1, 2], [0xdd; 4], [0xee; 4]] {
        beginnings.push([taken, [1, 2, 3, 4]].concat().try_into().unwrap());
    }
    for transport in ALL {
        for beginning in &beginnings {
            let mut header = [7; HEADER];
            header[..8].copy_from_slice(beginning);
            let mut stream = Obfuscated::client(transport, None, None, &mut Script(vec![header]));
            assert_eq!(header_of(&mut stream)[..8], [1, 8, 15, 22, 29, 36, 43, 50], "{transport:?} {beginning:02x?}");
        }
    }
}

#[test]
fn the_full_transport_has_no_tag_that_chance_could_make() {
    let free = [7; HEADER];
    let mut with_tag = free;
    with_tag[TAG].fill(0xee);
    let mut stream = Obfuscated::client(Transport::Full, None, None, &mut Script(vec![with_tag]));
    assert_eq!(header_of(&mut stream)[0], 1, "another header was made");
    let mut stream = Obfuscated::client(Transport::Full, None, None, &mut Script(vec![free]));
    assert_eq!(header_of(&mut stream)[0], 7, "this one will do");
}

/// Client and server with their framings, joined by bytes that arrive in pieces of `step`.
fn talk(transport: Transport, key: Option<[u8; 16]>, step: usize) {
    let mut random = SeededRandom::new(step as u64);
    let dc = ProxyDc { id: 2, test: true, media: false };
    let mut client = Obfuscated::client(transport, key.as_ref(), Some(dc), &mut random);
    let mut server = IncomingStream::new(key);
    let (mut client_framing, mut server_framing) = (Framing::client(transport), Framing::server());
    let (mut at_client, mut at_server) = (BytesMut::new(), BytesMut::new());
    for round in 0..3_u8 {
        let packet = vec![round + 1; 600 + 48 * usize::from(round)];
        let mut framed = Vec::new();
        client_framing.encode(&packet, &mut framed);
        let mut wire = Vec::new();
        client.send(&framed, &mut wire);
        for piece in wire.chunks(step) {
            server.receive(piece, &mut at_server).unwrap();
        }
        let Some(Frame::Packet(got)) = server_framing.decode(&mut at_server).unwrap() else {
            panic!("{transport:?}: no packet");
        };
        assert_eq!(got, packet[..]);

        let mut wire = Vec::new();
        server_framing.encode(&packet, &mut wire);
        server.send(&mut wire);
        for piece in wire.chunks_mut(step) {
            client.receive(piece);
            at_client.extend_from_slice(piece);
        }
        let Some(Frame::Packet(got)) = client_framing.decode(&mut at_client).unwrap() else {
            panic!("{transport:?}: no packet back");
        };
        assert_eq!(got, packet[..]);
    }
    assert_eq!(server.obfuscated(), Some((transport, Some(dc))));
}

#[test]
fn every_framing_goes_through_in_pieces_of_any_size() {
    for transport in ALL {
        for step in [1, 3, 63, 64, 65, 4096] {
            talk(transport, None, step);
        }
    }
}

#[test]
fn a_secret_that_both_know_goes_into_the_keys() {
    for transport in [Transport::Abridged, Transport::Intermediate, Transport::Padded] {
        talk(transport, Some([0x31; 16]), 17);
    }
}

#[test]
fn a_server_tells_plain_streams_from_obfuscated_ones() {
    for transport in ALL {
        for step in [1, 5, 1000] {
            let mut framed = Vec::new();
            Framing::client(transport).encode(&[5; 40], &mut framed);
            let mut server = IncomingStream::new(None);
            let mut plain = BytesMut::new();
            for piece in framed.chunks(step) {
                server.receive(piece, &mut plain).unwrap();
            }
            assert_eq!(plain, framed[..]);
            assert_eq!(server.obfuscated(), None);
            let mut answer = *b"as it is";
            server.send(&mut answer);
            assert_eq!(answer, *b"as it is");
        }
    }
}

#[test]
fn a_client_without_the_secret_is_refused() {
    let mut random = SeededRandom::new(1);
    let mut refusal = |key: Option<[u8; 16]>| {
        let mut wire = Vec::new();
        Obfuscated::client(Transport::Intermediate, key.as_ref(), None, &mut random).send(&[], &mut wire);
        IncomingStream::new(Some([1; 16])).receive(&wire, &mut BytesMut::new())
    };
    assert_eq!(refusal(Some([2; 16])), Err(IncomingError::WrongSecret));
    assert_eq!(refusal(None), Err(IncomingError::WrongSecret));
    assert_eq!(refusal(Some([1; 16])), Ok(()));
    let plain = IncomingStream::new(Some([1; 16])).receive(&[0xef, 1], &mut BytesMut::new());
    assert_eq!(plain, Err(IncomingError::NotObfuscated));
}

#[test]
fn http_and_tls_are_not_taken_for_an_obfuscated_stream() {
    for first in [&b"GET / HTTP/1.1\r\n"[..], b"POST /api", &[0x16, 3, 1, 2, 0, 1]] {
        let refused = IncomingStream::new(None).receive(first, &mut BytesMut::new());
        assert_eq!(refused, Err(IncomingError::NotMtproto));
    }
}

#[test]
fn sixty_four_bytes_of_anything_end_in_an_error_of_the_framing() {
    let mut plain = BytesMut::new();
    IncomingStream::new(None).receive(&[0x42; 200], &mut plain).unwrap();
    assert_eq!(Framing::server().decode(&mut plain), Err(FrameError::UnknownTransport));
}

#[test]
fn the_dc_is_told_with_test_and_media() {
    let check = |id, test, media, code| {
        let dc = ProxyDc { id, test, media };
        assert_eq!(dc.encode(), code);
        assert_eq!(ProxyDc::decode(code), Some(dc));
    };
    check(2, false, false, 2);
    check(4, false, true, -4);
    check(2, true, false, 10_002);
    check(3, true, true, -10_003);
    check(203, false, false, 203);
    for code in [0, 10_000, -10_000, i16::MAX, i16::MIN] {
        assert_eq!(ProxyDc::decode(code), None, "{code}");
    }
}

const KEY: &str = "0123456789abcdef0123456789ABCDEF";

#[test]
fn secrets_are_read_in_every_form_they_are_given_in() {
    let own: [u8; 16] = bytes(KEY).try_into().unwrap();
    let check = |text: &str, secret: &Secret| assert_eq!(Secret::parse(text).as_ref(), Ok(secret), "{text}");
    check(KEY, &Secret::Plain(own));
    check(&format!("  {KEY}\n"), &Secret::Plain(own));
    check("ASNFZ4mrze8BI0VniavN7w", &Secret::Plain(own));
    check("ASNFZ4mrze8BI0VniavN7w==", &Secret::Plain(own));
    check(&format!("dd{KEY}"), &Secret::Padded(own));
    check(&format!("aa{KEY}"), &Secret::Padded(own));
    check("3QEjRWeJq83vASNFZ4mrze8", &Secret::Padded(own));
    let tls = Secret::FakeTls { key: own, domain: "example.org".to_owned() };
    check(&format!("ee{KEY}6578616d706c652e6f7267"), &tls);
    check("7gEjRWeJq83vASNFZ4mrze9leGFtcGxlLm9yZw", &tls);
    check("7gEjRWeJq83vASNFZ4mrze9leGFtcGxlLm9yZw==", &tls);
    // The last digit's spare bits set.
    check("7gEjRWeJq83vASNFZ4mrze9leGFtcGxlLm9yZx", &tls);
    // The alphabet of ordinary base64.
    assert_eq!(Secret::parse("+/+/+/+/+/+/+/+/+/+/+w"), Secret::parse("-_-_-_-_-_-_-_-_-_-_-w"));
}

#[test]
fn an_error_says_what_is_wrong_with_a_secret() {
    let check = |text: &str, error: SecretError| assert_eq!(Secret::parse(text), Err(error), "{text}");
    check(" ", SecretError::Empty);
    check("0123456789abcdef", SecretError::TooShort(8));
    check("12#4", SecretError::Character('#', 2));
    check("12é4", SecretError::Character('é', 2));
    check("abcde", SecretError::CutOff);
    check(&format!("ee{KEY}"), SecretError::NoDomain);
    check(&format!("dd{KEY}00"), SecretError::TooLong { length: 18, first: 0xdd });
    check(&format!("ee{KEY}ff"), SecretError::Domain("it is not text"));
    check(&format!("ee{KEY}2f2f"), SecretError::Domain("it may have letters, digits, dots and hyphens"));
    let long = "61".repeat(254);
    check(&format!("ee{KEY}{long}"), SecretError::Domain("it has more than 253 characters"));
}

#[test]
fn debug_does_not_show_the_key() {
    for text in [KEY.to_owned(), format!("dd{KEY}"), format!("ee{KEY}6578616d706c652e6f7267")] {
        let shown = format!("{:?}", Secret::parse(&text));
        assert!(!shown.contains("35") && !shown.contains("0x"), "{shown}");
    }
}

#[test]
fn the_secret_decides_over_the_framing() {
    let plain = Secret::Plain([0; 16]);
    assert_eq!(plain.transport(Transport::Abridged), Some(Transport::Abridged));
    assert_eq!(plain.transport(Transport::Full), None);
    for secret in [Secret::Padded([0; 16]), Secret::FakeTls { key: [0; 16], domain: "a.b".to_owned() }] {
        assert_eq!(secret.transport(Transport::Abridged), Some(Transport::Padded));
    }
}
