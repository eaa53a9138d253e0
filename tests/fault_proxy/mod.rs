//! A network that breaks, between a client and a local DC: a relay that hurts what goes through it, on command or by a seed.
//!
//! On command ([`Manner`]) for one named trouble; by a [`Plan`] for all of them at random. The same seed makes the same
//! decisions for each connection; which bytes they meet depends on the machine.
#![allow(dead_code)] // Each test file uses a part.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moongram::crypto::{Random, SeededRandom};
use moongram::net::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const CHUNK: usize = 16 << 10;
/// Bytes of a connection's beginning that are recorded, to be played again.
const RECORDED: usize = 64 << 10;
/// How long a recording's answers are listened to.
const REPLAY: Duration = Duration::from_millis(300);

/// What the relay does from now on, to the connections there are as well.
#[derive(Clone, Debug, PartialEq)]
pub enum Manner {
    /// Nothing.
    Pass,
    /// Ends each connection after the first bytes that the server answers on it.
    CloseAfterAnswer,
    /// Gives the client the server's bytes at this many a second, by the clock.
    Trickle(usize),
    /// Passes nothing on, in either direction, and closes nothing: a cable was pulled. A connection that met this stays so.
    Stall,
    /// Takes a connection and closes it.
    Refuse,
    /// Breaks things by the plan.
    Plan(Plan),
}

/// What happens by chance, and how often.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub seed: u64,
    /// Bytes in one direction within which a connection is cut, at a random one; 0 cuts none.
    pub cut_within: u64,
    /// Of so many connections one stalls where it would have been cut; 0 stalls none.
    pub stall_one_in: u64,
    /// Of so many connections one has its beginning played again on a second connection; 0 plays none.
    pub replay_one_in: u64,
    /// Of so many chunks one is late, by up to `delay`.
    pub delay_one_in: u64,
    pub delay: Duration,
    /// Of so many chunks one goes out in pieces.
    pub split_one_in: u64,
    /// Of so many chunks one waits for more to go out with.
    pub coalesce_one_in: u64,
}

/// How often it did what.
#[derive(Debug, Default)]
pub struct Tally {
    pub connections: AtomicU64,
    pub cuts: AtomicU64,
    pub stalls: AtomicU64,
    pub replays: AtomicU64,
    pub delays: AtomicU64,
    pub splits: AtomicU64,
    pub coalesced: AtomicU64,
    pub bytes: AtomicU64,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} connections, {} cut, {} stalled, {} played again; {} chunks late, {} in pieces, {} together; {:.1} MB",
            of(&self.connections),
            of(&self.cuts),
            of(&self.stalls),
            of(&self.replays),
            of(&self.delays),
            of(&self.splits),
            of(&self.coalesced),
            of(&self.bytes) as f64 / 1e6,
        )
    }
}

/// A running relay; it ends with its handle.
pub struct FaultProxy {
    pub address: SocketAddr,
    manner: watch::Sender<Manner>,
    cuts: watch::Sender<u64>,
    pub tally: Arc<Tally>,
    /// What the client wrote on each connection, from its beginning.
    recorded: Arc<Mutex<Vec<Vec<u8>>>>,
    to: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FaultProxy {
    pub async fn start(to: SocketAddr, clock: Clock, manner: Manner) -> FaultProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (manner, told) = watch::channel(manner);
        let (cuts, cut) = watch::channel(0);
        let tally: Arc<Tally> = Arc::default();
        let recorded: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let task = tokio::spawn(accept(listener, to, clock, told, cut, tally.clone(), recorded.clone()));
        FaultProxy { address, manner, cuts, tally, recorded, to, task }
    }

    /// From now on.
    pub fn set(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// Ends all connections that there are.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    pub fn connections(&self) -> u64 {
        self.tally.connections.load(Ordering::Relaxed)
    }

    /// Plays again what a client wrote at the beginning of its connection of this number, the first being 0, and returns
    /// what the server has to say to that.
    pub async fn replay(&self, connection: usize) -> Vec<u8> {
        let bytes = self.recorded.lock().expect("nobody panics with it").get(connection).cloned();
        replay(self.to, bytes.expect("there was such a connection")).await
    }
}

