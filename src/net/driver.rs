//! The task that owns a session: connects, exchanges a key if there is none, and moves packets between socket and engine.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

use super::Clock;
use super::backoff::Backoff;
use super::connection::{Call, CallFailure, Fatal, Key, Options, Status};
use super::dial::{BoxedStream, Target, dial};
use super::exchange::exchange;
use super::updates::UpdatesSender;
use crate::crypto::{Random, SystemRandom};
use crate::mtproto::mtproxy::ProxyDc;
use crate::mtproto::{Engine, EngineConfig, Event, Frame, Framing, LostReason, MsgId, Side};

/// Calls that may wait for their answers at once; the next one stays in the queue of calls.
const MAX_IN_FLIGHT: usize = 4_096;
/// Bytes that are encrypted ahead of the socket.
const MAX_UNSENT: usize = 256 << 10;
/// Messages that may wait for a full socket before nothing more is read: a server that asks and does not listen would have its
/// answers kept without end. More than our own calls can be, so that an honest server is always listened to.
const MAX_BACKLOG: usize = 2 * MAX_IN_FLIGHT;
/// For each step of the way to the DC.
const DIAL_PATIENCE: Duration = Duration::from_secs(10);
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// How often calls are looked through for callers that gave up.
const SWEEP: Duration = Duration::from_secs(1);
/// What is added to the number of a test DC.
const TEST_DCS: i32 = 10_000;
/// After -429. <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>
const FLOOD_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Driver {
    options: Options,
    clock: Clock,
    calls: mpsc::Receiver<Call>,
    status: watch::Sender<Status>,
    updates: UpdatesSender,
    random: SystemRandom,
    /// Of the session; outlives sockets.
    engine: Option<Engine>,
    pending: HashMap<MsgId, oneshot::Sender<Result<Bytes, CallFailure>>>,
    /// The server refused the key since it last accepted it.
    key_refused: bool,
    /// Where the socket of now leads to.
    remote: Option<SocketAddr>,
    /// The server has said something on it that only the holder of the key could say.
    heard: bool,
    backoff: Backoff,
}

/// Why a socket is of no more use.
pub(super) enum Broken {
    /// Connect anew.
    Because(String),
    /// Connect to another address; if there is none, do not.
    Refused(Fatal),
    /// Do not.
    Fatal(Fatal),
    /// Nobody holds the connection any more.
    Unwanted,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        Broken::Because(error.to_string())
    }
}

pub(super) fn because(reason: impl ToString) -> Broken {
    Broken::Because(reason.to_string())
}

/// One stream to the DC.
pub(super) struct Socket {
    pub reading: ReadHalf<BoxedStream>,
    pub writing: WriteHalf<BoxedStream>,
    pub framing: Framing,
    pub input: BytesMut,
    pub unsent: BytesMut,
}

impl Driver {
    pub fn new(
        options: Options,
        clock: Clock,
        calls: mpsc::Receiver<Call>,
        status: watch::Sender<Status>,
        updates: UpdatesSender,
    ) -> Driver {
        Driver {
            options,
            clock,
            calls,
            status,
            updates,
            random: SystemRandom::new(),
            engine: None,
            pending: HashMap::new(),
            key_refused: false,
            remote: None,
            heard: false,
            backoff: Backoff::new(),
        }
    }

    pub async fn run(mut self) {
        let dc = self.options.dc;
        if let Some(key) = self.options.key.take() {
            self.begin_session(key);
        }
        loop {
            let wait = self.backoff.next(&mut self.random);
            tokio::select! {
                () = self.clock.sleep(wait), if !wait.is_zero() => {}
                () = self.status.closed(), if !wait.is_zero() => return,
                else => {}
            }
            let broken = self.connect_and_drive().await;
            let was_connected = self.status.borrow().connected;
            let reason = match self.choose_address(broken) {
                Broken::Unwanted => return,
                Broken::Because(reason) => reason,
                Broken::Refused(fatal) | Broken::Fatal(fatal) => {
                    tracing::error!("connection to DC {dc}: {fatal}");
                    self.status.send_modify(|status| {
                        status.connected = false;
                        status.fatal = Some(fatal.clone());
                    });
                    for (_, reply) in self.pending.drain() {
                        let _ = reply.send(Err(CallFailure::Closed(Some(fatal.clone()))));
                    }
                    return;
                }
            };
            let number = self.status.borrow().connections;
            if was_connected {
                tracing::info!("connection {number} to DC {dc} was lost ({reason}); connecting again");
            } else {
                tracing::warn!("no connection to DC {dc} at {}: {reason}", self.options.endpoint);
            }
            self.status.send_modify(|status| {
                status.connected = false;
                status.trouble = Some(reason);
            });
        }
    }

    /// Which address comes first the next time. Happy eyeballs sees to those that cannot be reached; one that can, and
    /// is of no use, would otherwise be chosen again and again.
    fn choose_address(&mut self, broken: Broken) -> Broken {
        let Some(remote) = self.remote.take() else { return broken };
        let endpoint = &mut self.options.endpoint;
        match broken {
            Broken::Refused(fatal) if endpoint.strike(remote) => because(fatal),
            Broken::Because(reason) if !self.heard => {
                endpoint.avoid(remote);
                Broken::Because(reason)
            }
            broken => broken,
        }
    }

