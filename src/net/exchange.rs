//! The key exchange over a fresh socket.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Clock;
use super::connection::{Fatal, Key, Options};
use super::session::Session;
use super::socket::{Broken, Socket, because};
use crate::crypto::SystemRandom;
use crate::mtproto::Frame;
use crate::mtproto::exchange::{Agreed, ClientExchange, ExchangeError};

/// For a whole exchange.
const PATIENCE: Duration = Duration::from_secs(20);

/// Agrees on a permanent key.
pub(super) async fn permanent_key(socket: &mut Socket, options: &Options, clock: &Clock) -> Result<Key, Broken> {
    let exchange = ClientExchange::new(&options.public_keys, options.dc, &mut SystemRandom::new(), clock.now());
    let Agreed { auth_key, server_salt, time_offset, .. } = run(exchange, socket, clock).await?;
    let created = clock.now().unix.as_secs() as i64 + time_offset;
    Ok(Key { auth_key, server_salt, time_offset, created })
}

/// Agrees on a temporary key; the session of it is still to be bound.
pub(super) async fn temporary_session(
    socket: &mut Socket,
    options: &Options,
    permanent: Arc<Key>,
    clock: &Clock,
) -> Result<Session, Broken> {
    let life = options.temporary_key_life.map_or(1, |life| i32::try_from(life.as_secs()).unwrap_or(i32::MAX).max(1));
    let (mut random, keys) = (SystemRandom::new(), &options.public_keys);
    let began = clock.now();
    let exchange = ClientExchange::temporary(keys, options.dc, life, &mut random, began);
    let agreed = run(exchange, socket, clock).await?;
    Ok(Session::temporary(agreed, permanent, options, began, clock.now()))
}

/// <https://core.telegram.org/mtproto/auth_key>
async fn run(exchange: ClientExchange, socket: &mut Socket, clock: &Clock) -> Result<Agreed, Broken> {
    let result = clock.timeout(PATIENCE, agree(exchange, socket, clock)).await;
    result.unwrap_or_else(|_| Err(because("the key exchange took too long")))
}

async fn agree(mut exchange: ClientExchange, socket: &mut Socket, clock: &Clock) -> Result<Agreed, Broken> {
    let mut random = SystemRandom::new();
    loop {
        while let Some(packet) = exchange.poll_packet() {
            socket.encode(&packet, false);
        }
        socket.writing.write_all_buf(&mut socket.unsent).await?;
        socket.writing.flush().await?;
        if let Some(agreed) = exchange.poll_done() {
            return Ok(agreed);
        }
        match socket.framing.decode(&mut socket.input).map_err(because)? {
            Some(Frame::Packet(packet)) => {
                exchange.handle_packet(&packet, clock.now(), &mut random).map_err(|error| match error {
                    // It says the same the next time.
                    ExchangeError::UnknownKeys(_) => Broken::Refused(Fatal::UnknownServer(error.to_string())),
                    error => because(error),
                })?;
            }
            Some(Frame::TransportError(code)) => {
                return Err(because(format!("transport error {code} in the key exchange")));
            }
            Some(Frame::QuickAck(_)) => {}
            None => {
                if socket.reading.read_buf(&mut socket.input).await? == 0 {
                    return Err(because("closed by the server in the key exchange"));
                }
            }
        }
    }
}
