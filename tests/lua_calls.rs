//! Calls of scripts, down to the wire of the local DC: in order, given up, and told so.

use std::collections::VecDeque;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use moongram::client::{Client, Config, Dc, SessionAt, SignIn, Subscription};
use moongram::crypto::RsaPublicKey;
use moongram::local_dc::{self, Bot, LocalDc, Peer, WorldEvent};
use moongram::lua::{Env, Inbox, Reason, ScriptSpec, Version, load};
use moongram::net::Clock;
use moongram::tl::{self, Object};
use tokio::sync::broadcast;

const PATIENCE: Duration = Duration::from_secs(20);

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

async fn start(dc: &LocalDc, sign_in: SignIn) -> Client {
    let config = Config {
        dcs: vec![Dc { id: dc.dc_id(), address: dc.address() }],
        public_keys: vec![RsaPublicKey::from_pem(dc.public_key_pem()).unwrap()],
        ..Config::new(1, "hash", sign_in, SessionAt::Memory)
    };
    within(Client::start(config, Clock::real())).await.unwrap()
}

/// A script on an account.
struct Stage {
    client: Client,
    inbox: Arc<Inbox>,
    version: Version,
    folder: tempfile::TempDir,
}

impl Stage {
    async fn new(client: Client, script: &str) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::new(client.subscribe("script"));
        let version = Stage::load(&client, &inbox, &folder, script).await;
        version.activate(Reason::Start);
        client.begin_updates();
        Stage { client, inbox, version, folder }
    }

    async fn load(client: &Client, inbox: &Arc<Inbox>, folder: &tempfile::TempDir, script: &str) -> Version {
        let main = folder.path().join("script.lua");
        fs::write(&main, script).unwrap();
        let env = Env::new(client.clone(), Clock::real());
        let spec = Arc::new(ScriptSpec::new("script", main, folder.path()));
        load(spec, env, inbox.clone(), None).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Another version takes over, as after a save.
    async fn reload(&mut self, script: &str) {
        let version = Stage::load(&self.client, &self.inbox, &self.folder, script).await;
        version.activate(Reason::Reload);
        std::mem::replace(&mut self.version, version).retire();
    }

    async fn end(self) {
        self.version.stop().await;
        self.client.stop().await;
    }
}

/// A bot with a script, whom Alice writes to.
struct Chat {
    dc: LocalDc,
    bot: Bot,
    alice: i64,
    events: broadcast::Receiver<WorldEvent>,
    stage: Stage,
}

impl Chat {
    async fn new(script: &str) -> Chat {
        let dc = LocalDc::start(local_dc::Config::default()).await.unwrap();
        let bot = dc.add_bot("order_bot", "Order");
        let alice = dc.add_user("Alice");
        let events = dc.events();
        let client = start(&dc, SignIn::Bot { token: bot.token.clone() }).await;
        Chat { stage: Stage::new(client, script).await, dc, bot, alice, events }
    }

    fn write(&self, text: &str) {
        self.dc.send(self.alice, Peer::User(self.bot.id), text).unwrap();
    }

    /// The bot's next messages.
    async fn said(&mut self, count: usize) -> Vec<String> {
        let mut said = Vec::new();
        within(async {
            while said.len() < count {
                if let WorldEvent::NewMessage(message) = self.events.recv().await.unwrap()
                    && message.from == self.bot.id
                {
                    said.push(message.text);
                }
            }
        })
        .await;
        said
    }
}

