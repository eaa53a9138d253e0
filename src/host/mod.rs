//! Many scripts: find, start, watch, replace, stop.
