//! The scripts of `scripts/` and `examples/`, each played the way its reader would.

mod stage;

use std::path::Path;

use stage::{Folder, moongram};

/// Plays `lines` on a folder of its own that holds nothing but this script; what was printed, after an exit with 0.
fn played(script: &str, config: &str, lines: &[&str]) -> Vec<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let text = std::fs::read_to_string(&source).expect("the script");
    let name = source.file_name().and_then(|name| name.to_str()).expect("a name");
    let folder = Folder::with(&[(&format!("scripts/{name}"), &text), ("moongram.toml", config)]);
    let mut program = moongram(&["play"], folder.path());
    for line in lines {
        program.say(line);
    }
    let (status, printed, err) = program.finish();
    assert!(status.success(), "{status}; stderr:\n{err}");
    assert!(!err.contains("Error") && !err.contains(".lua:"), "stderr:\n{err}");
    printed
}

#[test]
fn hello_greets_by_name() {
    assert_eq!(
        played("scripts/hello.lua", "", &["/start", "/as B*b*", "/start"]),
        ["bot: Hello, Alice!", "bot: Hello, B*b*!"]
    );
}

#[test]
fn echo_repeats() {
    let printed = played("scripts/echo.lua", "", &["/echo **as** it is", "/echo"]);
    assert_eq!(printed, ["bot: **as** it is", "bot: What shall I say? Write /echo and then your text."]);
}

#[test]
fn dice_throws_what_the_pattern_captured() {
    let printed = played("examples/dice.lua", "", &["throw 2d6 please", "nothing here", "99d6"]);
    assert_eq!(printed.len(), 2, "{printed:?}");
    let sum = printed[0].strip_prefix("bot: ").and_then(|text| text.split_once(" = ")).expect("throws = sum");
    let throws: Vec<u32> = sum.0.split(" + ").map(|n| n.parse().expect("a number")).collect();
    assert_eq!(throws.len(), 2);
    assert!(throws.iter().all(|n| (1..=6).contains(n)));
    assert_eq!(throws.iter().sum::<u32>(), sum.1.parse::<u32>().expect("a sum"));
    assert_eq!(printed[1], "bot: I have 20 dice of up to 1000 sides.");
}

#[test]
fn notes_are_kept_per_chat_and_forgotten_after_a_question() {
    let lines = [
        "/note milk",
        "/note and bread",
        "/notes",
        "/as Bob",
        "/notes",
        "/as Alice",
        "/forget",
        "no",
        "/forget",
        "yes",
        "/notes",
    ];
    assert_eq!(
        played("examples/notes.lua", "", &lines),
        [
            "bot: Noted, as number 1.",
            "bot: Noted, as number 2.",
            "bot: 1. milk",
            "2. and bread",
            "bot: Nothing is noted here.",
            "bot: Forget everything? Answer yes or no.",
            "bot: The notes stay.",
            "bot: Forget everything? Answer yes or no.",
            "bot: Forgotten.",
            "bot: Nothing is noted here.",
        ]
    );
}

#[test]
fn moderator_deletes_by_the_words_of_the_configuration() {
    let config = "[script.moderator]\nconfig = { words = [\"turnip\"] }\n";
    let lines = ["/in Garden", "a rose", "a turnip", "/in bot", "a turnip in private"];
    assert_eq!(played("examples/moderator.lua", config, &lines), ["(a message was deleted)"]);
}

#[test]
fn whoami_asks_the_raw_api() {
    let printed = played("examples/whoami.lua", "", &["/whoami"]);
    assert!(printed[0].starts_with("bot: You are Alice, number "), "{printed:?}");
}

#[test]
fn daily_keeps_what_is_sent_every_day() {
    let lines = [
        "/daily",
        "/daily 25:00 Europe/Berlin x",
        "/daily 9:30 Europe/Berlni water",
        "/daily 9:30 Europe/Berlin Drink water",
        "/daily 23:05 UTC Sleep",
        "/daily",
        "/stop 1",
        "/stop 5",
        "/daily",
    ];
    assert_eq!(
        played("examples/daily.lua", "", &lines),
        [
            "bot: Nothing is sent here.",
            "bot: Like this: /daily 9:30 Europe/Berlin Drink water",
            "bot: there is no time zone \"Europe/Berlni\"; did you mean Europe/Berlin?",
            "bot: every day at 9:30 (Europe/Berlin): Drink water",
            "bot: every day at 23:05 (UTC): Sleep",
            "bot: 1. every day at 9:30 (Europe/Berlin): Drink water",
            "2. every day at 23:05 (UTC): Sleep",
            "bot: No more.",
            "bot: Which one? /daily lists them.",
            "bot: 1. every day at 23:05 (UTC): Sleep",
        ]
    );
}

#[test]
fn site_tells_what_answers_and_what_was_not_granted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().expect("a connection");
        let _ = stream.read(&mut [0; 4096]);
        let body = "<html><Title>\n Hello </title></html>";
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).expect("the client reads");
    });
    let config = format!("[script.site]\nallow = [\"http:{address}\"]\n");
    let lines = ["/site", &format!("/site {address}"), "/site example.org"];
    assert_eq!(
        played("examples/site.lua", &config, &lines),
        [
            "bot: Like this: /site example.org".to_owned(),
            format!("bot: {address} answers with status 200."),
            "Hello".to_owned(),
            "bot: http.get: example.org needs a grant: allow = [\"http:example.org\"] in moongram.toml".to_owned(),
        ]
    );
}

#[test]
fn every_script_is_played_here() {
    let this = include_str!("examples.rs");
    for folder in ["scripts", "examples"] {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("a name");
            if name.ends_with(".lua") {
                assert!(this.contains(&format!("\"{folder}/{name}\"")), "{folder}/{name} is run by no test");
            }
        }
    }
}
