//! Each transport, plain and obfuscated, either end, and the server's guess at what a client speaks.

use bytes::BytesMut;
use moongram::crypto::{Ctr, SeededRandom};
use moongram::mtproto::{Frame, FrameError, Framing, Transport};

use super::Target;
use super::input::{Input, pieces};

pub const TARGET: Target = Target { name: "framing", run, seeds, memory: (1 << 16, 16) };

const ALL: [Transport; 4] = [Transport::Abridged, Transport::Intermediate, Transport::Padded, Transport::Full];

/// What is tried with the stream. The low two bits of the first byte choose the transport, the next three this.
const CLIENT: u8 = 0;
const CLIENT_OBFUSCATED: u8 = 1;
const SERVER: u8 = 2;
const SERVER_OBFUSCATED: u8 = 3;
const THERE_AND_BACK: u8 = 4;

fn run(data: &[u8]) -> usize {
    let mut input = Input(data);
    let (how, seed) = (input.u8(), input.u8());
    let transport = ALL[usize::from(how & 3)];
    let stream = input.rest();
    match how >> 2 & 7 {
        CLIENT => same_in_pieces(&|| Framing::client(transport), stream, seed),
        CLIENT_OBFUSCATED => {
            let client = || Framing::obfuscated(transport, None, &mut SeededRandom::new(9));
            let Some(mut other) = client() else { return 0 };
            let (_, mut from_server) = streams(&init(&mut other));
            let mut stream = stream.to_vec();
            from_server.apply(&mut stream);
            same_in_pieces(&|| client().expect("as before"), &stream, seed);
        }
        SERVER => same_in_pieces(&Framing::server, stream, seed),
        SERVER_OBFUSCATED => {
            let Some(mut client) = Framing::obfuscated(transport, None, &mut SeededRandom::new(9)) else { return 0 };
            let init = init(&mut client);
            let (mut to_server, _) = streams(&init);
            let mut whole = init.to_vec();
            to_server.apply(&mut [0; 64]);
            whole.extend_from_slice(stream);
            to_server.apply(&mut whole[64..]);
            same_in_pieces(&Framing::server, &whole, seed);
        }
        _ => {
            there_and_back(transport, stream, seed);
            // A byte may be a packet here, which exists in several forms at once.
            return 1024 * stream.len();
        }
    }
    0
}

/// Whatever the stream is, it is the same frames and the same error however it arrives.
fn same_in_pieces(framing: &dyn Fn() -> Framing, stream: &[u8], seed: u8) {
    let whole = decode(&mut framing(), std::iter::once(stream));
    let in_pieces = decode(&mut framing(), pieces(stream, seed));
    assert_eq!(whole, in_pieces);
    for frame in &whole.0 {
        match frame {
            Frame::Packet(packet) => assert!((20..=1 << 24).contains(&packet.len())),
            Frame::TransportError(code) => assert!(*code < 0),
            Frame::QuickAck(token) => assert!(*token >> 31 == 1 || token >> 31 == 0),
        }
    }
}

fn decode<'a>(framing: &mut Framing, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<FrameError>) {
    let (mut frames, mut input) = (Vec::new(), BytesMut::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match framing.decode(&mut input) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// Packets of the lengths that encrypted ones have come out as they went in, in both directions.
fn there_and_back(transport: Transport, stream: &[u8], seed: u8) {
    let mut client = match seed & 1 {
        1 => Framing::obfuscated(transport, None, &mut SeededRandom::new(9)),
        _ => None,
    }
    .unwrap_or_else(|| Framing::client(transport));
    let mut server = Framing::server();
    let packets: Vec<Vec<u8>> = stream
        .split(|byte| *byte == 0xff)
        .map(|bytes| {
            let mut packet = b"auth key".to_vec();
            packet.extend_from_slice(bytes);
            let blocks = packet.len().saturating_sub(24).div_ceil(16).max(1);
            packet.resize(24 + 16 * blocks, 0x5a);
            packet
        })
        .collect();
    let expected: Vec<Frame> = packets.iter().map(|packet| Frame::Packet(packet[..].into())).collect();

    let mut up = Vec::new();
    packets.iter().for_each(|packet| client.encode(packet, &mut up));
    let got = decode(&mut server, pieces(&up, seed));
    assert_eq!((&got.0, &got.1), (&expected, &None));
    assert_eq!((server.transport(), server.is_obfuscated()), (Some(transport), client.is_obfuscated()));

    let mut down = Vec::new();
    packets.iter().for_each(|packet| server.encode(packet, &mut down));
    server.encode_transport_error(-404, &mut down);
    let mut got = decode(&mut client, pieces(&down, seed));
    assert_eq!(got.0.pop(), Some(Frame::TransportError(-404)));
    assert_eq!((got.0, got.1), (expected, None));
}

/// The first bytes of an obfuscated client.
fn init(client: &mut Framing) -> [u8; 64] {
    let mut out = Vec::new();
    client.encode(&[0; 24], &mut out);
    *out.first_chunk().expect("64 bytes come before the first packet")
}

/// The key streams to the server and from it.
/// <https://core.telegram.org/mtproto/mtproto-transports#transport-obfuscation>
fn streams(init: &[u8; 64]) -> (Ctr, Ctr) {
    let stream =
        |init: &[u8; 64]| Ctr::new(&std::array::from_fn(|i| init[8 + i]), &std::array::from_fn(|i| init[40 + i]));
    let mut backwards = *init;
    backwards.reverse();
    (stream(init), stream(&backwards))
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let packets: [&[u8]; 2] = [&[0x11; 24 + 16], &[0x22; 24 + 16 * 40]];
    let mut seeds = Vec::new();
    for (number, transport) in ALL.into_iter().enumerate() {
        let name = format!("{transport:?}").to_lowercase();
        let mut seed = |case: &str, how: u8, stream: &[u8]| {
            let input = [&[number as u8 | how << 2, 7], stream].concat();
            seeds.push((format!("{name}-{case}"), input));
        };
        let mut up = Vec::new();
        let mut client = Framing::client(transport);
        packets.iter().for_each(|packet| client.encode(packet, &mut up));
        client.encode_with_quick_ack(packets[0], &mut up);
        seed("server", SERVER, &up);
        let announced = up.len() - { without_announcement(transport, &packets).len() };
        seed("server-obfuscated", SERVER_OBFUSCATED, &up[announced..]);

        let mut server = Framing::server();
        let mut input = BytesMut::from(&up[..]);
        while let Ok(Some(_)) = server.decode(&mut input) {}
        let mut down = Vec::new();
        packets.iter().for_each(|packet| server.encode(packet, &mut down));
        if transport != Transport::Full {
            server.encode_quick_ack(0x1234_5678, &mut down).expect("the transport has them");
        }
        server.encode_transport_error(-429, &mut down);
        seed("client", CLIENT, &down);
        seed("client-obfuscated", CLIENT_OBFUSCATED, &down);
        seed("there-and-back", THERE_AND_BACK, b"three\xffshort\xffpackets");
    }
    seeds
}

/// What a client sends after its announcement.
fn without_announcement(transport: Transport, packets: &[&[u8]]) -> Vec<u8> {
    let (mut first, mut again) = (Vec::new(), Vec::new());
    let mut client = Framing::client(transport);
    client.encode(packets[0], &mut first);
    // The full transport numbers its packets from the first on and announces nothing.
    let mut client = if transport == Transport::Full { Framing::client(transport) } else { client };
    packets.iter().for_each(|packet| client.encode(packet, &mut again));
    client.encode_with_quick_ack(packets[0], &mut again);
    again
}
