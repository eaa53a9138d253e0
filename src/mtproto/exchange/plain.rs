//! The unencrypted messages that the exchange travels in.
//!
//! `auth_key_id = 0 (8) ‖ message_id (8) ‖ message_data_length (4) ‖ message_data`:
//! <https://core.telegram.org/mtproto/description#unencrypted-message>

use super::super::{MsgId, Side};
use super::ExchangeError;

const HEADER: usize = 20;

/// Whether a packet is unencrypted, and so belongs to an exchange.
pub fn is_plain(packet: &[u8]) -> bool {
    packet.first_chunk() == Some(&[0; 8])
}

pub(super) fn seal(id: MsgId, body: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEADER + body.len());
    packet.extend_from_slice(&[0; 8]);
    packet.extend_from_slice(&id.0.to_le_bytes());
    packet.extend_from_slice(&(body.len() as u32).to_le_bytes());
    packet.extend_from_slice(body);
    packet
}

/// The body of a packet. Telegram's servers put random bytes after the message and count them in its length, and a padded
/// transport leaves some that are not counted: what follows a message is nobody's.
pub(super) fn open(packet: &[u8], from: Side) -> Result<&[u8], ExchangeError> {
    let (header, rest) = packet.split_first_chunk::<HEADER>().ok_or(ExchangeError::TooShort(packet.len()))?;
    let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| header[at + i]));
    let (key, id) = (long(0), MsgId(long(8) as i64));
    if key != 0 {
        return Err(ExchangeError::NotPlain(key));
    }
    // https://core.telegram.org/mtproto/description#message-identifier-msg-id
    let right = match from {
        Side::Client => id.is_from_client(),
        Side::Server => id.is_from_server(),
    };
    if !right {
        return Err(ExchangeError::WrongMsgId(id));
    }
    let said = u32::from_le_bytes(std::array::from_fn(|i| header[16 + i]));
    rest.get(..said as usize).ok_or(ExchangeError::WrongLength { said, has: rest.len() })
}
