mod keys;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::dial::Endpoint;
use super::testing::{Answer, Server, moment, soon, stepped_clock};
use super::*;
use crate::mtproto::{MAX_BODY, Transport};

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
async fn a_call_whose_packet_was_lost_with_the_connection_is_done_over_the_next() {
    let deaf = |query: &[u8]| Answer::ResultAndDeaf(Bytes::copy_from_slice(query));
    let server = Server::start(move |query| if query == b"question" { deaf(query) } else { echo(query) }).await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    soon(connection.call(body(b"question"))).await.unwrap();
    let mut large = vec![0; 800];
    crate::crypto::Random::fill(&mut crate::crypto::SeededRandom::new(1), &mut large);
    assert_eq!(soon(connection.call(large.clone().into())).await, Ok(large.into()));
    let status = connection.status().borrow().clone();
    assert_eq!((status.connections, status.sessions), (2, 1), "the session is the same");
}

#[tokio::test]
async fn an_answer_lost_with_the_connection_comes_over_the_next_and_the_call_is_done_once() {
    let done = Arc::new(AtomicU64::new(0));
    let server = Server::start({
        let done = done.clone();
        move |query| {
            done.fetch_add(1, Ordering::AcqRel);
            Answer::ResultLost(Bytes::copy_from_slice(query))
        }
    })
    .await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    assert_eq!(soon(connection.call(body(b"question"))).await, Ok(body(b"question")));
    assert_eq!((connection.status().borrow().connections, done.load(Ordering::Acquire)), (2, 1));
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

/// Opens a connection to a server that answers nothing, and makes a call, by a clock that stands still: what follows waits for no
/// timer.
async fn waiting(transport: Transport) -> (Server, Connection, Underway, Underway) {
    let server = Server::start(|_| Answer::Never).await;
    let options = Options { transport, ..server.options() };
    let (connection, _updates) = Connection::open(options, stepped_clock());
    // The news of the session carries this one's acknowledgment along; the next one's goes in five seconds.
    let first = soon(connection.begin(body(b"question"), vec![])).await.unwrap();
    soon(received(&first)).await;
    let asked = soon(connection.begin(body(b"another."), vec![])).await.unwrap();
    (server, connection, first, asked)
}

async fn received(asked: &Underway) {
    while !asked.place().is_received() {
        moment(1).await;
    }
}

/// <https://core.telegram.org/mtproto/service_messages#cancellation-of-an-rpc-query>
#[tokio::test]
async fn the_server_hears_of_a_call_that_is_given_up_before_any_time_passes() {
    let (server, _connection, _first, asked) = waiting(Transport::Intermediate).await;
    soon(received(&asked)).await;
    drop(asked);
    soon(async {
        while server.dropped() == 0 {
            moment(1).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_given_up_before_it_was_sent_never_is() {
    let server = Server::start(echo).await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    // The loop has not run since.
    drop(connection.begin(body(b"unwanted"), vec![]).await.unwrap());
    soon(connection.call(body(b"question"))).await.unwrap();
    assert_eq!(server.dropped(), 0);
}

#[tokio::test]
async fn a_call_that_is_answered_is_not_dropped() {
    let server = Server::start(echo).await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    for _ in 0..10 {
        soon(connection.call(body(b"question"))).await.unwrap();
    }
    assert_eq!(server.dropped(), 0);
}

/// <https://core.telegram.org/mtproto/mtproto-transports#quick-ack>
#[tokio::test]
async fn a_call_is_known_to_have_arrived_long_before_its_answer_in_every_transport_that_can_say_so() {
    for transport in [Transport::Abridged, Transport::Intermediate, Transport::Padded] {
        let (_server, _connection, _first, asked) = waiting(transport).await;
        soon(received(&asked)).await;
    }
    let (_server, _connection, _first, asked) = waiting(Transport::Full).await;
    moment(100).await;
    assert!(!asked.place().is_received(), "full has no quick acknowledgments");
}

#[tokio::test]
async fn a_call_that_is_too_large_is_refused_before_it_is_sent() {
    let server = Server::start(echo).await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    let mut large = vec![0; MAX_BODY + 4];
    crate::crypto::Random::fill(&mut crate::crypto::SeededRandom::new(1), &mut large);
    let failure = soon(connection.call(large.clone().into())).await.unwrap_err();
    assert_eq!(failure, CallFailure::TooLarge(MAX_BODY + 4));
    large.truncate(MAX_BODY);
    assert_eq!(soon(connection.call(large.clone().into())).await, Ok(large.into()));
    assert_eq!(connection.status().borrow().connections, 1);
}

/// Makes a call that meets these transport errors, and then an answer. How it ended, and how often the server was dialed, and
/// the least seconds that passed between the first error and the next attempt.
async fn meet(errors: &[i32]) -> (Result<Bytes, CallFailure>, u64, u64) {
    let server = Server::start(echo).await;
    let clock = stepped_clock();
    let (connection, _updates) = Connection::open(server.options(), clock.clone());
    soon(connection.call(body(b"another."))).await.unwrap();
    server.refuse(errors);
    let call = connection.call(body(b"question"));
    tokio::pin!(call);
    let mut seconds = 0;
    let result = soon(async {
        loop {
            tokio::select! {
                result = &mut call => return result,
                () = moment(30) => {
                    if server.accepted() < 2 {
                        seconds += 1;
                    }
                    clock.advance(Duration::from_secs(1));
                }
            }
        }
    })
    .await;
    (result, server.accepted(), seconds)
}

/// <https://core.telegram.org/mtproto/mtproto-transports#transport-errors>
#[tokio::test]
async fn a_transport_flood_is_waited_out() {
    let (result, dialed, seconds) = meet(&[-429]).await;
    assert_eq!((result, dialed), (Ok(body(b"question")), 2));
    assert!(seconds >= 2, "the next attempt came after {seconds} s");
}

#[tokio::test]
async fn a_wrong_dc_is_the_end() {
    let (result, dialed, _) = meet(&[-444]).await;
    assert_eq!((result, dialed), (Err(CallFailure::Closed(Some(Fatal::WrongDc(2)))), 1));
}

#[tokio::test]
async fn a_key_denied_once_is_tried_again() {
    let (result, dialed, _) = meet(&[-404]).await;
    assert_eq!((result, dialed), (Ok(body(b"question")), 2));
}

#[tokio::test]
async fn a_key_denied_twice_is_the_end() {
    let (result, dialed, _) = meet(&[-404, -404]).await;
    assert_eq!((result, dialed), (Err(CallFailure::Closed(Some(Fatal::KeyUnknown))), 2));
}

#[tokio::test]
async fn any_other_transport_error_is_a_connection_that_broke() {
    for code in [-403, -500, -1] {
        let (result, dialed, _) = meet(&[code]).await;
        assert_eq!((result, dialed), (Ok(body(b"question")), 2), "{code}");
    }
}

#[tokio::test]
async fn calls_in_order_go_out_together_and_name_one_another() {
    let server = Server::start(|query| Answer::Result(Bytes::copy_from_slice(&query[..4]))).await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    let first = connection.begin(body(b"question"), vec![]).await.unwrap();
    let second = connection.begin(body(b"question"), vec![first.place().clone()]).await.unwrap();
    let both = vec![first.place().clone(), second.place().clone()];
    let third = connection.begin(body(b"question"), both).await.unwrap();
    let head = |id: u32| Ok(Bytes::copy_from_slice(&id.to_le_bytes()));
    assert_eq!(soon(third.answer()).await, head(crate::tl::envelope::INVOKE_AFTER_MSGS));
    assert_eq!(soon(second.answer()).await, head(crate::tl::envelope::INVOKE_AFTER_MSG));
    assert_eq!(soon(first.answer()).await, Ok(body(b"question").slice(..4)));
}

#[tokio::test]
async fn a_call_after_one_that_failed_fails_without_being_sent() {
    let server = Server::start(|_| Answer::Error(400, "PEER_ID_INVALID")).await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    let first = connection.begin(body(b"question"), vec![]).await.unwrap();
    let place = first.place().clone();
    soon(first.answer()).await.unwrap_err();
    let failure = soon(connection.begin(body(b"question"), vec![place]).await.unwrap().answer()).await.unwrap_err();
    let CallFailure::Rpc(error) = failure else { panic!("{failure}") };
    assert_eq!((error.code, error.message.as_str()), (400, "MSG_WAIT_FAILED"));
}

#[tokio::test]
async fn a_call_after_one_that_was_done_is_an_ordinary_one() {
    let server = Server::start(echo).await;
    let (connection, _updates) = Connection::open(server.options(), Clock::real());
    let first = connection.begin(body(b"question"), vec![]).await.unwrap();
    let place = first.place().clone();
    soon(first.answer()).await.unwrap();
    let second = connection.begin(body(b"another."), vec![place]).await.unwrap();
    assert_eq!(soon(second.answer()).await, Ok(body(b"another.")));
}
