//! The control socket: `moongram scripts` and `moongram repl` on a running host, and SIGHUP.
#![cfg(unix)]

mod stage;

use std::os::unix::fs::PermissionsExt;

use stage::town::Town;
use stage::{Folder, moongram};

const COUNT: &str = "\
script.state.n = script.state.n or 0
tg.on_message(filters.text, function(m)
  script.state.n = script.state.n + 1
  m:reply(script.state.n .. ' ' .. (script.config.word or 'plain'))
end)";

async fn town() -> Town {
    Town::with(&[("scripts/count.lua", COUNT), ("scripts/broken.lua", "f(})")]).await
}

impl Town {
    /// Runs a command beside the host: whether it succeeded, what it printed, and what it complained about.
    fn command(&self, arguments: &[&str]) -> (bool, Vec<String>, String) {
        let (status, out, err) = moongram(arguments, self.folder.path()).finish();
        (status.success(), out, err)
    }

    fn succeed(&self, arguments: &[&str]) -> Vec<String> {
        let (good, out, err) = self.command(arguments);
        assert!(good, "{arguments:?}: {out:?} {err}");
        out
    }

    fn fail(&self, arguments: &[&str]) -> String {
        let (good, out, err) = self.command(arguments);
        assert!(!good, "{arguments:?}: {out:?} {err}");
        err
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_are_listed_with_how_they_fare() {
    let mut town = town().await;
    let program = town.run("count is live");
    town.say("x");
    town.reply().await;
    let out = town.succeed(&["scripts"]);
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(cells(&out[0])[..3], ["SCRIPT", "STATE", "VERSION"]);
    assert_eq!(cells(&out[1])[..2], ["broken", "failed"]);
    assert!(out[2].contains("broken.lua:1: unexpected symbol"), "{out:?}");
    let count = out.iter().find(|line| line.starts_with("count")).expect("it is listed");
    assert_eq!(cells(count)[..4], ["count", "running", "1", "1"]);
    let json: serde_json::Value = serde_json::from_str(&town.succeed(&["scripts", "--json"]).join("\n")).expect("JSON");
    assert_eq!((&json[1]["name"], &json[1]["calls"]), (&"count".into(), &1.into()));
    program.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handlers_of_a_script_are_listed_with_calls_errors_and_time() {
    let mut town = Town::with(&[(
        "scripts/two.lua",
        "tg.command('fail', function() error('oh') end)\ntg.on_message(function(m) m:reply('heard') end)",
    )])
    .await;
    let program = town.run("two is live");
    town.say("/fail");
    town.say("x");
    assert_eq!(town.reply().await, "heard");
    // The reply is here before its handler has returned.
    let rows = loop {
        let out = town.succeed(&["scripts", "list", "two", "--json"]).join("\n");
        let rows: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        if rows[0]["time"].as_f64() > Some(0.0) && rows[1]["time"].as_f64() > Some(0.0) {
            break rows;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let row = |line: u32| {
        let place = format!("two.lua:{line}");
        rows.as_array().and_then(|rows| rows.iter().find(|row| row["place"] == *place)).expect("it is listed")
    };
    let figures = |line| (row(line)["event"].as_str(), row(line)["calls"].as_u64(), row(line)["errors"].as_u64());
    assert_eq!(figures(1), (Some("message"), Some(1), Some(1)));
    assert_eq!(figures(2), (Some("message"), Some(1), Some(0)));
    assert!(row(2)["p99"].as_f64() >= row(2)["time"].as_f64(), "{rows}");
    let out = town.succeed(&["scripts", "list", "two"]);
    assert!(out[0].starts_with("HANDLER") && out.len() == 3, "{out:?}");
    let err = town.fail(&["scripts", "list", "tow"]);
    assert!(err.contains("did you mean two?"), "{err}");
    program.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_script_stays_stopped_until_it_is_started() {
    let mut town = town().await;
    let program = town.run("count is live");
    town.say("x");
    assert_eq!(town.reply().await, "1 plain");
    town.succeed(&["scripts", "stop", "count"]);
    town.say("nobody hears this");
    town.folder.write("scripts/count.lua", &format!("{COUNT}\n-- saved"));
    town.folder.write("scripts/other.lua", "tg.on_message(function(m) m:reply('other') end)");
    let out = town.succeed(&["scripts", "list"]);
    assert!(out.iter().any(|line| line.starts_with("count   stopped")), "{out:?}");
    assert!(
        out.iter().any(|line| line.contains("by an operator; `moongram scripts start count` starts it")),
        "{out:?}"
    );
    town.succeed(&["scripts", "start", "count"]);
    let err = town.fail(&["scripts", "start", "count"]);
    assert!(err.contains("count is running; to load it anew: moongram scripts reload count"), "{err}");
    town.succeed(&["scripts", "stop", "other"]);
    town.say("y");
    loop {
        // What `other` had begun may still come.
        match town.reply().await.as_str() {
            "other" => {}
            reply => break assert_eq!(reply, "1 plain", "it began anew"),
        }
    }
    program.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_makes_a_new_version_that_keeps_the_state() {
    let mut town = town().await;
    let program = town.run("count is live");
    town.say("x");
    town.reply().await;
    let out = town.succeed(&["scripts", "reload", "count"]);
    assert!(out[1].starts_with("count   running  2"), "{out:?}");
    town.say("x");
    assert_eq!(town.reply().await, "2 plain");
    let err = town.fail(&["scripts", "reload", "cuont"]);
    assert!(err.contains("there is no script cuont") && err.contains("did you mean count?"), "{err}");
    // One that does not load is a failure of the command, with the reason.
    let (good, out, _) = town.command(&["scripts", "reload", "broken"]);
    assert!(!good && out.iter().any(|line| line.contains("broken.lua:1:")), "{out:?}");
    program.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_run_on_the_host_or_in_a_script() {
    let mut town = town().await;
    let program = town.run("count is live");
    town.say("x");
    town.reply().await;
    assert_eq!(town.succeed(&["repl", "-e", "1 + 1, 'two'"]), ["2", "\"two\""]);
    assert_eq!(town.succeed(&["repl", "-e", "print('a', 1) x = 5 return nil"]), ["a\t1", "nil"]);
    assert_eq!(town.succeed(&["repl", "-e", "x"]), ["5"], "the console keeps its globals");
    assert_eq!(town.succeed(&["repl", "-e", "tg.me.username"]), ["\"town_bot\""]);
    assert_eq!(town.succeed(&["repl", "-e", "{1, {b = 2}}"]), ["{", "  1,", "  {", "    b = 2", "  }", "}"]);
    // A line may call Telegram, and wait.
    town.succeed(&["repl", "-e", &format!("tg.send_message({}, 'from the console') and nil", town.alice)]);
    assert_eq!(town.reply().await, "from the console");
    assert_eq!(town.succeed(&["repl", "--script", "count", "-e", "script.state.n"]), ["1"]);
    for (line, expected) in [
        ("nope", "console:1: 'nope' is not defined"),
        ("f(})", "console:1: unexpected symbol near '}'"),
        ("while true do end", "used more than 1 s of CPU time"),
        ("tg.api.auth.logOut{}", "auth.logOut cannot be called by scripts"),
    ] {
        let err = town.fail(&["repl", "-e", line]);
        assert!(err.contains(expected), "{line}: {err}");
    }
    let err = town.fail(&["repl", "--script", "broken", "-e", "1"]);
    assert!(err.contains("broken is not running"), "{err}");
    program.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_is_read_line_by_line() {
    let town = town().await;
    let program = town.run("count is live");
    let mut console = moongram(&["repl"], town.folder.path());
    console.say("y = 2");
    console.say("for i = 1, 2 do");
    console.say("  print(i * y)");
    console.say("end");
    let (status, out, err) = console.finish();
    assert!(status.success(), "{err}");
    assert_eq!(out, ["2", "4"], "{err}");
    program.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_takes_over_what_it_can_and_names_what_it_cannot() {
    let mut town = town().await;
    let mut program = town.run("count is live");
    town.say("x");
    assert_eq!(town.reply().await, "1 plain");
    let script = "[script.count.config]\nword = 'fancy'\n";
    town.folder.write("moongram.toml", &format!("{}transport = 'full'\n{script}", town.configuration));
    program.hang_up();
    program.err_with("this takes effect with the next start: network.transport");
    program.err_with("count is live again");
    town.say("x");
    assert_eq!(town.reply().await, "2 fancy");
    town.folder.write("moongram.toml", &format!("{}transprt = 'full'\n", town.configuration));
    program.hang_up();
    program.err_with("the configuration stays as it was");
    town.say("x");
    assert_eq!(town.reply().await, "3 fancy");
    program.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_socket_is_the_owner_s_and_goes_with_the_host() {
    let town = town().await;
    let socket = town.folder.at("moongram.db.sock");
    let err = town.fail(&["scripts"]);
    assert!(err.contains("no host is running here") && err.contains("moongram run"), "{err}");
    let program = town.run("count is live");
    town.succeed(&["scripts"]);
    let mode = std::fs::metadata(&socket).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A host that was killed leaves it behind: the next takes it over.
    program.kill();
    assert!(socket.exists());
    let err = town.fail(&["scripts"]);
    assert!(err.contains("no host is running here"), "{err}");
    let program = town.run("count is live");
    town.succeed(&["scripts"]);
    program.terminate();
    let (status, ..) = program.finish();
    assert!(status.success());
    assert!(!socket.exists());
    // What is no socket is not touched.
    town.folder.write("moongram.db.sock", "precious");
    let mut program = town.run("count is live");
    program.all_err();
    assert_eq!(std::fs::read_to_string(&socket).expect("it is there"), "precious");
    program.kill();
}

#[test]
fn without_a_configuration_the_commands_say_so() {
    let folder = Folder::with(&[]);
    for command in ["scripts", "repl"] {
        let (status, _, err) = moongram(&[command], folder.path()).finish();
        assert!(!status.success() && err.contains("moongram.toml"), "{command}: {err}");
    }
}
