//! The task that drives the stream: takes updates from the network while scripts have room, fetches differences, saves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::sequencer::Fetch;
use crate::client::core::Core;
use crate::client::endings::Ending;
use crate::client::{CallError, InputPeer, Peer};
use crate::net::{self, Status};
use crate::storage::{StoredKey, UpdateState};
use crate::tl::{Reader, enums, functions, types};

/// The time between two saves. <https://www.sqlite.org/wal.html> makes each a short append.
const SAVE_INTERVAL: Duration = Duration::from_millis(250);
/// Before a difference that failed is asked for again.
const RETRY: Duration = Duration::from_secs(1);
/// Between two warnings that updates are let go.
const LOSS_INTERVAL: Duration = Duration::from_secs(10);
/// Updates taken in one go before anything else has its turn.
const BATCH: usize = 256;
/// How many updates of a channel are asked for at once. <https://core.telegram.org/api/updates#recovering-gaps>
const CHANNEL_LIMIT_USER: i32 = 100;
const CHANNEL_LIMIT_BOT: i32 = 1_000;

/// The answer to a request that the stream made.
enum Answer {
    Fetched(Fetch, Result<Bytes, CallError>),
    /// The server's own state, as it did not accept ours.
    State(Fetch, Result<Bytes, CallError>),
}

/// What is on its way, and what was seen of the connection.
struct Stream {
    core: Arc<Core>,
    requests: JoinSet<Answer>,
    connections: u64,
    sessions: u64,
    updates_lost: u64,
    /// When it was last said that updates were let go.
    loss_told: Option<Duration>,
    key: Option<Arc<net::Key>>,
    dc: i32,
}

/// Runs until the client is stopped.
pub(in crate::client) async fn run(
    core: Arc<Core>,
    mut incoming: net::Updates,
    mut status: watch::Receiver<Status>,
    dc: i32,
) {
    let mut begun = core.begun.subscribe();
    if begun.wait_for(|begun| *begun).await.is_err() {
        return;
    }
    let room = core.updates().room();
    let seen = status.borrow_and_update().clone();
    let mut stream = Stream {
        core: core.clone(),
        requests: JoinSet::new(),
        connections: seen.connections,
        sessions: seen.sessions,
        updates_lost: seen.updates_lost,
        loss_told: None,
        key: None,
        dc,
    };
    stream.status_changed(seen);
    let mut next_save = Duration::ZERO;
    loop {
        if core.caller().is_err() {
            break;
        }
        let now = core.clock.now().mono;
        let has_room = !core.updates().is_full();
        if has_room {
            stream.fetch(now);
        }
        let (deadline, unsaved) = {
            let updates = core.updates();
            (updates.deadline(), updates.is_unsaved())
        };
        let mut wake = if has_room { deadline } else { Duration::MAX };
        if unsaved {
            if next_save <= now {
                core.save();
                next_save = now + SAVE_INTERVAL;
            }
            wake = wake.min(next_save);
        }
        tokio::select! {
            biased;
            changed = status.changed() => {
                if changed.is_err() {
                    break;
                }
                let now_seen = status.borrow_and_update().clone();
                stream.status_changed(now_seen);
            }
            // A full script's queue: nothing is taken until there is room. Meanwhile the network's queue fills, lets go what
            // does not fit and counts it, and the difference brings that.
            message = incoming.recv(), if has_room => {
                let Some(message) = message else { break };
                stream.take(message, &mut incoming);
            }
            Some(answer) = stream.requests.join_next(), if has_room && !stream.requests.is_empty() => {
                if let Ok(answer) = answer {
                    stream.answered(answer);
                }
            }
            () = room.notified() => {}
            () = core.moved.notified() => {}
            () = core.clock.sleep_until(wake.max(now + Duration::from_millis(1))) => {}
        }
    }
    core.close();
}

impl Stream {
    fn take(&mut self, first: Bytes, incoming: &mut net::Updates) {
        let now = self.core.clock.now().mono;
        let mut updates = self.core.updates();
        updates.handle(first, now);
        for _ in 1..BATCH {
            if updates.is_full() {
                break;
            }
            let Some(message) = incoming.try_recv() else { break };
            updates.handle(message, now);
        }
    }

    fn status_changed(&mut self, status: Status) {
        let now = self.core.clock.now().mono;
        if status.key != self.key
            && let Some(key) = status.key.as_deref()
        {
            self.core.session.set_key(self.dc, Some(stored(key)));
        }
        self.key = status.key;
        if let Some(fatal) = status.fatal {
            match Ending::of_fatal(&fatal) {
                Some(ending) => self.core.end(&ending),
                None => self.core.end_because(fatal.to_string()),
            }
            return;
        }
        if status.sessions > self.sessions {
            // A session that is new, by a new temporary key or because the server forgot the old one, may lack updates.
            // <https://core.telegram.org/api/updates#recovering-gaps>
            tracing::info!("a new session with the server; fetching the difference");
            self.core.updates().fetch_difference(now);
        }
        self.sessions = status.sessions;
        if status.connections > self.connections {
            // What the server sent into the old connection's void shows as a gap only when the next update comes.
            self.core.updates().fetch_difference(now);
        }
        self.connections = status.connections;
        if status.updates_lost > self.updates_lost {
            if self.loss_told.is_none_or(|told| now >= told + LOSS_INTERVAL) {
                self.loss_told = Some(now);
                tracing::warn!(
                    "scripts do not keep up: {} updates so far were let go, and will be fetched with the difference",
                    status.updates_lost
                );
            }
            self.core.updates().fetch_difference(now);
        }
        self.updates_lost = status.updates_lost;
    }

