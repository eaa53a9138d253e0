//! The peers seen lately, in memory.

use bytes::Bytes;

use crate::client::ids::IdMap;
use crate::storage::PeerRow;
use crate::tl::Raw;

/// Half of what is kept in memory; the session has the rest.
const GENERATION: usize = 32_768;

/// Two generations: what is used moves to the young one; when that is full, what was not used since goes.
#[derive(Default)]
pub(super) struct Cache {
    young: IdMap<Entry>,
    old: IdMap<Entry>,
}

pub(super) struct Entry {
    /// Its boxed bytes as last seen, well-formed.
    last: Bytes,
    pub access_hash: Option<i64>,
    pub name: Box<str>,
    pub username: Option<Box<str>>,
    phone: Option<Box<str>>,
    /// The same, or those before if the last were a min constructor's.
    pub raw: Option<Bytes>,
}

impl Entry {
    pub fn new(row: &PeerRow) -> Entry {
        let raw = row.raw.as_deref().map(Bytes::copy_from_slice);
        Entry {
            last: raw.clone().unwrap_or_default(),
            access_hash: row.access_hash,
            name: row.name.as_str().into(),
            username: row.username.as_deref().map(Into::into),
            phone: row.phone.as_deref().map(Into::into),
            raw,
        }
    }

    /// What the file has may be of another layer, or damaged: then it is no use but for the rest.
    pub fn from_row(mut row: PeerRow) -> Entry {
        row.raw = row.raw.filter(|raw| Raw::new(raw).is_ok());
        Entry::new(&row)
    }

    /// Takes over what a newer sight says; true if that is worth writing down.
    pub fn update(&mut self, newer: Entry, partial: bool) -> bool {
        let worth = (newer.access_hash.is_some() && newer.access_hash != self.access_hash)
            || newer.name != self.name
            || (self.raw.is_none() && newer.raw.is_some())
            || (!partial && (newer.username != self.username || newer.phone != self.phone))
            || (partial && newer.username.is_some() && newer.username != self.username);
        self.last = newer.last;
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
    /// How many bytes the peer takes at the front of these, if they begin with it as it was last seen. What bytes mean does not
    /// depend on those behind them, so the same are as well-formed as before, and say the same.
    #[inline]
    pub fn unchanged(&mut self, id: i64, bytes: &[u8]) -> Option<usize> {
        let last = match self.young.get(&id) {
            Some(entry) => &entry.last,
            None => &self.get(id)?.last,
        };
        (!last.is_empty() && bytes.starts_with(last)).then_some(last.len())
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
