//! One session with a DC, apart from its socket: an engine, the calls that wait for it, and how far it is on the way to taking
//! calls. A session of a temporary key is bound first; every session is opened by the call that introduces the client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::backoff::Backoff;
use super::calls::Call;
use super::connection::{CallFailure, Fatal, Key, Options, Status};
use super::keys::{self, Remedy};
use super::socket::{Broken, Socket, because};
use super::updates::UpdatesSender;
use crate::crypto::{Random, SystemRandom};
use crate::mtproto::exchange::Agreed;
use crate::mtproto::{Engine, EngineConfig, Event, Frame, LostReason, MsgId, PacketError, RpcError, Side, Time};
use crate::tl::BOOL_TRUE;

/// A temporary key is replaced so long before its end, or for the last quarter of its life, whichever is less.
const RENEW_BEFORE: i64 = 3600;

/// Where a session tells what happens.
pub(super) struct Outlet {
    pub status: watch::Sender<Status>,
    pub updates: UpdatesSender,
    pub dc: i32,
}

pub(super) struct Session {
    pub engine: Engine,
    /// Something came that only the holder of the key could have said.
    pub heard: bool,
    /// The rules that messages broke which were ignored, since somebody last took them.
    pub refused: Vec<PacketError>,
    permanent: Arc<Key>,
    temporary: Option<Life>,
    opening: Option<Bytes>,
    bound: bool,
    opened: bool,
    /// The binding or the opening, while its answer is waited for.
    step: Option<MsgId>,
    /// When the next step is due, in monotonic time.
    not_before: Duration,
    /// How often the server said that it began the session.
    begun: u64,
    pending: HashMap<MsgId, Call>,
    /// Calls that were certainly not done, for another session, or for this one when it is bound again.
    returned: Vec<Call>,
    /// It takes no calls any more, and only waits for answers.
    is_leaving: bool,
}

/// The time of a temporary key, in Unix seconds of the server's clock.
#[derive(Clone, Copy)]
struct Life {
    made: i64,
    expires: i64,
}

impl Outlet {
    fn key_changed(&self, change: impl FnOnce(&mut Key)) {
        self.status.send_modify(|status| {
            if let Some(key) = &mut status.key {
                change(Arc::make_mut(key));
            }
        });
    }

    pub fn refused(&self, errors: Vec<PacketError>) {
        if !errors.is_empty() {
            self.status.send_modify(|status| {
                status.refused += errors.len() as u64;
                status.last_refused = errors.into_iter().next_back();
            });
        }
    }

    fn update(&self, message: Bytes) {
        let kept = self.updates.send(message);
        self.status.send_if_modified(|status| {
            status.updates_lost += u64::from(!kept);
            !kept
        });
    }
}

impl Session {
    /// One that the permanent key itself encrypts.
    pub fn permanent(key: Arc<Key>, options: &Options, now: Time) -> Session {
        let config = EngineConfig::new(key.auth_key.clone(), session_id(), key.server_salt, key.time_offset);
        Session::new(config, key, None, options, now)
    }

    /// One of a temporary key, for which the exchange `began` then.
    pub fn temporary(agreed: Agreed, permanent: Arc<Key>, options: &Options, began: Time, now: Time) -> Session {
        // The server counts from a later moment, so the key does not end here after it ended there.
        let made = began.unix.as_secs() as i64 + agreed.time_offset;
        let expires = made + i64::from(agreed.expires_in.unwrap_or_default());
        let config = EngineConfig::new(agreed.auth_key, session_id(), agreed.server_salt, agreed.time_offset);
        Session::new(config, permanent, Some(Life { made, expires }), options, now)
    }

    fn new(config: EngineConfig, permanent: Arc<Key>, life: Option<Life>, options: &Options, now: Time) -> Session {
        Session {
            engine: Engine::new(Side::Client, config, now, Box::new(SystemRandom::new())),
            heard: false,
            refused: Vec::new(),
            permanent,
            temporary: life,
            opening: options.opening.clone(),
            bound: life.is_none(),
            opened: options.opening.is_none(),
            step: None,
            not_before: Duration::ZERO,
            begun: 0,
            pending: HashMap::new(),
            returned: Vec::new(),
            is_leaving: false,
        }
    }

    pub fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// It takes calls.
    pub fn is_open(&self) -> bool {
        self.bound && self.opened && !self.is_leaving
    }

