//! The key exchange over a fresh socket.

use super::Clock;
use super::connection::{Key, Options};
use super::driver::{Broken, Socket, because};
use crate::crypto::SystemRandom;

pub(super) async fn exchange(_: &mut Socket, _: &Options, _: &Clock, _: &mut SystemRandom) -> Result<Key, Broken> {
    Err(because("the key exchange is not there yet"))
}
