//! One session with a peer: what its owner asks for, and when.
//!
//! How messages leave is told in `outbox`, what comes in is told in `handle`.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::binding::Binding;
use super::calls::{Calls, Kept};
use super::gzip::{MAX_INFLATED, deflate};
use super::handle::acks::Acks;
use super::handle::ping::Liveness;
use super::handle::salts::{FutureSalt, Salts};
use super::handle::session::SessionStart;
use super::ids::{IdKind, MsgIds, Received, SeqNos, ServerClock};
use super::outbox::{Id, MAX_BODY, Outbox, Outgoing, What, head_length};
use super::packet::body;
use super::{Event, LostReason, MsgId, Opened, PacketError, Side, Time, open};
use crate::crypto::{AuthKey, Random};
use crate::tl::envelope::GzipPacked;
use crate::tl::types;

/// What an engine begins with.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    pub auth_key: AuthKey,
    /// A client makes it of random bits for every new session; a server takes it from the first packet.
    pub session_id: i64,
    /// The salt that is valid now; on a client, the last one that is known.
    pub server_salt: i64,
    /// Salts with their times, if they are known. A server with none lets `server_salt` never expire.
    pub future_salts: Vec<FutureSalt>,
    /// Seconds that the server's clock is ahead of ours. 0 on a server.
    pub time_offset: i64,
    /// Bodies of this many bytes and more are compressed, if it helps.
    pub gzip_from: usize,
    pub timing: Timing,
}

impl EngineConfig {
    /// With the usual thresholds and times.
    pub fn new(auth_key: AuthKey, session_id: i64, server_salt: i64, time_offset: i64) -> EngineConfig {
        EngineConfig {
            auth_key,
            session_id,
            server_salt,
            future_salts: Vec::new(),
            time_offset,
            gzip_from: 1024,
            timing: Timing::default(),
        }
    }
}

/// How long an engine waits for what.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Acknowledgments that nothing carried along by then go alone. "60-120 seconds" would be too late:
    /// <https://core.telegram.org/mtproto/service_messages_about_messages#acknowledgment-of-receipt>
    pub ack_delay: Duration,
    /// Client: from ping to ping while nothing else happens.
    pub ping_interval: Duration,
    /// Client: the server shall disconnect when no further ping came for so long. None: plain pings.
    pub disconnect_delay: Option<Duration>,
    /// Client: silence, while calls wait, after which a ping asks whether anybody is there.
    pub silence: Duration,
    /// Client: a ping without any answer for so long means that nobody is: [`Event::Unresponsive`].
    pub pong_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            ack_delay: Duration::from_secs(5),
            ping_interval: Duration::from_secs(60),
            disconnect_delay: Some(Duration::from_secs(75)),
            // With the next: a network that went away is noticed within 15 seconds.
            silence: Duration::from_secs(4),
            pong_timeout: Duration::from_secs(10),
        }
    }
}

/// One MTProto session as a value. See the [module's](super) documentation for what surrounds it.
pub struct Engine {
    pub(super) side: Side,
    pub(super) auth_key: AuthKey,
    pub(super) session_id: i64,
    pub(super) clock: ServerClock,
    pub(super) salts: Salts,
    pub(super) ids: MsgIds,
    pub(super) seqnos: SeqNos,
    pub(super) received: Received,
    pub(super) outbox: Outbox,
    pub(super) acks: Acks,
    pub(super) events: VecDeque<Event>,
    pub(super) liveness: Liveness,
    /// Client: what waits for an answer, or might be refused.
    pub(super) calls: Calls,
    /// Server: the queries that have no answer yet.
    pub(super) running: HashSet<MsgId>,
    /// Server: what the client has not acknowledged yet.
    pub(super) kept: Kept,
    pub(super) session: SessionStart,
    /// Client: the query that binds this engine's temporary key, by the handle of its call.
    pub(super) binding: Option<(MsgId, Binding)>,
    pub(super) timing: Timing,
    gzip_from: usize,
    /// How much the packet at hand may still unpack to.
    pub(super) room: usize,
    pub(super) random: Box<dyn Random + Send>,
}

