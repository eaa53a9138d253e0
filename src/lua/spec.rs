//! What a script is loaded from, and what it may use.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::client::Client;
use crate::net::Clock;

/// One script as the host found it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptSpec {
    /// `weather` for `scripts/weather.lua` and for `scripts/weather/init.lua`.
    pub name: String,
    /// The file that is run.
    pub main: PathBuf,
    /// What is run in place of the file, for a version that has none: the console of `moongram repl`.
    pub text: Option<Arc<[u8]>>,
    /// The scripts folder; `lib/` in it is where `require` looks second.
    pub folder: PathBuf,
    pub limits: Limits,
    /// `script.config`: the `config` table of the configuration, or null.
    pub config: serde_json::Value,
    /// What is granted beyond the usual: `http:…`, `fs:…`, `method:…`, `service:…`.
    pub allow: Vec<String>,
}

impl ScriptSpec {
    pub fn new(name: impl Into<String>, main: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> ScriptSpec {
        ScriptSpec {
            name: name.into(),
            main: main.into(),
            text: None,
            folder: folder.into(),
            limits: Limits::default(),
            config: serde_json::Value::Null,
            allow: Vec::new(),
        }
    }

    /// The folder of a script that is a folder; there `require` looks first.
    pub(super) fn own_folder(&self) -> Option<&Path> {
        let is_init = self.main.file_name().is_some_and(|name| name == "init.lua");
        if is_init { self.main.parent() } else { None }
    }
}

/// What one script may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of its Lua state.
    pub memory: usize,
    /// CPU time without a wait, after which the running handler is ended.
    pub cpu: Duration,
    /// Handlers that run at once, waiting for an answer of Telegram included.
    pub running: usize,
    /// Handlers that wait in `ask`, `wait_for` and `sleep`.
    pub waiting: usize,
    pub timers: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { memory: 64 << 20, cpu: Duration::from_secs(1), running: 1_000, waiting: 20_000, timers: 1_000 }
    }
}

/// What all scripts share.
#[derive(Clone)]
pub struct Env {
    pub client: Client,
    pub clock: Clock,
}

impl Env {
    pub fn new(client: Client, clock: Clock) -> Env {
        Env { client, clock }
    }
}
