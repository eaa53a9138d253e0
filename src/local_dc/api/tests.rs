//! The methods without sockets: queries as objects, answers written and read again by the schema.

use super::fields::Fields;
use super::*;
use crate::crypto::AuthKey;
use crate::local_dc::keys::Keys;
use crate::local_dc::telegram::Push;
use crate::local_dc::world::{Peer, World};

const NOON: i32 = 1_800_000_000;

/// A DC with Alice, Bob and a bot, all signed in, and a session of someone who is not.
struct Dc {
    telegram: Telegram,
    alice: Client,
    bob: Client,
    bot: Client,
    stranger: Client,
}

#[derive(Clone, Copy)]
struct Client {
    id: i64,
    session: SessionKey,
}

fn dc() -> Dc {
    let mut world = World::new([7; 32]);
    let ids = [
        world.add_person("Alice", "", None),
        world.add_person("Bob", "", None),
        world.add_bot("helper_bot", "Helper").id,
        0,
    ];
    let mut telegram = Telegram::new(world, Keys::default(), 2, ([127, 0, 0, 1], 4430).into());
    let clients = [1, 2, 3, 4].map(|number: u8| {
        let key = AuthKey::new([number; 256]);
        telegram.keys.add(&key, 0, NOON);
        let id = ids[usize::from(number) - 1];
        if id != 0 {
            telegram.keys.sign_in(key.id(), id);
        }
        Client { id, session: SessionKey { auth_key: key.id(), session: i64::from(number) } }
    });
    let [alice, bob, bot, stranger] = clients;
    Dc { telegram, alice, bob, bot, stranger }
}

impl Dc {
    /// Asks, and reads the answer as a client would.
    fn try_ask(&mut self, client: Client, query: Object) -> Result<Value, Refusal> {
        let function = tl::function(query.name()).expect("a function");
        let mut body = Vec::new();
        tl::encode(&query, &mut body).expect("a whole query");
        let query = tl::decode_object(&body).unwrap();
        let Answer::Now(answer) = call(&mut self.telegram, client.session, 4, &query, NOON) else {
            panic!("answered later")
        };
        let value = answer?;
        let mut body = Vec::new();
        tl::encode_value(&value, &function.result, &mut body).expect("the answer fits the schema");
        Ok(tl::decode_result(function, &body).unwrap())
    }

    fn ask(&mut self, client: Client, query: Object) -> Object {
        self.try_ask(client, query).unwrap().into_object().unwrap()
    }

    fn refused(&mut self, client: Client, query: Object) -> (i32, String) {
        let refusal = self.try_ask(client, query).expect_err("a refusal");
        (refusal.code, refusal.name.into_owned())
    }

    /// What was pushed since the last look, to whom: the names of the updates.
    fn pushed(&mut self) -> Vec<(i64, Vec<&'static str>)> {
        let pushes: Vec<Push> = std::mem::take(&mut self.telegram.pushes);
        let names = |push: &Push| {
            tl::encode(&push.updates, &mut Vec::new()).expect("pushes fit the schema");
            push.updates.objects("updates").map(Object::name).collect()
        };
        pushes.iter().map(|push| (push.to, names(push))).collect()
    }

    fn peer(&self, viewer: Client, user: i64) -> Object {
        let hash = self.telegram.world.access_hash(viewer.id, user);
        Object::new("inputPeerUser").with("user_id", user).with("access_hash", hash)
    }

    fn user(&self, viewer: Client, user: i64) -> Object {
        let hash = self.telegram.world.access_hash(viewer.id, user);
        Object::new("inputUser").with("user_id", user).with("access_hash", hash)
    }

    fn message(&self, from: Client, to: Client, text: &str) -> Object {
        let random_id = self.telegram.world.account(from.id).map_or(1, |account| i64::from(account.pts()) + 1000);
        message(self.peer(from, to.id), text, random_id)
    }

    /// A group of all three, whose creator is Alice.
    fn group(&mut self) -> i64 {
        let (alice, bob, bot) = (self.alice, self.bob, self.bot);
        let users = vec![self.user(alice, bob.id), self.user(alice, bot.id)];
        let created = self.ask(alice, Object::new("messages.createChat").with("users", users).with("title", "Friends"));
        self.pushed();
        created.inner("updates").unwrap().objects("chats").next().unwrap().number("id")
    }
}

