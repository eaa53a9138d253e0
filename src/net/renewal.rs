//! The change from one temporary key to the next, while the connection goes on: the next session is made ready beside the one
//! that serves, and that one stays until its calls are answered. <https://core.telegram.org/api/pfs>

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Clock;
use super::backoff::Backoff;
use super::calls::Call;
use super::connection::{Key, Options};
use super::exchange::temporary_session;
use super::session::{Outlet, Session};
use super::socket::{Broken, Socket, because};
use crate::crypto::SystemRandom;
use crate::mtproto::Time;

/// How long the calls on their way may hold up the change. Binding the new key takes the old one's binding away, so what is
/// answered before needs no luck.
const HANDOVER_PATIENCE: Duration = Duration::from_secs(2);
/// How long a session that was replaced waits for its last answers.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);
/// How often its calls are looked through for callers that gave up.
const SWEEP: Duration = Duration::from_secs(1);
/// The least time between two attempts to prepare a key.
const RETRY: Duration = Duration::from_secs(1);
/// Sessions that are given up and not yet destroyed; the oldest is left to the server then.
const MAX_GIVEN_UP: usize = 16;

/// What is underway, beside the session that serves. It ends with its owner.
pub(super) struct Renewal {
    preparing: JoinSet<Result<Successor, Broken>>,
    /// Ready, and waits for the calls on their way, until then.
    successor: Option<(Successor, Duration)>,
    backoff: Backoff,
    not_before: Duration,
    /// Sessions that were replaced, and wait for their answers.
    draining: JoinSet<()>,
    leftovers: (mpsc::UnboundedSender<Leftover>, mpsc::UnboundedReceiver<Leftover>),
    given_up: VecDeque<i64>,
}

/// A session of a new temporary key with the socket that it was agreed on over; not bound yet.
pub(super) struct Successor {
    pub socket: Socket,
    pub session: Session,
}

/// What a session that was replaced leaves behind.
enum Leftover {
    /// It was certainly not done.
    Call(Call),
    /// The session with this id is over.
    Session(i64),
}

/// Something that went on beside.
pub(super) enum Progress {
    Prepared(Box<Result<Successor, Broken>>),
    /// A call that was certainly not done.
    Returned(Call),
    Other,
}

impl Renewal {
    pub fn new() -> Renewal {
        Renewal {
            preparing: JoinSet::new(),
            successor: None,
            backoff: Backoff::new(),
            not_before: Duration::ZERO,
            draining: JoinSet::new(),
            // Bounded by the calls of the sessions that are drained.
            leftovers: mpsc::unbounded_channel(),
            given_up: VecDeque::new(),
        }
    }

    /// The next session is ready; the one that serves takes no more calls, so that it comes to an end.
    pub fn is_near(&self) -> bool {
        self.successor.is_some()
    }

    /// Begins to prepare the next key when it is time; gives the next session when nothing keeps this one any more.
    pub fn step(&mut self, session: &Session, key: &Arc<Key>, options: &Options, clock: &Clock) -> Option<Successor> {
        let now = clock.now();
        if let Some((_, deadline)) = &self.successor {
            let is_ready = session.calls() == 0 || now.mono >= *deadline;
            return if is_ready { self.successor.take().map(|(successor, _)| successor) } else { None };
        }
        let due = session.renewal_due(now)?.max(self.not_before);
        if self.preparing.is_empty() && now.mono >= due {
            let time_offset = session.engine.time_offset();
            self.preparing.spawn(prepare(options.clone(), key.clone(), time_offset, clock.clone()));
        }
        None
    }

    /// When [`step`](Self::step) is due, in monotonic time.
    pub fn due(&self, session: &Session, now: Time) -> Duration {
        let due = match &self.successor {
            Some((_, deadline)) => Some(*deadline),
            None if self.preparing.is_empty() => session.renewal_due(now).map(|due| due.max(self.not_before)),
            None => None,
        };
        due.unwrap_or(Duration::MAX)
    }

