//! Opening a session: its lock, its permissions, its schema, and what is said about a file that cannot be used.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::{Account, Known, StorageError, StoredKey, UpdateState};

/// Stands in the header of every session: "moon".
const APPLICATION_ID: i64 = 0x6d6f_6f6e;
/// Of the tables below. A change adds a step to [`migrate`] and one to this.
const VERSION: i64 = 2;
/// A file up to this size is read through when it is opened; a larger one shows its faults when they are met.
const CHECKED_SIZE: u64 = 4 << 20;

const SCHEMA: &str = "
    CREATE TABLE auth_key (
        dc INTEGER PRIMARY KEY, auth_key BLOB NOT NULL, server_salt INTEGER NOT NULL, time_offset INTEGER NOT NULL,
        created INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE dc (id INTEGER PRIMARY KEY, address TEXT NOT NULL) STRICT;
    CREATE TABLE account (
        one INTEGER PRIMARY KEY CHECK (one = 1), id INTEGER NOT NULL, is_bot INTEGER NOT NULL, dc INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        pts INTEGER NOT NULL, qts INTEGER NOT NULL, date INTEGER NOT NULL, seq INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE channel (id INTEGER PRIMARY KEY, pts INTEGER NOT NULL) STRICT;
    -- id as the Bot API has it, so it tells the type: users above 0, groups below, channels -100….
    CREATE TABLE peer (
        id INTEGER PRIMARY KEY, access_hash INTEGER, username TEXT COLLATE NOCASE, phone TEXT, name TEXT NOT NULL,
        raw BLOB
    ) STRICT;
    CREATE INDEX peer_username ON peer (username) WHERE username IS NOT NULL;
    CREATE INDEX peer_phone ON peer (phone) WHERE phone IS NOT NULL;
";

/// Held while a session is open: no other process opens it meanwhile. The system releases it however the process ends.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub fn take(session: &Path) -> Result<Lock, StorageError> {
        let path = beside(session, ".lock");
        let failed = |source| StorageError::Open { path: path.clone(), source };
        let mut file = owner_only().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        tighten(&path);
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let pid = if pid.trim().is_empty() { "unknown".to_owned() } else { pid.trim().to_owned() };
                return Err(StorageError::InUse { path: session.to_owned(), pid });
            }
            Err(fs4::TryLockError::Error(source)) => return Err(failed(source)),
        }
        // The number is for the message only: a full disk that cannot take it is no reason to refuse.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Lock { _file: file })
    }
}

/// Opens for writing; creates the file, with its tables, where there is none.
pub(super) fn open(path: &Path) -> Result<Connection, StorageError> {
    let io = |source| StorageError::Open { path: path.to_owned(), source };
    // Created here and not by SQLite, so that there is no moment in which others can read it. SQLite gives its -wal and -shm
    // the permissions of the file that they belong to.
    let file = owner_only().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    drop(file);
    for suffix in ["", "-wal", "-shm"] {
        tighten(&beside(path, suffix));
    }
    let connection = Connection::open_with_flags(path, flags() | OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|error| unusable(path, error))?;
    prepare(path, &connection, size).map_err(|error| match error {
        Unusable::Sql(error) => unusable(path, error),
        Unusable::Said(error) => error,
    })?;
    Ok(connection)
}

/// A second connection, so that a lookup does not wait for a commit.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StorageError> {
    let connection = Connection::open_with_flags(path, flags() | OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| unusable(path, error))?;
    connection.pragma_update(None, "cache_size", -1024).map_err(|error| unusable(path, error))?;
    Ok(connection)
}

