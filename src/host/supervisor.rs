//! Keeps the running scripts equal to what lies in the folder.
//!
//! One task owns all scripts. It lists the folder whenever something changed, starts what is new, replaces what was
//! saved, and stops what is gone; a version that fails to load leaves the one before it running.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{broadcast, mpsc};

use super::config::Config;
use super::folder::{self, Found, Listing};
use super::handle::{Event, Handle, Host, Request, Row};
use super::links::Links;
use super::menu::Menu;
use super::slot::{Carry, Load, NotReplaced, Running, SAVED_TWICE, Slot, Stopped, hash_of, replace};
use super::watch::{Change, POLL_EVERY, Watch};
use crate::client::Client;
use crate::lua::{self, Env, Inbox, Places, Reason, ScriptSpec, Version};
use crate::net::Clock;
use crate::storage::store::Stores;

/// A file that vanished may come back under the same name: editors and git write by removing first.
const GONE_FOR_GOOD: Duration = Duration::from_millis(100);

/// What the host needs to know beside the configuration.
pub struct Options {
    pub folder: PathBuf,
    pub config: Arc<Config>,
    /// What the scripts keep.
    pub stores: Stores,
    /// Where their files lie.
    pub places: Places,
}

impl Options {
    /// With stores that are gone with the host, and files where the configuration has them.
    pub fn new(folder: PathBuf, config: Arc<Config>) -> Options {
        let places = config.places();
        Options { folder, config, stores: Stores::in_memory(), places }
    }
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
        // A version dies once: there are no more of these than versions.
        let (deaths, died) = mpsc::unbounded_channel();
        let mut env = Env::new(client.clone(), clock.clone());
        env.stores = options.stores.clone();
        env.places = Arc::new(options.places.clone());
        let mut supervisor = Supervisor {
            env,
            client: client.clone(),
            clock: clock.clone(),
            options,
            slots: BTreeMap::new(),
            problems: BTreeMap::new(),
            events: events.clone(),
            deaths,
            menu: Menu::start(client.clone(), clock.clone()),
            console: None,
            next_look: Duration::ZERO,
        };
        supervisor.sync(&Touched::Everything).await;
        client.begin_updates();
        tokio::spawn(supervisor.run(watch, watched, incoming, died));
        Host { handle: Handle { requests }, clock, events }
    }
}

/// What a look at the folder should compare.
enum Touched {
    Everything,
    Paths(Vec<PathBuf>),
}

struct Supervisor {
    env: Env,
    client: Client,
    clock: Clock,
    options: Options,
    slots: BTreeMap<String, Slot>,
    problems: BTreeMap<String, String>,
    events: broadcast::Sender<Event>,
    /// Tells of versions whose threads have ended, by script and number.
    deaths: mpsc::UnboundedSender<(String, u64)>,
    menu: Menu,
    /// The state that `moongram repl` runs lines in, once one was typed.
    console: Option<Version>,
    /// When linked files are looked at again, on the clock's monotonic scale.
    next_look: Duration,
}

impl Supervisor {
    async fn run(
        mut self,
        mut watch: Watch,
        mut watched: Identity,
        mut requests: mpsc::Receiver<Request>,
        mut died: mpsc::UnboundedReceiver<(String, u64)>,
    ) {
        loop {
            let running = self.slots.values().filter_map(|slot| slot.running.as_ref());
            self.menu.offer(running.flat_map(|running| running.version.commands()));
            let vanishing = self.slots.values().filter_map(|slot| slot.gone_since).min();
            let removal = async {
                match vanishing {
                    Some(since) => self.clock.sleep_until(since + GONE_FOR_GOOD).await,
                    None => std::future::pending().await,
                }
            };
            let has_links = self.slots.values().any(|slot| !slot.links.is_empty());
            let look = async {
                if has_links { self.clock.sleep_until(self.next_look).await } else { std::future::pending().await }
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
                () = look => self.look_at_links().await,
                () = removal => self.sync(&Touched::Paths(Vec::new())).await,
                Some((script, version)) = died.recv() => self.raise(&script, version).await,
                request = requests.recv() => match request {
                    Some(request) => {
                        let ends = matches!(request, Request::Stop(_));
                        self.answer(request).await;
                        if ends {
                            return;
                        }
                    }
                    None => return self.stop().await,
                },
            }
        }
    }

