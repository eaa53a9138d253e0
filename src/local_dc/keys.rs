//! The auth keys of this DC, and who is signed in with each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::world::Blob;
use crate::crypto::AuthKey;

/// How many keys are remembered. Beyond that the oldest that nobody is signed in with is forgotten.
const KEY_LIMIT: usize = 10_000;

/// All keys by their id.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Keys {
    keys: BTreeMap<u64, Key>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Key {
    key: Blob,
    /// The server salt that the exchange gave it. It stays valid here.
    salt: i64,
    created: i32,
    /// Who is signed in; on the permanent key where this one is temporary.
    account: Option<i64>,
    /// Unix seconds; none for a permanent key.
    expires: Option<i32>,
    /// The permanent key that this temporary one stands for: <https://core.telegram.org/method/auth.bindTempAuthKey>.
    bound_to: Option<u64>,
    /// The layer that its client said last. A new session of it speaks that until it says another.
    #[serde(default)]
    layer: Option<i32>,
}

impl Keys {
    /// Remembers a key that was agreed on.
    pub fn add(&mut self, key: &AuthKey, salt: i64, expires: Option<i32>, now: i32) {
        self.keys.retain(|_, key| key.expires.is_none_or(|expires| expires > now));
        if self.keys.len() >= KEY_LIMIT {
            let unused = self.keys.iter().filter(|(_, key)| key.account.is_none());
            let oldest = unused.min_by_key(|(_, key)| key.created).map(|(id, _)| *id);
            self.keys.retain(|id, _| Some(*id) != oldest);
        }
        let key_bytes = Blob(key.as_bytes().to_vec());
        let added = Key { key: key_bytes, salt, created: now, account: None, expires, bound_to: None, layer: None };
        self.keys.insert(key.id(), added);
    }

    /// The key, unless it is unknown or has expired.
    pub fn get(&self, id: u64, now: i32) -> Option<AuthKey> {
        let key = self.keys.get(&id).filter(|key| key.expires.is_none_or(|expires| expires > now))?;
        let bytes: [u8; 256] = key.key.0.as_slice().try_into().ok()?;
        Some(AuthKey::new(bytes))
    }

    pub fn salt(&self, id: u64) -> Option<i64> {
        self.keys.get(&id).map(|key| key.salt)
    }

    pub fn remove(&mut self, id: u64) {
        self.keys.remove(&id);
    }

    /// Who is signed in with the key, or with the permanent key that it is bound to.
    pub fn account(&self, id: u64) -> Option<i64> {
        self.keys.get(&self.permanent(id))?.account
    }

    pub fn sign_in(&mut self, id: u64, account: i64) {
        let id = self.permanent(id);
        if let Some(key) = self.keys.get_mut(&id) {
            key.account = Some(account);
        }
    }

    pub fn sign_out(&mut self, id: u64) {
        let id = self.permanent(id);
        if let Some(key) = self.keys.get_mut(&id) {
            key.account = None;
        }
    }

    /// The layer that a client with this key said last, or with the permanent key that it is bound to.
    pub fn layer(&self, id: u64) -> Option<i32> {
        let own = self.keys.get(&id)?.layer;
        own.or_else(|| self.keys.get(&self.permanent(id))?.layer)
    }

    /// Remembers the layer of a key's client; true if that is news.
    pub fn set_layer(&mut self, id: u64, layer: i32) -> bool {
        let permanent = self.permanent(id);
        let mut news = false;
        for id in [id, permanent] {
            if let Some(key) = self.keys.get_mut(&id) {
                news |= key.layer.replace(layer) != Some(layer);
            }
        }
        news
    }

    /// Binds a temporary key to a permanent one; false where they are not such keys.
    pub fn bind(&mut self, temporary: u64, permanent: u64, expires: i32) -> bool {
        if self.keys.get(&permanent).is_none_or(|key| key.expires.is_some()) {
            return false;
        }
        match self.keys.get_mut(&temporary) {
            Some(key) if key.expires.is_some() => {
                key.bound_to = Some(permanent);
                key.expires = Some(expires);
                true
            }
            _ => false,
        }
    }

    /// Whether anyone is signed in as this account with a key other than this one.
    pub fn elsewhere(&self, account: i64, except: u64) -> bool {
        let except = self.permanent(except);
        self.keys.iter().any(|(id, key)| *id != except && key.account == Some(account))
    }

    fn permanent(&self, id: u64) -> u64 {
        self.keys.get(&id).and_then(|key| key.bound_to).unwrap_or(id)
    }
}
