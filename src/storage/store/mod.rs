//! What scripts keep: a key-value store for each script's name, all in one file.
//!
//! A value is bytes; what they mean is the business of `lua`. A write is on the disk once its [`Ticket`] says so: a thread
//! of its own commits whatever gathered while the disk was busy, so that a hundred handlers that write at once share one
//! sync. Reads see what is committed, on another thread and connection. Neither ever makes a script's thread wait.
//!
//! The file is opened when it is first needed. One that cannot be used fails the call, and is tried again at the next.

mod database;
mod error;
mod latest;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use database::Database;
pub use error::StoreError;
use latest::Latest;
use writer::{Message, Write};

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;
/// The longest value, in bytes.
pub const MAX_VALUE: usize = 16 << 20;
/// While so many bytes of a script are on their way to the disk, it should wait before it makes more: [`Store::room`].
const MAX_QUEUED: usize = 16 << 20;
/// Reads of one script at once: each may hold a value of [`MAX_VALUE`].
const MAX_READS: u32 = 4;

type Bytes = Arc<[u8]>;

/// All scripts' stores. Clones share it; when the last is dropped, what is queued is written and the file closed.
#[derive(Clone)]
pub struct Stores(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    /// Started when they are first needed.
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    writes: mpsc::Sender<Message>,
    reads: mpsc::Sender<Read>,
    handles: [JoinHandle<()>; 2],
}

struct Shared {
    path: PathBuf,
    in_memory: bool,
    database: Mutex<Option<Arc<Database>>>,
    latest: Mutex<Latest>,
}

impl Stores {
    /// In the file at `path`, which is made, readable by its owner only, when something is first written.
    pub fn at(path: impl Into<PathBuf>) -> Stores {
        Stores::with(path.into(), false)
    }

    /// Gone with the last clone.
    pub fn in_memory() -> Stores {
        Stores::with(PathBuf::from(":memory:"), true)
    }

    fn with(path: PathBuf, in_memory: bool) -> Stores {
        let shared = Shared { path, in_memory, database: Mutex::default(), latest: Mutex::default() };
        Stores(Arc::new(Inner { shared: Arc::new(shared), threads: Mutex::default() }))
    }

    /// The files that `path` stands for: its own, and those that lie beside it.
    pub fn files(path: &Path) -> Vec<PathBuf> {
        ["", "-wal", "-shm", ".lock"].map(|suffix| super::place::beside(path, suffix)).to_vec()
    }

    /// The store of the script of this name, which may hold `limit` bytes.
    pub fn of(&self, script: &str, limit: u64) -> Store {
        let reads = Arc::new(Semaphore::new(MAX_READS as usize));
        Store { inner: self.0.clone(), script: script.into(), limit, reads }
    }
}

/// One script's store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    script: Arc<str>,
    limit: u64,
    reads: Arc<Semaphore>,
}

/// What was read. It counts as being read until it is dropped.
pub struct Found<T> {
    pub value: T,
    _permit: OwnedSemaphorePermit,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is on the disk.
    Done { was_there: bool },
    /// The value was no longer the one that was to be replaced; nothing was done.
    Conflict,
}

/// A write in the queue.
#[must_use]
pub struct Ticket(Result<oneshot::Receiver<Result<Written, StoreError>>, StoreError>);

impl Ticket {
    /// Waits until it is on the disk. A ticket that is dropped takes nothing back.
    pub async fn written(self) -> Result<Written, StoreError> {
        self.0?.await.unwrap_or(Err(StoreError::Ended))
    }
}

/// A value that is about to be changed; while this lives, [`Store::latest`] knows it.
pub struct Pinned {
    inner: Arc<Inner>,
    script: Arc<str>,
    key: Bytes,
    /// Held where the value was read for this.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Pinned {
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.inner.shared.latest().unpin(&self.script, &self.key);
    }
}

enum Read {
    Get { script: Arc<str>, key: Bytes, answer: oneshot::Sender<Result<Option<Vec<u8>>, StoreError>> },
    Keys { script: Arc<str>, prefix: Bytes, limit: u64, answer: oneshot::Sender<Result<Vec<Vec<u8>>, StoreError>> },
}