async fn accept(
    listener: TcpListener,
    to: SocketAddr,
    clock: Clock,
    manner: watch::Receiver<Manner>,
    cut: watch::Receiver<u64>,
    tally: Arc<Tally>,
    recorded: Arc<Mutex<Vec<Vec<u8>>>>,
) {
    // Connections end with the relay.
    let mut running = tokio::task::JoinSet::new();
    loop {
        let client = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => client,
                Err(_) => continue,
            },
            Some(_) = running.join_next() => continue,
        };
        let number = tally.connections.fetch_add(1, Ordering::Relaxed);
        if *manner.borrow() == Manner::Refuse {
            continue;
        }
        recorded.lock().expect("nobody panics with it").push(Vec::new());
        let place = recorded.lock().expect("nobody panics with it").len() - 1;
        let (manner, clock, tally) = (manner.clone(), clock.clone(), tally.clone());
        let recording =
            Recording { all: recorded.clone(), place, to, tally: tally.clone(), replay_at: Mutex::default() };
        let mut cut = cut.clone();
        cut.mark_unchanged();
        running.spawn(async move {
            tokio::select! {
                () = connection(client, to, clock, manner, number, tally, recording) => {}
                _ = cut.changed() => {}
            }
        });
    }
}

struct Recording {
    all: Arc<Mutex<Vec<Vec<u8>>>>,
    place: usize,
    to: SocketAddr,
    tally: Arc<Tally>,
    /// Bytes after which it is played again, while the connection that it was taken from goes on.
    replay_at: Mutex<Option<usize>>,
}

impl Recording {
    fn add(&self, bytes: &[u8]) {
        let mut all = self.all.lock().expect("nobody panics with it");
        let recorded = &mut all[self.place];
        let room = RECORDED - recorded.len();
        recorded.extend_from_slice(&bytes[..room.min(bytes.len())]);
        let mut replay_at = self.replay_at.lock().expect("nobody panics with it");
        if replay_at.is_some_and(|at| recorded.len() >= at) {
            *replay_at = None;
            self.play(recorded.clone());
        }
    }

    fn play(&self, bytes: Vec<u8>) {
        self.tally.replays.fetch_add(1, Ordering::Relaxed);
        let to = self.to;
        tokio::spawn(async move { replay(to, bytes).await });
    }

    /// The connection is over: what was to be played and was not, is now.
    fn end(&self) {
        let bytes = std::mem::take(&mut self.all.lock().expect("nobody panics with it")[self.place]);
        if self.replay_at.lock().expect("nobody panics with it").take().is_some() {
            self.play(bytes);
        }
    }
}

/// Why a connection ends.
enum End {
    Closed,
    Cut,
    Stalled,
}

async fn connection(
    mut client: TcpStream,
    to: SocketAddr,
    clock: Clock,
    manner: watch::Receiver<Manner>,
    number: u64,
    tally: Arc<Tally>,
    recording: Recording,
) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let plan = match &*manner.borrow() {
        Manner::Plan(plan) => Some(plan.clone()),
        _ => None,
    };
    if let Some(plan) = &plan {
        let mut random = SeededRandom::new(plan.seed ^ 0x5eed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let at = 1 + (random.u64() % RECORDED as u64) as usize;
        let replays = one_in(&mut random, plan.replay_one_in);
        *recording.replay_at.lock().expect("nobody panics with it") = replays.then_some(at);
    }
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let pump = |from, to, upward| Pump {
            from,
            to,
            upward,
            manner: manner.clone(),
            clock: clock.clone(),
            tally: tally.clone(),
            chance: plan.clone().map(|plan| Chance::new(plan, number, upward)),
        };
        let mut up = pump(from_client, to_server, true);
        let mut down = pump(from_server, to_client, false);
        tokio::select! {
            end = up.run(Some(&recording)) => end,
            end = down.run(None) => end,
        }
    };
    if plan.is_some() {
        recording.end();
    }
    match end {
        End::Closed => {}
        End::Cut => drop(tally.cuts.fetch_add(1, Ordering::Relaxed)),
        End::Stalled => {
            tally.stalls.fetch_add(1, Ordering::Relaxed);
            std::future::pending().await
        }
    }
}

async fn replay(to: SocketAddr, bytes: Vec<u8>) -> Vec<u8> {
    let mut answered = Vec::new();
    if let Ok(mut server) = TcpStream::connect(to).await
        && server.write_all(&bytes).await.is_ok()
    {
        let _ = tokio::time::timeout(REPLAY, server.read_to_end(&mut answered)).await;
    }
    answered
}

