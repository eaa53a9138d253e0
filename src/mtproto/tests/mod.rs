//! Two engines, two byte queues and a virtual clock: a test for every rule.

mod acks;
mod bad_msg;
mod binding;
mod calls;
mod chaos;
mod clock;
mod hostile;
mod order;
mod pair;
mod ping;
mod receipts;
mod reconnect;
mod salts;
mod server;
mod service;
mod state;
