//! What a script notices of a neighbour that never stops computing: the time from an update's bytes to its handler's end,
//! with and without one. Each script has a thread of its own; what they share is the machine.
//!
//! Wall time, so it says something only on a machine at rest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use moongram::client::Client;
use moongram::lua::{Env, Inbox, Reason, ScriptSpec, Version, load};
use moongram::net::Clock;

/// Updates whose time is taken, one after the other.
const UPDATES: usize = 3_000;
const PAUSE: Duration = Duration::from_micros(500);
/// Where the sample has its pts: each update has the next one.
const MARKER: [u8; 4] = 0x5152_5354u32.to_le_bytes();

const ANSWERS: &str = "local seen = 0
tg.on_message(filters.text, function(message) seen = seen + #message.text end)";
const LOOPS: &str = "tg.on_start(function() while true do end end)";
const LOOPS_IN_PCALL: &str = "tg.on_start(function() while true do pcall(error, 'again') end end)";

/// What runs beside the script that is measured.
const CASES: [(&str, &[&str]); 4] = [
    ("alone", &[]),
    ("beside a loop", &[LOOPS]),
    ("beside a loop with pcall", &[LOOPS_IN_PCALL]),
    ("alone, again", &[]),
];

fn main() {
    // Each case in a process of its own, which ends the loops with it.
    let case = std::env::var("CASE").ok().and_then(|case| case.parse::<usize>().ok());
    let Some((name, neighbours)) = case.and_then(|case| CASES.get(case)) else {
        println!("{:26} {:>10} {:>10} {:>10}", "", "p50", "p99", "longest");
        let own = std::env::current_exe().expect("this program");
        for case in 0..CASES.len() {
            let status = std::process::Command::new(&own).env("CASE", case.to_string()).status();
            assert!(status.expect("it starts").success());
        }
        return;
    };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut times = tokio.block_on(measure(neighbours));
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let (p50, p99, longest) = (at(0.5), at(0.99), at(1.0));
    println!("{name:26} {p50:>10.1?} {p99:>10.1?} {longest:>10.1?}");
    // Without waiting for what never ends.
    std::process::exit(0);
}

async fn measure(neighbours: &[&str]) -> Vec<Duration> {
    let folder = tempfile::tempdir().expect("a folder");
    let client = Client::detached();
    let mut beside = Vec::new();
    for (number, source) in neighbours.iter().enumerate() {
        // Without a limit, or it would be stopped.
        beside.push(start(&client, folder.path(), &format!("loops{number}"), source, Duration::from_secs(3600)).await);
    }
    let (version, inbox) = start(&client, folder.path(), "answers", ANSWERS, Duration::from_secs(1)).await;
    let sample = sample();
    let at = sample.windows(4).position(|window| window == MARKER).expect("the sample has its marker");
    let mut times = Vec::with_capacity(UPDATES);
    for number in 0..UPDATES as i32 + 100 {
        let mut packet = sample.clone();
        packet[at..at + 4].copy_from_slice(&(number + 1).to_le_bytes());
        let packet = Bytes::from(packet);
        let start = Instant::now();
        client.feed(packet);
        while !inbox.is_idle() {
            std::thread::yield_now();
        }
        // The first ones warm up.
        if number >= 100 {
            times.push(start.elapsed());
        }
        std::thread::sleep(PAUSE);
    }
    version.stop().await;
    // Those that loop end with the process: nothing ends them before their limit.
    std::mem::forget(beside);
    times
}

async fn start(
    client: &Client,
    folder: &std::path::Path,
    name: &str,
    source: &str,
    cpu: Duration,
) -> (Version, Arc<Inbox>) {
    let main = folder.join(format!("{name}.lua"));
    std::fs::write(&main, source).expect("the script is written");
    let inbox = Inbox::new(client.subscribe(name));
    let mut spec = ScriptSpec::new(name, main, folder);
    spec.limits.cpu = cpu;
    let env = Env::new(client.clone(), Clock::real());
    let version = load(Arc::new(spec), env, inbox.clone(), None).await.expect("the script loads");
    version.activate(Reason::Start);
    (version, inbox)
}

fn sample() -> Vec<u8> {
    let hex = include_str!("../tests/samples/update_cmd.hex");
    let hex: String = hex.split_whitespace().collect();
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex digits")).collect()
}
