//! What is about to be written, so that one change of a value can follow another without waiting for the disk.
//!
//! These are guesses: a write in the queue may yet be refused. Who bases a value on one says so
//! ([`Write::expected`](super::writer::Write)), and the transaction has the last word.

use std::collections::HashMap;
use std::sync::Arc;

use super::Bytes;
use super::writer::Write;

#[derive(Default)]
pub(super) struct Latest(HashMap<Arc<str>, OfScript>);

#[derive(Default)]
struct OfScript {
    entries: HashMap<Bytes, Entry>,
    /// Bytes in the queue.
    queued: usize,
}

/// Kept while it is in the queue, or while somebody is about to change it.
#[derive(Default)]
struct Entry {
    /// None where it is not known.
    value: Option<Option<Bytes>>,
    queued: usize,
    pins: usize,
}

impl Entry {
    fn is_idle(&self) -> bool {
        self.queued == 0 && self.pins == 0
    }
}

impl Latest {
    /// The value once all that is queued is written; the outer `None` where that is not known.
    pub fn value(&self, script: &str, key: &[u8]) -> Option<Option<Bytes>> {
        self.0.get(script)?.entries.get(key)?.value.clone()
    }

    /// Bytes of a script that are queued.
    pub fn queued(&self, script: &str) -> usize {
        self.0.get(script).map_or(0, |of| of.queued)
    }

    pub fn queue(&mut self, write: &Write) {
        let of = self.0.entry(write.script.clone()).or_default();
        of.queued += write.size();
        let entry = of.entries.entry(write.key.clone()).or_default();
        entry.queued += 1;
        entry.value = Some(write.value.clone());
    }

    /// A write has left the queue.
    pub fn settle(&mut self, write: &Write, is_done: bool) {
        let Some(of) = self.0.get_mut(&write.script) else { return };
        of.queued -= write.size();
        let Some(entry) = of.entries.get_mut(&write.key) else { return };
        entry.queued -= 1;
        if !is_done {
            entry.value = None;
        } else if entry.queued == 0 {
            entry.value = Some(write.value.clone());
        }
        self.tidy(&write.script, &write.key);
    }

    /// Keeps the key's value from now on, until it is [unpinned](Latest::unpin).
    pub fn pin(&mut self, script: &Arc<str>, key: &Bytes) {
        let of = self.0.entry(script.clone()).or_default();
        of.entries.entry(key.clone()).or_default().pins += 1;
    }

    pub fn unpin(&mut self, script: &str, key: &[u8]) {
        if let Some(entry) = self.0.get_mut(script).and_then(|of| of.entries.get_mut(key)) {
            entry.pins -= 1;
        }
        self.tidy(script, key);
    }

    /// What was read from the file; anything that is queued is newer.
    pub fn read(&mut self, script: &str, key: &[u8], value: Option<Bytes>) {
        let entry = self.0.get_mut(script).and_then(|of| of.entries.get_mut(key));
        if let Some(entry) = entry.filter(|entry| entry.value.is_none() && entry.queued == 0) {
            entry.value = Some(value);
        }
    }

    fn tidy(&mut self, script: &str, key: &[u8]) {
        let Some(of) = self.0.get_mut(script) else { return };
        if of.entries.get(key).is_some_and(Entry::is_idle) {
            of.entries.remove(key);
        }
        if of.entries.is_empty() {
            self.0.remove(script);
        }
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
