//! `kill -9` of the host: nothing is lost, nothing is out of order, and the session goes on with the key it has.

mod stage;

use stage::moongram;
use stage::town::Town;

const SCRIPT: &str = "tg.on_message(filters.text & filters.private, function(m) m:reply('got ' .. m.text) end)";

async fn town() -> Town {
    Town::with(&[("scripts/got.lua", SCRIPT)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_messages_sent_while_the_host_was_dead_are_handled_in_order_with_the_same_key() {
    let mut town = town().await;
    let program = town.run("got is live");
    town.say("before");
    assert_eq!(town.reply().await, "got before");
    // The state is saved at least every 250 ms: after that, what was handled does not come again.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    program.kill();
    for n in 1..=10 {
        town.say(&format!("message {n}"));
    }
    let exchanges = town.dc.key_exchanges();
    let program = town.run("got is live");
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
    let mut town = town().await;
    let mut heard = Vec::new();
    for round in 0..6 {
        let program = town.run("got is live");
        for n in 0..5 {
            town.say(&format!("{round}.{n}"));
            // Some of them are answered before the kill, some are not.
            if n == 2 {
                heard.push(town.reply().await);
            }
        }
        program.kill();
    }
    let program = town.run("got is live");
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
    let mut town = town().await;
    let first = town.run("got is live");
    town.say("hello");
    town.reply().await;
    let (status, _, err) = moongram(&["run"], town.folder.path()).finish();
    assert_eq!(status.code(), Some(1), "{err}");
    assert!(err.contains(&first.id().to_string()), "the other process is not named: {err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_request_to_end_does_not_wait_for_a_handler_that_sleeps() {
    let town = town().await;
    town.folder.write("scripts/got.lua", "tg.on_start(function() tg.sleep(600) end)");
    let mut program = town.run("got is live");
    program.terminate();
    program.err_with("stopping");
    program.terminate();
    let (status, _, err) = program.finish();
    assert!(status.success(), "{status}: {err}");
    assert!(err.contains("stopped at once"), "{err}");
}
