//! The store's file: its tables, and what is done to them.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::error::StoreError;
use super::writer::Write;
use crate::storage::place::{self, Lock, LockError, beside};

/// Stands in the header of every store: "moos".
const APPLICATION_ID: i64 = 0x6d6f_6f73;
/// Of the tables below.
const VERSION: i64 = 1;
/// A file up to this size is read through when it is opened; a larger one shows its faults when they are met.
const CHECKED_SIZE: u64 = 4 << 20;
/// What an entry takes beside its key and its value, more or less.
const ENTRY: u64 = 32;

const SCHEMA: &str = "
    -- bytes: what the entries count together, kept with every change.
    CREATE TABLE script (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL) STRICT;
    -- Not WITHOUT ROWID: keys are listed without reading past values.
    CREATE TABLE entry (
        id INTEGER PRIMARY KEY, script INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, UNIQUE (script, key)
    ) STRICT;
";

/// An open store: a connection that writes and one that reads, so that a read does not wait for a commit.
pub(super) struct Database {
    /// Closed first; the writer's closing then moves the log into the file.
    pub reader: Arc<Mutex<Connection>>,
    pub writer: Arc<Mutex<Connection>>,
    /// Which file it is; SQLite does not look at that when it has a log.
    identity: Option<(u64, u64)>,
    /// Released last.
    _lock: Option<Lock>,
}

impl Database {
    /// Opens the file, or makes it. A file that cannot be used is never changed.
    pub fn open(path: &Path) -> Result<Database, StoreError> {
        let io = |error: std::io::Error| StoreError::io(path, &error);
        let sql = |error: rusqlite::Error| StoreError::of(path, &error);
        if let Some(folder) = path.parent() {
            place::make_folder(folder).map_err(io)?;
        }
        let lock = Lock::take(path).map_err(|error| match error {
            LockError::Held { pid } => StoreError::InUse { path: path.to_owned(), pid },
            LockError::Io { source, .. } => io(source),
        })?;
        let file = place::owner_only().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        drop(file);
        place::sync_folder_of(path).map_err(io)?;
        for suffix in ["", "-wal", "-shm"] {
            place::tighten(&beside(path, suffix));
        }
        let connect = || Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | no_mutex());
        let writer = connect().map_err(sql)?;
        prepare(path, &writer, size)?;
        let reader = connect().map_err(sql)?;
        reader.pragma_update(None, "query_only", true).map_err(sql)?;
        let identity = identity(path);
        let (reader, writer) = (Arc::new(Mutex::new(reader)), Arc::new(Mutex::new(writer)));
        Ok(Database { reader, writer, identity, _lock: Some(lock) })
    }

    /// Whether the file is still the one at `path`.
    pub fn is_in_place(&self, path: &Path) -> bool {
        self.identity.is_none() || self.identity == identity(path)
    }

    pub fn in_memory(path: &Path) -> Result<Database, StoreError> {
        let create = || {
            let connection = Connection::open_in_memory_with_flags(OpenFlags::SQLITE_OPEN_READ_WRITE | no_mutex())?;
            connection.execute_batch(SCHEMA)?;
            Ok(connection)
        };
        let connection = Arc::new(Mutex::new(create().map_err(|error| StoreError::of(path, &error))?));
        Ok(Database { reader: connection.clone(), writer: connection, identity: None, _lock: None })
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// A file that is open cannot be moved there.
#[cfg(not(unix))]
fn identity(_path: &Path) -> Option<(u64, u64)> {
    None
}

/// Each connection stands behind a mutex of ours.
fn no_mutex() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Looks before it writes: nothing in a file that is not ours, newer or broken is changed, its journal mode included.
fn prepare(path: &Path, db: &Connection, size: u64) -> Result<(), StoreError> {
    let sql = |error: rusqlite::Error| StoreError::of(path, &error);
    let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(sql);
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(sql)?;
    if tables > 0 || size > 0 {
        if application != APPLICATION_ID {
            let reason = "an SQLite database of another program".to_owned();
            return Err(StoreError::NotAStore { path: path.to_owned(), reason });
        }
        if version > VERSION {
            return Err(StoreError::Newer { path: path.to_owned(), found: version, known: VERSION });
        }
        if size <= CHECKED_SIZE {
            let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sql)?;
            if found != "ok" {
                return Err(StoreError::Broken { path: path.to_owned(), reason: found });
            }
        }
    }
    // With WAL, a commit is one append to the log. EXTRA is FULL there: the log is brought to the disk before a commit
    // returns, so that a write that was acknowledged outlasts not only the process but the power, too. (NORMAL would keep
    // the file whole and lose the last commits.) Where a file system cannot do WAL, EXTRA has the folder synced as well.
    db.pragma_update(None, "journal_mode", "WAL").map_err(sql)?;
    db.pragma_update(None, "synchronous", "EXTRA").map_err(sql)?;
    // On macOS fsync leaves it to the drive when it writes; this does not. Others take no notice.
    db.pragma_update(None, "fullfsync", true).map_err(sql)?;
    db.pragma_update(None, "checkpoint_fullfsync", true).map_err(sql)?;
    if tables == 0 {
        let create = format!(
            "BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
        );
        db.execute_batch(&create).map_err(sql)?;
    }
    Ok(())
}

