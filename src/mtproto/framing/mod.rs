//! How packets follow one another on a byte stream: MTProto transports.
//!
//! A client chooses a [`Transport`] and announces it with its first bytes; a server finds it out from them. A packet is
//! opaque here. <https://core.telegram.org/mtproto/mtproto-transports>

mod abridged;
mod full;
mod intermediate;
mod obfuscated;
#[cfg(test)]
mod tests;

use bytes::{Buf, BytesMut};

pub use self::obfuscated::Proxy;
use self::obfuscated::{INIT, Obfuscation, is_http_or_tls};
use super::Side;
use crate::crypto::Random;

/// The longest packet taken or given, in bytes. Nothing that Telegram sends comes near it; a longer length is a lie.
pub const MAX_PACKET: usize = 1 << 24;

/// The shortest packet: an unencrypted message of four bytes or an encrypted one of 16 is longer than this.
const MIN_PACKET: usize = 20;

/// The ways to put packets on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One byte of overhead a packet, mostly. <https://core.telegram.org/mtproto/mtproto-transports#abridged>
    Abridged,
    /// Four bytes of length. <https://core.telegram.org/mtproto/mtproto-transports#intermediate>
    Intermediate,
    /// Intermediate with up to 15 bytes of padding after each packet.
    /// <https://core.telegram.org/mtproto/mtproto-transports#padded-intermediate>
    Padded,
    /// Length, sequence number and CRC32. <https://core.telegram.org/mtproto/mtproto-transports#full>
    Full,
}

/// What a stream carried.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// One MTProto packet, encrypted or not. It shares the memory of the buffer it was read into.
    Packet(BytesMut),
    /// The server has received a packet sent with the quick-acknowledgment bit; the token is the packet's, bit 31 set.
    /// <https://core.telegram.org/mtproto/mtproto-transports#quick-ack>
    QuickAck(u32),
    /// The server could not take a packet: -404 (no such auth key), -429 (flood), -444 (wrong DC) and others.
    /// <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>
    TransportError(i32),
}

/// The stream is not what its transport says. All are fatal to the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a packet of {0} bytes; at most {MAX_PACKET} are taken")]
    TooLong(usize),
    #[error("a packet of {0} bytes is too short to be one")]
    TooShort(usize),
    #[error("a packet of {0} bytes: the transport carries multiples of four")]
    Unaligned(usize),
    #[error("packet {got} arrived where {expected} was due")]
    Sequence { expected: u32, got: u32 },
    #[error("the packet's CRC32 does not fit its bytes")]
    Checksum,
    #[error("the first bytes announce no transport that is known here")]
    UnknownTransport,
    #[error("the transport has no quick acknowledgments")]
    NoQuickAck,
    #[error("nothing can be sent before the client's first bytes have told the transport")]
    NotYetKnown,
}

/// One connection's framing: packets to bytes and bytes to packets.
#[derive(Debug)]
pub struct Framing {
    side: Side,
    /// None on a server until the first bytes have come.
    transport: Option<Transport>,
    obfuscation: Option<Obfuscation>,
    /// What the client sends before its first packet.
    announcement: Vec<u8>,
    /// Sequence numbers of the full transport, each direction's own.
    sent: u32,
    received: u32,
    quick_ack_wanted: bool,
}

impl Framing {
    /// The client's end; the transport's announcement goes out with the first packet.
    pub fn client(transport: Transport) -> Framing {
        Framing::new(Side::Client, Some(transport), announcement(transport).to_vec())
    }

    /// The client's end with obfuscation beneath the transport, to a server or through an MTProxy; None for the full
    /// transport, which no server could tell.
    pub fn obfuscated(transport: Transport, proxy: Option<Proxy>, random: &mut dyn Random) -> Option<Framing> {
        let (obfuscation, init) = Obfuscation::client(transport, proxy, random)?;
        let framing = Framing::new(Side::Client, Some(transport), init.to_vec());
        Some(Framing { obfuscation: Some(obfuscation), ..framing })
    }

    /// The server's end; the transport is found out from the client's first bytes.
    pub fn server() -> Framing {
        Framing::new(Side::Server, None, Vec::new())
    }

    fn new(side: Side, transport: Option<Transport>, announcement: Vec<u8>) -> Framing {
        Framing { side, transport, obfuscation: None, announcement, sent: 0, received: 0, quick_ack_wanted: false }
    }

    /// The transport in use; None on a server that has not been told yet.
    pub fn transport(&self) -> Option<Transport> {
        self.transport
    }

    pub fn is_obfuscated(&self) -> bool {
        self.obfuscation.is_some()
    }

    /// Appends one packet to `out`, ready for the socket.
    pub fn encode(&mut self, packet: &[u8], out: &mut Vec<u8>) {
        self.put(packet, false, out);
    }

    /// [`encode`](Self::encode), asking the server to answer with a quick acknowledgment.
    /// The full transport has none and sends the packet without the question.
    pub fn encode_with_quick_ack(&mut self, packet: &[u8], out: &mut Vec<u8>) {
        self.put(packet, true, out);
    }

    /// Server: tells the client that its packet could not be taken; `code` is negative, as in [`Frame::TransportError`].
    pub fn encode_transport_error(&mut self, code: i32, out: &mut Vec<u8>) {
        self.put(&code.to_le_bytes(), false, out);
    }

