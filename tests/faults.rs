//! Many calls over a network that breaks in every way at once: each is answered, and none is done twice.
//!
//! `MOONGRAM_FAULT_SEED` chooses other faults, `MOONGRAM_FAULT_CALLS` another number of calls; `tests/faults.sh` makes
//! 100,000.

mod fault_proxy;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fault_proxy::{FaultProxy, Manner, Plan};
use moongram::client::{Client, Config, Dc, SessionAt, SignIn};
use moongram::crypto::RsaPublicKey;
use moongram::local_dc::{self, LocalDc, Peer, WorldEvent};
use moongram::mtproto::Transport;
use moongram::net::Clock;
use moongram::tl::{self, Object};
use tokio::sync::broadcast::error::RecvError;

const CALLS: usize = 10_000;
const CLIENTS: usize = 4;
/// Calls of each client that wait for their answers at once.
const AT_ONCE: usize = 64;
/// Of so many calls one sends a message, which the server would know again by its random id. The others edit one, which
/// it would not: done twice, they count twice.
const SENDS_ONE_IN: usize = 50;
/// All of it, on two cores that others use as well.
const PATIENCE: Duration = Duration::from_secs(300);
/// What the process may grow by after a tenth of the calls: 100,000 answers of 600 bytes would be twice that, and the
/// messages that were sent, which the local DC keeps, are a fraction of it.
const GROWTH: usize = 32 << 20;

fn from_environment(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}: {text:?} is not a number")),
        Err(_) => usual,
    }
}

/// Resident memory of this process.
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<usize>().ok()? * 4096)
}

fn call(object: &Object) -> Bytes {
    let mut bytes = Vec::new();
    tl::encode(object, &mut bytes).unwrap();
    bytes.into()
}

/// How often the world saw each call done, by writer and number.
struct Seen {
    done: Vec<Vec<AtomicU32>>,
    total: AtomicUsize,
    /// Events that went by unseen.
    missed: AtomicUsize,
}

impl Seen {
    /// Of so many calls of each writer.
    fn watch(dc: &LocalDc, each: usize) -> Arc<Seen> {
        let counts = || (0..each).map(|_| AtomicU32::new(0)).collect();
        let done = (0..CLIENTS).map(|_| counts()).collect();
        let seen = Arc::new(Seen { done, total: AtomicUsize::new(0), missed: AtomicUsize::new(0) });
        let (mut events, noted) = (dc.events(), seen.clone());
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(WorldEvent::NewMessage(written) | WorldEvent::Edited(written)) => {
                        let mut words = written.text.split([' ', '.']);
                        let mut number = |at: usize| words.nth(at).and_then(|word| word.parse::<usize>().ok());
                        let (writer, call) = (number(1).unwrap(), number(1).unwrap());
                        noted.done[writer][call].fetch_add(1, Ordering::Relaxed);
                        noted.total.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(count)) => drop(noted.missed.fetch_add(count as usize, Ordering::Relaxed)),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        seen
    }
}

/// One client, and the message that it edits.
#[derive(Clone)]
struct Writer {
    client: Client,
    number: usize,
    user: i64,
    message: i32,
}

impl Writer {
    fn peer(&self) -> Object {
        Object::new("inputPeerUser").with("user_id", self.user).with("access_hash", 0)
    }

    fn text(&self, n: usize) -> String {
        format!("writer {} call {n}.", self.number)
    }

    /// Makes one call, and checks that the answer is its own.
    async fn write(&self, n: usize) {
        let text = self.text(n);
        let sends = n.is_multiple_of(SENDS_ONE_IN);
        let query = if sends {
            Object::new("messages.sendMessage")
                .with("peer", self.peer())
                .with("message", &*text)
                .with("random_id", ((self.number as i64) << 32 | n as i64) + 1)
        } else {
            Object::new("messages.editMessage")
                .with("peer", self.peer())
                .with("id", self.message)
                .with("message", &*text)
        };
        let answer = self.client.invoke(call(&query)).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        // What is sent to a user comes back in short, without its text.
        let own = sends || answer.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(own, "{text}: the answer to another call");
    }

    /// Makes calls `from..to`, many at once.
    async fn write_all(self, calls: std::ops::Range<usize>) {
        let next = Arc::new(AtomicUsize::new(calls.start));
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE {
            let (writer, next, end) = (self.clone(), next.clone(), calls.end);
            running.spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= end {
                        return;
                    }
                    writer.write(n).await;
                }
            });
        }
        while let Some(ended) = running.join_next().await {
            ended.unwrap();
        }
    }
}

