//! The auth keys of this DC: permanent ones with who is signed in by them, temporary ones with what they are bound to.
//!
//! <https://core.telegram.org/api/pfs>

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::world::Blob;
use crate::crypto::AuthKey;

/// How many keys of each kind are remembered. Beyond that the oldest goes: of the permanent ones, of those that nobody is
/// signed in with.
const KEY_LIMIT: usize = 10_000;

/// All keys by their id.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Keys {
    keys: BTreeMap<u64, Key>,
    /// "Such keys are also stored only in the RAM on the server-side."
    #[serde(skip)]
    temporary: BTreeMap<u64, Temporary>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Key {
    key: Blob,
    /// The server salt that the exchange gave it. It stays valid here.
    salt: i64,
    created: i32,
    /// Who is signed in.
    account: Option<i64>,
    /// Why nobody is signed in any more.
    #[serde(default)]
    ended: Option<Ending>,
    /// The layer that its client said last. A new session of it speaks that until it says another.
    #[serde(default)]
    layer: Option<i32>,
}

#[derive(Debug)]
struct Temporary {
    key: AuthKey,
    salt: i64,
    /// Unix seconds.
    expires: i32,
    /// For a media DC, as its client said: a permanent key is bound to one of each kind.
    media: bool,
    bound_to: Option<u64>,
    /// A newer key took the place of this one: it is worth nothing now, but its sessions are still that client's.
    replaced: bool,
    /// As that of a permanent key.
    layer: Option<i32>,
}

/// Why an authorization ended, as Telegram tells the client that goes on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// 401 AUTH_KEY_UNREGISTERED: signed out.
    Unregistered,
    /// 401 SESSION_REVOKED: ended from another device.
    Revoked,
    /// 401 USER_DEACTIVATED: the account was deleted.
    Deactivated,
    /// 401 USER_DEACTIVATED_BAN: the account was deleted by Telegram.
    Banned,
    /// 406 AUTH_KEY_DUPLICATED: two programs used the key at once.
    Duplicated,
}

impl Ending {
    /// <https://core.telegram.org/api/errors>
    pub fn refusal(self) -> Refusal {
        match self {
            Ending::Unregistered => Refusal::new(401, "AUTH_KEY_UNREGISTERED"),
            Ending::Revoked => Refusal::new(401, "SESSION_REVOKED"),
            Ending::Deactivated => Refusal::new(401, "USER_DEACTIVATED"),
            Ending::Banned => Refusal::new(401, "USER_DEACTIVATED_BAN"),
            Ending::Duplicated => Refusal::new(406, "AUTH_KEY_DUPLICATED"),
        }
    }
}

impl Keys {
    /// Remembers a permanent key that was agreed on.
    pub fn add(&mut self, key: &AuthKey, salt: i64, now: i32) {
        if self.keys.len() >= KEY_LIMIT {
            let unused = self.keys.iter().filter(|(_, key)| key.account.is_none());
            let oldest = unused.min_by_key(|(_, key)| key.created).map(|(id, _)| *id);
            self.keys.retain(|id, _| Some(*id) != oldest);
        }
        let key_bytes = Blob(key.as_bytes().to_vec());
        let added = Key { key: key_bytes, salt, created: now, account: None, ended: None, layer: None };
        self.keys.insert(key.id(), added);
    }

    /// Remembers a temporary key that was agreed on, until it `expires`.
    pub fn add_temporary(&mut self, key: &AuthKey, salt: i64, expires: i32, media: bool) {
        if self.temporary.len() >= KEY_LIMIT {
            let first = self.temporary.iter().min_by_key(|(_, key)| key.expires).map(|(id, _)| *id);
            self.temporary.retain(|id, _| Some(*id) != first);
        }
        let added = Temporary { key: key.clone(), salt, expires, media, bound_to: None, replaced: false, layer: None };
        self.temporary.insert(key.id(), added);
    }

    /// The key, unless it is unknown or has expired.
    pub fn get(&self, id: u64, now: i32) -> Option<AuthKey> {
        match self.temporary.get(&id) {
            Some(temporary) => (temporary.expires > now).then(|| temporary.key.clone()),
            None => self.permanent(id),
        }
    }

    /// The key, if it is a permanent one.
    pub fn permanent(&self, id: u64) -> Option<AuthKey> {
        let bytes: [u8; 256] = self.keys.get(&id)?.key.0.as_slice().try_into().ok()?;
        Some(AuthKey::new(bytes))
    }

    pub fn is_temporary(&self, id: u64) -> bool {
        self.temporary.contains_key(&id)
    }

    pub fn salt(&self, id: u64) -> Option<i64> {
        let temporary = self.temporary.get(&id).map(|key| key.salt);
        temporary.or_else(|| self.keys.get(&id).map(|key| key.salt))
    }

