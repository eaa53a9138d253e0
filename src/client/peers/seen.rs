//! What a `User` or `Chat` on the wire says that is worth keeping.

use super::Peer;
use crate::storage::PeerRow;
use crate::tl::{Raw, types};

/// The peer that a boxed `User` or `Chat` is, found without reading more than its beginning.
#[inline]
pub(in crate::client) fn peer(boxed: &[u8]) -> Option<Peer> {
    let id = u32::from_le_bytes(*boxed.first_chunk()?);
    // Behind the id of the constructor, and up to two fields of flags.
    let long = |at: usize| Some(i64::from_le_bytes(*boxed.get(at..)?.first_chunk()?));
    match id {
        types::User::ID => long(12).map(Peer::User),
        types::Channel::ID => long(12).map(Peer::Channel),
        types::Chat::ID => long(8).map(Peer::Chat),
        types::UserEmpty::ID => long(4).map(Peer::User),
        types::ChatEmpty::ID | types::ChatForbidden::ID => long(4).map(Peer::Chat),
        types::ChannelForbidden::ID => long(8).map(Peer::Channel),
        _ => None,
    }
}

/// What is kept of it; `None` for an empty one.
///
/// A min constructor's access hash is good for its photo only, so it is not taken:
/// <https://core.telegram.org/api/min>
pub(super) fn row(id: i64, raw: Raw<'_>) -> Option<PeerRow> {
    let bytes = Some(raw.bytes().to_vec());
    Some(match raw.id() {
        types::User::ID => {
            let user: types::User<'_> = raw.parse().ok()?;
            let name = match (user.first_name, user.last_name) {
                (Some(first), Some(last)) => format!("{first} {last}"),
                (first, last) => first.or(last).unwrap_or_default().to_owned(),
            };
            PeerRow {
                id,
                access_hash: user.access_hash.filter(|_| !user.min),
                username: user.username.map(str::to_owned),
                phone: user.phone.map(str::to_owned),
                name,
                raw: bytes,
                partial: user.min,
            }
        }
        types::Channel::ID => {
            let channel: types::Channel<'_> = raw.parse().ok()?;
            PeerRow {
                id,
                access_hash: channel.access_hash.filter(|_| !channel.min),
                username: channel.username.map(str::to_owned),
                phone: None,
                name: channel.title.to_owned(),
                raw: bytes,
                partial: channel.min,
            }
        }
        types::ChannelForbidden::ID => {
            let channel: types::ChannelForbidden<'_> = raw.parse().ok()?;
            let (access_hash, name) = (Some(channel.access_hash), channel.title.to_owned());
            PeerRow { id, access_hash, name, raw: bytes, ..PeerRow::default() }
        }
        types::Chat::ID => {
            let chat: types::Chat<'_> = raw.parse().ok()?;
            PeerRow { id, name: chat.title.to_owned(), raw: bytes, ..PeerRow::default() }
        }
        types::ChatForbidden::ID => {
            let chat: types::ChatForbidden<'_> = raw.parse().ok()?;
            PeerRow { id, name: chat.title.to_owned(), raw: bytes, ..PeerRow::default() }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tl::{Object, encode};

    #[test]
    fn the_id_stands_where_the_schema_has_it() {
        fn check(object: Object, expected: Peer) {
            let mut bytes = Vec::new();
            encode(&object, &mut bytes).unwrap();
            assert_eq!(peer(&bytes), Some(expected), "{}", object.name());
            for length in 0..12 {
                assert!(peer(&bytes[..length]).is_none());
            }
        }
        let photo = || Object::new("chatPhotoEmpty");
        check(Object::new("user").with("id", 7), Peer::User(7));
        check(Object::new("userEmpty").with("id", 7), Peer::User(7));
        let chat = Object::new("chat").with("id", 7).with("title", "").with("photo", photo());
        check(chat.with("participants_count", 1).with("date", 1).with("version", 1), Peer::Chat(7));
        check(Object::new("chatEmpty").with("id", 7), Peer::Chat(7));
        check(Object::new("chatForbidden").with("id", 7).with("title", ""), Peer::Chat(7));
        let channel = Object::new("channel").with("id", 7).with("title", "").with("photo", photo()).with("date", 1);
        check(channel, Peer::Channel(7));
        let forbidden = Object::new("channelForbidden").with("id", 7).with("access_hash", 1).with("title", "");
        check(forbidden, Peer::Channel(7));
    }
}