async fn all(writers: &[Writer], calls: std::ops::Range<usize>) {
    let mut running = tokio::task::JoinSet::new();
    for writer in writers {
        running.spawn(writer.clone().write_all(calls.clone()));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_is_answered_and_none_is_done_twice_whatever_the_network_does() {
    let seed = from_environment("MOONGRAM_FAULT_SEED", 1);
    let calls = from_environment("MOONGRAM_FAULT_CALLS", CALLS as u64) as usize;
    println!("MOONGRAM_FAULT_SEED={seed} MOONGRAM_FAULT_CALLS={calls}");
    let each = calls / CLIENTS;
    let plan = Plan {
        seed,
        // About a dozen ends of connections for each client.
        cut_within: (each as u64 * 400 / 6).max(4_000),
        stall_one_in: 12,
        replay_one_in: 3,
        delay_one_in: 50,
        delay: Duration::from_millis(15),
        split_one_in: 10,
        coalesce_one_in: 20,
    };
    let dc = LocalDc::start(local_dc::Config::default()).await.unwrap();
    let clock = Clock::real();
    let proxy = FaultProxy::start(dc.address(), clock.clone(), Manner::Pass).await;
    let transports = [Transport::Abridged, Transport::Intermediate, Transport::Padded, Transport::Full];
    let mut writers = Vec::new();
    for (number, transport) in transports.into_iter().enumerate().take(CLIENTS) {
        let bot = dc.add_bot(&format!("writer_{number}_bot"), "Writer");
        let user = dc.add_user(&format!("Reader {number}"));
        dc.send(user, Peer::User(bot.id), "begin").unwrap();
        let message = dc.send(bot.id, Peer::User(user), "to be edited").unwrap();
        let config = Config {
            dcs: vec![Dc { id: dc.dc_id(), address: proxy.address }],
            public_keys: vec![RsaPublicKey::from_pem(dc.public_key_pem()).unwrap()],
            transport,
            obfuscated: number == 0,
            ..Config::new(1, "hash", SignIn::Bot { token: bot.token }, SessionAt::Memory)
        };
        let client = Client::start(config, clock.clone()).await.unwrap();
        writers.push(Writer { client, number, user, message });
    }
    let seen = Seen::watch(&dc, each);
    let before: Vec<i32> = writers.iter().map(|writer| dc.pts(writer.client.me().id)).collect();
    proxy.set(Manner::Plan(plan));
    // The connections that there are were made in peace.
    proxy.cut();
    let began = Instant::now();
    let warm_up = each / 10;
    let patience = |future| tokio::time::timeout(PATIENCE, future);
    patience(all(&writers, 0..warm_up)).await.expect("the warm-up is bounded in time");
    let warm = resident();
    patience(all(&writers, warm_up..each)).await.expect("the calls are bounded in time");
    let (took, now) = (began.elapsed(), resident());

    let counted: i32 = writers.iter().zip(&before).map(|(w, before)| dc.pts(w.client.me().id) - before).sum();
    let connections: u64 = writers.iter().map(|writer| writer.client.connections()).sum();
    let growth = now.zip(warm).map(|(now, warm)| now.saturating_sub(warm));
    println!(
        "{} calls in {:.1} s over {connections} connections of {CLIENTS} clients, {counted} done; {}",
        each * CLIENTS,
        took.as_secs_f64(),
        proxy.tally
    );
    println!("memory: {:?} KiB after a tenth, {:?} KiB more at the end", warm.map(kib), growth.map(kib));
    // A last event may still be on its way to the watcher.
    tokio::time::timeout(Duration::from_secs(10), async {
        while seen.total.load(Ordering::Relaxed) + seen.missed.load(Ordering::Relaxed) < each * CLIENTS {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("each call was done");
    let missed = seen.missed.load(Ordering::Relaxed);
    for (writer, calls) in seen.done.iter().enumerate() {
        for (n, times) in calls.iter().enumerate() {
            let times = times.load(Ordering::Relaxed);
            assert!(
                times <= 1 && times + missed as u32 >= 1,
                "call {n} of {writer} was done {times} times, seed {seed}"
            );
        }
    }
    assert_eq!(counted as usize, each * CLIENTS, "each call counts once on the server, seed {seed}");
    assert!(connections > CLIENTS as u64 * 4, "{connections} connections: did anything break?");
    assert!(growth.is_none_or(|growth| growth < GROWTH), "the process grew by {growth:?} bytes, seed {seed}");
    for writer in writers {
        writer.client.stop().await;
    }
}

fn kib(bytes: usize) -> usize {
    bytes >> 10
}