    /// Makes the running scripts equal to the folder.
    async fn sync(&mut self, touched: &Touched) {
        let listing = match folder::list(&self.options.folder, &self.options.config.selection()) {
            Ok(listing) => listing,
            Err(error) => {
                let message = format!("{}: {error}; the scripts go on as they are", self.options.folder.display());
                return self.tell(Event::Problem { message });
            }
        };
        self.tell_problems(&listing);
        for found in listing.scripts.values() {
            if self.wants_load(found, touched) {
                self.load(found, Load::Changed).await;
            }
        }
        self.remove_gone(&listing).await;
    }

    async fn look_at_links(&mut self) {
        self.next_look = self.clock.now().mono + POLL_EVERY;
        let changed: Vec<PathBuf> = self.slots.values_mut().flat_map(|slot| slot.links.changed()).collect();
        if !changed.is_empty() {
            self.sync(&Touched::Paths(changed)).await;
        }
    }

    fn wants_load(&mut self, found: &Found, touched: &Touched) -> bool {
        let Some(slot) = self.slots.get_mut(&found.name) else { return true };
        slot.gone_since = None;
        if slot.stopped == Some(Stopped::Operator) {
            return false;
        }
        if slot.main != found.main {
            return true;
        }
        let is_touched = |path: &Path| match touched {
            Touched::Everything => true,
            Touched::Paths(paths) => paths.iter().any(|p| p == path),
        };
        // Saving it is how one starts it again, or lets it go live without its state, be it as it was.
        let now = self.clock.now().mono;
        let uncarried = slot.uncarried.is_some_and(|at| now.saturating_sub(at) >= SAVED_TWICE);
        if (slot.stopped.is_some() || uncarried)
            && let Touched::Paths(paths) = touched
            && slot.sources.keys().any(|source| paths.contains(source))
        {
            return true;
        }
        // A failed script may have missed a file that nobody required with success: any library is a reason to retry.
        let folder = &self.options.folder;
        let retry = slot.failed.is_some()
            && slot.uncarried.is_none()
            && match touched {
                Touched::Everything => true,
                Touched::Paths(paths) => paths
                    .iter()
                    .any(|p| p.starts_with(folder.join(folder::LIB)) || p.starts_with(folder.join(&found.name))),
            };
        retry || slot.sources.iter().any(|(path, known)| is_touched(path) && hash_of(path) != *known)
    }

