//! Several messages in one. <https://core.telegram.org/mtproto/service_messages#containers>

use super::super::engine::Engine;
use super::super::packet::Message;
use super::super::{MsgId, PacketError, Side, Time};
use super::Within;
use crate::tl::Reader;
use crate::tl::envelope::{self, MSG_COPY, MsgContainer};

/// "MTProto container can have at most 1024 messages."
const MAX_TAKEN: usize = 1024;

impl Engine {
    /// Handles each message of a container, and goes on when one is refused; returns the first error.
    pub(super) fn handle_container(
        &mut self,
        container: Message,
        within: Within,
        now: Time,
    ) -> Result<(), PacketError> {
        // "A container may only be used to transmit messages, and not other containers."
        if within.container {
            return Err(PacketError::NestedContainer);
        }
        let messages = match split(&container, self.side) {
            Ok(messages) => messages,
            // 64: "invalid container". Nothing of it was handled.
            Err(error) if self.side == Side::Server => return self.refuse(&container, 64, error),
            Err(error) => return Err(error),
        };
        let within = Within { container: true, ..within };
        let mut result = Ok(());
        for message in messages {
            result = result.and(self.handle_contained(message, within, now));
        }
        result
    }

    /// A message of a container may be older than the time window: that is how old ones are sent again.
    fn handle_contained(&mut self, message: Message, within: Within, now: Time) -> Result<(), PacketError> {
        match self.side {
            Side::Client => {
                if !message.id.is_from_server() {
                    return Err(PacketError::MsgIdParity(message.id));
                }
                self.check_new_from_server(&message, now)?;
            }
            Side::Server => {
                if !message.id.is_from_client() {
                    return self.refuse(&message, 18, PacketError::MsgIdParity(message.id));
                }
                self.check_new_from_client(&message, now)?;
                self.check_seqno(&message)?;
                self.begin_session(message.id, now);
            }
        }
        self.received.insert(message.id, message.seqno);
        self.handle_message(message, within, now)
    }

    /// `msg_copy#e06046b2 orig_message:Message = MessageCopy`: "not used", says the documentation; a copy of what was
    /// received already is ignored. <https://core.telegram.org/mtproto/service_messages#message-copies>
    pub(super) fn handle_copy(&mut self, copy: Message, within: Within, now: Time) -> Result<(), PacketError> {
        if within.container || within.gzip {
            return Err(PacketError::NestedContainer);
        }
        let mut reader = Reader::new(&copy.body[4..]);
        let original = envelope::Message::read(&mut reader).map_err(|_| PacketError::ContainerLength)?;
        let original = contained_message(&copy, original);
        if original.constructor() == MSG_COPY {
            return Err(PacketError::NestedContainer);
        }
        self.settle(&copy, now);
        self.handle_contained(original, Within { container: true, ..within }, now)
    }
}

/// The messages of a container, which share its memory. It has to be well-formed as a whole before any is handled.
fn split(container: &Message, side: Side) -> Result<Vec<Message>, PacketError> {
    let mut reader = Reader::new(&container.body[4..]);
    let inner = MsgContainer::read(&mut reader).map_err(|_| PacketError::ContainerLength)?;
    if inner.len() > MAX_TAKEN {
        return Err(PacketError::ContainerCount(inner.len()));
    }
    let mut messages = Vec::with_capacity(inner.len());
    for message in inner {
        let message = message.map_err(|_| PacketError::ContainerLength)?;
        let message = contained_message(container, message);
        if !message.body.len().is_multiple_of(4) {
            return Err(PacketError::ContainerLength);
        }
        if message.constructor() == MsgContainer::ID {
            return Err(PacketError::NestedContainer);
        }
        // "The identifier of a message container must be strictly greater than those of its nested messages": a
        // client's may not be handled out of that order, a server's harms nobody.
        if side == Side::Server && message.id >= container.id {
            return Err(PacketError::ContainerOrder(message.id));
        }
        messages.push(message);
    }
    Ok(messages)
}

/// A message within another, whose memory it shares.
fn contained_message(outer: &Message, inner: envelope::Message<'_>) -> Message {
    Message { id: MsgId(inner.msg_id), seqno: inner.seqno, body: outer.body.slice_ref(inner.body) }
}
