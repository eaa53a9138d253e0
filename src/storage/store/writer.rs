//! The thread that writes for all scripts: what gathered while it waited for the disk is one transaction.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use super::database::{self, Applied};
use super::error::StoreError;
use super::{Bytes, Shared, Written};

/// A transaction takes no more writes than this, …
const MAX_WRITES: usize = 4096;
/// … and no more once it has so many bytes.
const MAX_BYTES: usize = 8 << 20;

/// One change, and who waits for it.
pub(super) struct Write {
    pub script: Arc<str>,
    /// Of the script, in bytes.
    pub limit: u64,
    pub key: Bytes,
    /// None deletes.
    pub value: Option<Bytes>,
    /// What the value must be for the write to be done; none where that does not matter.
    pub expected: Option<Option<Bytes>>,
    pub answer: oneshot::Sender<Result<Written, StoreError>>,
}

impl Write {
    pub fn size(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, |value| value.len())
    }
}

pub(super) enum Message {
    Write(Write),
    /// Answered once all that was queued before is done.
    Barrier(oneshot::Sender<()>),
}

/// Ends when nobody can send any more, and the queue is empty.
pub(super) fn run(shared: &Shared, queue: &Receiver<Message>) {
    while let Ok(first) = queue.recv() {
        let (mut writes, mut barriers, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Write(write) => {
                    bytes += write.size();
                    writes.push(write);
                }
                Message::Barrier(barrier) => barriers.push(barrier),
            }
            let has_room = writes.len() < MAX_WRITES && bytes < MAX_BYTES;
            next = if has_room { queue.try_recv().ok() } else { None };
        }
        commit(shared, writes);
        for barrier in barriers {
            // Who waited may be gone.
            let _ = barrier.send(());
        }
    }
}

fn commit(shared: &Shared, writes: Vec<Write>) {
    if writes.is_empty() {
        return;
    }
    let applied = try_commit(shared, &writes);
    for (at, write) in writes.into_iter().enumerate() {
        let result = match &applied {
            Err(error) => Err(error.clone()),
            Ok(applied) => match applied[at] {
                Applied::Done { was_there } => Ok(Written::Done { was_there }),
                Applied::Conflict => Ok(Written::Conflict),
                Applied::OverLimit { would } => {
                    Err(StoreError::Limit { script: write.script.clone(), would, limit: write.limit })
                }
            },
        };
        shared.latest().settle(&write, matches!(result, Ok(Written::Done { .. })));
        // The handler that waited may be gone; the write is done all the same.
        let _ = write.answer.send(result);
    }
}

fn try_commit(shared: &Shared, writes: &[Write]) -> Result<Vec<Applied>, StoreError> {
    let open = shared.open(true)?.expect("a file that may be made is there");
    // What is written to a file that is no longer there is lost with the process.
    if !open.is_in_place(&shared.path) {
        return Err(StoreError::Moved { path: shared.path.clone() });
    }
    let connection = open.writer.clone();
    drop(open);
    let mut db = connection.lock().unwrap_or_else(PoisonError::into_inner);
    database::apply(&mut db, writes).map_err(|error| {
        let error = StoreError::of(&shared.path, &error);
        let is_stuck = !db.is_autocommit();
        drop(db);
        shared.close_after(&error, is_stuck);
        error
    })
}
