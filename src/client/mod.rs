//! One account: sign in, call, receive in order.
//!
//! A [`Client`] is started with a [`Config`] and cloned freely. [`Client::invoke`] is the one way to call; flood waits, lost
//! answers and the server's own errors are dealt with there. Updates come by [`Client::subscribe`], one bounded queue for each
//! script, each update in the order of its box and none lost: what scripts have not delivered is not saved as received.
//!
//! ```text
//! net::Updates ─▶ updates::task ─▶ Updates (Sequencer, Ledger, Peers) ─▶ Subscription, one a script
//! invoke ─▶ Caller ─▶ net::Connection ─▶ result ─▶ Updates::own_result ─▶ the caller
//! ```

mod addresses;
mod commands;
mod config;
mod core;
mod endings;
mod error;
mod ids;
mod invoke;
mod order;
mod peers;
mod resolve;
#[cfg(test)]
pub(crate) mod sample;
mod sign_in;
mod start;
mod subscription;
mod telegram;
mod update;
mod updates;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::net::Clock;
use crate::storage::{Session, UpdateState};
use crate::tl::functions;

pub use commands::{BotCommand, MAX_COMMANDS};
pub use config::{Config, Dc, Me, SessionAt, SignIn, WebSockets};
pub use error::{CallError, RpcError};
pub use order::Turn;
pub use peers::{InputPeer, Known, Peer, Peers};
pub use start::StartError;
pub use subscription::{MAX_QUEUED, MAX_QUEUED_BYTES, Subscription};
pub use update::{Mailbox, Place, Update};

use self::core::Core;

/// How far the stream of updates has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Of the common box, received and in order.
    pub pts: i32,
    /// The last [`Update::seq`] handed to scripts.
    pub assigned: u64,
    /// The `seq` up to which every script has delivered.
    pub delivered: u64,
    /// Something is missing, and is being waited for or fetched.
    pub behind: bool,
}

/// A handle on one account. Clones share it; the last one dropped, or [`Client::stop`], ends it.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    core: Arc<Core>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    /// Ends the task that drives the updates.
    fn end_task(&self) -> Option<JoinHandle<()>> {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        task.abort();
        Some(task)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.end_task();
        self.core.close();
    }
}

impl Client {
    /// Connects (with a key exchange if the session has no key), signs in if nobody is signed in, and is ready for calls.
    /// Updates flow after [`Client::begin_updates`]. Must be called within a tokio runtime, which then drives the connection.
    pub async fn start(config: Config, clock: Clock) -> Result<Client, StartError> {
        start::start(config, clock).await
    }

    /// A client without a connection, for benches and tests: calls fail with [`CallError::Closed`], and updates come from
    /// [`Client::feed`]. The common box begins at pts 0, each channel's with its first update.
    pub fn detached() -> Client {
        Client::detached_as(Me { id: 1, is_bot: true, first_name: "detached".into(), ..Me::default() })
    }

    /// The same as somebody else, a user for one.
    pub fn detached_as(me: Me) -> Client {
        let me = Arc::new(me);
        let session = Session::in_memory().expect("a database in memory needs nothing from outside");
        let clock = Clock::real();
        let peers = Arc::new(Peers::new(session.clone()));
        peers.set_me(me.id, me.is_bot);
        let identity = (me.id, me.is_bot);
        let updates =
            updates::Updates::new(UpdateState::default(), Vec::new(), peers.clone(), identity, clock.now().mono);
        Client::new(Arc::new(Core::new(clock, session, peers, me, updates, None)), None)
    }

    fn new(core: Arc<Core>, task: Option<JoinHandle<()>>) -> Client {
        Client { shared: Arc::new(Shared { core, task: Mutex::new(task) }) }
    }

    /// Handles the bytes of one boxed `Updates` as if they had come from the network, before it returns. Takes no notice of
    /// full queues.
    pub fn feed(&self, updates: Bytes) {
        let core = &self.shared.core;
        core.updates().handle(updates, core.clock.now().mono);
    }

    /// Starts the stream of updates: scripts that subscribed before miss nothing since the state that was saved.
    pub fn begin_updates(&self) {
        let core = &self.shared.core;
        if core.caller().is_ok() && !core.begun.send_replace(true) {
            // What came while nobody listened is in the saved state's difference.
            core.updates().fetch_difference(core.clock.now().mono);
            core.moved.notify_one();
        }
    }

