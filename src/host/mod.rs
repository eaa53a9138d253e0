//! Many scripts: find, start, watch, replace, stop.

mod changes;
pub mod config;
#[cfg(unix)]
pub mod control;
mod folder;
mod handle;
mod links;
mod menu;
mod places;
mod slot;
mod supervisor;
#[cfg(test)]
mod tests;
mod watch;

pub use changes::needs_restart;
pub use folder::{Found, Listing, Selection, list, script_at};
pub use handle::{Event, Handle, HandlerRow, Host, Row, State};
pub use supervisor::{Options, spec};
