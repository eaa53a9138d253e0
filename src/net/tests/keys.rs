//! Temporary keys against a server that says what it is told to, lies included. <https://core.telegram.org/api/pfs>

use std::sync::{Arc, Mutex};

use super::*;
use crate::mtproto::exchange::telegram_keys;
use crate::tl::{BOOL_FALSE, BOOL_TRUE, functions};

const OPENING: &[u8] = b"openings";
const QUESTION: &[u8; 8] = b"question";

/// What a query is to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Bind,
    Open,
    Call,
}

use Asked::{Bind, Call, Open};

fn asked(query: &[u8]) -> Asked {
    match query {
        OPENING => Open,
        query if query.starts_with(&functions::AuthBindTempAuthKey::ID.to_le_bytes()) => Bind,
        _ => Call,
    }
}

fn yes() -> Answer {
    Answer::Result(Bytes::copy_from_slice(&BOOL_TRUE.to_le_bytes()))
}

fn honest(query: &[u8]) -> Answer {
    if asked(query) == Bind { yes() } else { echo(query) }
}

/// A server that answers the `n`th query of a kind, from 0, as `lie` says, and the others honestly; and what it was asked.
async fn server(mut lie: impl FnMut(Asked, usize) -> Option<Answer> + Send + 'static) -> (Server, Log) {
    let log = Log::default();
    let written = log.clone();
    let server = Server::start(move |query| {
        let mut log = written.0.lock().unwrap();
        let n = log.iter().filter(|kind| **kind == asked(query)).count();
        log.push(asked(query));
        lie(asked(query), n).unwrap_or_else(|| honest(query))
    });
    (server.await, log)
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Asked>>>);

impl Log {
    fn all(&self) -> Vec<Asked> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self, kind: Asked) -> usize {
        self.all().iter().filter(|asked| **asked == kind).count()
    }
}

async fn ask(connection: &Connection) -> Result<Bytes, CallFailure> {
    soon(connection.call(body(QUESTION))).await
}

/// Asks once, and is answered; returns how many temporary keys that took.
async fn answered(server: &Server) -> u64 {
    let (connection, _updates) = Connection::open(server.temporary(), Clock::real());
    assert_eq!(ask(&connection).await, Ok(body(QUESTION)));
    let status = connection.status().borrow().clone();
    assert_eq!(status.exchanges, 0, "the permanent key stays");
    assert_eq!(status.key.map(|key| key.auth_key.clone()), Some(server.key.auth_key.clone()));
    status.temporary_exchanges
}

async fn fatal(server: &Server, options: Options) -> Fatal {
    let (connection, _updates) = Connection::open(options, Clock::real());
    let failure = ask(&connection).await.unwrap_err();
    assert!(!server.seen().contains(&server.key.auth_key.id()), "the permanent key encrypts nothing");
    let CallFailure::Closed(Some(fatal)) = failure else { panic!("{failure}") };
    fatal
}

#[tokio::test]
async fn a_session_is_bound_and_opened_before_it_takes_a_call_and_the_permanent_key_encrypts_nothing() {
    let (server, log) = server(|_, _| None).await;
    assert_eq!(answered(&server).await, 1);
    assert_eq!(log.all(), [Bind, Open, Call]);
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0]), (2, 0), "the exchange, and one key after it");
    assert!(!seen.contains(&server.key.auth_key.id()));
}

#[tokio::test]
async fn a_client_without_a_key_agrees_on_both_kinds_over_one_socket() {
    let (server, log) = server(|_, _| None).await;
    let options = Options { key: None, ..server.temporary() };
    let (connection, _updates) = Connection::open(options, Clock::real());
    assert_eq!(ask(&connection).await, Ok(body(QUESTION)));
    let status = connection.status().borrow().clone();
    assert_eq!((status.exchanges, status.temporary_exchanges, status.connections), (1, 1, 1));
    assert_eq!((log.count(Bind), server.accepted()), (1, 1));
    let key = status.key.unwrap();
    assert!(key.created > 1_700_000_000 && !server.seen().contains(&key.auth_key.id()));
}

