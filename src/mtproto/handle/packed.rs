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
        let message = Message { body: self.unpacked(message.body)?, ..message };
        self.handle_message(message, Within { gzip: true, ..within }, now)
    }

    /// An object without its `gzip_packed`, if it has one. A packet unpacks to so much and no more: a container has room for a
    /// thousand bombs that are each just small enough.
    pub(super) fn unpacked(&mut self, object: Bytes) -> Result<Bytes, PacketError> {
        if object.first_chunk() != Some(&GzipPacked::ID.to_le_bytes()) {
            return Ok(object);
        }
        let packed = GzipPacked::read(&mut Reader::new(&object[4..]))?.packed_data;
        let unpacked = inflate(packed, self.room)?;
        self.room -= unpacked.len();
        Ok(unpacked)
    }
}
