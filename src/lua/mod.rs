//! The client as Lua: one script's state, its API, its limits.
pub mod bounded;
