//! What needs a session to be seen: wrappers, orders of queries, answers that come later.

use super::client::*;
use super::keys::with_clock;
use crate::local_dc::api::fields::Fields;
use crate::local_dc::{Peer, Refusal, WorldEvent};
use crate::mtproto::RpcError;
use crate::tl::{Object, Value};

fn connection(query: Object) -> Object {
    in_layer(230, query)
}

#[tokio::test]
async fn a_person_signs_in_by_phone_and_code() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let mut client = Client::signed_in(&dc, 0, 1).await;
    let config = client.call(connection(Object::new("help.getConfig"))).await;
    assert_eq!(config.small("this_dc"), 2);
    let phone = dc.phone(alice).unwrap();
    let settings = Object::new("codeSettings");
    let query =
        Object::new("auth.sendCode").with("phone_number", phone.as_str()).with("api_id", 1).with("api_hash", "x");
    let sent = client.call(query.with("settings", settings)).await;
    let query = Object::new("auth.signIn").with("phone_number", phone.as_str()).with("phone_code", dc.code());
    let signed_in = client.call(query.with("phone_code_hash", sent.text("phone_code_hash"))).await;
    assert_eq!(signed_in.inner("user").unwrap().number("id"), alice);
}

#[tokio::test]
async fn an_unknown_method_is_refused_by_name() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let mut client = Client::signed_in(&dc, alice, 1).await;
    let refused = client.try_call(connection(Object::new("messages.getAllDrafts"))).await.unwrap_err();
    let message = "METHOD_NOT_IMPLEMENTED_messages.getAllDrafts".to_owned();
    assert_eq!(refused, RpcError { code: 501, message });
}

#[tokio::test]
async fn bytes_that_are_no_query_are_refused() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let mut client = Client::signed_in(&dc, alice, 1).await;
    let call = client.engine.send(bytes::Bytes::from_static(&[0xEF, 0xBE, 0xAD, 0xDE]), dc.shared.now());
    client.expect_any(call);
    let refused = client.reply(call).await.unwrap_err();
    assert_eq!(refused, RpcError { code: 400, message: "INPUT_CONSTRUCTOR_INVALID_DEADBEEF".to_owned() });
}

#[tokio::test]
async fn queries_run_after_those_they_wait_for() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let mut client = Client::signed_in(&dc, alice, 1).await;
    client.call(state()).await;
    let first = client.send(&message(&dc, alice, bob, "one"));
    let after = |id: i64, query: Object| Object::new("invokeAfterMsg").with("msg_id", id).with("query", query);
    let second = client.send(&after(first.0, message(&dc, alice, bob, "two")));
    let wrong = client.send(&message(&dc, alice, alice + 1000, "nobody"));
    let third = client.send(&after(wrong.0, message(&dc, alice, bob, "three")));
    assert!(client.reply(second).await.is_ok());
    let refused = client.reply(third).await.unwrap_err();
    assert_eq!(refused, RpcError { code: 400, message: "MSG_WAIT_FAILED".to_owned() });
    assert_eq!(dc.pts(bob), 3);
}

#[tokio::test]
async fn a_query_after_several_waits_for_each_of_them() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let mut client = Client::signed_in(&dc, alice, 1).await;
    let mut other = Client::signed_in(&dc, bob, 2).await;
    client.call(state()).await;
    other.call(state()).await;
    let ids = ["one", "two"].map(|text| client.send(&message(&dc, alice, bob, text)).0);
    let after = Object::new("invokeAfterMsgs").with("msg_ids", ids.to_vec());
    let last = client.send(&after.with("query", message(&dc, alice, bob, "three")));
    assert!(client.reply(last).await.is_ok());
    assert_eq!(other.texts(3).await, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_query_after_one_that_never_came_is_given_up_after_a_while() {
    let (dc, advance) = with_clock(None).await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let mut client = Client::signed_in(&dc, alice, 1).await;
    client.call(state()).await;
    let query = Object::new("invokeAfterMsg").with("msg_id", 4_i64).with("query", message(&dc, alice, bob, "one"));
    let call = client.send(&query);
    // By then it has come.
    client.call(state()).await;
    advance(11);
    let refused = client.reply(call).await.unwrap_err();
    assert_eq!(refused, RpcError { code: -503, message: "MSG_WAIT_TIMEOUT".to_owned() });
    assert_eq!(dc.pts(bob), 1);
}

#[tokio::test]
async fn a_press_waits_for_the_bots_answer() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let bot = dc.add_bot("helper_bot", "Helper");
    let mut events = dc.events();
    let mut client = Client::signed_in(&dc, bot.id, 1).await;
    client.call(state()).await;
    dc.send(alice, Peer::User(bot.id), "/start").unwrap();
    client.texts(1).await;
    let kind = Object::new("inlineButtonTypeCallback").with("data", b"y".as_slice());
    let button = Object::new("keyboardInlineButton").with("text", "Yes").with("type", kind);
    let row = Object::new("keyboardInlineButtonRow").with("buttons", vec![button]);
    let markup = Object::new("replyInlineMarkup").with("rows", vec![row]);
    client.call(message(&dc, bot.id, alice, "choose").with("reply_markup", markup)).await;
    let mut shown = Vec::new();
    while let Ok(event) = events.try_recv() {
        let WorldEvent::NewMessage(written) = event else { panic!("{event:?}") };
        shown.push(written);
    }
    assert_eq!((shown[1].text.as_str(), shown[1].inline), ("choose", true));
    let button = &shown[1].buttons[0][0];
    assert_eq!((button.text.as_str(), button.data.as_deref()), ("Yes", Some(&b"y"[..])));

    let id = shown[1].ids[&alice];
    assert_eq!(dc.press(alice, Peer::User(bot.id), id, b"n").await, Err(Refusal::bad("DATA_INVALID")));
    let pressing = tokio::spawn({
        let dc = dc.clone();
        async move { dc.press(alice, Peer::User(bot.id), id, b"y").await }
    });
    let pressed = client.update().await.objects("updates").next().unwrap().number("query_id");
    let answer = Object::new("messages.setBotCallbackAnswer")
        .with("query_id", pressed)
        .with("message", "Done")
        .with("cache_time", 0);
    assert_eq!(client.try_call(answer).await, Ok(Value::Bool(true)));
    assert_eq!(pressing.await.unwrap().unwrap().text.as_deref(), Some("Done"));
}

#[tokio::test]
async fn a_logged_out_session_is_told_nothing() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let mut client = Client::signed_in(&dc, bob, 1).await;
    client.call(state()).await;
    client.call(Object::new("auth.logOut")).await;
    dc.send(alice, Peer::User(bob), "hi").unwrap();
    assert_eq!(client.try_call(state()).await.unwrap_err().message, "AUTH_KEY_UNREGISTERED");
    assert_eq!(client.pushed().await, []);
}
