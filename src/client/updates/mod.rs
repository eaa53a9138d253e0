//! The stream of updates: put in order, handed to scripts, and saved no further than they came.

pub mod sequencer;