fn message(peer: Object, text: &str, random_id: i64) -> Object {
    Object::new("messages.sendMessage").with("peer", peer).with("message", text).with("random_id", random_id)
}

fn bad(name: &str) -> (i32, String) {
    (400, name.to_owned())
}

#[test]
fn an_unknown_method_is_named() {
    let mut dc = dc();
    let refused = dc.refused(dc.alice, Object::new("messages.getAllDrafts"));
    assert_eq!(refused, (501, "METHOD_NOT_IMPLEMENTED_messages.getAllDrafts".to_owned()));
}

#[test]
fn before_sign_in_only_help_and_auth_are_open() {
    let mut dc = dc();
    assert_eq!(dc.refused(dc.stranger, Object::new("updates.getState")), (401, "AUTH_KEY_UNREGISTERED".to_owned()));
    let config = dc.ask(dc.stranger, Object::new("help.getConfig"));
    let option = config.objects("dc_options").next().unwrap();
    assert_eq!((option.text("ip_address"), option.small("port"), option.small("id")), ("127.0.0.1", 4430, 2));
    dc.ask(dc.stranger, Object::new("help.getNearestDc"));
    let config = dc.ask(dc.stranger, Object::new("help.getAppConfig").with("hash", 0));
    let again = dc.ask(dc.stranger, Object::new("help.getAppConfig").with("hash", config.small("hash")));
    assert_eq!(again.name(), "help.appConfigNotModified");
}

#[test]
fn methods_of_users_are_not_for_bots_nor_the_other_way_round() {
    let mut dc = dc();
    let dialogs = || {
        let query = Object::new("messages.getDialogs")
            .with("offset_date", 0)
            .with("offset_id", 0)
            .with("limit", 10)
            .with("hash", 0);
        query.with("offset_peer", Object::new("inputPeerEmpty"))
    };
    assert_eq!(dc.refused(dc.bot, dialogs()), bad("BOT_METHOD_INVALID"));
    assert_eq!(dc.ask(dc.alice, dialogs()).name(), "messages.dialogs");
    let answer = Object::new("messages.setBotCallbackAnswer").with("query_id", 1).with("cache_time", 0);
    assert_eq!(dc.refused(dc.alice, answer), bad("USER_BOT_REQUIRED"));
}

fn sign_in_by(phone: &str, hash: &str, code: &str) -> Object {
    Object::new("auth.signIn").with("phone_number", phone).with("phone_code_hash", hash).with("phone_code", code)
}

fn send_code(phone: &str) -> Object {
    let settings = Object::new("codeSettings");
    Object::new("auth.sendCode")
        .with("phone_number", phone)
        .with("api_id", 1)
        .with("api_hash", "x")
        .with("settings", settings)
}

#[test]
fn an_unknown_number_is_signed_up() {
    let mut dc = dc();
    let stranger = dc.stranger;
    assert_eq!(dc.refused(stranger, send_code("12")), bad("PHONE_NUMBER_INVALID"));
    let sent = dc.ask(stranger, send_code("+49 30 1234567"));
    let hash = sent.text("phone_code_hash").to_owned();
    let sign_up = || {
        let query =
            Object::new("auth.signUp").with("phone_number", "49301234567").with("phone_code_hash", hash.as_str());
        query.with("first_name", "Carol").with("last_name", "")
    };
    assert_eq!(dc.refused(stranger, sign_up()), bad("PHONE_CODE_EMPTY"), "the code comes first");
    assert_eq!(dc.refused(stranger, sign_in_by("49301234567", &hash, "")), bad("PHONE_CODE_EMPTY"));
    assert_eq!(dc.refused(stranger, sign_in_by("49301234567", &hash, "00000")), bad("PHONE_CODE_INVALID"));
    assert_eq!(dc.refused(stranger, sign_in_by("49301234567", "x", "22222")), bad("PHONE_CODE_EXPIRED"));
    let answer = dc.ask(stranger, sign_in_by("49301234567", &hash, "22222"));
    assert_eq!(answer.name(), "auth.authorizationSignUpRequired");
    let answer = dc.ask(stranger, sign_up());
    let user = answer.inner("user").unwrap();
    assert_eq!((user.text("first_name"), user.text("phone"), user.flag("self")), ("Carol", "49301234567", true));
    dc.ask(stranger, Object::new("updates.getState"));
}

