//! Where the place of an update stands among its bytes: worked out from the schema, once for each constructor, so that an
//! update is ordered without being decoded.

use std::sync::LazyLock;

use crate::client::ids::IdMap;
use crate::client::{Mailbox, Peer, Place};
use crate::tl::{self, DecodeError, Definition, Param, Reader, Type, types};

/// What the client does with an update beside handing it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    /// A message that was written or edited: `message` is its first field.
    Message,
    /// Says which random_id became which message: the sender's business only.
    MessageId,
    ChannelTooLong,
    /// The common state must be fetched anew.
    PtsChanged,
}

/// One constructor of `Update`.
#[derive(Debug)]
pub(super) struct Shape {
    pub definition: &'static Definition,
    pub role: Role,
    place: Counting,
}

#[derive(Debug)]
enum Counting {
    /// Not counted.
    None,
    Common {
        pts: At,
        count: Option<At>,
    },
    /// `channel_id` is a field.
    Channel {
        channel: At,
        pts: At,
        count: Option<At>,
    },
    /// The channel is where the message is.
    ChannelMessage {
        pts: At,
        count: Option<At>,
    },
    Secondary {
        qts: At,
    },
}

/// Where a field is.
#[derive(Clone, Copy, Debug)]
enum At {
    /// So many bytes before the end: all that follows has a fixed size.
    BeforeEnd(usize),
    /// The parameter with this index, behind others of any size.
    Param(usize),
}

/// The shape of a constructor of `Update`, by id; `None` for anything else.
pub(super) fn shape(id: u32) -> Option<&'static Shape> {
    static SHAPES: LazyLock<IdMap<Shape>> = LazyLock::new(|| {
        tl::constructors_of("Update").map(|definition| (i64::from(definition.id), Shape::of(definition))).collect()
    });
    SHAPES.get(&i64::from(id))
}

impl Shape {
    fn of(definition: &'static Definition) -> Shape {
        let at = |name: &str| {
            let index = definition.params.iter().position(|param| param.name == name)?;
            let param = &definition.params[index];
            (param.flag.is_none() && matches!(param.ty, Type::Int | Type::Long)).then(|| At::of(definition, index))
        };
        let role = match definition.id {
            types::UpdateNewMessage::ID
            | types::UpdateEditMessage::ID
            | types::UpdateNewChannelMessage::ID
            | types::UpdateEditChannelMessage::ID => Role::Message,
            types::UpdateMessageID::ID => Role::MessageId,
            types::UpdateChannelTooLong::ID => Role::ChannelTooLong,
            types::UpdatePtsChanged::ID => Role::PtsChanged,
            _ => Role::Plain,
        };
        let count = at("pts_count");
        let place = match (at("pts"), at("qts"), at("channel_id")) {
            (Some(pts), _, Some(channel)) => Counting::Channel { channel, pts, count },
            (Some(pts), _, None) if is_of_channel(definition.id) => Counting::ChannelMessage { pts, count },
            (Some(pts), _, None) => Counting::Common { pts, count },
            (None, Some(qts), _) => Counting::Secondary { qts },
            (None, None, _) => Counting::None,
        };
        Shape { definition, role, place }
    }

    /// The place of an update of this shape, given as its boxed bytes, well-formed. `None` where it is not counted.
    /// <https://core.telegram.org/api/updates#message-related-event-sequences>
    pub fn place(&self, update: &[u8]) -> Result<Option<Place>, DecodeError> {
        let int = |at: At| at.int(self.definition, update);
        let count = |at: Option<At>| at.map_or(Ok(0), int);
        Ok(Some(match &self.place {
            Counting::None => return Ok(None),
            Counting::Common { pts, count: of } => {
                Place { mailbox: Mailbox::Common, pts: int(*pts)?, count: count(*of)? }
            }
            Counting::Channel { channel, pts, count: of } => {
                let channel = channel.reader(self.definition, update)?.long()?;
                Place { mailbox: Mailbox::Channel(channel), pts: int(*pts)?, count: count(*of)? }
            }
            Counting::ChannelMessage { pts, count: of } => match message_peer(update.get(4..).unwrap_or_default())? {
                Some(Peer::Channel(channel)) => {
                    Place { mailbox: Mailbox::Channel(channel), pts: int(*pts)?, count: count(*of)? }
                }
                // Nothing says whose pts it is, so it cannot be ordered.
                _ => return Ok(None),
            },
            Counting::Secondary { qts } => Place { mailbox: Mailbox::Secondary, pts: int(*qts)?, count: 1 },
        }))
    }
}

