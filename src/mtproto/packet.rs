//! An encrypted packet, opened: who it is for, and one message.

use bytes::{Buf, Bytes, BytesMut};

use super::{MsgId, PacketError, Side};
use crate::crypto::{AuthKey, Direction, MIN_PLAINTEXT, PACKET_HEADER, decrypt_with_token};
use crate::tl::{DecodeError, Reader, Tl};

/// The auth key that a packet is for; 0 means an unencrypted message of the key exchange. None if it is too short.
pub fn auth_key_id(packet: &[u8]) -> Option<u64> {
    packet.first_chunk::<8>().map(|id| u64::from_le_bytes(*id))
}

/// One message: alone in a packet or one of a container.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub id: MsgId,
    pub seqno: i32,
    pub body: Bytes,
}

impl Message {
    /// The id of the TL object in the body; 0, which is none, if there are no four bytes.
    pub fn constructor(&self) -> u32 {
        self.body.first_chunk::<4>().map_or(0, |id| u32::from_le_bytes(*id))
    }

    /// The body, which is a service message.
    pub fn read<'a, T: Tl<'a>>(&'a self) -> Result<T, DecodeError> {
        T::get(&mut Reader::new(&self.body))
    }

    /// Content-related: to be acknowledged.
    /// <https://core.telegram.org/mtproto/description#content-related-message>
    pub fn needs_ack(&self) -> bool {
        self.seqno & 1 == 1
    }
}

/// A decrypted packet: authentic, but nothing in it has been looked at but its header.
///
/// A server opens a packet to see which session it is for, and gives it to that session's engine
/// ([`Engine::handle_opened`](super::Engine::handle_opened)).
#[derive(Clone, Debug)]
pub struct Opened {
    pub salt: i64,
    pub session_id: i64,
    /// What a server names the packet by, should its sender have asked for a quick acknowledgment: the token of
    /// [`Framing::encode_quick_ack`](super::Framing::encode_quick_ack).
    pub quick_ack: u32,
    pub(super) message: Message,
}

impl Opened {
    pub fn msg_id(&self) -> MsgId {
        self.message.id
    }
}

/// Decrypts a packet that `from` has sent, in place.
///
/// `msg_key`, the lengths and the padding are checked before anything is parsed.
/// <https://core.telegram.org/mtproto/description#encrypted-message-encrypted-data>
pub fn open(key: &AuthKey, from: Side, mut packet: BytesMut) -> Result<Opened, PacketError> {
    let direction = match from {
        Side::Client => Direction::ToServer,
        Side::Server => Direction::ToClient,
    };
    let (plaintext, quick_ack) = decrypt_with_token(key, direction, &mut packet)?;
    let mut header: &[u8] = plaintext;
    let salt = header.get_i64_le();
    let session_id = header.get_i64_le();
    let id = MsgId(header.get_i64_le());
    let seqno = header.get_i32_le();
    let length = header.get_u32_le() as usize;
    let body = packet.freeze().slice(PACKET_HEADER + MIN_PLAINTEXT..).split_to(length);
    Ok(Opened { salt, session_id, quick_ack, message: Message { id, seqno, body } })
}

/// A service message as the body of a message.
pub(super) fn body<'a>(object: impl Tl<'a>) -> Bytes {
    let mut out = Vec::with_capacity(32);
    object.put(&mut out);
    out.into()
}
