//! Who was seen, with access hashes; Bot-API ids and what stands behind them.

mod cache;
mod seen;

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::storage::{PeerRow, Session};
use crate::tl::{DecodeError, Raw, Reader, types};

use cache::{Cache, Entry};
pub(super) use seen::peer as peer_of;

/// A user, basic group or channel, by its bare id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    User(i64),
    Chat(i64),
    Channel(i64),
}

/// What a channel's Bot-API id is below: `-100…`.
const CHANNEL_BASE: i64 = -1_000_000_000_000;

impl Peer {
    /// The id as the Bot API has it: a user's is positive, a basic group's negative, a channel's `-100…`.
    /// <https://core.telegram.org/api/bots/ids>
    pub fn id(self) -> i64 {
        match self {
            Peer::User(id) => id,
            Peer::Chat(id) => id.wrapping_neg(),
            Peer::Channel(id) => CHANNEL_BASE.wrapping_sub(id),
        }
    }

    /// The id without its type.
    pub fn bare_id(self) -> i64 {
        match self {
            Peer::User(id) | Peer::Chat(id) | Peer::Channel(id) => id,
        }
    }

    /// What a Bot-API id stands for; `None` for 0 and for an id that no peer can have.
    pub fn from_id(id: i64) -> Option<Peer> {
        match id {
            0 | i64::MIN | CHANNEL_BASE => None,
            1.. => Some(Peer::User(id)),
            _ if id > CHANNEL_BASE => Some(Peer::Chat(-id)),
            _ => Some(Peer::Channel(CHANNEL_BASE - id)),
        }
    }
}

/// A peer as calls want it, with its access hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputPeer {
    SelfUser,
    User { id: i64, access_hash: i64 },
    Chat { id: i64 },
    Channel { id: i64, access_hash: i64 },
}

impl InputPeer {
    /// Appends it as a boxed `InputPeer`.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            InputPeer::SelfUser => types::InputPeerSelf {}.write(out),
            InputPeer::User { id, access_hash } => types::InputPeerUser { user_id: id, access_hash }.write(out),
            InputPeer::Chat { id } => types::InputPeerChat { chat_id: id }.write(out),
            InputPeer::Channel { id, access_hash } => {
                types::InputPeerChannel { channel_id: id, access_hash }.write(out);
            }
        }
    }

    /// Appends it as a boxed `InputUser`; false, and nothing appended, if it is not a user.
    pub fn write_user(self, out: &mut Vec<u8>) -> bool {
        match self {
            InputPeer::SelfUser => types::InputUserSelf {}.write(out),
            InputPeer::User { id, access_hash } => types::InputUser { user_id: id, access_hash }.write(out),
            _ => return false,
        }
        true
    }

    /// Appends it as a boxed `InputChannel`; false, and nothing appended, if it is not a channel.
    pub fn write_channel(self, out: &mut Vec<u8>) -> bool {
        let InputPeer::Channel { id, access_hash } = self else { return false };
        types::InputChannel { channel_id: id, access_hash }.write(out);
        true
    }
}

/// Every user, group and channel that this account has seen: the latest in memory, all of them in the session.
pub struct Peers {
    session: Session,
    cache: Mutex<Cache>,
    me: Mutex<(i64, bool)>,
}

/// What is known of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub peer: Peer,
    /// First and last name, or the title.
    pub name: String,
    pub username: Option<String>,
    /// Its boxed `User` or `Chat`, as last seen.
    pub raw: Option<Bytes>,
}

impl Peers {
    pub(super) fn new(session: Session) -> Peers {
        Peers { session, cache: Mutex::default(), me: Mutex::new((0, false)) }
    }

    pub(super) fn set_me(&self, id: i64, is_bot: bool) {
        *self.me.lock().unwrap_or_else(PoisonError::into_inner) = (id, is_bot);
    }