#[tokio::test]
async fn without_temporary_keys_the_permanent_one_encrypts() {
    let (server, log) = server(|_, _| None).await;
    let options = Options { temporary_key_life: None, ..server.temporary() };
    let (connection, _updates) = Connection::open(options, Clock::real());
    assert_eq!(ask(&connection).await, Ok(body(QUESTION)));
    assert_eq!((server.seen(), log.all()), (vec![server.key.auth_key.id()], vec![Open, Call]));
}

#[tokio::test]
async fn a_refused_temporary_key_is_followed_by_another() {
    for error in ["TEMP_AUTH_KEY_EMPTY", "TEMP_AUTH_KEY_ALREADY_BOUND", "EXPIRES_AT_INVALID", "WHATEVER"] {
        let (server, log) = server(move |kind, n| (kind == Bind && n == 0).then_some(Answer::Error(400, error))).await;
        assert_eq!(answered(&server).await, 2, "{error}");
        assert_eq!(log.all(), [Bind, Bind, Open, Call], "{error}");
    }
}

#[tokio::test]
async fn a_server_that_binds_nothing_gets_no_call() {
    let (server, log) =
        server(|kind, _| (kind == Bind).then(|| Answer::Result(Bytes::copy_from_slice(&BOOL_FALSE.to_le_bytes()))))
            .await;
    let (connection, _updates) = Connection::open(server.temporary(), Clock::real());
    let asking = tokio::spawn({
        let connection = connection.clone();
        async move { connection.call(body(QUESTION)).await }
    });
    let mut status = connection.status();
    soon(status.wait_for(|status| status.temporary_exchanges >= 3)).await.unwrap();
    assert!(!status.borrow().connected);
    assert_eq!((log.count(Open), log.count(Call)), (0, 0));
    // It says so, and whoever calls waits.
    assert!(status.borrow().trouble.as_ref().is_some_and(|trouble| trouble.contains("did not bind")));
    assert!(!asking.is_finished());
    asking.abort();
}

#[tokio::test]
async fn a_server_that_says_it_bound_and_did_not_is_asked_less_and_less_often() {
    let (server, log) = server(|kind, _| (kind != Bind).then_some(Answer::Error(401, "AUTH_KEY_PERM_EMPTY"))).await;
    let clock = stepped_clock();
    let (connection, _updates) = Connection::open(server.temporary(), clock.clone());
    let mut status = connection.status();
    soon(status.wait_for(|status| status.trouble.is_some())).await.unwrap();
    for _ in 0..120 {
        clock.advance(Duration::from_millis(500));
        moment(20).await;
    }
    // A minute of the clock's: waits that double up to half a minute leave room for about ten.
    let binds = log.count(Bind);
    assert!((3..=14).contains(&binds), "{binds} bindings in a minute");
    assert_eq!(log.count(Call), 0);
    assert!(!status.borrow().connected);
}

#[tokio::test]
async fn an_old_permanent_key_that_cannot_be_bound_to_is_lost() {
    let (server, log) =
        server(|kind, _| (kind == Bind).then_some(Answer::Error(400, "ENCRYPTED_MESSAGE_INVALID"))).await;
    assert_eq!(fatal(&server, server.temporary()).await, Fatal::KeyUnknown);
    assert_eq!(log.all(), [Bind]);
}

#[tokio::test]
async fn a_young_permanent_key_that_is_not_known_everywhere_yet_is_bound_to_again() {
    let (server, log) =
        server(|kind, n| (kind == Bind && n < 2).then_some(Answer::Error(400, "ENCRYPTED_MESSAGE_INVALID"))).await;
    let created = Clock::real().now().unix.as_secs() as i64 - 5;
    let options = Options { key: Some(Key { created, ..server.key.clone() }), ..server.temporary() };
    let (connection, _updates) = Connection::open(options, Clock::real());
    assert_eq!(ask(&connection).await, Ok(body(QUESTION)));
    assert_eq!(connection.status().borrow().temporary_exchanges, 1, "the temporary key is good");
    assert_eq!(log.all(), [Bind, Bind, Bind, Open, Call]);
}

