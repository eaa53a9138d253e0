mod order;

use std::sync::{Arc, Mutex};

use super::*;
use crate::net::testing::{Answer, Server, moment, soon, stepped_clock};
use crate::tl::Object;

#[test]
fn what_only_reads_or_has_a_random_id_may_be_repeated() {
    fn check(method: &str, expected: bool) {
        assert_eq!(is_repeatable(tl::function(method).unwrap()), expected, "{method}");
    }
    check("messages.sendMessage", true);
    check("messages.forwardMessages", true);
    check("messages.sendMultiMedia", true);
    check("messages.getHistory", true);
    check("help.getConfig", true);
    check("contacts.resolveUsername", true);
    check("updates.getDifference", true);
    check("messages.getBotCallbackAnswer", false);
    check("messages.editMessage", false);
    check("messages.deleteMessages", false);
    check("channels.createChannel", false);
}

#[test]
fn no_updates_are_updates() {
    let object = tl::decode_object(&no_updates()).unwrap();
    assert_eq!(object.name(), "updates");
}

#[test]
fn errors_are_told_apart() {
    let error = |code, message| RpcError::new(code, message, "help.getConfig");
    assert_eq!(flood_wait(&error(420, "FLOOD_WAIT_31")), Some(31));
    assert_eq!(flood_wait(&error(400, "PEER_FLOOD")), None);
    assert!(is_transient(&error(500, "RPC_CALL_FAIL")) && is_transient(&error(-503, "Timeout")));
    assert!(!is_transient(&error(500, "RANDOM_ID_DUPLICATE")) && !is_transient(&error(400, "PEER_ID_INVALID")));
}

/// A function that only reads, one that changes something, and one with a random_id.
fn call(name: &str) -> Bytes {
    let object = match name {
        "help.getConfig" => Object::new(name),
        "messages.deleteMessages" => Object::new(name).with("id", vec![1]),
        "messages.sendMessage" => {
            Object::new(name).with("peer", Object::new("inputPeerSelf")).with("message", "hi").with("random_id", 7)
        }
        name => panic!("{name}"),
    };
    let mut bytes = Vec::new();
    tl::encode(&object, &mut bytes).unwrap();
    bytes.into()
}

fn done() -> Answer {
    Answer::Result(no_updates())
}

/// Makes one call against a server that gives these answers, then `done` for ever; returns its result, the queries that the
/// server saw, and the seconds that passed by the clock.
async fn check(name: &str, answers: Vec<Answer>) -> (Result<Bytes, CallError>, Vec<Bytes>, u64) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut answers = answers.into_iter();
    let server = Server::start({
        let seen = seen.clone();
        move |query| {
            if query == b"a ping.." {
                return done();
            }
            seen.lock().unwrap().push(Bytes::copy_from_slice(query));
            answers.next().unwrap_or_else(done)
        }
    })
    .await;
    let clock = stepped_clock();
    let (connection, _updates) = Connection::open(server.options(), clock.clone());
    // The session begins with something that can be lost without harm.
    soon(connection.call(Bytes::from_static(b"a ping.."))).await.unwrap();
    let caller = Caller { connection, clock: clock.clone(), flood_sleep_threshold: 60 };
    let start = clock.now().mono;
    let result = soon(async {
        let call = caller.call(call(name));
        tokio::pin!(call);
        loop {
            tokio::select! {
                result = &mut call => return result,
                () = moment(20) => clock.advance(Duration::from_millis(500)),
            }
        }
    })
    .await;
    let passed = (clock.now().mono - start).as_secs();
    let seen = seen.lock().unwrap().clone();
    (result, seen, passed)
}

