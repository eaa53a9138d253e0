//! The DC as clients reach it: connections, key exchange, sessions.
//!
//! One [`Dc`] holds everything behind one lock, which is never held across an await. A task for each connection reads
//! packets, hands them in, and writes out what its sessions have to say; nothing waits for another connection's client.

pub mod connection;
mod query;
mod session;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, broadcast};

use super::api::{self, Answer, Answered};
use super::events::WorldEvent;
use super::layers;
use super::refusal::Refusal;
use super::telegram::{Push, SessionKey, Telegram, Waiter};
use crate::crypto::SystemRandom;
use crate::mtproto::exchange::Agreed;
use crate::mtproto::{Engine, EngineConfig, Event, MsgId, Opened, PacketError, Side, Time, open};
use crate::tl::{self, Object};
use session::{BACKLOG_LIMIT, Outcome, Parked, Session};

/// How long a session without a connection is remembered.
const SESSION_MEMORY: Duration = Duration::from_secs(600);

/// How many sessions without a connection are remembered; the ones longest not heard of are forgotten first.
const IDLE_SESSIONS: usize = 1000;

/// How many sessions one connection may carry.
const SESSIONS_PER_CONNECTION: usize = 100;

/// How many queries of a session may wait for others.
const PARKED_LIMIT: usize = 1000;

/// How long they wait.
const PARKED_PATIENCE: Duration = Duration::from_secs(10);

/// How a connection's task is reached.
#[derive(Debug, Default)]
pub struct Link {
    /// There is something to write.
    pub wake: Notify,
    /// The connection is to be closed, written out or not.
    pub close: Notify,
}

/// A connection is to be closed.
#[derive(Debug, thiserror::Error)]
pub enum Hangup {
    /// The client is told -404 first: <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>
    #[error("a packet for an auth key that is not known here")]
    UnknownAuthKey,
    #[error("a packet that no client sends: {0}")]
    Packet(#[from] PacketError),
    #[error("more than {SESSIONS_PER_CONNECTION} sessions on one connection")]
    Sessions,
    #[error("the client asked for it")]
    Asked,
}

/// The DC's state.
pub struct Dc {
    pub telegram: Telegram,
    sessions: HashMap<SessionKey, Session>,
    links: HashMap<u64, Arc<Link>>,
    pub events: broadcast::Sender<WorldEvent>,
    /// Raised when something that is kept has changed.
    pub changed: Arc<Notify>,
    /// Connections accepted since the start; also the last one's number.
    pub connections: u64,
    /// Answers that clients did not want any more, while they were being made.
    pub dropped_answers: u64,
    /// Exchanges of permanent keys finished since the start.
    pub key_exchanges: u64,
    /// Exchanges of temporary keys finished since the start.
    pub temporary_key_exchanges: u64,
    /// The longest that a temporary key is remembered, whatever its client asked for; in seconds.
    pub temporary_key_life: Option<i32>,
}

impl Dc {
    pub fn new(telegram: Telegram) -> Dc {
        Dc {
            telegram,
            sessions: HashMap::new(),
            links: HashMap::new(),
            events: broadcast::channel(super::EVENTS_KEPT).0,
            changed: Arc::default(),
            connections: 0,
            dropped_answers: 0,
            key_exchanges: 0,
            temporary_key_exchanges: 0,
            temporary_key_life: None,
        }
    }

    /// Takes in a new connection: its number, and how to reach its task.
    pub fn connect(&mut self) -> (u64, Arc<Link>) {
        self.connections += 1;
        let link = Arc::new(Link::default());
        self.links.insert(self.connections, link.clone());
        (self.connections, link)
    }

    /// A connection is gone. Its sessions wait for their client to come back.
    pub fn disconnect(&mut self, connection: u64, now: Time) {
        self.links.remove(&connection);
        for session in self.sessions.values_mut().filter(|session| session.connection == Some(connection)) {
            session.connection = None;
            session.heard = now.mono;
        }
        self.forget_idle(now);
    }