#[tokio::test]
async fn a_binding_that_the_server_forgot_is_made_again_and_the_call_with_it() {
    let (server, log) =
        server(|kind, n| (kind == Call && n == 0).then_some(Answer::Error(401, "AUTH_KEY_PERM_EMPTY"))).await;
    assert_eq!(answered(&server).await, 1, "the key is still known");
    assert_eq!(log.all(), [Bind, Open, Call, Bind, Open, Call]);
}

#[tokio::test]
async fn a_temporary_key_that_the_server_forgot_is_followed_by_another_and_nothing_is_lost() {
    let (server, log) = server(|kind, n| (kind == Call && n == 1).then_some(Answer::ForgetKey)).await;
    let (connection, _updates) = Connection::open(server.temporary(), Clock::real());
    assert_eq!(ask(&connection).await, Ok(body(QUESTION)));
    // Whether this one was done nobody knows: whoever called has to be told.
    assert_eq!(ask(&connection).await, Err(CallFailure::Lost { certainly_not_done: false }));
    assert_eq!(ask(&connection).await, Ok(body(QUESTION)));
    let status = connection.status().borrow().clone();
    assert_eq!((status.temporary_exchanges, status.exchanges, status.fatal), (2, 0, None));
    assert_eq!(log.all(), [Bind, Open, Call, Call, Bind, Open, Call]);
}

#[tokio::test]
async fn a_temporary_key_forgotten_before_it_was_bound_or_opened_costs_no_call() {
    for at in [Bind, Open] {
        let (server, log) = server(move |kind, n| (kind == at && n == 0).then_some(Answer::ForgetKey)).await;
        assert_eq!(answered(&server).await, 2, "{at:?}");
        assert_eq!(log.count(Call), 1, "{at:?}");
    }
}

#[tokio::test]
async fn a_session_that_the_server_made_anew_is_opened_again_before_other_calls() {
    let (server, log) = server(|kind, n| (kind == Call && n == 1).then(|| Answer::RenewSession(body(QUESTION)))).await;
    let (connection, _updates) = Connection::open(server.temporary(), Clock::real());
    for _ in 0..3 {
        assert_eq!(ask(&connection).await, Ok(body(QUESTION)));
    }
    assert_eq!(log.all(), [Bind, Open, Call, Call, Open, Call]);
    let status = connection.status().borrow().clone();
    assert_eq!((status.connections, status.sessions), (1, 2));
}

#[tokio::test]
async fn a_client_that_the_server_does_not_take_is_told_by_name() {
    let (server, _) = server(|kind, _| (kind == Open).then_some(Answer::Error(406, "AUTH_KEY_DUPLICATED"))).await;
    let Fatal::Rejected(error) = fatal(&server, server.temporary()).await else { panic!("another end") };
    assert_eq!((error.code, error.message.as_str()), (406, "AUTH_KEY_DUPLICATED"));
}

#[tokio::test]
async fn an_opening_that_meets_a_fault_of_the_server_is_tried_again() {
    let (server, log) = server(|kind, n| (kind == Open && n < 2).then_some(Answer::Error(500, "INTERNAL"))).await;
    assert_eq!(answered(&server).await, 1);
    assert_eq!(log.all(), [Bind, Open, Open, Open, Call]);
}

#[tokio::test]
async fn a_stranger_in_the_exchange_of_a_temporary_key_is_named() {
    let (server, log) = server(|_, _| None).await;
    let options = Options { public_keys: telegram_keys(), ..server.temporary() };
    assert!(matches!(fatal(&server, options).await, Fatal::UnknownServer(_)));
    assert_eq!(log.all(), []);
}
