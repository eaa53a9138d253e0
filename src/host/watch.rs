//! What changed in the scripts folder, told once the writing is over.
//!
//! On Linux a file is reported when it was closed after writing or renamed into place: reading earlier meets files that
//! are half written. Elsewhere the system says only that something was written, so the change is reported at once and
//! again at the next write. Where no watcher can be had (a network share, some containers), every file is looked at four
//! times a second.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use std::{fs, thread};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::folder;

/// How often the fallback looks; 100 files cost it about 0.2 ms.
pub const POLL_EVERY: Duration = Duration::from_millis(250);
/// Changes that may wait; a `git checkout` of more than that is one look at everything.
const WAITING: usize = 1024;

/// Something happened in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file was written, renamed or removed.
    Path(PathBuf),
    /// More happened than can be listed: look at everything.
    Everything,
}

/// Watches a folder until dropped.
pub struct Watch {
    changes: mpsc::Receiver<Change>,
    overflowed: Arc<AtomicBool>,
    _source: Source,
}

/// Held for its `Drop`: both kinds end with it.
enum Source {
    System { _watcher: notify::RecommendedWatcher },
    Polling { stop: Arc<AtomicBool> },
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Source::Polling { stop } = self {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

/// The sending side: never blocks the thread that reports.
#[derive(Clone)]
struct Report {
    changes: mpsc::Sender<Change>,
    overflowed: Arc<AtomicBool>,
}

impl Report {
    fn send(&self, change: Change) {
        // Full: the reader is far behind, and will look at everything in place of what is dropped here.
        if self.changes.try_send(change).is_err() {
            self.overflowed.store(true, Ordering::Release);
        }
    }
}

impl Watch {
    /// Watches with the system's means, or by polling where there are none; the log says which and why.
    pub fn start(folder: &Path) -> Watch {
        match Watch::system(folder) {
            Ok(watch) => watch,
            Err(error) => {
                tracing::warn!(
                    "{} is looked at every 250 ms, as the system cannot watch it: {error}",
                    folder.display()
                );
                Watch::polling(folder)
            }
        }
    }

    pub fn system(folder: &Path) -> notify::Result<Watch> {
        let (report, changes) = channel();
        let overflowed = report.overflowed.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| match event {
            Ok(event) => tell(&report, event),
            Err(error) => {
                tracing::warn!("watching the scripts: {error}");
                report.send(Change::Everything);
            }
        })?;
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(Watch { changes, overflowed, _source: Source::System { _watcher: watcher } })
    }

    pub fn polling(folder: &Path) -> Watch {
        let (report, changes) = channel();
        let overflowed = report.overflowed.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let (folder, stopped) = (folder.to_owned(), stop.clone());
        let mut known = stamps(&folder);
        thread::Builder::new()
            .name("poll-scripts".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    thread::sleep(POLL_EVERY);
                    let now = stamps(&folder);
                    let changed = now.iter().filter(|(path, stamp)| known.get(*path) != Some(stamp));
                    let gone = known.keys().filter(|path| !now.contains_key(*path));
                    for path in changed.map(|(path, _)| path).chain(gone) {
                        report.send(Change::Path(path.clone()));
                    }
                    known = now;
                }
            })
            .expect("a thread to poll with");
        Watch { changes, overflowed, _source: Source::Polling { stop } }
    }

    /// Everything that changed since the last call, at least one change. Cancelling loses nothing.
    pub async fn changes(&mut self) -> Vec<Change> {
        let Some(first) = self.changes.recv().await else { return std::future::pending().await };
        let mut all = vec![first];
        while let Ok(next) = self.changes.try_recv() {
            if !all.contains(&next) {
                all.push(next);
            }
        }
        if self.overflowed.swap(false, Ordering::AcqRel) {
            all = vec![Change::Everything];
        }
        all
    }
}

fn channel() -> (Report, mpsc::Receiver<Change>) {
    let (changes, receiver) = mpsc::channel(WAITING);
    (Report { changes, overflowed: Arc::new(AtomicBool::new(false)) }, receiver)
}

fn tell(report: &Report, event: notify::Event) {
    if event.need_rescan() {
        return report.send(Change::Everything);
    }
    // A link is whole when it is made, and nobody will close it.
    let is_link = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    let made_link = matches!(event.kind, EventKind::Create(_)) && event.paths.iter().any(is_link);
    if !made_link && !is_finished(&event.kind) {
        return;
    }
    for path in event.paths {
        if folder::is_source(&path) && !path.is_dir() {
            report.send(Change::Path(path));
        } else if path.is_dir() || path.extension().is_none() {
            // A folder came or went: what it holds was reported by nobody.
            report.send(Change::Everything);
        }
    }
}

