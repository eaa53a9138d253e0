//! Calls on their way: the caller's end and the loop's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot, watch};

use super::connection::{CallFailure, Status};
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
    Sent { session: i64, name: MsgId },
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
pub struct Asked {
    pub(super) answer: oneshot::Receiver<Result<Bytes, CallFailure>>,
    pub(super) place: Place,
    pub(super) status: watch::Receiver<Status>,
    pub(super) given_up: Arc<Notify>,
}

impl Asked {
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

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.answer.is_terminated() {
            // Closed first: who is woken looks.
            self.answer.close();
            self.given_up.notify_one();
        }
    }
}

/// The calls of an engine that wait for their answers.
#[derive(Default)]
pub(super) struct Pending {
    calls: HashMap<MsgId, (Place, oneshot::Sender<Result<Bytes, CallFailure>>)>,
}

impl Pending {
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Hands a call to the engine, unless nobody wants it any more or what it should come after has failed.
    pub fn send(&mut self, call: Call, engine: &mut Engine, now: Time) {
        let Call { body, after, place, reply } = call;
        if reply.is_closed() {
            return place.set(Stage::Failed);
        }
        let session = engine.session_id();
        let mut names = Vec::new();
        for before in &after {
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
            place.set(Stage::Failed);
            let _ = reply.send(Err(CallFailure::Rpc(refusal)));
            return;
        }
        let name = engine.send_after(body, names, now);
        place.set(Stage::Sent { session, name });
        self.calls.insert(name, (place, reply));
    }

    /// The server's answer. A caller that gave up is no fault.
    pub fn answer(&mut self, name: MsgId, result: Result<Bytes, RpcError>) {
        self.end(name, result.map_err(CallFailure::Rpc));
    }

    /// There will be no answer.
    pub fn lose(&mut self, name: MsgId, reason: LostReason) {
        self.end(name, Err(match reason {
            LostReason::TooLarge(bytes) => CallFailure::TooLarge(bytes),
            reason => CallFailure::Lost { certainly_not_done: reason.certainly_not_done() },
        }));
    }

    /// The server has it.
    pub fn receive(&mut self, name: MsgId) {
        if let Some((place, _)) = self.calls.get(&name) {
            place.progress().received = true;
        }
    }

    /// Gives up the calls whose callers did, and lets the server know.
    pub fn sweep(&mut self, engine: &mut Engine) {
        self.calls.retain(|name, (place, reply)| {
            if reply.is_closed() {
                place.set(Stage::Failed);
                engine.cancel(*name);
            }
            !reply.is_closed()
        });
    }

    /// No call will be answered any more.
    pub fn fail_all(&mut self, failure: &CallFailure) {
        for name in self.calls.keys().copied().collect::<Vec<_>>() {
            self.end(name, Err(failure.clone()));
        }
    }

    fn end(&mut self, name: MsgId, result: Result<Bytes, CallFailure>) {
        if let Some((place, reply)) = self.calls.remove(&name) {
            place.set(if result.is_ok() { Stage::Done } else { Stage::Failed });
            let _ = reply.send(result);
        }
    }
}