    /// From now on it takes no calls.
    pub fn leave(&mut self) {
        self.is_leaving = true;
    }

    pub fn calls(&self) -> usize {
        self.pending.len()
    }

    pub fn has_expired(&self, now: Time) -> bool {
        self.temporary.is_some_and(|life| life.expires <= self.server_time(now))
    }

    /// When its key is to be replaced, in monotonic time.
    pub fn renewal_due(&self, now: Time) -> Option<Duration> {
        let Life { made, expires } = self.temporary?;
        let due = expires - RENEW_BEFORE.min((expires - made) / 4);
        let left = due.saturating_sub(self.server_time(now));
        Some(now.mono + Duration::from_secs(u64::try_from(left).unwrap_or_default()))
    }

    fn server_time(&self, now: Time) -> i64 {
        now.unix.as_secs() as i64 + self.engine.time_offset()
    }

    pub fn send(&mut self, call: Call, now: Time) {
        self.pending.extend(call.send(&mut self.engine, now));
    }

    /// Takes the next step that is due: binds, or opens.
    pub fn advance(&mut self, now: Time) {
        if self.step.is_some() || now.mono < self.not_before || self.is_leaving {
            return;
        }
        match (self.temporary, &self.opening) {
            (Some(life), _) if !self.bound => {
                let expires_at = i32::try_from(life.expires).unwrap_or(i32::MAX);
                self.step = Some(self.engine.bind(self.permanent.auth_key.clone(), expires_at, now));
            }
            (_, Some(opening)) if !self.opened => self.step = Some(self.engine.send(opening.clone(), now)),
            _ => (self.bound, self.opened) = (true, true),
        }
    }

    /// When [`advance`](Self::advance) is due, if it waits for its time.
    pub fn step_due(&self) -> Option<Duration> {
        (self.step.is_none() && !self.is_open() && !self.is_leaving).then_some(self.not_before)
    }

    /// Takes what was read.
    pub fn handle_input(&mut self, socket: &mut Socket, now: Time, dc: i32) -> Result<(), Broken> {
        while let Some(frame) = socket.framing.decode(&mut socket.input).map_err(because)? {
            let packet = match frame {
                Frame::Packet(packet) => packet,
                Frame::QuickAck(token) => {
                    self.engine.handle_quick_ack(token, now);
                    continue;
                }
                Frame::TransportError(code) => return Err(Broken::Transport(code)),
            };
            match self.engine.handle_packet(packet, now) {
                Ok(()) => self.heard = true,
                Err(error) if error.is_fatal() => return Err(because(error)),
                Err(error) => {
                    // The holder of the key made it all the same.
                    self.heard = true;
                    tracing::debug!("a message from DC {dc} was refused: {error}");
                    self.refused.push(error);
                }
            }
        }
        Ok(())
    }

    /// `patience` is between attempts that the server leads nowhere.
    pub fn handle_events(&mut self, outlet: &Outlet, patience: &mut Backoff, now: Time) -> Result<(), Broken> {
        while let Some(event) = self.engine.poll_event() {
            match event {
                Event::Reply { to, result } if self.step == Some(to) => {
                    self.step = None;
                    self.step_answered(result, outlet, patience, now)?;
                }
                Event::Reply { to, result } => {
                    if let Some(call) = self.pending.remove(&to) {
                        self.answered(call, result, patience, now)?;
                    }
                }
                // It is taken again.
                Event::QueryLost { to, .. } if self.step == Some(to) => self.step = None,
                Event::QueryLost { to, reason, .. } => {
                    if let Some(call) = self.pending.remove(&to) {
                        call.lost(reason);
                    }
                }
                Event::Received { call } => self.pending.get(&call).into_iter().for_each(Call::received),
                Event::Update(message) => outlet.update(message),
                Event::SessionRenewed { .. } => {
                    self.begun += 1;
                    if self.begun > 1 {
                        // "A server that began the session anew has forgotten the layer and the client".
                        self.opened = self.opening.is_none();
                    }
                    outlet.status.send_modify(|status| status.sessions += 1);
                }
                Event::SaltChanged(salt) if !self.is_temporary() => outlet.key_changed(|key| key.server_salt = salt),
                Event::TimeOffsetChanged(offset) => outlet.key_changed(|key| key.time_offset = offset),
                Event::Unresponsive => return Err(because("the server is silent")),
                Event::AuthKeyDestroyed(true) => return Err(Broken::Fatal(Fatal::KeyUnknown)),
                _ => {}
            }
        }
        Ok(())
    }

