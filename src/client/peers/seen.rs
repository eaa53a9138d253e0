//! What a `User` or `Chat` on the wire says that is worth keeping.

use super::Peer;
use crate::storage::PeerRow;
use crate::tl::{Raw, Reader, types};

/// The Bot-API id of a boxed `User` or `Chat`.
pub(super) fn id(raw: Raw<'_>) -> Option<i64> {
    user_id(raw).or_else(|| chat_id(raw).map(Peer::id))
}

/// The id of a boxed `User`, found without reading the rest.
#[inline]
pub(in crate::client) fn user_id(raw: Raw<'_>) -> Option<i64> {
    let mut reader = Reader::new(raw.bytes());
    match reader.id().ok()? {
        types::User::ID => {
            // flags, flags2, id
            reader.take(8).ok()?;
            reader.long().ok()
        }
        types::UserEmpty::ID => reader.long().ok(),
        _ => None,
    }
}

/// The peer that a boxed `Chat` is.
#[inline]
pub(in crate::client) fn chat_id(raw: Raw<'_>) -> Option<Peer> {
    let mut reader = Reader::new(raw.bytes());
    match reader.id().ok()? {
        types::Chat::ID => {
            reader.take(4).ok()?;
            reader.long().ok().map(Peer::Chat)
        }
        types::ChatEmpty::ID | types::ChatForbidden::ID => reader.long().ok().map(Peer::Chat),
        types::Channel::ID => {
            reader.take(8).ok()?;
            reader.long().ok().map(Peer::Channel)
        }
        types::ChannelForbidden::ID => {
            reader.take(4).ok()?;
            reader.long().ok().map(Peer::Channel)
        }
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
