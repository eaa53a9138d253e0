//! What outlives a run: keys, DCs, peers and update state, in SQLite.
//!
//! A session is one file, read and written by one process at a time. Reads are point lookups of microseconds and may be made
//! from anywhere. Writes are taken into memory, merged, and committed together by a thread of their own, so that nobody else
//! waits for a disk; [`Session::flush`] is for those who must know.

mod file;
mod peers;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub use peers::PeerRow;

/// An authorization key as it is kept: what it takes to go on with a DC without an exchange.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    pub auth_key: [u8; 256],
    pub server_salt: i64,
    /// Seconds that the server's clock is ahead of ours.
    pub time_offset: i64,
    /// When it was agreed on, in Unix seconds of the server's clock; 0 if that is not known.
    pub created: i64,
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredKey(…)")
    }
}

/// Who is signed in, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: i64,
    pub is_bot: bool,
    /// The DC that the account lives on.
    pub dc: i32,
}

/// The common update state. <https://core.telegram.org/constructor/updates.state>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpdateState {
    pub pts: i32,
    pub qts: i32,
    pub date: i32,
    pub seq: i32,
}

/// Why a session cannot be used. Each says which file, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error(
        "session {} is in use by process {pid}: stop that one first, or give this one a session of its own",
        path.display()
    )]
    InUse { path: PathBuf, pid: String },
    #[error(
        "session {} is of version {found}, and this moongram knows version {known} at most: \
         use the newer moongram that wrote it, or a session of its own; the file was left as it is",
        path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{} is not a moongram session ({reason}): move it away, or name another file; it was left as it is",
        path.display()
    )]
    NotASession { path: PathBuf, reason: String },
    #[error(
        "session {} is broken ({reason}): restore it from a backup, or move it away to sign in anew; it was left as it is",
        path.display()
    )]
    Broken { path: PathBuf, reason: String },
    #[error("session {} cannot be opened: {source}", path.display())]
    Open { path: PathBuf, source: std::io::Error },
    #[error("session {} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: rusqlite::Error },
    #[error("session {} cannot be written ({reason}); it will be tried again", path.display())]
    Write { path: PathBuf, reason: String },
}

/// One account's session, open. Clones share it; it is released when the last one is dropped, after what was put is on disk.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.0.path.display())
    }
}

struct Inner {
    path: PathBuf,
    /// Closed before the writer's connection, whose closing then moves the log into the file.
    reader: Arc<Mutex<rusqlite::Connection>>,
    writer: writer::Writer,
    /// What was on disk when the session was opened, with what was put since.
    known: Mutex<Known>,
    /// Released last: by then the writer's thread has ended.
    _lock: Option<file::Lock>,
}

/// The small things, kept in memory.
#[derive(Clone, Debug, Default)]
struct Known {
    account: Option<Account>,
    keys: Vec<(i32, StoredKey)>,
    dcs: Vec<(i32, String)>,
    state: Option<UpdateState>,
    channels: Vec<(i64, i32)>,
}

impl Session {
    /// Opens the session at `path`, or creates it, readable by its owner only. No file that cannot be used is ever changed.
    pub fn open(path: impl AsRef<Path>) -> Result<Session, StorageError> {
        let path = path.as_ref();
        let lock = file::Lock::take(path)?;
        let writer = file::open(path)?;
        let reader = Arc::new(Mutex::new(file::open_reader(path)?));
        Session::with(path.to_owned(), writer, Some(reader), Some(lock))
    }

    /// A session that is gone with the process.
    pub fn in_memory() -> Result<Session, StorageError> {
        let path = PathBuf::from(":memory:");
        let connection = file::open_in_memory(&path)?;
        Session::with(path, connection, None, None)
    }