#[test]
fn a_known_number_is_signed_in_and_reads_the_code_elsewhere() {
    let mut dc = dc();
    let stranger = dc.stranger;
    let phone = dc.telegram.world.user(dc.alice.id).unwrap().phone.clone().unwrap();
    let sent = dc.ask(stranger, send_code(&phone));
    assert_eq!(sent.inner("type").unwrap().name(), "auth.sentCodeTypeApp");
    let pushed = dc.pushed();
    assert!(pushed.contains(&(dc.alice.id, vec!["updateNewMessage"])), "the code comes from 777000: {pushed:?}");
    let hash = sent.text("phone_code_hash").to_owned();
    let answer = dc.ask(stranger, sign_in_by(&phone, &hash, "22222"));
    assert_eq!(answer.inner("user").unwrap().number("id"), dc.alice.id);
    dc.ask(stranger, Object::new("auth.logOut"));
    assert_eq!(dc.refused(stranger, Object::new("updates.getState")), (401, "AUTH_KEY_UNREGISTERED".to_owned()));
}

#[test]
fn a_bot_signs_in_by_its_token() {
    let mut dc = dc();
    let token = dc.telegram.world.user(dc.bot.id).unwrap().bot.as_ref().unwrap().token.clone();
    let import = |token: &str| {
        let query = Object::new("auth.importBotAuthorization").with("flags", 0).with("api_id", 1).with("api_hash", "x");
        query.with("bot_auth_token", token)
    };
    assert_eq!(dc.refused(dc.stranger, import("1:x")), bad("ACCESS_TOKEN_INVALID"));
    let user = dc.ask(dc.stranger, import(&token));
    let user = user.inner("user").unwrap();
    assert!(user.flag("bot") && user.text("username") == "helper_bot");
}

#[test]
fn a_message_to_a_user_is_answered_in_short_and_pushed() {
    let mut dc = dc();
    let (alice, bob) = (dc.alice, dc.bob);
    let sent = dc.ask(alice, dc.message(alice, bob, "hello"));
    assert_eq!(sent.name(), "updateShortSentMessage");
    assert_eq!((sent.small("id"), sent.small("pts"), sent.small("pts_count")), (1, 2, 1));
    let pushes = std::mem::take(&mut dc.telegram.pushes);
    let own = pushes.iter().find(|push| push.to == alice.id).unwrap();
    assert_eq!(own.except, Some(alice.session), "her other sessions are told, this one is not");
    let push = pushes.iter().find(|push| push.to == bob.id).unwrap();
    assert_eq!(push.except, Some(alice.session));
    let update = push.updates.objects("updates").next().unwrap();
    let message = update.inner("message").unwrap();
    assert_eq!((update.name(), message.text("message"), message.flag("out")), ("updateNewMessage", "hello", false));
    assert_eq!(message.inner("peer_id").unwrap().number("user_id"), alice.id);
    assert!(push.updates.objects("users").any(|user| user.number("id") == alice.id && user.number("access_hash") != 0));
}

#[test]
fn a_message_with_buttons_is_answered_in_full() {
    let mut dc = dc();
    let (alice, bot) = (dc.alice, dc.bot);
    dc.ask(alice, dc.message(alice, bot, "/start"));
    let sent = dc.ask(bot, dc.message(bot, alice, "choose").with("reply_markup", inline("Yes", b"y")));
    let names: Vec<_> = sent.objects("updates").map(Object::name).collect();
    assert_eq!(names, ["updateMessageID", "updateNewMessage"]);
}

fn inline(text: &str, data: &[u8]) -> Object {
    let kind = Object::new("inlineButtonTypeCallback").with("data", data);
    let button = Object::new("keyboardInlineButton").with("text", text).with("type", kind);
    let row = Object::new("keyboardInlineButtonRow").with("buttons", vec![button]);
    Object::new("replyInlineMarkup").with("rows", vec![row])
}

