//! A script against the local DC: what a person writes goes through a socket to a handler, and what it answers comes back.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use moongram::client::{Client, Config, Dc, SessionAt, SignIn};
use moongram::crypto::RsaPublicKey;
use moongram::local_dc::{self, Bot, LocalDc, Peer, WorldEvent};
use moongram::lua::{Env, Inbox, Reason, ScriptSpec, Version, load};
use moongram::net::Clock;
use tokio::sync::broadcast;

const PATIENCE: Duration = Duration::from_secs(20);

struct Scene {
    dc: LocalDc,
    bot: Bot,
    alice: i64,
    client: Client,
    version: Version,
    events: broadcast::Receiver<WorldEvent>,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new(script: &str) -> Scene {
        let dc = LocalDc::start(local_dc::Config::default()).await.unwrap();
        let bot = dc.add_bot("echo_bot", "Echo");
        let alice = dc.add_user("Alice");
        let events = dc.events();
        let config = Config {
            dcs: vec![Dc { id: dc.dc_id(), address: dc.address() }],
            public_keys: vec![RsaPublicKey::from_pem(dc.public_key_pem()).unwrap()],
            ..Config::new(1, "hash", SignIn::Bot { token: bot.token.clone() }, SessionAt::Memory)
        };
        let client = tokio::time::timeout(PATIENCE, Client::start(config, Clock::real())).await.unwrap().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("bot.lua");
        fs::write(&main, script).unwrap();
        let inbox = Inbox::new(client.subscribe("bot"));
        let env = Env::new(client.clone(), Clock::real());
        let spec = Arc::new(ScriptSpec::new("bot", main, folder.path()));
        let version = load(spec, env, inbox, None).await.unwrap_or_else(|error| panic!("{error}"));
        version.activate(Reason::Start);
        client.begin_updates();
        Scene { dc, bot, alice, client, version, events, _folder: folder }
    }

    fn write(&self, text: &str) {
        self.dc.send(self.alice, Peer::User(self.bot.id), text).unwrap();
    }

    /// What happens next in the world by the bot's doing.
    async fn next(&mut self) -> String {
        let of_bot = async {
            loop {
                match self.events.recv().await.unwrap() {
                    WorldEvent::NewMessage(written) if written.from == self.bot.id => return written.text,
                    WorldEvent::Edited(written) => return format!("edited: {}", written.text),
                    WorldEvent::Deleted { account, .. } if account == self.bot.id => return "deleted".into(),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, of_bot).await.expect("the bot does nothing")
    }

    async fn end(self) {
        self.version.stop().await;
        self.client.stop().await;
    }
}

#[tokio::test]
async fn a_handler_answers_edits_and_deletes() {
    let mut scene = Scene::new(
        r#"
        tg.command("start", "Say hello", filters.private, function(message, name)
          local sent = message:reply(tg.md("Hello, **%s**!", name or message.from_user.first_name))
          assert(sent.outgoing and sent.text == "Hello, Alice!" and sent.reply_to_message_id == message.id, tostring(sent))
          assert(sent.entities[1].type == "bold" and sent.entities[1].length == 5)
          assert(sent.from_user.is_self and sent.chat.id == message.chat.id)
          assert(sent.text_markdown == "Hello, **Alice**\\!", sent.text_markdown)
          local edited = sent:edit_text("<i>Bye</i>", {parse_mode = "html"})
          assert(edited.id == sent.id and edited.text == "Bye")
          assert(sent:delete() == 1)
          message:answer("done", {parse_mode = "none"})
        end)
        tg.on_error(function(err) tg.send_message("@alice", "error: " .. tostring(err), {parse_mode = "none"}) end)
        "#,
    )
    .await;
    scene.write("/start");
    assert_eq!(scene.next().await, "Hello, Alice!");
    assert_eq!(scene.next().await, "edited: Bye");
    assert_eq!(scene.next().await, "deleted");
    assert_eq!(scene.next().await, "done");
    scene.end().await;
}

#[tokio::test]
async fn an_ask_hears_the_next_message_and_errors_have_names() {
    let mut scene = Scene::new(
        r#"
        tg.on_start(function(reason)
          local me = tg.get_me()
          assert(me.is_bot and me.username == "echo_bot" and tg.me.id == me.id and reason == "start")
        end)
        tg.command("name", function(message)
          local answer = message:ask("What is your name?", filters.text, 5)
          local sure = tg.ask(message.chat, "Sure?", {filters.regex("^yes$"), timeout = 5})
          answer:answer("Hello, " .. answer.text .. "; " .. sure.matches[0])
        end)
        tg.command("full", function(message)
          local ok, result = tg.try(tg.api.users.getFullUser, {id = message.from_user.id})
          message:answer(ok and result.users[1].first_name or tostring(result), {parse_mode = "none"})
        end)
        tg.command("fail", function(message)
          local ok, err = tg.try(tg.edit_message_text, message.chat.id, 99999, "x")
          message:answer(table.concat({tostring(ok), err.code, err.name, err.method, tostring(err:is("MESSAGE_*"))}, " "), {parse_mode = "none"})
        end)
        tg.on_message(filters.text, function(message) message:answer("heard " .. message.text) end)
        tg.on_error(function(err) tg.send_message("@alice", "error: " .. tostring(err), {parse_mode = "none"}) end)
        "#,
    )
    .await;
    scene.write("/name");
    assert_eq!(scene.next().await, "What is your name?");
    scene.write("Al");
    assert_eq!(scene.next().await, "Sure?");
    scene.write("perhaps");
    assert_eq!(scene.next().await, "heard perhaps");
    scene.write("yes");
    assert_eq!(scene.next().await, "Hello, Al; yes");
    scene.write("/full");
    assert_eq!(scene.next().await, "Alice");
    scene.write("/fail");
    assert_eq!(scene.next().await, "false 400 MESSAGE_ID_INVALID messages.editMessage true");
    scene.end().await;
}
