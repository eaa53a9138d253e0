//! `check`, `dc` and `run`, as an operator meets them: what is printed, where, and with which exit status.

mod stage;

use stage::{Folder, Program, moongram, until};

fn checked(folder: &Folder, arguments: &[&str]) -> (Option<i32>, Vec<String>, String) {
    let (status, printed, err) = moongram(&[&["check"], arguments].concat(), folder.path()).finish();
    (status.code(), printed, err)
}

#[test]
fn check_names_file_and_line_of_each_fault_and_fails() {
    let folder = Folder::with(&[
        ("scripts/good.lua", "tg.command('a', function(m) m:reply('a') end)"),
        ("scripts/syntax.lua", "tg.on_message(function(m)\n  m:reply('x'\nend)"),
        ("scripts/global.lua", "\nlocal x = mesage"),
        ("scripts/missing.lua", "local words = require('words')"),
        ("scripts/calls.lua", "tg.send_message(1, 'hello')"),
    ]);
    let (status, printed, err) = checked(&folder, &[]);
    assert_eq!(status, Some(1));
    for expected in ["syntax.lua:3: ", "global.lua:2: ", "missing.lua:1: ", "calls.lua:1: "] {
        let expected = format!("scripts/{expected}");
        assert!(printed.iter().any(|line| line.starts_with(&expected)), "{expected} in {printed:#?}");
    }
    assert!(!printed.iter().any(|line| line.starts_with("scripts/good.lua:1")), "{printed:#?}");
    assert!(err.contains("5 scripts checked, 4 faults"), "{err}");
}

#[test]
fn check_of_good_scripts_succeeds_and_prints_what_they_use() {
    let folder = Folder::with(&[("here/good.lua", "tg.command('a', function(m) m:reply('a') end)")]);
    let (status, printed, err) = checked(&folder, &["here/good.lua"]);
    assert_eq!(status, Some(0), "{err}");
    assert_eq!(printed, ["here/good.lua: uses method:messages.sendMessage, line 1"]);
}

#[test]
fn check_goes_on_after_a_file_that_is_not_there() {
    let folder = Folder::with(&[("here/bad.lua", "x = = 1")]);
    let (status, printed, err) = checked(&folder, &["here/nothing.lua", "here/bad.lua"]);
    assert_eq!(status, Some(1));
    assert_eq!(printed[0], "here/nothing.lua: no such file or folder");
    assert!(printed[1].starts_with("here/bad.lua:1: "), "{printed:?}");
    assert!(err.contains("1 script checked, 2 faults"), "{err}");
}

#[test]
fn check_names_what_is_not_granted_and_warns_of_what_a_bot_cannot_do() {
    let folder = Folder::with(&[
        (
            "scripts/a.lua",
            "local words = require('words')\n\
             tg.on_start(function()\n\
             tg.api.account.getPassword()\n\
             tg.invoke('account.updateProfile', {})\n\
             tg.api.messages.getHistory{ peer = 'me' }\n\
             end)",
        ),
        ("scripts/lib/words.lua", "return function() tg.api.auth.logOut() end"),
        ("moongram.toml", "[script.a]\nallow = ['method:account.updateProfile']\n[account]\nbot_token = '1:x'\n"),
    ]);
    let (status, printed, _) = checked(&folder, &[]);
    assert_eq!(status, Some(1));
    let has =
        |expected: &str| assert!(printed.iter().any(|line| line.contains(expected)), "{expected} in {printed:#?}");
    has("scripts/a.lua:3: account.getPassword needs a grant: allow = [\"method:account.getPassword\"]");
    has("scripts/a.lua:5: warning: messages.getHistory is for user accounts");
    has("scripts/lib/words.lua:1: auth.logOut cannot be called by scripts");
    has("scripts/a.lua: uses method:account.updateProfile, line 4");
    assert!(!printed.iter().any(|line| line.starts_with("scripts/a.lua:4:")), "it is granted: {printed:#?}");
}

#[test]
fn both_forms_of_one_name_are_a_fault() {
    let folder = Folder::with(&[("scripts/a.lua", ""), ("scripts/a/init.lua", "")]);
    let (status, printed, _) = checked(&folder, &[]);
    assert_eq!(status, Some(1));
    assert!(printed[0].contains("a.lua and a/init.lua are both there"), "{printed:?}");
}

/// `moongram dc --json` and what it said.
fn dc(folder: &Folder, more: &[&str]) -> (Program, serde_json::Value) {
    let mut program = moongram(&[&["dc", "--listen", "127.0.0.1:0", "--json"], more].concat(), folder.path());
    let line = program.next();
    (program, serde_json::from_str(&line).expect("one line of JSON"))
}

