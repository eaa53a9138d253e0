//! A script's updates on their way to its handlers: the queue, the lanes, and what counts as delivered.
//!
//! An inbox belongs to a script's *name*: versions come and go, and the lane that a handler of the old version still
//! occupies is respected by the new one.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::lane::{self, Lane};
use crate::client::{Client, Subscription, Update};

/// Updates that may wait in lanes, for handlers that wait for a reply.
const PARKED: usize = 10_000;
/// Taken from the subscription at once; what is taken waits here, still in order.
const BATCH: usize = 256;

/// The queue of one script name, shared by its versions.
pub struct Inbox {
    subscription: Subscription,
    /// Told when an update became ready in another way than by the subscription.
    wake: Notify,
    versions: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Drained, in order, not yet given to a handler.
    queue: VecDeque<Arc<Update>>,
    /// First of lanes that were freed. Such a lane stays busy.
    ready: VecDeque<(Lane, Arc<Update>)>,
    /// Busy lanes, with what waits for each.
    lanes: HashMap<Lane, VecDeque<Arc<Update>>>,
    /// What was taken and is not delivered, once anything waits at all.
    undelivered: BTreeSet<u64>,
    /// The highest `seq` taken.
    taken: u64,
    /// The update whose handler runs now and has not waited yet: its lane is not in `lanes`.
    running: Option<Running>,
    /// Runs that wait for something that counts as work.
    busy: usize,
    /// The version that takes updates.
    active: u64,
    paused: bool,
}

/// The handler that runs: the update's `seq`, and whose handler it is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Running {
    seq: u64,
    version: u64,
}

/// An update taken by a version, until [`Inbox::finish`].
pub(super) struct Claim {
    pub update: Arc<Update>,
    /// Known once the handler waited, or where the lane was busy before.
    lane: Option<Lane>,
    held: bool,
    delivered: bool,
    /// Counted in `busy`.
    busy: bool,
}

impl Inbox {
    pub fn new(subscription: Subscription) -> Arc<Inbox> {
        Arc::new(Inbox { subscription, wake: Notify::new(), versions: AtomicU64::new(0), inner: Mutex::default() })
    }

    /// Gives out no update until [`Inbox::resume`]; handlers that run go on.
    pub fn pause(&self) {
        self.lock().paused = true;
    }

    pub fn resume(&self) {
        self.lock().paused = false;
        self.wake.notify_waiters();
    }

