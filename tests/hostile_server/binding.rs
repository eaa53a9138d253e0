//! Forward secrecy, with a server that lies about the temporary key. No call may be made before it is bound, and the permanent key
//! must outlive whatever becomes of it. <https://core.telegram.org/api/pfs>

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use moongram::mtproto::Transport;
use moongram::mtproto::exchange::ExchangeError;
use moongram::net::{Clock, Fatal};
use moongram::tl::{BOOL_FALSE, BOOL_TRUE, functions};

use crate::exchange::Lies;
use crate::server::{Answer, Server};
use crate::{Client, QUERY};

/// The names of the queries that came, in their order.
type Came = Arc<Mutex<Vec<&'static str>>>;

/// A server that binds after it has given these answers, and a client that wants forward secrecy.
async fn binding(lies: Vec<Lies>, answers: Vec<Answer>) -> (Server, Client, Came) {
    let came = Came::default();
    let (noted, mut answers) = (came.clone(), answers.into_iter());
    let answer = move |query: &[u8]| {
        let binds = query.starts_with(&functions::AuthBindTempAuthKey::ID.to_le_bytes());
        noted.lock().expect("nobody panicked").push(if binds { "bind" } else { "query" });
        let bound = || Answer::Result(BOOL_TRUE.to_le_bytes().to_vec().into());
        if binds { answers.next().unwrap_or_else(bound) } else { Answer::Result(Bytes::copy_from_slice(query)) }
    };
    let server = Server::start(lies, answer).await;
    let life = Some(Duration::from_secs(3600));
    let client = Client::open(&server, None, Transport::Intermediate, Clock::real(), life);
    (server, client, came)
}

fn result(bytes: impl Into<Vec<u8>>) -> Answer {
    Answer::Result(bytes.into().into())
}

#[tokio::test]
async fn an_honest_server_binds_before_the_first_call() {
    let (server, client, came) = binding(Vec::new(), Vec::new()).await;
    client.works("bound").await;
    assert_eq!(*came.lock().unwrap(), ["bind", "query"]);
    let status = client.status.borrow().clone();
    assert_eq!((status.exchanges, status.temporary_exchanges, server.accepted()), (1, 1, 1));
}

/// The temporary key is refused as the permanent one would be, which is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lie_in_the_exchange_of_the_temporary_key_costs_nothing_but_a_connection() {
    let (server, mut client, came) = binding(vec![Lies::wrong_hash_from_the_second()], Vec::new()).await;
    let status = client.sees("lie", |status| status.trouble.is_some()).await;
    assert_eq!(status.trouble, Some(ExchangeError::WrongNewNonceHash.to_string()));
    assert_eq!((status.exchanges, status.temporary_exchanges), (1, 0));
    client.works("after").await;
    let status = client.status.borrow().clone();
    assert_eq!((status.exchanges, status.temporary_exchanges, server.accepted()), (1, 1, 2));
    assert_eq!(*came.lock().unwrap(), ["bind", "query"]);
}

/// Whatever is not a yes is a no: another temporary key is bound before anything is said under it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_yes_to_the_binding_is_a_no() {
    let cases = || {
        [
            ("boolFalse", result(BOOL_FALSE.to_le_bytes())),
            ("nothing", result([])),
            ("a stranger's type", result(*b"\x01\x02\x03\x04abcd")),
            ("a yes with something behind it", result([BOOL_TRUE.to_le_bytes(), [0; 4]].concat())),
            ("an error", Answer::Error(400, "TEMP_AUTH_KEY_ALREADY_BOUND")),
            ("an error without a name", Answer::Error(400, "")),
        ]
    };
    for (name, answer) in cases() {
        let (_server, client, came) = binding(Vec::new(), vec![answer]).await;
        client.works(name).await;
        assert_eq!(*came.lock().unwrap(), ["bind", "bind", "query"], "{name}");
        let status = client.status.borrow().clone();
        assert_eq!((status.exchanges, status.temporary_exchanges), (1, 2), "{name}");
    }
}

/// However long a server says that it takes.
#[tokio::test]
async fn a_wait_without_measure_is_no_overflow() {
    let flood = Answer::Error(420, "FLOOD_WAIT_18446744073709551615");
    let (_server, mut client, came) = binding(Vec::new(), vec![flood]).await;
    client.sees("flood", |status| status.trouble.is_some()).await;
    // The connection's task lives, and waits.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let status = client.sees("alive", |status| status.trouble.is_some()).await;
    assert_eq!(status.fatal, None);
    let call = client.connection.call(Bytes::from_static(QUERY));
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err(), "it is not made unbound");
    assert_eq!(*came.lock().unwrap(), ["bind"]);
}

/// Transport error -404 under the temporary key says nothing about the permanent one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_temporary_key_that_is_denied_is_replaced() {
    let (server, mut client, _) = binding(Vec::new(), Vec::new()).await;
    for round in 1..4 {
        client.works("before").await;
        server.transport_error(-404);
        client.sees("denied", |status| status.connections == round + 1).await;
    }
    client.works("after").await;
    let status = client.status.borrow().clone();
    assert_eq!((status.exchanges, status.temporary_exchanges, status.fatal), (1, 4, None::<Fatal>));
}
