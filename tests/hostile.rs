//! Scripts that attack, each beside a neighbour who must notice nothing.
//!
//! A file of `tests/hostile/` says in its first line what must be told of it: `-- expect: PART OF STDERR`, then what it tries.
//! Its `/go` begins the attack; `ESCAPED` in an answer means that it succeeded. The neighbour answers meanwhile, and the
//! memory of the host stays within [`HOST`].

mod stage;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use stage::{Folder, moongram};

const NEIGHBOUR: &str = "secret_of_neighbour = 'x'
script.state.secret = 'x'
tg.command('ping', function(message) message:answer('pong') end)";
const CONFIG: &str = "[scripts.limits]\ncpu = '200ms'\nmemory = '16MiB'\n";
/// Bytes that the process may come to, with the local DC in it: two scripts of 16 MiB, and what decoding takes.
const HOST: u64 = 256 << 20;
/// Attacks that go on at once.
const WORKERS: usize = 3;

#[test]
fn every_attack_is_named_and_the_neighbour_notices_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut attacks: Vec<_> =
        std::fs::read_dir(folder).expect("the corpus").map(|e| e.expect("a file").path()).collect();
    attacks.sort();
    if let Ok(only) = std::env::var("HOSTILE") {
        attacks.retain(|attack| attack.to_string_lossy().contains(&only));
    } else {
        assert!(attacks.len() > 60, "the corpus is there");
    }
    let left = Mutex::new(attacks);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let next = || left.lock().expect("no one panics with it").pop();
                while let Some(attack) = next() {
                    let outcome = std::panic::catch_unwind(|| survived(&attack));
                    let outcome = outcome.unwrap_or_else(|_| Err(format!("{}: hangs, see above", attack.display())));
                    if let Err(failure) = outcome {
                        failures.lock().expect("no one panics with it").push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no one panics with it");
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
}

fn survived(attack: &PathBuf) -> Result<(), String> {
    let name = attack.file_name().and_then(|name| name.to_str()).expect("a name");
    let source = std::fs::read_to_string(attack).expect("a script");
    let expected =
        source.lines().next().and_then(|line| line.strip_prefix("-- expect: ")).expect("what to expect").trim_end();
    let folder = Folder::with(&[
        (&format!("scripts/{name}"), &source),
        ("scripts/neighbour.lua", NEIGHBOUR),
        ("scripts/lib/_", ""),
        ("moongram.toml", CONFIG),
        ("secret/x.lua", "return 'secret'"),
    ]);
    #[cfg(unix)]
    {
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(folder.at(to), folder.at(at)).expect("a link");
        link("secret/x.lua", "scripts/lib/link.lua");
        link("secret", "scripts/lib/linked");
    }
    let mut program = moongram(&["play"], folder.path());
    program.say("/go");
    program.say("/ping");
    let mut printed = vec![program.next()];
    let most = most_memory(program.id());
    let (status, rest, err) = program.finish();
    printed.extend(rest);
    if let Some(most) = most.filter(|most| *most > HOST) {
        return Err(format!("{name}: the host came to {} MiB", most >> 20));
    }
    let escaped = printed.iter().any(|line| line.contains("ESCAPED"));
    if !status.success() || escaped || printed != ["bot: pong"] || !err.contains(expected) {
        let shown: String = err.chars().take(4000).collect();
        return Err(format!("{name}: {status}, printed {printed:?}, expected {expected:?} in:\n{shown}"));
    }
    Ok(())
}

/// The most memory that a process ever had, in bytes, where the system tells.
fn most_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib << 10)
}

const LOOPS: &str = "tg.command('go', function(message) while true do end end)";