#[test]
fn sending_is_refused_as_telegram_refuses() {
    let mut dc = dc();
    let (alice, bob, bot) = (dc.alice, dc.bob, dc.bot);
    let wrong = |dc: &Dc| dc.peer(alice, bob.id).with("access_hash", 1);
    let query = message(wrong(&dc), "hi", 1);
    assert_eq!(dc.refused(alice, query), bad("PEER_ID_INVALID"));
    let long = "x".repeat(4097);
    for (text, random_id, expected) in
        [(" \n ", 1, "MESSAGE_EMPTY"), (long.as_str(), 1, "MESSAGE_TOO_LONG"), ("x", 0, "RANDOM_ID_EMPTY")]
    {
        let query = message(dc.peer(alice, bob.id), text, random_id);
        assert_eq!(dc.refused(alice, query), bad(expected));
    }
    dc.ask(alice, message(dc.peer(alice, bob.id), "x", 5));
    let again = message(dc.peer(alice, bob.id), "x", 5);
    assert_eq!(dc.refused(alice, again), bad("RANDOM_ID_DUPLICATE"));
    let first = message(dc.peer(bot, alice.id), "hi", 1);
    assert_eq!(dc.refused(bot, first), bad("PEER_ID_INVALID"), "a bot may not write first");
    let later = message(dc.peer(alice, bob.id), "x", 6).with("schedule_date", NOON + 60);
    assert_eq!(dc.refused(alice, later).1, "METHOD_NOT_IMPLEMENTED_messages.sendMessage.schedule_date");
}

#[test]
fn texts_are_trimmed_and_their_entities_move_along() {
    let mut dc = dc();
    let (alice, bob) = (dc.alice, dc.bob);
    let bold =
        |offset: i32, length: i32| Object::new("messageEntityBold").with("offset", offset).with("length", length);
    let query = dc.message(alice, bob, "  🦀 hi /go  ").with("entities", vec![bold(2, 5)]);
    let sent = dc.ask(alice, query);
    let entities: Vec<_> = sent.objects("entities").map(|e| (e.name(), e.small("offset"), e.small("length"))).collect();
    assert_eq!(entities, [("messageEntityBold", 0, 5), ("messageEntityBotCommand", 6, 3)]);
    let outside = dc.message(alice, bob, "hi").with("entities", vec![bold(1, 2)]);
    assert_eq!(dc.refused(alice, outside), bad("ENTITY_BOUNDS_INVALID"));
    let mention = Object::new("inputMessageEntityMentionName")
        .with("offset", 0)
        .with("length", 2)
        .with("user_id", dc.user(alice, bob.id));
    let sent = dc.ask(alice, dc.message(alice, bob, "hi").with("entities", vec![mention]));
    assert_eq!(sent.objects("entities").next().unwrap().number("user_id"), bob.id);
}

#[test]
fn an_edit_and_a_deletion_reach_the_other_side() {
    let mut dc = dc();
    let (alice, bob) = (dc.alice, dc.bob);
    dc.ask(alice, dc.message(alice, bob, "helo"));
    dc.pushed();
    let edit = |dc: &Dc, text: &str| {
        Object::new("messages.editMessage").with("peer", dc.peer(alice, bob.id)).with("id", 1).with("message", text)
    };
    let edited = dc.ask(alice, edit(&dc, "hello"));
    assert_eq!(edited.objects("updates").next().unwrap().name(), "updateEditMessage");
    assert!(dc.pushed().contains(&(bob.id, vec!["updateEditMessage"])));
    let query = edit(&dc, "hello");
    assert_eq!(dc.refused(alice, query), bad("MESSAGE_NOT_MODIFIED"));
    let query = edit(&dc, "x").with("peer", dc.peer(bob, alice.id));
    assert_eq!(dc.refused(bob, query), (403, "MESSAGE_AUTHOR_REQUIRED".to_owned()));
    let delete = Object::new("messages.deleteMessages").with("revoke", true).with("id", vec![1]);
    let affected = dc.ask(alice, delete);
    assert_eq!((affected.small("pts"), affected.small("pts_count")), (4, 1));
    assert!(dc.pushed().contains(&(bob.id, vec!["updateDeleteMessages"])));
}

#[test]
fn reading_is_told_to_the_author() {
    let mut dc = dc();
    let (alice, bob) = (dc.alice, dc.bob);
    dc.ask(alice, dc.message(alice, bob, "one"));
    dc.pushed();
    let state = dc.ask(bob, Object::new("updates.getState"));
    assert_eq!(state.small("unread_count"), 1);
    let read = Object::new("messages.readHistory").with("peer", dc.peer(bob, alice.id)).with("max_id", 0);
    let affected = dc.ask(bob, read);
    assert_eq!((affected.small("pts"), affected.small("pts_count")), (3, 1));
    assert!(dc.pushed().contains(&(alice.id, vec!["updateReadHistoryOutbox"])));
}

