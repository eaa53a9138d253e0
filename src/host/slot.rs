//! One script by name: what runs, what is known of its files, and how one version takes over from another.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::folder::Found;
use super::handle::{HandlerRow, Row, State as Condition};
use super::links::Links;
use crate::lua::{self, Env, Inbox, LoadError, Reason, ScriptSpec, State, Version};

/// Handlers that a list shows: a line of the control socket has its bound, and nobody reads more.
const MAX_HANDLERS: usize = 1_000;
/// A version that has not told its state after so long is stuck: each handler ends well before.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// A second save is one that comes later than this: an editor may write twice.
pub(super) const SAVED_TWICE: Duration = Duration::from_millis(500);

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
    /// When a new version did not come to life because `script.state` could not be carried over to it.
    pub uncarried: Option<Duration>,
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
    Operator,
    Deaths,
    /// It went over its limits too often.
    Limits,
}

impl Stopped {
    /// What lists and the log say, and what to do.
    pub fn reason(self, script: &str) -> String {
        let start = format!("moongram scripts start {script}");
        match self {
            Stopped::Operator => format!("by an operator; `{start}` starts it"),
            Stopped::Deaths => {
                format!("its thread died {DEATHS} times in a minute; saving it, or `{start}`, starts it")
            }
            Stopped::Limits => {
                let (most, within) = lua::STRIKES;
                let seconds = within.as_secs();
                format!(
                    "{most} of its handlers went over a limit within {seconds} s; saving it, or `{start}`, starts it"
                )
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
            uncarried: None,
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

    /// The handlers of the version that runs, those first that took most time, and then the busiest.
    pub fn handlers(&self) -> Vec<HandlerRow> {
        let stats = self.running.as_ref().map(|running| running.version.handler_stats()).unwrap_or_default();
        let mut rows: Vec<HandlerRow> = stats.into_iter().map(HandlerRow::from).collect();
        rows.sort_by(|a, b| b.time.total_cmp(&a.time).then(b.calls.cmp(&a.calls)));
        rows.truncate(MAX_HANDLERS);
        rows
    }

    pub fn row(&self, name: &str) -> Row {
        let version = self.running.as_ref().map(|running| &running.version);
        let stats = version.map(Version::stats).unwrap_or_default();
        let state = match (version, self.stopped, &self.failed) {
            (_, Some(_), _) => Condition::Stopped,
            (Some(_), None, None) => Condition::Running,
            (Some(_), None, Some(_)) => Condition::Outdated,
            (None, None, _) => Condition::Failed,
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
            time: stats.time.as_secs_f64(),
            message: self.stopped.map(|stopped| stopped.reason(name)).or_else(|| self.failed.clone()),
        }
    }
}

/// What becomes of `script.state` when a version takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carry {
    /// All of it, or the new version does not come to life.
    Whole,
    /// What can be carried: the author was told of the rest, and saved again.
    Possible,
}

/// Why a new version did not take over.
pub(super) enum NotReplaced {
    /// It does not load.
    Load(LoadError),
    /// The running one's `script.state` holds what cannot be carried.
    State(LoadError),
}

/// Loads a new version and lets it take over between two updates; on failure everything stays as it was, and the error is
/// beside it.
pub(super) async fn replace(
    running: Running,
    spec: Arc<ScriptSpec>,
    env: &Env,
    carry: Carry,
) -> (Running, Option<NotReplaced>) {
    let Running { version: old, inbox } = running;
    inbox.pause();
    let name = spec.name.clone();
    let state = async {
        match carry {
            Carry::Whole => old.state().await,
            Carry::Possible => {
                let (state, left_out) = old.possible_state().await;
                for what in left_out {
                    tracing::warn!(script = name, "{name} goes live without it: {what}");
                }
                Ok(state)
            }
        }
    };
    let state = match env.clock.timeout(ANSWER_WITHIN, state).await {
        Ok(state) => state,
        Err(_) => {
            // Its thread is stuck. Better a script that starts anew than one that cannot be mended.
            let script = &name;
            tracing::error!(
                script,
                "the version that runs does not answer: {script} goes live without its script.state"
            );
            Ok(State::default())
        }
    };
    let loaded = match state {
        Ok(state) => lua::load(spec, env.clone(), inbox.clone(), Some(state)).await.map_err(NotReplaced::Load),
        Err(mut error) => {
            let again = format!("save again, or `moongram scripts reload {name}`, to go live without it");
            error.message = format!("{}: {again}", error.message);
            Err(NotReplaced::State(error))
        }
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
