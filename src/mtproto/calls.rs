//! What was sent and is not settled: a client's calls, a server's messages.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;

use super::engine::Engine;
use super::outbox::{Id, Outgoing, Ready, What};
use super::packet::body;
use super::{Event, LostReason, MsgId, Side, Time};
use crate::tl::types;

/// The most ids that one service message names.
/// <https://core.telegram.org/mtproto/service_messages_about_messages>
pub(super) const MAX_IDS: usize = 8192;

/// How often a call may be refused before it is given up.
const MAX_REFUSALS: u8 = 5;

/// Service messages that are remembered for the case that the server refuses them.
const MAX_REFUSABLE: usize = 64;

/// What a server keeps for a client that does not acknowledge; beyond it the oldest is let go, as after a session's end.
const MAX_KEPT: usize = 8192;
const MAX_KEPT_BYTES: usize = 32 << 20;

/// A query on its way.
#[derive(Debug)]
pub(super) struct Call {
    pub handle: MsgId,
    pub body: Bytes,
    pub container: Option<MsgId>,
    pub seqno: i32,
    pub refused: u8,
}

/// A client's messages that have been sent, by the ids they have on the wire.
#[derive(Debug, Default)]
pub(super) struct Calls {
    sent: HashMap<MsgId, Call>,
    refusable: VecDeque<(MsgId, Option<MsgId>, Outgoing)>,
    /// Status requests, and the messages that they asked about.
    asked: Vec<(MsgId, Vec<MsgId>)>,
}

impl Calls {
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// The call was answered.
    pub fn take(&mut self, wire: MsgId) -> Option<Call> {
        self.sent.remove(&wire)
    }

    pub fn contains(&self, wire: MsgId) -> bool {
        self.sent.contains_key(&wire)
    }

    /// Whether a message or container of this id was sent recently.
    pub fn was_sent(&self, id: MsgId) -> bool {
        self.sent.contains_key(&id)
            || self.refusable.iter().any(|(wire, container, _)| *wire == id || *container == Some(id))
            || self.sent.values().any(|call| call.container == Some(id))
    }

    /// Forgets the call of this name and returns its id on the wire.
    pub fn forget(&mut self, handle: MsgId) -> Option<MsgId> {
        let wire = match self.sent.get(&handle) {
            Some(call) if call.handle == handle => handle,
            _ => *self.sent.iter().find(|(_, call)| call.handle == handle)?.0,
        };
        self.sent.remove(&wire).map(|_| wire)
    }

    /// All messages that went out under this id or in a container of this id: None if there is no such id.
    pub fn take_refused(&mut self, id: MsgId) -> Option<(Vec<Call>, Vec<Outgoing>)> {
        let in_it = |wire: MsgId, container: Option<MsgId>| wire == id || container == Some(id);
        let calls: Vec<Call> =
            self.sent.extract_if(|wire, call| in_it(*wire, call.container)).map(|(_, c)| c).collect();
        let mut service = Vec::new();
        self.refusable.retain(|(wire, container, message)| {
            let refused = in_it(*wire, *container);
            if refused {
                service.push(message.clone());
            }
            !refused
        });
        (!calls.is_empty() || !service.is_empty()).then_some((calls, service))
    }

    /// Whether a service query of this constructor was sent under this id; it is answered now.
    pub fn take_service(&mut self, id: MsgId, constructor: u32) -> bool {
        let is_it = |(wire, _, message): &(MsgId, Option<MsgId>, Outgoing)| {
            *wire == id && message.body.starts_with(&constructor.to_le_bytes())
        };
        let at = self.refusable.iter().position(is_it);
        at.and_then(|at| self.refusable.remove(at)).is_some()
    }

    /// All calls older than `first`.
    pub fn take_older(&mut self, first: MsgId) -> Vec<Call> {
        self.sent.extract_if(|wire, _| *wire < first).map(|(_, call)| call).collect()
    }

    /// The ids that the status request `request` asked about.
    pub fn take_asked(&mut self, request: MsgId) -> Option<Vec<MsgId>> {
        let at = self.asked.iter().position(|(id, _)| *id == request)?;
        Some(self.asked.swap_remove(at).1)
    }

    /// A copy of the call as it was sent, id and all.
    pub fn again(&self, wire: MsgId) -> Option<Outgoing> {
        let call = self.sent.get(&wire)?;
        Some(Outgoing { body: call.body.clone(), content: true, what: What::Again, id: Id::Kept(wire, call.seqno) })
    }
}

