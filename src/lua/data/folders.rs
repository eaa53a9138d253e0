//! Which folders a script's paths lead to: its own, and those that are granted.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::{Access, DataError, Found, enter, identity, of_folder, owner_only};
use crate::lua::spec::ScriptSpec;

/// Where the files of scripts lie, for all scripts.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The folder in which each script has one of its name; none where scripts have no files.
    pub data: Option<PathBuf>,
    /// Where the relative paths of grants begin.
    pub base: PathBuf,
    /// Files that hold secrets, or what is the host's: no grant opens them, whether they are there yet or not.
    pub protected: Vec<PathBuf>,
}

/// The folders of one script.
#[derive(Debug)]
pub(super) struct Folders {
    script: String,
    scripts: PathBuf,
    places: Places,
    grants: Vec<Grant>,
    /// Those that were written to.
    written: Mutex<HashSet<(u64, u64)>>,
}

/// One `fs:PATH` or `fs-write:PATH`.
#[derive(Debug)]
pub(super) struct Grant {
    /// The PATH as it is written.
    written: PathBuf,
    /// The same from the root.
    folder: PathBuf,
    writes: bool,
}

/// Where a path begins.
pub(super) enum Folder<'f> {
    Own,
    Granted(&'f Grant),
}

impl Grant {
    fn parse(text: &str, base: &Path) -> Option<Grant> {
        let (path, writes) = match text.strip_prefix("fs-write:") {
            Some(path) => (path, true),
            None => (text.strip_prefix("fs:")?, false),
        };
        let written: PathBuf = Path::new(path).components().collect();
        let folder = std::path::absolute(base.join(&written)).unwrap_or_else(|_| base.join(&written));
        Some(Grant { folder, written, writes })
    }

    /// What is left of a path that begins with this folder.
    fn rest<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        path.strip_prefix(&self.written).or_else(|_| path.strip_prefix(&self.folder)).ok()
    }

    fn name(&self) -> String {
        format!("{}:{}", if self.writes { "fs-write" } else { "fs" }, self.written.display())
    }
}

impl Folders {
    pub fn new(spec: &ScriptSpec, places: &Places) -> Folders {
        let grants = spec.allow.iter().filter_map(|text| Grant::parse(text, &places.base)).collect();
        Folders {
            script: spec.name.clone(),
            scripts: spec.folder.clone(),
            places: places.clone(),
            grants,
            written: Mutex::default(),
        }
    }

    /// Whether this folder was not written to before.
    pub fn is_first_in(&self, folder: (u64, u64)) -> bool {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(folder)
    }

    /// The folder that a path is in, and what is left of the path. Says which grant is missing.
    pub fn folder_of<'p>(&self, path: &'p Path, access: Access) -> Result<(Folder<'_>, &'p Path), DataError> {
        let fits = self.grants.iter().filter_map(|grant| Some((grant, grant.rest(path)?)));
        // The narrowest grant that allows it.
        let by_length = |(grant, _): &(&Grant, &Path)| grant.folder.components().count();
        let shown = || path.display().to_string();
        let (allowing, others): (Vec<_>, Vec<_>) = fits.partition(|(grant, _)| access == Access::Read || grant.writes);
        if let Some((grant, rest)) = allowing.into_iter().max_by_key(by_length) {
            return Ok((Folder::Granted(grant), rest));
        }
        if let Some((grant, _)) = others.into_iter().max_by_key(by_length) {
            let grant = format!("fs-write:{}", grant.written.display());
            return Err(DataError::NotGranted { path: shown(), grant });
        }
        if path.has_root() || path.is_absolute() {
            let folder = path.parent().unwrap_or(path).display();
            let kind = if access == Access::Read { "fs" } else { "fs-write" };
            return Err(DataError::NotGranted { path: shown(), grant: format!("{kind}:{folder}") });
        }
        Ok((Folder::Own, path))
    }

    pub fn open(&self, folder: &Folder<'_>, access: Access, shown: &str) -> Result<Dir, DataError> {
        let path = || shown.to_owned();
        match folder {
            // The operator's own words: links on the way to the folder are the operator's, too.
            Folder::Granted(grant) => Dir::open_ambient_dir(&grant.folder, ambient_authority())
                .map_err(|source| DataError::Grant { path: path(), grant: grant.name(), source }),
            Folder::Own => {
                let data = self.places.data.as_deref().ok_or(DataError::NoFolder)?;
                // A script that is called like a file of the host's.
                if self.places.protected.contains(&data.join(&self.script)) {
                    return Err(DataError::Protected { path: path() });
                }
                let all = open_or_make(data, access).map_err(|source| DataError::of(path(), source))?;
                let name = self.script.as_ref();
                enter(&all, name, access).map_err(|source| of_folder(&all, name, shown, source))
            }
        }
    }

    /// What no grant is meant for: to write among the scripts, and to see what is the host's own.
    pub fn protect(&self, found: &Found, grant: &Grant, access: Access) -> Result<(), DataError> {
        let failed = |source| DataError::Grant { path: found.shown.clone(), grant: grant.name(), source };
        let here = identity(&found.dir).map_err(failed)?;
        for protected in &self.places.protected {
            let (Some(folder), Some(name)) = (protected.parent(), protected.file_name()) else { continue };
            // File systems that ignore case would open it by another name.
            if name.eq_ignore_ascii_case(&found.name) && identity_of(folder) == Some(here) {
                return Err(DataError::Protected { path: found.shown.clone() });
            }
        }
        if access == Access::Write && self.is_among_scripts(&found.dir).map_err(failed)? {
            return Err(DataError::ScriptsFolder { path: found.shown.clone() });
        }
        Ok(())
    }

    /// Whether the scripts' folder is this one, or one above it.
    fn is_among_scripts(&self, dir: &Dir) -> io::Result<bool> {
        let Some(scripts) = identity_of(&self.scripts) else { return Ok(false) };
        let mut dir = dir.try_clone()?;
        let mut here = identity(&dir)?;
        loop {
            if here == scripts {
                return Ok(true);
            }
            dir = dir.open_parent_dir(ambient_authority())?;
            let above = identity(&dir)?;
            // The root is its own parent.
            if above == here {
                return Ok(false);
            }
            here = above;
        }
    }
}

/// Which folder a path leads to; none where there is none.
fn identity_of(folder: &Path) -> Option<(u64, u64)> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Dir::open_ambient_dir(folder, ambient_authority()).and_then(|dir| identity(&dir)).ok()
}

fn open_or_make(folder: &Path, access: Access) -> io::Result<Dir> {
    match Dir::open_ambient_dir(folder, ambient_authority()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && access == Access::Write => {
            Dir::create_ambient_dir_all(folder.parent().unwrap_or(folder), ambient_authority())?;
            let parent = match folder.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let parent = Dir::open_ambient_dir(parent, ambient_authority())?;
            match folder.file_name().map(|name| parent.create_dir_with(name, &owner_only())) {
                Some(Err(error)) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => Dir::open_ambient_dir(folder, ambient_authority()),
            }
        }
        opened => opened,
    }
}