#[test]
fn the_difference_has_what_was_missed() {
    let mut dc = dc();
    let (alice, bob) = (dc.alice, dc.bob);
    let difference = |pts: i32| Object::new("updates.getDifference").with("pts", pts).with("date", NOON).with("qts", 0);
    assert_eq!(dc.ask(bob, difference(1)).name(), "updates.differenceEmpty");
    for text in ["one", "two", "three"] {
        dc.ask(alice, dc.message(alice, bob, text));
    }
    dc.ask(alice, Object::new("messages.deleteMessages").with("revoke", true).with("id", vec![2]));
    let whole = dc.ask(bob, difference(1));
    assert_eq!(whole.name(), "updates.difference");
    let texts: Vec<_> = whole.objects("new_messages").map(|message| message.text("message").to_owned()).collect();
    assert_eq!(texts, ["one", "three"], "what was deleted is not brought");
    assert_eq!(whole.objects("other_updates").map(Object::name).collect::<Vec<_>>(), ["updateDeleteMessages"]);
    assert_eq!(whole.inner("state").unwrap().small("pts"), 5);
    let slice = dc.ask(bob, difference(1).with("pts_limit", 2));
    assert_eq!(slice.name(), "updates.differenceSlice");
    assert_eq!(slice.inner("intermediate_state").unwrap().small("pts"), 3);
    let rest = dc.ask(bob, difference(3));
    assert_eq!(rest.inner("state").unwrap().small("pts"), 5);
    let beyond = dc.ask(bob, difference(1).with("pts_total_limit", 2));
    assert_eq!((beyond.name(), beyond.small("pts")), ("updates.differenceTooLong", 5));
    assert_eq!(dc.refused(bob, difference(0)), bad("PERSISTENT_TIMESTAMP_EMPTY"));
}

#[test]
fn a_group_is_created_joined_and_left() {
    let mut dc = dc();
    let (alice, bob, bot) = (dc.alice, dc.bob, dc.bot);
    let users = vec![dc.user(alice, bob.id)];
    let created = dc.ask(alice, Object::new("messages.createChat").with("users", users).with("title", "Friends"));
    let updates = created.inner("updates").unwrap();
    let chat = updates.objects("chats").next().unwrap().clone();
    let id = chat.number("id");
    assert!(chat.flag("creator"));
    let pushed = dc.pushed();
    assert!(
        pushed.contains(&(bob.id, vec!["updateNewMessage"]))
            && pushed.contains(&(bob.id, vec!["updateChatParticipants"]))
    );

    let add = Object::new("messages.addChatUser")
        .with("chat_id", id)
        .with("user_id", dc.user(alice, bot.id))
        .with("fwd_limit", 0);
    dc.ask(alice, add);
    let full = dc.ask(bob, Object::new("messages.getFullChat").with("chat_id", id));
    let participants = full.inner("full_chat").unwrap().inner("participants").unwrap();
    assert_eq!(participants.objects("participants").count(), 3);
    assert_eq!(full.inner("full_chat").unwrap().objects("bot_info").count(), 1);

    dc.ask(bob, message(Object::new("inputPeerChat").with("chat_id", id), "hi bot", 1));
    assert!(dc.pushed().iter().any(|(to, _)| *to == bot.id), "no privacy mode");

    let leave =
        Object::new("messages.deleteChatUser").with("chat_id", id).with("user_id", Object::new("inputUserSelf"));
    dc.ask(bob, leave);
    let chats = dc.ask(bob, Object::new("messages.getChats").with("id", vec![id]));
    assert_eq!(chats.objects("chats").next().unwrap().name(), "chatForbidden");
    let query = message(Object::new("inputPeerChat").with("chat_id", id), "hi", 2);
    assert_eq!(dc.refused(bob, query), (403, "CHAT_WRITE_FORBIDDEN".to_owned()));
    let query = Object::new("messages.getChats").with("id", vec![id]);
    assert_eq!(dc.refused(dc.stranger, query).0, 401);
}

