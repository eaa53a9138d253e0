//! One update as scripts get it: a slice of the message it came in, decoded by whoever needs more.

use std::ops::Range;

use bytes::Bytes;

use super::Peer;
use super::peers::peer_of;
use crate::tl::{Raw, Reader, VECTOR};

/// The box that counts an update, and so the order that it stands in.
/// <https://core.telegram.org/api/updates#message-related-event-sequences>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mailbox {
    /// Private chats and basic groups: `pts`.
    Common,
    /// Secret chats and certain bot events: `qts`.
    Secondary,
    /// One channel or supergroup, by its bare id: its own `pts`.
    Channel(i64),
}

/// Where a counted update stands in its box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub mailbox: Mailbox,
    /// The box's state after the update.
    pub pts: i32,
    /// How many events it stands for; what came before is `pts - count`.
    pub count: i32,
}

/// One update, shared by the scripts as `Arc<Update>`. It holds the bytes of the container that it came in, and offsets.
#[derive(Clone, Debug)]
pub struct Update {
    /// Counts what this client handed to scripts, from 1; [`Subscription::set_delivered`](super::Subscription::set_delivered) speaks of it.
    pub seq: u64,
    /// The constructor, one of those of `Update`.
    pub id: u32,
    /// Unix seconds, of the container; 0 where it names none.
    pub date: i32,
    /// `None` for an update that is not counted (typing, status, callbacks …), and for a message out of a difference,
    /// which has no pts of its own.
    pub place: Option<Place>,
    pub(super) bytes: Bytes,
    pub(super) body: Span,
    pub(super) users: Span,
    pub(super) chats: Span,
    /// What it counts for in a queue bounded by bytes.
    pub(super) weight: u32,
}

/// A range of a container's bytes. A packet is far below 4 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Update {
    /// The boxed `Update`: its id, then its fields.
    pub fn raw(&self) -> &[u8] {
        &self.bytes[self.body.range()]
    }

    /// The same, sharing the container's bytes.
    pub fn raw_bytes(&self) -> Bytes {
        self.bytes.slice(self.body.range())
    }

    /// The container's `Vector<User>`, boxed as on the wire; empty where there is none.
    pub fn users(&self) -> &[u8] {
        &self.bytes[self.users.range()]
    }

    /// The container's `Vector<Chat>`, boxed as on the wire; empty where there is none.
    pub fn chats(&self) -> &[u8] {
        &self.bytes[self.chats.range()]
    }

    /// The user with this id, if the container brought it.
    pub fn user(&self, id: i64) -> Option<Raw<'_>> {
        items(self.users()).find(|user| peer_of(user.bytes()) == Some(Peer::User(id)))
    }

    /// The group or channel with this bare id, if the container brought it.
    pub fn chat(&self, id: i64) -> Option<Raw<'_>> {
        items(self.chats()).find(|chat| peer_of(chat.bytes()).is_some_and(|peer| peer.bare_id() == id))
    }
}

/// The items of a boxed vector of boxed values.
pub(super) fn items(vector: &[u8]) -> impl Iterator<Item = Raw<'_>> {
    let mut reader = Reader::new(vector);
    let count = if reader.expect(VECTOR).is_ok() { reader.count(4).unwrap_or(0) } else { 0 };
    (0..count).map_while(move |_| reader.raw().ok())
}