pub(super) fn open_in_memory(path: &Path) -> Result<Connection, StorageError> {
    let create = || {
        let connection = Connection::open_in_memory_with_flags(flags() | OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch(SCHEMA)?;
        Ok(connection)
    };
    create().map_err(|error| unusable(path, error))
}

/// Reads what is kept in memory while the session is open.
pub(super) fn load(path: &Path, connection: &Connection) -> Result<Known, StorageError> {
    load_known(connection).map_err(|error| unusable(path, error))
}

fn load_known(db: &Connection) -> rusqlite::Result<Known> {
    let account = db
        .query_row("SELECT id, is_bot, dc FROM account", [], |row| {
            Ok(Account { id: row.get(0)?, is_bot: row.get(1)?, dc: row.get(2)? })
        })
        .optional()?;
    let state = db
        .query_row("SELECT pts, qts, date, seq FROM state", [], |row| {
            Ok(UpdateState { pts: row.get(0)?, qts: row.get(1)?, date: row.get(2)?, seq: row.get(3)? })
        })
        .optional()?;
    let keys = db
        .prepare("SELECT dc, auth_key, server_salt, time_offset, created FROM auth_key")?
        .query_map([], |row| {
            let key = StoredKey {
                auth_key: row.get(1)?,
                server_salt: row.get(2)?,
                time_offset: row.get(3)?,
                created: row.get(4)?,
            };
            Ok((row.get(0)?, key))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let dcs = pairs(db, "SELECT id, address FROM dc")?;
    let channels = pairs(db, "SELECT id, pts FROM channel")?;
    Ok(Known { account, keys, dcs, state, channels })
}

fn pairs<A: rusqlite::types::FromSql, B: rusqlite::types::FromSql>(
    db: &Connection,
    sql: &str,
) -> rusqlite::Result<Vec<(A, B)>> {
    db.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

enum Unusable {
    Sql(rusqlite::Error),
    Said(StorageError),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Unusable {
        Unusable::Sql(error)
    }
}

/// Looks before it writes: nothing in a file that is not ours, newer or broken is changed, its journal mode included.
fn prepare(path: &Path, db: &Connection, size: u64) -> Result<(), Unusable> {
    let application: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let path = || path.to_owned();
    if tables > 0 || size > 0 {
        if application != APPLICATION_ID {
            let reason = "an SQLite database of another program".to_owned();
            return Err(Unusable::Said(StorageError::NotASession { path: path(), reason }));
        }
        if version > VERSION {
            return Err(Unusable::Said(StorageError::Newer { path: path(), found: version, known: VERSION }));
        }
        if size <= CHECKED_SIZE {
            let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if found != "ok" {
                return Err(Unusable::Said(StorageError::Broken { path: path(), reason: found }));
            }
        }
    }
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    if tables == 0 {
        let create = format!(
            "BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
        );
        db.execute_batch(&create)?;
    } else {
        migrate(db, version)?;
    }
    Ok(())
}

/// Brings the tables of an older version to this one, each step whole or not at all.
fn migrate(db: &Connection, version: i64) -> rusqlite::Result<()> {
    if version < 2 {
        db.execute_batch(
            "BEGIN IMMEDIATE; ALTER TABLE auth_key ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
             PRAGMA user_version = 2; COMMIT;",
        )?;
    }
    Ok(())
}

fn unusable(path: &Path, error: rusqlite::Error) -> StorageError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StorageError::NotASession {
            path,
            reason: "not an SQLite database, or broken from its first page on".into(),
        },
        Some(ErrorCode::DatabaseCorrupt) => StorageError::Broken { path, reason: error.to_string() },
        _ => StorageError::Read { path, source: error },
    }
}

/// No creation by SQLite, and no mutex of SQLite's: each connection stands behind one of ours.
fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// `session.db` with the suffix behind its extension, as SQLite names its own.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(unix)]
fn owner_only() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn owner_only() -> OpenOptions {
    OpenOptions::new()
}

/// Takes from group and others what they may do with an existing file, and says so.
#[cfg(unix)]
fn tighten(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = std::fs::metadata(path) else {
        return;
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return;
    }
    match std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        Ok(()) => tracing::warn!("{} was open to others (mode {mode:03o}); it is now its owner's only", path.display()),
        Err(error) => tracing::warn!("{} is open to others (mode {mode:03o}): {error}", path.display()),
    }
}

#[cfg(not(unix))]
fn tighten(_path: &Path) {}