    /// Remembers a key that was agreed on.
    pub fn agreed(&mut self, agreed: &Agreed, now: Time) {
        let (key, salt, now) = (&agreed.auth_key, agreed.server_salt, unix(now));
        let Some(expires_in) = agreed.expires_in else {
            self.telegram.keys.add(key, salt, now);
            self.key_exchanges += 1;
            // Kept, so that the client needs no exchange when this DC is started again.
            self.changed.notify_one();
            return;
        };
        // "A temporary authorization key may expire at any moment before expires_at": https://core.telegram.org/api/pfs
        let life = self.temporary_key_life.unwrap_or(i32::MAX).min(expires_in);
        let is_media = agreed.dc.is_some_and(|dc| dc < 0);
        self.telegram.keys.add_temporary(key, salt, now.saturating_add(life), is_media);
        self.temporary_key_exchanges += 1;
    }

    /// Takes an encrypted packet. Returns the token of its quick acknowledgment, if it was accepted.
    /// <https://core.telegram.org/mtproto/mtproto-transports#quick-ack>
    pub fn handle_packet(
        &mut self,
        connection: u64,
        auth_key: u64,
        packet: BytesMut,
        now: Time,
    ) -> Result<Option<u32>, Hangup> {
        let key = self.telegram.keys.get(auth_key, unix(now)).ok_or(Hangup::UnknownAuthKey)?;
        let opened = open(&key, Side::Client, packet)?;
        let session = SessionKey { auth_key, session: opened.session_id };
        self.attach(connection, session, &opened, now)?;
        let Some(found) = self.sessions.get_mut(&session) else { return Ok(None) };
        found.heard = now.mono;
        let token = opened.quick_ack;
        let accepted = match found.engine.handle_opened(opened, now) {
            Err(error) if error.is_fatal() => return Err(error.into()),
            Err(error) => {
                tracing::debug!(connection, %error, "a packet that was not taken");
                None
            }
            Ok(()) => Some(token),
        };
        self.handle_events(session, now)?;
        Ok(accepted)
    }

    /// The session of a packet belongs to the connection it came by. One that another connection holds moves only for a
    /// packet that is new: what was recorded and is played again diverts nothing. One that nobody holds goes to whoever
    /// speaks, who may have to be told of a wrong salt or clock.
    fn attach(&mut self, connection: u64, key: SessionKey, opened: &Opened, now: Time) -> Result<(), Hangup> {
        if let Some(session) = self.sessions.get_mut(&key) {
            let may_move = session.connection.is_none() || session.engine.is_new(opened, now);
            if session.connection != Some(connection) && may_move {
                session.connection = Some(connection);
                session.backlog = 0;
                session.engine.reconnected(now);
                if std::mem::take(&mut session.missed) {
                    let too_long = tl::types::UpdatesTooLong::ID.to_le_bytes();
                    session.engine.push(Bytes::copy_from_slice(&too_long), now);
                }
            }
            return Ok(());
        }
        let carried = self.sessions.values().filter(|session| session.connection == Some(connection)).count();
        if carried >= SESSIONS_PER_CONNECTION {
            return Err(Hangup::Sessions);
        }
        let (Some(auth_key), Some(salt)) =
            (self.telegram.keys.get(key.auth_key, unix(now)), self.telegram.keys.salt(key.auth_key))
        else {
            return Err(Hangup::UnknownAuthKey);
        };
        let config = EngineConfig::new(auth_key, opened.session_id, salt, 0);
        let engine = Engine::new(Side::Server, config, now, Box::new(SystemRandom::new()));
        let mut session = Session::new(engine, now.mono);
        session.connection = Some(connection);
        self.sessions.insert(key, session);
        Ok(())
    }

    /// Does what the clock asks for. Call it at least once a second for each connection.
    pub fn handle_timeout(&mut self, connection: u64, now: Time) -> Result<(), Hangup> {
        for key in self.sessions_of(connection) {
            let Some(session) = self.sessions.get_mut(&key) else { continue };
            session.engine.handle_timeout(now);
            self.handle_events(key, now)?;
            self.run_parked(key, now);
        }
        self.tick(now);
        Ok(())
    }