#[test]
fn users_are_looked_up_by_hash_and_by_name() {
    let mut dc = dc();
    let (alice, bob, bot) = (dc.alice, dc.bob, dc.bot);
    let ids = vec![Object::new("inputUserSelf"), dc.user(alice, bob.id), dc.user(bot, bob.id)];
    let found = dc.try_ask(alice, Object::new("users.getUsers").with("id", ids)).unwrap();
    let names: Vec<_> = found.as_vector().unwrap().iter().map(|user| user.as_object().unwrap().name()).collect();
    assert_eq!(names, ["user", "user", "userEmpty"]);
    let resolve = |name: &str| Object::new("contacts.resolveUsername").with("username", name);
    let resolved = dc.ask(alice, resolve("Helper_bot"));
    assert_eq!(resolved.inner("peer").unwrap().number("user_id"), bot.id);
    assert_eq!(dc.refused(alice, resolve("nobody_here")), bad("USERNAME_NOT_OCCUPIED"));
    assert_eq!(dc.refused(alice, resolve("no body")), bad("USERNAME_INVALID"));
    let full = dc.ask(alice, Object::new("users.getFullUser").with("id", dc.user(alice, bot.id)));
    assert_eq!(full.inner("full_user").unwrap().inner("bot_info").unwrap().number("user_id"), bot.id);
    let wrong = dc.user(alice, bob.id).with("access_hash", 1);
    assert_eq!(dc.refused(alice, Object::new("users.getFullUser").with("id", wrong)), bad("USER_ID_INVALID"));
    assert_eq!(dc.ask(alice, Object::new("contacts.getContacts").with("hash", 0)).objects("contacts").count(), 0);
}

#[test]
fn dialogs_and_histories_page() {
    let mut dc = dc();
    let (alice, bob, bot) = (dc.alice, dc.bob, dc.bot);
    let group = dc.group();
    for (to, text) in [(bob, "one"), (bot, "two"), (bob, "three")] {
        dc.ask(alice, dc.message(alice, to, text));
    }
    let dialogs = |limit: i32, date: i32, id: i32| {
        let query =
            Object::new("messages.getDialogs").with("offset_date", date).with("offset_id", id).with("limit", limit);
        query.with("hash", 0).with("offset_peer", Object::new("inputPeerEmpty"))
    };
    let page = dc.ask(alice, dialogs(2, 0, 0));
    assert_eq!((page.name(), page.small("count")), ("messages.dialogsSlice", 3));
    let tops: Vec<i32> = page.objects("dialogs").map(|dialog| dialog.small("top_message")).collect();
    assert_eq!(tops, [4, 3]);
    let page = dc.ask(alice, dialogs(2, NOON, 3));
    let peers: Vec<i64> =
        page.objects("dialogs").map(|dialog| dialog.inner("peer").unwrap().number("chat_id")).collect();
    assert_eq!(peers, [group]);
    let history = Object::new("messages.getHistory").with("peer", dc.peer(alice, bob.id)).with("limit", 1);
    let zero = ["offset_id", "offset_date", "add_offset", "max_id", "min_id", "hash"];
    let history = zero.into_iter().fold(history, |history, field| history.with(field, 0));
    let page = dc.ask(alice, history);
    assert_eq!((page.name(), page.small("count")), ("messages.messagesSlice", 2));
    assert_eq!(page.objects("messages").next().unwrap().text("message"), "three");
    let ids = vec![Object::new("inputMessageID").with("id", 2), Object::new("inputMessageID").with("id", 99)];
    let found = dc.ask(alice, Object::new("messages.getMessages").with("id", ids));
    assert_eq!(found.objects("messages").map(Object::name).collect::<Vec<_>>(), ["message", "messageEmpty"]);
}