    async fn connect_and_drive(&mut self) -> Broken {
        self.heard = false;
        let target = self.target();
        let dialed = tokio::select! {
            result = dial(&target, &self.options.via, &self.clock) => match result {
                Ok(dialed) => dialed,
                Err(error) => return because(error),
            },
            () = self.status.closed() => return Broken::Unwanted,
        };
        self.remote = dialed.remote;
        let (reading, writing) = tokio::io::split(dialed.stream);
        let mut socket = Socket {
            reading,
            writing,
            framing: dialed.framing,
            input: BytesMut::with_capacity(16 << 10),
            unsent: BytesMut::new(),
        };
        if let Some(engine) = &mut self.engine {
            engine.reconnected(self.clock.now());
        } else {
            let exchanging = exchange(&mut socket, &self.options, &self.clock, &mut self.random);
            let key = tokio::select! {
                result = self.clock.timeout(EXCHANGE_TIMEOUT, exchanging) => match result {
                    Ok(Ok(key)) => key,
                    Ok(Err(broken)) => return broken,
                    Err(_) => return because("the key exchange took too long"),
                },
                () = self.status.closed() => return Broken::Unwanted,
            };
            self.begin_session(key);
            self.status.send_modify(|status| status.exchanges += 1);
            tracing::info!("key exchange with DC {} done", self.options.dc);
        }
        self.status.send_modify(|status| {
            status.connected = true;
            status.connections += 1;
        });
        let number = self.status.borrow().connections;
        let at = self.remote.map_or_else(|| self.options.endpoint.to_string(), |remote| remote.to_string());
        tracing::info!("connected to DC {} at {at} (connection {number})", self.options.dc);
        match self.drive(&mut socket).await {
            Err(broken) => broken,
            Ok(never) => match never {},
        }
    }

    fn target(&self) -> Target {
        let Options { dc, transport, obfuscated, .. } = self.options;
        let id = u16::try_from(dc % TEST_DCS).unwrap_or_default();
        let dc = ProxyDc { test: dc > TEST_DCS, ..ProxyDc::new(id) };
        let time_offset = self.engine.as_ref().map_or(0, Engine::time_offset);
        let endpoint = self.options.endpoint.clone();
        Target { endpoint, dc, transport, obfuscated, time_offset, patience: DIAL_PATIENCE }
    }

    fn begin_session(&mut self, key: Key) {
        let session_id = self.random.i64();
        let config = EngineConfig::new(key.auth_key.clone(), session_id, key.server_salt, key.time_offset);
        let random = Box::new(SystemRandom::new());
        self.engine = Some(Engine::new(Side::Client, config, self.clock.now(), random));
        self.status.send_modify(|status| status.key = Some(Arc::new(key)));
    }

    async fn drive(&mut self, socket: &mut Socket) -> Result<std::convert::Infallible, Broken> {
        let mut next_sweep = self.clock.now().mono + SWEEP;
        loop {
            let now = self.clock.now();
            self.handle_events()?;
            let Some(engine) = &mut self.engine else { return Err(because("no session")) };
            while socket.unsent.len() < MAX_UNSENT
                && let Some(packet) = engine.poll_packet(now)
            {
                socket.encode(&packet);
            }
            let withheld = socket.unsent.len() >= MAX_UNSENT;
            let wake = wake(engine.poll_timeout(), !self.pending.is_empty(), withheld, next_sweep);
            tokio::select! {
                read = socket.reading.read_buf(&mut socket.input), if !(withheld && engine.backlog() > MAX_BACKLOG) => {
                    if read? == 0 {
                        return Err(because("closed by the server"));
                    }
                    self.handle_input(socket)?;
                }
                written = socket.writing.write_buf(&mut socket.unsent), if !socket.unsent.is_empty() => {
                    written?;
                }
                call = self.calls.recv(), if self.pending.len() < MAX_IN_FLIGHT => match call {
                    Some(call) => self.take_calls(call),
                    None => return Err(Broken::Unwanted),
                },
                () = self.clock.sleep_until(wake), if wake < Duration::MAX => {
                    let now = self.clock.now();
                    if let Some(engine) = &mut self.engine {
                        engine.handle_timeout(now);
                    }
                    if now.mono >= next_sweep {
                        next_sweep = now.mono + SWEEP;
                        self.sweep();
                    }
                }
            }
        }
    }

    /// Takes the call, and those that wait behind it, so that they share a container.
    fn take_calls(&mut self, call: Call) {
        let now = self.clock.now();
        let Some(engine) = &mut self.engine else { return };
        let mut next = Some(call);
        while let Some(call) = next {
            if !call.reply.is_closed() {
                let id = engine.send(call.body, now);
                self.pending.insert(id, call.reply);
            }
            next = if self.pending.len() < MAX_IN_FLIGHT { self.calls.try_recv().ok() } else { None };
        }
    }

