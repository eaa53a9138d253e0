//! What of a local DC outlives its process: one JSON file, written whole and put in place at once.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::keys::Keys;
use super::world::World;

/// Raised when what is written cannot be read by older versions.
const VERSION: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error("cannot read {path}: {source}", path = .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: {source}", path = .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} is not the state of a local DC: {reason}. Move it away to begin anew", path = .path.display())]
    Broken { path: PathBuf, reason: String },
}

#[derive(Deserialize)]
struct Read {
    moongram_local_dc: u32,
    world: World,
    keys: Keys,
}

#[derive(Serialize)]
struct Written<'a> {
    moongram_local_dc: u32,
    world: &'a World,
    keys: &'a Keys,
}

/// Reads what [`write`] wrote; none if there is no file yet.
pub fn read(path: &Path) -> Result<Option<(World, Keys)>, KeepError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(KeepError::Read { path: path.to_owned(), source }),
    };
    let broken = |reason: String| KeepError::Broken { path: path.to_owned(), reason };
    let read: Read = serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
    if read.moongram_local_dc != VERSION {
        return Err(broken(format!("it is of version {}, and this is version {VERSION}", read.moongram_local_dc)));
    }
    Ok(Some((read.world, read.keys)))
}

/// The file's content.
pub fn snapshot(world: &World, keys: &Keys) -> Vec<u8> {
    let written = Written { moongram_local_dc: VERSION, world, keys };
    serde_json::to_vec(&written).expect("maps with number keys, strings and numbers are all JSON")
}

/// Puts the content in place of the file. It holds auth keys: nobody but its owner may read it.
pub fn write(path: &Path, content: &[u8]) -> Result<(), KeepError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let put = || {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    put().map_err(|source| KeepError::Write { path: path.to_owned(), source })
}
