//! The thread that writes: what is put is merged in memory and committed together, a few times a second.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, params};
use tokio::sync::watch;

use super::{Account, PeerRow, StorageError, StoredKey, UpdateState, peers};

/// The time between two commits that nobody waits for.
const INTERVAL: Duration = Duration::from_millis(250);
/// The time to the next attempt when a commit failed: a full disk may have room again.
const RETRY: Duration = Duration::from_secs(1);
/// While the disk takes nothing, this many peers wait for it at most. The rest is let go: it is seen, and put, again.
const MAX_PENDING_PEERS: usize = 200_000;

/// Takes what is put, and owns the thread. Dropping it writes what is left and ends the thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    path: PathBuf,
    pending: Mutex<Pending>,
    wake: Condvar,
    progress: watch::Sender<Progress>,
}

/// How far the thread has come.
#[derive(Clone, Default)]
struct Progress {
    /// All that was put with this number, or one below, is on disk.
    committed: u64,
    /// The number up to which the last attempt went, and why it failed.
    failed: Option<(u64, String)>,
}

/// What is not on disk yet. The merging bounds it: a DC, a channel or a peer stands here once.
#[derive(Default)]
pub(super) struct Pending {
    /// Everything but the addresses of DCs is forgotten, before the rest is written.
    clear: bool,
    pub account: Option<Option<Account>>,
    pub keys: BTreeMap<i32, Option<StoredKey>>,
    pub dcs: Option<Vec<(i32, String)>>,
    pub state: Option<UpdateState>,
    pub channels: HashMap<i64, i32>,
    peers: HashMap<i64, PeerRow>,
    /// The number of the last put.
    number: u64,
    /// Written at once, and on the platter before it counts as written.
    urgent: bool,
    /// Somebody waits: written at once.
    awaited: bool,
    stop: bool,
}

impl Pending {
    pub fn clear(&mut self) {
        self.account = None;
        self.keys.clear();
        self.state = None;
        self.channels.clear();
        self.peers.clear();
        self.clear = true;
    }

    pub fn put_peers(&mut self, rows: Vec<PeerRow>) {
        for mut row in rows {
            // Full: the new row is let go, unless it has a place already.
            let full = self.peers.len() >= MAX_PENDING_PEERS;
            match self.peers.entry(row.id) {
                std::collections::hash_map::Entry::Occupied(mut older) => {
                    row.keep(older.get().clone());
                    older.insert(row);
                }
                std::collections::hash_map::Entry::Vacant(place) if !full => {
                    place.insert(row);
                }
                std::collections::hash_map::Entry::Vacant(_) => {}
            }
        }
    }

    fn is_empty(&self) -> bool {
        !self.clear
            && self.account.is_none()
            && self.keys.is_empty()
            && self.dcs.is_none()
            && self.state.is_none()
            && self.channels.is_empty()
            && self.peers.is_empty()
    }

    /// Puts back what could not be written; what was put meanwhile is newer.
    fn put_back(&mut self, batch: Pending) {
        if self.clear {
            self.dcs = self.dcs.take().or(batch.dcs);
            return;
        }
        self.clear = batch.clear;
        self.account = self.account.take().or(batch.account);
        self.dcs = self.dcs.take().or(batch.dcs);
        self.state = self.state.take().or(batch.state);
        for (dc, key) in batch.keys {
            self.keys.entry(dc).or_insert(key);
        }
        for (id, pts) in batch.channels {
            self.channels.entry(id).or_insert(pts);
        }
        for (id, row) in batch.peers {
            match self.peers.get_mut(&id) {
                Some(newer) => newer.keep(row),
                None => {
                    self.peers.insert(id, row);
                }
            }
        }
        self.urgent |= batch.urgent;
    }
}

impl Writer {
    pub fn start(path: PathBuf, connection: Arc<Mutex<Connection>>) -> Writer {
        let shared = Arc::new(Shared {
            path,
            pending: Mutex::default(),
            wake: Condvar::new(),
            progress: watch::Sender::new(Progress::default()),
        });
        let thread = std::thread::Builder::new()
            .name("storage".into())
            .spawn({
                let shared = shared.clone();
                move || shared.run(&connection)
            })
            .expect("a thread can be started");
        Writer { shared, thread: Some(thread) }
    }

    pub fn put(&self, urgent: bool, change: impl FnOnce(&mut Pending)) {
        let mut pending = self.shared.lock();
        change(&mut pending);
        pending.number += 1;
        pending.urgent |= urgent;
        drop(pending);
        self.shared.wake.notify_one();
    }

    /// A peer that was put and may not be on disk yet.
    pub fn pending_peer(&self, matches: impl Fn(&PeerRow) -> bool, id: Option<i64>) -> Option<PeerRow> {
        let pending = self.shared.lock();
        match id {
            // A row that leaves things out is complete only on disk.
            Some(id) => pending.peers.get(&id).filter(|row| !row.partial).cloned(),
            None => pending.peers.values().find(|row| matches(row)).cloned(),
        }
    }

