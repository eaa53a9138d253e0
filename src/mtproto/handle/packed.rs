//! A message that is compressed as a whole. <https://core.telegram.org/mtproto/service_messages#packed-object>

use bytes::Bytes;

use super::super::engine::Engine;
use super::super::gzip::{InflateError, inflate};
use super::super::packet::Message;
use super::super::{PacketError, Time};
use super::Within;
use crate::tl::Reader;
use crate::tl::envelope::GzipPacked;

impl Engine {
    pub(super) fn handle_packed(&mut self, message: Message, within: Within, now: Time) -> Result<(), PacketError> {
        if within.gzip {
            return Err(InflateError::Nested.into());
        }
        let message = Message { body: unpacked(message.body)?, ..message };
        self.handle_message(message, Within { gzip: true, ..within }, now)
    }
}

/// An object without its `gzip_packed`, if it has one.
pub(super) fn unpacked(object: Bytes) -> Result<Bytes, PacketError> {
    match object.first_chunk::<4>().map(|id| u32::from_le_bytes(*id)) {
        Some(GzipPacked::ID) => Ok(inflate(GzipPacked::read(&mut Reader::new(&object[4..]))?.packed_data)?),
        _ => Ok(object),
    }
}
