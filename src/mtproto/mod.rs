//! The MTProto protocol as a value: bytes and time in, bytes and events out.
//!
//! Nothing here awaits, reads a clock or owns a socket. `handle_*` takes from outside, `poll_*` gives to outside; `now`
//! and randomness are arguments. Both sides of a connection are the same code with another [`Side`], so two engines
//! joined by two byte queues and a virtual clock are the first test of every rule.
//!
//! ```text
//! socket bytes ⇄ [`Framing`] ⇄ packets ⇄ [`Engine`] (or the key exchange) ⇄ queries, replies, updates
//! ```
//!
//! * [`binding`]: the proof that binds a temporary key to a permanent one;
//! * [`framing`]: how packets follow one another on a byte stream, obfuscated or not;
//! * [`mtproxy`], [`faketls`]: what an MTProxy has to be told, and the stream disguised as TLS for it;
//! * [`packet`]: what is inside an encrypted packet, and the checks made before anything is parsed;
//! * [`engine`]: one session: what waits to be sent, what waits for an answer, what was received;
//! * `handle`: one file for each family of messages, with the rule at the line that keeps it.

use std::fmt;
use std::time::Duration;

pub mod binding;
mod calls;
pub mod engine;
mod event;
pub mod exchange;
pub mod faketls;
pub mod framing;
mod gzip;
mod handle;
mod ids;
pub mod mtproxy;
mod outbox;
pub mod packet;
#[cfg(test)]
mod tests;

pub use engine::{Engine, EngineConfig, Timing};
pub use event::{Event, LostReason, PacketError, RpcError};
pub use framing::{Frame, FrameError, Framing, Proxy, Transport};
pub use gzip::InflateError;
pub use handle::salts::FutureSalt;
pub use outbox::MAX_BODY;
pub use packet::{Opened, auth_key_id, open};

/// Which end of a connection a value plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Client,
    Server,
}

impl Side {
    /// The other end.
    pub fn peer(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// A moment, as whoever drives this layer sees it.
///
/// Both clocks are needed: deadlines must not move when somebody sets the wall clock, message ids are wall-clock time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Time {
    /// Since some fixed start; never goes backwards.
    pub mono: Duration,
    /// Since 1970-01-01 UTC, as this machine believes.
    pub unix: Duration,
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    fn add(self, by: Duration) -> Time {
        Time { mono: self.mono + by, unix: self.unix + by }
    }
}

/// A message identifier: Unix time times 2^32, approximately; the lowest two bits tell who wrote it and why.
///
/// <https://core.telegram.org/mtproto/description#message-identifier-msg-id>
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MsgId(pub i64);

impl MsgId {
    /// The Unix time inside, in whole seconds.
    pub fn seconds(self) -> i64 {
        self.0 >> 32
    }

    /// Written by a client: divisible by four.
    pub fn is_from_client(self) -> bool {
        self.0 & 3 == 0
    }

    /// Written by a server: 1 modulo 4 if it responds to a client's message, 3 otherwise.
    pub fn is_from_server(self) -> bool {
        self.0 & 1 == 1
    }
}

impl fmt::Display for MsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x}", self.0)
    }
}

impl fmt::Debug for MsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MsgId({:#018x})", self.0)
    }
}
