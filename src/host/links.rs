//! Files of scripts that are links: the system watches the folder, and not where a link leads.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::watch::{Stamp, stamp};

/// The linked files of one script, as they were when last looked at.
#[derive(Default)]
pub(super) struct Links(HashMap<PathBuf, Look>);

struct Look {
    /// What was told, or loaded.
    known: Option<Stamp>,
    last: Option<Stamp>,
}

impl Links {
    /// Of these files, those that lie elsewhere than their names say.
    pub fn among<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> Links {
        let is_linked = |path: &&PathBuf| path.canonicalize().is_ok_and(|real| real != **path);
        let look = |path: &PathBuf| {
            let now = stamp(path);
            (path.clone(), Look { known: now, last: now })
        };
        Links(paths.filter(is_linked).map(look).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are other than before, and have been for as long as from one look to the next: no longer written to.
    pub fn changed(&mut self) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        for (path, look) in &mut self.0 {
            let now = stamp(path);
            if now != look.known && now == look.last {
                look.known = now;
                changed.push(Path::to_owned(path));
            }
            look.last = now;
        }
        changed
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_linked_file_is_told_once_it_rests() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().canonicalize().expect("a path");
        let (real, link, plain) = (folder.join("real"), folder.join("link.lua"), folder.join("plain.lua"));
        std::fs::write(&real, "1").expect("written");
        std::fs::write(&plain, "1").expect("written");
        std::os::unix::fs::symlink(&real, &link).expect("linked");
        let mut links = Links::among([link.clone(), plain].iter());
        assert_eq!(links.0.len(), 1);
        assert_eq!(links.changed(), [] as [PathBuf; 0]);
        std::fs::write(&real, "12").expect("written");
        assert_eq!(links.changed(), [] as [PathBuf; 0], "it may still be written to");
        assert_eq!(links.changed(), [link]);
        assert_eq!(links.changed(), [] as [PathBuf; 0]);
    }
}
