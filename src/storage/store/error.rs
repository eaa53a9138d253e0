//! Why the scripts' store did not take or give something.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DBMOVED;

/// Each says what, where, and what to do. After any of them nothing that was written before is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the store of {script} would hold {}, and the limit (limits.store) is {}: delete keys, or raise it in \
         moongram.toml: [script.{script}.limits] store = \"…\"",
        size(*would),
        size(*limit)
    )]
    Limit { script: Arc<str>, would: u64, limit: u64 },
    #[error("the keys that were asked for are more than {}: ask by prefix, for fewer", size(*limit))]
    TooManyKeys { limit: u64 },
    #[error("the disk is full: {} took nothing; it goes on once there is room", path.display())]
    Full { path: PathBuf },
    #[error("the store {} is in use by process {pid}: stop that one first, or run this one from a folder of its own", path.display())]
    InUse { path: PathBuf, pid: String },
    #[error("the store {} is locked by another program: close what has it open", path.display())]
    Locked { path: PathBuf },
    #[error("the store {} cannot be written, it is read-only: see the permissions of the file and its folder", path.display())]
    ReadOnly { path: PathBuf },
    #[error("the store {} was moved or replaced while it was in use: put it back, or start moongram again to go without it", path.display())]
    Moved { path: PathBuf },
    #[error(
        "the store {} is of version {found}, and this moongram knows version {known} at most: use the newer moongram that \
         wrote it; the file was left as it is",
        path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("{} is not a store of moongram's ({reason}): move it away; it was left as it is", path.display())]
    NotAStore { path: PathBuf, reason: String },
    #[error("the store {} is broken ({reason}): restore it from a backup, or move it away to begin anew", path.display())]
    Broken { path: PathBuf, reason: String },
    #[error("the store {}: {reason}", path.display())]
    Failed { path: PathBuf, reason: String },
    #[error("the store's thread has ended")]
    Ended,
}

impl StoreError {
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> StoreError {
        let path = path.to_owned();
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path },
            Some(ErrorCode::ReadOnly) if extended(error) == Some(SQLITE_READONLY_DBMOVED) => StoreError::Moved { path },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
            Some(ErrorCode::NotADatabase) => StoreError::NotAStore { path, reason },
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Broken { path, reason },
            _ => StoreError::Failed { path, reason },
        }
    }

    pub(super) fn io(path: &Path, error: &std::io::Error) -> StoreError {
        let path = path.to_owned();
        match error.kind() {
            std::io::ErrorKind::StorageFull => StoreError::Full { path },
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::ReadOnly { path }
            }
            _ => StoreError::Failed { path, reason: error.to_string() },
        }
    }

    /// What a script can tell it by.
    pub fn name(&self) -> &'static str {
        match self {
            StoreError::Limit { .. } => "STORE_LIMIT",
            StoreError::TooManyKeys { .. } => "STORE_TOO_MANY_KEYS",
            StoreError::Full { .. } => "STORE_DISK_FULL",
            _ => "STORE_FAILED",
        }
    }
}

fn extended(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

/// `256 MiB`, `1.5 KiB`.
fn size(bytes: u64) -> String {
    let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    let shown = format!("{:.2}", bytes as f64 / unit as f64);
    format!("{} {name}", shown.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        for (bytes, expected) in
            [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1 KiB"), (1536, "1.5 KiB"), (256 << 20, "256 MiB")]
        {
            assert_eq!(size(bytes), expected);
        }
        // More than the limit reads as more, too.
        assert_eq!(size((256 << 20) + (1 << 20)), "257 MiB");
    }
}
