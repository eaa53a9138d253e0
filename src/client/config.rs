//! What a client is started with, and who it then is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::crypto::RsaPublicKey;
use crate::mtproto::Transport;
use crate::net::dial::{Via, WebSocket};

/// As in Telegram's own apps.
const TEMPORARY_KEY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// How to become and stay signed in.
#[derive(Clone)]
pub enum SignIn {
    /// As a bot, with the token that BotFather gave.
    Bot { token: String },
    /// As a user, with the code that Telegram sends. `code` is called on a thread that may block, once it was sent; `name` is the
    /// first name of an account that is created on the way, as test DCs allow.
    User { phone: String, code: Arc<dyn Fn() -> String + Send + Sync>, name: String },
    /// With what the session holds; a session that holds no account is an error.
    Stored,
}

/// Where the session lives.
#[derive(Clone, Debug)]
pub enum SessionAt {
    File(PathBuf),
    /// Gone with the process: for `play` and tests.
    Memory,
    /// One that is open already.
    Open(crate::storage::Session),
}

/// An address of a data center.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dc {
    pub id: i32,
    pub address: SocketAddr,
}

/// Whether DCs are reached over WebSocket, and where. It is obfuscated in any case.
/// <https://core.telegram.org/mtproto/transports#websocket>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WebSockets {
    #[default]
    Off,
    /// Telegram's own, over TLS; by `test_dc` those of its test DCs.
    Telegram,
    /// These, by the number of the DC; a new account begins at the first.
    At(Vec<(i32, WebSocket)>),
}

impl WebSockets {
    /// True unless the configuration names servers of its own.
    pub(super) fn is_telegram(&self) -> bool {
        !matches!(self, WebSockets::At(_))
    }
}

/// What a client is started with. [`Config::new`] has the usual values for the rest.
#[derive(Clone)]
pub struct Config {
    pub api_id: i32,
    pub api_hash: String,
    pub sign_in: SignIn,
    pub session: SessionAt,
    /// Instead of Telegram's own where not empty; a new account begins at the first. A DC may have several addresses, which
    /// are tried in their order.
    pub dcs: Vec<Dc>,
    /// Telegram's addresses of IPv6 as well, and first.
    pub ipv6: bool,
    /// Instead of TCP.
    pub websockets: WebSockets,
    /// How long a temporary key lives, by which everything is encrypted; it is replaced before. None lets the permanent key
    /// encrypt, which then opens all that was ever recorded. <https://core.telegram.org/api/pfs>
    pub temporary_key_life: Option<Duration>,
    /// Instead of Telegram's own where not empty.
    pub public_keys: Vec<RsaPublicKey>,
    /// Telegram's test DCs, where `dcs` is empty.
    pub test_dc: bool,
    pub transport: Transport,
    /// Makes the streams look random to those who look on; not with the full transport.
    pub obfuscated: bool,
    pub proxy: Via,
    /// Seconds of a flood wait that are slept through; a longer one is an error at once.
    pub flood_sleep_threshold: u32,
    /// How long the first connection may take before the start fails.
    pub connect_timeout: Duration,
    pub device_model: String,
    pub system_version: String,
    pub app_version: String,
    pub lang_code: String,
}

impl Config {
    pub fn new(api_id: i32, api_hash: impl Into<String>, sign_in: SignIn, session: SessionAt) -> Config {
        Config {
            api_id,
            api_hash: api_hash.into(),
            sign_in,
            session,
            dcs: Vec::new(),
            ipv6: false,
            websockets: WebSockets::Off,
            temporary_key_life: Some(TEMPORARY_KEY_LIFE),
            public_keys: Vec::new(),
            test_dc: false,
            transport: Transport::Intermediate,
            obfuscated: false,
            proxy: Via::Direct,
            flood_sleep_threshold: 60,
            connect_timeout: Duration::from_secs(30),
            device_model: "moongram".into(),
            system_version: std::env::consts::OS.into(),
            app_version: env!("CARGO_PKG_VERSION").into(),
            lang_code: "en".into(),
        }
    }
}

/// The account itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