    /// Server: acknowledges the packet that [`quick_ack_wanted`](Self::quick_ack_wanted) was asked for.
    pub fn encode_quick_ack(&mut self, token: u32, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let token = token | 1 << 31;
        let start = out.len();
        match self.transport.ok_or(FrameError::NotYetKnown)? {
            Transport::Abridged => out.extend_from_slice(&token.to_be_bytes()),
            Transport::Intermediate => out.extend_from_slice(&token.to_le_bytes()),
            Transport::Padded => intermediate::put_padded_quick_ack(token, out),
            Transport::Full => return Err(FrameError::NoQuickAck),
        }
        if let Some(obfuscation) = &mut self.obfuscation {
            obfuscation.encrypt(&mut out[start..]);
        }
        Ok(())
    }

    /// Server: whether the packet that [`decode`](Self::decode) gave last asked for a quick acknowledgment.
    pub fn quick_ack_wanted(&self) -> bool {
        self.quick_ack_wanted
    }

    /// Takes the next frame from the front of `input`, which the caller only ever appends to; None until it is whole.
    /// An error is fatal to the connection.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let transport = match self.transport {
            Some(transport) => transport,
            None => match self.detect(input)? {
                Some(transport) => transport,
                None => return Ok(None),
            },
        };
        if let Some(obfuscation) = &mut self.obfuscation {
            obfuscation.decrypt(input);
        }
        let part = match transport {
            Transport::Abridged => abridged::take(input, self.side)?,
            Transport::Intermediate => intermediate::take(input, self.side)?,
            Transport::Padded => intermediate::take_padded(input, self.side)?,
            Transport::Full => full::take(input, &mut self.received)?,
        };
        if let Some(obfuscation) = &mut self.obfuscation {
            obfuscation.consumed_to(input.len());
        }
        match part {
            Part::Incomplete => Ok(None),
            Part::QuickAck(token) => Ok(Some(Frame::QuickAck(token))),
            Part::Packet { packet, quick_ack } => {
                self.quick_ack_wanted = quick_ack;
                self.frame(packet).map(Some)
            }
        }
    }

    /// Tells a transport error from a packet: a server that could not take a packet sends four bytes, a negative int.
    fn frame(&self, packet: BytesMut) -> Result<Frame, FrameError> {
        if packet.len() >= MIN_PACKET {
            return Ok(Frame::Packet(packet));
        }
        match packet.first_chunk::<4>().map(|code| i32::from_le_bytes(*code)) {
            Some(code) if code < 0 && self.side == Side::Client => Ok(Frame::TransportError(code)),
            _ => Err(FrameError::TooShort(packet.len())),
        }
    }

    fn put(&mut self, packet: &[u8], quick_ack: bool, out: &mut Vec<u8>) {
        let Some(transport) = self.transport else {
            debug_assert!(false, "a server speaks after the client");
            return;
        };
        out.reserve(packet.len() + 24);
        out.append(&mut self.announcement);
        let start = out.len();
        match transport {
            Transport::Abridged => abridged::put(packet, quick_ack, out),
            Transport::Intermediate => intermediate::put(packet, quick_ack, out),
            Transport::Padded => intermediate::put_padded(packet, quick_ack, self.side, out),
            Transport::Full => full::put(packet, &mut self.sent, out),
        }
        if let Some(obfuscation) = &mut self.obfuscation {
            obfuscation.encrypt(&mut out[start..]);
        }
    }

    /// Server: finds out the client's transport and takes off what announced it; None while there are too few bytes.
    ///
    /// The full transport announces nothing, but its second int is the sequence number 0 of its first packet.
    fn detect(&mut self, input: &mut BytesMut) -> Result<Option<Transport>, FrameError> {
        let (transport, announcement) = match &input[..] {
            [0xef, ..] => (Transport::Abridged, 1),
            [0xee, 0xee, 0xee, 0xee, ..] => (Transport::Intermediate, 4),
            [0xdd, 0xdd, 0xdd, 0xdd, ..] => (Transport::Padded, 4),
            [_, _, _, _, 0, 0, 0, 0, ..] => (Transport::Full, 0),
            start if is_http_or_tls(start) => return Err(FrameError::UnknownTransport),
            start => match start.first_chunk::<INIT>() {
                Some(init) => {
                    let (obfuscation, transport) = Obfuscation::server(init)?;
                    self.obfuscation = Some(obfuscation);
                    (transport, INIT)
                }
                None => return Ok(None),
            },
        };
        input.advance(announcement);
        self.transport = Some(transport);
        Ok(Some(transport))
    }
}

/// What a transport found at the front of the stream.
enum Part {
    Incomplete,
    Packet { packet: BytesMut, quick_ack: bool },
    QuickAck(u32),
}

/// The client's first bytes.
fn announcement(transport: Transport) -> &'static [u8] {
    match transport {
        Transport::Abridged => &[0xef],
        Transport::Intermediate => &[0xee; 4],
        Transport::Padded => &[0xdd; 4],
        Transport::Full => &[],
    }
}

/// Checks a length before anything is done with it.
fn check_length(length: usize) -> Result<usize, FrameError> {
    match length {
        0..4 => Err(FrameError::TooShort(length)),
        4..=MAX_PACKET => Ok(length),
        _ => Err(FrameError::TooLong(length)),
    }
}

/// Splits `length` bytes off the stream after `header` bytes, if they have all come.
///
/// What has not come yet is not reserved: a length alone costs its sender more than it costs us.
fn split(input: &mut BytesMut, header: usize, length: usize) -> Option<BytesMut> {
    if input.len() < header + length {
        return None;
    }
    input.advance(header);
    Some(input.split_to(length))
}