/// <https://core.telegram.org/api/invoking#helper-method-sequence>
#[tokio::test]
async fn functions_in_order_are_done_in_order_and_return_what_they_returned() {
    let mut chat = Chat::new(
        r##"
        tg.command("go", function(message)
          local function say(text)
            return function() return tg.send_message(message.chat, text).text, "second" end
          end
          local sent = {tg.in_order(
            -- A name that has to be looked up first holds those after it up.
            function()
              assert(not tg.try(tg.send_message, "@nobody_has_this_name", "x"))
              return tg.send_message(message.chat, "one").text
            end,
            say("two"), {say("three"), function() end}, function() return nil end, say("four"))}
          message:answer(json.encode({sent[1], sent[2], sent[3], sent[5], select("#", tg.in_order())}), {parse_mode = "none"})
        end)
        tg.on_error(function(err, event) event:answer("error: " .. tostring(err), {parse_mode = "none"}) end)
        "##,
    )
    .await;
    chat.write("/go");
    assert_eq!(chat.said(5).await, ["one", "two", "three", "four", r#"["one","two",["three"],"four",0]"#]);
    chat.stage.end().await;
}

#[tokio::test]
async fn what_comes_after_a_function_that_failed_is_not_done_and_its_error_is_raised() {
    let mut chat = Chat::new(
        r#"
        tg.command("call", function(message)
          local ok, err = tg.try(tg.in_order,
            function() return message:answer("one") end,
            function() return tg.edit_message_text(message.chat, 99999, "x") end,
            function() return message:answer("never") end,
            {function() return message:answer("nor this") end})
          message:answer(err.name .. " by " .. err.method, {parse_mode = "none"})
        end)
        tg.command("lua", function(message)
          local ok, err = tg.try(tg.in_order,
            function() local x = nil; return x.y end,
            function() return message:answer("never") end)
          message:answer(err.name, {parse_mode = "none"})
        end)
        tg.command("caught", function(message)
          tg.in_order(
            function() return tg.try(tg.edit_message_text, message.chat, 99999, "x") end,
            function()
              local ok, err = tg.try(message.answer, message, "never")
              message:answer(err.name, {parse_mode = "none"})
            end)
        end)
        tg.command("wrong", function(message)
          for _, wrong in ipairs({5, {function() end, "x"}}) do
            local ok, err = pcall(tg.in_order, wrong)
            message:answer(err:gsub("^script.lua:%d+: ", ""), {parse_mode = "none"})
          end
        end)
        tg.on_error(function(err, event) event:answer("error: " .. tostring(err), {parse_mode = "none"}) end)
        "#,
    )
    .await;
    chat.write("/call");
    assert_eq!(chat.said(2).await, ["one", "MESSAGE_ID_INVALID by messages.editMessage"]);
    chat.write("/lua");
    assert_eq!(chat.said(1).await, ["LUA_ERROR"]);
    chat.write("/caught");
    assert_eq!(chat.said(1).await, ["MSG_WAIT_FAILED"]);
    chat.write("/wrong");
    let wrong = chat.said(2).await;
    assert_eq!(
        wrong,
        ["tg.in_order expects functions, got number", "tg.in_order expects functions, got a list with a string"]
    );
    chat.stage.end().await;
}

#[tokio::test]
async fn a_function_that_is_stopped_bars_those_after_it_and_its_handler_goes_on() {
    let mut chat = Chat::new(
        r#"
        tg.command("go", function(message)
          local ok, err = tg.try(tg.in_order,
            function() while true do end end,
            function() return message:answer("never") end)
          message:answer(tostring(err), {parse_mode = "none"})
        end)
        "#,
    )
    .await;
    chat.write("/go");
    let said = chat.said(1).await;
    assert!(said[0].ends_with("tg.in_order: a function was stopped"), "{said:?}");
    chat.stage.end().await;
}

/// A user's account with a button of a bot that never answers.
struct Presser {
    dc: LocalDc,
    slow: Client,
    heard: Subscription,
    user: Client,
    /// The Lua that presses it.
    press: String,
}

impl Presser {
    async fn new() -> Presser {
        let dc = LocalDc::start(local_dc::Config::default()).await.unwrap();
        let bot = dc.add_bot("slow_bot", "Slow");
        let alice = dc.add_user("Alice");
        let mut events = dc.events();
        let slow = start(&dc, SignIn::Bot { token: bot.token }).await;
        let heard = slow.subscribe("slow");
        slow.begin_updates();
        let (phone, code) = (dc.phone(alice).unwrap(), dc.code());
        let code = Arc::new(move || code.clone());
        let user = start(&dc, SignIn::User { phone, code, name: "Alice".into() }).await;
        dc.send(alice, Peer::User(bot.id), "/start").unwrap();
        hear(&heard, "updateNewMessage").await;
        let kind = Object::new("inlineButtonTypeCallback").with("data", b"y".as_slice());
        let button = Object::new("keyboardInlineButton").with("text", "Yes").with("type", kind);
        let row = Object::new("keyboardInlineButtonRow").with("buttons", vec![button]);
        let markup = Object::new("replyInlineMarkup").with("rows", vec![row]);
        let peer = Object::new("inputPeerUser").with("user_id", alice).with("access_hash", 0);
        let message = Object::new("messages.sendMessage").with("peer", peer).with("message", "press me");
        let mut body = Vec::new();
        tl::encode(&message.with("random_id", 7).with("reply_markup", markup), &mut body).unwrap();
        within(slow.invoke(body.into())).await.unwrap();
        let id = within(async {
            loop {
                match events.recv().await.unwrap() {
                    WorldEvent::NewMessage(message) if message.text == "press me" => break message.ids[&alice],
                    _ => {}
                }
            }
        })
        .await;
        let press =
            format!(r#"tg.invoke("messages.getBotCallbackAnswer", {{peer = "@slow_bot", msg_id = {id}, data = "y"}})"#);
        Presser { dc, slow, heard, user, press }
    }

    /// The DC works on the press.
    async fn pressed(&self) {
        hear(&self.heard, "updateBotCallbackQuery").await;
        assert_eq!(self.dc.dropped_answers(), 0);
    }
}

async fn hear(queue: &Subscription, what: &str) {
    within(async {
        loop {
            queue.ready().await;
            let mut taken = VecDeque::new();
            queue.drain(&mut taken, 1);
            if taken.iter().any(|update| tl::decode_object(update.raw()).unwrap().name() == what) {
                return;
            }
        }
    })
    .await;
}

async fn dropped(dc: &LocalDc) {
    within(async {
        while dc.dropped_answers() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// <https://core.telegram.org/mtproto/service_messages#cancellation-of-an-rpc-query>
#[tokio::test]
async fn the_call_of_a_task_whose_script_is_reloaded_is_dropped_on_the_wire() {
    let presser = Presser::new().await;
    let script = format!("tg.on_start(function() tg.spawn(function() {} end) end)", presser.press);
    let mut stage = Stage::new(presser.user.clone(), &script).await;
    presser.pressed().await;
    stage.reload("tg.on_message(function() end)").await;
    dropped(&presser.dc).await;
    stage.end().await;
    presser.slow.stop().await;
}

#[tokio::test]
async fn the_call_of_a_timer_whose_script_is_stopped_is_dropped_on_the_wire() {
    let presser = Presser::new().await;
    let script = format!("timer.after(0.01, function() {} end)", presser.press);
    let Stage { version, client, .. } = Stage::new(presser.user.clone(), &script).await;
    presser.pressed().await;
    version.stop().await;
    dropped(&presser.dc).await;
    client.stop().await;
    presser.slow.stop().await;
}

#[tokio::test]
async fn the_call_of_a_handler_goes_on_when_its_script_is_reloaded() {
    let presser = Presser::new().await;
    let script = format!("tg.on_start(function() {} end)", presser.press);
    let mut stage = Stage::new(presser.user.clone(), &script).await;
    presser.pressed().await;
    stage.reload("tg.on_message(function() end)").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(presser.dc.dropped_answers(), 0);
    stage.end().await;
    presser.slow.stop().await;
}
