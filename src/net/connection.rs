//! The handle on a connection, and what it tells.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::Clock;
use super::dial::{Endpoint, Via};
use super::driver::Driver;
use super::updates::{self, Updates};
use crate::crypto::{AuthKey, RsaPublicKey};
use crate::mtproto::{PacketError, RpcError, Transport};

/// Calls that wait to be taken by the connection's loop. A caller beyond that waits for room.
const MAX_WAITING_CALLS: usize = 256;

/// What a connection needs to know of its DC.
#[derive(Clone)]
pub struct Options {
    /// The DC's number; 10,000 more for a test DC, as the exchange wants it.
    pub dc: i32,
    /// Where it listens. Of several addresses each is tried, the first first.
    pub endpoint: Endpoint,
    pub transport: Transport,
    /// Makes the stream look random to those who look on; not with the full transport.
    pub obfuscated: bool,
    /// The proxy, if there is one.
    pub via: Via,
    /// The server proves with one of these that it is who it says.
    pub public_keys: Vec<RsaPublicKey>,
    /// `None` begins with a key exchange.
    pub key: Option<Key>,
}

/// What it takes to speak to a DC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub auth_key: AuthKey,
    pub server_salt: i64,
    /// Seconds that the server's clock is ahead of ours.
    pub time_offset: i64,
}

/// How a connection fares. The counters only grow, so that nobody who looks rarely misses anything.
#[derive(Clone, Debug, Default)]
pub struct Status {
    pub connected: bool,
    /// TCP connections made so far.
    pub connections: u64,
    /// Key exchanges finished so far.
    pub exchanges: u64,
    /// Times that the server began the session anew. After the first, updates may be missing.
    pub sessions: u64,
    /// Unasked-for messages that were let go because nobody took them in time.
    pub updates_lost: u64,
    /// The key in use, with salt and time as last heard.
    pub key: Option<Arc<Key>>,
    /// Why the last attempt to connect failed, or the last connection broke.
    pub trouble: Option<String>,
    /// Messages that broke a rule and were ignored, while the connection went on.
    pub refused: u64,
    /// The rule that the last of them broke.
    pub last_refused: Option<PacketError>,
    /// Why there will be no further attempt.
    pub fatal: Option<Fatal>,
}

/// What no reconnection mends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// The server does not know the auth key (transport error -404). <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>
    #[error("the server does not know this session's auth key")]
    KeyUnknown,
    /// Transport error -444, at every address.
    #[error("the address does not belong to DC {0}")]
    WrongDc(i32),
    /// The server cannot prove who it is by any key that it would be believed by, at every address; says by which it could.
    #[error("{0}")]
    UnknownServer(String),
}

/// Why a call got no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The session that it was sent in is gone.
    #[error("the session ended before the answer came")]
    Lost { certainly_not_done: bool },
    #[error("the connection is closed{}", .0.as_ref().map(|fatal| format!(": {fatal}")).unwrap_or_default())]
    Closed(Option<Fatal>),
}

/// A handle on one session with one DC, which outlives the sockets it runs over. Clones share it; when the last one is dropped
/// it is closed.
#[derive(Clone)]
pub struct Connection {
    calls: mpsc::Sender<Call>,
    status: watch::Receiver<Status>,
}

/// A call on its way to the loop.
pub(super) struct Call {
    pub body: Bytes,
    pub reply: oneshot::Sender<Result<Bytes, CallFailure>>,
}

impl Connection {
    /// Begins to connect, and goes on doing so for as long as a handle lives. Must be called within a tokio runtime.
    pub fn open(options: Options, clock: Clock) -> (Connection, Updates) {
        // Full: `call` waits for room, without holding anyone else up.
        let (calls, waiting) = mpsc::channel(MAX_WAITING_CALLS);
        let (status, watched) = watch::channel(Status::default());
        let (sender, updates) = updates::channel();
        tokio::spawn(Driver::new(options, clock, waiting, status, sender).run());
        (Connection { calls, status: watched }, updates)
    }

    /// Sends a query; returns its answer, however many sockets that takes. Dropping the future gives up the answer.
    pub async fn call(&self, body: Bytes) -> Result<Bytes, CallFailure> {
        let (reply, answer) = oneshot::channel();
        // An error here gives the sender of the reply back, so it must not be waited for.
        if self.calls.send(Call { body, reply }).await.is_err() {
            return Err(self.closed());
        }
        answer.await.unwrap_or_else(|_| Err(self.closed()))
    }

    fn closed(&self) -> CallFailure {
        CallFailure::Closed(self.status.borrow().fatal.clone())
    }

    /// How it fares; the receiver tells of changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}
