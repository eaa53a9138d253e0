//! Floods and loops: each message is well-formed, and there is no end of them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use moongram::net::CallFailure;

use crate::forge::*;
use crate::server::{Refuse, SALT, Server};
use crate::{Client, QUERY, within};

/// A server that refuses everything is asked again so often and no more; then the call ends.
async fn refused_for_ever(refuse: Refuse, certainly_not_done: bool) {
    let server = Server::honest().await;
    let client = Client::new(&server, Some(server.key.clone()));
    client.works("before").await;
    server.refuse(refuse);
    let before = server.packets.load(Ordering::Acquire);
    let failure = within(client.connection.call(Bytes::from_static(QUERY))).await;
    assert_eq!(failure, Err(CallFailure::Lost { certainly_not_done }), "{refuse:?}");
    // Whatever else the client had to say has its end, too.
    let mut last = server.packets.load(Ordering::Acquire);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let now = server.packets.load(Ordering::Acquire);
        if now == last {
            break;
        }
        last = now;
    }
    let packets = last - before;
    assert!(packets < 50, "{refuse:?}: {packets} packets");
    server.refuse(Refuse::Nothing);
    client.works(&format!("after {refuse:?}")).await;
    assert_eq!(client.status.borrow().connections, 1, "{refuse:?}");
}

#[tokio::test]
async fn refusals_without_end_are_given_up() {
    for code in [16, 17, 18, 32, 33, 34, 35, 48, 64, 99] {
        refused_for_ever(Refuse::Message(code), true).await;
    }
    refused_for_ever(Refuse::Salt, true).await;
}

/// It says that the container came before, and does not say what became of what was in it.
#[tokio::test]
async fn a_server_that_says_without_end_to_have_everything_is_given_up() {
    refused_for_ever(Refuse::Message(19), false).await;
}

#[tokio::test]
async fn a_call_that_the_server_cannot_vouch_for_may_have_been_done() {
    let server = Server::honest().await;
    let client = Client::new(&server, Some(server.key.clone()));
    client.works("before").await;
    server.refuse(Refuse::Message(20));
    let failure = within(client.connection.call(Bytes::from_static(QUERY))).await;
    assert_eq!(failure, Err(CallFailure::Lost { certainly_not_done: false }));
    server.refuse(Refuse::Nothing);
    client.works("after").await;
}

/// Sessions that begin anew a thousand times are counted, and none of that keeps a call from its answer.
#[tokio::test]
async fn a_flood_of_new_sessions_is_survived() {
    let server = Server::honest().await;
    let mut client = Client::new(&server, Some(server.key.clone()));
    client.works("before").await;
    let forger = server.forger().await;
    for unique in 0..1000 {
        let body = Words::of(NEW_SESSION_CREATED).long(id(0, 0)).long(unique).long(SALT).0;
        server.say(forger.seal(&forger.message(body)));
    }
    client.sees("a thousand sessions", |status| status.sessions == 1001).await;
    client.works("after").await;
    assert_eq!(client.status.borrow().connections, 1);
}

/// Salts that change with every message: the last one said is used, and is right.
#[tokio::test]
async fn a_flood_of_salts_is_survived() {
    let server = Server::honest().await;
    let mut client = Client::new(&server, Some(server.key.clone()));
    client.works("before").await;
    let forger = server.forger().await;
    for salt in (0..1000).chain([SALT]) {
        let body = Words::of(NEW_SESSION_CREATED).long(id(0, 0)).long(salt).long(salt).0;
        server.say(forger.seal(&forger.message(body)));
    }
    client.sees("a thousand salts", |status| status.sessions == 1002).await;
    client.works("after").await;
    assert_eq!(client.status.borrow().key.as_ref().map(|key| key.server_salt), Some(SALT));
}

/// A server that asks and does not listen to the answers is not asked for ever what it means: the client stops reading before its
/// answers fill the memory.
#[tokio::test]
async fn answers_that_nobody_takes_do_not_pile_up() {
    let server = Server::honest().await;
    let client = Client::new(&server, Some(server.key.clone()));
    client.works("before").await;
    let forger = server.forger().await;
    server.read_nothing();
    let pings = |count: u32| {
        let pings: Vec<Forged> = (0..count).map(|_| forger.message(Words::of(PING).long(5).0)).collect();
        forger.seal(&forger.message(container(count, &pings)))
    };
    let before = server.written.load(Ordering::Acquire);
    // 28 MB: as long as the client reads, its machine takes them.
    for _ in 0..1000 {
        server.say(pings(1000));
    }
    let mut last = before;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = server.written.load(Ordering::Acquire);
        if now == last {
            break;
        }
        last = now;
    }
    let taken = last - before;
    assert!(taken < 20 << 20, "{taken} bytes were taken");
}
