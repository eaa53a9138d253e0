//! A message with who is in it, as one Lua string: nothing is decoded before it is read, nothing has to be finalised, and
//! what a script keeps is counted by its memory limit.

use crate::client::Peer;
use crate::tl::{List, Reader, Tl, enums, types};

/// Bytes of users and chats that are copied along with each message; more are shared by the messages they came with.
const INLINE: usize = 2 << 10;

/// The parts of a bundle: two lengths, the boxed message, `Vector<User>`, `Vector<Chat>`. A script can put anything in its
/// place, so what is read is checked like what comes from the network.
#[derive(Clone, Copy)]
pub(in crate::lua) struct Bundle<'a> {
    pub message: &'a [u8],
    pub users: &'a [u8],
    pub chats: &'a [u8],
}

impl<'a> Bundle<'a> {
    /// Writes a bundle of a message and its peers; leaves the peers out and returns true where they are many.
    pub fn write(message: &[u8], users: &[u8], chats: &[u8], out: &mut Vec<u8>) -> bool {
        let apart = users.len() + chats.len() > INLINE;
        let (users, chats) = if apart { (&[][..], &[][..]) } else { (users, chats) };
        Bundle::write_all(message, users, chats, out);
        apart
    }

    /// Writes a bundle with its peers, however many they are.
    pub fn write_all(message: &[u8], users: &[u8], chats: &[u8], out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&(message.len() as u32).to_le_bytes());
        out.extend_from_slice(&(users.len() as u32).to_le_bytes());
        out.extend_from_slice(message);
        out.extend_from_slice(users);
        out.extend_from_slice(chats);
    }

    /// Writes peers alone, as [`Bundle::read`] takes them in its second argument.
    pub fn write_peers(users: &[u8], chats: &[u8], out: &mut Vec<u8>) {
        Bundle::write_all(&[], users, chats, out);
    }

    pub fn read(bytes: &'a [u8], peers: Option<&'a [u8]>) -> Option<Bundle<'a>> {
        let bundle = Bundle::parts(bytes)?;
        let Some(peers) = peers else { return Some(bundle) };
        let peers = Bundle::parts(peers)?;
        Some(Bundle { message: bundle.message, ..peers })
    }

    fn parts(bytes: &'a [u8]) -> Option<Bundle<'a>> {
        let (lengths, rest) = bytes.split_at_checked(8)?;
        let (message, users) = lengths.split_at(4);
        let length = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize);
        let (message, rest) = rest.split_at_checked(length(message)?)?;
        let (users, chats) = rest.split_at_checked(length(users)?)?;
        Some(Bundle { message, users, chats })
    }

    pub fn user(&self, id: i64) -> Option<types::User<'a>> {
        find_user(self.users, id)
    }

    pub fn chat(&self, peer: Peer) -> Option<enums::Chat<'a>> {
        find_chat(self.chats, peer)
    }
}

/// The message inside an update that carries one: its boxed bytes. In all four that do, it stands between the id and two
/// integers, pts and pts_count.
pub(in crate::lua) fn message_of(update: &[u8]) -> Option<&[u8]> {
    update.get(4..update.len().checked_sub(8)?)
}

/// A user of a `Vector<User>` by id.
pub(in crate::lua) fn find_user(users: &[u8], id: i64) -> Option<types::User<'_>> {
    if users.is_empty() {
        return None;
    }
    let list = List::<enums::User>::get(&mut Reader::new(users)).ok()?;
    list.iter().find_map(|user| match user {
        enums::User::User(user) if user.id == id => Some(user),
        _ => None,
    })
}

/// A chat of a `Vector<Chat>` by its peer.
pub(in crate::lua) fn find_chat(chats: &[u8], peer: Peer) -> Option<enums::Chat<'_>> {
    if chats.is_empty() {
        return None;
    }
    let list = List::<enums::Chat>::get(&mut Reader::new(chats)).ok()?;
    list.iter().find(|chat| peer_of_chat(chat) == Some(peer))
}

/// Which peer a chat's object is about.
pub(in crate::lua) fn peer_of_chat(chat: &enums::Chat) -> Option<Peer> {
    Some(match chat {
        enums::Chat::Chat(chat) => Peer::Chat(chat.id),
        enums::Chat::Forbidden(chat) => Peer::Chat(chat.id),
        enums::Chat::Channel(channel) => Peer::Channel(channel.id),
        enums::Chat::ChannelForbidden(channel) => Peer::Channel(channel.id),
        _ => return None,
    })
}

/// Whether one of the usernames of a user or chat passes the test.
pub(in crate::lua) fn usernames(users: &[u8], chats: &[u8], id: i64, test: impl Fn(&str) -> bool) -> bool {
    let (first, more) = match Peer::from_id(id) {
        Some(Peer::User(id)) => match find_user(users, id) {
            Some(user) => (user.username, user.usernames),
            None => return false,
        },
        Some(peer @ Peer::Channel(_)) => match find_chat(chats, peer) {
            Some(enums::Chat::Channel(channel)) => (channel.username, channel.usernames),
            _ => return false,
        },
        _ => return false,
    };
    first.is_some_and(&test)
        || more.is_some_and(|list| {
            list.iter().any(|raw| raw.decode().is_ok_and(|name| name.str("username").is_some_and(&test)))
        })
}
