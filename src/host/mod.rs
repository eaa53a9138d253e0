//! Many scripts: find, start, watch, replace, stop.

pub mod config;
pub mod folder;
pub mod watch;
