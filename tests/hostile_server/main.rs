//! A server that breaks each rule of MTProto in turn, and the real client on the other end of a socket.
//!
//! The client has to refuse each with an error of its own, keep or drop the connection as the documentation says, and go on
//! working with a server that has come to its senses. <https://core.telegram.org/mtproto/security_guidelines>
//!
//! The same rules value by value: `src/mtproto/tests/hostile.rs` and `src/mtproto/exchange/tests/hostile_server.rs`.

mod answers;
mod binding;
mod exchange;
mod flood;
mod forge;
mod server;
mod session;
mod stream;

use std::time::Duration;

use bytes::Bytes;
use moongram::mtproto::Transport;
use moongram::net::dial::{Endpoint, Via};
use moongram::net::{Clock, Connection, Key, Options, Status, Updates};
use tokio::sync::watch;

use server::Server;

const PATIENCE: Duration = Duration::from_secs(30);

/// Some query; the server answers with what it was asked.
const QUERY: &[u8] = b"\x01\x02\x03\x04how are you?";

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

/// The real client, connected to a server of ours.
struct Client {
    connection: Connection,
    updates: Updates,
    status: watch::Receiver<Status>,
}

impl Client {
    /// With the key that the server has, or none, which begins with an exchange.
    fn new(server: &Server, key: Option<Key>) -> Client {
        Client::by_clock(server, key, Transport::Intermediate, Clock::real())
    }

    fn by_clock(server: &Server, key: Option<Key>, transport: Transport, clock: Clock) -> Client {
        Client::open(server, key, transport, clock, None)
    }

    fn open(server: &Server, key: Option<Key>, transport: Transport, clock: Clock, life: Option<Duration>) -> Client {
        let options = Options {
            dc: 2,
            endpoint: Endpoint::at([server.address]),
            transport,
            obfuscated: false,
            via: Via::Direct,
            public_keys: vec![exchange::RSA.public().clone()],
            key,
            temporary_key_life: life,
            opening: None,
        };
        let (connection, updates) = Connection::open(options, clock);
        let status = connection.status();
        Client { connection, updates, status }
    }

    /// An honest call, with its honest answer.
    async fn works(&self, name: &str) {
        let call = self.connection.call(Bytes::from_static(QUERY));
        let answer = tokio::time::timeout(PATIENCE, call).await;
        let status = self.status.borrow().clone();
        assert_eq!(answer.as_ref().map(|answer| answer.as_deref()), Ok(Ok(QUERY)), "{name}: {status:?}");
    }

    /// Waits until the status is so.
    async fn sees(&mut self, name: &str, what: impl Fn(&Status) -> bool) -> Status {
        match tokio::time::timeout(PATIENCE, self.status.wait_for(|status| what(status))).await {
            Ok(status) => status.expect("the connection lives").clone(),
            Err(_) => panic!("{name}: not seen: {:?}", self.connection.status().borrow()),
        }
    }
}
