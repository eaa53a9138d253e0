//! One account: sign in, call, receive in order.

mod error;
mod ids;
mod peers;
mod subscription;
mod update;
mod updates;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::net::Clock;

pub use error::{CallError, RpcError};
pub use peers::{InputPeer, Peer, Peers};
pub use subscription::{MAX_QUEUED, MAX_QUEUED_BYTES, Subscription};
pub use update::{Mailbox, Place, Update};

/// How to become and stay signed in.
#[derive(Clone)]
pub enum SignIn {
    /// As a bot, with the token that BotFather gave.
    Bot { token: String },
    /// With what the session holds; a session that holds no account is an error.
    Stored,
}

/// Where the session lives.
#[derive(Clone, Debug)]
pub enum SessionAt {
    File(PathBuf),
    /// Gone with the process: for `play` and tests.
    Memory,
}

/// A data center's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dc {
    pub id: i32,
    pub address: SocketAddr,
}

/// What a client is started with.
#[derive(Clone)]
pub struct Config {
    pub api_id: i32,
    pub api_hash: String,
    pub sign_in: SignIn,
    pub session: SessionAt,
    /// Instead of Telegram's own where not empty; the first is where a new account begins.
    pub dcs: Vec<Dc>,
    /// Seconds of a flood wait that are slept through; a longer one is an error at once.
    pub flood_sleep_threshold: u32,
    pub device_model: String,
    pub system_version: String,
    pub app_version: String,
    pub lang_code: String,
}

/// The account itself.
#[derive(Clone, Debug, Default)]
pub struct Me {
    pub id: i64,
    pub is_bot: bool,
    pub first_name: String,
    pub last_name: Option<String>,
    pub username: Option<String>,
    pub phone: Option<String>,
    /// The boxed `User`.
    pub raw: Bytes,
}

/// How far the stream of updates has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Of the common box, received and in order.
    pub pts: i32,
    /// The last [`Update::seq`] handed to scripts.
    pub assigned: u64,
    /// The `seq` up to which every script has delivered.
    pub delivered: u64,
}

/// Why a client did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Call(#[from] CallError),
}

/// A handle on one account. Clones share it; the last one dropped, or [`Client::stop`], ends it.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    me: Arc<Me>,
    peers: Peers,
    clock: Clock,
}

impl Client {
    /// Connects (with a key exchange if the session has no key), signs in if it is not signed in, and is ready for calls.
    /// Updates flow after [`Client::begin_updates`].
    pub async fn start(_config: Config, clock: Clock) -> Result<Client, StartError> {
        let _ = clock;
        Err(CallError::Closed {
            reason: "not connected".into(),
        }
        .into())
    }

    /// A client without a connection, for benches and tests: calls fail with [`CallError::Closed`], and updates come from
    /// [`Client::feed`].
    pub fn detached() -> Client {
        let me = Arc::new(Me {
            is_bot: true,
            ..Me::default()
        });
        Client {
            shared: Arc::new(Shared {
                me,
                peers: Peers::new(),
                clock: Clock::real(),
            }),
        }
    }

    /// Handles the bytes of one `Updates` as if they had come from the network.
    pub fn feed(&self, _updates: Bytes) {}

    /// Starts the stream of updates: scripts that subscribed before miss nothing since the state that was saved.
    pub fn begin_updates(&self) {}

    /// Calls a function, given as its encoded boxed bytes; returns its encoded result. Flood waits up to the threshold are
    /// slept through, transient errors are tried again, and a call that was cut off is sent again where that is safe.
    pub async fn invoke(&self, _function: Bytes) -> Result<Bytes, CallError> {
        Err(CallError::Closed {
            reason: "this client is not connected".into(),
        })
    }

    pub fn me(&self) -> Arc<Me> {
        self.shared.me.clone()
    }

    pub fn peers(&self) -> &Peers {
        &self.shared.peers
    }

    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Finds `"me"`, `"@name"`, `"name"`, a phone number of a contact or a Bot-API id in digits, asking Telegram if need be.
    pub async fn resolve(&self, _name: &str) -> Result<Peer, CallError> {
        Err(CallError::Closed {
            reason: "this client is not connected".into(),
        })
    }

    /// The updates from now on, for one script.
    pub fn subscribe(&self, script: &str) -> Subscription {
        Subscription::new(Arc::new(subscription::Queue::new(
            script,
            0,
            Arc::default(),
        )))
    }

    /// Calls that wait for their answer, flood waits included.
    pub fn calls_in_flight(&self) -> usize {
        0
    }

    pub fn position(&self) -> Position {
        Position::default()
    }

    /// How many connections were made so far; stays 1 while the first one lives.
    pub fn connections(&self) -> u64 {
        0
    }

    /// Saves the state, closes the connection and every subscription.
    pub async fn stop(self) {}
}
