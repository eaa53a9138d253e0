//! What waits to be sent, and how it becomes packets: one message alone, several in a container.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use super::engine::Engine;
use super::ids::IdKind;
use super::{MsgId, Side, Time};
use crate::crypto::{Direction, PACKET_HEADER, encrypt_message};
use crate::tl::envelope::MsgContainer;

/// <https://core.telegram.org/mtproto/service_messages#simple-container>
///
/// The documentation allows 1,024; official clients stop a little earlier, and so do we.
const MAX_MESSAGES: usize = 1020;
const MAX_CONTAINER: usize = 1 << 20;

/// A message's msg_id, seqno and length.
const MESSAGE_HEADER: usize = 16;
/// A container's constructor and count.
const CONTAINER_HEADER: usize = 8;
/// The longest padding that encryption adds.
const MAX_PADDING: usize = 32;

/// A message id given out this long ago is not used any more when its message goes out at last.
const STALE: i64 = 60;

/// A message that waits to be sent.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub body: Bytes,
    /// Content-related: the peer has to acknowledge it.
    pub content: bool,
    pub what: What,
    pub id: Id,
}

/// How a message gets its id.
#[derive(Clone, Copy, Debug)]
pub(super) enum Id {
    /// A new one.
    New(IdKind),
    /// This one, unless it became too old or something newer was sent meanwhile.
    Reserved(MsgId),
    /// Sent before with this id and seqno, and has to keep them.
    Kept(MsgId, i32),
}

/// What a message is to this side, once it has an id.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A query of the client, known to the caller as `handle`.
    Call { handle: MsgId, refused: u8 },
    /// A status request about these messages of ours.
    StateReq(Vec<MsgId>),
    /// Needs nothing but to be sent again if it is refused.
    Service,
    /// Is of no use a moment later.
    Momentary,
    /// The server's message to the client, kept until it is acknowledged; the query that it answers.
    ToClient { answers: Option<MsgId> },
    /// Kept already.
    Again,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub queue: VecDeque<Outgoing>,
    /// The newest id in any packet so far.
    newest: MsgId,
}

impl Outbox {
    pub fn push(&mut self, message: Outgoing) {
        self.queue.push_back(message);
    }

    pub fn push_front(&mut self, message: Outgoing) {
        self.queue.push_front(message);
    }

    /// Our ids have gone back: what was sent with newer ones was refused.
    pub fn forget_newest(&mut self) {
        self.newest = MsgId::default();
    }
}

/// A message with all that it goes out with.
pub(super) struct Ready {
    pub id: MsgId,
    pub seqno: i32,
    pub message: Outgoing,
}

impl Engine {
    /// The next packet for the transport, if anything waits or acknowledgments are due. Call it until it gives None.
    ///
    /// What it gives counts as sent. While there is no connection it must not be called, and when a connection broke,
    /// [`reconnected`](Engine::reconnected) takes care of what was on its way.
    pub fn poll_packet(&mut self, now: Time) -> Option<Bytes> {
        if self.outbox.queue.is_empty() && !self.acks.are_due(self.side, now.mono) {
            return None;
        }
        // Acknowledgments go along with whatever goes out.
        if let Some(acks) = self.acks.take(self.response_id()) {
            self.outbox.push(acks);
        }
        let count = self.count_for_one_packet();
        let packet = match count {
            1 if !matches!(self.outbox.queue[0].id, Id::Kept(..)) => self.single(now),
            // "The message must not be re-sent on its own with the same msg_id": in a container it may.
            // https://core.telegram.org/mtproto/service_messages_about_messages#informational-message-regarding-status-of-messages
            _ => self.container(count, now),
        };
        self.sent_something(now);
        Some(packet)
    }

    /// How many of the waiting messages go into the next packet; at least one.
    fn count_for_one_packet(&self) -> usize {
        let mut bytes = CONTAINER_HEADER;
        let fits = self.outbox.queue.iter().take(MAX_MESSAGES).take_while(|message| {
            bytes += MESSAGE_HEADER + message.body.len();
            bytes <= MAX_CONTAINER
        });
        fits.count().max(1)
    }

