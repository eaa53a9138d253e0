//! One client's connection: bytes in, bytes out.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::wire::Wire;
use super::{Dc, Hangup, Link};
use crate::crypto::SystemRandom;
use crate::local_dc::{Shared, stopped};
use crate::mtproto::exchange::{ExchangeError, ServerExchange};
use crate::mtproto::{Frame, FrameError, Framing, auth_key_id};

/// The longest sleep between two looks at the clock, which a test may have moved.
const TICK: Duration = Duration::from_millis(200);

/// What is read at once.
const READ: usize = 64 << 10;

/// An unknown auth key: <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>
const NO_SUCH_KEY: i32 = -404;

#[derive(Debug, thiserror::Error)]
enum End {
    #[error("closed by the client")]
    Closed,
    #[error("closed by the local DC")]
    Stopped,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a WebSocket whose stream is not obfuscated")]
    Bare,
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error(transparent)]
    Hangup(#[from] Hangup),
}

/// How long the last words to a client may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long a WebSocket's handshake may take.
const UPGRADE: Duration = Duration::from_secs(10);

struct Connection {
    shared: Arc<Shared>,
    number: u64,
    framing: Framing,
    exchange: Option<ServerExchange>,
}

/// Serves one client until either side closes.
pub async fn serve(shared: Arc<Shared>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    let (number, link) = shared.dc().connect();
    tracing::debug!(connection = number, "a client has connected");
    let mut connection = Connection { shared: shared.clone(), number, framing: Framing::server(), exchange: None };
    let end = tokio::select! {
        end = connection.run(stream, &link) => end,
        () = link.close.notified() => End::Stopped,
        () = stopped(&mut stop) => End::Stopped,
    };
    tracing::debug!(connection = number, %end, "a connection has ended");
    let now = shared.now();
    shared.dc().disconnect(number, now);
}

impl Connection {
    async fn run(&mut self, stream: TcpStream, link: &Link) -> End {
        // An update is worth a packet of its own.
        let _ = stream.set_nodelay(true);
        let mut wire = Wire::Tcp(stream);
        let mut input = BytesMut::with_capacity(READ);
        loop {
            if self.framing.transport().is_none() && Wire::is_http(&input) {
                wire = match wire {
                    Wire::Tcp(stream) => {
                        match tokio::time::timeout(UPGRADE, Wire::upgrade(stream, input.split())).await {
                            Ok(Ok(wire)) => wire,
                            Ok(Err(error)) => return error.into(),
                            Err(_) => return End::Closed,
                        }
                    }
                    wire => wire,
                };
            }
            let out = match self.handle(&mut input) {
                Ok(out) => out,
                Err((end, mut out)) => {
                    if let End::Hangup(Hangup::UnknownAuthKey) = end {
                        self.framing.encode_transport_error(NO_SUCH_KEY, &mut out);
                    }
                    let _ = tokio::time::timeout(GOODBYE, wire.last_words(&out)).await;
                    return end;
                }
            };
            // <https://core.telegram.org/mtproto/transports#websocket>: obfuscation is required.
            let is_bare = self.framing.transport().is_some() && !self.framing.is_obfuscated();
            if is_bare && matches!(wire, Wire::WebSocket(_)) {
                return End::Bare;
            }
            // Who does not read is waited for here; what comes for them meanwhile is counted, and `close` ends it.
            if let Err(error) = wire.write_all(&out).await {
                return error.into();
            }
            input.reserve(READ);
            tokio::select! {
                read = wire.read(&mut input) => match read {
                    Ok(0) => return End::Closed,
                    Ok(_) => {}
                    Err(error) => return error.into(),
                },
                () = link.wake.notified() => {}
                () = tokio::time::sleep(self.pause()) => {}
            }
        }
    }

    /// Handles what has come and what is due. Returns what is to be written, with the end if this is it.
    fn handle(&mut self, input: &mut BytesMut) -> Result<Vec<u8>, (End, Vec<u8>)> {
        let shared = self.shared.clone();
        let mut out = Vec::new();
        let mut result = self.handle_input(input, &mut out);
        let now = shared.now();
        let mut dc = shared.dc();
        if result.is_ok() {
            result = dc.handle_timeout(self.number, now).map_err(End::from);
        }
        for packet in dc.poll_packets(self.number, now) {
            self.framing.encode(&packet, &mut out);
        }
        drop(dc);
        result.map(|()| std::mem::take(&mut out)).map_err(|end| (end, out))
    }

    fn handle_input(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Result<(), End> {
        while let Some(frame) = self.framing.decode(input)? {
            let Frame::Packet(packet) = frame else { continue };
            match auth_key_id(&packet) {
                Some(0) | None => self.handle_exchange(&packet, out)?,
                Some(auth_key) => {
                    let shared = self.shared.clone();
                    let now = shared.now();
                    let accepted = shared.dc().handle_packet(self.number, auth_key, packet, now)?;
                    if let Some(token) = accepted.filter(|_| self.framing.quick_ack_wanted()) {
                        self.framing.encode_quick_ack(token, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A step of the key exchange: <https://core.telegram.org/mtproto/auth_key>. Its computation needs no lock.
    fn handle_exchange(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Result<(), End> {
        let now = self.shared.now();
        let mut random = SystemRandom::new();
        let exchange = self.exchange.get_or_insert_with(|| {
            let shared = self.shared.clone();
            ServerExchange::new(shared.rsa.clone()).with_taken(move |id| shared.dc().telegram.keys.salt(id).is_some())
        });
        exchange.handle_packet(packet, now, &mut random)?;
        while let Some(packet) = exchange.poll_packet() {
            self.framing.encode(&packet, out);
        }
        if let Some(agreed) = exchange.poll_done() {
            self.exchange = None;
            let mut dc: MutexGuard<'_, Dc> = self.shared.dc();
            dc.agreed(&agreed, now);
        }
        Ok(())
    }

    fn pause(&self) -> Duration {
        let now = self.shared.now().mono;
        let due = self.shared.dc().poll_timeout(self.number);
        due.map_or(TICK, |due| due.saturating_sub(now).clamp(Duration::from_millis(1), TICK))
    }
}