/// One direction of a connection.
struct Pump<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    upward: bool,
    manner: watch::Receiver<Manner>,
    clock: Clock,
    tally: Arc<Tally>,
    chance: Option<Chance>,
}

impl Pump<'_> {
    async fn run(&mut self, recording: Option<&Recording>) -> End {
        let mut buffer = vec![0; CHUNK];
        loop {
            let mut length = tokio::select! {
                biased;
                stalled = self.manner.wait_for(|manner| *manner == Manner::Stall) => match stalled {
                    Ok(_) => return End::Stalled,
                    Err(_) => return End::Closed,
                },
                read = self.from.read(&mut buffer) => match read {
                    Ok(length @ 1..) => length,
                    _ => return End::Closed,
                },
            };
            if let Some(recording) = recording {
                recording.add(&buffer[..length]);
            }
            if let Some(chance) = &mut self.chance
                && one_in(&mut chance.random, chance.plan.coalesce_one_in)
            {
                self.tally.coalesced.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(3)).await;
                if let Ok(more) = self.from.try_read(&mut buffer[length..]) {
                    if let Some(recording) = recording {
                        recording.add(&buffer[length..length + more]);
                    }
                    length += more;
                }
            }
            self.tally.bytes.fetch_add(length as u64, Ordering::Relaxed);
            let manner = self.manner.borrow().clone();
            let end = match manner {
                Manner::Trickle(rate) if !self.upward => self.trickle(&buffer[..length], rate).await,
                Manner::CloseAfterAnswer if !self.upward => {
                    let _ = self.to.write_all(&buffer[..length]).await;
                    Some(End::Closed)
                }
                Manner::Plan(_) => self.by_chance(&buffer[..length]).await,
                _ => self.to.write_all(&buffer[..length]).await.is_err().then_some(End::Closed),
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// A second's worth at a time.
    async fn trickle(&mut self, bytes: &[u8], rate: usize) -> Option<End> {
        for piece in bytes.chunks(rate.max(1)) {
            self.clock.sleep(Duration::from_secs(1)).await;
            if self.to.write_all(piece).await.is_err() {
                return Some(End::Closed);
            }
        }
        None
    }

    async fn by_chance(&mut self, bytes: &[u8]) -> Option<End> {
        let Some(chance) = &mut self.chance else {
            return self.to.write_all(bytes).await.is_err().then_some(End::Closed);
        };
        let Plan { delay_one_in, delay, split_one_in, .. } = chance.plan;
        if one_in(&mut chance.random, delay_one_in) {
            self.tally.delays.fetch_add(1, Ordering::Relaxed);
            let millis = chance.random.u64() % (delay.as_millis() as u64 + 1);
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        let (bytes, end) = match chance.left {
            Some(left) if left <= bytes.len() as u64 => (&bytes[..left as usize], true),
            _ => (bytes, false),
        };
        if let Some(left) = &mut chance.left {
            *left -= bytes.len() as u64;
        }
        if bytes.len() > 1 && one_in(&mut chance.random, split_one_in) {
            self.tally.splits.fetch_add(1, Ordering::Relaxed);
            let mut rest = bytes;
            while !rest.is_empty() {
                let length = 1 + (chance.random.u64() % rest.len().min(700) as u64) as usize;
                let (piece, after) = rest.split_at(length);
                rest = after;
                if self.to.write_all(piece).await.is_err() {
                    return Some(End::Closed);
                }
                tokio::task::yield_now().await;
            }
        } else if self.to.write_all(bytes).await.is_err() {
            return Some(End::Closed);
        }
        end.then_some(if chance.stalls { End::Stalled } else { End::Cut })
    }
}

/// What chance has in store for one direction of one connection.
struct Chance {
    plan: Plan,
    random: SeededRandom,
    /// Bytes until the end.
    left: Option<u64>,
    /// The end is a stall and not a cut.
    stalls: bool,
}

impl Chance {
    fn new(plan: Plan, number: u64, upward: bool) -> Chance {
        let seed = plan.seed ^ (number << 1 | u64::from(upward)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = SeededRandom::new(seed);
        let left = (plan.cut_within > 0).then(|| random.u64() % plan.cut_within);
        let stalls = one_in(&mut random, plan.stall_one_in);
        Chance { plan, random, left, stalls }
    }
}

fn one_in(random: &mut SeededRandom, count: u64) -> bool {
    count > 0 && random.u64().is_multiple_of(count)
}
