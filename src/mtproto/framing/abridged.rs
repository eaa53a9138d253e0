//! The abridged transport: the length in words of four bytes, in one byte or four.
//!
//! <https://core.telegram.org/mtproto/mtproto-transports#abridged>

use bytes::{Buf, BytesMut};

use super::{FrameError, Part, check_length, split};
use crate::mtproto::Side;

/// From this many words on, the length takes three more bytes.
const LONG: usize = 0x7f;
const QUICK_ACK: u8 = 0x80;

pub(super) fn put(packet: &[u8], quick_ack: bool, out: &mut Vec<u8>) {
    debug_assert!(packet.len().is_multiple_of(4), "MTProto packets are multiples of four bytes");
    let words = packet.len() / 4;
    let bit = if quick_ack { QUICK_ACK } else { 0 };
    if words < LONG {
        out.push(words as u8 | bit);
    } else {
        let words = (words as u32).to_le_bytes();
        out.extend_from_slice(&[LONG as u8 | bit, words[0], words[1], words[2]]);
    }
    out.extend_from_slice(packet);
}

pub(super) fn take(input: &mut BytesMut, side: Side) -> Result<Part, FrameError> {
    let Some(&first) = input.first() else {
        return Ok(Part::Incomplete);
    };
    let marked = first & QUICK_ACK != 0;
    if marked && side == Side::Client {
        // A quick acknowledgment comes with its bytes reversed, so that the marked byte is first.
        return Ok(match input.first_chunk::<4>().copied() {
            Some(token) => {
                input.advance(4);
                Part::QuickAck(u32::from_be_bytes(token))
            }
            None => Part::Incomplete,
        });
    }
    let words = usize::from(first & !QUICK_ACK);
    let (header, words) = match (words, input.first_chunk::<4>()) {
        (LONG, Some(&[_, a, b, c])) => (4, u32::from_le_bytes([a, b, c, 0]) as usize),
        (LONG, None) => return Ok(Part::Incomplete),
        _ => (1, words),
    };
    let length = check_length(words * 4)?;
    Ok(match split(input, header, length) {
        Some(packet) => Part::Packet { packet, quick_ack: marked },
        None => Part::Incomplete,
    })
}
