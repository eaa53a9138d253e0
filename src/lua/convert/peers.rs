//! A chat as scripts give it (an id, a name, an object) where TL wants an `InputPeer`, `InputUser` or `InputChannel`.

use mlua::{Table, Value};

use super::to_tl::{Converter, Stop};
use crate::client::{Client, InputPeer, Peer};
use crate::tl::{BoxedType, Object};

/// The types that may be given as a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Peer,
    User,
    Channel,
}

impl Wanted {
    pub fn of(ty: &BoxedType) -> Option<Wanted> {
        match ty.name {
            "InputPeer" => Some(Wanted::Peer),
            "InputUser" => Some(Wanted::User),
            "InputChannel" => Some(Wanted::Channel),
            _ => None,
        }
    }
}

/// The Bot-API id of an object: a message's chat or user, or a raw TL object of a peer.
pub(in crate::lua) fn peer_id(table: &Table) -> Option<i64> {
    let int = |key: &str| match table.raw_get::<Value>(key) {
        Ok(Value::Integer(id)) => Some(id),
        _ => None,
    };
    let Ok(Value::String(constructor)) = table.raw_get::<Value>("_") else { return int("id") };
    let peer = match constructor.to_string_lossy().as_str() {
        "user" | "userEmpty" => Peer::User(int("id")?),
        "chat" | "chatForbidden" | "chatEmpty" => Peer::Chat(int("id")?),
        "channel" | "channelForbidden" => Peer::Channel(int("id")?),
        "peerUser" => Peer::User(int("user_id")?),
        "peerChat" => Peer::Chat(int("chat_id")?),
        "peerChannel" => Peer::Channel(int("channel_id")?),
        _ => return None,
    };
    Some(peer.id())
}

impl Converter<'_> {
    fn id_of(&self, name: &str) -> Option<i64> {
        let known = || self.client.peers().username(name);
        self.resolved.borrow().get(name).copied().or_else(|| name.parse().ok()).or_else(known)
    }
}

/// What TL wants for a chat that a script gave; `None` where the value is no chat at all.
pub(super) fn input(converter: &Converter, wanted: Wanted, value: &Value, path: &str) -> Option<Result<Object, Stop>> {
    let id = match value {
        Value::Integer(id) => *id,
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => *number as i64,
        Value::String(name) => {
            let name = name.to_string_lossy();
            if name == "me" || name == "self" {
                return Some(object(wanted, InputPeer::SelfUser, path));
            }
            match converter.id_of(&name) {
                Some(id) => id,
                None => return Some(Err(Stop::Resolve(name))),
            }
        }
        Value::Table(table) => peer_id(table)?,
        _ => return None,
    };
    Some(by_id(converter.client, wanted, id, path))
}

fn by_id(client: &Client, wanted: Wanted, id: i64, path: &str) -> Result<Object, Stop> {
    let me = client.me();
    if id == me.id {
        return object(wanted, InputPeer::SelfUser, path);
    }
    let found = client.peers().input_peer(id).or(match Peer::from_id(id) {
        // Basic groups have no access hash, and a bot may leave out those of users it has met.
        Some(Peer::Chat(id)) => Some(InputPeer::Chat { id }),
        Some(Peer::User(id)) if me.is_bot => Some(InputPeer::User { id, access_hash: 0 }),
        Some(Peer::Channel(id)) if me.is_bot => Some(InputPeer::Channel { id, access_hash: 0 }),
        _ => None,
    });
    match found {
        Some(peer) => object(wanted, peer, path),
        None => {
            Err(Stop::Wrong(format!("{path}: {id} was never met by this account; give its @name, or meet it first")))
        }
    }
}

fn object(wanted: Wanted, peer: InputPeer, path: &str) -> Result<Object, Stop> {
    let make = |name: &str, fields: &[(&str, i64)]| {
        let mut object = Object::new(name);
        fields.iter().for_each(|(field, value)| object.set(field, *value));
        Ok(object)
    };
    match (wanted, peer) {
        (Wanted::Peer, InputPeer::SelfUser) => make("inputPeerSelf", &[]),
        (Wanted::User, InputPeer::SelfUser) => make("inputUserSelf", &[]),
        (Wanted::Peer, InputPeer::User { id, access_hash }) => {
            make("inputPeerUser", &[("user_id", id), ("access_hash", access_hash)])
        }
        (Wanted::User, InputPeer::User { id, access_hash }) => {
            make("inputUser", &[("user_id", id), ("access_hash", access_hash)])
        }
        (Wanted::Peer, InputPeer::Chat { id }) => make("inputPeerChat", &[("chat_id", id)]),
        (Wanted::Peer, InputPeer::Channel { id, access_hash }) => {
            make("inputPeerChannel", &[("channel_id", id), ("access_hash", access_hash)])
        }
        (Wanted::Channel, InputPeer::Channel { id, access_hash }) => {
            make("inputChannel", &[("channel_id", id), ("access_hash", access_hash)])
        }
        (Wanted::User, _) => Err(Stop::Wrong(format!("{path}: a user is expected here, not a group or channel"))),
        (Wanted::Channel, _) => Err(Stop::Wrong(format!("{path}: a channel or supergroup is expected here"))),
    }
}