impl Engine {
    pub fn new(side: Side, config: EngineConfig, now: Time, mut random: Box<dyn Random + Send>) -> Engine {
        Engine {
            side,
            session_id: config.session_id,
            clock: ServerClock::new(config.time_offset, now),
            salts: Salts::new(config.server_salt, config.future_salts),
            ids: MsgIds::default(),
            seqnos: SeqNos::default(),
            received: Received::default(),
            outbox: Outbox::default(),
            acks: Acks::default(),
            events: VecDeque::new(),
            liveness: Liveness::new(now.mono, &config.timing),
            calls: Calls::default(),
            running: HashSet::new(),
            kept: Kept::default(),
            session: SessionStart::new(random.i64()),
            binding: None,
            timing: config.timing,
            gzip_from: config.gzip_from,
            room: MAX_INFLATED,
            auth_key: config.auth_key,
            random,
        }
    }

    /// Client: sends an RPC query, a boxed function, and returns the name by which its answer will be told.
    /// It is kept until it is answered, lost or cancelled.
    pub fn send(&mut self, body: Bytes, now: Time) -> MsgId {
        self.send_after(body, Vec::new(), now)
    }

    /// Client: [`send`](Self::send) for a query that the server shall do only when these calls are done, and not at all if one
    /// of them fails: its answer is 400 `MSG_WAIT_FAILED` then. A call that has its answer already, or that is not known,
    /// counts as done.
    ///
    /// A server waits only so long ("0.5 seconds, this value may change") before it does the query just the same, or answers
    /// -503 `MSG_WAIT_TIMEOUT`: <https://core.telegram.org/api/invoking#helper-method-sequence>
    pub fn send_after(&mut self, body: Bytes, after: Vec<MsgId>, now: Time) -> MsgId {
        debug_assert_eq!(self.side, Side::Client);
        let handle = self.next_id(IdKind::FromClient, now);
        let body = self.packed(body);
        let length = body.len() + head_length(&after);
        if length > MAX_BODY {
            self.events.push_back(Event::QueryLost { to: handle, body, reason: LostReason::TooLarge(length) });
            return handle;
        }
        let what = What::Call { handle, refused: 0, after };
        self.outbox.push(Outgoing { body, content: true, what, id: Id::Reserved(handle) });
        self.liveness.began_to_wait(now.mono);
        handle
    }

    /// Client: binds this engine's key, a temporary one, to a permanent key until `expires_at` (Unix seconds of the server's
    /// clock): sends auth.bindTempAuthKey, whose proof is made for whichever message id it goes out with. The answer is told by
    /// the name returned, as a call's.
    ///
    /// <https://core.telegram.org/method/auth.bindTempAuthKey>
    pub fn bind(&mut self, permanent: AuthKey, expires_at: i32, now: Time) -> MsgId {
        let (temporary, session, nonce) = (self.auth_key.id(), self.session_id, self.random.i64());
        let binding = Binding { permanent, temporary, session, nonce, expires_at };
        let body = binding.query(MsgId::default(), &mut *self.random);
        let handle = self.send(body, now);
        self.binding = Some((handle, binding));
        handle
    }

    /// Client: forgets a call; its answer, should one come, is dropped, and the server is told not to bother.
    pub fn cancel(&mut self, call: MsgId) {
        if let Some(at) = self.outbox.queue.iter().position(|message| message.what.is_call(call)) {
            self.outbox.queue.remove(at);
        } else if let Some(wire) = self.calls.forget(call) {
            self.outbox.queue.retain(|message| !matches!(message.id, Id::Kept(again, _) if again == wire));
            self.drop_answer(wire);
        }
        self.fail_dependents(call);
    }

    /// Client: whether a call has not left yet, or was refused: then it was certainly not done.
    pub fn is_unsent(&self, call: MsgId) -> bool {
        let queued = |message: &Outgoing| matches!(message.what, What::Call { handle, .. } if handle == call);
        self.outbox.queue.iter().any(queued)
    }

