//! What others hold of the running host: its list of scripts, and what they may ask of it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::config::Config;
use crate::lua::{HandlerStats, Reason};
use crate::net::Clock;

/// What happened to a script, for whoever shows it.
#[derive(Clone, Debug)]
pub enum Event {
    /// A version is live: the first, or one that replaced another.
    Live { script: String, version: u64, reason: Reason, took: Duration },
    /// A version did not load; the one before it, if any, goes on.
    Failed { script: String, message: String, still_running: bool },
    /// The script was stopped; `reason` says by whom, and what starts it again.
    Stopped { script: String, reason: String },
    /// The script's thread ended by a fault of ours; another version takes its place.
    Died { script: String, version: u64 },
    /// The script left the folder.
    Removed { script: String },
    /// The folder has something that cannot be loaded.
    Problem { message: String },
}

/// Where a script stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Running,
    /// Runs, but its last save did not load.
    Outdated,
    /// It never loaded.
    Failed,
    /// By an operator, or for going over its limits.
    Stopped,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Outdated => "outdated",
            State::Failed => "failed",
            State::Stopped => "stopped",
        }
    }
}

/// One script, as lists show it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub state: State,
    /// 0 where none runs.
    pub version: u64,
    pub handlers: usize,
    /// Handlers and tasks that run or wait.
    pub running: usize,
    /// Bytes of its Lua state.
    pub memory: usize,
    /// Handlers that its version has called, and errors that they raised.
    pub calls: u64,
    pub errors: u64,
    /// Seconds that the handlers of its version kept chats waiting.
    pub time: f64,
    /// Why it failed, or was stopped.
    pub message: Option<String>,
}

/// One handler of a script, as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandlerRow {
    /// `file:line` where it was registered.
    pub place: String,
    /// `message`, `callback_query` …
    pub event: String,
    pub calls: u64,
    pub errors: u64,
    /// Seconds, from each call until it returned, or waited in `ask`, `wait_for` or `sleep`: all calls together, and the time that
    /// 99 of a hundred stay within.
    pub time: f64,
    pub p99: f64,
}

impl From<HandlerStats> for HandlerRow {
    fn from(stats: HandlerStats) -> HandlerRow {
        HandlerRow {
            place: stats.place,
            event: stats.event.to_owned(),
            calls: stats.calls,
            errors: stats.errors,
            time: stats.total.as_secs_f64(),
            p99: stats.p99.as_secs_f64(),
        }
    }
}

pub(super) enum Request {
    List(oneshot::Sender<Vec<Row>>),
    Handlers(String, oneshot::Sender<Result<Vec<HandlerRow>, String>>),
    IsIdle(oneshot::Sender<bool>),
    /// All scripts where no name is given.
    Reload(Option<String>, oneshot::Sender<Result<Vec<Row>, String>>),
    Start(String, oneshot::Sender<Result<Row, String>>),
    StopOne(String, oneshot::Sender<Result<Row, String>>),
    /// A line for a script's state, or for the console's own.
    Evaluate(Option<String>, String, oneshot::Sender<Result<String, String>>),
    Configure(Arc<Config>, oneshot::Sender<()>),
    Stop(oneshot::Sender<()>),
}

/// Asks the running host. Clones ask the same one; an error is a sentence for the operator.
#[derive(Clone)]
pub struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
}

impl Handle {
    pub async fn list(&self) -> Vec<Row> {
        self.ask(Request::List).await.unwrap_or_default()
    }

    /// The handlers of a script, those first that took most time; no more than a thousand.
    pub async fn handlers(&self, script: String) -> Result<Vec<HandlerRow>, String> {
        self.ask(|answer| Request::Handlers(script, answer)).await.unwrap_or_else(ended)
    }

    /// Whether no update is queued and no handler runs.
    pub async fn is_idle(&self) -> bool {
        self.ask(Request::IsIdle).await.unwrap_or(true)
    }

    /// Loads a script anew though its files are as they were, or all of them; returns how they stand then.
    pub async fn reload(&self, script: Option<String>) -> Result<Vec<Row>, String> {
        self.ask(|answer| Request::Reload(script, answer)).await.unwrap_or_else(ended)
    }

    /// Starts a script that was stopped, or has failed.
    pub async fn start(&self, script: String) -> Result<Row, String> {
        self.ask(|answer| Request::Start(script, answer)).await.unwrap_or_else(ended)
    }

    /// Takes no more updates for the script, until it is started again; its handlers finish.
    pub async fn stop_script(&self, script: String) -> Result<Row, String> {
        self.ask(|answer| Request::StopOne(script, answer)).await.unwrap_or_else(ended)
    }

    /// Runs a line of Lua in a script's state, or in the console's own, and gives what it printed and returned.
    pub async fn evaluate(&self, script: Option<String>, code: String) -> Result<String, String> {
        self.ask(|answer| Request::Evaluate(script, code, answer)).await.unwrap_or_else(ended)
    }

    /// From now on scripts are chosen, and run, by this configuration: those that it says something else of are loaded anew.
    pub async fn configure(&self, config: Arc<Config>) {
        let _ = self.ask(|answer| Request::Configure(config, answer)).await;
    }

    /// None where the host has ended.
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.ok()?;
        answered.await.ok()
    }
}

fn ended<T>() -> Result<T, String> {
    Err("the host is ending".into())
}

/// The running host. Dropping it, and every handle, stops the scripts without waiting for their handlers; `stop` waits.
pub struct Host {
    pub(super) handle: Handle,
    pub(super) clock: Clock,
    pub(super) events: broadcast::Sender<Event>,
}

impl Host {
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub async fn list(&self) -> Vec<Row> {
        self.handle.list().await
    }

    /// Whether no update is queued and no handler runs.
    pub async fn is_idle(&self) -> bool {
        self.handle.is_idle().await
    }

    /// Takes no more updates and waits until the handlers that run have ended, for as long as `grace`.
    pub async fn stop(self, grace: Duration) {
        if self.clock.timeout(grace, self.handle.ask(Request::Stop)).await.is_err() {
            tracing::warn!("handlers that still ran after {} s were cut off", grace.as_secs_f64());
        }
    }
}
