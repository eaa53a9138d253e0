//! The client as Lua: one script's state, its API, its limits.
//!
//! A *version* of a script ([`load`], [`Version`]) is one Lua state on a thread of its own. Updates come to it through the
//! [`Inbox`], which belongs to the script's name and outlives versions. Inside, `runtime.rs` is the scheduler and
//! `dispatch.rs` the way of one update; `filters/` and `events/` look at an update's bytes, `convert/` turns tables to TL
//! and back; `natives/` is what Rust gives to the modules of the prelude (`prelude/*.lua`), and those are what a script sees.

pub mod bounded;
mod budget;
mod console;
mod convert;
mod dispatch;
mod error;
mod events;
mod fault;
mod files;
mod filters;
mod handlers;
mod inbox;
mod json;
mod lane;
pub mod names;
mod natives;
mod order;
mod pool;
mod runtime;
mod sandbox;
mod spec;
mod state;
#[cfg(test)]
mod tests;
mod version;
mod waits;

pub use console::is_unfinished;
pub use error::{LoadError, SourceLine};
pub use files::source_hash;
pub use handlers::CommandInfo;
pub use inbox::Inbox;
pub use spec::{Env, Limits, ScriptSpec};
pub use state::State;
pub use version::{Diagnostic, Reason, Stats, Version, check, load};
