//! Write to live: how long after a script of 100 lines was saved its new version answers.
//!
//! A host on a detached client, a real folder, the real watcher. A save is a truncate and write; live is when the host says
//! that the new version has taken over. Prints p50, p99 and the longest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moongram::client::Client;
use moongram::host::config::Config;
use moongram::host::{Event, Host, Options};
use moongram::net::Clock;
use tokio::sync::broadcast;

const SAVES: usize = 300;

fn script(version: usize) -> String {
    let mut text = format!("local version = {version}\n");
    for n in 0..24 {
        text.push_str(&format!(
            "tg.command('c{n}', function(message)\n  local words = {{ 'a', 'b', version }}\n  message:reply(words[{}])\nend)\n",
            n % 3 + 1
        ));
    }
    text.push_str("script.state.saves = (script.state.saves or 0) + 1\n-- the hundredth line\n");
    text
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.lua");
    std::fs::write(&path, script(0)).expect("written");
    let (sender, mut events) = broadcast::channel(64);
    let options = Options { folder: folder.path().to_owned(), config: Arc::new(Config::default()) };
    let client = Client::detached();
    let host = Host::start(options, client, Clock::real(), sender).await;
    live(&mut events).await;
    let mut times = Vec::with_capacity(SAVES);
    for version in 1..=SAVES {
        std::fs::write(&path, script(version)).expect("written");
        let written = Instant::now();
        live(&mut events).await;
        times.push(written.elapsed());
        // Not in step with anything that ticks.
        tokio::time::sleep(Duration::from_millis(3 + version as u64 % 7)).await;
    }
    host.stop(Duration::from_secs(1)).await;
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "write to live, {} lines, {SAVES} saves: p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        script(1).lines().count(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

async fn live(events: &mut broadcast::Receiver<Event>) {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(10), events.recv()).await;
        match event.expect("live within ten seconds").expect("the host lives") {
            Event::Live { .. } => return,
            Event::Failed { message, .. } | Event::Problem { message } => panic!("{message}"),
            Event::Stopped { .. } | Event::Died { .. } => panic!("the script does not go on"),
            Event::Removed { .. } => {}
        }
    }
}
