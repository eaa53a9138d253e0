//! What waits to be sent, and how it becomes packets: one message alone, several in a container.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use super::engine::Engine;
use super::ids::IdKind;
use super::{MsgId, Side, Time};
use crate::crypto::{Direction, PACKET_HEADER, encrypt_message};
use crate::tl::envelope::{MsgContainer, put_invoke_after};

/// <https://core.telegram.org/mtproto/service_messages#simple-container>
///
/// The documentation allows 1,024; official clients stop a little earlier, and so do we.
const MAX_MESSAGES: usize = 1020;

/// The longest body of a message, a container's too, that is sent. The documentation names no number; Telegram's servers hang
/// up on more, as other clients found, or answer with a transport error.
/// <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>
pub const MAX_BODY: usize = 1_044_456;

/// A message's msg_id, seqno and length.
const MESSAGE_HEADER: usize = 16;
/// A container's constructor and count.
const CONTAINER_HEADER: usize = 8;
/// The longest padding that encryption adds.
const MAX_PADDING: usize = 32;

/// Packets with calls whose quick acknowledgment is waited for; of older ones nobody asks any more.
const MAX_QUICK_ACKS: usize = 256;

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
    /// A query of the client, known to the caller as `handle`, to be done after the calls `after`.
    Call { handle: MsgId, refused: u8, after: Vec<MsgId> },
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
    /// The calls in the packet that is being made, by their ids on the wire.
    pub carried: Vec<MsgId>,
    /// The packets with calls in them, by the tokens of their quick acknowledgments.
    pub quick_acks: VecDeque<(u32, Vec<MsgId>)>,
    /// The packet given last has calls in it.
    quick_ack_wanted: bool,
}

impl Outbox {
    pub fn push(&mut self, message: Outgoing) {
        self.queue.push_back(message);
    }

    pub fn push_front(&mut self, message: Outgoing) {
        self.queue.push_front(message);
    }

    /// Queues a call again before those that were made later: what is to be done in order stays in order.
    pub fn push_call(&mut self, handle: MsgId, message: Outgoing) {
        let later = |other: &Outgoing| matches!(other.what, What::Call { handle: other, .. } if other > handle);
        let at = self.queue.iter().position(later).unwrap_or(self.queue.len());
        self.queue.insert(at, message);
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
    /// Stands before the body.
    pub head: Vec<u8>,
    pub message: Outgoing,
}

impl Ready {
    fn length(&self) -> usize {
        self.head.len() + self.message.body.len()
    }
}

impl Engine {
    /// The next packet for the transport, if anything waits or acknowledgments are due. Call it until it gives None.
    ///
    /// What it gives counts as sent. While there is no connection it must not be called, and when a connection broke,
    /// [`reconnected`](Engine::reconnected) takes care of what was on its way.
    pub fn poll_packet(&mut self, now: Time) -> Option<Bytes> {
        self.outbox.quick_ack_wanted = false;
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
        self.calls.leaving.clear();
        self.sent_something(now);
        self.note_salt(now);
        Some(packet)
    }

    /// Client: whether the packet that [`poll_packet`](Engine::poll_packet) gave last is worth a quick acknowledgment: it has
    /// calls in it. What the server answers goes to [`handle_quick_ack`](Engine::handle_quick_ack).
    /// <https://core.telegram.org/mtproto/mtproto-transports#quick-ack>
    pub fn quick_ack_wanted(&self) -> bool {
        self.outbox.quick_ack_wanted
    }

    /// How many of the waiting messages go into the next packet; at least one.
    fn count_for_one_packet(&self) -> usize {
        let mut bytes = CONTAINER_HEADER;
        let fits = self.outbox.queue.iter().take(MAX_MESSAGES).take_while(|message| {
            bytes += MESSAGE_HEADER + message.length();
            bytes <= MAX_BODY
        });
        fits.count().max(1)
    }

    fn single(&mut self, now: Time) -> Bytes {
        let ready = self.ready(now);
        let mut packet = self.packet(ready.length(), now);
        put_message(&mut packet, &ready);
        self.note_sent(ready, None, now);
        self.seal(packet)
    }

    /// <https://core.telegram.org/mtproto/service_messages#simple-container>
    fn container(&mut self, count: usize, now: Time) -> Bytes {
        let ready: Vec<Ready> = (0..count).map(|_| self.ready(now)).collect();
        let length = CONTAINER_HEADER + ready.iter().map(|ready| MESSAGE_HEADER + ready.length()).sum::<usize>();
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
            Id::Kept(id, seqno) => return Ready { id, seqno, head: Vec::new(), message },
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
        let head = match &message.what {
            What::Call { handle, after, .. } => {
                let head = self.calls.head(after);
                self.calls.leaving.push((*handle, id));
                head
            }
            _ => Vec::new(),
        };
        Ready { id, seqno, head, message }
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
        let token = encrypt_message(&self.auth_key, direction, &mut packet, &mut *self.random);
        if !self.outbox.carried.is_empty() {
            if self.outbox.quick_acks.len() == MAX_QUICK_ACKS {
                self.outbox.quick_acks.pop_front();
            }
            let carried = std::mem::take(&mut self.outbox.carried);
            self.outbox.quick_acks.push_back((token, carried));
            self.outbox.quick_ack_wanted = true;
        }
        packet.freeze()
    }
}

impl Outgoing {
    /// The bytes of its body, at most.
    fn length(&self) -> usize {
        self.body.len() + self.what.after().map_or(0, head_length)
    }
}

impl What {
    pub fn is_call(&self, handle: MsgId) -> bool {
        matches!(self, What::Call { handle: this, .. } if *this == handle)
    }

    fn after(&self) -> Option<&[MsgId]> {
        match self {
            What::Call { after, .. } => Some(after),
            _ => None,
        }
    }
}

/// The most bytes that stand before a query to be done after others.
pub(super) fn head_length(after: &[MsgId]) -> usize {
    if after.is_empty() { 0 } else { 12 + 8 * after.len() }
}

/// What stands before a query to be done after the messages of these ids.
pub(super) fn head(after: &[i64]) -> Vec<u8> {
    let mut head = Vec::new();
    put_invoke_after(after, &mut head);
    head
}

fn put_header(packet: &mut BytesMut, id: MsgId, seqno: i32, length: usize) {
    packet.put_i64_le(id.0);
    packet.put_i32_le(seqno);
    packet.put_u32_le(length as u32);
}

fn put_message(packet: &mut BytesMut, ready: &Ready) {
    put_header(packet, ready.id, ready.seqno, ready.length());
    packet.extend_from_slice(&ready.head);
    packet.extend_from_slice(&ready.message.body);
}
