//! The DC over its socket, asked by clients that are nothing but an engine and a socket.

mod client;
mod keys;
mod layers;
mod methods;
mod sessions;
mod state;
