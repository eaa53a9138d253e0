//! Calls in order, against a server that says what it is told to.

use super::*;
use crate::client::Turn;
use crate::tl::envelope::{INVOKE_AFTER_MSG, INVOKE_AFTER_MSGS};

/// What came to a server: the text of a message, and how many others it was to be done after.
type Seen = Arc<Mutex<Vec<(String, usize)>>>;

fn message(text: &str) -> Bytes {
    let peer = Object::new("inputPeerSelf");
    let object = Object::new("messages.sendMessage").with("peer", peer).with("message", text).with("random_id", 7);
    let mut bytes = Vec::new();
    tl::encode(&object, &mut bytes).unwrap();
    bytes.into()
}

/// A server that answers a message by its text, how many others it names, and how often it came; and a caller of it.
async fn start(mut answer: impl FnMut(&str, usize, usize) -> Answer + Send + 'static) -> (Server, Caller, Seen) {
    let seen = Seen::default();
    let noted = seen.clone();
    let server = Server::start(move |query| {
        if query == b"a ping.." {
            return done();
        }
        let (after, query) = match u32::from_le_bytes(query[..4].try_into().unwrap()) {
            INVOKE_AFTER_MSG => (1, &query[12..]),
            INVOKE_AFTER_MSGS => (usize::from(query[8]), &query[12 + 8 * usize::from(query[8])..]),
            _ => (0, query),
        };
        let object = tl::decode_object(query).unwrap();
        let text = object.str("message").unwrap().to_owned();
        let mut noted = noted.lock().unwrap();
        let before = noted.iter().filter(|(other, _)| *other == text).count();
        noted.push((text.clone(), after));
        answer(&text, after, before)
    })
    .await;
    let clock = Clock::real();
    let (connection, _updates) = Connection::open(server.options(), clock.clone());
    soon(connection.call(Bytes::from_static(b"a ping.."))).await.unwrap();
    (server, Caller { connection, clock, flood_sleep_threshold: 60 }, seen)
}

/// Makes the calls side by side, each in its turn, and returns what became of them.
async fn all(caller: &Caller, calls: &[(&str, &Turn)]) -> Vec<String> {
    let calls: Vec<_> = calls
        .iter()
        .map(|(text, turn)| {
            let (caller, body, turn) = (caller.clone(), message(text), (*turn).clone());
            tokio::spawn(async move { name_of(caller.call_in(body, Some(&turn)).await) })
        })
        .collect();
    let mut results = Vec::new();
    for call in calls {
        results.push(soon(call).await.unwrap());
    }
    results
}

fn seen(seen: &Seen) -> Vec<(String, usize)> {
    seen.lock().unwrap().clone()
}

fn expected(all: &[(&str, usize)]) -> Vec<(String, usize)> {
    all.iter().map(|(text, after)| ((*text).to_owned(), *after)).collect()
}

