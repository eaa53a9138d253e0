//! The list of commands that Telegram shows for a bot follows the scripts. <https://core.telegram.org/api/bots/commands>
#![cfg(unix)]

mod stage;

use std::time::Duration;

use stage::moongram;
use stage::town::Town;

const SHOP: &str =
    "tg.command('buy', 'Buy a thing', print)\ntg.command('secret', print)\ntg.command('Ключ', 'A key', print)";

fn shown(town: &Town) -> String {
    let line = "local list = {} \
        for _, c in ipairs(tg.api.bots.getBotCommands{scope={_='botCommandScopeDefault'},lang_code=''}) do \
        list[#list + 1] = c.command .. ': ' .. c.description end return table.concat(list, ', ')";
    let (status, out, err) = moongram(&["repl", "-e", line], town.folder.path()).finish();
    assert!(status.success(), "{err}");
    out.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_scripts_describe_is_published_once() {
    let town =
        Town::with(&[("scripts/shop.lua", SHOP), ("scripts/zoo.lua", "tg.command('feed', 'Feed them', print)")]).await;
    let mut program = town.run("zoo is live");
    assert_eq!(shown(&town), "\"\"", "not at once: who saves several files publishes once");
    program.err_with("the bot's list of commands is published (2)");
    assert_eq!(shown(&town), "\"buy: Buy a thing, feed: Feed them\"");
    town.folder.write("scripts/zoo.lua", "tg.command('feed', 'Feed all of them', print)");
    program.err_with("the bot's list of commands is published (2)");
    assert_eq!(shown(&town), "\"buy: Buy a thing, feed: Feed all of them\"");
    program.kill();
    // What Telegram shows already is left as it is.
    let mut program = town.run("zoo is live");
    tokio::time::sleep(Duration::from_secs(6)).await;
    program.terminate();
    let err = program.all_err();
    assert!(!err.contains("list of commands"), "{err}");
}
