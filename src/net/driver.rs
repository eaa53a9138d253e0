//! The task that owns a connection: connects, sees to it that there are keys and a session, and moves calls in and answers out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use super::Clock;
use super::backoff::Backoff;
use super::calls::Call;
use super::connection::{Fatal, Key, Options, Status};
use super::exchange::{permanent_key, temporary_session};
use super::pulse::IsGone;
use super::renewal::{Progress, Renewal, Successor};
use super::session::{Outlet, Session};
use super::socket::{Broken, Socket, because};
use super::updates::UpdatesSender;
use crate::crypto::SystemRandom;

/// Calls that may wait for their answers at once; the next one stays in the queue of calls.
const MAX_IN_FLIGHT: usize = 4_096;
/// How often at least a loop whose socket is full looks at the clock.
const LOOK: Duration = Duration::from_secs(1);
/// After -429. <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>
const FLOOD_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Driver {
    options: Options,
    clock: Clock,
    calls: mpsc::Receiver<Call>,
    /// Told when a caller has given up.
    given_up: Arc<Notify>,
    outlet: Arc<Outlet>,
    random: SystemRandom,
    permanent: Option<Arc<Key>>,
    /// Outlives sockets.
    session: Option<Session>,
    /// Calls that a session gave back: they come before those in the queue. No more than were in flight.
    waiting: VecDeque<Call>,
    /// The server refused the key since it last accepted it.
    key_refused: bool,
    is_gone: IsGone,
    /// The server has said something on this socket that only the holder of the key could say.
    heard: bool,
    backoff: Backoff,
    /// Between attempts that end with a key or a session that is of no use, though the server can be reached.
    patience: Backoff,
    renewal: Renewal,
}

impl Driver {
    pub fn new(
        options: Options,
        clock: Clock,
        calls: mpsc::Receiver<Call>,
        given_up: Arc<Notify>,
        status: watch::Sender<Status>,
        updates: UpdatesSender,
        is_gone: IsGone,
    ) -> Driver {
        let outlet = Arc::new(Outlet { status, updates, dc: options.dc });
        Driver {
            options,
            clock,
            calls,
            given_up,
            outlet,
            random: SystemRandom::new(),
            permanent: None,
            session: None,
            waiting: VecDeque::new(),
            key_refused: false,
            is_gone,
            heard: false,
            backoff: Backoff::new(),
            patience: Backoff::new(),
            renewal: Renewal::new(),
        }
    }

    pub async fn run(mut self) {
        let (dc, outlet) = (self.options.dc, self.outlet.clone());
        if let Some(key) = self.options.key.take() {
            self.permanent = Some(self.keep(key));
        }
        loop {
            let wait = self.backoff.next(&mut self.random);
            tokio::select! {
                () = self.clock.sleep(wait), if !wait.is_zero() => {}
                () = outlet.status.closed(), if !wait.is_zero() => return,
                else => {}
            }
            let broken = self.connect_and_drive().await;
            let was_connected = outlet.status.borrow().connected;
            let reason = match broken {
                Broken::Unwanted => return,
                Broken::Because(reason) => reason,
                Broken::KeyLost(reason) => {
                    self.give_up_session();
                    self.backoff.at_least(self.patience.next(&mut self.random));
                    format!("the temporary key is lost: {reason}")
                }
                Broken::Refused(fatal) | Broken::Fatal(fatal) => return self.end(fatal),
                Broken::Transport(code) => format!("transport error {code}"),
            };
            let number = outlet.status.borrow().connections;
            if was_connected {
                tracing::info!("connection {number} to DC {dc} was lost ({reason}); connecting again");
            } else {
                tracing::warn!("no connection to DC {dc} at {}: {reason}", self.options.endpoint);
            }
            outlet.status.send_modify(|status| {
                status.connected = false;
                status.trouble = Some(reason);
            });
        }
    }

    fn end(mut self, fatal: Fatal) {
        tracing::error!("connection to DC {}: {fatal}", self.options.dc);
        self.outlet.status.send_modify(|status| {
            status.connected = false;
            status.fatal = Some(fatal.clone());
        });
        if let Some(session) = self.session.take() {
            session.close(&fatal);
        }
        self.waiting.drain(..).for_each(|call| call.closed(&fatal));
    }

