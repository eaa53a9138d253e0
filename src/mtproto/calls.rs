//! What was sent and is not settled: a client's calls, a server's messages.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;

use super::engine::Engine;
use super::outbox::{Id, Outgoing, Ready, What, head};
use super::packet::body;
use super::{Event, LostReason, MsgId, RpcError, Side, Time};
use crate::tl::types;

/// The most ids that one service message names.
/// <https://core.telegram.org/mtproto/service_messages_about_messages>
pub(super) const MAX_IDS: usize = 8192;

/// How often a call may be refused before it is given up.
const MAX_REFUSALS: u8 = 5;

/// The server's word for a query whose predecessor failed. <https://core.telegram.org/api/invoking#helper-method-sequence>
const MSG_WAIT_FAILED: &str = "MSG_WAIT_FAILED";

/// In place of a predecessor that failed.
const FAILED: MsgId = MsgId(0);

/// A call that never arrived keeps its message id for this many seconds: "even if the other party should receive two copies of
/// the message at the same time, the duplicate will be ignored". The id of an older one "is no longer valid".
/// <https://core.telegram.org/mtproto/service_messages_about_messages#informational-message-regarding-status-of-messages>
const KEPT_ID: i64 = 240;

/// Service messages that are remembered for the case that the server refuses them.
const MAX_REFUSABLE: usize = 64;

/// Messages of this many bytes are not sent again before the client has asked for them.
const ANNOUNCED: usize = 16 << 10;

/// What a server keeps for a client that does not acknowledge; beyond it the oldest is let go, as after a session's end.
const MAX_KEPT: usize = 8192;
const MAX_KEPT_BYTES: usize = 32 << 20;

/// A query, and the id that it went out under.
pub(super) type SentCall = (MsgId, Call);

/// A query on its way.
#[derive(Debug)]
pub(super) struct Call {
    pub handle: MsgId,
    pub body: Bytes,
    pub container: Option<MsgId>,
    pub seqno: i32,
    pub refused: u8,
    /// The calls to be done before it.
    pub after: Vec<MsgId>,
    /// The server has said that it came.
    pub received: bool,
    /// Sent more than once under this id: an earlier copy may be on its way, however late it comes.
    pub copied: bool,
}

/// A client's messages that have been sent, by the ids they have on the wire.
#[derive(Debug, Default)]
pub(super) struct Calls {
    sent: HashMap<MsgId, Call>,
    /// Names and ids on the wire of those in the packet that is being made.
    pub leaving: Vec<(MsgId, MsgId)>,
    refusable: VecDeque<(MsgId, Option<MsgId>, Outgoing)>,
    /// Status requests, and the messages that they asked about.
    asked: Vec<(MsgId, Vec<MsgId>)>,
    /// Refusals of service messages since the server last took anything.
    pub refusals: u8,
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

    /// The id on the wire of the call of this name, while it has no answer.
    pub fn wire_of(&self, handle: MsgId) -> Option<MsgId> {
        match self.sent.get(&handle) {
            Some(call) if call.handle == handle => Some(handle),
            _ => self.sent.iter().find(|(_, call)| call.handle == handle).map(|(wire, _)| *wire),
        }
    }

    /// Forgets the call of this name and returns its id on the wire.
    pub fn forget(&mut self, handle: MsgId) -> Option<MsgId> {
        let wire = self.wire_of(handle)?;
        self.sent.remove(&wire).map(|_| wire)
    }

    /// What stands before a query to be done after these calls: those that were done need not be named.
    pub fn head(&self, after: &[MsgId]) -> Vec<u8> {
        if after.is_empty() {
            return Vec::new();
        }
        let leaving = |handle| self.leaving.iter().find(|(name, _)| *name == handle).map(|(_, wire)| *wire);
        let wire = |handle: &MsgId| leaving(*handle).or_else(|| self.wire_of(*handle));
        head(&after.iter().filter_map(wire).map(|wire| wire.0).collect::<Vec<i64>>())
    }

    /// Notes that the server has the message of this id. Its call's name, if this is news.
    fn receive(&mut self, wire: MsgId) -> Option<MsgId> {
        let call = self.sent.get_mut(&wire).filter(|call| !call.received)?;
        call.received = true;
        Some(call.handle)
    }