    /// Gives up on what nobody answered in time.
    pub fn tick(&mut self, now: Time) {
        self.telegram.tick(unix(now));
        self.telegram.keys.expire(unix(now));
        self.deliver(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, in monotonic time.
    pub fn poll_timeout(&self, connection: u64) -> Option<Duration> {
        let sessions = self.sessions.values().filter(|session| session.connection == Some(connection));
        sessions.filter_map(|session| session.engine.poll_timeout()).min()
    }

    /// The packets that the connection's sessions have to send.
    pub fn poll_packets(&mut self, connection: u64, now: Time) -> Vec<Bytes> {
        let mut packets = Vec::new();
        for session in self.sessions.values_mut().filter(|session| session.connection == Some(connection)) {
            packets.extend(std::iter::from_fn(|| session.engine.poll_packet(now)));
            session.backlog = 0;
        }
        packets
    }

    /// Hands out what the handle, or a method, has caused.
    pub fn deliver(&mut self, now: Time) {
        for push in std::mem::take(&mut self.telegram.pushes) {
            self.push(&push, now);
        }
        for (waiter, answered) in std::mem::take(&mut self.telegram.answers) {
            match waiter {
                Waiter::Query { session, msg_id } => {
                    self.answer(session, msg_id, "messages.getBotCallbackAnswer", answered, now);
                    self.run_parked(session, now);
                }
                // Who does not wait any more does not care.
                Waiter::Handle(sender) => drop(sender.send(answered)),
            }
        }
        for event in std::mem::take(&mut self.telegram.events) {
            // No watcher, no news.
            let _ = self.events.send(event);
        }
        if std::mem::take(&mut self.telegram.changed) {
            self.changed.notify_one();
        }
    }

    fn push(&mut self, push: &Push, now: Time) {
        // Once for each layer that is spoken.
        let mut bodies: HashMap<i32, Option<Bytes>> = HashMap::new();
        let telegram = &self.telegram;
        let concerned =
            |key: &SessionKey| Some(*key) != push.except && telegram.keys.account(key.auth_key) == Some(push.to);
        let mut overrun = Vec::new();
        for (key, session) in self.sessions.iter_mut().filter(|(key, session)| session.wants_updates && concerned(key))
        {
            let Some(link) = session.connection.and_then(|connection| self.links.get(&connection)) else {
                session.missed = true;
                continue;
            };
            let layer = spoken(session, telegram, key);
            let told = || layers::told_object(push.updates.clone(), layer).and_then(|updates| encoded(&updates));
            let Some(body) = bodies.entry(layer).or_insert_with(told) else { continue };
            session.backlog += body.len();
            if session.backlog > BACKLOG_LIMIT {
                overrun.push(*key);
                link.close.notify_one();
                continue;
            }
            session.engine.push(body.clone(), now);
            link.wake.notify_one();
        }
        for key in overrun {
            tracing::warn!(session = key.session, "a client does not read its updates: disconnected");
            self.sessions.remove(&key);
        }
    }

    fn handle_events(&mut self, key: SessionKey, now: Time) -> Result<(), Hangup> {
        while let Some(event) = self.sessions.get_mut(&key).and_then(|session| session.engine.poll_event()) {
            match event {
                Event::Query { msg_id, body } => self.handle_query(key, msg_id.0, &body, now),
                Event::QueryDropped { msg_id } => {
                    if let Some(session) = self.sessions.get_mut(&key) {
                        let parked = session.parked.len();
                        session.parked.retain(|parked| parked.msg_id != msg_id.0);
                        if session.parked.len() < parked {
                            session.note(msg_id.0, Outcome::Failed);
                        }
                    }
                    self.dropped_answers += 1;
                    self.run_parked(key, now);
                }
                Event::DestroySession { session_id } => {
                    let existed = self.destroy_session(key, session_id);
                    if let Some(session) = self.sessions.get_mut(&key) {
                        session.engine.session_destroyed(session_id, existed);
                    }
                }
                Event::DestroyAuthKey { .. } => {
                    if let Some(session) = self.sessions.get_mut(&key) {
                        session.engine.auth_key_destroyed(true);
                    }
                    self.telegram.keys.remove(key.auth_key);
                    self.telegram.changed = true;
                }
                Event::DisconnectDue => return Err(Hangup::Asked),
                _ => {}
            }
        }
        self.deliver(now);
        Ok(())
    }

    /// Forgets another session of the client: one of the same permanent key, whichever key it was encrypted with.
    fn destroy_session(&mut self, asked_by: SessionKey, session_id: i64) -> bool {
        let keys = &self.telegram.keys;
        let owner = keys.owner(asked_by.auth_key);
        let is_it = |key: &SessionKey| {
            let same_owner =
                key.auth_key == asked_by.auth_key || (owner.is_some() && keys.owner(key.auth_key) == owner);
            key.session == session_id && *key != asked_by && same_owner
        };
        let Some(found) = self.sessions.keys().find(|key| is_it(key)).copied() else { return false };
        self.sessions.remove(&found).is_some()
    }

    fn handle_query(&mut self, key: SessionKey, msg_id: i64, body: &[u8], now: Time) {
        let unwrapped = match query::unwrap(body) {
            Ok(unwrapped) => unwrapped,
            Err(refusal) => return self.answer(key, msg_id, "", Err(refusal), now),
        };
        let Some(session) = self.sessions.get_mut(&key) else { return };
        if !unwrapped.without_updates {
            session.wants_updates = true;
        }
        if let Some(layer) = unwrapped.layer {
            session.layer = Some(layer);
            self.telegram.changed |= self.telegram.keys.set_layer(key.auth_key, layer);
        }
        let layer = spoken(session, &self.telegram, &key);
        let query = match layers::understood(unwrapped.query, layer) {
            Ok(query) => query,
            Err(refusal) => return self.answer(key, msg_id, "", Err(refusal), now),
        };
        session.note(msg_id, Outcome::Running);
        if unwrapped.after.is_empty() {
            self.run(key, msg_id, &query, now);
        } else if session.parked.len() >= PARKED_LIMIT {
            self.answer(key, msg_id, query.name(), Err(Refusal::bad("MSG_WAIT_FAILED")), now);
        } else {
            session.parked.push(Parked { msg_id, after: unwrapped.after, query, since: now.mono });
        }
        self.run_parked(key, now);
    }

    fn run(&mut self, key: SessionKey, msg_id: i64, query: &Object, now: Time) {
        let method = query.name();
        tracing::debug!(method, session = key.session, "query");
        match api::call(&mut self.telegram, key, msg_id, query, unix(now)) {
            Answer::Now(answered) => self.answer(key, msg_id, method, answered, now),
            Answer::Later => {}
        }
    }

    /// Runs the queries whose predecessors are done, and gives up those whose predecessors failed or never came.
    fn run_parked(&mut self, key: SessionKey, now: Time) {
        loop {
            let Some(session) = self.sessions.get_mut(&key) else { return };
            let ready = session.parked.iter().enumerate().find_map(|(at, parked)| {
                let outcomes: Vec<Option<Outcome>> = parked.after.iter().map(|id| session.outcome(*id)).collect();
                if outcomes.contains(&Some(Outcome::Failed)) {
                    return Some((at, Some(Refusal::bad("MSG_WAIT_FAILED"))));
                }
                if outcomes.iter().all(|outcome| *outcome == Some(Outcome::Done)) {
                    return Some((at, None));
                }
                let unknown = outcomes.contains(&None);
                (unknown && now.mono > parked.since + PARKED_PATIENCE)
                    .then(|| (at, Some(Refusal::new(-503, "MSG_WAIT_TIMEOUT"))))
            });
            let Some((at, refusal)) = ready else { return };
            let parked = session.parked.remove(at);
            match refusal {
                Some(refusal) => self.answer(key, parked.msg_id, parked.query.name(), Err(refusal), now),
                None => self.run(key, parked.msg_id, &parked.query, now),
            }
        }
    }

    fn answer(&mut self, key: SessionKey, msg_id: i64, method: &str, answered: Answered, now: Time) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let layer = spoken(session, &self.telegram, &key);
        let answered = answered.and_then(|value| {
            let Some(value) = layers::told(value, layer) else {
                tracing::error!(method, layer, "the answer cannot be told in the client's layer");
                return Err(Refusal::new(500, "INTERNAL_SERVER_ERROR"));
            };
            let mut body = Vec::new();
            let result = tl::function(method).map(|function| &function.result);
            let written = result.map(|result| tl::encode_value(&value, result, &mut body));
            match written {
                Some(Ok(())) => Ok(body),
                other => {
                    tracing::error!(method, ?other, "the answer does not fit the schema");
                    Err(Refusal::new(500, "INTERNAL_SERVER_ERROR"))
                }
            }
        });
        match answered {
            Ok(body) => {
                session.note(msg_id, Outcome::Done);
                session.engine.reply(MsgId(msg_id), body.into(), now);
            }
            Err(refusal) => {
                tracing::debug!(method, %refusal, "refused");
                session.note(msg_id, Outcome::Failed);
                session.engine.reply_error(MsgId(msg_id), refusal.code, &refusal.name, now);
            }
        }
        if let Some(link) = session.connection.and_then(|connection| self.links.get(&connection)) {
            link.wake.notify_one();
        }
    }

    /// Whether nobody is connected.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.links.is_empty()
    }