    /// What happens next beside the session that serves. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Progress {
        tokio::select! {
            Some(prepared) = self.preparing.join_next(), if !self.preparing.is_empty() => {
                Progress::Prepared(Box::new(prepared.unwrap_or_else(|error| Err(because(error)))))
            }
            Some(leftover) = self.leftovers.1.recv() => match leftover {
                Leftover::Call(call) => Progress::Returned(call),
                Leftover::Session(id) => {
                    if self.given_up.len() >= MAX_GIVEN_UP {
                        self.given_up.pop_front();
                    }
                    self.given_up.push_back(id);
                    Progress::Other
                }
            },
            Some(_) = self.draining.join_next(), if !self.draining.is_empty() => Progress::Other,
        }
    }

    pub fn prepared(&mut self, prepared: Result<Successor, Broken>, outlet: &Outlet, now: Time) {
        match prepared {
            Ok(successor) => {
                self.backoff.reset();
                outlet.status.send_modify(|status| status.temporary_exchanges += 1);
                self.successor = Some((successor, now.mono + HANDOVER_PATIENCE));
            }
            Err(broken) => {
                self.not_before = now.mono + self.backoff.next(&mut SystemRandom::new()).max(RETRY);
                tracing::warn!("no new temporary key from DC {} yet: {broken}", outlet.dc);
            }
        }
    }

    /// Lets a session that was replaced wait for its answers.
    pub fn drain(&mut self, session: Session, socket: Socket, outlet: &Arc<Outlet>, clock: &Clock) {
        tracing::info!("a new temporary key for DC {} takes over", outlet.dc);
        self.draining.spawn(drain(session, socket, outlet.clone(), clock.clone(), self.leftovers.0.clone()));
    }

    /// The sessions that are over, for the one that serves to destroy.
    pub fn take_given_up(&mut self) -> impl Iterator<Item = i64> {
        self.given_up.drain(..)
    }

    /// The session that serves lost its socket: what is ready waited for the end of its calls, and grows old.
    pub fn socket_lost(&mut self) {
        self.successor = None;
    }

    /// There is another key in any case.
    pub fn abandon(&mut self) {
        self.successor = None;
        self.preparing = JoinSet::new();
    }
}

/// "A new key can also be generated in advance, so that the client has a new key ready by the time the old one has expired."
async fn prepare(options: Options, permanent: Arc<Key>, time_offset: i64, clock: Clock) -> Result<Successor, Broken> {
    let mut socket = Socket::connect(&options, time_offset, &clock).await?;
    let session = temporary_session(&mut socket, &options, permanent, &clock).await?;
    Ok(Successor { socket, session })
}

/// Waits for the answers to the calls of a session that takes no more of them.
async fn drain(
    mut session: Session,
    mut socket: Socket,
    outlet: Arc<Outlet>,
    clock: Clock,
    leftovers: mpsc::UnboundedSender<Leftover>,
) {
    session.leave();
    let id = session.engine.session_id();
    let deadline = clock.now().mono + DRAIN_PATIENCE;
    let mut patience = Backoff::new();
    let mut next_sweep = clock.now().mono + SWEEP;
    // A receiver that is gone was the connection's own task.
    let give_back = |calls: Vec<Call>| calls.into_iter().for_each(|call| drop(leftovers.send(Leftover::Call(call))));
    loop {
        let now = clock.now();
        let broken = session.handle_events(&outlet, &mut patience, now);
        give_back(session.take_returned());
        if broken.is_err() || session.calls() == 0 || now.mono >= deadline {
            break;
        }
        let full = socket.fill(&mut session.engine, now);
        let due = session.engine.poll_timeout().filter(|_| !full).unwrap_or(Duration::MAX);
        let turned = tokio::select! {
            turned = socket.turn() => turned,
            () = clock.sleep_until(due.min(next_sweep).min(deadline)) => Ok(()),
        };
        let now = clock.now();
        session.engine.handle_timeout(now);
        if now.mono >= next_sweep {
            next_sweep = now.mono + SWEEP;
            session.sweep();
        }
        if turned.is_err() || session.handle_input(&mut socket, now, outlet.dc).is_err() {
            break;
        }
    }
    give_back(session.give_up(&outlet, &mut patience, clock.now()));
    let _ = leftovers.send(Leftover::Session(id));
}
