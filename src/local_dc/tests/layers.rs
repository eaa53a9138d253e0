//! Clients of earlier layers, each told in its own.

use super::client::*;
use crate::local_dc::api::fields::Fields;
use crate::local_dc::{LocalDc, Peer};
use crate::mtproto::RpcError;
use crate::tl::{Object, constructor, older_by_name};

/// The id that a layer has for a constructor.
fn id(name: &str, layer: i32) -> u32 {
    older_by_name(name, layer).or_else(|| constructor(name)).expect("a constructor").id
}

/// The ids of all users in a container.
fn users(container: &Object) -> Vec<u32> {
    container.objects("users").map(Object::id).collect()
}

/// A callback button as a layer writes it, on a keyboard of its own.
fn keyboard(layer: i32) -> Object {
    let then = |name| Object::of(older_by_name(name, layer).expect("an older layer"));
    let button = then("keyboardButtonCallback").with("text", "More").with("data", b"more".to_vec());
    let row = Object::new("keyboardButtonRow").with("buttons", vec![button]);
    then("replyInlineMarkup").with("rows", vec![row])
}

async fn speaking(dc: &LocalDc, layer: i32, account: i64, session: i64) -> Client {
    let mut client = Client::signed_in(dc, account, session).await;
    client.call(in_layer(layer, state())).await;
    client
}

#[tokio::test]
async fn each_session_gets_the_same_update_in_its_own_layer() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let mut clients = Vec::new();
    for layer in [227, 228, 229, 230] {
        clients.push((layer, speaking(&dc, layer, bob, i64::from(layer)).await));
    }
    dc.send(alice, Peer::User(bob), "hello").unwrap();
    for (layer, client) in &mut clients {
        let update = client.update().await;
        assert_eq!(update.objects("updates").next().unwrap().inner("message").unwrap().text("message"), "hello");
        assert_eq!(users(&update), [id("user", *layer)], "layer {layer}");
    }
    assert_ne!(id("user", 227), id("user", 228));
}

#[tokio::test]
async fn an_answer_is_in_the_layer_of_the_query() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let mut client = Client::signed_in(&dc, alice, 1).await;
    let me = || Object::new("users.getFullUser").with("id", Object::new("inputUserSelf"));
    for layer in [227, 230, 228] {
        let full = client.call(in_layer(layer, me())).await;
        assert_eq!(users(&full), [id("user", layer)]);
        assert_eq!(users(&client.call(me()).await), [id("user", layer)], "the session goes on in layer {layer}");
    }
}

#[tokio::test]
async fn a_new_session_of_a_key_speaks_the_layer_that_was_said_with_it_last() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let first = speaking(&dc, 227, alice, 1).await;
    let mut second = Client::connect(&dc, first.key.clone(), 2, crate::mtproto::Transport::Full).await;
    let full = second.call(Object::new("users.getFullUser").with("id", Object::new("inputUserSelf"))).await;
    assert_eq!(users(&full), [id("user", 227)]);
}

#[tokio::test]
async fn an_older_bots_keyboard_reaches_everyone_in_their_own_layer_and_its_button_works() {
    let dc = start().await;
    let (alice, bot) = (dc.add_user("Alice"), dc.add_bot("helper_bot", "Helper").id);
    dc.send(alice, Peer::User(bot), "/start").unwrap();
    let mut old_bot = speaking(&dc, 228, bot, 1).await;
    let mut new = speaking(&dc, 230, alice, 2).await;
    let mut old = speaking(&dc, 227, alice, 3).await;
    let sent = old_bot.call(message(&dc, bot, alice, "Press").with("reply_markup", keyboard(228))).await;
    let markup = |container: &Object| {
        let mut messages = container.objects("updates").filter_map(|update| update.inner("message"));
        messages.find_map(|message| message.inner("reply_markup").cloned()).expect("a keyboard")
    };
    assert_eq!(markup(&sent), keyboard(228), "the bot is told of what it has sent as it has sent it");
    assert_eq!(markup(&old.update().await), keyboard(227));
    let update = new.update().await;
    let button = markup(&update).objects("rows").next().unwrap().objects("buttons").next().unwrap().clone();
    assert_eq!(button.inner("type").unwrap().raw("data"), Some(&b"more"[..]));

    let told = update.objects("updates").next().unwrap().inner("message").unwrap().small("id");
    let hash = dc.shared.dc().telegram.world.access_hash(alice, bot);
    let peer = Object::new("inputPeerUser").with("user_id", bot).with("access_hash", hash);
    let press = Object::new("messages.getBotCallbackAnswer").with("peer", peer).with("msg_id", told);
    let press = old.send(&press.with("data", b"more".to_vec()));
    old.flush().await;
    let pressed = old_bot.update().await;
    let query = pressed.objects("updates").next().unwrap().number("query_id");
    assert_eq!(users(&pressed), [id("user", 228)]);
    old_bot
        .try_call(Object::new("messages.setBotCallbackAnswer").with("query_id", query).with("cache_time", 0))
        .await
        .unwrap();
    assert!(old.reply(press).await.unwrap().as_object().unwrap().is("messages.botCallbackAnswer"));
}

#[tokio::test]
async fn a_layer_that_is_not_spoken_here_is_refused_by_its_number() {
    let dc = start().await;
    let mut client = Client::signed_in(&dc, 0, 1).await;
    for layer in [226, 231, -1] {
        let refused = client.try_call(in_layer(layer, Object::new("help.getConfig"))).await.unwrap_err();
        assert_eq!(refused, RpcError { code: 400, message: format!("CONNECTION_LAYER_INVALID_{layer}") });
    }
    client.call(in_layer(227, Object::new("help.getConfig"))).await;
}

#[tokio::test]
async fn a_method_that_only_an_older_layer_has_so_is_named_in_the_refusal() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let mut client = Client::signed_in(&dc, alice, 1).await;
    let check = Object::of(older_by_name("bots.checkUsername", 229).unwrap()).with("username", "x_bot");
    let refused = client.try_call(in_layer(229, check)).await.unwrap_err();
    assert_eq!(refused, RpcError { code: 501, message: "METHOD_NOT_IMPLEMENTED_bots.checkUsername".to_owned() });
}