    /// Calls a function, given as its encoded boxed bytes; returns its encoded result. Flood waits up to the threshold are
    /// slept through, the server's own errors are tried again, and a call that was cut off is sent again where that is safe.
    /// An answer that does not come while the DC could be spoken to for five minutes is [`CallError::NoAnswer`].
    /// Dropping the future gives up the answer, and lets the server know, not what the call does.
    pub async fn invoke(&self, function: Bytes) -> Result<Bytes, CallError> {
        self.shared.core.invoke(function, None).await
    }

    /// [`Client::invoke`] in this turn: sent without waiting for the answers to the calls before, and done after they are done.
    /// If one of them fails, it is not done, and its error is 400 `MSG_WAIT_FAILED`. Of several calls in one turn the first is
    /// made in order.
    pub async fn invoke_in(&self, function: Bytes, turn: &Turn) -> Result<Bytes, CallError> {
        self.shared.core.invoke(function, Some(turn)).await
    }

    pub fn me(&self) -> Arc<Me> {
        self.shared.core.me.clone()
    }

    pub fn peers(&self) -> &Peers {
        &self.shared.core.peers
    }

    pub fn clock(&self) -> &Clock {
        &self.shared.core.clock
    }

    /// Finds `"me"`, `"@name"`, `"name"`, `"+phone"` or a Bot-API id in digits, asking Telegram for what was never seen.
    pub async fn resolve(&self, name: &str) -> Result<Peer, CallError> {
        resolve::resolve(&self.shared.core, name).await
    }

    /// The updates from now on, for one script.
    pub fn subscribe(&self, script: &str) -> Subscription {
        Subscription::new(self.shared.core.updates().subscribe(script))
    }

    /// Calls that wait for their answer, flood waits included.
    pub fn calls_in_flight(&self) -> usize {
        self.shared.core.calls_in_flight()
    }

    pub fn position(&self) -> Position {
        self.shared.core.updates().position()
    }

    /// TCP connections made so far; stays 1 while the first one lives.
    pub fn connections(&self) -> u64 {
        self.shared.core.status().connections
    }

    /// Exchanges of permanent keys made since the start; 0 with a session that had a key.
    pub fn key_exchanges(&self) -> u64 {
        self.shared.core.status().exchanges
    }

    /// Exchanges of temporary keys made since the start.
    pub fn temporary_key_exchanges(&self) -> u64 {
        self.shared.core.status().temporary_exchanges
    }

    /// True while the DC can be spoken to.
    pub fn is_connected(&self) -> bool {
        self.shared.core.status().connected
    }

    /// Returns, with the reason, once the client has ended by itself: its key was revoked, its session closed elsewhere.
    pub async fn ended(&self) -> String {
        let mut ended = self.shared.core.ended.subscribe();
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Signs out: auth.logOut, after which the server is asked to forget the key, and the session file is emptied but for the
    /// addresses of DCs. The client is stopped; with an error, the session is as it was. An account that was signed out from
    /// elsewhere is no error. Telegram's token for a later sign-in without a code is not kept.
    ///
    /// <https://core.telegram.org/method/auth.logOut>, <https://core.telegram.org/api/auth#logging-out>
    pub async fn log_out(self) -> Result<(), CallError> {
        let core = self.shared.core.clone();
        let caller = core.caller()?;
        let clock = core.clock.clone();
        self.stop().await;
        let mut body = Vec::new();
        functions::AuthLogOut {}.write(&mut body);
        match caller.call(body.into()).await {
            Ok(_) => {}
            Err(CallError::Rpc(error)) if endings::Ending::of_error(&error).is_some() => {}
            Err(error) => return Err(error),
        }
        if let Err(reason) = caller.connection.destroy_key(&clock).await {
            tracing::warn!("signed out, but the server may still know the auth key: {reason}");
        }
        core.session.clear();
        if let Err(error) = core.session.flush().await {
            tracing::error!("{error}");
        }
        Ok(())
    }

    /// Saves the state, closes every subscription, and fails every later call of every clone. The session is free again when the
    /// last clone is dropped.
    pub async fn stop(self) {
        if let Some(task) = self.shared.end_task() {
            // It holds the session until it is gone. That it was cancelled is no news.
            let _ = task.await;
        }
        let core = &self.shared.core;
        core.save();
        if let Err(error) = core.session.flush().await {
            tracing::error!("{error}");
        }
        core.close();
    }
}