    fn me(&self) -> (i64, bool) {
        *self.me.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer with this Bot-API id, as a call wants it; `None` when it was never seen. The account itself is `SelfUser`.
    ///
    /// A bot may name users and channels without their access hash, if the server knows that they have met:
    /// <https://core.telegram.org/api/peers#access-hash>
    pub fn input_peer(&self, id: i64) -> Option<InputPeer> {
        let (me, is_bot) = self.me();
        if id == me && id != 0 {
            return Some(InputPeer::SelfUser);
        }
        let peer = Peer::from_id(id)?;
        let hash = || self.find(id, |entry| entry.access_hash).flatten().or(is_bot.then_some(0));
        Some(match peer {
            Peer::User(id) => InputPeer::User { id, access_hash: hash()? },
            Peer::Chat(id) => InputPeer::Chat { id },
            Peer::Channel(id) => InputPeer::Channel { id, access_hash: hash()? },
        })
    }

    /// The Bot-API id that belongs to a username (with or without `@`, in any case), where it is known.
    pub fn username(&self, name: &str) -> Option<i64> {
        let name = name.strip_prefix('@').unwrap_or(name);
        if name.is_empty() {
            return None;
        }
        Some(self.session.peer_by_username(name)?.id)
    }

    /// The user with this phone number, `+` and spaces aside, where it is known.
    pub fn phone(&self, number: &str) -> Option<i64> {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        if digits.is_empty() {
            return None;
        }
        Some(self.session.peer_by_phone(&digits)?.id)
    }

    /// What is known of the peer with this Bot-API id.
    pub fn get(&self, id: i64) -> Option<Known> {
        let peer = Peer::from_id(id)?;
        self.find(id, |entry| Known {
            peer,
            name: entry.name.to_string(),
            username: entry.username.as_deref().map(str::to_owned),
            raw: entry.raw.clone(),
        })
    }

    /// The boxed `User` as last seen.
    pub fn user(&self, id: i64) -> Option<Bytes> {
        self.find(Peer::User(id).id(), |entry| entry.raw.clone()).flatten()
    }

    /// The boxed `Chat` as last seen, of a basic group or a channel.
    pub fn chat(&self, peer: Peer) -> Option<Bytes> {
        self.find(peer.id(), |entry| entry.raw.clone()).flatten()
    }

    pub(super) fn is_known(&self, id: i64) -> bool {
        self.find(id, |_| ()).is_some()
    }

    /// Takes note of peers, one after another; what changed goes to the session when the result is dropped.
    pub(super) fn note(&self) -> Noting<'_> {
        Noting { peers: self, cache: self.lock(), changed: Vec::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find<T>(&self, id: i64, take: impl FnOnce(&Entry) -> T) -> Option<T> {
        let mut cache = self.lock();
        if let Some(entry) = cache.get(id) {
            return Some(take(entry));
        }
        let row = self.session.peer(id)?;
        Some(take(cache.insert(id, Entry::from_row(row))))
    }
}

/// Peers being noted. Holds the cache meanwhile.
pub(super) struct Noting<'a> {
    peers: &'a Peers,
    cache: MutexGuard<'a, Cache>,
    changed: Vec<PeerRow>,
}

impl Noting<'_> {
    /// Passes over a boxed `User` or `Chat`. One that is the same as before costs a look into a map and a comparison.
    #[inline]
    pub fn pass(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let id = seen::peer(reader.rest()).map(Peer::id);
        if let Some(id) = id
            && let Some(length) = self.cache.unchanged(id, reader.rest())
        {
            reader.take(length)?;
            return Ok(());
        }
        let raw = reader.raw()?;
        if let Some(id) = id {
            self.seen_anew(id, raw);
        }
        Ok(())
    }

    /// A boxed `User` or `Chat`; anything else is ignored.
    pub fn seen(&mut self, raw: Raw<'_>) {
        // It was passed over before, so it will be again.
        let _ = self.pass(&mut Reader::new(raw.bytes()));
    }

    #[cold]
    fn seen_anew(&mut self, id: i64, raw: Raw<'_>) {
        let Some(row) = seen::row(id, raw) else { return };
        if self.cache.get(id).is_none()
            && let Some(stored) = self.peers.session.peer(id)
        {
            self.cache.insert(id, Entry::from_row(stored));
        }
        let entry = Entry::new(&row);
        match self.cache.get_mut(id) {
            Some(older) => {
                // Status and photo change all the time: they are worth memory, but not the disk.
                if older.update(entry, row.partial) {
                    self.changed.push(row);
                }
            }
            None => {
                self.cache.insert(id, entry);
                self.changed.push(row);
            }
        }
    }
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        if !self.changed.is_empty() {
            self.peers.session.put_peers(std::mem::take(&mut self.changed));
        }
    }
}

#[cfg(test)]
mod tests;
