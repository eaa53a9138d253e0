//! moongram: a host for Telegram scripts.
//!
//! One MTProto client holds the session of a bot or a user; an embedded Lua runtime loads the scripts of a folder;
//! scripts register handlers and call any RPC method; a saved script is live within milliseconds, and the connection
//! never notices.
//!
//! # Layers
//!
//! A layer imports only layers below it; `tests/layers.rs` reads the `use` lines and fails on an arrow upward.
//!
//! ```text
//!                cli
//!                 │
//!                host ───────────────┐
//!                 │                  │
//!                lua                 │
//!                 │                  │
//!               client           local_dc
//!              ╱  │  ╲           ╱   │
//!           text net storage    ╱    │
//!                 │   ╲        ╱     │
//!              mtproto ───────╯      │
//!               ╱   ╲                │
//!             tl    crypto ──────────╯
//! ```
//!
//! `client` and `local_dc` never import each other: they share `mtproto` and meet as bytes on a socket, which is what
//! makes a passing test mean something.

pub mod cli;
pub mod client;
pub mod crypto;
pub mod host;
pub mod local_dc;
pub mod lua;
pub mod mtproto;
pub mod net;
pub mod storage;
pub mod text;
pub mod tl;
