//! The change from one temporary key to the next, while the connection goes on: the next session is made ready beside the one
//! that serves, and that one stays until its calls are answered. <https://core.telegram.org/api/pfs>

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Clock;
use super::backoff::Backoff;
use super::calls::Call;
use super::connection::{Key, Options};
use super::exchange::temporary_session;
use super::session::{Outlet, Session};
use super::socket::{Broken, Socket};

/// How long a session that was replaced waits for its last answers.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);
/// How often its calls are looked through for callers that gave up.
const SWEEP: Duration = Duration::from_secs(1);

/// A session of a new temporary key with the socket that it was agreed on over; not bound yet.
pub(super) struct Successor {
    pub socket: Socket,
    pub session: Session,
}

/// What a session that was replaced leaves behind.
pub(super) enum Leftover {
    /// It was certainly not done.
    Call(Call),
    /// The session with this id is over.
    Session(i64),
}

/// "A new key can also be generated in advance, so that the client has a new key ready by the time the old one has expired."
pub(super) async fn prepare(
    options: Options,
    permanent: Arc<Key>,
    time_offset: i64,
    clock: Clock,
) -> Result<Successor, Broken> {
    let mut socket = Socket::connect(&options, time_offset, &clock).await?;
    let session = temporary_session(&mut socket, &options, permanent, &clock).await?;
    Ok(Successor { socket, session })
}

/// Waits for the answers to the calls of a session that takes no more of them.
pub(super) async fn drain(
    mut session: Session,
    mut socket: Socket,
    outlet: Arc<Outlet>,
    clock: Clock,
    // Holds no more than the session's calls.
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
