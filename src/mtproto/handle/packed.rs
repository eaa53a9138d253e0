//! A message that is compressed as a whole. <https://core.telegram.org/mtproto/service_messages#packed-object>

use bytes::Bytes;

use super::super::engine::Engine;
use super::super::gzip::{InflateError, inflate};
use super::super::packet::Message;
use super::super::{PacketError, Time};
use super::Within;
use crate::tl::envelope::{GzipPacked, INVOKE_AFTER_MSG, INVOKE_AFTER_MSGS};
use crate::tl::{Reader, VECTOR};

impl Engine {
    pub(super) fn handle_packed(&mut self, message: Message, within: Within, now: Time) -> Result<(), PacketError> {
        if within.gzip {
            return Err(InflateError::Nested.into());
        }
        let message = Message { body: self.unpacked(message.body)?, ..message };
        self.handle_message(message, Within { gzip: true, ..within }, now)
    }

    /// A query without the `gzip_packed` that may stand beneath its invokeAfterMsg or invokeAfterMsgs, "the outermost wrapper":
    /// <https://core.telegram.org/api/invoking#helper-method-sequence>
    pub(super) fn unpacked_beneath_head(&mut self, query: Bytes, within: Within) -> Result<Bytes, PacketError> {
        let head = after_head(&query).filter(|head| query[*head..].starts_with(&GzipPacked::ID.to_le_bytes()));
        let Some(head) = head else { return Ok(query) };
        if within.gzip {
            return Err(InflateError::Nested.into());
        }
        let inner = self.unpacked(query.slice(head..))?;
        Ok([&query[..head], &inner[..]].concat().into())
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

/// How many bytes the wrapper takes that a query comes after others by.
fn after_head(query: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(query);
    match reader.id().ok()? {
        INVOKE_AFTER_MSG => drop(reader.long().ok()?),
        INVOKE_AFTER_MSGS => {
            reader.expect(VECTOR).ok()?;
            for _ in 0..reader.count(8).ok()? {
                reader.long().ok()?;
            }
        }
        _ => return None,
    }
    Some(query.len() - reader.rest().len())
}