impl Store {
    /// The value of a key, as it is on the disk.
    pub async fn get(&self, key: &[u8]) -> Result<Found<Option<Vec<u8>>>, StoreError> {
        let permit = self.permit(1).await;
        let (answer, answered) = oneshot::channel();
        self.read(Read::Get { script: self.script.clone(), key: key.into(), answer })?;
        Ok(Found { value: answered.await.unwrap_or(Err(StoreError::Ended))?, _permit: permit })
    }

    /// The keys that begin with `prefix`, in the order of their bytes; an error where they are more than `limit` bytes.
    pub async fn keys(&self, prefix: &[u8], limit: u64) -> Result<Found<Vec<Vec<u8>>>, StoreError> {
        let permit = self.permit(MAX_READS).await;
        let (answer, answered) = oneshot::channel();
        self.read(Read::Keys { script: self.script.clone(), prefix: prefix.into(), limit, answer })?;
        Ok(Found { value: answered.await.unwrap_or(Err(StoreError::Ended))?, _permit: permit })
    }

    /// Queues a value for a key, or, with `None`, the end of it.
    pub fn put(&self, key: &[u8], value: Option<Vec<u8>>) -> Ticket {
        self.write(key.into(), value.map(Bytes::from), None)
    }

    /// Whether more may be queued; if not, wait for [`room`](Store::room) first.
    pub fn has_room(&self) -> bool {
        self.inner.shared.latest().queued(&self.script) < MAX_QUEUED
    }

    /// Waits until what is queued now is written.
    pub async fn room(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.inner.with_threads(|threads| threads.writes.send(Message::Barrier(answer)).is_ok())?;
        answered.await.map_err(|_| StoreError::Ended)
    }

    /// The value of a key that is known without a look at the file, kept for a change.
    pub fn pin_known(&self, key: &[u8]) -> Option<Pinned> {
        let known = self.inner.shared.latest().value(&self.script, key).is_some();
        known.then(|| self.pinned(key.into(), None))
    }

    /// The value of a key, kept for a change.
    pub async fn pin(&self, key: &[u8]) -> Result<Pinned, StoreError> {
        let permit = self.permit(1).await;
        let pinned = self.pinned(key.into(), Some(permit));
        let (answer, answered) = oneshot::channel();
        self.read(Read::Get { script: self.script.clone(), key: pinned.key.clone(), answer })?;
        let value = answered.await.unwrap_or(Err(StoreError::Ended))?;
        self.inner.shared.latest().read(&self.script, key, value.map(Bytes::from));
        Ok(pinned)
    }

    /// The value of a key once all that is queued is written, as far as anybody can tell; the outer `None` where it has to be
    /// pinned again.
    pub fn latest(&self, pinned: &Pinned) -> Option<Option<Arc<[u8]>>> {
        self.inner.shared.latest().value(&self.script, &pinned.key)
    }

    /// Queues a value that was made of `expected`, which must still be there when it is written.
    pub fn swap(&self, pinned: &Pinned, expected: Option<Arc<[u8]>>, value: Option<Vec<u8>>) -> Ticket {
        self.write(pinned.key.clone(), value.map(Bytes::from), Some(expected))
    }

    fn write(&self, key: Bytes, value: Option<Bytes>, expected: Option<Option<Bytes>>) -> Ticket {
        let (answer, answered) = oneshot::channel();
        let write = Write { script: self.script.clone(), limit: self.limit, key, value, expected, answer };
        let sent = self.inner.with_threads(|threads| {
            let mut latest = self.inner.shared.latest();
            // The queue is as long as the handlers that wait are many; its bytes are bounded by `has_room`.
            latest.queue(&write);
            match threads.writes.send(Message::Write(write)) {
                Ok(()) => true,
                Err(mpsc::SendError(Message::Write(write))) => {
                    latest.settle(&write, false);
                    false
                }
                Err(_) => false,
            }
        });
        Ticket(sent.map(|()| answered))
    }