fn name_of(result: Result<Bytes, CallError>) -> String {
    match result {
        Ok(_) => "done".into(),
        Err(CallError::Rpc(error)) => error.name,
        Err(CallError::OutcomeUnknown { .. }) => "OUTCOME_UNKNOWN".into(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_flood_wait_is_slept_through_by_the_clock() {
    let (result, seen, passed) = check("messages.sendMessage", vec![Answer::Error(420, "FLOOD_WAIT_31")]).await;
    assert_eq!((name_of(result).as_str(), seen.len()), ("done", 2));
    assert!((31..35).contains(&passed), "{passed} s");
    assert_eq!(seen[0], seen[1], "the same call, with the same random_id");
}

#[tokio::test]
async fn a_flood_wait_beyond_the_threshold_is_an_error() {
    let (result, seen, _) = check("messages.sendMessage", vec![Answer::Error(420, "FLOOD_WAIT_61")]).await;
    let Err(CallError::Rpc(error)) = result else { panic!("{result:?}") };
    assert_eq!((error.name.as_str(), error.value, seen.len()), ("FLOOD_WAIT", Some(61), 1));
}

#[tokio::test]
async fn the_server_s_own_errors_are_tried_again_a_few_times() {
    let error = || Answer::Error(500, "RPC_CALL_FAIL");
    let (result, seen, _) = check("messages.deleteMessages", vec![error(), error()]).await;
    assert_eq!((name_of(result).as_str(), seen.len()), ("done", 3));
    let (result, seen, _) = check("messages.deleteMessages", (0..20).map(|_| error()).collect()).await;
    assert_eq!((name_of(result).as_str(), seen.len()), ("RPC_CALL_FAIL", 6));
}

#[tokio::test]
async fn a_timeout_behind_the_server_leaves_the_outcome_open_for_what_changes_something() {
    let timeout = || vec![Answer::Error(-503, "Timeout")];
    let (result, seen, _) = check("help.getConfig", timeout()).await;
    assert_eq!((name_of(result).as_str(), seen.len()), ("done", 2));
    let (result, seen, _) = check("messages.deleteMessages", timeout()).await;
    assert_eq!((name_of(result).as_str(), seen.len()), ("OUTCOME_UNKNOWN", 1));
}

#[tokio::test]
async fn a_call_lost_with_its_session_is_repeated_only_where_that_is_safe() {
    let lost = || vec![Answer::Restart];
    let (result, seen, _) = check("help.getConfig", lost()).await;
    assert_eq!((name_of(result).as_str(), seen.len()), ("done", 2));
    let (result, seen, _) = check("messages.sendMessage", lost()).await;
    assert_eq!((name_of(result).as_str(), seen.len()), ("done", 2));
    assert_eq!(seen[0], seen[1], "the same call, with the same random_id");
    let (result, seen, _) = check("messages.deleteMessages", lost()).await;
    assert_eq!((name_of(result).as_str(), seen.len()), ("OUTCOME_UNKNOWN", 1));
}

#[tokio::test]
async fn a_duplicate_random_id_after_a_loss_means_that_the_message_had_arrived() {
    let duplicate = || Answer::Error(500, "RANDOM_ID_DUPLICATE");
    let (result, _, _) = check("messages.sendMessage", vec![Answer::Restart, duplicate()]).await;
    assert_eq!(name_of(result), "done");
    let (result, _, _) = check("messages.sendMessage", vec![duplicate()]).await;
    assert_eq!(name_of(result), "RANDOM_ID_DUPLICATE");
}

/// A caller of a server that never answers, and its call, which the server has.
async fn unanswered(name: &str) -> (Server, Caller, tokio::task::JoinHandle<Result<Bytes, CallError>>) {
    let server = Server::start(|query| if query == b"a ping.." { done() } else { Answer::Never }).await;
    let clock = stepped_clock();
    let (connection, _updates) = Connection::open(server.options(), clock.clone());
    soon(connection.call(Bytes::from_static(b"a ping.."))).await.unwrap();
    let caller = Caller { connection, clock, flood_sleep_threshold: 60 };
    let call = tokio::spawn({
        let (caller, body) = (caller.clone(), call(name));
        async move { caller.call(body).await }
    });
    moment(100).await;
    (server, caller, call)
}

#[tokio::test]
async fn an_answer_that_never_comes_is_an_error_after_five_minutes_and_the_server_is_told() {
    for (name, reads) in [("help.getConfig", true), ("messages.deleteMessages", false)] {
        let (server, caller, call) = unanswered(name).await;
        let clock = &caller.clock;
        for _ in 0..299 {
            clock.advance(Duration::from_secs(1));
            moment(2).await;
        }
        assert!(!call.is_finished(), "{name}");
        // Time without a connection does not count, and a busy machine may take a pause for one.
        soon(async {
            while !call.is_finished() {
                clock.advance(Duration::from_secs(1));
                moment(2).await;
            }
        })
        .await;
        let error = soon(call).await.unwrap().unwrap_err();
        let waited = Duration::from_secs(300);
        assert_eq!(error, CallError::NoAnswer { method: name.into(), waited, received: true, only_reads: reads });
        soon(async {
            while server.dropped() == 0 {
                clock.advance(Duration::from_millis(100));
                moment(1).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_call_that_is_larger_than_a_server_takes_is_told_so_with_its_name() {
    let (_server, caller, _call) = unanswered("help.getConfig").await;
    let mut bytes = vec![0; crate::mtproto::MAX_BODY];
    crate::crypto::Random::fill(&mut crate::crypto::SeededRandom::new(1), &mut bytes);
    let part = Object::new("upload.saveFilePart").with("file_id", 1).with("file_part", 0).with("bytes", bytes);
    let mut body = Vec::new();
    tl::encode(&part, &mut body).unwrap();
    let error = soon(caller.call(body.into())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "not a call: upload.saveFilePart: 1044476 bytes are more than the 1044456 that a server takes"
    );
}
