//! The end of a permanent key. <https://core.telegram.org/api/auth#logging-out>

use std::sync::Arc;
use std::time::Duration;

use super::Clock;
use super::connection::{Key, Options};
use super::session::Session;
use super::socket::{Broken, Socket};
use crate::mtproto::Event;

const PATIENCE: Duration = Duration::from_secs(10);
/// The server knows no such key: <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>
const NO_SUCH_KEY: i32 = -404;

/// Lets the DC forget the key, over a socket of its own, which the key itself encrypts: no other can name it. The error is for
/// the log.
pub(super) async fn destroy_key(key: Arc<Key>, options: &Options, clock: &Clock) -> Result<(), String> {
    match clock.timeout(PATIENCE, destroy(key, options, clock)).await {
        Ok(Ok(true)) | Ok(Err(Broken::Transport(NO_SUCH_KEY))) => Ok(()),
        Ok(Ok(false)) => Err("the server did not destroy the auth key".into()),
        Ok(Err(broken)) => Err(broken.to_string()),
        Err(_) => Err("no answer".into()),
    }
}

async fn destroy(key: Arc<Key>, options: &Options, clock: &Clock) -> Result<bool, Broken> {
    let mut socket = Socket::connect(options, key.time_offset, clock).await?;
    let mut session = Session::permanent(key, options, clock.now());
    session.engine.destroy_auth_key();
    loop {
        while let Some(event) = session.engine.poll_event() {
            if let Event::AuthKeyDestroyed(done) = event {
                return Ok(done);
            }
        }
        socket.fill(&mut session.engine, clock.now());
        socket.turn().await?;
        session.handle_input(&mut socket, clock.now(), options.dc)?;
    }
}