    fn read(&self, read: Read) -> Result<(), StoreError> {
        self.inner.with_threads(|threads| threads.reads.send(read).is_ok())
    }

    fn pinned(&self, key: Bytes, permit: Option<OwnedSemaphorePermit>) -> Pinned {
        self.inner.shared.latest().pin(&self.script, &key);
        Pinned { inner: self.inner.clone(), script: self.script.clone(), key, _permit: permit }
    }

    async fn permit(&self, many: u32) -> OwnedSemaphorePermit {
        self.reads.clone().acquire_many_owned(many).await.expect("the semaphore is never closed")
    }
}

impl Inner {
    /// Sends something to the threads; false is that they are gone.
    fn with_threads(&self, send: impl FnOnce(&Threads) -> bool) -> Result<(), StoreError> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.is_none() {
            *threads = Some(Threads::start(&self.shared).map_err(|error| StoreError::io(&self.shared.path, &error))?);
        }
        let is_sent = threads.as_ref().is_some_and(send);
        if is_sent { Ok(()) } else { Err(StoreError::Ended) }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Threads { writes, reads, handles }) = threads {
            drop((writes, reads));
            for handle in handles {
                // A thread that panicked has said so already.
                let _ = handle.join();
            }
        }
    }
}

impl Threads {
    fn start(shared: &Arc<Shared>) -> std::io::Result<Threads> {
        let (writes, queue) = mpsc::channel();
        let writer = shared.clone();
        let writing = std::thread::Builder::new().name("store".into()).spawn(move || writer::run(&writer, &queue))?;
        let (reads, queue) = mpsc::channel::<Read>();
        let reader = shared.clone();
        let reading = std::thread::Builder::new().name("store reads".into()).spawn(move || {
            while let Ok(read) = queue.recv() {
                reader.serve(read);
            }
        })?;
        Ok(Threads { writes, reads, handles: [writing, reading] })
    }
}

impl Shared {
    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file, opened where it is not; `None` where it is not there and is not to be made.
    fn open(&self, make: bool) -> Result<Option<Arc<Database>>, StoreError> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*database {
            return Ok(Some(open.clone()));
        }
        let opened = if self.in_memory {
            Database::in_memory(&self.path)?
        } else if make || self.path.try_exists().map_err(|error| StoreError::io(&self.path, &error))? {
            Database::open(&self.path)?
        } else {
            return Ok(None);
        };
        Ok(Some(database.insert(Arc::new(opened)).clone()))
    }

    /// Lets go of a file that may be usable once it is opened anew. One that was moved is kept open: another one in its place
    /// would seem to have lost everything.
    fn close_after(&self, error: &StoreError, is_stuck: bool) {
        let may_help =
            matches!(error, StoreError::Broken { .. } | StoreError::NotAStore { .. } | StoreError::Failed { .. });
        if !self.in_memory && (may_help || is_stuck) {
            self.database.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }

    /// Who asked may be gone by the time of the answer.
    fn serve(&self, read: Read) {
        match read {
            Read::Get { script, key, answer } => {
                let _ = answer.send(self.look(None, |db| database::get(db, &script, &key)));
            }
            Read::Keys { script, prefix, limit, answer } => {
                let keys = self.look(Some(Vec::new()), |db| database::keys(db, &script, &prefix, limit));
                let _ = answer.send(keys.and_then(|keys| keys.ok_or(StoreError::TooManyKeys { limit })));
            }
        }
    }

    /// `nothing` is the answer where there is no file yet.
    fn look<T>(
        &self,
        nothing: T,
        query: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let Some(open) = self.open(false)? else { return Ok(nothing) };
        let connection = open.reader.clone();
        drop(open);
        let db = connection.lock().unwrap_or_else(PoisonError::into_inner);
        query(&db).map_err(|error| {
            let error = StoreError::of(&self.path, &error);
            drop(db);
            self.close_after(&error, false);
            error
        })
    }
}
