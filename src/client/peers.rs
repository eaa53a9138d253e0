//! Who was seen, with access hashes; Bot-API ids and what stands behind them.

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
            Peer::Chat(id) => -id,
            Peer::Channel(id) => CHANNEL_BASE - id,
        }
    }

    /// What a Bot-API id stands for; `None` for 0 and for an id that no peer can have.
    pub fn from_id(id: i64) -> Option<Peer> {
        match id {
            0 | i64::MIN => None,
            1.. => Some(Peer::User(id)),
            _ if id >= CHANNEL_BASE => (id != CHANNEL_BASE).then_some(Peer::Chat(-id)),
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

/// Every user, group and channel this account has seen.
pub struct Peers {
    _private: (),
}

impl Peers {
    pub(super) fn new() -> Peers {
        Peers { _private: () }
    }

    /// The peer with this Bot-API id, as a call wants it; `None` when it was never seen. The account itself is `SelfUser`.
    pub fn input_peer(&self, _id: i64) -> Option<InputPeer> {
        None
    }

    /// The Bot-API id that belongs to a username (with or without `@`), where it is known.
    pub fn username(&self, _name: &str) -> Option<i64> {
        None
    }
}
