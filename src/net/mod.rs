//! Drives an engine over a socket. Knows nothing of what the bytes mean.

mod backoff;
mod calls;
mod clock;
mod connection;
pub mod dial;
mod driver;
mod exchange;
mod farewell;
mod keys;
mod renewal;
mod session;
mod socket;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod updates;

pub use calls::{Place, Underway};
pub use clock::{Clock, Elapsed};
pub use connection::{CallFailure, Connection, Fatal, Key, Options, Status};
pub use updates::{MAX_WAITING_BYTES, MAX_WAITING_UPDATES, Updates};
