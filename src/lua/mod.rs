//! The client as Lua: one script's state, its API, its limits.
//!
//! A *version* of a script ([`load`], [`Version`]) is one Lua state on a thread of its own. Updates come to it through the
//! [`Inbox`], which belongs to the script's name and outlives versions. Inside, `runtime.rs` is what a version holds,
//! `scheduler.rs` how its workers come to run, and `dispatch.rs` the way of one update; `filters/` and `events/` look at an update's bytes, `convert/` turns tables to TL
//! and back; `natives/` is what Rust gives to the modules of the prelude (`prelude/*.lua`), and those are what a script sees.

pub mod bounded;
mod budget;
mod console;
mod convert;
mod data;
mod dispatch;
mod ending;
mod error;
mod events;
mod expressions;
mod fault;
mod files;
mod filters;
mod handlers;
mod http;
mod inbox;
mod json;
mod kept;
mod lane;
mod log_rate;
mod login_codes;
pub mod names;
mod natives;
mod order;
mod outside;
mod pool;
mod profile;
mod runtime;
mod sandbox;
mod schedule;
mod scheduler;
mod spec;
mod state;
mod strikes;
#[cfg(test)]
mod tests;
mod thread;
mod uses;
mod version;
mod waits;
mod watchdog;

pub use console::is_unfinished;
pub use data::{DataError, DataFolder, NewFile, Places};
pub use error::{LoadError, SourceLine};
pub use files::source_hash;
pub use handlers::CommandInfo;
pub use http::{Http, check_grants};
pub use inbox::Inbox;
pub use profile::HandlerStats;
pub use spec::{Env, Limits, ScriptSpec};
pub use state::State;
pub use strikes::STRIKES;
pub use uses::{Remark, Use, What, remark, uses};
pub use version::{Checked, Diagnostic, Reason, Stats, Version, check, load};