    fn step_answered(
        &mut self,
        result: Result<Bytes, RpcError>,
        outlet: &Outlet,
        patience: &mut Backoff,
        now: Time,
    ) -> Result<(), Broken> {
        let (remedy, error) = match result {
            Ok(answer) if !self.bound => {
                if answer[..] != BOOL_TRUE.to_le_bytes() {
                    return Err(Broken::KeyLost("the server did not bind the temporary key".into()));
                }
                tracing::debug!("the temporary key for DC {} is bound", outlet.dc);
                self.bound = true;
                return Ok(());
            }
            Ok(answer) => {
                self.opened = true;
                outlet.status.send_modify(|status| status.opening = Some(answer));
                return Ok(());
            }
            Err(error) if !self.bound => {
                let age = self.server_time(now).saturating_sub(self.permanent.created);
                (keys::binding_refused(&error, age), error)
            }
            Err(error) if self.is_unusable(&error, now) => (Remedy::NewTemporaryKey, error),
            Err(error) => (keys::opening_refused(&error), error),
        };
        match remedy {
            Remedy::Again(wait) => {
                self.not_before = now.mono + wait.max(patience.next(&mut SystemRandom::new()));
                tracing::warn!("DC {} does not take the session yet: {error}", outlet.dc);
                outlet.status.send_modify(|status| status.trouble = Some(error.to_string()));
                Ok(())
            }
            Remedy::NewTemporaryKey => Err(Broken::KeyLost(error.to_string())),
            Remedy::PermanentKeyLost => Err(Broken::Fatal(Fatal::KeyUnknown)),
            Remedy::Hopeless => Err(Broken::Fatal(Fatal::Rejected(error))),
        }
    }

    fn answered(
        &mut self,
        call: Call,
        result: Result<Bytes, RpcError>,
        patience: &mut Backoff,
        now: Time,
    ) -> Result<(), Broken> {
        let error = match result {
            Err(error) if self.is_unusable(&error, now) => error,
            result => {
                patience.reset();
                call.answer(result.map_err(CallFailure::Rpc));
                return Ok(());
            }
        };
        self.returned.push(call.returned());
        if !keys::is_unbound(&error) {
            return Err(Broken::KeyLost(error.to_string()));
        }
        // The key is still known, so the way on is to bind it again; once for all calls that were told so.
        if self.bound && !self.is_leaving {
            tracing::info!("the server forgot what the temporary key is bound to; binding it again");
            (self.bound, self.opened) = (false, self.opening.is_none());
            self.not_before = now.mono + patience.next(&mut SystemRandom::new());
        }
        Ok(())
    }

    /// Whether the error says that this temporary key, and not the account, is of no use.
    fn is_unusable(&self, error: &RpcError, now: Time) -> bool {
        let expired = || keys::is_unregistered(error) && self.has_expired(now);
        self.is_temporary() && (keys::is_unbound(error) || expired())
    }

    /// Calls that were certainly not done, in no order.
    pub fn take_returned(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.returned)
    }

    /// Forgets the calls whose callers gave up.
    pub fn sweep(&mut self) {
        let engine = &mut self.engine;
        self.pending.retain(|id, call| {
            if call.is_given_up() {
                engine.cancel(*id);
            }
            !call.is_given_up()
        });
    }

    /// The session is over: gives back the calls that were certainly not done, and tells those whose outcome nobody knows.
    pub fn give_up(mut self, outlet: &Outlet, patience: &mut Backoff, now: Time) -> Vec<Call> {
        // What came last may have been answers. That there is something wrong with the session is known.
        let _ = self.handle_events(outlet, patience, now);
        let mut pending: Vec<(MsgId, Call)> = self.pending.drain().collect();
        pending.sort_by_key(|(id, _)| *id);
        for (id, call) in pending {
            match self.engine.is_unsent(id) {
                true => self.returned.push(call.returned()),
                false => call.lost(LostReason::SessionReset),
            }
        }
        self.returned
    }

    /// The same, where there will be no other.
    pub fn close(mut self, fatal: &Fatal) {
        let pending = self.pending.drain().map(|(_, call)| call);
        pending.chain(self.returned.drain(..)).for_each(|call| call.closed(fatal));
    }
}

fn session_id() -> i64 {
    SystemRandom::new().i64()
}

#[cfg(test)]
mod tests;
