//! Drives an engine over a socket. Knows nothing of what the bytes mean.

mod clock;
pub mod dial;

pub use clock::{Clock, Time};