    async fn connect_and_drive(&mut self) -> Broken {
        self.heard = false;
        self.renewal.socket_lost();
        let outlet = self.outlet.clone();
        let socket = tokio::select! {
            socket = self.connect() => socket,
            () = outlet.status.closed() => return Broken::Unwanted,
        };
        let mut socket = match socket {
            Ok(socket) => socket,
            Err(broken) => return broken,
        };
        loop {
            match self.drive(&mut socket).await {
                Ok(Successor { socket: next, session }) => {
                    let old_socket = std::mem::replace(&mut socket, next);
                    if let Some(old) = self.session.replace(session) {
                        self.renewal.drain(old, old_socket, &outlet, &self.clock);
                    }
                }
                Err(broken) => {
                    let broken = match broken {
                        Broken::Transport(code) => self.transport_error(code),
                        broken => broken,
                    };
                    return self.choose_address(&socket, broken);
                }
            }
        }
    }

    /// Connects, and sees to it that there are keys and a session.
    async fn connect(&mut self) -> Result<Socket, Broken> {
        let time_offset = match (&self.session, &self.permanent) {
            (Some(session), _) => session.engine.time_offset(),
            (None, Some(key)) => key.time_offset,
            (None, None) => 0,
        };
        let mut socket = Socket::connect(&self.options, time_offset, &self.clock).await?;
        socket.pulse.ask(self.is_gone);
        match self.prepare_session(&mut socket).await {
            Ok(()) => Ok(socket),
            Err(broken) => Err(self.choose_address(&socket, broken)),
        }
    }

    /// "These 2 operations may be done in parallel": here it is one after the other, over the one socket.
    /// <https://core.telegram.org/api/pfs>
    async fn prepare_session(&mut self, socket: &mut Socket) -> Result<(), Broken> {
        let permanent = match &self.permanent {
            Some(key) => key.clone(),
            None => {
                let key = permanent_key(socket, &self.options, &self.clock).await?;
                let key = self.keep(key);
                self.outlet.status.send_modify(|status| status.exchanges += 1);
                tracing::info!("key exchange with DC {} done", self.options.dc);
                self.permanent.insert(key).clone()
            }
        };
        if self.session.as_ref().is_some_and(|session| session.has_expired(self.clock.now())) {
            self.give_up_session();
        }
        if let Some(session) = &mut self.session {
            session.engine.reconnected(self.clock.now());
            return Ok(());
        }
        self.session = Some(if self.options.temporary_key_life.is_some() {
            let session = temporary_session(socket, &self.options, permanent, &self.clock).await?;
            self.outlet.status.send_modify(|status| status.temporary_exchanges += 1);
            session
        } else {
            Session::permanent(permanent, &self.options, self.clock.now())
        });
        Ok(())
    }

    fn keep(&self, key: Key) -> Arc<Key> {
        let key = Arc::new(key);
        self.outlet.status.send_modify(|status| status.key = Some(key.clone()));
        key
    }

