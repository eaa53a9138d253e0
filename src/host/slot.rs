//! One script by name: what runs, what is known of its files, and how one version takes over from another.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::folder::Found;
use super::handle::{Row, State};
use super::links::Links;
use crate::lua::{self, Env, Inbox, LoadError, Reason, ScriptSpec, Version};

/// Deaths within so long that are too many to go on.
const DEATHS: usize = 3;
const DEATHS_WITHIN: Duration = Duration::from_secs(60);

pub(super) struct Slot {
    pub main: PathBuf,
    /// None where the script has failed from the start, or is stopped: it takes no updates and holds none back.
    pub running: Option<Running>,
    /// What the last load, good or bad, read.
    pub sources: HashMap<PathBuf, Option<u64>>,
    /// Those of them that the folder's watch does not see.
    pub links: Links,
    pub failed: Option<String>,
    pub stopped: Option<Stopped>,
    /// Since when its file is missing, on the clock's monotonic scale.
    pub gone_since: Option<Duration>,
    /// When its threads died, the last few times.
    deaths: VecDeque<Duration>,
}

/// The version that is live, and the queue that outlives it.
pub(super) struct Running {
    pub version: Version,
    pub inbox: Arc<Inbox>,
}

/// Who stopped a script that would load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It stays so until it is started, though it is saved.
    ByOperator,
    ByDeaths,
}

impl Stopped {
    /// What lists and the log say, and what to do.
    pub fn reason(self, script: &str) -> String {
        let start = format!("moongram scripts start {script}");
        match self {
            Stopped::ByOperator => format!("by an operator; `{start}` starts it"),
            Stopped::ByDeaths => {
                format!("its thread died {DEATHS} times in a minute; saving it, or `{start}`, starts it")
            }
        }
    }
}

/// Why a script is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// It is new, or its files changed.
    Changed,
    /// Somebody asked for it.
    Anyway,
    /// The thread of its version is gone.
    AfterDeath,
}

impl Slot {
    pub fn new(found: &Found) -> Slot {
        Slot {
            main: found.main.clone(),
            running: None,
            sources: HashMap::new(),
            links: Links::default(),
            failed: None,
            stopped: None,
            gone_since: None,
            deaths: VecDeque::new(),
        }
    }

    pub fn found(&self, name: &str) -> Found {
        Found { name: name.to_owned(), main: self.main.clone() }
    }

    /// Notes a death; false where it was one too many.
    pub fn may_rise(&mut self, now: Duration) -> bool {
        self.deaths.retain(|at| now.saturating_sub(*at) < DEATHS_WITHIN);
        self.deaths.push_back(now);
        self.deaths.len() < DEATHS
    }

    pub fn row(&self, name: &str) -> Row {
        let version = self.running.as_ref().map(|running| &running.version);
        let stats = version.map(Version::stats).unwrap_or_default();
        let state = match (version, self.stopped, &self.failed) {
            (_, Some(_), _) => State::Stopped,
            (Some(_), None, None) => State::Running,
            (Some(_), None, Some(_)) => State::Outdated,
            (None, None, _) => State::Failed,
        };
        Row {
            name: name.to_owned(),
            state,
            version: version.map_or(0, Version::number),
            handlers: stats.handlers,
            running: stats.running,
            memory: stats.memory,
            calls: stats.calls,
            errors: stats.errors,
            message: self.stopped.map(|stopped| stopped.reason(name)).or_else(|| self.failed.clone()),
        }
    }
}

/// Loads a new version and lets it take over between two updates; on failure everything stays as it was, and the error is
/// beside it.
pub(super) async fn replace(running: Running, spec: Arc<ScriptSpec>, env: &Env) -> (Running, Option<LoadError>) {
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

/// What a file holds, or nothing where it cannot be read.
pub(super) fn hash_of(path: &Path) -> Option<u64> {
    fs::read(path).ok().map(|text| lua::source_hash(&text))
}
