//! Calls on their way: the caller's end and the loop's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot, watch};

use super::connection::{CallFailure, Fatal, Status};
use crate::mtproto::{Engine, LostReason, MsgId, RpcError, Time};

/// A call on its way to the loop.
pub(super) struct Call {
    pub body: Bytes,
    /// The calls to be done before it.
    pub after: Vec<Place>,
    pub place: Place,
    pub reply: oneshot::Sender<Result<Bytes, CallFailure>>,
}

/// Where a call is. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Place(Arc<Mutex<Progress>>);

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    stage: Stage,
    received: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// In the queue of calls.
    #[default]
    Queued,
    /// In this session, by this name.
    Sent {
        session: i64,
        name: MsgId,
    },
    Done,
    Failed,
}

impl Place {
    /// True once the server has said that it has the call. Whether it was done nobody knows.
    pub fn is_received(&self) -> bool {
        self.progress().received
    }

    /// Whether both are of the same call.
    pub fn is(&self, other: &Place) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stage(&self) -> Stage {
        self.progress().stage
    }

    fn set(&self, stage: Stage) {
        self.progress().stage = stage;
    }
}

/// A call that is on its way. Dropping it gives up its answer, and lets the server know at once.
pub struct Underway {
    pub(super) answer: oneshot::Receiver<Result<Bytes, CallFailure>>,
    pub(super) place: Place,
    pub(super) status: watch::Receiver<Status>,
    pub(super) given_up: Arc<Notify>,
}

impl Underway {
    /// Where it is, for calls that come after it.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its answer, however many sockets that takes.
    pub async fn answer(mut self) -> Result<Bytes, CallFailure> {
        match (&mut self.answer).await {
            Ok(answer) => answer,
            Err(_) => Err(CallFailure::Closed(self.status.borrow().fatal.clone())),
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if !self.answer.is_terminated() {
            // Closed first: who is woken looks.
            self.answer.close();
            self.given_up.notify_one();
        }
    }
}

impl Call {
    /// Hands it to the engine, and returns the name by which its answer will be told; None if nobody wants it any more, or what
    /// it should come after has failed.
    pub fn send(self, engine: &mut Engine, now: Time) -> Option<(MsgId, Call)> {
        if self.reply.is_closed() {
            self.place.set(Stage::Failed);
            return None;
        }
        let session = engine.session_id();
        let mut names = Vec::new();
        for before in &self.after {
            let refusal = match before.stage() {
                Stage::Done => continue,
                Stage::Sent { session: this, name } if this == session => {
                    names.push(name);
                    continue;
                }
                Stage::Failed => RpcError { code: 400, message: "MSG_WAIT_FAILED".to_owned() },
                // A session knows nothing of another's messages: the caller has to wait for the answer.
                Stage::Sent { .. } | Stage::Queued => RpcError { code: -503, message: "MSG_WAIT_TIMEOUT".to_owned() },
            };
            self.answer(Err(CallFailure::Rpc(refusal)));
            return None;
        }
        let name = engine.send_after(self.body.clone(), names, now);
        self.place.set(Stage::Sent { session, name });
        Some((name, self))
    }

    /// It was certainly not done, and waits to be sent again.
    pub fn returned(self) -> Call {
        self.place.set(Stage::Queued);
        self
    }

    /// The server has it.
    pub fn received(&self) {
        self.place.progress().received = true;
    }

    /// The caller that wanted it has given up.
    pub fn is_given_up(&self) -> bool {
        self.reply.is_closed()
    }

    pub fn answer(self, result: Result<Bytes, CallFailure>) {
        self.place.set(if result.is_ok() { Stage::Done } else { Stage::Failed });
        // A caller that gave up is no fault.
        let _ = self.reply.send(result);
    }

    /// There will be no answer.
    pub fn lost(self, reason: LostReason) {
        self.answer(Err(match reason {
            LostReason::TooLarge(bytes) => CallFailure::TooLarge(bytes),
            reason => CallFailure::Lost { certainly_not_done: reason.certainly_not_done() },
        }));
    }

    /// There will be no connection any more.
    pub fn closed(self, fatal: &Fatal) {
        self.answer(Err(CallFailure::Closed(Some(fatal.clone()))));
    }
}