    /// Which address comes first the next time. Happy eyeballs sees to those that cannot be reached; one that can, and
    /// is of no use, would otherwise be chosen again and again.
    fn choose_address(&mut self, socket: &Socket, broken: Broken) -> Broken {
        let Some(remote) = socket.remote else { return broken };
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

    /// Returns when the session is to be replaced by the one that is ready.
    async fn drive(&mut self, socket: &mut Socket) -> Result<Successor, Broken> {
        let mut next_look = self.clock.now().mono + LOOK;
        let mut announced = false;
        loop {
            let now = self.clock.now();
            if let Err(dead) = socket.pulse.check(now) {
                // The next connection goes another way, so nothing speaks for waiting.
                self.backoff.reset();
                return Err(because(dead));
            }
            let Some(session) = &mut self.session else { return Err(because("no session")) };
            let result = session.handle_events(&self.outlet, &mut self.patience, now);
            self.waiting.extend(session.take_returned());
            result?;
            session.advance(now);
            let is_open = session.is_open();
            if is_open && !std::mem::replace(&mut announced, true) {
                self.announce(socket);
            }
            let Some((session, key)) = self.session.as_mut().zip(self.permanent.as_ref()) else {
                return Err(because("no session"));
            };
            let mut renewal_due = Duration::MAX;
            if is_open {
                if let Some(successor) = self.renewal.step(session, key, &self.options, &self.clock) {
                    return Ok(successor);
                }
                renewal_due = self.renewal.due(session, now);
            }
            let takes_calls = is_open && !self.renewal.is_near();
            if takes_calls {
                while session.calls() < MAX_IN_FLIGHT
                    && let Some(call) = self.waiting.pop_front()
                {
                    session.send(call, now);
                }
                // <https://core.telegram.org/mtproto/service_messages#request-to-destroy-session>
                self.renewal.take_given_up().for_each(|id| session.engine.destroy_session(id));
            }
            let withheld = socket.fill(&mut session.engine, now);
            let wake = wake(session.engine.poll_timeout(), withheld, next_look);
            // A session that takes no calls yet lets them gather, so that it is seen when nobody can make one any more.
            let has_room = self.waiting.len() < if takes_calls { 1 } else { MAX_IN_FLIGHT };
            let has_room = has_room && session.calls() < MAX_IN_FLIGHT;
            let wake = wake.min(session.step_due().unwrap_or(Duration::MAX)).min(renewal_due);
            let wake = wake.min(socket.pulse.due());
            tokio::select! {
                turned = socket.turn() => {
                    turned?;
                    self.handle_input(socket)?;
                }
                call = self.calls.recv(), if has_room => match call {
                    Some(call) if takes_calls => self.take_calls(call),
                    Some(call) => self.waiting.push_back(call),
                    None => return Err(Broken::Unwanted),
                },
                () = self.outlet.status.closed() => return Err(Broken::Unwanted),
                progress = self.renewal.next() => match progress {
                    Progress::Prepared(result) => self.renewal.prepared(*result, &self.outlet, self.clock.now()),
                    Progress::Returned(call) => self.waiting.push_back(call),
                    Progress::Other => {}
                },
                () = self.given_up.notified() => self.session.iter_mut().for_each(Session::sweep),
                () = self.clock.sleep_until(wake) => {
                    let now = self.clock.now();
                    next_look = now.mono + LOOK;
                    if let Some(session) = &mut self.session {
                        session.engine.handle_timeout(now);
                    }
                }
            }
        }
    }

    /// The session takes calls, on this socket for the first time.
    fn announce(&mut self, socket: &Socket) {
        self.outlet.status.send_modify(|status| {
            status.connected = true;
            status.connections += 1;
        });
        let number = self.outlet.status.borrow().connections;
        let at = socket.remote.map_or_else(|| self.options.endpoint.to_string(), |remote| remote.to_string());
        tracing::info!("connected to DC {} at {at} (connection {number})", self.options.dc);
    }

    fn handle_input(&mut self, socket: &mut Socket) -> Result<(), Broken> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let result = session.handle_input(socket, self.clock.now(), self.options.dc);
        self.outlet.refused(std::mem::take(&mut session.refused));
        if std::mem::take(&mut session.heard) {
            self.key_refused = false;
            self.backoff.was_of_use(self.clock.now().mono.saturating_sub(socket.made));
            if !std::mem::replace(&mut self.heard, true)
                && let Some(remote) = socket.remote
            {
                self.options.endpoint.prefer(remote);
            }
        }
        result
    }

    /// Takes the call, and those that wait behind it, so that they share a container.
    fn take_calls(&mut self, call: Call) {
        let now = self.clock.now();
        let Some(session) = &mut self.session else { return };
        let mut next = Some(call);
        while let Some(call) = next {
            session.send(call, now);
            next = if session.calls() < MAX_IN_FLIGHT { self.calls.try_recv().ok() } else { None };
        }
    }

    /// <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>
    fn transport_error(&mut self, code: i32) -> Broken {
        let is_temporary = self.session.as_ref().is_some_and(Session::is_temporary);
        match code.unsigned_abs() {
            // "A temporary authorization key may expire at any moment": https://core.telegram.org/api/pfs
            404 if is_temporary => Broken::KeyLost("the server does not know it".into()),
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

    /// The session's key is of no use any more: its calls go to the next session, where that is safe.
    fn give_up_session(&mut self) {
        if let Some(session) = self.session.take() {
            let calls = session.give_up(&self.outlet, &mut self.patience, self.clock.now());
            self.waiting.extend(calls);
        }
        self.renewal.abandon();
    }
}

/// When the loop looks at the clock again, should nothing else happen; in monotonic time.
///
/// While packets are withheld from a full socket, acknowledgments that are due stay due: who woke for them would wake again
/// at once, forever. The next look is soon enough for everything else.
fn wake(engine_due: Option<Duration>, withheld: bool, next_look: Duration) -> Duration {
    let due = engine_due.unwrap_or(Duration::MAX);
    if withheld { due.max(next_look) } else { due }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overdue_does_not_wake_a_loop_whose_socket_is_full() {
        let at = Duration::from_secs;
        let check = |due, withheld, expected| {
            assert_eq!(wake(due, withheld, at(10)), expected, "{due:?} {withheld}");
        };
        check(Some(at(5)), false, at(5));
        check(Some(at(5)), true, at(10));
        check(Some(at(15)), true, at(15));
        check(None, true, Duration::MAX);
    }
}