/// What became of one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    Done {
        was_there: bool,
    },
    /// The value was not the expected one: nothing was done.
    Conflict,
    /// It would be too much: nothing was done.
    OverLimit {
        would: u64,
    },
}

/// A script as a transaction changes it.
struct Tally {
    name: Arc<str>,
    id: i64,
    bytes: i64,
    before: i64,
}

/// Does all writes in one transaction: all that can be done, or, on an error, none.
pub(super) fn apply(db: &mut Connection, writes: &[Write]) -> rusqlite::Result<Vec<Applied>> {
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut tallies: Vec<Tally> = Vec::new();
    let mut applied = Vec::with_capacity(writes.len());
    for write in writes {
        let at = match tallies.iter().position(|tally| tally.name == write.script) {
            Some(at) => at,
            None => {
                tallies.push(tally(&transaction, &write.script)?);
                tallies.len() - 1
            }
        };
        applied.push(apply_one(&transaction, write, &mut tallies[at])?);
    }
    for tally in tallies.iter().filter(|tally| tally.bytes != tally.before) {
        let mut update = transaction.prepare_cached("UPDATE script SET bytes = ?2 WHERE id = ?1")?;
        update.execute(params![tally.id, tally.bytes])?;
    }
    transaction.commit()?;
    Ok(applied)
}

fn tally(db: &Connection, script: &Arc<str>) -> rusqlite::Result<Tally> {
    let row = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?));
    let found =
        db.prepare_cached("SELECT id, bytes FROM script WHERE name = ?1")?.query_row([script], row).optional()?;
    let (id, bytes) = match found {
        Some(found) => found,
        None => {
            db.prepare_cached("INSERT INTO script (name, bytes) VALUES (?1, 0)")?.execute([script])?;
            (db.last_insert_rowid(), 0)
        }
    };
    Ok(Tally { name: script.clone(), id, bytes, before: bytes })
}

fn apply_one(db: &Connection, write: &Write, tally: &mut Tally) -> rusqlite::Result<Applied> {
    let row = |row: &rusqlite::Row| Ok((row.get::<_, i64>(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0)));
    let found = db
        .prepare_cached("SELECT id, length(value) FROM entry WHERE script = ?1 AND key = ?2")?
        .query_row(params![tally.id, &*write.key], row)
        .optional()?;
    if let Some(expected) = &write.expected {
        let is_expected = match (&found, expected) {
            (None, None) => true,
            (Some((id, length)), Some(expected)) => {
                *length == expected.len() as u64
                    && db
                        .prepare_cached("SELECT value FROM entry WHERE id = ?1")?
                        .query_row([id], |row| Ok(row.get_ref(0)?.as_blob()? == &**expected))?
            }
            _ => false,
        };
        if !is_expected {
            return Ok(Applied::Conflict);
        }
    }
    let size = |length: u64| write.key.len() as u64 + length + ENTRY;
    let old = found.map_or(0, |(_, length)| size(length));
    let new = write.value.as_ref().map_or(0, |value| size(value.len() as u64));
    let would = u64::try_from(tally.bytes).unwrap_or(0).saturating_sub(old) + new;
    // What makes it smaller is always taken: the limit may have been lowered.
    if would > write.limit && new > old {
        return Ok(Applied::OverLimit { would });
    }
    match (&write.value, found) {
        (Some(value), Some((id, _))) => {
            db.prepare_cached("UPDATE entry SET value = ?2 WHERE id = ?1")?.execute(params![id, &**value])?
        }
        (Some(value), None) => db
            .prepare_cached("INSERT INTO entry (script, key, value) VALUES (?1, ?2, ?3)")?
            .execute(params![tally.id, &*write.key, &**value])?,
        (None, Some((id, _))) => db.prepare_cached("DELETE FROM entry WHERE id = ?1")?.execute([id])?,
        (None, None) => 0,
    };
    tally.bytes = i64::try_from(would).unwrap_or(i64::MAX);
    Ok(Applied::Done { was_there: found.is_some() })
}

pub(super) fn get(db: &Connection, script: &str, key: &[u8]) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached("SELECT value FROM entry WHERE script = (SELECT id FROM script WHERE name = ?1) AND key = ?2")?
        .query_row(params![script, key], |row| row.get(0))
        .optional()
}

/// The keys that begin with `prefix`, in the order of their bytes; `None` where they are more than `limit` bytes together.
pub(super) fn keys(db: &Connection, script: &str, prefix: &[u8], limit: u64) -> rusqlite::Result<Option<Vec<Vec<u8>>>> {
    let mut statement = db.prepare_cached(
        "SELECT key FROM entry WHERE script = (SELECT id FROM script WHERE name = ?1) AND key >= ?2 \
         AND (?3 IS NULL OR key < ?3) ORDER BY key",
    )?;
    let mut rows = statement.query(params![script, prefix, after(prefix)])?;
    let (mut keys, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let key: Vec<u8> = row.get(0)?;
        bytes += key.len() as u64 + ENTRY;
        if bytes > limit {
            return Ok(None);
        }
        keys.push(key);
    }
    Ok(Some(keys))
}

/// The first key behind all that begin with `prefix`; none where nothing is.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut after = prefix[..=last].to_vec();
    after[last] += 1;
    Some(after)
}