    fn handle_input(&mut self, socket: &mut Socket) -> Result<(), Broken> {
        while let Some(frame) = socket.framing.decode(&mut socket.input).map_err(because)? {
            let packet = match frame {
                Frame::Packet(packet) => packet,
                Frame::QuickAck(_) => continue,
                Frame::TransportError(code) => return Err(self.transport_error(code)),
            };
            let Some(engine) = &mut self.engine else { continue };
            match engine.handle_packet(packet, self.clock.now()) {
                Ok(()) => {
                    // Only the holder of the key could have made the packet.
                    self.key_refused = false;
                    self.backoff.reset();
                    if !self.heard {
                        self.heard = true;
                        if let Some(remote) = self.remote {
                            self.options.endpoint.prefer(remote);
                        }
                    }
                }
                Err(error) if error.is_fatal() => return Err(because(error)),
                Err(error) => {
                    // The holder of the key made it all the same.
                    self.key_refused = false;
                    tracing::debug!("a message from DC {} was refused: {error}", self.options.dc);
                    self.status.send_modify(|status| {
                        status.refused += 1;
                        status.last_refused = Some(error);
                    });
                }
            }
        }
        Ok(())
    }

    /// <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>
    fn transport_error(&mut self, code: i32) -> Broken {
        match code.unsigned_abs() {
            // Once may be a server that has just started; twice without a word in between is an answer.
            404 if self.key_refused => Broken::Fatal(Fatal::KeyUnknown),
            404 => {
                self.key_refused = true;
                because("the server does not know the auth key")
            }
            444 => Broken::Refused(Fatal::WrongDc(self.options.dc)),
            429 => {
                self.backoff.at_least(FLOOD_PAUSE);
                because("too many connections to this server")
            }
            code => because(format!("transport error {code}")),
        }
    }

    fn handle_events(&mut self) -> Result<(), Broken> {
        let Some(engine) = &mut self.engine else { return Ok(()) };
        while let Some(event) = engine.poll_event() {
            match event {
                Event::Reply { to, result } => {
                    if let Some(reply) = self.pending.remove(&to) {
                        // A caller that gave up is no fault.
                        let _ = reply.send(result.map_err(CallFailure::Rpc));
                    }
                }
                Event::QueryLost { to, reason, .. } => {
                    if let Some(reply) = self.pending.remove(&to) {
                        let certainly_not_done = LostReason::certainly_not_done(reason);
                        let _ = reply.send(Err(CallFailure::Lost { certainly_not_done }));
                    }
                }
                Event::Update(message) => {
                    let kept = self.updates.send(message);
                    self.status.send_if_modified(|status| {
                        status.updates_lost += u64::from(!kept);
                        !kept
                    });
                }
                Event::SessionRenewed { .. } => self.status.send_modify(|status| status.sessions += 1),
                Event::SaltChanged(salt) => self.status.send_modify(|status| {
                    status.key = status.key.as_deref().map(|key| Arc::new(Key { server_salt: salt, ..key.clone() }));
                }),
                Event::TimeOffsetChanged(offset) => self.status.send_modify(|status| {
                    status.key = status.key.as_deref().map(|key| Arc::new(Key { time_offset: offset, ..key.clone() }));
                }),
                Event::Unresponsive => return Err(because("the server is silent")),
                Event::AuthKeyDestroyed(true) => return Err(Broken::Fatal(Fatal::KeyUnknown)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Forgets the calls whose callers gave up.
    fn sweep(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        self.pending.retain(|id, reply| {
            if reply.is_closed() {
                engine.cancel(*id);
            }
            !reply.is_closed()
        });
    }
}

/// When the loop looks at the clock again, should nothing else happen; in monotonic time.
///
/// While packets are withheld from a full socket, acknowledgments that are due stay due: who woke for them would wake again
/// at once, forever. The next sweep is soon enough for everything else.
fn wake(engine_due: Option<Duration>, has_calls: bool, withheld: bool, next_sweep: Duration) -> Duration {
    let due = engine_due.unwrap_or(Duration::MAX);
    let due = if withheld { due.max(next_sweep) } else { due };
    if has_calls { due.min(next_sweep) } else { due }
}

impl Socket {
    pub fn encode(&mut self, packet: &[u8]) {
        let mut framed = Vec::with_capacity(packet.len() + 16);
        self.framing.encode(packet, &mut framed);
        self.unsent.extend_from_slice(&framed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overdue_does_not_wake_a_loop_whose_socket_is_full() {
        let at = Duration::from_secs;
        let check = |due, has_calls, withheld, expected| {
            assert_eq!(wake(due, has_calls, withheld, at(10)), expected, "{due:?} {has_calls} {withheld}");
        };
        check(Some(at(5)), false, false, at(5));
        check(Some(at(5)), false, true, at(10));
        check(Some(at(5)), true, true, at(10));
        check(Some(at(15)), false, true, at(15));
        check(Some(at(15)), true, false, at(10));
        check(None, false, true, Duration::MAX);
    }
}
