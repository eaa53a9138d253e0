//! The handle on a connection, and what it tells.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::Clock;
use super::calls::{Call, Place, Underway};
use super::dial::{Endpoint, Via};
use super::driver::Driver;
use super::farewell::destroy_key;
use super::pulse::{IsGone, is_gone};
use super::updates::{self, Updates};
use crate::crypto::{AuthKey, RsaPublicKey};
use crate::mtproto::{MAX_BODY, PacketError, RpcError, Transport};

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
    /// The permanent key; `None` begins with the exchange of one.
    pub key: Option<Key>,
    /// How long a temporary key is asked to live; it is replaced before. With one, the permanent key encrypts nothing but the
    /// proof that binds it: <https://core.telegram.org/api/pfs>. `None` lets the permanent key encrypt.
    pub temporary_key_life: Option<Duration>,
    /// The call that introduces the client: made first of all in every session, and again after every binding. Other calls
    /// wait for its answer.
    pub opening: Option<Bytes>,
}

/// What it takes to speak to a DC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub auth_key: AuthKey,
    pub server_salt: i64,
    /// Seconds that the server's clock is ahead of ours.
    pub time_offset: i64,
    /// When it was agreed on, in Unix seconds of the server's clock; 0 if it is not known to be young.
    pub created: i64,
}

/// How a connection fares. The counters only grow, so that nobody who looks rarely misses anything.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Calls are taken; some may wait a moment while a key is changed or bound again.
    pub connected: bool,
    /// TCP connections made so far.
    pub connections: u64,
    /// Exchanges of permanent keys finished so far.
    pub exchanges: u64,
    /// Exchanges of temporary keys finished so far.
    pub temporary_exchanges: u64,
    /// The answer to the last opening call.
    pub opening: Option<Bytes>,
    /// Times that the server began the session anew. After the first, updates may be missing.
    pub sessions: u64,
    /// Unasked-for messages that were let go because nobody took them in time.
    pub updates_lost: u64,
    /// The permanent key, with salt (if it is the one in use) and time as last heard.
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
    /// The server does not know the permanent key: transport error -404 where it encrypts, otherwise a binding to it that is
    /// refused. <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>, <https://core.telegram.org/api/pfs>
    #[error("the server does not know this session's auth key")]
    KeyUnknown,
    /// Transport error -444, at every address.
    #[error("the address does not belong to DC {0}")]
    WrongDc(i32),
    /// The server cannot prove who it is by any key that it would be believed by, at every address; says by which it could.
    #[error("{0}")]
    UnknownServer(String),
    /// The opening call's error, which the next attempt would meet as well.
    #[error("the server does not take the session: {0}")]
    Rejected(RpcError),
}

/// Why a call got no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The session that it was sent in is gone.
    #[error("the session ended before the answer came")]
    Lost { certainly_not_done: bool },
    /// It has this many bytes, and was not sent.
    #[error("{0} bytes are more than the {MAX_BODY} that a server takes")]
    TooLarge(usize),
    #[error("the connection is closed{}", .0.as_ref().map(|fatal| format!(": {fatal}")).unwrap_or_default())]
    Closed(Option<Fatal>),
}

/// A handle on one session with one DC, which outlives the sockets it runs over. Clones share it; when the last one is dropped
/// it is closed.
#[derive(Clone)]
pub struct Connection {
    calls: mpsc::Sender<Call>,
    given_up: Arc<Notify>,
    status: watch::Receiver<Status>,
    options: Arc<Options>,
}

impl Connection {
    /// Begins to connect, and goes on doing so for as long as a handle lives. Must be called within a tokio runtime.
    pub fn open(options: Options, clock: Clock) -> (Connection, Updates) {
        Connection::open_knowing(options, clock, is_gone)
    }

    /// [`open`](Self::open) with another idea of which addresses this machine has lost.
    pub(super) fn open_knowing(options: Options, clock: Clock, is_gone: IsGone) -> (Connection, Updates) {
        // Full: `call` waits for room, without holding anyone else up.
        let (calls, waiting) = mpsc::channel(MAX_WAITING_CALLS);
        let (status, watched) = watch::channel(Status::default());
        let (sender, updates) = updates::channel();
        let given_up = Arc::new(Notify::new());
        let kept = Arc::new(options.clone());
        tokio::spawn(Driver::new(options, clock, waiting, given_up.clone(), status, sender, is_gone).run());
        (Connection { calls, given_up, status: watched, options: kept }, updates)
    }

    /// Sends a query; returns its answer, however many sockets that takes. Dropping the future gives up the answer.
    pub async fn call(&self, body: Bytes) -> Result<Bytes, CallFailure> {
        self.begin(body, Vec::new()).await?.answer().await
    }

    /// Puts a query into the queue, from which it is sent in its turn. It is done after the calls at the places `after`, which
    /// were begun before, and fails with 400 `MSG_WAIT_FAILED` if one of them fails; -503 `MSG_WAIT_TIMEOUT` says that one of
    /// them has to be waited for here. <https://core.telegram.org/api/invoking#helper-method-sequence>
    pub async fn begin(&self, body: Bytes, after: Vec<Place>) -> Result<Underway, CallFailure> {
        let (reply, answer) = oneshot::channel();
        let place = Place::default();
        if self.calls.send(Call { body, after, place: place.clone(), reply }).await.is_err() {
            return Err(CallFailure::Closed(self.status.borrow().fatal.clone()));
        }
        Ok(Underway { answer, place, status: self.status.clone(), given_up: self.given_up.clone() })
    }

    /// Lets the DC forget the permanent key, and with it all that is bound to it; for after auth.logOut. The error says why it
    /// may still know it.
    pub async fn destroy_key(&self, clock: &Clock) -> Result<(), String> {
        let key = self.status.borrow().key.clone();
        let key = key.ok_or("there is none")?;
        destroy_key(key, &self.options, clock).await
    }

    /// How it fares; the receiver tells of changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}
