//! The key exchange over a fresh socket.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Clock;
use super::connection::{Fatal, Key, Options};
use super::driver::{Broken, Socket, because};
use crate::crypto::SystemRandom;
use crate::mtproto::Frame;
use crate::mtproto::exchange::{ClientExchange, ExchangeError};

/// Agrees on an auth key. <https://core.telegram.org/mtproto/auth_key>
pub(super) async fn exchange(
    socket: &mut Socket,
    options: &Options,
    clock: &Clock,
    random: &mut SystemRandom,
) -> Result<Key, Broken> {
    let mut exchange = ClientExchange::new(&options.public_keys, options.dc, random, clock.now());
    loop {
        while let Some(packet) = exchange.poll_packet() {
            socket.encode(&packet);
        }
        socket.writing.write_all_buf(&mut socket.unsent).await?;
        socket.writing.flush().await?;
        if let Some(agreed) = exchange.poll_done() {
            return Ok(Key {
                auth_key: agreed.auth_key,
                server_salt: agreed.server_salt,
                time_offset: agreed.time_offset,
            });
        }
        match socket.framing.decode(&mut socket.input).map_err(because)? {
            Some(Frame::Packet(packet)) => {
                exchange.handle_packet(&packet, clock.now(), random).map_err(|error| match error {
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
