//! One stream to the DC, with what waits on it in both directions.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::Clock;
use super::connection::{Fatal, Options};
use super::dial::{BoxedStream, Target, dial};
use super::pulse::Pulse;
use crate::mtproto::mtproxy::ProxyDc;
use crate::mtproto::{Engine, Framing, Time};

/// Bytes that are encrypted ahead of the socket.
const MAX_UNSENT: usize = 256 << 10;
/// Messages that may wait for a full socket before nothing more is read: a server that asks and does not listen would have its
/// answers kept without end. More than the calls in flight can be, so that an honest server is always listened to.
const MAX_BACKLOG: usize = 8_192;
/// For each step of the way to the DC.
const DIAL_PATIENCE: Duration = Duration::from_secs(10);
/// What is added to the number of a test DC.
const TEST_DCS: i32 = 10_000;

pub(super) struct Socket {
    pub reading: ReadHalf<BoxedStream>,
    pub writing: WriteHalf<BoxedStream>,
    pub framing: Framing,
    pub input: BytesMut,
    pub unsent: BytesMut,
    /// Nothing is read until something could be written.
    is_deaf: bool,
    /// Where it leads to.
    pub remote: Option<SocketAddr>,
    /// When it was made, in monotonic time.
    pub made: Duration,
    pub pulse: Pulse,
}

/// Why a socket is of no more use.
#[derive(Debug)]
pub(super) enum Broken {
    /// Connect anew.
    Because(String),
    /// Connect to another address; if there is none, do not.
    Refused(Fatal),
    /// Do not.
    Fatal(Fatal),
    /// The server said so in four bytes.
    Transport(i32),
    /// The temporary key is of no more use. Connect anew, with another.
    KeyLost(String),
    /// Nobody holds the connection any more.
    Unwanted,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Broken::Because(reason) | Broken::KeyLost(reason) => f.write_str(reason),
            Broken::Refused(fatal) | Broken::Fatal(fatal) => fatal.fmt(f),
            Broken::Transport(code) => write!(f, "transport error {code}"),
            Broken::Unwanted => f.write_str("not wanted any more"),
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        Broken::Because(error.to_string())
    }
}

pub(super) fn because(reason: impl ToString) -> Broken {
    Broken::Because(reason.to_string())
}

impl Socket {
    /// Connects. `time_offset` is how many seconds the DC's clock is ahead of ours.
    pub async fn connect(options: &Options, time_offset: i64, clock: &Clock) -> Result<Socket, Broken> {
        let Options { dc, transport, obfuscated, .. } = *options;
        let id = u16::try_from(dc % TEST_DCS).unwrap_or_default();
        let dc = ProxyDc { test: dc > TEST_DCS, ..ProxyDc::new(id) };
        let endpoint = options.endpoint.clone();
        let target = Target { endpoint, dc, transport, obfuscated, time_offset, patience: DIAL_PATIENCE };
        let dialed = dial(&target, &options.via, clock).await.map_err(because)?;
        let (reading, writing) = tokio::io::split(dialed.stream);
        Ok(Socket {
            reading,
            writing,
            framing: dialed.framing,
            input: BytesMut::with_capacity(16 << 10),
            unsent: BytesMut::new(),
            is_deaf: false,
            remote: dialed.remote,
            made: clock.now().mono,
            pulse: Pulse::new(clock.now(), dialed.local),
        })
    }

    pub fn encode(&mut self, packet: &[u8], quick_ack: bool) {
        let mut framed = Vec::with_capacity(packet.len() + 16);
        match quick_ack {
            true => self.framing.encode_with_quick_ack(packet, &mut framed),
            false => self.framing.encode(packet, &mut framed),
        }
        self.unsent.extend_from_slice(&framed);
    }

    /// Takes from the engine what fits. True if the socket is full, and something may be left.
    pub fn fill(&mut self, engine: &mut Engine, now: Time) -> bool {
        while self.unsent.len() < MAX_UNSENT
            && let Some(packet) = engine.poll_packet(now)
        {
            self.encode(&packet, engine.quick_ack_wanted());
        }
        if !self.unsent.is_empty() {
            self.pulse.has_to_write(now);
        }
        if self.pulse.take_sign_of_life() {
            engine.bytes_came(now);
        }
        let full = self.unsent.len() >= MAX_UNSENT;
        self.is_deaf = full && engine.backlog() > MAX_BACKLOG;
        full
    }

    /// Reads, or writes what waits, whichever can be done first. Dropping the future loses nothing.
    pub async fn turn(&mut self) -> Result<(), Broken> {
        tokio::select! {
            read = self.reading.read_buf(&mut self.input), if !self.is_deaf => {
                match read? {
                    0 => return Err(because("closed by the server")),
                    bytes => self.pulse.read(bytes),
                }
            }
            written = self.writing.write_buf(&mut self.unsent), if !self.unsent.is_empty() => {
                self.pulse.wrote(written?, self.unsent.len());
            }
        }
        Ok(())
    }
}