    fn with(
        path: PathBuf,
        connection: rusqlite::Connection,
        reader: Option<Arc<Mutex<rusqlite::Connection>>>,
        lock: Option<file::Lock>,
    ) -> Result<Session, StorageError> {
        let known = file::load(&path, &connection)?;
        let connection = Arc::new(Mutex::new(connection));
        let reader = reader.unwrap_or_else(|| connection.clone());
        let writer = writer::Writer::start(path.clone(), connection);
        Ok(Session(Arc::new(Inner { path, writer, reader, known: Mutex::new(known), _lock: lock })))
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    pub fn account(&self) -> Option<Account> {
        self.known().account
    }

    /// `None` forgets who was signed in.
    pub fn set_account(&self, account: Option<Account>) {
        self.known().account = account;
        self.0.writer.put(true, |pending| pending.account = Some(account));
    }

    pub fn key(&self, dc: i32) -> Option<StoredKey> {
        self.known().keys.iter().find(|(of, _)| *of == dc).map(|(_, key)| key.clone())
    }

    /// Keeps a DC's key and salt; `None` forgets them.
    pub fn set_key(&self, dc: i32, key: Option<StoredKey>) {
        let mut known = self.known();
        let new_key = key.as_ref().map(|key| key.auth_key);
        let same_key = known.keys.iter().find(|(of, _)| *of == dc).map(|(_, key)| key.auth_key) == new_key;
        known.keys.retain(|(of, _)| *of != dc);
        known.keys.extend(key.clone().map(|key| (dc, key)));
        drop(known);
        // A new salt may be lost with the power, a new key must not.
        self.0.writer.put(!same_key, |pending| {
            pending.keys.insert(dc, key);
        });
    }

    /// Forgets all that the session holds but the addresses of DCs: keys, account, update state, peers.
    pub fn clear(&self) {
        let mut known = self.known();
        *known = Known { dcs: std::mem::take(&mut known.dcs), ..Known::default() };
        drop(known);
        self.0.writer.put(true, writer::Pending::clear);
    }

    /// The addresses that DCs were last known by, as (DC, address).
    pub fn dcs(&self) -> Vec<(i32, String)> {
        self.known().dcs.clone()
    }

    pub fn set_dcs(&self, dcs: Vec<(i32, String)>) {
        let mut known = self.known();
        if known.dcs == dcs {
            return;
        }
        known.dcs = dcs.clone();
        drop(known);
        self.0.writer.put(false, |pending| pending.dcs = Some(dcs));
    }

    /// The update state as it was when the session was opened, or as it was put since.
    pub fn state(&self) -> Option<UpdateState> {
        self.known().state
    }

    /// The state of each channel's box when the session was opened, as (bare id, pts).
    pub fn channels(&self) -> Vec<(i64, i32)> {
        self.known().channels.clone()
    }

    /// Saves the update state and the channels whose pts changed, together or not at all. A channel with pts 0 is
    /// forgotten.
    pub fn save_state(&self, state: UpdateState, channels: impl IntoIterator<Item = (i64, i32)>) {
        self.known().state = Some(state);
        self.0.writer.put(false, |pending| {
            pending.state = Some(state);
            pending.channels.extend(channels);
        });
    }

    /// Keeps what was seen of peers; what a row leaves out, the file keeps.
    pub fn put_peers(&self, rows: Vec<PeerRow>) {
        if !rows.is_empty() {
            self.0.writer.put(false, |pending| pending.put_peers(rows));
        }
    }

    /// The peer with this Bot-API id.
    pub fn peer(&self, id: i64) -> Option<PeerRow> {
        self.0.writer.pending_peer(|row| row.id == id, Some(id)).or_else(|| self.read(|db| peers::by_id(db, id)))
    }

    /// The peer with this username, in any case.
    pub fn peer_by_username(&self, username: &str) -> Option<PeerRow> {
        let found = self
            .0
            .writer
            .pending_peer(|row| row.username.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(username)), None);
        found.or_else(|| self.read(|db| peers::by_username(db, username)))
    }

    /// The user with this phone number, digits only.
    pub fn peer_by_phone(&self, phone: &str) -> Option<PeerRow> {
        let found = self.0.writer.pending_peer(|row| row.phone.as_deref() == Some(phone), None);
        found.or_else(|| self.read(|db| peers::by_phone(db, phone)))
    }

    /// Returns when all that was put before is on disk, or with the reason why the first attempt failed; the writer goes on
    /// trying.
    pub async fn flush(&self) -> Result<(), StorageError> {
        self.0.writer.flush().await
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// One lookup. What cannot be read is logged and counts as not known.
    fn read<T>(&self, query: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<Option<T>>) -> Option<T> {
        let reader = self.0.reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        query(&reader).unwrap_or_else(|source| {
            let error = StorageError::Read { path: self.0.path.clone(), source };
            tracing::error!("{error}");
            None
        })
    }
}

#[cfg(test)]
mod tests;
