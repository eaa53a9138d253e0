//! `moongram play`, as a person and as a pipe use it.

mod stage;

use std::io::Write;

use stage::{Folder, moongram};

fn repository() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Plays `lines` on the scripts of `folder`; what was printed, after an exit with 0.
fn played(folder: &std::path::Path, scripts: &str, lines: &[&str]) -> Vec<String> {
    let mut program = moongram(&["play", scripts], folder);
    for line in lines {
        program.say(line);
    }
    let (status, printed, err) = program.finish();
    assert!(status.success(), "{status}; stderr:\n{err}");
    printed
}

#[test]
fn a_line_from_a_pipe_gets_the_reply_of_a_script() {
    assert_eq!(played(repository(), "scripts", &["/start"]), ["bot: Hello, Alice!"]);
}

#[test]
fn every_line_is_answered_in_turn_and_nothing_is_lost_at_the_end() {
    let lines: Vec<String> = (1..=20).map(|n| format!("/echo number {n}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let expected: Vec<String> = (1..=20).map(|n| format!("bot: number {n}")).collect();
    assert_eq!(played(repository(), "scripts", &lines), expected);
}

#[test]
fn a_handler_that_sleeps_is_waited_for() {
    let folder =
        Folder::with(&[("scripts/slow.lua", "tg.command('slow', function(m) tg.sleep(0.3) m:answer('awake') end)")]);
    assert_eq!(played(folder.path(), "scripts", &["/slow"]), ["bot: awake"]);
}

#[test]
fn others_speak_and_groups_are_rooms() {
    let folder = Folder::with(&[(
        "scripts/who.lua",
        "tg.on_message(filters.text, function(m) m:answer(m.from_user.first_name .. ' in ' .. m.chat.type) end)",
    )]);
    let printed = played(folder.path(), "scripts", &["hi", "/as Bob", "hi", "/in Room", "hi", "/in bot", "hi"]);
    assert_eq!(printed, ["bot: Alice in private", "bot: Bob in private", "bot: Bob in group", "bot: Bob in private"]);
}

#[test]
fn a_saved_script_answers_the_next_line_on_the_same_connection() {
    let answering = |text: &str| format!("tg.on_message(filters.text, function(m)\n  m:answer('{text}')\nend)\n");
    let folder = Folder::with(&[("scripts/pet.lua", &answering("woof"))]);
    let mut program = moongram(&["--log", "warn,moongram::host=info,moongram::net=info", "play"], folder.path());
    program.say("speak");
    assert_eq!(program.next(), "bot: woof");

    folder.write("scripts/pet.lua", &answering("meow"));
    program.err_with("pet is live again");
    program.say("speak");
    assert_eq!(program.next(), "bot: meow");

    // A syntax error: named with its line, and the version before it goes on.
    folder.write("scripts/pet.lua", "tg.on_message(filters.text, function(m)\n  m:answer('moo'\nend)\n");
    program.err_with("pet.lua:3: ");
    program.say("speak");
    assert_eq!(program.next(), "bot: meow");

    // An error of the top level, likewise.
    folder.write("scripts/pet.lua", "local pets = nil\nprint(pets.first)\n");
    program.err_with("pet.lua:2: ");
    program.say("speak");
    assert_eq!(program.next(), "bot: meow");

    // Mended, by an atomic rename this time.
    let mut draft = std::fs::File::create(folder.at("scripts/pet.lua.draft")).expect("a draft");
    draft.write_all(answering("moo").as_bytes()).expect("written");
    drop(draft);
    std::fs::rename(folder.at("scripts/pet.lua.draft"), folder.at("scripts/pet.lua")).expect("renamed");
    program.err_with("pet is live again");
    program.say("speak");
    assert_eq!(program.next(), "bot: moo");

    let (status, rest, err) = program.finish();
    assert!(status.success() && rest.is_empty(), "{status} {rest:?}");
    assert_eq!(err.matches("connected to DC").count(), 1, "one connection, all the way:\n{err}");
}

#[test]
fn a_script_that_appears_is_live_and_one_that_goes_is_not() {
    let folder = Folder::with(&[("scripts/a.lua", "tg.command('a', function(m) m:answer('a here') end)")]);
    let mut program = moongram(&["play"], folder.path());
    program.say("/a");
    assert_eq!(program.next(), "bot: a here");
    folder.write("scripts/b.lua", "tg.command('b', function(m) m:answer('b here') end)");
    program.err_with("b is live");
    program.say("/b");
    assert_eq!(program.next(), "bot: b here");
    std::fs::remove_file(folder.at("scripts/a.lua")).expect("removed");
    program.err_with("a is gone");
    program.say("/a");
    program.say("/b");
    assert_eq!(program.next(), "bot: b here", "only b answers");
}

#[test]
fn a_required_file_reloads_the_script_that_uses_it() {
    let folder = Folder::with(&[
        ("scripts/lib/words.lua", "return { greeting = 'good morning' }"),
        (
            "scripts/greet.lua",
            "local words = require('words')\ntg.command('hi', function(m) m:answer(words.greeting) end)",
        ),
        ("scripts/other.lua", "tg.command('other', function(m) m:answer('other') end)"),
    ]);
    let mut program = moongram(&["play"], folder.path());
    program.say("/hi");
    assert_eq!(program.next(), "bot: good morning");
    folder.write("scripts/lib/words.lua", "return { greeting = 'good night' }");
    program.err_with("greet is live again");
    program.say("/hi");
    assert_eq!(program.next(), "bot: good night");

    // A fault in it is told with its own name; the version before goes on, and comes alive again when it is mended.
    folder.write("scripts/lib/words.lua", "return { greeting = ");
    program.err_with("words.lua:1: ");
    program.say("/hi");
    assert_eq!(program.next(), "bot: good night");
    folder.write("scripts/lib/words.lua", "return { greeting = 'good evening' }");
    program.err_with("greet is live again");
    program.say("/hi");
    assert_eq!(program.next(), "bot: good evening");
    let (_, _, err) = program.finish();
    assert!(!err.contains("other is live again"), "a script that does not use the file was reloaded:\n{err}");
}

#[test]
fn a_folder_that_is_not_there_is_said_with_what_to_do() {
    let folder = Folder::with(&[]);
    let (status, _, err) = moongram(&["play", "nowhere"], folder.path()).finish();
    assert_eq!(status.code(), Some(1));
    assert!(err.contains("nowhere: no such folder of scripts"), "{err}");
}

#[test]
fn a_wrong_word_on_the_command_line_is_wrong_usage() {
    let folder = Folder::with(&[]);
    let (status, _, err) = moongram(&["plya"], folder.path()).finish();
    assert_eq!(status.code(), Some(2));
    assert!(err.contains("play"), "{err}");
    let (status, _, err) = moongram(&["--log", "loud,=", "play"], folder.path()).finish();
    assert_eq!(status.code(), Some(2));
    assert!(err.contains("--log loud,="), "{err}");
}

#[test]
fn what_is_no_utf_8_is_a_line_like_any_other() {
    let folder = Folder::with(&[("scripts/echo.lua", "tg.on_message(filters.text, function(m) m:reply(m.text) end)")]);
    let mut program = moongram(&["play"], folder.path());
    program.say_bytes(b"caf\xe9 ol\xe9\n");
    program.say("/as");
    program.say("tea");
    let (status, out, err) = program.finish();
    assert!(status.success(), "{err}");
    assert_eq!(out, ["bot: caf\u{fffd} ol\u{fffd}", "bot: tea"]);
    assert!(err.contains("/as needs a name"), "{err}");
}

#[test]
fn a_script_that_never_loaded_holds_nothing_back() {
    let folder = Folder::with(&[
        ("scripts/broken.lua", "this is not Lua"),
        ("scripts/whole.lua", "tg.command('hi', function(m) m:answer('hello') end)"),
    ]);
    assert_eq!(played(folder.path(), "scripts", &["/hi"]), ["bot: hello"]);
}

#[test]
fn the_message_that_was_answered_can_be_read() {
    let folder = Folder::with(&[(
        "scripts/quote.lua",
        "tg.command('quote', function(m)\n  local r = m:reply('first')\n  m:answer(r.reply_to_message.text)\nend)",
    )]);
    assert_eq!(played(folder.path(), "scripts", &["/quote me"]), ["bot: first", "bot: /quote me"]);
}

#[test]
fn what_a_script_prints_is_seen() {
    let folder = Folder::with(&[("scripts/talk.lua", "print('loud', 'and clear')\nprint('\\27[31mred')")]);
    let mut program = moongram(&["play"], folder.path());
    program.err_with("loud");
    // A stranger's text steers no terminal.
    program.err_with("\\u{1b}[31mred");
    program.finish();
}

#[test]
fn a_method_that_the_local_dc_lacks_is_an_error_at_once() {
    let folder = Folder::with(&[(
        "scripts/lack.lua",
        "tg.command('lack', function(m)\n  local ok, err = tg.try(tg.api.help.getPromoData, {})\n  m:answer(err.name)\nend)",
    )]);
    let started = std::time::Instant::now();
    let printed = played(folder.path(), "scripts", &["/lack"]);
    assert!(printed[0].contains("METHOD"), "{printed:?}");
    assert!(started.elapsed().as_secs() < 10, "it was tried again and again");
}

#[test]
fn a_filter_behind_the_function_is_an_error_and_not_a_wider_handler() {
    let folder = Folder::with(&[("scripts/wide.lua", "tg.on_message(function() end, filters.command('never'))")]);
    let mut program = moongram(&["play"], folder.path());
    program.err_with("wide.lua:1: tg.on_message: the filter stands before the function");
}

#[test]
fn a_name_that_stands_twice_leaves_the_version_that_runs() {
    let folder = Folder::with(&[("scripts/a.lua", "tg.command('a', function(m) m:answer('still here') end)")]);
    let mut program = moongram(&["play"], folder.path());
    program.err_with("a is live");
    folder.write("scripts/a/init.lua", "");
    program.err_with("a.lua and a/init.lua are both there");
    std::thread::sleep(std::time::Duration::from_millis(300));
    program.say("/a");
    assert_eq!(program.next(), "bot: still here");
}

#[test]
fn a_folder_that_was_removed_and_made_again_is_followed() {
    let folder = Folder::with(&[("scripts/a.lua", "tg.command('a', function(m) m:answer('one') end)")]);
    let mut program = moongram(&["play"], folder.path());
    program.err_with("a is live");
    std::fs::remove_dir_all(folder.at("scripts")).expect("removed");
    program.err_with("No such file");
    folder.write("scripts/a.lua", "tg.command('a', function(m) m:answer('two') end)");
    program.err_with("a is live");
    program.say("/a");
    assert_eq!(program.next(), "bot: two");
}

#[test]
fn a_configuration_that_was_named_must_be_there() {
    let folder = Folder::with(&[("scripts/a.lua", "")]);
    let (status, _, err) = moongram(&["check", "-c", "missing.toml"], folder.path()).finish();
    assert_eq!(status.code(), Some(1));
    assert!(err.contains("missing.toml"), "{err}");
}