#[test]
fn a_button_is_pressed_and_answered() {
    let mut dc = dc();
    let (alice, bot) = (dc.alice, dc.bot);
    dc.ask(alice, dc.message(alice, bot, "/start"));
    dc.ask(bot, dc.message(bot, alice, "choose").with("reply_markup", inline("Yes", b"y")));
    dc.pushed();
    let press = |dc: &mut Dc, data: &[u8]| {
        let query = Object::new("messages.getBotCallbackAnswer")
            .with("peer", dc.peer(alice, bot.id))
            .with("msg_id", 2)
            .with("data", data);
        call(&mut dc.telegram, alice.session, 8, &query, NOON)
    };
    assert!(matches!(press(&mut dc, b"n"), Answer::Now(Err(refusal)) if refusal.name == "DATA_INVALID"));
    assert!(matches!(press(&mut dc, b"y"), Answer::Later));
    let pushes = std::mem::take(&mut dc.telegram.pushes);
    let query = pushes[0].updates.objects("updates").next().unwrap();
    assert_eq!((pushes[0].to, query.name(), query.raw("data")), (bot.id, "updateBotCallbackQuery", Some(&b"y"[..])));
    let answer =
        Object::new("messages.setBotCallbackAnswer").with("query_id", query.number("query_id")).with("cache_time", 0);
    let answer = answer.with("message", "Done").with("alert", true);
    assert_eq!(dc.try_ask(bot, answer.clone()), Ok(Value::Bool(true)));
    assert_eq!(dc.refused(bot, answer), bad("QUERY_ID_INVALID"));
    let (waiter, answered) = dc.telegram.answers.pop().unwrap();
    assert!(matches!(waiter, Waiter::Query { msg_id: 8, .. }));
    let shown = button_answer(&answered.unwrap());
    assert_eq!((shown.text.as_deref(), shown.alert), (Some("Done"), true));

    assert!(matches!(press(&mut dc, b"y"), Answer::Later));
    dc.telegram.tick(NOON + 60);
    let (_, answered) = dc.telegram.answers.pop().unwrap();
    assert_eq!(answered.unwrap_err(), Refusal::bad("BOT_RESPONSE_TIMEOUT"));
}

#[test]
fn commands_are_kept_by_scope_and_language() {
    let mut dc = dc();
    let (alice, bot) = (dc.alice, dc.bot);
    let command = |name: &str| Object::new("botCommand").with("command", name).with("description", "does it");
    let default = Object::new("botCommandScopeDefault");
    let set = |commands: Vec<Object>, language: &str| {
        let query = Object::new("bots.setBotCommands").with("scope", default.clone()).with("lang_code", language);
        query.with("commands", commands)
    };
    assert_eq!(dc.refused(bot, set(vec![command("Start!")], "")), bad("BOT_COMMAND_INVALID"));
    dc.try_ask(bot, set(vec![command("start"), command("help")], "")).unwrap();
    dc.try_ask(bot, set(vec![command("los")], "de")).unwrap();
    let get =
        |language: &str| Object::new("bots.getBotCommands").with("scope", default.clone()).with("lang_code", language);
    assert_eq!(dc.try_ask(bot, get("")).unwrap().as_vector().unwrap().len(), 2);
    let full = dc.ask(alice, Object::new("users.getFullUser").with("id", dc.user(alice, bot.id)));
    assert_eq!(full.inner("full_user").unwrap().inner("bot_info").unwrap().objects("commands").count(), 2);
    dc.try_ask(bot, Object::new("bots.resetBotCommands").with("scope", default.clone()).with("lang_code", "")).unwrap();
    assert_eq!(dc.try_ask(bot, get("")).unwrap().as_vector().unwrap().len(), 0);
    assert_eq!(dc.try_ask(bot, get("de")).unwrap().as_vector().unwrap().len(), 1);
}

#[test]
fn typing_and_status_are_told_to_people() {
    let mut dc = dc();
    let (alice, bob) = (dc.alice, dc.bob);
    dc.ask(alice, dc.message(alice, bob, "hi"));
    let group = dc.group();
    let typing = |peer: Object| {
        Object::new("messages.setTyping").with("peer", peer).with("action", Object::new("sendMessageTypingAction"))
    };
    dc.try_ask(alice, typing(dc.peer(alice, bob.id))).unwrap();
    dc.try_ask(alice, typing(Object::new("inputPeerChat").with("chat_id", group))).unwrap();
    dc.try_ask(alice, Object::new("account.updateStatus").with("offline", false)).unwrap();
    let updates: Vec<_> =
        dc.pushed().into_iter().flat_map(|(to, names)| names.into_iter().map(move |name| (to, name))).collect();
    assert_eq!(updates, [(bob.id, "updateUserTyping"), (bob.id, "updateChatUserTyping"), (bob.id, "updateUserStatus")]);
}

#[test]
fn what_the_handle_sends_is_pushed_to_all() {
    let mut dc = dc();
    let (alice, bob) = (dc.alice, dc.bob);
    dc.telegram.send(alice.id, Peer::User(bob.id), "hi", NOON).unwrap();
    assert_eq!(dc.pushed().len(), 2);
    assert_eq!(dc.telegram.events.len(), 1);
}
