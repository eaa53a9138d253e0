//! Keeps the running scripts equal to what lies in the folder.
//!
//! One task owns all scripts. It lists the folder whenever something changed, starts what is new, replaces what was
//! saved, and stops what is gone; a version that fails to load leaves the one before it running.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{broadcast, mpsc, oneshot};

use super::config::Config;
use super::folder::{self, Found, Listing, Selection};
use super::watch::{Change, Watch};
use crate::client::Client;
use crate::lua::{self, Env, Inbox, LoadError, Reason, ScriptSpec, Version};
use crate::net::Clock;

/// A file that vanished may come back under the same name: editors and git write by removing first.
const GONE_FOR_GOOD: Duration = Duration::from_millis(100);

/// What happened to a script, for whoever shows it.
#[derive(Clone, Debug)]
pub enum Event {
    /// A version is live: the first, or one that replaced another.
    Live { script: String, version: u64, reason: Reason, took: Duration },
    /// A version did not load; the one before it, if any, goes on.
    Failed { script: String, message: String, still_running: bool },
    /// The script left the folder.
    Removed { script: String },
    /// The folder has something that cannot be loaded.
    Problem { message: String },
}

/// What the host needs to know beside the configuration.
pub struct Options {
    pub folder: PathBuf,
    pub selection: Selection,
    pub config: Arc<Config>,
}

/// One script's row, for lists and tests.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub version: u64,
    pub handlers: usize,
    pub failed: Option<String>,
}

enum Request {
    List(oneshot::Sender<Vec<Row>>),
    IsIdle(oneshot::Sender<bool>),
    Stop(oneshot::Sender<()>),
}

/// The running host. Dropping it stops the scripts without waiting for their handlers; `stop` waits.
pub struct Host {
    requests: mpsc::Sender<Request>,
    clock: Clock,
    events: broadcast::Sender<Event>,
}

impl Host {
    /// Loads every script of the folder, lets the updates begin and watches the folder from then on. `events` hears
    /// what happens from the first script on. Needs a tokio `LocalSet` or a current-thread runtime only for the caller:
    /// each script has a thread of its own.
    pub async fn start(mut options: Options, client: Client, clock: Clock, events: broadcast::Sender<Event>) -> Host {
        // The watcher reports whole paths without links; the folder may have been named by neither.
        options.folder = options.folder.canonicalize().unwrap_or(options.folder);
        let watched = identity(&options.folder);
        let watch = Watch::start(&options.folder);
        let (requests, incoming) = mpsc::channel(16);
        let mut supervisor = Supervisor {
            env: Env::new(client.clone(), clock.clone()),
            client: client.clone(),
            clock: clock.clone(),
            options,
            slots: BTreeMap::new(),
            problems: BTreeMap::new(),
            events: events.clone(),
        };
        supervisor.sync(&Touched::Everything).await;
        client.begin_updates();
        tokio::spawn(supervisor.run(watch, watched, incoming));
        Host { requests, clock, events }
    }

    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub async fn list(&self) -> Vec<Row> {
        self.ask(Request::List).await.unwrap_or_default()
    }

    /// Whether no update is queued and no handler runs.
    pub async fn is_idle(&self) -> bool {
        self.ask(Request::IsIdle).await.unwrap_or(true)
    }