    /// All messages that went out under this id or in a container of this id: None if there is no such id.
    pub fn take_refused(&mut self, id: MsgId) -> Option<(Vec<SentCall>, Vec<Outgoing>)> {
        let in_it = |wire: MsgId, container: Option<MsgId>| wire == id || container == Some(id);
        let calls: Vec<SentCall> = self.sent.extract_if(|wire, call| in_it(*wire, call.container)).collect();
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
        let body = match self.head(&call.after) {
            head if head.is_empty() => call.body.clone(),
            head => [&head[..], &call.body[..]].concat().into(),
        };
        Some(Outgoing { body, content: true, what: What::Again, id: Id::Kept(wire, call.seqno) })
    }
}

impl Engine {
    /// A message left in a packet: remembers what has to be.
    pub(super) fn note_sent(&mut self, ready: Ready, container: Option<MsgId>, now: Time) {
        let Ready { id, seqno, message, .. } = ready;
        if let What::Call { handle, refused, after } = message.what {
            let call =
                Call { handle, body: message.body, container, seqno, refused, after, received: false, copied: false };
            self.calls.sent.insert(id, call);
            self.outbox.carried.push(id);
            return;
        }
        // A copy of a call is refused with its new container.
        if let (What::Again, Some(call)) = (&message.what, self.calls.sent.get_mut(&id)) {
            call.container = container;
            call.copied = true;
            return;
        }
        match (&message.what, self.side) {
            (What::StateReq(about), _) => self.calls.asked.push((id, about.clone())),
            (What::ToClient { answers }, _) => {
                self.kept.insert(id, Sent { seqno, answers: *answers, body: message.body });
                return;
            }
            (What::Momentary, _) => self.liveness.ping_left(now.mono),
            (What::Call { .. } | What::Service | What::Again, _) => {}
        }
        // Only a server refuses.
        if self.side == Side::Client {
            if self.calls.refusable.len() == MAX_REFUSABLE {
                self.calls.refusable.pop_front();
            }
            self.calls.refusable.push_back((id, container, message));
        }
    }

    /// Sends calls again that were refused by the message id `refused`, in their old order and before all that waits; gives up
    /// those that were refused too often.
    ///
    /// They get new ids, but for copies whose container was refused: an earlier copy may come after all, and the server is to
    /// know it again by its id.
    pub(super) fn send_refused_again(&mut self, mut calls: Vec<SentCall>, refused: MsgId, code: i32, now: Time) {
        calls.sort_by_key(|(_, call)| std::cmp::Reverse(call.handle));
        for (wire, mut call) in calls {
            call.refused += 1;
            if call.refused > MAX_REFUSALS {
                self.lose(call, LostReason::Refused(code));
            } else if call.copied && wire != refused {
                self.calls.sent.insert(wire, call);
                self.send_unreceived_again(vec![wire], now);
            } else {
                let times = call.refused;
                self.send_again(call, times);
            }
        }
    }

    /// The container of these calls is the copy of one that came before, so they came with it: asks what became of them.
    pub(super) fn ask_about_repeated(&mut self, calls: Vec<SentCall>) {
        self.calls.sent.extend(calls);
        self.ask_about_calls();
    }

    /// Sends calls again that no session of the server can have done, under new ids.
    pub(super) fn send_all_again(&mut self, mut calls: Vec<Call>) {
        calls.sort_by_key(|call| std::cmp::Reverse(call.handle));
        for call in calls {
            let refused = call.refused;
            self.send_again(call, refused);
        }
    }

    /// Sends calls again that this session of the server has not received: under their old ids, so that a copy which comes late
    /// after all is not done a second time; under new ones when the old ones are too old for that.
    pub(super) fn send_unreceived_again(&mut self, mut wires: Vec<MsgId>, now: Time) {
        wires.sort_by_key(|wire| std::cmp::Reverse(*wire));
        let seconds = self.clock.unix(now).as_secs() as i64;
        for wire in wires {
            let Some(call) = self.calls.sent.get(&wire) else { continue };
            // What it waits for may be on its way to another id.
            let is_sent = |handle: &MsgId| !self.outbox.queue.iter().any(|queued| queued.what.is_call(*handle));
            let keeps_id = seconds - wire.seconds() < KEPT_ID && call.after.iter().all(is_sent);
            if keeps_id {
                self.calls.again(wire).into_iter().for_each(|again| self.outbox.push_front(again));
            } else if let Some(call) = self.calls.take(wire) {
                let refused = call.refused;
                self.send_again(call, refused);
            }
        }
    }

