//! The files that a script may open: those of its own folder `data/NAME/`, and of the folders that `fs:PATH` (to read) and
//! `fs-write:PATH` (to read and write) grant.
//!
//! A path of a script is walked one name at a time, each opened relative to the handle of the folder before it and never
//! through a link, so that neither a name nor another process that swaps folders meanwhile leads anywhere else. Everything
//! here waits for the disk: call it on a thread that may wait, never on the script's.

mod error;
mod folders;
mod new_file;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use cap_fs_ext::{DirExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, DirBuilder, OpenOptions};

pub use error::DataError;
pub use folders::Places;
use folders::{Folder, Folders};
pub use new_file::NewFile;

use super::spec::ScriptSpec;

/// Longer paths are refused before anything is opened.
const MAX_PATH: usize = 4096;

/// The files of one script. Clones share it; it can be sent to other threads.
///
/// A path is relative to `data/NAME/`, unless it begins with the PATH of a grant, as the grant has it or as an absolute path;
/// then it is in that folder. `..` and links are refused everywhere.
#[derive(Clone, Debug)]
pub struct DataFolder(Arc<Folders>);

/// What a path is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl DataFolder {
    pub fn new(spec: &ScriptSpec, places: &Places) -> DataFolder {
        DataFolder(Arc::new(Folders::new(spec, places)))
    }

    /// Opens a file to read it: a regular one, with one name only. Neither a FIFO nor a device is waited for.
    pub fn open(&self, path: impl AsRef<[u8]>) -> Result<std::fs::File, DataError> {
        let found = self.find(path.as_ref(), Access::Read)?;
        let failed = |source| found.problem(source);
        // Looked at before it is opened: opening a device may do things.
        found.ensure_file(&found.dir.symlink_metadata(&found.name).map_err(failed)?)?;
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let file = found.dir.open_with(&found.name, &options).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        found.ensure_file(&metadata)?;
        // The other name of a hard link may be anywhere.
        if metadata.nlink() > 1 {
            return Err(DataError::Link { path: found.shown });
        }
        Ok(file.into_std())
    }

    /// Begins a file; it stands under its name, whole, once it is [committed](NewFile::commit), and takes the place of one that
    /// was there. The folders on the way to it are made.
    pub fn create(&self, path: impl AsRef<[u8]>) -> Result<NewFile, DataError> {
        let found = self.find(path.as_ref(), Access::Write)?;
        match found.dir.symlink_metadata(&found.name) {
            Ok(metadata) => found.ensure_file(&metadata)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(found.problem(error)),
        }
        NewFile::begin(found, &self.0)
    }

    /// Walks to the folder of a path.
    fn find(&self, path: &[u8], access: Access) -> Result<Found, DataError> {
        let shown = String::from_utf8_lossy(path).into_owned();
        let wrong = |reason| DataError::Path { path: shown.clone(), reason };
        if path.len() > MAX_PATH {
            let start: String = shown.chars().take(40).collect();
            return Err(DataError::Path { path: format!("{start}…"), reason: "it is too long" });
        }
        let text = std::str::from_utf8(path).map_err(|_| wrong("it is not UTF-8"))?;
        if text.contains('\0') {
            return Err(wrong("it has a NUL in it"));
        }
        let (folder, rest) = self.0.folder_of(Path::new(text), access)?;
        let mut names = Vec::new();
        for component in rest.components() {
            match component {
                Component::Normal(name) => names.push(name),
                Component::CurDir => {}
                Component::ParentDir => return Err(wrong(".. is not followed")),
                Component::RootDir | Component::Prefix(_) => return Err(wrong("it is not relative")),
            }
        }
        let name = names.pop().ok_or_else(|| wrong("it names no file"))?.to_owned();
        let mut found = Found { dir: self.0.open(&folder, access, &shown)?, name, shown: shown.clone() };
        for name in names {
            found.dir = found.enter(name, access)?;
        }
        if let Folder::Granted(grant) = folder {
            self.0.protect(&found, grant, access)?;
        }
        Ok(found)
    }
}

/// A name in a folder that is open.
struct Found {
    dir: Dir,
    name: OsString,
    /// The path as the script has it.
    shown: String,
}

impl Found {
    fn enter(&self, name: &OsStr, access: Access) -> Result<Dir, DataError> {
        enter(&self.dir, name, access).map_err(|source| of_folder(&self.dir, name, &self.shown, source))
    }

    fn ensure_file(&self, metadata: &cap_std::fs::Metadata) -> Result<(), DataError> {
        let path = || self.shown.clone();
        match metadata.file_type() {
            kind if kind.is_file() => Ok(()),
            kind if kind.is_symlink() => Err(DataError::Link { path: path() }),
            kind if kind.is_dir() => Err(DataError::NotAFile { path: path(), is: "a folder" }),
            _ => Err(DataError::NotAFile { path: path(), is: "a device, a socket or a FIFO" }),
        }
    }

    /// Why the file cannot be opened.
    fn problem(&self, source: io::Error) -> DataError {
        let is_link = self.dir.symlink_metadata(&self.name).is_ok_and(|metadata| metadata.is_symlink());
        let path = self.shown.clone();
        if is_link { DataError::Link { path } } else { DataError::of(path, source) }
    }
}

/// Opens a folder in a folder, made where it is wanted for writing and not there.
fn enter(dir: &Dir, name: &OsStr, access: Access) -> io::Result<Dir> {
    match dir.open_dir_nofollow(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && access == Access::Write => {
            match dir.create_dir_with(name, &owner_only()) {
                // Somebody else may have been quicker.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => dir.open_dir_nofollow(name),
            }
        }
        opened => opened,
    }
}

/// Why a folder on the way cannot be entered.
fn of_folder(dir: &Dir, name: &OsStr, shown: &str, source: io::Error) -> DataError {
    let path = shown.to_owned();
    match dir.symlink_metadata(name) {
        Ok(metadata) if metadata.is_symlink() => DataError::Link { path },
        Ok(metadata) if !metadata.is_dir() => DataError::NotAFolder { path, name: name.to_string_lossy().into_owned() },
        _ => DataError::of(path, source),
    }
}

fn owner_only() -> DirBuilder {
    #[allow(unused_mut)]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    cap_std::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Which folder a handle is of, whatever it is called.
fn identity(dir: &Dir) -> io::Result<(u64, u64)> {
    let metadata = dir.dir_metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}
