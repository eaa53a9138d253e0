//! A small Telegram on this machine: an MTProto server to try scripts on, and for tests.
//!
//! It speaks to any client of Telegram that can be given an address and an RSA key. It knows people, bots, private
//! chats and basic groups; what it does not know it refuses by name. [`LocalDc`] is its handle.
//!
//! ```text
//! socket ⇄ server::connection ⇄ server::Dc (sessions, mtproto::Engine) ⇄ api (methods) ⇄ telegram::Telegram ⇄ world::World
//! ```
//!
//! The same port takes each transport of MTProto, obfuscated or not, and WebSocket at `ws://…/apiws`.
//!
//! From right to left each knows nothing of the one before it. Differences from Telegram's own DCs, on purpose: any api id and
//! phone number are taken, the sign-in code is always [`LocalDc::code`], bots have no privacy mode (they get all messages of
//! their groups), nothing is rate-limited, and there are no channels, files or secret chats.

mod api;
mod events;
mod keep;
mod keys;
mod layers;
mod refusal;
mod server;
mod telegram;
#[cfg(test)]
mod tests;
mod world;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, oneshot, watch};
use tokio::task::JoinHandle;

pub use events::{Button, WorldEvent, Written};
pub use keep::KeepError;
pub use keys::Ending;
pub use refusal::Refusal;
pub use world::{Peer, Place};

use crate::crypto::{KeyError, Random as _, RsaPrivateKey, SystemRandom};
use crate::mtproto::Time;
use keys::Keys;
use server::{Dc, unix};
use telegram::{Telegram, Waiter};
use world::World;

/// The DC's RSA key. It is published with the source and protects nothing: a local DC is for one's own machine.
const TEST_KEY: &str = include_str!("test_key.pem");

/// Its public half, as clients need it.
const TEST_PUBLIC_KEY: &str = include_str!("test_key_public.pem");

/// The number by which clients know this DC.
const DC_ID: i32 = 2;

/// How many events wait for a watcher that is slow; then it is told how many it missed (`RecvError::Lagged`).
const EVENTS_KEPT: usize = 4096;

/// Changes of this time go into the file together.
const KEEP_DELAY: Duration = Duration::from_millis(200);

/// How often the clock is looked at while nobody connects, for those who wait for an answer that never comes.
const TICK: Duration = Duration::from_secs(1);

/// Where the time comes from.
pub type Now = Arc<dyn Fn() -> Time + Send + Sync>;

/// What a local DC begins with.
#[derive(Clone)]
pub struct Config {
    /// Port 0 takes any that is free.
    pub listen: SocketAddr,
    /// The file that the state is kept in; none keeps it in memory.
    pub keep: Option<PathBuf>,
    pub now: Now,
    /// The longest that a temporary key is remembered, whatever its client asked for; to see clients renew theirs.
    pub temporary_key_life: Option<Duration>,
}

impl Default for Config {
    /// Any free port of 127.0.0.1, in memory, by the system's clock.
    fn default() -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            keep: None,
            now: system_clock(),
            temporary_key_life: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Keep(#[from] KeepError),
    #[error("the DC's RSA key: {0}")]
    Key(#[from] KeyError),
}

/// A bot, as whoever runs it needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    pub id: i64,
    pub token: String,
    pub username: String,
}

/// What a user who pressed a button is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ButtonAnswer {
    pub text: Option<String>,
    pub alert: bool,
    pub url: Option<String>,
}

/// A running local DC. It stops when the last handle is dropped, or by [`stop`](Self::stop).
#[derive(Clone)]
pub struct LocalDc {
    shared: Arc<Shared>,
    stopper: Arc<Stopper>,
}

/// What the handle and the tasks share.
struct Shared {
    dc: Mutex<Dc>,
    now: Now,
    rsa: Arc<RsaPrivateKey>,
}

struct Stopper {
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl Shared {
    fn dc(&self) -> MutexGuard<'_, Dc> {
        // Nothing panics while it holds the lock; were it to, the state is still the best there is.
        self.dc.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        (self.now)()
    }
}

impl LocalDc {
    /// Starts a DC: reads what was kept, and listens.
    pub async fn start(config: Config) -> Result<LocalDc, Error> {
        let rsa = Arc::new(RsaPrivateKey::from_pem(TEST_KEY)?);
        let kept = config.keep.as_deref().map(keep::read).transpose()?.flatten();
        let (world, keys) = kept.unwrap_or_else(|| (World::new(secret()), Keys::default()));
        let listen = |source| Error::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;

        let mut dc = Dc::new(Telegram::new(world, keys, DC_ID, address));
        dc.temporary_key_life = config.temporary_key_life.map(|life| i32::try_from(life.as_secs()).unwrap_or(i32::MAX));
        let changed = dc.changed.clone();
        let shared = Arc::new(Shared { dc: Mutex::new(dc), now: config.now, rsa });
        let (stop, stopped) = watch::channel(false);
        let mut tasks = vec![tokio::spawn(listen_on(shared.clone(), listener, stopped.clone()))];
        if let Some(path) = config.keep {
            // An unwritable place is told now, not when there is something to lose.
            shared.write(&path)?;
            tasks.push(tokio::spawn(keep_up(shared.clone(), path, changed, stopped)));
        }
        Ok(LocalDc { shared, stopper: Arc::new(Stopper { stop, tasks: Mutex::new(tasks) }) })
    }