    fn send_again(&mut self, call: Call, refused: u8) {
        let Call { handle, after, body, .. } = call;
        if after.contains(&FAILED) {
            return self.fail(handle);
        }
        let id = self.response_id();
        let what = What::Call { handle, refused, after };
        self.outbox.push_call(handle, Outgoing { body, content: true, what, id });
    }

    /// Sends refused service messages again, before all that waits. A server that refuses them whatever they say is not told them
    /// for ever; it will not tell us either what became of the calls that it was asked about.
    pub(super) fn send_service_again(&mut self, service: Vec<Outgoing>) {
        if service.is_empty() {
            return;
        }
        self.calls.refusals = self.calls.refusals.saturating_add(1);
        if self.calls.refusals <= MAX_REFUSALS {
            service.into_iter().rev().for_each(|message| self.outbox.push_front(message));
            return;
        }
        for message in service {
            let What::StateReq(about) = message.what else { continue };
            for wire in about {
                if let Some(call) = self.calls.take(wire) {
                    self.lose(call, LostReason::Forgotten);
                }
            }
        }
    }

    pub(super) fn lose(&mut self, call: Call, reason: LostReason) {
        self.events.push_back(Event::QueryLost { to: call.handle, body: call.body, reason });
        self.fail_dependents(call.handle);
    }

    /// What was to be done after this call, and has not been sent, is not sent any more: as the server would, it answers
    /// "400 MSG_WAIT_FAILED". What is on its way the server answers itself.
    /// <https://core.telegram.org/api/invoking#helper-method-sequence>
    pub(super) fn fail_dependents(&mut self, failed: MsgId) {
        for call in self.calls.sent.values_mut() {
            call.after.iter_mut().filter(|handle| **handle == failed).for_each(|handle| *handle = FAILED);
        }
        let depends = |message: &Outgoing| match &message.what {
            What::Call { handle, after, .. } if after.contains(&failed) => Some(*handle),
            _ => None,
        };
        let dependents: Vec<MsgId> = self.outbox.queue.iter().filter_map(depends).collect();
        if !dependents.is_empty() {
            self.outbox.queue.retain(|message| depends(message).is_none());
            dependents.into_iter().for_each(|handle| self.fail(handle));
        }
    }

    fn fail(&mut self, handle: MsgId) {
        let error = RpcError { code: 400, message: MSG_WAIT_FAILED.to_owned() };
        self.events.push_back(Event::Reply { to: handle, result: Err(error) });
        self.fail_dependents(handle);
    }

    /// Client: the server has the message of this id, whatever becomes of it.
    pub(super) fn received_by_server(&mut self, wire: MsgId) {
        self.ids.accepted(wire);
        if let Some(call) = self.calls.receive(wire) {
            self.events.push_back(Event::Received { call });
        }
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

    /// Asks once more, where the last question has no answer: that is no message which the server would keep and send again.
    pub(super) fn ask_again_about_calls(&mut self) {
        if !self.calls.asked.is_empty() {
            self.ask_about_calls();
        }
    }

    /// Sends all that the client has not acknowledged.
    ///
    /// "The server would re-send the missing response at the first opportunity":
    /// <https://core.telegram.org/mtproto/service_messages#cancellation-of-an-rpc-query>
    pub(super) fn send_kept_again(&mut self) {
        let ids: Vec<MsgId> = self.kept.messages.keys().rev().copied().collect();
        for id in ids {
            self.again_or_announced(id).into_iter().for_each(|again| self.outbox.push_front(again));
        }
    }

    /// Server: a copy of a message that the client has not acknowledged. Of a large one only the news that it is there: "if the
    /// response is small, the server may re-send the answer itself instead".
    /// <https://core.telegram.org/mtproto/service_messages_about_messages#extended-voluntary-communication-of-status-of-one-message>
    pub(super) fn again_or_announced(&self, id: MsgId) -> Option<Outgoing> {
        let sent = self.kept.messages.get(&id)?;
        if sent.body.len() < ANNOUNCED {
            return Some(sent.again(id));
        }
        let bytes = sent.body.len() as i32;
        let body = match sent.answers {
            Some(query) => body(types::MsgDetailedInfo { msg_id: query.0, answer_msg_id: id.0, bytes, status: 0 }),
            None => body(types::MsgNewDetailedInfo { answer_msg_id: id.0, bytes, status: 0 }),
        };
        // The next connection tells it anew.
        Some(Outgoing { body, content: false, what: What::Momentary, id: self.response_id() })
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