#[tokio::test]
async fn calls_are_sent_in_the_order_of_their_turns_however_they_were_begun() {
    let (_server, caller, noted) = start(|_, _, _| done()).await;
    let a = Turn::after(vec![]);
    let b = Turn::after(vec![a.clone()]);
    let c = Turn::after(vec![b.clone()]);
    assert_eq!(all(&caller, &[("c", &c), ("b", &b), ("a", &a)]).await, ["done"; 3]);
    let order: Vec<String> = seen(&noted).into_iter().map(|(text, _)| text).collect();
    assert_eq!(order, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_call_is_sent_before_the_one_before_it_is_answered() {
    let (_server, caller, noted) = start(|text, _, _| if text == "a" { Answer::Never } else { done() }).await;
    let a = Turn::after(vec![]);
    let b = Turn::after(vec![a.clone()]);
    let first = tokio::spawn({
        let (caller, a) = (caller.clone(), a.clone());
        async move { caller.call_in(message("a"), Some(&a)).await }
    });
    assert_eq!(all(&caller, &[("b", &b)]).await, ["done"]);
    assert_eq!(seen(&noted), expected(&[("a", 0), ("b", 1)]));
    first.abort();
}

#[tokio::test]
async fn calls_after_a_flood_wait_leave_again_in_order() {
    let (_server, caller, noted) = start(|text, after, before| match (text, before) {
        ("a", 0) => Answer::Error(420, "FLOOD_WAIT_1"),
        (_, 0) if after > 0 => Answer::Error(400, "MSG_WAIT_FAILED"),
        _ => done(),
    })
    .await;
    let a = Turn::after(vec![]);
    let b = Turn::after(vec![a.clone()]);
    let c = Turn::after(vec![a.clone(), b.clone()]);
    assert_eq!(all(&caller, &[("a", &a), ("b", &b), ("c", &c)]).await, ["done"; 3]);
    let mut order: Vec<String> = seen(&noted).into_iter().map(|(text, _)| text).collect();
    order.reverse();
    order.truncate(3);
    assert_eq!(order, ["c", "b", "a"], "{:?}", seen(&noted));
}

#[tokio::test]
async fn calls_lost_with_their_session_leave_again_in_order() {
    let (_server, caller, noted) = start(|text, _, before| match (text, before) {
        ("a", 0) => Answer::Restart,
        _ => done(),
    })
    .await;
    let a = Turn::after(vec![]);
    let b = Turn::after(vec![a.clone()]);
    assert_eq!(all(&caller, &[("a", &a), ("b", &b)]).await, ["done"; 2]);
    let order: Vec<String> = seen(&noted).into_iter().map(|(text, _)| text).collect();
    assert!(order.ends_with(&["a".into(), "b".into()]), "{order:?}");
}

#[tokio::test]
async fn what_comes_after_a_call_that_failed_is_not_done() {
    let (_server, caller, noted) = start(|text, after, _| match text {
        "a" => Answer::Error(400, "PEER_ID_INVALID"),
        _ if after > 0 => Answer::Error(400, "MSG_WAIT_FAILED"),
        _ => done(),
    })
    .await;
    let a = Turn::after(vec![]);
    let b = Turn::after(vec![a.clone()]);
    let c = Turn::after(vec![b.clone()]);
    let results = all(&caller, &[("a", &a), ("b", &b), ("c", &c)]).await;
    assert_eq!(results, ["PEER_ID_INVALID", "MSG_WAIT_FAILED", "MSG_WAIT_FAILED"]);
    assert!(seen(&noted).iter().all(|(text, after)| text == "a" || *after > 0), "{:?}", seen(&noted));
}

#[tokio::test]
async fn a_server_that_waited_long_enough_makes_the_client_wait() {
    let (_server, caller, noted) = start(|text, after, _| match text {
        "a" => Answer::Never,
        _ if after > 0 => Answer::Error(-503, "MSG_WAIT_TIMEOUT"),
        _ => done(),
    })
    .await;
    let a = Turn::after(vec![]);
    let b = Turn::after(vec![a.clone()]);
    let first = tokio::spawn({
        let (caller, a) = (caller.clone(), a.clone());
        async move { caller.call_in(message("a"), Some(&a)).await }
    });
    let second = tokio::spawn({
        let (caller, b) = (caller.clone(), b.clone());
        async move { name_of(caller.call_in(message("b"), Some(&b)).await) }
    });
    soon(async {
        while seen(&noted).len() < 2 {
            moment(1).await;
        }
    })
    .await;
    moment(50).await;
    assert!(!second.is_finished() && seen(&noted).len() == 2, "it is not asked again meanwhile");
    // The first is given up: it may have been done, and the second is not.
    first.abort();
    assert_eq!(soon(second).await.unwrap(), "MSG_WAIT_FAILED");
}

#[tokio::test]
async fn a_turn_without_a_call_passes_its_place_on() {
    let (_server, caller, noted) = start(|text, _, _| if text == "a" { Answer::Never } else { done() }).await;
    let a = Turn::after(vec![]);
    let b = Turn::after(vec![a.clone()]);
    let c = Turn::after(vec![b.clone()]);
    b.pass();
    let first = tokio::spawn({
        let (caller, a) = (caller.clone(), a.clone());
        async move { caller.call_in(message("a"), Some(&a)).await }
    });
    assert_eq!(all(&caller, &[("c", &c)]).await, ["done"]);
    assert_eq!(seen(&noted), expected(&[("a", 0), ("c", 1)]));
    first.abort();
}

#[tokio::test]
async fn a_turn_that_fails_without_a_call_bars_those_after_it() {
    let (_server, caller, noted) = start(|_, _, _| done()).await;
    let a = Turn::after(vec![]);
    let b = Turn::after(vec![a.clone()]);
    a.fail();
    assert_eq!(all(&caller, &[("b", &b)]).await, ["MSG_WAIT_FAILED"]);
    assert_eq!(seen(&noted), expected(&[]));
}

#[tokio::test]
async fn a_second_call_in_a_turn_is_an_ordinary_one() {
    let (_server, caller, noted) = start(|_, _, _| done()).await;
    let a = Turn::after(vec![]);
    assert_eq!(all(&caller, &[("a", &a)]).await, ["done"]);
    assert_eq!(all(&caller, &[("again", &a)]).await, ["done"]);
    assert_eq!(seen(&noted), expected(&[("a", 0), ("again", 0)]));
}

#[tokio::test]
async fn wait_errors_of_a_call_that_waits_for_nothing_are_errors_like_others() {
    let (_server, caller, noted) = start(|_, _, _| Answer::Error(400, "MSG_WAIT_FAILED")).await;
    let a = Turn::after(vec![]);
    assert_eq!(all(&caller, &[("a", &a)]).await, ["MSG_WAIT_FAILED"]);
    assert_eq!(seen(&noted).len(), 1);
}