    /// Forgets a key; with a permanent one all that are bound to it.
    pub fn remove(&mut self, id: u64) {
        self.keys.remove(&id);
        self.temporary.retain(|temporary, key| *temporary != id && key.bound_to != Some(id));
    }

    /// Forgets the temporary keys whose time is over.
    pub fn expire(&mut self, now: i32) {
        self.temporary.retain(|_, key| key.expires > now);
    }

    /// Forgets all temporary keys, as a restart would.
    pub fn forget_temporary(&mut self) {
        self.temporary.clear();
    }

    /// Forgets what temporary keys are bound to.
    pub fn forget_bindings(&mut self) {
        self.temporary.values_mut().for_each(|key| key.bound_to = None);
    }

    /// Who is signed in with the key, or with the permanent key that it is bound to.
    pub fn account(&self, id: u64) -> Option<i64> {
        self.keys.get(&self.stands_for(id)?)?.account
    }

    /// Why nobody is signed in with the key any more.
    pub fn ended(&self, id: u64) -> Option<Ending> {
        self.keys.get(&self.stands_for(id)?)?.ended
    }

    /// Signs in; false for a temporary key that is not bound.
    pub fn sign_in(&mut self, id: u64, account: i64) -> bool {
        let key = self.stands_for(id).and_then(|id| self.keys.get_mut(&id));
        let Some(key) = key else { return false };
        (key.account, key.ended) = (Some(account), None);
        true
    }

    pub fn sign_out(&mut self, id: u64) {
        if let Some(key) = self.stands_for(id).and_then(|id| self.keys.get_mut(&id)) {
            key.account = None;
        }
    }

    /// The layer that a client with this key said last, or with the permanent key that it is bound to.
    pub fn layer(&self, id: u64) -> Option<i32> {
        let own = self.temporary.get(&id).and_then(|key| key.layer);
        own.or_else(|| self.keys.get(&self.owner(id)?)?.layer)
    }

    /// Remembers the layer of a key's client; true if that is to be kept.
    pub fn set_layer(&mut self, id: u64, layer: i32) -> bool {
        if let Some(key) = self.temporary.get_mut(&id) {
            key.layer = Some(layer);
        }
        let key = self.owner(id).and_then(|id| self.keys.get_mut(&id));
        key.is_some_and(|key| key.layer.replace(layer) != Some(layer))
    }

    /// Ends all authorizations of the account; who goes on with one is told why.
    pub fn end(&mut self, account: i64, ending: Ending) {
        for key in self.keys.values_mut().filter(|key| key.account == Some(account)) {
            (key.account, key.ended) = (None, Some(ending));
        }
    }

    /// Binds a temporary key to a permanent one, until `expires` at the latest. "Each permanent key may only be bound to one
    /// temporary key at a time, binding a new temporary key overwrites the previous one."
    ///
    /// <https://core.telegram.org/method/auth.bindTempAuthKey#possible-errors>
    pub fn bind(&mut self, temporary: u64, permanent: u64, expires: i32) -> Result<(), Refusal> {
        let key = self.temporary.get(&temporary).ok_or(Refusal::bad("TEMP_AUTH_KEY_EMPTY"))?;
        if key.bound_to.is_some_and(|bound_to| bound_to != permanent) {
            return Err(Refusal::bad("TEMP_AUTH_KEY_ALREADY_BOUND"));
        }
        let media = key.media;
        for (id, key) in &mut self.temporary {
            if *id == temporary {
                (key.bound_to, key.replaced) = (Some(permanent), false);
                key.expires = key.expires.min(expires);
            } else if key.bound_to == Some(permanent) && key.media == media {
                key.replaced = true;
            }
        }
        Ok(())
    }

    /// Whether anyone is signed in as this account with a key other than this one.
    pub fn elsewhere(&self, account: i64, except: u64) -> bool {
        let except = self.stands_for(except);
        self.keys.iter().any(|(id, key)| Some(*id) != except && key.account == Some(account))
    }

    /// The permanent keys by which the account is signed in.
    pub fn of(&self, account: i64) -> BTreeSet<u64> {
        self.keys.iter().filter(|(_, key)| key.account == Some(account)).map(|(id, _)| *id).collect()
    }

    /// The permanent key that authorizes what this one encrypts: itself, or what it is bound to.
    pub fn stands_for(&self, id: u64) -> Option<u64> {
        match self.temporary.get(&id) {
            Some(temporary) if temporary.replaced => None,
            _ => self.owner(id),
        }
    }

    /// The permanent key whose client this one's sessions are of, also when another has taken its place.
    pub fn owner(&self, id: u64) -> Option<u64> {
        match self.temporary.get(&id) {
            Some(temporary) => temporary.bound_to,
            None => Some(id),
        }
    }
}