    /// How many sessions are an account's, those of keys that were replaced among them.
    pub fn sessions_of_account(&self, account: i64) -> usize {
        let keys = &self.telegram.keys;
        let owned = |key: &&SessionKey| keys.owner(key.auth_key).and_then(|key| keys.account(key)) == Some(account);
        self.sessions.keys().filter(owned).count()
    }

    #[cfg(test)]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Ends all connections.
    pub fn close_all(&self) {
        self.links.values().for_each(|link| link.close.notify_one());
    }

    fn sessions_of(&self, connection: u64) -> Vec<SessionKey> {
        self.sessions
            .iter()
            .filter(|(_, session)| session.connection == Some(connection))
            .map(|(key, _)| *key)
            .collect()
    }

    fn forget_idle(&mut self, now: Time) {
        let idle = |session: &Session| session.connection.is_none();
        self.sessions.retain(|_, session| !idle(session) || session.heard + SESSION_MEMORY > now.mono);
        let mut waiting: Vec<(Duration, SessionKey)> = self
            .sessions
            .iter()
            .filter(|(_, session)| idle(session))
            .map(|(key, session)| (session.heard, *key))
            .collect();
        if let Some(excess) = waiting.len().checked_sub(IDLE_SESSIONS) {
            waiting.sort_unstable();
            for (_, key) in &waiting[..excess] {
                self.sessions.remove(key);
            }
        }
    }
}

/// Seconds since 1970 as TL writes them.
pub fn unix(now: Time) -> i32 {
    i32::try_from(now.unix.as_secs()).unwrap_or(i32::MAX)
}

/// The layer that a session's client speaks: what it said, or what it said with this key before. Who never said any is taken to
/// speak this one.
fn spoken(session: &Session, telegram: &Telegram, key: &SessionKey) -> i32 {
    session.layer.or_else(|| telegram.keys.layer(key.auth_key)).unwrap_or(tl::LAYER)
}

fn encoded(updates: &Object) -> Option<Bytes> {
    let mut body = Vec::new();
    match tl::encode(updates, &mut body) {
        Ok(()) => Some(body.into()),
        Err(error) => {
            tracing::error!(%error, "updates that do not fit the schema");
            None
        }
    }
}
