//! The peers seen lately, in memory.

use bytes::Bytes;

use crate::client::ids::{IdHash, IdMap};
use crate::storage::PeerRow;

/// Half of what is kept in memory; the session has the rest.
const GENERATION: usize = 32_768;

/// Two generations: what is used moves to the young one; when that is full, what was not used since goes.
#[derive(Default)]
pub(super) struct Cache {
    young: IdMap<Entry>,
    old: IdMap<Entry>,
    hash: IdHash,
}

pub(super) struct Entry {
    /// Of the bytes that it was last seen as.
    fingerprint: u64,
    pub access_hash: Option<i64>,
    pub name: Box<str>,
    pub username: Option<Box<str>>,
    phone: Option<Box<str>>,
    pub raw: Option<Bytes>,
}

impl Entry {
    pub fn new(row: &PeerRow, fingerprint: u64) -> Entry {
        Entry {
            fingerprint,
            access_hash: row.access_hash,
            name: row.name.as_str().into(),
            username: row.username.as_deref().map(Into::into),
            phone: row.phone.as_deref().map(Into::into),
            raw: row.raw.as_deref().map(Bytes::copy_from_slice),
        }
    }

    pub fn from_row(row: PeerRow) -> Entry {
        Entry { raw: row.raw.clone().map(Bytes::from), ..Entry::new(&PeerRow { raw: None, ..row }, 0) }
    }

    /// Takes over what a newer sight says; true if that is worth writing down.
    pub fn update(&mut self, newer: Entry, partial: bool) -> bool {
        let worth = (newer.access_hash.is_some() && newer.access_hash != self.access_hash)
            || newer.name != self.name
            || (self.raw.is_none() && newer.raw.is_some())
            || (!partial && (newer.username != self.username || newer.phone != self.phone))
            || (partial && newer.username.is_some() && newer.username != self.username);
        self.fingerprint = newer.fingerprint;
        self.access_hash = newer.access_hash.or(self.access_hash);
        self.name = newer.name;
        if partial {
            self.username = newer.username.or(self.username.take());
            self.raw = self.raw.take().or(newer.raw);
        } else {
            self.username = newer.username;
            self.phone = newer.phone;
            self.raw = newer.raw;
        }
        worth
    }
}

impl Cache {
    pub fn fingerprint(&self, bytes: &[u8]) -> u64 {
        self.hash.fingerprint(bytes)
    }

    /// True if that is what it was last seen as.
    #[inline]
    pub fn is_unchanged(&mut self, id: i64, fingerprint: u64) -> bool {
        match self.young.get(&id) {
            Some(entry) => entry.fingerprint == fingerprint,
            None => self.get(id).is_some_and(|entry| entry.fingerprint == fingerprint),
        }
    }

    pub fn get(&mut self, id: i64) -> Option<&Entry> {
        self.get_mut(id).map(|entry| &*entry)
    }

    pub fn get_mut(&mut self, id: i64) -> Option<&mut Entry> {
        if let Some(entry) = self.old.remove(&id) {
            self.insert(id, entry);
        }
        self.young.get_mut(&id)
    }

    pub fn insert(&mut self, id: i64, entry: Entry) -> &Entry {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&id);
        self.young.entry(id).insert_entry(entry).into_mut()
    }
}
