//! A file on its way to its name.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, OpenOptions};

use super::folders::Folders;
use super::{DataError, Found, identity};

/// What a file is called until it is whole.
pub(super) const PREFIX: &str = ".part-";
/// A part that is younger may have been made just now, and not be locked yet.
const SETTLED: Duration = Duration::from_secs(60);

/// A file that is being written, under a name that nobody looks for. [`commit`](NewFile::commit) gives it its own; dropped
/// before, it is gone. What a process that was killed left behind is removed when a later one writes to that folder.
#[derive(Debug)]
pub struct NewFile {
    dir: Dir,
    /// None once it is committed.
    part: Option<(OsString, File)>,
    name: OsString,
    shown: String,
    written: u64,
}

impl NewFile {
    pub(super) fn begin(found: Found, folders: &Folders) -> Result<NewFile, DataError> {
        let Found { dir, name, shown } = found;
        let failed = |source| DataError::of(shown.clone(), source);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| failed(error.into()))?;
        let part = OsString::from(format!("{PREFIX}{:016x}", u64::from_ne_bytes(random)));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).follow(FollowSymlinks::No);
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = dir.open_with(&part, &options).map_err(failed)?.into_std();
        // Tells sweepers that somebody writes it. Where there are no locks nothing is swept.
        let _ = file.try_lock();
        if folders.is_first_in(identity(&dir).map_err(failed)?) {
            sweep(&dir, &file).map_err(failed)?;
        }
        Ok(NewFile { dir, part: Some((part, file)), name, shown, written: 0 })
    }

    /// Bytes so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Brings it to the disk and puts it in its place: whole or not at all, also when the power goes.
    pub fn commit(mut self) -> Result<(), DataError> {
        let Some((part, file)) = &self.part else { return Ok(()) };
        file.sync_data()
            .and_then(|()| self.dir.rename(part, &self.dir, &self.name))
            .map_err(|source| DataError::of(self.shown.clone(), source))?;
        self.part = None;
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some((_, file)) = &mut self.part else { return Err(io::ErrorKind::NotFound.into()) };
        let written = file.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some((part, _)) = self.part.take() {
            // Where this fails, the next file's sweep does it.
            let _ = self.dir.remove_file(part);
        }
    }
}

/// Removes the parts that nobody writes any more; `new` was made just now.
fn sweep(dir: &Dir, new: &File) -> io::Result<()> {
    let now = new.metadata()?.modified()?;
    for entry in dir.entries()? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let Ok(file) = dir.open_with(&name, &options) else { continue };
        let file = file.into_std();
        let is_old = file.metadata().is_ok_and(|metadata| {
            let age = metadata.modified().ok().and_then(|then| now.duration_since(then).ok());
            metadata.is_file() && age.is_some_and(|age| age >= SETTLED)
        });
        if is_old && file.try_lock().is_ok() {
            // Another process may have swept it just now.
            let _ = dir.remove_file(&name);
        }
    }
    Ok(())
}