    /// Takes no more updates and waits until the handlers that run have ended, for as long as `grace`.
    pub async fn stop(self, grace: Duration) {
        if self.clock.timeout(grace, self.ask(Request::Stop)).await.is_err() {
            tracing::warn!("handlers that still ran after {} s were cut off", grace.as_secs_f64());
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.ok()?;
        answered.await.ok()
    }
}

/// What a look at the folder should compare.
enum Touched {
    Everything,
    Paths(Vec<PathBuf>),
}

/// A script by name: what runs, and what is known of its files.
struct Slot {
    main: PathBuf,
    /// None where the script has failed from the start: it takes no updates and holds none back.
    running: Option<Running>,
    /// What the last load, good or bad, read.
    sources: HashMap<PathBuf, Option<u64>>,
    failed: Option<String>,
    /// Since when its file is missing, on the clock's monotonic scale.
    gone_since: Option<Duration>,
}

/// The version that is live, and the queue that outlives it.
struct Running {
    version: Version,
    inbox: Arc<Inbox>,
}

struct Supervisor {
    env: Env,
    client: Client,
    clock: Clock,
    options: Options,
    slots: BTreeMap<String, Slot>,
    problems: BTreeMap<String, String>,
    events: broadcast::Sender<Event>,
}

impl Supervisor {
    async fn run(mut self, mut watch: Watch, mut watched: Identity, mut requests: mpsc::Receiver<Request>) {
        loop {
            let vanishing = self.slots.values().filter_map(|slot| slot.gone_since).min();
            let removal = async {
                match vanishing {
                    Some(since) => self.clock.sleep_until(since + GONE_FOR_GOOD).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changes = watch.changes() => {
                    let touched = touched(changes);
                    self.sync(&touched).await;
                    let folder = &self.options.folder;
                    let there = identity(folder);
                    if there != watched {
                        // The system watches the folder that was, not another one of its name.
                        watch = if there.is_some() { Watch::start(folder) } else { Watch::polling(folder) };
                        watched = there;
                        // What it holds, or holds again by now, was seen by neither watch.
                        if folder.is_dir() {
                            self.sync(&Touched::Everything).await;
                        }
                    }
                }
                () = removal => self.sync(&Touched::Paths(Vec::new())).await,
                request = requests.recv() => match request {
                    // Who asked may have gone away meanwhile: an answer that nobody takes is no loss.
                    Some(Request::List(answer)) => {
                        let _ = answer.send(self.rows());
                    }
                    Some(Request::IsIdle(answer)) => {
                        let _ = answer.send(self.slots.values().filter_map(|slot| slot.running.as_ref()).all(|running| running.inbox.is_idle()));
                    }
                    Some(Request::Stop(answer)) => {
                        self.stop().await;
                        let _ = answer.send(());
                        return;
                    }
                    None => return self.stop().await,
                },
            }
        }
    }

    /// Makes the running scripts equal to the folder.
    async fn sync(&mut self, touched: &Touched) {
        let listing = match folder::list(&self.options.folder, &self.options.selection) {
            Ok(listing) => listing,
            Err(error) => {
                let message = format!("{}: {error}; the scripts go on as they are", self.options.folder.display());
                return self.tell(Event::Problem { message });
            }
        };
        self.tell_problems(&listing);
        for found in listing.scripts.values() {
            if self.wants_load(found, touched) {
                self.load(found).await;
            }
        }
        self.remove_gone(&listing).await;
    }

    fn wants_load(&mut self, found: &Found, touched: &Touched) -> bool {
        let Some(slot) = self.slots.get_mut(&found.name) else { return true };
        slot.gone_since = None;
        if slot.main != found.main {
            return true;
        }
        let is_touched = |path: &Path| match touched {
            Touched::Everything => true,
            Touched::Paths(paths) => paths.iter().any(|p| p == path),
        };
        // A failed script may have missed a file that nobody required with success: any library is a reason to retry.
        let folder = &self.options.folder;
        let retry = slot.failed.is_some()
            && match touched {
                Touched::Everything => true,
                Touched::Paths(paths) => paths
                    .iter()
                    .any(|p| p.starts_with(folder.join(folder::LIB)) || p.starts_with(folder.join(&found.name))),
            };
        retry || slot.sources.iter().any(|(path, known)| is_touched(path) && hash_of(path) != *known)
    }

    async fn load(&mut self, found: &Found) {
        let started = self.clock.now().mono;
        let spec = Arc::new(spec(&self.options.config, &self.options.folder, found));
        // Hashed before it is read: a save in between is one load too many, never one too few.
        let mut sources = HashMap::from([(found.main.clone(), hash_of(&found.main))]);
        let slot = self.slots.entry(found.name.clone()).or_insert_with(|| Slot {
            main: found.main.clone(),
            running: None,
            sources: HashMap::new(),
            failed: None,
            gone_since: None,
        });
        slot.main.clone_from(&found.main);
        let reason = if slot.running.is_some() { Reason::Reload } else { Reason::Start };
        let result = match slot.running.take() {
            Some(running) => {
                let (running, error) = replace(running, spec, &self.env).await;
                slot.running = Some(running);
                error.map_or(Ok(()), Err)
            }
            None => {
                let inbox = Inbox::new(self.client.subscribe(&found.name));
                lua::load(spec, self.env.clone(), inbox.clone(), None).await.map(|version| {
                    version.activate(Reason::Start);
                    slot.running = Some(Running { version, inbox });
                })
            }
        };
        let event = match result {
            Ok(()) => {
                let version = &slot.running.as_ref().expect("a load that succeeded is what runs").version;
                sources.extend(version.required().iter().map(|(path, hash)| (path.clone(), Some(*hash))));
                slot.failed = None;
                let took = self.clock.now().mono.saturating_sub(started);
                Event::Live { script: found.name.clone(), version: version.number(), reason, took }
            }
            Err(error) => {
                // What it read before it failed, and the files of the version that goes on: mending any of them is noticed.
                sources.extend(error.required.iter().map(|(path, hash)| (path.clone(), Some(*hash))));
                for (path, hash) in &slot.sources {
                    sources.entry(path.clone()).or_insert(*hash);
                }
                let message = error.to_string();
                slot.failed = Some(message.clone());
                Event::Failed { script: found.name.clone(), message, still_running: slot.running.is_some() }
            }
        };
        slot.sources = sources;
        self.tell(event);
    }

    async fn remove_gone(&mut self, listing: &Listing) {
        let now = self.clock.now().mono;
        let mut removed = Vec::new();
        for (name, slot) in &mut self.slots {
            // A name that stands twice is a fault of the folder, and not the end of the version that runs.
            if listing.scripts.contains_key(name) || listing.problems.contains_key(name) {
                continue;
            }
            let since = *slot.gone_since.get_or_insert(now);
            if now.saturating_sub(since) >= GONE_FOR_GOOD {
                removed.push(name.clone());
            }
        }
        for name in removed {
            if let Some(Slot { running: Some(running), .. }) = self.slots.remove(&name) {
                running.version.retire();
            }
            self.tell(Event::Removed { script: name });
        }
    }

    fn tell_problems(&mut self, listing: &Listing) {
        for (name, message) in &listing.problems {
            if self.problems.get(name) != Some(message) {
                self.tell(Event::Problem { message: message.clone() });
            }
        }
        self.problems.clone_from(&listing.problems);
    }

    fn tell(&self, event: Event) {
        match &event {
            Event::Live { script, version, reason: Reason::Start, took } => {
                tracing::info!(script, version, "{script} is live, {:.1} ms", took.as_secs_f64() * 1e3);
            }
            Event::Live { script, version, reason: Reason::Reload, took } => {
                tracing::info!(script, version, "{script} is live again, {:.1} ms", took.as_secs_f64() * 1e3);
            }
            Event::Failed { script, message, still_running } => {
                let rest = if *still_running { "\nthe version before it goes on" } else { "" };
                tracing::error!(script, "{message}{rest}");
            }
            Event::Removed { script } => tracing::info!(script, "{script} is gone from the folder and was stopped"),
            Event::Problem { message } => tracing::error!("{message}"),
        }
        // Nobody listening is fine: the log has it.
        let _ = self.events.send(event);
    }

    fn rows(&self) -> Vec<Row> {
        let row = |(name, slot): (&String, &Slot)| Row {
            name: name.clone(),
            version: slot.running.as_ref().map_or(0, |running| running.version.number()),
            handlers: slot.running.as_ref().map_or(0, |running| running.version.handlers()),
            failed: slot.failed.clone(),
        };
        self.slots.iter().map(row).collect()
    }

    async fn stop(&mut self) {
        for (_, slot) in std::mem::take(&mut self.slots) {
            if let Some(running) = slot.running {
                running.version.stop().await;
            }
        }
    }
}

/// What a script of `folder` runs with, by the configuration.
pub fn spec(config: &Config, folder: &Path, found: &Found) -> ScriptSpec {
    let one = config.script(&found.name);
    let mut spec = ScriptSpec::new(&found.name, &found.main, folder);
    spec.allow = one.allow;
    if let Some(config) = one.config {
        spec.config = serde_json::to_value(config).expect("TOML tables are JSON objects");
    }
    spec.limits = one.limits.resolve();
    spec
}

/// Loads a new version and lets it take over between two updates; on failure everything stays as it was, and the error is
/// beside it.
async fn replace(running: Running, spec: Arc<ScriptSpec>, env: &Env) -> (Running, Option<LoadError>) {
    let Running { version: old, inbox } = running;
    inbox.pause();
    let loaded = match old.state().await {
        Ok(state) => lua::load(spec, env.clone(), inbox.clone(), Some(state)).await,
        Err(error) => Err(error),
    };
    let (version, error) = match loaded {
        Ok(new) => {
            new.activate(Reason::Reload);
            old.retire();
            (new, None)
        }
        Err(error) => (old, Some(error)),
    };
    inbox.resume();
    (Running { version, inbox }, error)
}

fn touched(changes: Vec<Change>) -> Touched {
    let mut paths = BTreeSet::new();
    for change in changes {
        match change {
            Change::Everything => return Touched::Everything,
            Change::Path(path) => drop(paths.insert(path)),
        }
    }
    Touched::Paths(paths.into_iter().collect())
}

/// Which folder a path means now: its inode and when it was made, as inodes are used again. None where there is none.
type Identity = Option<(u64, Option<SystemTime>)>;

fn identity(folder: &Path) -> Identity {
    let meta = fs::metadata(folder).ok().filter(fs::Metadata::is_dir)?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&meta);
    #[cfg(not(unix))]
    let inode = 0;
    Some((inode, meta.created().ok()))
}

/// What a file holds, or nothing where it cannot be read.
fn hash_of(path: &Path) -> Option<u64> {
    fs::read(path).ok().map(|text| lua::source_hash(&text))
}
