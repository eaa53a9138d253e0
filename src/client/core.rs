//! What the handles of one client share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::endings::Ending;
use super::invoke::{Caller, function_of};
use super::updates::Updates;
use super::{CallError, Me, Peers, Turn};
use crate::net::{Clock, Status};
use crate::storage::Session;

pub(super) struct Core {
    pub clock: Clock,
    pub session: Session,
    pub peers: Arc<Peers>,
    pub me: Arc<Me>,
    updates: Mutex<Updates>,
    /// `None` for a client that was never connected, or was stopped.
    caller: Mutex<Option<Caller>>,
    pub status: Option<watch::Receiver<Status>>,
    in_flight: AtomicUsize,
    /// Told when a call's result moved the state.
    pub moved: Notify,
    /// Why the client ended by itself.
    pub ended: watch::Sender<Option<String>>,
    /// True once the stream of updates is wanted.
    pub begun: watch::Sender<bool>,
}

impl Core {
    pub fn new(
        clock: Clock,
        session: Session,
        peers: Arc<Peers>,
        me: Arc<Me>,
        updates: Updates,
        caller: Option<Caller>,
    ) -> Core {
        Core {
            clock,
            session,
            peers,
            me,
            updates: Mutex::new(updates),
            status: caller.as_ref().map(|caller| caller.connection.status()),
            caller: Mutex::new(caller),
            in_flight: AtomicUsize::new(0),
            moved: Notify::new(),
            ended: watch::Sender::new(None),
            begun: watch::Sender::new(false),
        }
    }

    pub fn updates(&self) -> MutexGuard<'_, Updates> {
        self.updates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn caller(&self) -> Result<Caller, CallError> {
        let caller = self.caller.lock().unwrap_or_else(PoisonError::into_inner);
        caller.clone().ok_or_else(|| CallError::Closed { reason: "it is not connected".into() })
    }

    /// Calls, and gives what the result says of updates its place before anyone reads the result.
    pub async fn invoke(&self, body: Bytes, turn: Option<&Turn>) -> Result<Bytes, CallError> {
        function_of(&body)?;
        let _counted = InFlight::new(&self.in_flight);
        let result = match self.caller()?.call_in(body.clone(), turn).await {
            Ok(result) => result,
            Err(error) => {
                if let CallError::Rpc(error) = &error
                    && let Some(ending) = Ending::of_error(error)
                {
                    self.end(&ending);
                }
                return Err(error);
            }
        };
        let now = self.clock.now().mono;
        let is_unsaved = {
            let mut updates = self.updates();
            updates.own_result(&body, &result, now);
            updates.is_unsaved()
        };
        if is_unsaved {
            self.moved.notify_one();
        }
        Ok(result)
    }

    pub fn calls_in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    pub fn status(&self) -> Status {
        self.status.as_ref().map(|status| status.borrow().clone()).unwrap_or_default()
    }

    /// Puts what may be saved into the session.
    pub fn save(&self) {
        let saved = self.updates().take_saved();
        if let Some((state, channels)) = saved {
            self.session.save_state(state, channels);
        }
    }

    /// The account can no longer be used: says so, and closes.
    pub fn end(&self, ending: &Ending) {
        let path = self.session.path().display();
        self.end_because(format!("session {path} is no longer signed in ({}): {}", ending.reason, ending.advice));
    }

    /// There is no going on. What is said first is what is told.
    pub fn end_because(&self, reason: String) {
        self.close();
        let first = self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert_with(|| reason.clone());
            first
        });
        if first {
            tracing::error!("the client has ended: {reason}");
        }
    }

    /// No further call is made, and every subscription ends.
    pub fn close(&self) {
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.updates().close();
    }
}

struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicUsize) -> InFlight<'a> {
        count.fetch_add(1, Ordering::AcqRel);
        InFlight(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