    /// Server: sends an update, a boxed `Updates`. It is kept until it is acknowledged.
    pub fn push(&mut self, body: Bytes, now: Time) -> MsgId {
        debug_assert_eq!(self.side, Side::Server);
        let id = self.next_id(IdKind::Unsolicited, now);
        let body = self.packed(body);
        let what = What::ToClient { answers: None };
        self.outbox.push(Outgoing { body, content: true, what, id: Id::Reserved(id) });
        id
    }

    /// Server: answers a query with a boxed result. Ignored if the query was answered or dropped before.
    pub fn reply(&mut self, to: MsgId, body: Bytes, _now: Time) {
        debug_assert_eq!(self.side, Side::Server);
        if self.running.remove(&to) {
            let body = self.packed(body);
            self.answer(to, &body);
        }
    }

    /// Server: answers a query with an RPC error, such as 400 `PEER_ID_INVALID`.
    pub fn reply_error(&mut self, to: MsgId, code: i32, message: &str, _now: Time) {
        debug_assert_eq!(self.side, Side::Server);
        if self.running.remove(&to) {
            self.answer(to, &body(types::RpcError { error_code: code, error_message: message }));
        }
    }

    /// Takes a packet from the transport. An error tells which rule it broke; close the connection if it
    /// [is fatal](PacketError::is_fatal), otherwise go on. Poll for events and packets afterwards in either case.
    pub fn handle_packet(&mut self, packet: BytesMut, now: Time) -> Result<(), PacketError> {
        let opened = open(&self.auth_key, self.side.peer(), packet)?;
        self.handle_opened(opened, now)
    }

    /// [`handle_packet`](Self::handle_packet) for a packet that was [opened](open) before, to see whose session it is.
    pub fn handle_opened(&mut self, opened: Opened, now: Time) -> Result<(), PacketError> {
        if opened.session_id != self.session_id {
            return Err(PacketError::WrongSession { got: opened.session_id });
        }
        self.room = MAX_INFLATED;
        let result = self.handle_outer(opened, now);
        if !matches!(result, Err(ref error) if error.is_fatal()) {
            self.liveness.heard(now.mono, self.calls.len() > 0);
            self.plan_first_salts(now);
        }
        result
    }

    /// Client: the server has taken a packet, and said so [at once](super::Frame::QuickAck). That it has the calls in it is
    /// told by [`Event::Received`]; a token that belongs to no packet is ignored.
    /// <https://core.telegram.org/mtproto/mtproto-transports#quick-ack>
    pub fn handle_quick_ack(&mut self, token: u32, now: Time) {
        let Some(at) = self.outbox.quick_acks.iter().position(|(sent, _)| *sent == token) else { return };
        let Some((_, calls)) = self.outbox.quick_acks.remove(at) else { return };
        self.liveness.heard(now.mono, self.calls.len() > 0);
        calls.into_iter().for_each(|wire| self.received_by_server(wire));
    }

    /// Server: whether [`handle_opened`](Self::handle_opened) is going to take the packet as new. One that is not may be a
    /// recording that somebody plays again, and says nothing about where the client is now.
    pub fn is_new(&mut self, opened: &Opened, now: Time) -> bool {
        let id = opened.message.id;
        opened.session_id == self.session_id
            && id.is_from_client()
            && self.clock.check_window(id, now).is_ok()
            && self.salts.accepts(opened.salt, self.clock.unix(now))
            && self.received.check_new(id).is_ok()
    }

    /// Server: takes a packet that is not [new](Self::is_new) and came by another connection than the session's, and
    /// returns what is to be said there: what is wrong with it, or what was answered to it before. Nothing that waits for
    /// the session's own connection goes that way, as whoever plays a recording again would divert it; and a client whose
    /// old connection nobody told of its end hears why it is not taken.
    pub fn handle_aside(&mut self, opened: Opened, now: Time) -> (Result<(), PacketError>, Vec<Bytes>) {
        let (outbox, acks) = (std::mem::take(&mut self.outbox.queue), std::mem::take(&mut self.acks));
        let result = self.handle_opened(opened, now);
        let said = std::iter::from_fn(|| self.poll_packet(now)).collect();
        self.outbox.queue = outbox;
        self.acks = acks;
        (result, said)
    }