#[test]
fn dc_says_in_json_what_a_client_needs() {
    let folder = Folder::with(&[]);
    let (_program, said) = dc(&folder, &[]);
    assert_eq!(said["dc_id"], 2);
    assert!(said["address"].as_str().expect("an address").starts_with("127.0.0.1:"));
    assert!(said["public_key"].as_str().expect("a key").starts_with("-----BEGIN RSA PUBLIC KEY-----"));
    assert_eq!(said["fingerprint"].as_str().expect("hex").len(), 16);
    assert!(said["code"].as_str().expect("a code").chars().all(|c| c.is_ascii_digit()));
    assert!(said["bot"]["token"].as_str().expect("a token").contains(':'));
    assert!(said["bot"]["username"].is_string());
}

#[test]
fn dc_keeps_its_state_in_a_folder() {
    let folder = Folder::with(&[]);
    let (first, said) = dc(&folder, &["--keep", "state"]);
    until("the state is written", || folder.at("state").read_dir().is_ok_and(|mut files| files.next().is_some()));
    first.kill();
    let (_second, again) = dc(&folder, &["--keep", "state"]);
    assert_eq!(said["bot"], again["bot"]);
}

#[test]
fn dc_serves_this_machine_only() {
    let folder = Folder::with(&[]);
    let (status, _, err) = moongram(&["dc", "--listen", "0.0.0.0:0"], folder.path()).finish();
    assert_eq!(status.code(), Some(1));
    assert!(err.contains("this machine only"), "{err}");
}

/// What `moongram run` says to a configuration and the files beside it, before it gives up.
fn run_refuses(files: &[(&str, &str)]) -> String {
    let folder = Folder::with(files);
    let (status, printed, err) = moongram(&["run"], folder.path()).finish();
    assert_eq!(status.code(), Some(1), "{err}");
    assert!(printed.is_empty(), "{printed:?}");
    err
}

#[test]
fn run_says_what_is_wrong_with_its_configuration() {
    let script = ("scripts/a.lua", "");
    for (config, expected) in [
        ("[acount]\napi_id = 1\n", "moongram.toml: line 1: unknown key `acount`; did you mean `account`?"),
        ("[account]\napi_id = 1\n", "`account.api_hash` is missing"),
        ("[account]\napi_hash = 'x'\n", "`account.api_id` is missing"),
        ("[account]\napi_id = 1\napi_hash = { env = 'NOT_SET_ANYWHERE' }\n", "NOT_SET_ANYWHERE"),
        ("[account]\napi_id = 1\napi_hash = 'x'\n[network]\npublic_keys = ['no.pem']\n", "no.pem"),
        ("[scripts]\nfolder = 'elsewhere'\n", "elsewhere: no such folder"),
    ] {
        let err = run_refuses(&[script, ("moongram.toml", config)]);
        assert!(err.contains(expected), "{config}\n{err}");
    }
    let err = run_refuses(&[script]);
    assert!(err.contains("moongram.toml"), "{err}");
}

fn config_for(said: &serde_json::Value, token: &str) -> String {
    format!(
        "[account]\napi_id = 1\napi_hash = 'x'\nbot_token = '{token}'\n[network]\npfs = false\npublic_keys = ['dc.pem']\n\
         dc = [{{ id = 2, address = {} }}]\n",
        said["address"]
    )
}

#[test]
fn run_explains_a_wrong_token_without_printing_it() {
    let folder = Folder::with(&[]);
    let (_dc, said) = dc(&folder, &[]);
    let key = said["public_key"].as_str().expect("a key");
    let err =
        run_refuses(&[("scripts/a.lua", ""), ("dc.pem", key), ("moongram.toml", &config_for(&said, "123:hush-hush"))]);
    assert!(err.contains("token"), "{err}");
    assert!(!err.contains("hush-hush"), "a secret was printed: {err}");
}

#[test]
fn run_leaves_a_broken_session_file_as_it_is() {
    let folder = Folder::with(&[]);
    let (_dc, said) = dc(&folder, &[]);
    let token = said["bot"]["token"].as_str().expect("a token");
    let broken = "this is no database, but somebody may want it back";
    let folder = Folder::with(&[
        ("scripts/a.lua", ""),
        ("dc.pem", said["public_key"].as_str().expect("a key")),
        ("moongram.toml", &config_for(&said, token)),
        ("moongram.db", broken),
    ]);
    let (status, _, err) = moongram(&["run"], folder.path()).finish();
    assert_eq!(status.code(), Some(1));
    assert!(err.contains("moongram.db"), "{err}");
    assert_eq!(std::fs::read_to_string(folder.at("moongram.db")).expect("still there"), broken);
}