/// Whether an event says that a file is whole: reading on the first sign of a write meets half of it.
fn is_finished(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) | EventKind::Remove(_) => true,
        EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::From | RenameMode::Both)) => true,
        // A folder is whole when it is made.
        EventKind::Create(notify::event::CreateKind::Folder) => true,
        EventKind::Create(_) | EventKind::Modify(_) => !cfg!(target_os = "linux"),
        _ => false,
    }
}

/// When a file was written, and its length: what polling compares.
pub type Stamp = (Option<SystemTime>, u64);

/// None where there is no such file. Links are followed.
pub fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|meta| (meta.modified().ok(), meta.len()))
}

fn stamps(folder: &Path) -> HashMap<PathBuf, Stamp> {
    let mut found = HashMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let hidden = path.file_name().and_then(|n| n.to_str()).is_none_or(|n| n.starts_with('.'));
            match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() && !hidden && !entry.file_type().is_ok_and(|t| t.is_symlink()) => {
                    folders.push(path);
                }
                Ok(meta) if folder::is_source(&path) => {
                    found.insert(path, (meta.modified().ok(), meta.len()));
                }
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn next(watch: &mut Watch) -> Vec<Change> {
        tokio::time::timeout(Duration::from_secs(5), watch.changes()).await.expect("a change within five seconds")
    }

    fn both(folder: &Path) -> [(&'static str, Watch); 2] {
        [("the system", Watch::system(folder).expect("a watch")), ("polling", Watch::polling(folder))]
    }

    #[tokio::test]
    async fn a_write_and_a_rename_and_a_removal_are_told_by_both_means() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = folder.path().join("a.lua");
        for (means, mut watch) in both(folder.path()) {
            fs::write(&script, format!("-- {means}")).expect("written");
            assert_eq!(next(&mut watch).await, [Change::Path(script.clone())]);
            let draft = folder.path().join("a.lua~");
            fs::write(&draft, "-- a longer text than before").expect("written");
            fs::rename(&draft, &script).expect("renamed");
            assert!(next(&mut watch).await.contains(&Change::Path(script.clone())));
            fs::remove_file(&script).expect("removed");
            assert!(next(&mut watch).await.contains(&Change::Path(script.clone())));
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_file_is_told_when_it_is_closed_not_while_it_is_written() {
        use std::io::Write;
        let folder = tempfile::tempdir().expect("a folder");
        let mut watch = Watch::system(folder.path()).expect("a watch");
        let mut file = fs::File::create(folder.path().join("a.lua")).expect("created");
        for _ in 0..3 {
            file.write_all(b"local half = ").expect("written");
            let early = tokio::time::timeout(Duration::from_millis(40), watch.changes()).await;
            assert!(early.is_err(), "told while the file was open: {early:?}");
        }
        drop(file);
        assert_eq!(next(&mut watch).await, [Change::Path(folder.path().join("a.lua"))]);
    }

    #[tokio::test]
    async fn what_editors_leave_beside_a_file_is_not_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut watch = Watch::system(folder.path()).expect("a watch");
        for name in [".a.lua.swp", "a.lua~", "4913.tmp", ".#a.lua"] {
            fs::write(folder.path().join(name), "x").expect("written");
        }
        fs::write(folder.path().join("b.lua"), "-- last").expect("written");
        assert_eq!(next(&mut watch).await, [Change::Path(folder.path().join("b.lua"))]);
    }

    #[tokio::test]
    async fn a_folder_that_appears_is_a_reason_to_look_at_everything() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut watch = Watch::system(folder.path()).expect("a watch");
        fs::create_dir(folder.path().join("shop")).expect("made");
        assert!(next(&mut watch).await.contains(&Change::Everything));
    }

    #[tokio::test]
    async fn an_overflow_ends_as_one_look_at_everything() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut watch = Watch::system(folder.path()).expect("a watch");
        let (report, changes) = channel();
        (watch.changes, watch.overflowed) = (changes, report.overflowed.clone());
        for n in 0..WAITING + 10 {
            report.send(Change::Path(format!("{n}.lua").into()));
        }
        assert_eq!(watch.changes().await, [Change::Everything]);
        report.send(Change::Path("last.lua".into()));
        assert_eq!(watch.changes().await, [Change::Path("last.lua".into())]);
    }
}
