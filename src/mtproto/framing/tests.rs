use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::crypto::SeededRandom;

const TRANSPORTS: [Transport; 4] = [Transport::Abridged, Transport::Intermediate, Transport::Padded, Transport::Full];

/// A client of each transport, plain and obfuscated.
fn clients() -> Vec<(String, Framing)> {
    let plain = TRANSPORTS.map(|transport| (format!("{transport:?}"), Framing::client(transport)));
    let obfuscated = TRANSPORTS[..3].iter().map(|&transport| {
        let framing = Framing::obfuscated(transport, None, &mut SeededRandom::new(transport as u64));
        (format!("obfuscated {transport:?}"), framing.expect("a transport with a tag"))
    });
    plain.into_iter().chain(obfuscated).collect()
}

/// A packet as an encrypted one looks: 24 bytes and whole blocks, its key id not zero.
fn packet(blocks: usize) -> Vec<u8> {
    (0..24 + 16 * blocks).map(|i| (i * 7 + blocks) as u8 | 1).collect()
}

fn packets() -> Vec<Vec<u8>> {
    // 31 blocks are 130 words, the first length that abridged writes in four bytes is 127.
    [1, 2, 29, 30, 31, 400].map(packet).to_vec()
}

fn drain(framing: &mut Framing, input: &mut BytesMut) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    while let Some(frame) = framing.decode(input).expect("a well-formed stream") {
        match frame {
            Frame::Packet(packet) => got.push(packet.to_vec()),
            other => panic!("{other:?}"),
        }
    }
    got
}

#[test]
fn packets_round_trip_in_each_transport_and_direction() {
    for (transport, mut client) in clients() {
        let mut server = Framing::server();
        for packet in packets() {
            let mut stream = Vec::new();
            client.encode(&packet, &mut stream);
            assert_eq!(
                drain(&mut server, &mut BytesMut::from(&stream[..])),
                std::slice::from_ref(&packet),
                "{transport}"
            );
            stream.clear();
            server.encode(&packet, &mut stream);
            assert_eq!(drain(&mut client, &mut BytesMut::from(&stream[..])), [packet], "{transport}");
        }
        assert_eq!(server.transport(), client.transport());
        assert_eq!(server.is_obfuscated(), client.is_obfuscated());
    }
}

#[test]
fn a_stream_may_come_byte_by_byte() {
    for (transport, mut client) in clients() {
        let mut server = Framing::server();
        let mut stream = Vec::new();
        packets().iter().for_each(|packet| client.encode(packet, &mut stream));
        let (mut input, mut got) = (BytesMut::new(), Vec::new());
        for byte in stream {
            input.extend_from_slice(&[byte]);
            got.extend(drain(&mut server, &mut input));
        }
        assert_eq!(got, packets(), "{transport}");
    }
}

#[test]
fn packets_that_come_together_are_told_apart() {
    for (transport, mut client) in clients() {
        let mut server = Framing::server();
        let mut stream = Vec::new();
        packets().iter().for_each(|packet| client.encode(packet, &mut stream));
        assert_eq!(drain(&mut server, &mut BytesMut::from(&stream[..])), packets(), "{transport}");
    }
}

#[test]
fn an_unencrypted_packet_keeps_its_length_when_padded() {
    let mut packet = vec![0; 40];
    packet[16..20].copy_from_slice(&20_u32.to_le_bytes());
    for last in 0..=255 {
        packet[39] = last;
        let (mut client, mut server) = (Framing::client(Transport::Padded), Framing::server());
        let mut stream = Vec::new();
        client.encode(&packet, &mut stream);
        assert_eq!(drain(&mut server, &mut BytesMut::from(&stream[..])), std::slice::from_ref(&packet));
    }
}

#[test]
fn a_server_pads_by_so_little_that_cutting_to_a_multiple_of_four_removes_it() {
    let (mut client, mut server) = (Framing::client(Transport::Padded), Framing::server());
    let mut stream = Vec::new();
    client.encode(&packet(1), &mut stream);
    drain(&mut server, &mut BytesMut::from(&stream[..]));
    let (mut shortest, mut longest) = (usize::MAX, 0);
    for last in 0..=255 {
        let mut packet = vec![7; 56];
        packet[55] = last;
        stream.clear();
        server.encode(&packet, &mut stream);
        let padding = stream.len() - 4 - packet.len();
        (shortest, longest) = (shortest.min(padding), longest.max(padding));
    }
    assert_eq!((shortest, longest), (0, 3));
}

#[test]
fn a_transport_error_is_not_a_packet() {
    for (transport, mut client) in clients() {
        let mut server = Framing::server();
        let mut stream = Vec::new();
        client.encode(&packet(1), &mut stream);
        drain(&mut server, &mut BytesMut::from(&stream[..]));
        for code in [-404, -429, -444] {
            stream.clear();
            server.encode_transport_error(code, &mut stream);
            let got = client.decode(&mut BytesMut::from(&stream[..]));
            assert_eq!(got, Ok(Some(Frame::TransportError(code))), "{transport}");
        }
    }
}