    /// Stops listening, ends all connections and writes what is kept.
    pub async fn stop(self) {
        self.stopper.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.stopper.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            let _ = task.await;
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.shared.dc().telegram.address
    }

    /// What clients know the DC by: `RSA PUBLIC KEY` (PKCS#1).
    pub fn public_key_pem(&self) -> &'static str {
        TEST_PUBLIC_KEY
    }

    /// The key's fingerprint, as clients and servers name it to each other.
    pub fn fingerprint(&self) -> u64 {
        self.shared.rsa.public().fingerprint() as u64
    }

    /// The code that signs in to every phone number.
    pub fn code(&self) -> String {
        self.shared.dc().telegram.code()
    }

    pub fn dc_id(&self) -> i32 {
        DC_ID
    }

    /// Adds a bot, or finds the one with this username.
    pub fn add_bot(&self, username: &str, name: &str) -> Bot {
        self.change(|telegram, _| {
            let user = telegram.world.add_bot(username, name);
            let token = user.bot.as_ref().map(|bot| bot.token.clone()).unwrap_or_default();
            Bot { id: user.id, token, username: user.username.clone().unwrap_or_default() }
        })
    }

    /// Adds a person, or finds the one with this first name. They can be signed in to by [`phone`](Self::phone) and code.
    pub fn add_user(&self, first_name: &str) -> i64 {
        self.change(|telegram, _| {
            let person = |user: &&world::User| user.bot.is_none() && user.first_name == first_name;
            let found = telegram.world.users().find(person).map(|user| user.id);
            found.unwrap_or_else(|| telegram.world.add_person(first_name, "", None))
        })
    }

    /// A person's phone number, digits only.
    pub fn phone(&self, user: i64) -> Option<String> {
        self.shared.dc().telegram.world.user(user).and_then(|user| user.phone.clone())
    }

    /// The name that a user or a bot is shown by.
    pub fn name(&self, user: i64) -> Option<String> {
        let dc = self.shared.dc();
        let user = dc.telegram.world.user(user)?;
        Some(format!("{} {}", user.first_name, user.last_name).trim().to_owned())
    }

    /// Creates a group of the members, of whom the first is its creator; or finds one of theirs with this title.
    pub fn add_group(&self, title: &str, members: &[i64]) -> Result<i64, Refusal> {
        self.change(|telegram, now| {
            let (creator, others) = members.split_first().ok_or(Refusal::bad("USERS_TOO_FEW"))?;
            let same = |group: &&world::Group| group.title == title && group.creator == *creator;
            if let Some(id) = telegram.world.groups().find(same).map(|group| group.id) {
                return Ok(id);
            }
            let (group, effects) = telegram.world.create_group(*creator, title, others, now)?;
            telegram.publish(&effects, None, now);
            Ok(group)
        })
    }

    /// Brings a user into a group, if they are not in it yet.
    pub fn join_group(&self, group: i64, user: i64) -> Result<(), Refusal> {
        self.change(|telegram, now| {
            let found = telegram.world.group(group).ok_or(Refusal::bad("CHAT_ID_INVALID"))?;
            if found.has(user) {
                return Ok(());
            }
            let effects = telegram.world.add_member(found.creator, group, user, now)?;
            telegram.publish(&effects, None, now);
            Ok(())
        })
    }

    /// Lets a member of a group delete what others wrote there.
    pub fn make_admin(&self, group: i64, user: i64) -> Result<(), Refusal> {
        self.change(|telegram, _| {
            let creator = telegram.world.group(group).ok_or(Refusal::bad("CHAT_ID_INVALID"))?.creator;
            telegram.world.set_admin(creator, group, user, true)
        })
    }

    /// Writes a text as `from` would. Returns its id in the sender's box.
    pub fn send(&self, from: i64, to: Peer, text: &str) -> Result<i32, Refusal> {
        self.change(|telegram, now| telegram.send(from, to, text, now))
    }

    /// Presses the callback button with this data as `user` would, under the message that has this id for them, and waits for
    /// the bot's answer. `400 BOT_RESPONSE_TIMEOUT` if it gives none.
    pub async fn press(&self, user: i64, chat: Peer, message: i32, data: &[u8]) -> Result<ButtonAnswer, Refusal> {
        let (sender, answer) = oneshot::channel();
        self.change(|telegram, now| {
            telegram.press_button(user, chat, message, data.to_vec(), Waiter::Handle(sender), now)
        })?;
        let timeout = Refusal::bad("BOT_RESPONSE_TIMEOUT");
        Ok(api::button_answer(&answer.await.map_err(|_| timeout)??))
    }

    /// What happens from now on. A watcher that falls behind by more than 4096 events misses the oldest, and is told so.
    pub fn events(&self) -> broadcast::Receiver<WorldEvent> {
        self.shared.dc().events.subscribe()
    }

    /// The account's pts; 0 if there is no such account.
    pub fn pts(&self, user: i64) -> i32 {
        self.shared.dc().telegram.world.account(user).map_or(0, |account| account.pts())
    }

    /// Connections accepted since the start.
    pub fn connections(&self) -> u64 {
        self.shared.dc().connections
    }

    /// Answers that clients gave up with rpc_drop_answer before they were there.
    pub fn dropped_answers(&self) -> u64 {
        self.shared.dc().dropped_answers
    }

    /// Exchanges of permanent keys finished since the start.
    pub fn key_exchanges(&self) -> u64 {
        self.shared.dc().key_exchanges
    }

    /// Exchanges of temporary keys finished since the start.
    pub fn temporary_key_exchanges(&self) -> u64 {
        self.shared.dc().temporary_key_exchanges
    }

    /// Forgets all temporary keys, as a DC may at any time: <https://core.telegram.org/api/pfs>. Who uses one is told -404.
    pub fn forget_temporary_keys(&self) {
        self.shared.dc().telegram.keys.forget_temporary();
    }

    /// Forgets what the temporary keys are bound to: who uses one is told AUTH_KEY_PERM_EMPTY.
    pub fn forget_bindings(&self) {
        self.shared.dc().telegram.keys.forget_bindings();
    }

    /// Forgets the permanent keys that the account is signed in with: who uses one is told -404.
    pub fn forget_keys_of(&self, account: i64) {
        self.change(|telegram, _| telegram.keys.of(account).into_iter().for_each(|key| telegram.keys.remove(key)));
    }

    /// Whether a key with this id is known, permanent or temporary.
    pub fn knows_key(&self, id: u64) -> bool {
        let now = unix(self.shared.now());
        self.shared.dc().telegram.keys.get(id, now).is_some()
    }

    /// How many sessions the account's clients have, connected or not.
    pub fn sessions(&self, account: i64) -> usize {
        self.shared.dc().sessions_of_account(account)
    }

    /// Ends every authorization of the account: its clients are told why when they call next.
    pub fn end_sessions(&self, account: i64, ending: Ending) {
        self.change(|telegram, _| telegram.keys.end(account, ending));
    }

    /// Ends all connections, as a network failure would. Clients may connect again.
    pub fn drop_connections(&self) {
        self.shared.dc().close_all();
    }

    fn change<T>(&self, change: impl FnOnce(&mut Telegram, i32) -> T) -> T {
        let now = self.shared.now();
        let mut dc = self.shared.dc();
        let result = change(&mut dc.telegram, unix(now));
        dc.telegram.changed = true;
        dc.deliver(now);
        result
    }
}