fn is_of_channel(id: u32) -> bool {
    matches!(id, types::UpdateNewChannelMessage::ID | types::UpdateEditChannelMessage::ID)
}

impl At {
    fn of(definition: &'static Definition, index: usize) -> At {
        let mut before_end = 0;
        for param in &definition.params[index..] {
            match (param.flag, fixed_size(param)) {
                // A flag's bit takes no bytes, whether it is set or not.
                (_, Some(0)) => {}
                (None, Some(size)) => before_end += size,
                _ => return At::Param(index),
            }
        }
        At::BeforeEnd(before_end)
    }

    #[inline]
    fn reader<'a>(self, definition: &'static Definition, update: &'a [u8]) -> Result<Reader<'a>, DecodeError> {
        match self {
            At::BeforeEnd(bytes) => {
                let start = update.len().checked_sub(bytes).ok_or(DecodeError::Truncated)?;
                Ok(Reader::new(&update[start..]))
            }
            At::Param(index) => {
                let mut reader = Reader::new(update);
                reader.id()?;
                seek(&mut reader, definition, index)?;
                Ok(reader)
            }
        }
    }

    #[inline]
    fn int(self, definition: &'static Definition, update: &[u8]) -> Result<i32, DecodeError> {
        self.reader(definition, update)?.int()
    }
}

fn fixed_size(param: &Param) -> Option<usize> {
    match param.ty {
        Type::True => Some(0),
        Type::Flags | Type::Int | Type::Bool => Some(4),
        Type::Long | Type::Double => Some(8),
        Type::Int128 => Some(16),
        Type::Int256 => Some(32),
        _ => None,
    }
}

/// Passes over the parameters before `index`; `reader` stands behind the id. False when that one is absent.
fn seek(reader: &mut Reader<'_>, definition: &'static Definition, index: usize) -> Result<bool, DecodeError> {
    let mut flags = [0u32; 4];
    let mut slot = 0;
    for (i, param) in definition.params.iter().enumerate() {
        let present = param.flag.is_none_or(|flag| flags[usize::from(flag.slot) & 3] >> (flag.bit & 31) & 1 == 1);
        if i == index {
            return Ok(present);
        }
        match param.ty {
            Type::Flags => {
                flags[slot & 3] = reader.id()?;
                slot += 1;
            }
            _ if present => reader.skip(&param.ty)?,
            _ => {}
        }
    }
    Ok(false)
}

/// The chat that a boxed `Message` is in.
pub(super) fn message_peer(message: &[u8]) -> Result<Option<Peer>, DecodeError> {
    static AT: LazyLock<[Option<(&'static Definition, usize)>; 3]> = LazyLock::new(|| {
        [types::Message::ID, types::MessageService::ID, types::MessageEmpty::ID].map(|id| {
            let definition = tl::by_id(id)?;
            Some((definition, definition.params.iter().position(|param| param.name == "peer_id")?))
        })
    });
    let mut reader = Reader::new(message);
    let id = reader.id()?;
    let Some((definition, index)) = AT.iter().flatten().find(|(definition, _)| definition.id == id) else {
        return Ok(None);
    };
    if !seek(&mut reader, definition, *index)? {
        return Ok(None);
    }
    Ok(match (reader.id()?, reader.long()?) {
        (types::PeerUser::ID, id) => Some(Peer::User(id)),
        (types::PeerChat::ID, id) => Some(Peer::Chat(id)),
        (types::PeerChannel::ID, id) => Some(Peer::Channel(id)),
        _ => None,
    })
}