impl Engine {
    /// A message left in a packet: remembers what has to be.
    pub(super) fn note_sent(&mut self, ready: Ready, container: Option<MsgId>, now: Time) {
        let Ready { id, seqno, message } = ready;
        match (&message.what, self.side) {
            (What::Call { handle, refused }, _) => {
                let (handle, refused) = (*handle, *refused);
                self.calls.sent.insert(id, Call { handle, body: message.body, container, seqno, refused });
                return;
            }
            (What::StateReq(about), _) => self.calls.asked.push((id, about.clone())),
            (What::ToClient { answers }, _) => {
                self.kept.insert(id, Sent { seqno, answers: *answers, body: message.body });
                return;
            }
            (What::Momentary, _) => self.liveness.ping_left(now.mono),
            (What::Service | What::Again, _) => {}
        }
        // Only a server refuses.
        if self.side == Side::Client {
            if self.calls.refusable.len() == MAX_REFUSABLE {
                self.calls.refusable.pop_front();
            }
            self.calls.refusable.push_back((id, container, message));
        }
    }

    /// Sends refused calls again under new ids, in their old order and before all that waits; gives up those that were
    /// refused too often.
    pub(super) fn send_refused_again(&mut self, mut calls: Vec<Call>, code: i32) {
        calls.sort_by_key(|call| std::cmp::Reverse(call.handle));
        for call in calls {
            let refused = call.refused + 1;
            if refused > MAX_REFUSALS {
                self.lose(call, LostReason::Refused(code));
            } else {
                self.send_again(call, refused);
            }
        }
    }

    /// Sends calls again that the server has certainly not received, under new ids.
    pub(super) fn send_unreceived_again(&mut self, mut calls: Vec<Call>) {
        calls.sort_by_key(|call| std::cmp::Reverse(call.handle));
        for call in calls {
            let refused = call.refused;
            self.send_again(call, refused);
        }
    }

    fn send_again(&mut self, call: Call, refused: u8) {
        let what = What::Call { handle: call.handle, refused };
        let id = self.response_id();
        self.outbox.push_front(Outgoing { body: call.body, content: true, what, id });
    }

    pub(super) fn lose(&mut self, call: Call, reason: LostReason) {
        self.events.push_back(Event::QueryLost { to: call.handle, body: call.body, reason });
    }

    /// Asks the server which of the calls on their way it has received.
    ///
    /// "The status of the message can be checked using msgs_state_req and if the message wasn't received, then it must
    /// be re-sent with a new msg_id":
    /// <https://core.telegram.org/mtproto/service_messages_about_messages#informational-message-regarding-status-of-messages>
    pub(super) fn ask_about_calls(&mut self) {
        self.calls.asked.clear();
        let is_question = |message: &Outgoing| matches!(message.what, What::StateReq(_));
        self.outbox.queue.retain(|message| !is_question(message));
        let mut about: Vec<MsgId> = self.calls.sent.keys().copied().collect();
        about.sort_unstable();
        for about in about.chunks(MAX_IDS).rev() {
            let ids: Vec<i64> = about.iter().map(|id| id.0).collect();
            let body = body(types::MsgsStateReq { msg_ids: ids[..].into() });
            let id = self.response_id();
            let what = What::StateReq(about.to_vec());
            self.outbox.push_front(Outgoing { body, content: true, what, id });
        }
    }

    /// Sends all that the client has not acknowledged.
    ///
    /// "The server would re-send the missing response at the first opportunity":
    /// <https://core.telegram.org/mtproto/service_messages#cancellation-of-an-rpc-query>
    pub(super) fn send_kept_again(&mut self) {
        for (id, sent) in self.kept.messages.iter().rev() {
            self.outbox.push_front(sent.again(*id));
        }
    }
}

/// A message of the server that the client has not acknowledged.
#[derive(Debug)]
pub(super) struct Sent {
    pub seqno: i32,
    pub answers: Option<MsgId>,
    pub body: Bytes,
}

impl Sent {
    pub fn again(&self, id: MsgId) -> Outgoing {
        Outgoing { body: self.body.clone(), content: true, what: What::Again, id: Id::Kept(id, self.seqno) }
    }
}

/// A server's messages until they are acknowledged.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub messages: BTreeMap<MsgId, Sent>,
    /// Which message answers a query.
    answers: HashMap<MsgId, MsgId>,
    bytes: usize,
}

impl Kept {
    fn insert(&mut self, id: MsgId, sent: Sent) {
        self.bytes += sent.body.len();
        if let Some(query) = sent.answers {
            self.answers.insert(query, id);
        }
        self.messages.insert(id, sent);
        while self.messages.len() > MAX_KEPT || self.bytes > MAX_KEPT_BYTES && self.messages.len() > 1 {
            let oldest = *self.messages.keys().next().expect("there are more than one");
            self.remove(oldest);
        }
    }

    pub fn remove(&mut self, id: MsgId) -> Option<Sent> {
        let sent = self.messages.remove(&id)?;
        self.bytes -= sent.body.len();
        if let Some(query) = sent.answers {
            self.answers.remove(&query);
        }
        Some(sent)
    }

    /// The message that answers this query, while it is not acknowledged.
    pub fn answer_to(&self, query: MsgId) -> Option<MsgId> {
        self.answers.get(&query).copied()
    }
}
