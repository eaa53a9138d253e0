//! Why a script may not open a file, or cannot.

use std::io;

/// Each says which path, and what to do where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{path}: {reason}; a path is relative to the script's data folder, as in \"photos/cat.jpg\"")]
    Path { path: String, reason: &'static str },
    /// `grant` is what would allow it: `fs:PATH`, or `fs-write:PATH`.
    #[error("{path} is not in the script's data folder, which needs a grant: allow = [\"{grant}\"] in moongram.toml")]
    NotGranted { path: String, grant: String },
    #[error("{path} is a link, or lies behind one: links are not followed")]
    Link { path: String },
    #[error("{path} is {is}, not a file")]
    NotAFile { path: String, is: &'static str },
    #[error("{path}: {name} is not a folder")]
    NotAFolder { path: String, name: String },
    #[error("{path} is in the scripts' folder, which scripts cannot write to")]
    ScriptsFolder { path: String },
    #[error("{path} is moongram's own, which no grant opens to scripts")]
    Protected { path: String },
    #[error("{path}: the folder of the grant {grant} cannot be opened: {source}")]
    Grant { path: String, grant: String, source: io::Error },
    #[error("{path} is not there")]
    NotThere { path: String },
    #[error("scripts have no data folder here")]
    NoFolder,
    #[error("{path}: {source}")]
    Io { path: String, source: io::Error },
}

impl DataError {
    pub(super) fn of(path: String, source: io::Error) -> DataError {
        match source.kind() {
            io::ErrorKind::NotFound => DataError::NotThere { path },
            io::ErrorKind::InvalidFilename => DataError::Path { path, reason: "a name in it is too long" },
            _ => DataError::Io { path, source },
        }
    }
}