    /// Loads a script that is new, was saved, or is to be loaded anyway.
    async fn load(&mut self, found: &Found, load: Load) {
        let started = self.clock.now().mono;
        let spec = Arc::new(spec(&self.options.config, &self.options.folder, found));
        // Hashed before it is read: a save in between is one load too many, never one too few.
        let mut sources = HashMap::from([(found.main.clone(), hash_of(&found.main))]);
        let slot = self.slots.entry(found.name.clone()).or_insert_with(|| Slot::new(found));
        slot.main.clone_from(&found.main);
        slot.stopped = None;
        let reason = if slot.running.is_some() { Reason::Reload } else { Reason::Start };
        let result = match slot.running.take() {
            // Its thread is gone, and its state with it; queue and lanes are there.
            Some(Running { inbox, .. }) if load == Load::AfterDeath => {
                start(spec, &self.env, inbox).await.map(|running| slot.running = Some(running))
            }
            Some(running) => {
                // Who is told what cannot be carried over, and saves or reloads again, wants to go on without it.
                let carry = if slot.uncarried.is_some() { Carry::Possible } else { Carry::Whole };
                let (running, error) = replace(running, spec, &self.env, carry).await;
                slot.running = Some(running);
                match error {
                    None => Ok(()),
                    Some(NotReplaced::Load(error)) => Err(error),
                    Some(NotReplaced::State(error)) => {
                        slot.uncarried = Some(self.clock.now().mono);
                        Err(error)
                    }
                }
            }
            None => {
                let inbox = Inbox::new(self.client.subscribe(&found.name));
                start(spec, &self.env, inbox).await.map(|running| slot.running = Some(running))
            }
        };
        let event = match result {
            Ok(()) => {
                let version = &slot.running.as_ref().expect("a load that succeeded is what runs").version;
                sources.extend(version.required().iter().map(|(path, hash)| (path.clone(), Some(*hash))));
                slot.failed = None;
                slot.uncarried = None;
                let took = self.clock.now().mono.saturating_sub(started);
                let (number, ended, deaths) = (version.number(), version.stopped(), self.deaths.clone());
                let name = found.name.clone();
                tokio::spawn(async move {
                    ended.await;
                    // Without a supervisor there is nobody to raise it.
                    let _ = deaths.send((name, number));
                });
                Event::Live { script: found.name.clone(), version: number, reason, took }
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
        slot.links = Links::among(sources.keys());
        slot.sources = sources;
        self.tell(event);
    }

    /// A version's thread has ended. If nobody wanted that, another takes its place.
    async fn raise(&mut self, script: &str, version: u64) {
        let now = self.clock.now().mono;
        let Some(slot) = self.slots.get_mut(script) else { return };
        if slot.running.as_ref().is_none_or(|running| running.version.number() != version) {
            return;
        }
        let found = slot.found(script);
        if slot.running.as_ref().is_some_and(|running| running.version.is_halted()) {
            return self.stop_script(script, Stopped::Limits);
        }
        let again = slot.may_rise(now);
        self.tell(Event::Died { script: script.to_owned(), version });
        if again {
            self.load(&found, Load::AfterDeath).await;
        } else {
            self.stop_script(script, Stopped::Deaths);
        }
    }

    /// Does what an operator asks. Who asked may have gone away meanwhile: an answer that nobody takes is no loss.
    async fn answer(&mut self, request: Request) {
        match request {
            Request::List(answer) => drop(answer.send(self.rows())),
            Request::Handlers(script, answer) => {
                let known = self.known(&script).map(drop);
                let rows = known.map(|()| self.slots.get(&script).map(Slot::handlers).unwrap_or_default());
                let _ = answer.send(rows);
            }
            Request::IsIdle(answer) => {
                let mut running = self.slots.values().filter_map(|slot| slot.running.as_ref());
                let _ = answer.send(running.all(|running| running.inbox.is_idle()));
            }
            Request::Reload(script, answer) => drop(answer.send(self.reload(script).await)),
            Request::Start(script, answer) => drop(answer.send(self.start_again(&script).await)),
            Request::StopOne(script, answer) => {
                let result = self.known(&script).and_then(|found| {
                    self.stop_script(&found.name, Stopped::Operator);
                    self.row(&found.name)
                });
                drop(answer.send(result));
            }
            Request::Evaluate(script, code, answer) => match self.version_for(script).await {
                Ok(version) => {
                    let result = version.evaluate(code);
                    // A line may wait for Telegram: the scripts do not wait for the line.
                    tokio::spawn(async move { answer.send(result.await) });
                }
                Err(problem) => drop(answer.send(Err(problem))),
            },
            Request::Configure(config, answer) => {
                self.configure(config).await;
                let _ = answer.send(());
            }
            Request::Stop(answer) => {
                self.stop().await;
                let _ = answer.send(());
            }
        }
    }

    async fn reload(&mut self, script: Option<String>) -> Result<Vec<Row>, String> {
        let found: Vec<Found> = match script {
            Some(name) => vec![self.known(&name)?],
            // What was stopped stays so: nobody named it.
            None => {
                let not_stopped = self.slots.iter().filter(|(_, slot)| slot.stopped.is_none());
                not_stopped.map(|(name, slot)| slot.found(name)).collect()
            }
        };
        for found in &found {
            self.load(found, Load::Anyway).await;
        }
        found.iter().map(|found| self.row(&found.name)).collect()
    }

    async fn start_again(&mut self, script: &str) -> Result<Row, String> {
        let found = self.known(script)?;
        if self.slots.get(script).is_some_and(|slot| slot.running.is_some()) {
            return Err(format!("{script} is running; to load it anew: moongram scripts reload {script}"));
        }
        self.load(&found, Load::Anyway).await;
        self.row(script)
    }

    /// Takes no more updates; those that wait are let go, and hold nothing back.
    fn stop_script(&mut self, script: &str, by: Stopped) {
        let Some(slot) = self.slots.get_mut(script) else { return };
        if let Some(running) = slot.running.take() {
            running.version.retire();
        }
        if slot.stopped != Some(by) {
            slot.stopped = Some(by);
            self.tell(Event::Stopped { script: script.to_owned(), reason: by.reason(script) });
        }
    }

    /// The version that a line of the console is for.
    async fn version_for(&mut self, script: Option<String>) -> Result<&Version, String> {
        if let Some(name) = script {
            self.known(&name)?;
            let running = self.slots.get(&name).and_then(|slot| slot.running.as_ref());
            return running.map(|running| &running.version).ok_or_else(|| format!("{name} is not running"));
        }
        if self.console.as_ref().is_none_or(Version::is_gone) {
            let mut spec = ScriptSpec::new("console", "", &self.options.folder);
            spec.text = Some(Arc::from(&b""[..]));
            // Who types has the session file, too.
            spec.allow = vec!["method:*".into(), "service:*".into()];
            let loaded = lua::load(Arc::new(spec), self.env.clone(), Inbox::empty(), None).await;
            self.console = Some(loaded.map_err(|error| error.to_string())?);
        }
        self.console.as_ref().ok_or_else(|| "the console did not start".to_owned())
    }

    /// Takes another configuration over: scripts come and go, and those that it says something else of are loaded anew.
    async fn configure(&mut self, config: Arc<Config>) {
        let old = std::mem::replace(&mut self.options.config, config);
        let config = self.options.config.clone();
        let folder = self.options.folder.clone();
        let differs = |found: &Found| spec(&old, &folder, found) != spec(&config, &folder, found);
        let running = self.slots.iter().filter(|(_, slot)| slot.stopped.is_none());
        let changed: Vec<Found> = running.map(|(name, slot)| slot.found(name)).filter(differs).collect();
        for found in &changed {
            if config.selection().takes(&found.name) {
                self.load(found, Load::Anyway).await;
            }
        }
        self.sync(&Touched::Everything).await;
    }

    fn known(&self, script: &str) -> Result<Found, String> {
        let slot = self.slots.get(script).ok_or_else(|| {
            let names: Vec<&str> = self.slots.keys().map(String::as_str).collect();
            let near = crate::tl::nearest(script, names.iter().copied());
            let hint =
                near.map_or_else(|| format!("there are {}", names.join(", ")), |near| format!("did you mean {near}?"));
            format!("there is no script {script} in {}; {hint}", self.options.folder.display())
        })?;
        Ok(slot.found(script))
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
            Event::Stopped { script, reason } => tracing::warn!(script, "{script} is stopped: {reason}"),
            Event::Died { script, version } => {
                tracing::error!(
                    script,
                    version,
                    "version {version} of {script} died; updates that it had begun count as handled"
                );
            }
            Event::Removed { script } => tracing::info!(script, "{script} is gone from the folder and was stopped"),
            Event::Problem { message } => tracing::error!("{message}"),
        }
        // Nobody listening is fine: the log has it.
        let _ = self.events.send(event);
    }

    fn rows(&self) -> Vec<Row> {
        self.slots.iter().map(|(name, slot)| slot.row(name)).collect()
    }

    fn row(&self, script: &str) -> Result<Row, String> {
        self.slots.get(script).map(|slot| slot.row(script)).ok_or_else(|| format!("{script} is gone"))
    }

    async fn stop(&mut self) {
        for (_, slot) in std::mem::take(&mut self.slots) {
            if let Some(running) = slot.running {
                running.version.stop().await;
            }
        }
    }
}

async fn start(spec: Arc<ScriptSpec>, env: &Env, inbox: Arc<Inbox>) -> Result<Running, lua::LoadError> {
    let version = lua::load(spec, env.clone(), inbox.clone(), None).await?;
    version.activate(Reason::Start);
    Ok(Running { version, inbox })
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
