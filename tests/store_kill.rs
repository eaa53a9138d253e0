//! `kill -9` of a process whose script writes to its store: nothing that returned is lost, and nothing is done twice.
//!
//! Eight writers of one script set keys of their own, and change one that they share; each prints what returned. The process
//! is killed at a moment from a seed and started again on the same file, where the next one first prints what it finds.
//! `KILLS=1000 cargo test --test store_kill` for more kills, `SEED=…` for other moments.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use moongram::client::Client;
use moongram::lua::{Env, Inbox, Reason, ScriptSpec, load};
use moongram::net::Clock;
use moongram::storage::store::Stores;

const WRITERS: u64 = 8;

const SCRIPT: &str = r#"
local function increment(n) return (n or 0) + 1 end
tg.on_start(function()
  for w = 1, 8 do
    print("have", w, store.get("w" .. w, 0))
  end
  print("have", 0, store.get("total", 0))
  for w = 1, 8 do
    tg.spawn(function()
      local n = store.get("w" .. w, 0)
      while true do
        n = n + 1
        store.set("w" .. w, n)
        print("set", w, n)
        if n % 3 == w % 3 then
          print("set", 0, store.update("total", increment))
        end
      end
    end)
  end
end)
"#;

/// Run by the test below, in a process of its own.
#[tokio::test]
#[ignore = "a part of nothing_that_returned_is_lost_by_kills"]
async fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os("MOONGRAM_TEST_FOLDER") else { return };
    let folder = Path::new(&folder);
    // The test runner has begun a line.
    println!();
    // Prints every line of the script at once.
    tracing_subscriber::fmt().without_time().with_level(false).with_target(false).with_ansi(false).init();
    let main = folder.join("kill.lua");
    std::fs::write(&main, SCRIPT).expect("the script is written");
    let client = Client::detached();
    let inbox = Inbox::new(client.subscribe("kill"));
    let mut env = Env::new(client, Clock::real());
    env.stores = Stores::at(folder.join("data/store.db"));
    let version = load(Arc::new(ScriptSpec::new("kill", &main, folder)), env, inbox, None).await;
    version.unwrap_or_else(|error| panic!("{error}")).activate(Reason::Start);
    // Nobody kills it where the test itself was killed.
    tokio::time::sleep(Duration::from_secs(60)).await;
}

/// What one process printed before it was killed.
#[derive(Default)]
struct Run {
    have: HashMap<u64, u64>,
    /// By key, in order.
    set: HashMap<u64, Vec<u64>>,
}

/// What a key may hold, from what was printed so far.
#[derive(Clone, Copy, Default)]
struct Bounds {
    least: u64,
    most: u64,
}

#[test]
fn nothing_that_returned_is_lost_by_kills() {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    let (kills, mut seed) = (number("KILLS", 100), number("SEED", 20_240_229));
    let folder = tempfile::tempdir().expect("a folder");
    let mut bounds = [Bounds::default(); WRITERS as usize + 1];
    let (mut returned, mut checked) = (0, 0);
    let started = Instant::now();
    for kill in 0..=kills {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = seed >> 33;
        // The last one is there to print what it finds. One in eight is killed on its way to the first write.
        let run = match random % 8 {
            _ if kill == kills => killed_after_writing(folder.path(), Duration::ZERO),
            0 => killed_after(folder.path(), Duration::from_micros(random / 8 % 30_000)),
            _ => killed_after_writing(folder.path(), Duration::from_micros(random / 8 % 12_000)),
        };
        if run.have.len() <= WRITERS as usize {
            assert!(run.set.is_empty(), "kill {kill}: it wrote before it had read");
            continue;
        }
        checked += 1;
        for key in 0..=WRITERS {
            let (have, Bounds { least, most }) = (run.have[&key], bounds[key as usize]);
            assert!(
                (least..=most).contains(&have),
                "kill {kill}, key {key}: {have} is there, {least} returned, {most} were begun"
            );
            let empty = Vec::new();
            let set = run.set.get(&key).unwrap_or(&empty);
            returned += set.len();
            // Each number is there once: what one update made, no other one made again.
            let mut sorted = set.clone();
            sorted.sort_unstable();
            let expected: Vec<u64> = (have + 1..).take(set.len()).collect();
            if key == 0 {
                // Of the shared key, some that were done may not have been printed.
                sorted.dedup();
                assert_eq!(sorted.len(), set.len(), "kill {kill}: an update was done twice: {set:?}");
                assert!(sorted.first().is_none_or(|first| *first > have), "kill {kill}: {have}, then {set:?}");
            } else {
                assert_eq!(*set, expected, "kill {kill}, key {key}");
            }
            let least = sorted.last().copied().unwrap_or(have);
            // Every writer may have one on its way.
            let most = if key == 0 { have + set.len() as u64 + WRITERS } else { least + 1 };
            bounds[key as usize] = Bounds { least, most };
        }
    }
    let took = started.elapsed().as_secs_f64();
    println!(
        "{kills} kills in {took:.1} s, {checked} found open for a look; {returned} writes returned, none was lost"
    );
    assert!(checked > kills * 3 / 4, "only {checked} of {kills} processes came so far as to read");
    assert!(returned as u64 > kills * 3 / 4, "only {returned} writes in {checked} processes");
}

/// Kills at a moment after the first write returned.
fn killed_after_writing(folder: &Path, time: Duration) -> Run {
    run(folder, |lines| {
        let mut seen = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !seen.last().is_some_and(|line: &String| line.starts_with("set")) {
            let line = lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            seen.push(line.unwrap_or_else(|error| panic!("no write returned ({error}): {seen:?}")));
        }
        std::thread::sleep(time);
        seen
    })
}

/// Kills at a moment after the start.
fn killed_after(folder: &Path, time: Duration) -> Run {
    run(folder, |_| {
        std::thread::sleep(time);
        Vec::new()
    })
}

fn run(folder: &Path, until: impl FnOnce(&mpsc::Receiver<String>) -> Vec<String>) -> Run {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "--nocapture", "--test-threads=1", "writes_until_it_is_killed"])
        .env("MOONGRAM_TEST_FOLDER", folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let out = BufReader::new(child.stdout.take().expect("stdout"));
    let (sender, lines) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut out = out;
        let mut line = String::new();
        // A line that the kill cut off says nothing.
        while out.read_line(&mut line).is_ok_and(|_| line.ends_with('\n')) {
            if sender.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    let mut seen = until(&lines);
    child.kill().expect("killed");
    child.wait().expect("reaped");
    reader.join().expect("the reader ends with the pipe");
    seen.extend(lines.try_iter());
    let mut run = Run::default();
    for line in &seen {
        let mut words = line.split_whitespace();
        let what = words.next();
        let mut number = || words.next().and_then(|word| word.parse().ok());
        match (what, number(), number()) {
            (Some("have"), Some(key), Some(value)) => drop(run.have.insert(key, value)),
            (Some("set"), Some(key), Some(value)) => run.set.entry(key).or_default().push(value),
            _ => {}
        }
    }
    run
}