#[test]
fn a_quick_acknowledgment_is_asked_for_and_comes_back() {
    for (transport, mut client) in clients() {
        let mut server = Framing::server();
        if client.transport() == Some(Transport::Full) {
            continue;
        }
        for (n, packet) in packets().into_iter().enumerate() {
            let mut stream = Vec::new();
            client.encode_with_quick_ack(&packet, &mut stream);
            assert_eq!(drain(&mut server, &mut BytesMut::from(&stream[..])), [packet]);
            assert!(server.quick_ack_wanted(), "{transport}");
            stream.clear();
            server.encode_quick_ack(0x1234_5678 + n as u32, &mut stream).expect("has quick acknowledgments");
            let got = client.decode(&mut BytesMut::from(&stream[..]));
            assert_eq!(got, Ok(Some(Frame::QuickAck(0x9234_5678 + n as u32))), "{transport}");
        }
    }
}

#[test]
fn the_full_transport_has_no_quick_acknowledgments() {
    let (mut client, mut server) = (Framing::client(Transport::Full), Framing::server());
    let mut stream = Vec::new();
    client.encode_with_quick_ack(&packet(1), &mut stream);
    drain(&mut server, &mut BytesMut::from(&stream[..]));
    assert!(!server.quick_ack_wanted());
    assert_eq!(server.encode_quick_ack(1, &mut stream), Err(FrameError::NoQuickAck));
}

/// What a server says to a stream of these bytes.
fn refused(stream: &[u8]) -> FrameError {
    let mut framing = Framing::server();
    let mut input = BytesMut::from(stream);
    loop {
        match framing.decode(&mut input) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("taken: {stream:02x?}"),
            Err(error) => return error,
        }
    }
}

#[test]
fn a_length_that_cannot_be_is_refused_before_its_bytes_come() {
    assert_eq!(refused(&[0xef, 0]), FrameError::TooShort(0));
    assert_eq!(refused(&[0xef, 0x7f, 0xff, 0xff, 0xff]), FrameError::TooLong(0x3ff_fffc));
    assert_eq!(refused(b"\xee\xee\xee\xee\xff\xff\xff\x7f"), FrameError::TooLong(0x7fff_ffff));
    assert_eq!(refused(b"\xee\xee\xee\xee\x02\0\0\0"), FrameError::TooShort(2));
    assert_eq!(refused(b"\xff\xff\xff\x7f\0\0\0\0"), FrameError::TooLong(0x7fff_fff3));
    assert_eq!(refused(b"\x0c\0\0\0\0\0\0\0"), FrameError::TooShort(0));
}

#[test]
fn a_packet_too_short_to_be_one_is_refused() {
    assert_eq!(refused(b"\xef\x01\x6c\xfe\xff\xff"), FrameError::TooShort(4));
    assert_eq!(refused(b"\xee\xee\xee\xee\x04\0\0\0\x6c\xfe\xff\xff"), FrameError::TooShort(4));
}

#[test]
fn intermediate_lengths_are_multiples_of_four() {
    assert_eq!(refused(&[b"\xee\xee\xee\xee\x15\0\0\0".as_slice(), &[1; 21]].concat()), FrameError::Unaligned(21));
}

#[test]
fn a_full_packet_out_of_turn_is_refused() {
    let mut client = Framing::client(Transport::Full);
    let mut stream = Vec::new();
    client.encode(&packet(1), &mut stream);
    let again = stream.clone();
    stream.extend_from_slice(&again);
    assert_eq!(refused(&stream), FrameError::Sequence { expected: 1, got: 0 });
}

#[test]
fn a_full_packet_with_a_wrong_checksum_is_refused() {
    let mut stream = Vec::new();
    Framing::client(Transport::Full).encode(&packet(1), &mut stream);
    stream[20] ^= 1;
    assert_eq!(refused(&stream), FrameError::Checksum);
}

#[test]
fn an_unknown_announcement_is_refused() {
    for start in [&b"GET / HTTP/1.1\r\n"[..], b"POST /api", &[0x16, 3, 1, 2, 0, 1]] {
        assert_eq!(refused(start), FrameError::UnknownTransport);
    }
    assert_eq!(refused(&[1; 64]), FrameError::UnknownTransport);
}

#[test]
fn an_obfuscated_stream_shows_no_constant_bytes() {
    let first_bytes = |seed| {
        let mut stream = Vec::new();
        let framing = Framing::obfuscated(Transport::Intermediate, None, &mut SeededRandom::new(seed));
        let mut framing = framing.expect("a transport with a tag");
        framing.encode(&packet(1), &mut stream);
        assert_eq!(stream.len(), 64 + 4 + 40);
        stream
    };
    let streams: Vec<Vec<u8>> = (0..20).map(first_bytes).collect();
    for at in 0..streams[0].len() {
        assert!(streams.iter().any(|stream| stream[at] != streams[0][at]), "byte {at} is constant");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_framing_panic(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..12),
        announced in 0..5_usize,
    ) {
        let mut server = Framing::server();
        let mut client = Framing::client(TRANSPORTS[announced % 4]);
        let mut input = BytesMut::new();
        if let Some(transport) = TRANSPORTS.get(announced) {
            input.extend_from_slice(announcement(*transport));
        }
        let mut same = BytesMut::new();
        for chunk in chunks {
            input.extend_from_slice(&chunk);
            same.extend_from_slice(&chunk);
            while let Ok(Some(_)) = server.decode(&mut input) {}
            while let Ok(Some(_)) = client.decode(&mut same) {}
        }
    }
}