    /// Nothing queued, nothing waiting in a lane, no handler running. Handlers in `ask` and `wait_for` do not count.
    pub fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.queue.is_empty()
            && inner.ready.is_empty()
            && inner.running.is_none()
            && inner.busy == 0
            && inner.lanes.values().all(VecDeque::is_empty)
            && self.subscription.queued() == 0
    }

    /// An inbox that nothing comes to, for a version that runs beside the scripts: the operator's console.
    pub fn empty() -> Arc<Inbox> {
        Inbox::new(Client::detached().subscribe("console"))
    }

    /// The version's thread has ended in the middle of something: what it ran counts as delivered, like any handler that
    /// failed, and the next update may go.
    pub(super) fn recover(&self, version: u64) {
        let mut inner = self.lock();
        inner.busy = 0;
        if let Some(running) = inner.running.take_if(|running| running.version == version) {
            inner.undelivered.remove(&running.seq);
        }
        drop(inner);
        self.wake.notify_waiters();
    }

    pub(super) fn next_version(&self) -> u64 {
        self.versions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// From now on this version takes the updates.
    pub(super) fn set_active(&self, version: u64) {
        self.lock().active = version;
        self.wake.notify_waiters();
    }

    /// The version takes no more. False where another one has taken over already.
    pub(super) fn give_up(&self, version: u64) -> bool {
        let mut inner = self.lock();
        let was_active = inner.active == version;
        if was_active {
            inner.active = 0;
        }
        was_active
    }

    /// Returns when this version may have something to take.
    pub(super) async fn ready(&self, version: u64) {
        let wake = self.wake.notified();
        tokio::pin!(wake);
        // Registered before the state is looked at, so that nothing told in between is missed.
        wake.as_mut().enable();
        let (open, waiting) = {
            let inner = self.lock();
            (inner.is_open(version), !inner.queue.is_empty() || !inner.ready.is_empty())
        };
        if open && waiting {
            return;
        }
        let listens = open && !self.subscription.is_closed();
        tokio::select! {
            () = wake => {}
            () = self.subscription.ready(), if listens => {}
        }
    }

    /// The next update whose lane is free. It is running until it is finished or suspended.
    pub(super) fn take(&self, version: u64) -> Option<Claim> {
        self.lock().take(&self.subscription, version)
    }

    /// The handler waits for something: its lane stays busy, and other lanes go on meanwhile.
    pub(super) fn suspend(&self, claim: &mut Claim) {
        let mut inner = self.lock();
        inner.stop_running(claim);
        inner.set_busy(claim, true);
        if !claim.held && !claim.delivered {
            if let Some(lane) = lane::of(&claim.update) {
                inner.lanes.entry(lane).or_default();
                claim.lane = Some(lane);
                claim.held = true;
            }
            inner.undelivered.insert(claim.update.seq);
        }
        drop(inner);
        // Another version may have taken over while this handler was running.
        self.wake.notify_waiters();
    }

    /// The handler waits in `ask` or `sleep`: the update is delivered and its lane goes on. `busy` says whether the wait
    /// counts as work.
    pub(super) fn release(&self, claim: &mut Claim, busy: bool) {
        let mut inner = self.lock();
        inner.stop_running(claim);
        inner.set_busy(claim, busy);
        inner.settle(claim, &self.subscription);
        drop(inner);
        self.wake.notify_waiters();
    }

    /// What was released goes on.
    pub(super) fn go_on(&self, claim: &mut Claim) {
        self.lock().set_busy(claim, true);
    }

    /// Something that is no update (a task, `on_start`) works, or has ended.
    pub(super) fn work(&self, begins: bool) {
        let mut inner = self.lock();
        inner.busy = if begins { inner.busy + 1 } else { inner.busy.saturating_sub(1) };
    }

    /// The handlers returned. Gives the next update at once, if there is one and `more` is wanted.
    pub(super) fn finish(&self, mut claim: Claim, version: u64, more: bool) -> Option<Claim> {
        let mut inner = self.lock();
        inner.stop_running(&claim);
        inner.set_busy(&mut claim, false);
        inner.settle(&mut claim, &self.subscription);
        if inner.active != version {
            drop(inner);
            self.wake.notify_waiters();
            return None;
        }
        if more { inner.take(&self.subscription, version) } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_open(&self, version: u64) -> bool {
        self.active == version && !self.paused && self.running.is_none()
    }

    fn stop_running(&mut self, claim: &Claim) {
        if self.running.is_some_and(|running| running.seq == claim.update.seq) {
            self.running = None;
        }
    }

    fn set_busy(&mut self, claim: &mut Claim, busy: bool) {
        match (claim.busy, busy) {
            (false, true) => self.busy += 1,
            (true, false) => self.busy = self.busy.saturating_sub(1),
            _ => {}
        }
        claim.busy = busy;
    }

    fn take(&mut self, subscription: &Subscription, version: u64) -> Option<Claim> {
        if !self.is_open(version) {
            return None;
        }
        if let Some((lane, update)) = self.ready.pop_front() {
            self.running = Some(Running { seq: update.seq, version });
            return Some(Claim { update, lane: Some(lane), held: true, delivered: false, busy: false });
        }
        loop {
            // Past the bound, what comes stays in the subscription, whose own bound holds the stream back.
            if self.queue.is_empty() && self.undelivered.len() < PARKED {
                subscription.drain(&mut self.queue, BATCH);
            }
            let update = self.queue.pop_front()?;
            self.taken = update.seq;
            if !self.lanes.is_empty()
                && let Some(lane) = lane::of(&update)
                && let Some(waiting) = self.lanes.get_mut(&lane)
            {
                self.undelivered.insert(update.seq);
                waiting.push_back(update);
                continue;
            }
            self.running = Some(Running { seq: update.seq, version });
            return Some(Claim { update, lane: None, held: false, delivered: false, busy: false });
        }
    }

    fn settle(&mut self, claim: &mut Claim, subscription: &Subscription) {
        if claim.held
            && let Some(lane) = claim.lane
        {
            claim.held = false;
            match self.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
                Some(next) => self.ready.push_back((lane, next)),
                None => drop(self.lanes.remove(&lane)),
            }
        }
        if claim.delivered {
            return;
        }
        claim.delivered = true;
        self.undelivered.remove(&claim.update.seq);
        let waiting = self.undelivered.first().copied();
        // Another version's handler may run at this moment: it is in no set until it waits.
        let running = self.running.map(|running| running.seq).filter(|seq| *seq != claim.update.seq);
        let first = [waiting, running].into_iter().flatten().min();
        subscription.set_delivered(first.map_or(self.taken, |first| first - 1));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::client::Client;
    use crate::tl::{Object, Value, encode};

    /// The first version of a script, with what its client fed.
    struct Scene {
        client: Client,
        inbox: Arc<Inbox>,
        fed: i32,
    }

    impl Scene {
        fn new() -> Scene {
            let client = Client::detached();
            let inbox = Inbox::new(client.subscribe("test"));
            inbox.set_active(1);
            Scene { client, inbox, fed: 0 }
        }

        fn feed(&mut self, user: i64) {
            self.fed += 1;
            let message = Object::new("message")
                .with("id", self.fed)
                .with("peer_id", Object::new("peerUser").with("user_id", user))
                .with("date", 1)
                .with("message", "hi");
            let update =
                Object::new("updateNewMessage").with("message", message).with("pts", self.fed).with("pts_count", 1);
            let updates = Object::new("updates")
                .with("updates", vec![Value::Object(update)])
                .with("users", Vec::<Value>::new())
                .with("chats", Vec::<Value>::new())
                .with("date", 1)
                .with("seq", 0);
            let mut bytes = Vec::new();
            encode(&updates, &mut bytes).unwrap();
            self.client.feed(Bytes::from(bytes));
        }

        fn take(&self, version: u64) -> Option<Claim> {
            self.inbox.take(version)
        }

        fn delivered(&self) -> u64 {
            self.client.position().delivered
        }
    }

    #[test]
    fn a_chat_waits_for_its_handler_and_others_do_not() {
        let mut scene = Scene::new();
        for user in [7, 7, 8] {
            scene.feed(user);
        }
        let mut first = scene.take(1).unwrap();
        assert!(scene.take(1).is_none(), "one handler runs at a time");
        scene.inbox.suspend(&mut first);
        let other = scene.take(1).unwrap();
        assert_eq!(other.update.seq, first.update.seq + 2);
        assert!(scene.inbox.finish(other, 1, true).is_none(), "the second message waits for the first");
        assert_eq!(scene.delivered(), first.update.seq - 1);
        let seq = first.update.seq;
        let second = scene.inbox.finish(first, 1, true).unwrap();
        assert_eq!(second.update.seq, seq + 1);
        assert_eq!(scene.delivered(), seq);
        assert!(!scene.inbox.is_idle());
        assert!(scene.inbox.finish(second, 1, true).is_none());
        assert_eq!(scene.delivered(), seq + 2);
        assert!(scene.inbox.is_idle());
    }

    #[test]
    fn nothing_is_delivered_past_an_update_that_another_version_still_handles() {
        let mut scene = Scene::new();
        for user in [7, 8] {
            scene.feed(user);
        }
        let mut first = scene.take(1).unwrap();
        scene.inbox.suspend(&mut first);
        scene.inbox.set_active(2);
        let second = scene.take(2).unwrap();
        let seq = first.update.seq;
        assert!(scene.inbox.finish(first, 1, true).is_none());
        assert_eq!(scene.delivered(), seq, "the second runs on the new version");
        assert!(scene.inbox.finish(second, 2, true).is_none());
        assert_eq!(scene.delivered(), seq + 1);
    }

    #[test]
    fn a_handler_in_ask_lets_its_chat_go_on() {
        let mut scene = Scene::new();
        for user in [7, 7] {
            scene.feed(user);
        }
        let mut first = scene.take(1).unwrap();
        scene.inbox.suspend(&mut first);
        assert!(scene.take(1).is_none());
        scene.inbox.release(&mut first, false);
        assert_eq!(scene.delivered(), first.update.seq);
        let second = scene.take(1).unwrap();
        scene.inbox.finish(second, 1, true);
        assert_eq!((scene.delivered(), scene.inbox.is_idle()), (2, true));
        scene.inbox.go_on(&mut first);
        assert!(!scene.inbox.is_idle());
        scene.inbox.finish(first, 1, true);
        assert!(scene.inbox.is_idle());
    }

    #[test]
    fn a_new_version_respects_the_lanes_of_the_old_one() {
        let mut scene = Scene::new();
        for user in [7, 7, 8] {
            scene.feed(user);
        }
        let mut first = scene.take(1).unwrap();
        scene.inbox.suspend(&mut first);
        scene.inbox.set_active(2);
        assert!(scene.take(1).is_none(), "the old one takes no more");
        let other = scene.take(2).unwrap();
        scene.inbox.finish(other, 2, false);
        assert!(scene.take(2).is_none());
        assert!(scene.inbox.finish(first, 1, true).is_none());
        let second = scene.take(2).unwrap();
        assert_eq!(second.update.seq, 2);
        scene.inbox.finish(second, 2, false);
        assert_eq!((scene.delivered(), scene.inbox.is_idle()), (3, true));
    }

    #[test]
    fn nothing_is_given_out_while_the_inbox_is_paused() {
        let mut scene = Scene::new();
        scene.feed(7);
        scene.inbox.pause();
        assert!(scene.take(1).is_none());
        assert!(!scene.inbox.is_idle());
        scene.inbox.resume();
        assert!(scene.take(1).is_some());
    }
}
