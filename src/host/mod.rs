//! Many scripts: find, start, watch, replace, stop.

pub mod config;
mod folder;
mod supervisor;
mod watch;

pub use folder::{Found, Listing, Selection, list, script_at};
pub use supervisor::{Event, Host, Options, Row, spec};
