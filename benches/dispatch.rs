//! Updates per second of CPU time, from the decrypted message body to a Lua handler that counts.
//!
//! The bytes of `tests/samples/update_cmd.hex` (a channel's message "/ping hello world 12345", with its user and channel) are
//! fed as they come out of the decryption, with a pts that makes a stream without a gap. They go through decoding, sequencing,
//! the notes on peers, the script's queue, lanes and filters, into the handler. The CPU time is that of the whole process.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moongram::client::Client;
use moongram::lua::{Env, Inbox, Reason, ScriptSpec, Version, load};
use moongram::net::Clock;

/// Where the sample has its pts.
const MARKER: [u8; 4] = 0x5152_5354u32.to_le_bytes();
/// Fed at once; the queue takes 10,000.
const CHUNK: i32 = 4_000;

fn main() {
    let passes: usize = std::env::var("PASSES").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let updates: i32 = std::env::var("UPDATES").ok().and_then(|n| n.parse().ok()).unwrap_or(200_000);
    for handlers in [1, 50] {
        let mut rates: Vec<f64> = (0..passes).map(|_| measure(handlers, updates)).collect();
        rates.sort_by(f64::total_cmp);
        let (least, most) = (rates[0], rates[rates.len() - 1]);
        let median = rates[rates.len() / 2];
        println!(
            "dispatch, {handlers:2} handlers: {median:9.0} updates/s of CPU time ({least:.0} to {most:.0}, {passes} passes)"
        );
    }
}

/// A script with `handlers` commands of which the last is the one that comes.
fn script(handlers: usize) -> String {
    let mut text = String::from("local state = script.state\nstate.count = 0\n");
    for i in 1..handlers {
        text += &format!("tg.on_message(filters.command(\"other{i}\"), function() error(\"not this one\") end)\n");
    }
    text += "tg.on_message(filters.command(\"ping\"), function(message) state.count = state.count + 1 end)\n";
    text
}

fn measure(handlers: usize, updates: i32) -> f64 {
    let folder = tempfile::tempdir().expect("a folder for the script");
    let main = folder.path().join("count.lua");
    fs::write(&main, script(handlers)).expect("the script is written");
    let hex =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/update_cmd.hex")).expect("the sample");
    let hex: String = hex.split_whitespace().collect();
    let sample: Vec<u8> =
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex digits")).collect();
    let at = sample.windows(4).position(|window| window == MARKER).expect("the sample has its marker");

    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio.block_on(async {
        let client = Client::detached();
        let inbox = Inbox::new(client.subscribe("count"));
        let spec = ScriptSpec::new("count", &main, folder.path());
        let env = Env::new(client.clone(), Clock::real());
        let version = load(Arc::new(spec), env, inbox.clone(), None).await.expect("the script loads");
        version.activate(Reason::Start);
        feed(&client, &inbox, &sample, at, 0, CHUNK);
        let start = cpu_time();
        feed(&client, &inbox, &sample, at, CHUNK, updates);
        let took = cpu_time() - start;
        assert_eq!(count(&version).await, i64::from(CHUNK + updates), "every update was counted");
        version.stop().await;
        f64::from(updates) / took.as_secs_f64()
    })
}

fn feed(client: &Client, inbox: &Inbox, sample: &[u8], at: usize, from: i32, updates: i32) {
    let mut packet = sample.to_vec();
    for i in 0..updates {
        packet[at..at + 4].copy_from_slice(&(from + i + 1).to_le_bytes());
        client.feed(Bytes::copy_from_slice(&packet));
        if (i + 1) % CHUNK == 0 || i + 1 == updates {
            while !inbox.is_idle() {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }
}

async fn count(version: &Version) -> i64 {
    version.state().await.expect("the state is a number").to_json()["count"].as_i64().expect("a count")
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
