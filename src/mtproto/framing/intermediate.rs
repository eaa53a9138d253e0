//! The intermediate transport, and its padded form.
//!
//! <https://core.telegram.org/mtproto/mtproto-transports#intermediate>

use bytes::{Buf, BytesMut};

use super::{FrameError, Part, check_length, split};
use crate::mtproto::Side;

const QUICK_ACK: u32 = 1 << 31;

pub(super) fn put(packet: &[u8], quick_ack: bool, out: &mut Vec<u8>) {
    put_length(packet.len(), quick_ack, out);
    out.extend_from_slice(packet);
}

/// The padding's bytes and length are taken from the packet's own, whose ciphertext is as good as random to whoever
/// has not the key; the receiver drops them unread.
///
/// Up to 15 bytes are allowed. A server adds three at most: there are clients (Telethon 1.45) that only cut off what is beyond a
/// multiple of four.
///
/// <https://core.telegram.org/mtproto/mtproto-transports#padded-intermediate>
pub(super) fn put_padded(packet: &[u8], quick_ack: bool, side: Side, out: &mut Vec<u8>) {
    let mut state = packet
        .rchunks(8)
        .next()
        .unwrap_or_default()
        .iter()
        .fold(0x9e37_79b9_7f4a_7c15_u64, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    state ^= state >> 29;
    let padding = match side {
        Side::Client => state % 16,
        Side::Server => state % 4,
    } as usize;
    put_length(packet.len() + padding, quick_ack, out);
    out.extend_from_slice(packet);
    for _ in 0..padding {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.push((state >> 56) as u8);
    }
}

/// All bits set, the token, and up to 8 bytes of padding.
/// <https://core.telegram.org/mtproto/mtproto-transports#padded-intermediate>
pub(super) fn put_padded_quick_ack(token: u32, out: &mut Vec<u8>) {
    let padding = (token % 9) as usize;
    put_length(8 + padding, false, out);
    out.extend_from_slice(&u32::MAX.to_le_bytes());
    out.extend_from_slice(&token.to_le_bytes());
    out.extend(token.to_be_bytes().into_iter().cycle().take(padding));
}

fn put_length(length: usize, quick_ack: bool, out: &mut Vec<u8>) {
    let bit = if quick_ack { QUICK_ACK } else { 0 };
    out.extend_from_slice(&(length as u32 | bit).to_le_bytes());
}

pub(super) fn take(input: &mut BytesMut, side: Side) -> Result<Part, FrameError> {
    let part = take_any(input, side)?;
    if let Part::Packet { packet, .. } = &part
        && packet.len() % 4 != 0
    {
        return Err(FrameError::Unaligned(packet.len()));
    }
    Ok(part)
}

pub(super) fn take_padded(input: &mut BytesMut, side: Side) -> Result<Part, FrameError> {
    // A server's acknowledgment is a packet of its own here, so no length of its is marked.
    let mut part = take_any(input, Side::Server)?;
    if let Part::Packet { packet, .. } = &mut part {
        if let ([0xff, 0xff, 0xff, 0xff, a, b, c, d, ..], Side::Client, 8..=16) = (&packet[..], side, packet.len()) {
            return Ok(Part::QuickAck(u32::from_le_bytes([*a, *b, *c, *d])));
        }
        let length = without_padding(packet);
        packet.truncate(length);
    }
    Ok(part)
}

fn take_any(input: &mut BytesMut, side: Side) -> Result<Part, FrameError> {
    let Some(&length) = input.first_chunk::<4>() else {
        return Ok(Part::Incomplete);
    };
    let length = u32::from_le_bytes(length);
    let marked = length & QUICK_ACK != 0;
    if marked && side == Side::Client {
        input.advance(4);
        return Ok(Part::QuickAck(length));
    }
    let length = check_length((length & !QUICK_ACK) as usize)?;
    Ok(match split(input, 4, length) {
        Some(packet) => Part::Packet { packet, quick_ack: marked },
        None => Part::Incomplete,
    })
}

/// How much of a padded packet is the packet.
///
/// An encrypted one is 24 bytes and whole AES blocks; an unencrypted one (auth_key_id 0) tells its own length, and
/// gets 20 bytes of header; what is shorter than either is a transport error of four bytes.
fn without_padding(packet: &[u8]) -> usize {
    match packet {
        [0, 0, 0, 0, 0, 0, 0, 0, _, _, _, _, _, _, _, _, a, b, c, d, rest @ ..] => {
            let body = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
            20 + body.min(rest.len())
        }
        _ if packet.len() >= 24 => packet.len() - (packet.len() - 24) % 16,
        _ => packet.len().min(4),
    }
}
