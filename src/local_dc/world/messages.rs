//! Messages: what is common to all who have a copy, and how one account sees it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Peer, World};

/// Encoded TL that the world keeps without looking into it.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

/// Where a message was written, apart from anyone's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// Two users, or twice the same for one's saved messages.
    Private(i64, i64),
    Group(i64),
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Content {
    Text {
        text: String,
        /// An encoded `Vector<MessageEntity>`.
        entities: Option<Blob>,
        /// An encoded `ReplyMarkup`.
        markup: Option<Blob>,
    },
    Service(Action),
}

/// What a service message tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    Created { title: String, members: Vec<i64> },
    Added { members: Vec<i64> },
    Removed { member: i64 },
}

/// What a message answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// A message of the world.
    pub message: u64,
    pub quote: Option<Quote>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    pub text: String,
    /// An encoded `Vector<MessageEntity>`.
    pub entities: Option<Blob>,
    pub offset: Option<i32>,
}

/// A message to be sent, as its author words it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    pub text: String,
    pub entities: Option<Blob>,
    pub markup: Option<Blob>,
    /// An id in the author's box.
    pub reply_to: Option<i32>,
    pub quote: Option<Quote>,
    pub silent: bool,
    pub noforwards: bool,
}

impl Draft {
    pub fn text(text: &str) -> Draft {
        Draft { text: text.to_owned(), ..Draft::default() }
    }
}

/// One message, whoever has a copy of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub id: u64,
    pub from: i64,
    pub place: Place,
    pub date: i32,
    pub edit_date: Option<i32>,
    pub content: Content,
    pub reply: Option<Reply>,
    pub silent: bool,
    pub noforwards: bool,
    /// Its id in the box of each account that has a copy.
    pub copies: BTreeMap<i64, i32>,
}

/// A message as one account sees it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub message: &'a Message,
    pub id: i32,
    /// Written by the account that looks.
    pub out: bool,
    pub peer: Peer,
    /// The id, in this account's box, of the message that this one answers, if it has that one.
    pub reply_to: Option<i32>,
}

/// Which part of a list is asked for: <https://core.telegram.org/api/offsets>.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    pub offset_id: i32,
    pub offset_date: i32,
    pub add_offset: i32,
    pub limit: i32,
    pub max_id: i32,
    pub min_id: i32,
}

/// The most that one answer holds.
const PAGE_LIMIT: i32 = 100;

impl Place {
    /// The chat as `viewer` has it in the list.
    pub fn peer(&self, viewer: i64) -> Peer {
        match *self {
            Place::Private(one, other) => Peer::User(if one == viewer { other } else { one }),
            Place::Group(id) => Peer::Group(id),
        }
    }
}

impl World {
    pub fn message(&self, id: u64) -> Option<&Message> {
        self.messages.get(&id)
    }

    /// The message that has this id in the box of `viewer`.
    pub fn view(&self, viewer: i64, id: i32) -> Option<View<'_>> {
        let message = self.messages.get(&self.account(viewer)?.copy(id)?)?;
        let reply_to =
            message.reply.as_ref().and_then(|reply| self.messages.get(&reply.message)?.copies.get(&viewer).copied());
        Some(View { message, id, out: message.from == viewer, peer: message.place.peer(viewer), reply_to })
    }

    /// A page of the chat's history, newest first, and how many messages the chat has in all.
    pub fn history(
        &self,
        viewer: i64,
        peer: Peer,
        page: Page,
        matches: impl Fn(&View<'_>) -> bool,
    ) -> (Vec<View<'_>>, usize) {
        let Some(dialog) = self.account(viewer).and_then(|account| account.dialog(peer)) else {
            return (Vec::new(), 0);
        };
        let all: Vec<View<'_>> =
            dialog.messages.iter().rev().filter_map(|id| self.view(viewer, *id)).filter(matches).collect();
        // The offset's own message is not part of the page: the page begins with the first that is older. An id says more than
        // a date: clients (mtcute) give that of the message too, which others of the same second share.
        let begin = all.iter().position(|view| match page.offset_id {
            0 => page.offset_date == 0 || view.message.date < page.offset_date,
            id => view.id < id,
        });
        let begin = begin.unwrap_or(all.len()) as i64 + i64::from(page.add_offset);
        // With a negative add_offset the page begins before the list does, and is the shorter for it.
        let end = begin.saturating_add(i64::from(page.limit.clamp(0, PAGE_LIMIT))).clamp(0, all.len() as i64);
        let begin = begin.clamp(0, end);
        let inside = |view: &&View<'_>| (page.max_id == 0 || view.id < page.max_id) && view.id > page.min_id;
        let found = all[begin as usize..end as usize].iter().filter(inside).copied().collect();
        (found, all.len())
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

// Hexadecimal in the file that keeps the world.
impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        let text = String::deserialize(deserializer)?;
        from_hex(&text).map(Blob).ok_or_else(|| de::Error::custom("an even number of hexadecimal digits expected"))
    }
}

pub fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok())
        .collect()
}
