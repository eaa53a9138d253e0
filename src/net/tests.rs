use std::time::Duration;

use bytes::Bytes;

use super::dial::Endpoint;
use super::testing::{Answer, Server, moment, soon, stepped_clock};
use super::*;

fn body(text: &'static [u8; 8]) -> Bytes {
    Bytes::from_static(text)
}

/// Answers with the query itself.
fn echo(query: &[u8]) -> Answer {
    Answer::Result(Bytes::copy_from_slice(query))
}

#[tokio::test]
async fn a_call_is_answered() {
    let server = Server::start(echo).await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    assert_eq!(soon(connection.call(body(b"question"))).await, Ok(body(b"question")));
    let status = connection.status().borrow().clone();
    assert!(status.connected);
    assert_eq!((status.connections, status.exchanges, status.sessions), (1, 0, 1));
}

#[tokio::test]
async fn an_error_is_the_server_s_own() {
    let server = Server::start(|_| Answer::Error(420, "FLOOD_WAIT_3")).await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    let failure = soon(connection.call(body(b"question"))).await.unwrap_err();
    let CallFailure::Rpc(error) = failure else { panic!("{failure}") };
    assert_eq!((error.code, error.message.as_str()), (420, "FLOOD_WAIT_3"));
}

#[tokio::test]
async fn a_call_in_flight_survives_the_connection() {
    let mut asked = 0;
    let server = Server::start(move |query| {
        asked += 1;
        if asked == 1 { Answer::Close } else { echo(query) }
    })
    .await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    // The server took the query and never answers it in this session: it says so, and whoever called decides.
    let calls = async {
        loop {
            match connection.call(body(b"question")).await {
                Err(CallFailure::Lost { .. }) => {}
                result => return result,
            }
        }
    };
    let answered = tokio::time::timeout(Duration::from_secs(2), calls).await;
    let status = connection.status().borrow().clone();
    assert_eq!((status.connections, status.sessions), (2, 1), "the session is the same");
    // A server that has the query still owes the answer; one that does not gets it again.
    assert!(answered.is_err() || answered == Ok(Ok(body(b"question"))));
}

#[tokio::test]
async fn a_call_lost_with_its_session_says_so() {
    let mut asked = 0;
    let server = Server::start(move |query| {
        asked += 1;
        match asked {
            1 => echo(query),
            2 => Answer::Restart,
            _ => echo(query),
        }
    })
    .await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    soon(connection.call(body(b"question"))).await.unwrap();
    let failure = soon(connection.call(body(b"dangerus"))).await.unwrap_err();
    assert!(matches!(failure, CallFailure::Lost { .. }), "{failure}");
    assert_eq!(soon(connection.call(body(b"question"))).await, Ok(body(b"question")));
    let status = connection.status().borrow().clone();
    assert_eq!((status.connections, status.sessions), (2, 2));
}

#[tokio::test]
async fn replies_are_not_stuck_behind_updates_that_nobody_takes() {
    let server = Server::start(echo).await;
    let (connection, mut updates) = Connection::open(server.options(), Clock::real());
    soon(connection.call(body(b"question"))).await.unwrap();
    let count = MAX_WAITING_UPDATES + 500;
    for _ in 0..count {
        server.push(body(b"an update"[..8].try_into().unwrap()));
    }
    let mut status = connection.status();
    soon(status.wait_for(|status| status.updates_lost >= 500)).await.unwrap();
    assert_eq!(soon(connection.call(body(b"question"))).await, Ok(body(b"question")));
    let mut taken = 0;
    while updates.try_recv().is_some() {
        taken += 1;
    }
    assert_eq!(taken, MAX_WAITING_UPDATES);
}

#[tokio::test]
async fn a_key_that_the_server_denies_twice_ends_the_connection() {
    let server = Server::start(|_| Answer::DenyKey).await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    let failure = soon(connection.call(body(b"question"))).await.unwrap_err();
    assert_eq!(failure, CallFailure::Closed(Some(Fatal::KeyUnknown)));
    assert_eq!(server.accepted(), 2);
    let failure = soon(connection.call(body(b"question"))).await.unwrap_err();
    assert_eq!(failure, CallFailure::Closed(Some(Fatal::KeyUnknown)));
}

#[tokio::test]
async fn a_silent_server_is_noticed_and_left() {
    let mut asked = 0;
    let server = Server::start(move |query| {
        asked += 1;
        if asked == 2 { Answer::FallSilent } else { echo(query) }
    })
    .await;
    let clock = stepped_clock();
    let (connection, _updates) = Connection::open(server.options(), clock.clone());
    soon(connection.call(body(b"question"))).await.unwrap();
    let waiting = tokio::spawn({
        let connection = connection.clone();
        async move { connection.call(body(b"silence.")).await }
    });
    let mut status = connection.status();
    let seconds = async {
        for second in 0.. {
            moment(2).await;
            if status.borrow_and_update().connections == 2 {
                return second;
            }
            clock.advance(Duration::from_secs(1));
        }
        unreachable!()
    };
    let seconds = soon(seconds).await;
    assert!(seconds <= 20, "noticed after {seconds} s");
    waiting.abort();
}

#[tokio::test]
async fn many_calls_at_once_are_each_answered_with_their_own() {
    let server = Server::start(echo).await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    let calls: Vec<_> = (0u64..10_000)
        .map(|i| {
            let connection = connection.clone();
            tokio::spawn(async move {
                let body = Bytes::copy_from_slice(&i.to_le_bytes());
                connection.call(body.clone()).await == Ok(body)
            })
        })
        .collect();
    for call in calls {
        assert!(soon(call).await.unwrap());
    }
}

#[tokio::test]
async fn the_connection_ends_with_its_last_handle() {
    let server = Server::start(|_| Answer::Never).await;
    let (connection, mut updates) = Connection::open(server.options(), Clock::real());
    let mut status = connection.status();
    soon(status.wait_for(|status| status.connected)).await.unwrap();
    drop(connection);
    assert!(soon(updates.recv()).await.is_none());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again() {
    // A port that nobody listens on until later.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = Server::start(echo).await;
    let options = Options { endpoint: Endpoint::at([address]), ..server.options() };
    let (connection, _updates) = Connection::open(options, Clock::real());
    let mut status = connection.status();
    soon(status.wait_for(|status| status.trouble.is_some())).await.unwrap();
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    soon(listener.accept()).await.unwrap();
}
