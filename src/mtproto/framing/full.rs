//! The full transport: length, sequence number, packet, CRC32 of all before it.
//!
//! <https://core.telegram.org/mtproto/mtproto-transports#full>

use bytes::BytesMut;

use super::{FrameError, Part, check_length, split};

/// Length, sequence number and checksum.
const OVERHEAD: usize = 12;

pub(super) fn put(packet: &[u8], sequence: &mut u32, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&((packet.len() + OVERHEAD) as u32).to_le_bytes());
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(packet);
    let checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&checksum.to_le_bytes());
    *sequence = sequence.wrapping_add(1);
}

pub(super) fn take(input: &mut BytesMut, due: &mut u32) -> Result<Part, FrameError> {
    let Some(&[a, b, c, d, e, f, g, h]) = input.first_chunk::<8>() else {
        return Ok(Part::Incomplete);
    };
    let total = u32::from_le_bytes([a, b, c, d]) as usize;
    let length = check_length(total.saturating_sub(OVERHEAD))?;
    if length % 4 != 0 {
        return Err(FrameError::Unaligned(length));
    }
    let got = u32::from_le_bytes([e, f, g, h]);
    if got != *due {
        return Err(FrameError::Sequence { expected: *due, got });
    }
    let Some(mut whole) = split(input, 0, total) else {
        return Ok(Part::Incomplete);
    };
    let checksum = whole.split_off(total - 4);
    if crc32fast::hash(&whole).to_le_bytes() != checksum[..] {
        return Err(FrameError::Checksum);
    }
    *due = due.wrapping_add(1);
    let packet = whole.split_off(8);
    Ok(Part::Packet { packet, quick_ack: false })
}