impl Shared {
    fn write(&self, path: &std::path::Path) -> Result<(), KeepError> {
        let content = {
            let dc = self.dc();
            keep::snapshot(&dc.telegram.world, &dc.telegram.keys)
        };
        keep::write(path, &content)
    }
}

async fn listen_on(shared: Arc<Shared>, listener: TcpListener, stop: watch::Receiver<bool>) {
    let mut end = stop.clone();
    let mut clients = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(clients.spawn(server::connection::serve(shared.clone(), stream, stop.clone()))),
                Err(error) => {
                    // Out of file descriptors, mostly: others may free theirs.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = clients.join_next() => {}
            () = tokio::time::sleep(TICK) => shared.dc().tick(shared.now()),
            () = stopped(&mut end) => break,
        }
    }
    while clients.join_next().await.is_some() {}
}

/// Writes the state a moment after it changed, and once at the end.
async fn keep_up(shared: Arc<Shared>, path: PathBuf, changed: Arc<Notify>, mut stop: watch::Receiver<bool>) {
    loop {
        let mut last = tokio::select! {
            () = changed.notified() => false,
            () = stopped(&mut stop) => true,
        };
        if !last {
            last = tokio::time::timeout(KEEP_DELAY, stopped(&mut stop)).await.is_ok();
        }
        let (shared, path) = (shared.clone(), path.clone());
        let written = tokio::task::spawn_blocking(move || shared.write(&path)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "the local DC's state is not kept");
        }
        if last {
            return;
        }
    }
}

/// Returns once the DC is to stop, or its last handle is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn secret() -> [u8; 32] {
    let mut secret = [0; 32];
    SystemRandom::new().fill(&mut secret);
    secret
}

fn system_clock() -> Now {
    let start = Instant::now();
    Arc::new(move || Time {
        mono: start.elapsed(),
        unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
    })
}
