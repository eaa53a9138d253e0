//! Sets per second of one script, with 1, 10 and 100 handlers that write at once: wall time, as it is the disk that counts.
//!
//! A real file, in the folder for temporary ones. Beside it, in the same run, what the disk does with a file of a page that is
//! appended to and synced: what one writer could have at best.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moongram::client::Client;
use moongram::lua::{Env, Inbox, Reason, ScriptSpec, load};
use moongram::net::Clock;
use moongram::storage::store::Stores;

const PASSES: usize = 5;
/// What a pass is given.
const TIME: f64 = 1.0;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    report("append of 4 KiB and fdatasync", || syncs(folder.path()));
    let value = "{ name = 'Alice', visits = 5, seen = 1700000000 }";
    for handlers in [1, 10, 100] {
        let body = format!("store.set('user:' .. i % 1000 .. ':' .. w, {value})");
        report(&format!("set, {handlers} handlers"), || calls(folder.path(), handlers, &body));
    }
    for handlers in [1, 100] {
        let body = "store.update('count', function(n) return (n or 0) + 1 end)";
        report(&format!("update of one key, {handlers} handlers"), || calls(folder.path(), handlers, body));
    }
    for handlers in [1, 100] {
        let body = "store.get('user:' .. i % 1000 .. ':' .. w)";
        report(&format!("get, {handlers} handlers"), || calls(folder.path(), handlers, body));
    }
}

fn report(what: &str, measure: impl Fn() -> f64) {
    let mut rates: Vec<f64> = (0..PASSES).map(|_| measure()).collect();
    rates.sort_by(f64::total_cmp);
    println!(
        "{what}: {:.0} a second ({:.0} to {:.0}, {PASSES} passes)",
        rates[PASSES / 2],
        rates[0],
        rates[PASSES - 1]
    );
}

fn syncs(folder: &Path) -> f64 {
    let mut file = std::fs::File::create(folder.join("syncs")).expect("a file");
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed().as_secs_f64() < TIME {
        file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).expect("synced");
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

/// Calls a second of `body`, in which `w` is the handler and `i` counts its calls.
fn calls(folder: &Path, handlers: usize, body: &str) -> f64 {
    let main = folder.join("bench.lua");
    let script = format!(
        "local stop, calls, running = false, 0, {handlers}
        tg.on_start(function()
          for w = 1, {handlers} do
            tg.spawn(function()
              local i = 0
              while not stop do
                i = i + 1
                {body}
                calls = calls + 1
              end
              running = running - 1
              if running == 0 then script.state.calls = calls end
            end)
          end
          tg.sleep({TIME})
          stop = true
        end)"
    );
    std::fs::write(&main, script).expect("the script is written");
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio.block_on(async {
        let client = Client::detached();
        let inbox = Inbox::new(client.subscribe("bench"));
        let mut env = Env::new(client, Clock::real());
        env.stores = Stores::at(folder.join("store.db"));
        let spec = Arc::new(ScriptSpec::new("bench", &main, folder));
        let version = load(spec, env, inbox, None).await.expect("the script loads");
        let start = Instant::now();
        version.activate(Reason::Start);
        tokio::time::sleep(Duration::from_secs_f64(TIME)).await;
        loop {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let state = version.state().await.expect("the state is a number").to_json();
            if let Some(calls) = state["calls"].as_f64() {
                let took = start.elapsed().as_secs_f64();
                version.stop().await;
                return calls / took;
            }
        }
    })
}