    fn single(&mut self, now: Time) -> Bytes {
        let ready = self.ready(now);
        let mut packet = self.packet(ready.message.body.len(), now);
        put_message(&mut packet, &ready);
        self.note_sent(ready, None, now);
        self.seal(packet)
    }

    /// <https://core.telegram.org/mtproto/service_messages#simple-container>
    fn container(&mut self, count: usize, now: Time) -> Bytes {
        let ready: Vec<Ready> = (0..count).map(|_| self.ready(now)).collect();
        let length =
            CONTAINER_HEADER + ready.iter().map(|ready| MESSAGE_HEADER + ready.message.body.len()).sum::<usize>();
        // "msg_id of a container must be greater than those of its messages", so it comes last.
        let kind = match self.side {
            Side::Client => IdKind::FromClient,
            Side::Server => IdKind::Response,
        };
        let (id, seqno) = (self.next_id(kind, now), self.seqnos.next(false));
        self.outbox.newest = id;
        let mut packet = self.packet(length, now);
        put_header(&mut packet, id, seqno, length);
        packet.put_u32_le(MsgContainer::ID);
        packet.put_u32_le(count as u32);
        for ready in &ready {
            put_message(&mut packet, ready);
        }
        for ready in ready {
            self.note_sent(ready, Some(id), now);
        }
        self.seal(packet)
    }

    /// Takes the first waiting message and gives it its id and seqno.
    fn ready(&mut self, now: Time) -> Ready {
        let mut message = self.outbox.queue.pop_front().expect("count_for_one_packet counted it");
        let id = match message.id {
            Id::Kept(id, seqno) => return Ready { id, seqno, message },
            Id::New(kind) => self.next_id(kind, now),
            Id::Reserved(id) => {
                // Ids grow with seqnos, or the server answers with error 33; and they must not grow old.
                let age = self.clock.unix(now).as_secs() as i64 - id.seconds();
                let usable = id > self.outbox.newest && (-STALE / 4..STALE).contains(&age);
                if usable { id } else { self.next_id(IdKind::of(id), now) }
            }
        };
        if let (What::Call { handle, .. }, Some((bind, binding))) = (&message.what, &self.binding)
            && handle == bind
        {
            message.body = binding.query(id, &mut *self.random);
        }
        self.outbox.newest = self.outbox.newest.max(id);
        let seqno = self.seqnos.next(message.content);
        Ready { id, seqno, message }
    }

    /// The start of a packet with room for a message of `length` bytes.
    fn packet(&self, length: usize, now: Time) -> BytesMut {
        let mut packet = BytesMut::with_capacity(PACKET_HEADER + 16 + MESSAGE_HEADER + length + MAX_PADDING);
        packet.put_bytes(0, PACKET_HEADER);
        packet.put_i64_le(self.salts.current(self.clock.unix(now)));
        packet.put_i64_le(self.session_id);
        packet
    }

    /// <https://core.telegram.org/mtproto/description#encrypted-message-encrypted-data>
    fn seal(&mut self, mut packet: BytesMut) -> Bytes {
        let direction = match self.side {
            Side::Client => Direction::ToServer,
            Side::Server => Direction::ToClient,
        };
        encrypt_message(&self.auth_key, direction, &mut packet, &mut *self.random);
        packet.freeze()
    }
}

fn put_header(packet: &mut BytesMut, id: MsgId, seqno: i32, length: usize) {
    packet.put_i64_le(id.0);
    packet.put_i32_le(seqno);
    packet.put_u32_le(length as u32);
}

fn put_message(packet: &mut BytesMut, ready: &Ready) {
    put_header(packet, ready.id, ready.seqno, ready.message.body.len());
    packet.extend_from_slice(&ready.message.body);
}
