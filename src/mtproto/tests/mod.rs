//! Two engines, two byte queues and a virtual clock: a test for every rule.

mod acks;
mod bad_msg;
mod binding;
mod calls;
mod chaos;
mod hostile;
mod pair;
mod ping;
mod reconnect;
mod server;
mod service;
