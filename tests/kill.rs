//! `kill -9` of the host: nothing is lost, nothing is out of order, and the session goes on with the key it has.

mod stage;

use moongram::local_dc::{Config, LocalDc, WorldEvent};
use stage::{Folder, PATIENCE, Program, moongram};
use tokio::sync::broadcast::Receiver;

const SCRIPT: &str = "tg.on_message(filters.text & filters.private, function(m) m:reply('got ' .. m.text) end)";

struct Town {
    folder: Folder,
    dc: LocalDc,
    bot: i64,
    alice: i64,
    events: Receiver<WorldEvent>,
}

impl Town {
    async fn new() -> Town {
        let folder = Folder::with(&[("scripts/got.lua", SCRIPT)]);
        let dc = LocalDc::start(Config::default()).await.expect("a local DC");
        let bot = dc.add_bot("kill_bot", "Kill");
        let alice = dc.add_user("Alice");
        folder.write("dc.pem", dc.public_key_pem());
        folder.write(
            "moongram.toml",
            &format!(
                "[account]\napi_id = 1\napi_hash = 'x'\nbot_token = '{}'\n[network]\n\
                 dc = [{{ id = {}, address = '{}' }}]\npublic_keys = ['dc.pem']\n",
                bot.token,
                dc.dc_id(),
                dc.address()
            ),
        );
        let events = dc.events();
        Town { folder, dc, bot: bot.id, alice, events }
    }

    fn run(&self) -> Program {
        let mut program = moongram(&["run"], self.folder.path());
        program.err_with("got is live");
        program
    }

    fn say(&self, text: &str) {
        self.dc.send(self.alice, self.bot.into(), text).expect("sent");
    }

    /// The bot's next message.
    async fn reply(&mut self) -> String {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
            match event.expect("a reply in time").expect("the DC lives") {
                WorldEvent::NewMessage(message) if message.from == self.bot => return message.text,
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_messages_sent_while_the_host_was_dead_are_handled_in_order_with_the_same_key() {
    let mut town = Town::new().await;
    let program = town.run();
    town.say("before");
    assert_eq!(town.reply().await, "got before");
    // The state is saved at least every 250 ms: after that, what was handled does not come again.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    program.kill();
    for n in 1..=10 {
        town.say(&format!("message {n}"));
    }
    let exchanges = town.dc.key_exchanges();
    let program = town.run();
    for n in 1..=10 {
        assert_eq!(town.reply().await, format!("got message {n}"));
    }
    assert_eq!(town.dc.key_exchanges(), exchanges, "the second start exchanged a key");
    town.say("after");
    assert_eq!(town.reply().await, "got after");
    program.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_after_kill_loses_nothing() {
    let mut town = Town::new().await;
    let mut heard = Vec::new();
    for round in 0..6 {
        let program = town.run();
        for n in 0..5 {
            town.say(&format!("{round}.{n}"));
            // Some of them are answered before the kill, some are not.
            if n == 2 {
                heard.push(town.reply().await);
            }
        }
        program.kill();
    }
    let program = town.run();
    town.say("the end");
    while heard.last().is_none_or(|last| last != "got the end") {
        heard.push(town.reply().await);
    }
    program.kill();
    for round in 0..6 {
        for n in 0..5 {
            let text = format!("got {round}.{n}");
            assert!(heard.contains(&text), "{text} is missing in {heard:?}");
        }
    }
    let mut firsts = Vec::new();
    for text in &heard {
        if !firsts.contains(text) {
            firsts.push(text.clone());
        }
    }
    let mut sorted = firsts.clone();
    sorted.sort();
    assert_eq!(firsts[..30], sorted[..30], "first deliveries out of order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_session_is_refused_by_name() {
    let mut town = Town::new().await;
    let first = town.run();
    town.say("hello");
    town.reply().await;
    let (status, _, err) = moongram(&["run"], town.folder.path()).finish();
    assert_eq!(status.code(), Some(1), "{err}");
    assert!(err.contains(&first.id().to_string()), "the other process is not named: {err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_request_to_end_does_not_wait_for_a_handler_that_sleeps() {
    let town = Town::new().await;
    town.folder.write("scripts/got.lua", "tg.on_start(function() tg.sleep(600) end)");
    let mut program = town.run();
    program.terminate();
    program.err_with("stopping");
    program.terminate();
    let (status, _, err) = program.finish();
    assert!(status.success(), "{status}: {err}");
    assert!(err.contains("stopped at once"), "{err}");
}
