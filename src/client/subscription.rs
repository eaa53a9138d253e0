//! The queue between the client and one script.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Update;

/// A queue that holds this many updates is full, where its script has no other limit.
pub const MAX_QUEUED: usize = 10_000;
/// A queue that holds this many bytes is full, whatever their number.
pub const MAX_QUEUED_BYTES: usize = 64 << 20;

/// One script's stream of updates. Dropping it ends the subscription, which then holds nothing back.
pub struct Subscription {
    queue: Arc<Queue>,
}

impl Subscription {
    pub(super) fn new(queue: Arc<Queue>) -> Subscription {
        Subscription { queue }
    }

    /// The name that it was made with.
    pub fn script(&self) -> &str {
        &self.queue.script
    }

    /// From now on it is full with so many updates.
    pub fn set_limit(&self, updates: usize) {
        self.queue.limit.store(updates, Ordering::Relaxed);
        // It may have room now.
        self.queue.room.notify_one();
    }

    /// Moves up to `max` waiting updates to the end of `into`, in order; returns how many.
    pub fn drain(&self, into: &mut VecDeque<Arc<Update>>, max: usize) -> usize {
        let mut waiting = self.queue.lock();
        let limit = self.queue.limit.load(Ordering::Relaxed);
        let was_full = waiting.is_full(limit);
        let count = max.min(waiting.updates.len());
        if count == waiting.updates.len() && into.is_empty() {
            std::mem::swap(&mut waiting.updates, into);
            waiting.bytes = 0;
        } else {
            let Waiting { updates, bytes } = &mut *waiting;
            for update in updates.drain(..count) {
                *bytes -= update.weight as usize;
                into.push_back(update);
            }
        }
        if was_full && !waiting.is_full(limit) {
            self.queue.room.notify_one();
        }
        count
    }

    /// Returns once an update waits, or the client has stopped.
    pub async fn ready(&self) {
        loop {
            if self.queued() > 0 || self.is_closed() {
                return;
            }
            self.queue.ready.notified().await;
        }
    }

    /// Every update up to and including this `seq` is delivered: its handlers returned, or wait in `ask` or `sleep`.
    /// The saved state follows the slowest subscription.
    pub fn set_delivered(&self, seq: u64) {
        self.queue.delivered.fetch_max(seq, Ordering::Release);
    }

    /// The highest `seq` given to [`Subscription::set_delivered`].
    pub fn delivered(&self) -> u64 {
        self.queue.delivered.load(Ordering::Acquire)
    }

    /// How many updates wait.
    pub fn queued(&self) -> usize {
        self.queue.lock().updates.len()
    }

    /// True once the client has stopped; what waits can still be drained.
    pub fn is_closed(&self) -> bool {
        self.queue.closed.load(Ordering::Acquire)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.queue.dropped.store(true, Ordering::Release);
        self.queue.room.notify_one();
    }
}

/// The client's side of a subscription.
pub(super) struct Queue {
    script: String,
    waiting: Mutex<Waiting>,
    /// Updates.
    limit: AtomicUsize,
    delivered: AtomicU64,
    ready: Notify,
    /// Told when a full queue is full no longer; shared by all queues of a client.
    room: Arc<Notify>,
    dropped: AtomicBool,
    closed: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    updates: VecDeque<Arc<Update>>,
    bytes: usize,
}

impl Waiting {
    fn is_full(&self, limit: usize) -> bool {
        self.updates.len() >= limit || self.bytes >= MAX_QUEUED_BYTES
    }
}

impl Queue {
    pub fn new(script: &str, delivered: u64, room: Arc<Notify>) -> Queue {
        Queue {
            script: script.to_owned(),
            waiting: Mutex::default(),
            limit: AtomicUsize::new(MAX_QUEUED),
            delivered: AtomicU64::new(delivered),
            ready: Notify::new(),
            room,
            dropped: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the update whether there is room or not. The client asks [`Queue::is_full`] before it takes the next container from
    /// the network or the next slice of a difference, so a queue overshoots by one of these, and by what the results of calls
    /// under way bring. While any queue is full the network's own queue fills, lets go what does not fit, and the difference
    /// brings that once there is room.
    pub fn push(&self, update: Arc<Update>) {
        let mut waiting = self.lock();
        let was_empty = waiting.updates.is_empty();
        waiting.bytes += update.weight as usize;
        waiting.updates.push_back(update);
        drop(waiting);
        if was_empty {
            self.ready.notify_one();
        }
    }

    pub fn is_full(&self) -> bool {
        !self.is_dropped() && self.lock().is_full(self.limit.load(Ordering::Relaxed))
    }

    pub fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }

    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Acquire)
    }

    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.ready.notify_one();
    }
}