/// The id of a boxed `Message`, and whether this account wrote it.
pub(super) fn message_id_and_out(message: &[u8]) -> Option<(i32, bool)> {
    let mut reader = Reader::new(message);
    let id = reader.id().ok()?;
    let definition = tl::by_id(id)?;
    let flags = message.get(4..8).map(|flags| u32::from_le_bytes([flags[0], flags[1], flags[2], flags[3]]))?;
    let index = definition.params.iter().position(|param| param.name == "id")?;
    let out = definition.param("out").and_then(|param| param.flag).is_some_and(|flag| flags >> flag.bit & 1 == 1);
    seek(&mut reader, definition, index).ok()?;
    Some((reader.int().ok()?, out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tl::{Object, encode};

    fn check(update: Object, expected: Option<Place>) {
        let mut bytes = Vec::new();
        encode(&update, &mut bytes).unwrap();
        let shape = shape(u32::from_le_bytes(bytes[..4].try_into().unwrap())).unwrap();
        assert_eq!(shape.place(&bytes).unwrap(), expected, "{}", shape.definition.name);
    }

    fn peer_channel(id: i64) -> Object {
        Object::new("peerChannel").with("channel_id", id)
    }

    fn message(peer: Object) -> Object {
        Object::new("message")
            .with("id", 5)
            .with("from_id", Object::new("peerUser").with("user_id", 3))
            .with("peer_id", peer)
            .with("date", 9)
            .with("message", "hello")
    }

    #[test]
    fn the_place_of_each_kind_of_update_is_found() {
        let common = Some(Place { mailbox: Mailbox::Common, pts: 10, count: 2 });
        let channel = |pts, count| Some(Place { mailbox: Mailbox::Channel(77), pts, count });
        let new = Object::new("updateNewMessage").with("message", message(Object::new("peerUser").with("user_id", 3)));
        check(new.with("pts", 10).with("pts_count", 2), common);
        let new = Object::new("updateNewChannelMessage").with("message", message(peer_channel(77)));
        check(new.with("pts", 11).with("pts_count", 1), channel(11, 1));
        let service = Object::new("messageService")
            .with("id", 5)
            .with("peer_id", peer_channel(77))
            .with("date", 9)
            .with("action", Object::new("messageActionChatDeletePhoto"));
        let new = Object::new("updateNewChannelMessage").with("message", service);
        check(new.with("pts", 11).with("pts_count", 1), channel(11, 1));
        let delete = Object::new("updateDeleteChannelMessages").with("channel_id", 77).with("messages", vec![1, 2]);
        check(delete.with("pts", 12).with("pts_count", 2), channel(12, 2));
        // Optional fields before and behind.
        let read = Object::new("updateReadMessagesContents").with("messages", vec![1]).with("date", 4);
        check(read.with("pts", 10).with("pts_count", 2), common);
        let read = Object::new("updateReadChannelInbox").with("folder_id", 1).with("channel_id", 77).with("max_id", 1);
        check(read.with("still_unread_count", 0).with("pts", 12), channel(12, 0));
        let stopped = Object::new("updateBotStopped").with("user_id", 3).with("date", 9).with("stopped", true);
        check(stopped.with("qts", 4), Some(Place { mailbox: Mailbox::Secondary, pts: 4, count: 1 }));
        let typing = Object::new("updateUserTyping").with("user_id", 3);
        check(typing.with("action", Object::new("sendMessageTypingAction")), None);
    }

    #[test]
    fn every_counted_update_of_the_schema_has_a_place() {
        for definition in tl::constructors_of("Update") {
            let named = |name: &str| definition.params.iter().any(|param| param.name == name && param.flag.is_none());
            let counted = !matches!(Shape::of(definition).place, Counting::None);
            assert_eq!(counted, named("pts") || named("qts"), "{definition}");
        }
    }

    #[test]
    fn a_message_tells_its_id_and_whether_it_is_ours() {
        let mut bytes = Vec::new();
        encode(&message(peer_channel(1)), &mut bytes).unwrap();
        assert_eq!(message_id_and_out(&bytes), Some((5, false)));
        bytes.clear();
        encode(&message(peer_channel(1)).with("out", true), &mut bytes).unwrap();
        assert_eq!(message_id_and_out(&bytes), Some((5, true)));
    }
}
