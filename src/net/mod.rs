//! Drives an engine over a socket. Knows nothing of what the bytes mean.

mod clock;

pub use clock::{Clock, Time};