    fn fetch(&mut self, now: Duration) {
        loop {
            let Some(fetch) = self.core.updates().poll_fetch(now) else { return };
            match self.body(fetch) {
                Some(body) => self.request(body, move |result| Answer::Fetched(fetch, result)),
                None => {
                    let Fetch::Channel { id, .. } = fetch else { return };
                    tracing::error!("gap: channel {id} cannot be asked for its difference: it was never seen");
                    self.core.updates().forget_channel(id);
                }
            }
        }
    }

    fn body(&self, fetch: Fetch) -> Option<Bytes> {
        let mut body = Vec::new();
        match fetch {
            Fetch::Difference(state) => functions::UpdatesGetDifference {
                pts: state.pts,
                pts_limit: None,
                pts_total_limit: None,
                date: state.date,
                qts: state.qts,
                qts_limit: None,
            }
            .write(&mut body),
            Fetch::Channel { id, pts } => {
                let Some(InputPeer::Channel { id: channel_id, access_hash }) =
                    self.core.peers.input_peer(Peer::Channel(id).id())
                else {
                    return None;
                };
                functions::UpdatesGetChannelDifference {
                    force: false,
                    channel: enums::InputChannel::InputChannel(types::InputChannel { channel_id, access_hash }),
                    filter: enums::ChannelMessagesFilter::Empty(types::ChannelMessagesFilterEmpty {}),
                    pts,
                    limit: if self.core.me.is_bot { CHANNEL_LIMIT_BOT } else { CHANNEL_LIMIT_USER },
                }
                .write(&mut body);
            }
        }
        Some(body.into())
    }

    /// At most one difference and a few channels' are underway at once.
    fn request(&mut self, body: Bytes, answer: impl FnOnce(Result<Bytes, CallError>) -> Answer + Send + 'static) {
        let caller = self.core.caller();
        self.requests.spawn(async move {
            match caller {
                Ok(caller) => answer(caller.call(body).await),
                Err(error) => answer(Err(error)),
            }
        });
    }

    fn answered(&mut self, answer: Answer) {
        let now = self.core.clock.now().mono;
        match answer {
            Answer::Fetched(fetch, Ok(bytes)) => self.fetched(fetch, bytes, now),
            Answer::Fetched(fetch, Err(error)) => self.failed(fetch, error, now),
            Answer::State(fetch, result) => match result.map(|bytes| read_state(&bytes)) {
                Ok(Some(state)) => self.core.updates().adopt(state, now),
                _ => self.core.updates().fetch_failed(fetch, now + RETRY),
            },
        }
    }

    fn fetched(&mut self, fetch: Fetch, bytes: Bytes, now: Duration) {
        let mut updates = self.core.updates();
        let result = match fetch {
            Fetch::Difference(_) => updates.difference(bytes, now),
            Fetch::Channel { id, .. } => updates.channel_difference(id, bytes, now),
        };
        if let Err(error) = result {
            tracing::error!("a difference cannot be read ({error}); asking again");
            updates.fetch_failed(fetch, now + 10 * RETRY);
        }
    }

    /// <https://core.telegram.org/method/updates.getDifference#possible-errors>
    fn failed(&mut self, fetch: Fetch, error: CallError, now: Duration) {
        let is = |pattern: &str| matches!(&error, CallError::Rpc(error) if error.is(pattern));
        if let CallError::Rpc(error) = &error
            && let Some(ending) = Ending::of_error(error)
        {
            self.core.end(&ending);
            return;
        }
        let not_accepted = is("PERSISTENT_TIMESTAMP_INVALID") || is("PERSISTENT_TIMESTAMP_EMPTY");
        match fetch {
            Fetch::Difference(_) if not_accepted => {
                let mut body = Vec::new();
                functions::UpdatesGetState {}.write(&mut body);
                self.request(body.into(), move |result| Answer::State(fetch, result));
            }
            Fetch::Channel { id, .. } if not_accepted || is("CHANNEL_*") => {
                tracing::warn!("channel {id} can no longer be followed: {error}");
                self.core.updates().forget_channel(id);
            }
            _ => {
                tracing::warn!("the difference could not be fetched ({error}); asking again");
                self.core.updates().fetch_failed(fetch, now + RETRY);
            }
        }
    }
}

/// Reads a boxed `updates.State`.
pub(in crate::client) fn read_state(bytes: &[u8]) -> Option<UpdateState> {
    let mut reader = Reader::new(bytes);
    reader.expect(types::UpdatesState::ID).ok()?;
    let state = types::UpdatesState::read(&mut reader).ok()?;
    Some(UpdateState { pts: state.pts, qts: state.qts, date: state.date, seq: state.seq })
}

pub(in crate::client) fn stored(key: &net::Key) -> StoredKey {
    StoredKey {
        auth_key: *key.auth_key.as_bytes(),
        server_salt: key.server_salt,
        time_offset: key.time_offset,
        created: key.created,
    }
}