    pub async fn flush(&self) -> Result<(), StorageError> {
        let mut progress = self.shared.progress.subscribe();
        let number = {
            let mut pending = self.shared.lock();
            pending.awaited = true;
            // A number of its own: an attempt that failed before does not answer for the next.
            pending.number += 1;
            pending.number
        };
        self.shared.wake.notify_one();
        loop {
            {
                let now = progress.borrow_and_update();
                if now.committed >= number {
                    return Ok(());
                }
                if let Some((up_to, reason)) = &now.failed
                    && *up_to >= number
                {
                    return Err(StorageError::Write { path: self.shared.path.clone(), reason: reason.clone() });
                }
            }
            if progress.changed().await.is_err() {
                let reason = "the storage thread has ended".to_owned();
                return Err(StorageError::Write { path: self.shared.path.clone(), reason });
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, connection: &Mutex<Connection>) {
        let mut logged = None;
        loop {
            let Some((mut batch, last)) = self.next_batch() else {
                return;
            };
            let result = {
                let db = connection.lock().unwrap_or_else(PoisonError::into_inner);
                write(&db, &batch)
            };
            match result {
                Ok(()) => {
                    if logged.take().is_some() {
                        tracing::info!("session {} can be written again", self.path.display());
                    }
                    let number = batch.number;
                    self.progress.send_modify(|progress| {
                        progress.committed = number;
                        progress.failed = None;
                    });
                    if last {
                        return;
                    }
                    self.pause(INTERVAL);
                }
                Err(error) => {
                    let reason = error.to_string();
                    // Said once for each reason, not once a second.
                    if logged.as_ref() != Some(&reason) {
                        let path = self.path.clone();
                        tracing::error!("{}", StorageError::Write { path, reason: reason.clone() });
                        logged = Some(reason.clone());
                    }
                    let number = batch.number;
                    batch.awaited = false;
                    self.lock().put_back(batch);
                    self.progress.send_modify(|progress| progress.failed = Some((number, reason)));
                    if last {
                        return;
                    }
                    self.pause(RETRY);
                }
            }
        }
    }

    /// Waits for something to write. The flag is true for the last batch.
    fn next_batch(&self) -> Option<(Pending, bool)> {
        let mut pending = self.lock();
        loop {
            if !pending.is_empty() || pending.awaited {
                let next = Pending { number: pending.number, stop: pending.stop, ..Pending::default() };
                let batch = std::mem::replace(&mut *pending, next);
                let last = batch.stop;
                return Some((batch, last));
            }
            if pending.stop {
                return None;
            }
            pending = self.wake.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets puts gather, until somebody waits for them.
    fn pause(&self, time: Duration) {
        let hurry = |pending: &mut Pending| !(pending.awaited || pending.stop || (pending.urgent && time < RETRY));
        let _ = self.wake.wait_timeout_while(self.lock(), time, hurry);
    }
}

fn write(db: &Connection, batch: &Pending) -> rusqlite::Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    // In WAL mode NORMAL survives a killed process, FULL the loss of power as well.
    db.pragma_update(None, "synchronous", if batch.urgent { "FULL" } else { "NORMAL" })?;
    let transaction = db.unchecked_transaction()?;
    write_all(&transaction, batch)?;
    transaction.commit()
}

fn write_all(db: &Connection, batch: &Pending) -> rusqlite::Result<()> {
    if batch.clear {
        db.execute_batch(
            "DELETE FROM auth_key; DELETE FROM account; DELETE FROM state; DELETE FROM channel; DELETE FROM peer;",
        )?;
    }
    for (dc, key) in &batch.keys {
        match key {
            Some(key) => db
                .prepare_cached(
                    "INSERT OR REPLACE INTO auth_key (dc, auth_key, server_salt, time_offset, created)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![dc, key.auth_key, key.server_salt, key.time_offset, key.created])?,
            None => db.execute("DELETE FROM auth_key WHERE dc = ?1", [dc])?,
        };
    }
    match &batch.account {
        Some(Some(account)) => {
            let sql = "INSERT OR REPLACE INTO account (one, id, is_bot, dc) VALUES (1, ?1, ?2, ?3)";
            db.execute(sql, params![account.id, account.is_bot, account.dc])?;
        }
        Some(None) => {
            db.execute("DELETE FROM account", [])?;
        }
        None => {}
    }
    if let Some(dcs) = &batch.dcs {
        db.execute("DELETE FROM dc", [])?;
        for (id, address) in dcs {
            db.execute("INSERT OR REPLACE INTO dc (id, address) VALUES (?1, ?2)", params![id, address])?;
        }
    }
    if let Some(state) = &batch.state {
        db.prepare_cached("INSERT OR REPLACE INTO state (one, pts, qts, date, seq) VALUES (1, ?1, ?2, ?3, ?4)")?
            .execute(params![state.pts, state.qts, state.date, state.seq])?;
    }
    for (id, pts) in &batch.channels {
        match pts {
            0 => db.prepare_cached("DELETE FROM channel WHERE id = ?1")?.execute([id])?,
            pts => db
                .prepare_cached("INSERT OR REPLACE INTO channel (id, pts) VALUES (?1, ?2)")?
                .execute(params![id, pts])?,
        };
    }
    for row in batch.peers.values() {
        peers::put(db, row)?;
    }
    Ok(())
}
