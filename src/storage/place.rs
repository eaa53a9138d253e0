//! Files of one process and one owner: the lock beside each, and who may read it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Held while a file is in use: no other process opens it meanwhile. The system releases it however the process ends.
pub(super) struct Lock {
    _file: File,
}

/// Why a lock was not to be had.
pub(super) enum LockError {
    Held { pid: String },
    Io { path: PathBuf, source: io::Error },
}

impl Lock {
    /// Locks the file at `path`, by another one beside it.
    pub fn take(path: &Path) -> Result<Lock, LockError> {
        let path = beside(path, ".lock");
        let failed = |source| LockError::Io { path: path.clone(), source };
        let mut file = owner_only().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        tighten(&path);
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let pid = if pid.trim().is_empty() { "unknown".to_owned() } else { pid.trim().to_owned() };
                return Err(LockError::Held { pid });
            }
            Err(fs4::TryLockError::Error(source)) => return Err(failed(source)),
        }
        // The number is for the message only: a full disk that cannot take it is no reason to refuse.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Lock { _file: file })
    }
}

/// `session.db` with the suffix behind its extension, as SQLite names its own.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(unix)]
pub(super) fn owner_only() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
pub(super) fn owner_only() -> OpenOptions {
    OpenOptions::new()
}

/// Takes from group and others what they may do with an existing file, and says so.
#[cfg(unix)]
pub(super) fn tighten(path: &Path) {
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
pub(super) fn tighten(_path: &Path) {}

/// Makes a folder that only its owner may look into, and those above it, so that they outlast the power.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folder(above)?;
    }
    #[allow(unused_mut)]
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder_of(folder),
    }
}

/// A name is on the disk once its folder is.
#[cfg(unix)]
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder_of(_path: &Path) -> io::Result<()> {
    Ok(())
}