#[test]
fn three_limits_in_a_minute_stop_a_script_until_it_is_saved() {
    let folder =
        Folder::with(&[("scripts/loops.lua", LOOPS), ("scripts/neighbour.lua", NEIGHBOUR), ("moongram.toml", CONFIG)]);
    let mut program = moongram(&["play"], folder.path());
    for time in 1..=3 {
        program.say("/go");
        let line = program.err_with("loops.lua:1: stopped");
        assert!(line.contains("(handler of loops.lua:1), it used more than 0.2 s"), "{line}");
        program.say("/ping");
        assert_eq!(program.next(), "bot: pong", "the neighbour answers, time {time}");
    }
    let line = program.err_with("loops is stopped");
    assert!(line.contains("3 of its handlers went over a limit within 60 s; saving it, or"), "{line}");
    // It takes no more, and holds nothing back.
    program.say("/go");
    program.say("/ping");
    assert_eq!(program.next(), "bot: pong");
    // Saving it starts it, be it as it was; and mended, it answers.
    folder.write("scripts/loops.lua", LOOPS);
    program.err_with("loops is live");
    folder.write("scripts/loops.lua", "tg.command('go', function(message) message:answer('went') end)");
    program.err_with("loops is live again");
    program.say("/go");
    assert_eq!(program.next(), "bot: went");
    let (status, rest, _) = program.finish();
    assert!(status.success() && rest.is_empty(), "{rest:?}");
}

#[test]
fn two_limits_do_not_stop_a_script() {
    let loops = "local times = 0
        tg.command('go', function(message)
          times = times + 1
          while times < 3 do end
          message:answer('went')
        end)";
    let folder = Folder::with(&[("scripts/loops.lua", loops), ("moongram.toml", CONFIG)]);
    let mut program = moongram(&["play"], folder.path());
    for _ in 0..3 {
        program.say("/go");
    }
    assert_eq!(program.next(), "bot: went");
}

/// A script whose state cannot be carried over is told so, and a second save lets it go live.
#[test]
fn a_function_in_the_state_blocks_one_save_and_not_the_next() {
    let first = "script.state.kept = 'kept'
        script.state.bad = print";
    let mended = "tg.command('go', function(message)
          message:answer(tostring(script.state.kept) .. ' ' .. tostring(script.state.bad))
        end)";
    let folder = Folder::with(&[("scripts/states.lua", first)]);
    let mut program = moongram(&["play"], folder.path());
    program.err_with("states is live");
    folder.write("scripts/states.lua", mended);
    let line = program.err_with("script.state.bad is a function, which cannot be carried over a reload");
    assert!(line.contains("save again, or `moongram scripts reload states`, to go live without it"), "{line}");
    std::thread::sleep(std::time::Duration::from_millis(600));
    folder.write("scripts/states.lua", mended);
    program.err_with("states goes live without it: script.state.bad is a function");
    program.err_with("states is live again");
    program.say("/go");
    assert_eq!(program.next(), "bot: kept nil");
}

#[test]
fn a_limit_of_the_configuration_is_the_one_that_holds() {
    let counts = "tg.command('go', function(message)
          local timers = 0
          while pcall(timer.after, 1000, print) do timers = timers + 1 end
          local tasks = 0
          while pcall(tg.spawn, function() tg.sleep(1000) end) do tasks = tasks + 1 end
          message:answer(timers .. ' timers, ' .. tasks .. ' tasks')
        end)";
    let folder = Folder::with(&[
        ("scripts/counts.lua", counts),
        ("moongram.toml", "[scripts.limits]\ntimers = 7\n[script.counts.limits]\nrunning = 5\n"),
    ]);
    let mut program = moongram(&["play"], folder.path());
    program.say("/go");
    // The handler itself is one of those that run.
    assert_eq!(program.next(), "bot: 7 timers, 4 tasks");
}

#[test]
fn the_wait_of_a_handler_that_may_not_wait_is_refused_by_name() {
    let waits = "tg.command('go', function(message)
          for _ = 1, 3 do tg.spawn(function() tg.sleep(1000) end) end
          tg.sleep(0.01)
          message:answer('waited')
        end)";
    let folder = Folder::with(&[("scripts/waits.lua", waits), ("moongram.toml", "[scripts.limits]\nwaiting = 2\n")]);
    let mut program = moongram(&["play"], folder.path());
    program.say("/go");
    program.err_with("2 handlers wait in ask, wait_for and sleep already (limits.waiting)");
}
