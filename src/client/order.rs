//! Calls that are to be done in order, though nobody waits for one's answer before the next is sent.
//!
//! Each call has a [`Turn`]. It leaves once those before it have left, and names them to the server, which does it after they are
//! done (invokeAfterMsg): <https://core.telegram.org/api/invoking#helper-method-sequence>. One that slept through a flood wait or
//! was lost with its session leaves again, and those after it with it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::net::Place;

/// A call's turn in an order: after those before it, and only if they succeed. Clones share it.
#[derive(Clone)]
pub struct Turn(Arc<Inner>);

struct Inner {
    progress: watch::Sender<Progress>,
    before: Vec<Turn>,
}

#[derive(Clone)]
enum Progress {
    /// The call has not been sent, or will be sent again.
    Waiting,
    Sent(Place),
    Done,
    /// There was no call: what comes after it comes after those before it.
    Passed,
    Failed,
}

impl Turn {
    /// The turn after these.
    pub fn after(before: Vec<Turn>) -> Turn {
        Turn(Arc::new(Inner { progress: watch::Sender::new(Progress::Waiting), before }))
    }

    /// Its call will not be made, but those after it may be. No effect on a turn that has been taken.
    pub fn pass(&self) {
        self.end(Progress::Passed);
    }

    /// Neither its call nor those after it shall be made. No effect on a turn that has been taken.
    pub fn fail(&self) {
        self.end(Progress::Failed);
    }

    /// The turn has been taken, one way or another.
    pub fn is_over(&self) -> bool {
        matches!(*self.0.progress.borrow(), Progress::Done | Progress::Passed | Progress::Failed)
    }

    fn end(&self, progress: Progress) {
        self.0.progress.send_if_modified(|now| {
            let open = matches!(now, Progress::Waiting);
            if open {
                *now = progress;
            }
            open
        });
    }
}

/// The calls before have failed, so this one must not be made.
pub(super) struct Barred;

/// A turn that is being taken. Dropped before its call has succeeded, it fails.
pub(super) struct Taking<'t>(&'t Turn);

impl<'t> Taking<'t> {
    pub fn new(turn: &'t Turn) -> Taking<'t> {
        Taking(turn)
    }

    /// Waits until the calls before are on their way or done; where those are that have no answer yet.
    pub async fn come(&self) -> Result<Vec<Place>, Barred> {
        let mut places = Vec::new();
        let mut before = self.0.0.before.clone();
        while let Some(turn) = before.pop() {
            let mut progress = turn.0.progress.subscribe();
            let left = progress.wait_for(|progress| !matches!(progress, Progress::Waiting)).await;
            let Ok(left) = left.map(|left| left.clone()) else { return Err(Barred) };
            match left {
                Progress::Sent(place) => places.push(place),
                Progress::Done | Progress::Waiting => {}
                Progress::Passed => before.extend(turn.0.before.iter().cloned()),
                Progress::Failed => return Err(Barred),
            }
        }
        Ok(places)
    }

    /// Waits until the calls before have left these places, by an answer or to be sent again.
    pub async fn moved(&self, places: &[Place]) {
        let mut before = self.0.0.before.clone();
        while let Some(turn) = before.pop() {
            let is_there = |progress: &Progress| match progress {
                Progress::Sent(place) => places.iter().any(|other| other.is(place)),
                _ => false,
            };
            let mut progress = turn.0.progress.subscribe();
            // Who held the other end is here.
            let _ = progress.wait_for(|progress| !is_there(progress)).await;
            if matches!(*progress.borrow(), Progress::Passed) {
                before.extend(turn.0.before.iter().cloned());
            }
        }
    }

    pub fn sent(&self, place: &Place) {
        self.0.0.progress.send_replace(Progress::Sent(place.clone()));
    }

    /// The call will be sent again.
    pub fn back(&self) {
        self.0.0.progress.send_replace(Progress::Waiting);
    }

    pub fn done(&self) {
        self.0.0.progress.send_replace(Progress::Done);
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        if !self.0.is_over() {
            self.0.0.progress.send_replace(Progress::Failed);
        }
    }
}
