//! A small Telegram on this machine: an MTProto server to try scripts on, and for tests.

pub mod refusal;
pub mod world;