    /// The next thing that the owner has to know. Call it until it gives None.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, in monotonic time. Ask again after every call
    /// of anything else.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.acks.due().into_iter().chain(self.liveness_due()).chain(self.salts.due()).min()
    }

    /// Does what is due: acknowledgments, pings, salts, the end of patience. Poll for events and packets afterwards.
    pub fn handle_timeout(&mut self, now: Time) {
        self.handle_liveness(now);
        self.ask_for_salts(now);
    }

    /// The session goes on over a new connection.
    ///
    /// Client: before a call is sent again, the server is asked which of those on their way it has received
    /// (`msgs_state_req`), so that none is done twice: what it has not received is sent again, what it has received is
    /// answered, and what it cannot tell becomes [`Event::QueryLost`].
    ///
    /// Server: what the client has not acknowledged is sent again under the same message ids.
    pub fn reconnected(&mut self, now: Time) {
        self.outbox.quick_acks.clear();
        self.outbox.queue.retain(|message| !matches!(message.what, What::Momentary | What::Again));
        self.liveness = Liveness::new(now.mono, &self.timing);
        match self.side {
            Side::Client => {
                self.ask_about_calls();
                self.plan_salts(now);
            }
            Side::Server => self.send_kept_again(),
        }
        self.session.reconnects += 1;
    }

    /// The salt for a message sent now.
    pub fn server_salt(&self, now: Time) -> i64 {
        self.salts.current(self.clock.unix(now))
    }

    /// Seconds that the server's clock is ahead of ours.
    pub fn time_offset(&self) -> i64 {
        self.clock.offset_seconds()
    }

    pub fn session_id(&self) -> i64 {
        self.session_id
    }

    pub fn auth_key(&self) -> &AuthKey {
        &self.auth_key
    }

    /// Client: calls that have no answer yet, whether they were sent or not.
    pub fn calls_waiting(&self) -> usize {
        let queued = |message: &&Outgoing| matches!(message.what, What::Call { .. });
        self.calls.len() + self.outbox.queue.iter().filter(queued).count()
    }

    /// Messages that wait to be sent.
    pub fn backlog(&self) -> usize {
        self.outbox.queue.len()
    }

    pub(super) fn next_id(&mut self, kind: IdKind, now: Time) -> MsgId {
        self.ids.next(self.clock.unix(now), kind)
    }

    /// What kind of id a message has that answers or notifies the peer.
    pub(super) fn response_id(&self) -> Id {
        Id::New(match self.side {
            Side::Client => IdKind::FromClient,
            Side::Server => IdKind::Response,
        })
    }

    /// Queues a service message that needs no acknowledgment.
    pub(super) fn send_service(&mut self, body: Bytes) {
        let id = self.response_id();
        self.outbox.push(Outgoing { body, content: false, what: What::Service, id });
    }

    /// Compresses what is worth it. <https://core.telegram.org/mtproto/service_messages#packed-object>
    fn packed(&self, body: Bytes) -> Bytes {
        if body.len() < self.gzip_from || is_file_part(&body) {
            return body;
        }
        match deflate(&body) {
            Some(packed_data) => {
                let mut out = Vec::with_capacity(packed_data.len() + 12);
                GzipPacked { packed_data: &packed_data }.write(&mut out);
                out.into()
            }
            None => body,
        }
    }
}

/// `upload.saveFilePart` and `upload.saveBigFilePart`: files are mostly compressed already.
fn is_file_part(body: &[u8]) -> bool {
    matches!(body.first_chunk::<4>().map(|id| u32::from_le_bytes(*id)), Some(0xb304_a621 | 0xde7b_673d))
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("side", &self.side)
            .field("auth_key", &self.auth_key)
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}
