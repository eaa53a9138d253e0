//! `moongram.toml`: read, checked key by key, and completed from the environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::folder::Selection;
use crate::client::WebSockets;
use crate::lua;
use crate::mtproto::Transport;
use crate::net::dial::{Via, WebSocket};

/// The file's name where none is given.
pub const FILE: &str = "moongram.toml";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Config {
    pub account: Account,
    pub network: Network,
    pub scripts: Scripts,
    /// What one script alone may or must, by its name.
    pub script: BTreeMap<String, OneScript>,
    /// The folder that relative paths start from: where the file lies.
    #[serde(skip)]
    pub base: PathBuf,
    /// The file itself, where there is one.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Account {
    pub api_id: Option<i32>,
    pub api_hash: Option<Secret>,
    pub bot_token: Option<Secret>,
    pub phone: Option<String>,
    pub session: PathBuf,
    pub passphrase: Option<Secret>,
    /// Seconds.
    pub flood_sleep_threshold: u32,
}

impl Default for Account {
    fn default() -> Self {
        Account {
            api_id: None,
            api_hash: None,
            bot_token: None,
            phone: None,
            session: "moongram.db".into(),
            passphrase: None,
            flood_sleep_threshold: 60,
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Network {
    pub transport: TransportName,
    pub obfuscated: bool,
    /// Read by `take_proxy`: what serde says of a wrong value repeats it, password and all.
    #[serde(skip)]
    pub proxy: Via,
    pub ipv6: bool,
    pub pfs: Option<bool>,
    /// One of several may have the same id: each is tried.
    pub dc: Vec<Dc>,
    /// Read by `WebSocketsAt`.
    pub websocket: WebSocketsAt,
    pub public_keys: Vec<PathBuf>,
    pub test_dc: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportName {
    Abridged,
    #[default]
    Intermediate,
    Padded,
    Full,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Dc {
    pub id: i32,
    pub address: SocketAddr,
}

/// `websocket = true`, or `websocket = [{ id = 2, url = "ws://127.0.0.1:4430/apiws" }]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected true, false, or a list of tables with id and url")]
pub enum WebSocketsAt {
    #[default]
    #[serde(skip)]
    Unsaid,
    Telegram(bool),
    Given(Vec<WebSocketAt>),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WebSocketAt {
    pub id: i32,
    pub url: String,
}

impl WebSocketsAt {
    /// As the client wants it.
    pub fn read(&self) -> Result<WebSockets> {
        Ok(match self {
            WebSocketsAt::Unsaid | WebSocketsAt::Telegram(false) => WebSockets::Off,
            WebSocketsAt::Telegram(true) => WebSockets::Telegram,
            WebSocketsAt::Given(given) => {
                let read = |at: &WebSocketAt| {
                    let socket = WebSocket::parse(&at.url).with_context(|| format!("`{}`", at.url));
                    Ok((at.id, socket.context("`network.websocket`")?))
                };
                WebSockets::At(given.iter().map(read).collect::<Result<_>>()?)
            }
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Scripts {
    pub folder: PathBuf,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub limits: Limits,
}

impl Default for Scripts {
    fn default() -> Self {
        Scripts { folder: "scripts".into(), include: vec!["*".into()], exclude: Vec::new(), limits: Limits::default() }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OneScript {
    pub allow: Vec<String>,
    pub config: Option<toml::Table>,
    pub limits: Limits,
}

/// What a script may use; a key that is absent leaves the next wider setting.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Limits {
    #[serde(deserialize_with = "size")]
    pub memory: Option<usize>,
    #[serde(deserialize_with = "duration")]
    pub cpu: Option<Duration>,
    #[serde(deserialize_with = "size")]
    pub store: Option<usize>,
    /// Updates that wait.
    pub updates: Option<usize>,
    /// Handlers and tasks that run.
    pub running: Option<usize>,
    /// Handlers that wait in `ask`, `wait_for` and `sleep`.
    pub waiting: Option<usize>,
    pub timers: Option<usize>,
    /// HTTP requests that are open.
    pub requests: Option<usize>,
}

impl Limits {
    /// These, and `wider` where these say nothing.
    fn or(&self, wider: &Limits) -> Limits {
        Limits {
            memory: self.memory.or(wider.memory),
            cpu: self.cpu.or(wider.cpu),
            store: self.store.or(wider.store),
            updates: self.updates.or(wider.updates),
            running: self.running.or(wider.running),
            waiting: self.waiting.or(wider.waiting),
            timers: self.timers.or(wider.timers),
            requests: self.requests.or(wider.requests),
        }
    }

    /// What a script may use, by the defaults where nothing is said.
    pub fn resolve(&self) -> lua::Limits {
        let usual = lua::Limits::default();
        lua::Limits {
            memory: self.memory.unwrap_or(usual.memory),
            cpu: self.cpu.unwrap_or(usual.cpu),
            store: self.store.map_or(usual.store, |store| store as u64),
            updates: self.updates.unwrap_or(usual.updates),
            running: self.running.unwrap_or(usual.running),
            waiting: self.waiting.unwrap_or(usual.waiting),
            timers: self.timers.unwrap_or(usual.timers),
            requests: self.requests.unwrap_or(usual.requests),
        }
    }

    /// Refuses what no script can live with; `table` is the table's name in the file.
    fn check(&self, table: &str) -> Result<()> {
        let least = lua::Limits::LEAST_MEMORY;
        ensure!(
            self.memory.is_none_or(|memory| memory >= least),
            "`{table}.memory` is too little: a script needs {} MiB at least",
            least >> 20
        );
        let least = lua::Limits::LEAST_CPU;
        ensure!(
            self.cpu.is_none_or(|cpu| cpu >= least),
            "`{table}.cpu` is too little: a handler needs {} ms at least",
            least.as_millis()
        );
        for (key, count) in [("updates", self.updates), ("running", self.running)] {
            ensure!(count != Some(0), "`{table}.{key}` is 0: a script that may have none does nothing");
        }
        Ok(())
    }
}

/// A value that must not stand in the log: given outright, or by where it lies.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Secret {
    Given(String),
    Env { env: String },
    File { file: PathBuf },
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

impl Secret {
    /// The value; `base` is where a relative file is looked for.
    pub fn read(&self, base: &Path) -> Result<String> {
        match self {
            Secret::Given(value) => Ok(value.clone()),
            Secret::Env { env } => std::env::var(env).with_context(|| format!("the environment variable {env}")),
            Secret::File { file } => {
                let path = base.join(file);
                let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
                Ok(text.trim().to_owned())
            }
        }
    }
}

const LIMITS: &[&str] = &["memory", "cpu", "store", "updates", "running", "waiting", "timers", "requests"];

/// The keys of the file by table; `*` stands for any name, an empty list for anything at all.
const KEYS: &[(&str, &[&str])] = &[
    ("", &["account", "accounts", "network", "scripts", "script", "http"]),
    ("account", &["api_id", "api_hash", "bot_token", "phone", "session", "passphrase", "flood_sleep_threshold"]),
    ("network", &["transport", "obfuscated", "proxy", "ipv6", "pfs", "dc", "websocket", "public_keys", "test_dc"]),
    ("network.dc", &["id", "address"]),
    ("network.websocket", &["id", "url"]),
    ("scripts", &["folder", "include", "exclude", "limits"]),
    ("scripts.limits", LIMITS),
    ("script", &["*"]),
    ("script.*", &["allow", "config", "limits"]),
    ("script.*.limits", LIMITS),
    ("http", &["listen", "token"]),
];

impl Config {
    /// Reads the file at `path`; values of the environment (`MOONGRAM_ACCOUNT_API_ID`, …) win over it.
    pub fn read(path: &Path) -> Result<Config> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut config = Config::parse(&text, std::env::vars()).with_context(|| path.display().to_string())?;
        config.base = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        config.file = Some(path.to_owned());
        Ok(config)
    }

    /// Reads the file that was named; or the usual one where none was, if it is there.
    pub fn read_if_there(named: Option<&Path>) -> Result<Config> {
        match named {
            Some(path) => Config::read(path),
            None if Path::new(FILE).exists() => Config::read(Path::new(FILE)),
            None => Ok(Config::default()),
        }
    }

    /// Like `read`, from a text and an environment.
    pub fn parse(text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Config> {
        let document = DeTable::parse(text).map_err(|error| {
            // Not the line itself: it may hold a secret.
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            anyhow!("line {line}: {}", error.message().trim_end())
        })?;
        check_keys(document.get_ref(), "", "", text)?;
        let mut table: toml::Table = toml::from_str(text)?;
        for (name, value) in environment {
            if let Some(path) = name.strip_prefix("MOONGRAM_") {
                set_from_environment(&mut table, path, &value).with_context(|| format!("environment {name}"))?;
            }
        }
        ensure_supported(&table)?;
        let proxy = take_proxy(&mut table)?;
        let again = toml::to_string(&table)?;
        let mut config = Config::deserialize(toml::Deserializer::parse(&again)?).map_err(|error| {
            // The key and not the value, which may be a secret.
            let at = error.span().map_or(0, |span| span.start);
            let line = &again[again[..at].rfind('\n').map_or(0, |end| end + 1)..];
            let key = line.split(['=', '\n']).next().unwrap_or_default().trim();
            anyhow!("`{key}`: {}", error.message().trim_end())
        })?;
        config.network.proxy = proxy;
        config.network.check()?;
        config.scripts.limits.check("scripts.limits")?;
        for (name, one) in &config.script {
            one.limits.check(&format!("script.{name}.limits"))?;
            lua::check_grants(&one.allow).map_err(|error| anyhow!("`script.{name}.allow`: {error}"))?;
        }
        Ok(config)
    }

    /// A path of the file, from where the file lies.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    /// Where the running host listens for the command line: beside the session.
    pub fn control_socket(&self) -> PathBuf {
        let mut name = self.account.session.clone().into_os_string();
        name.push(".sock");
        self.path(Path::new(&name))
    }

    /// Which scripts of the folder are wanted.
    pub fn selection(&self) -> Selection {
        Selection { include: self.scripts.include.clone(), exclude: self.scripts.exclude.clone() }
    }

    pub fn script(&self, name: &str) -> OneScript {
        let mut one = self.script.get(name).cloned().unwrap_or_default();
        one.limits = one.limits.or(&self.scripts.limits);
        one
    }
}

/// What cli.md describes and this version cannot do yet: better refused than ignored.
fn ensure_supported(table: &toml::Table) -> Result<()> {
    let get = |section: &str, key: &str| table.get(section).and_then(|t| t.get(key));
    let is_on = |value: Option<&toml::Value>| value.is_some_and(|v| *v != toml::Value::Boolean(false));
    ensure!(!is_on(get("account", "passphrase")), "`account.passphrase` is not supported by this version: take it out");
    ensure!(!table.contains_key("accounts"), "several `[[accounts]]` are not supported by this version: use [account]");
    ensure!(!table.contains_key("http"), "`[http]` is not supported by this version: take it out");
    Ok(())
}

/// `network.proxy`, out of the table. An error does not repeat what is wrong, as it may be a password.
fn take_proxy(table: &mut toml::Table) -> Result<Via> {
    match table.get_mut("network").and_then(toml::Value::as_table_mut).and_then(|network| network.remove("proxy")) {
        None => Ok(Via::Direct),
        Some(toml::Value::String(link)) => Via::parse(&link).context("`network.proxy`"),
        Some(_) => bail!("`network.proxy` is not a text, as in \"socks5://user:password@host:1080\""),
    }
}

impl Network {
    /// What no single key can tell.
    fn check(&self) -> Result<()> {
        let full = self.transport == TransportName::Full;
        ensure!(!(full && self.obfuscated), "`network.obfuscated`: the full transport cannot be obfuscated");
        let carries_full = match &self.proxy {
            Via::MtProxy { secret, .. } => secret.transport(Transport::Full).is_some(),
            _ => true,
        };
        ensure!(!full || carries_full, "`network.proxy`: an MTProxy does not carry the full transport");
        let websockets = self.websocket.read()?;
        if websockets != WebSockets::Off {
            ensure!(!full, "`network.websocket`: the full transport does not go over WebSocket; choose another");
            let mtproxy = matches!(self.proxy, Via::MtProxy { .. });
            ensure!(!mtproxy, "`network.websocket`: an MTProxy carries no WebSocket; take one of the two out");
            ensure!(self.dc.is_empty(), "`network.dc` and `network.websocket` both say where DCs are: take one out");
        }
        Ok(())
    }
}

fn keys_of(table: &str) -> &'static [&'static str] {
    KEYS.iter().find(|(name, _)| *name == table).map_or(&[], |(_, keys)| keys)
}

/// `shape` is the table's name in `KEYS`, `shown` its name in the file.
fn check_keys(table: &DeTable<'_>, shape: &str, shown: &str, text: &str) -> Result<()> {
    let known = keys_of(shape);
    for (key, value) in table.iter() {
        let name: &str = key.get_ref();
        let any = known == ["*"];
        if !any && !known.contains(&name) {
            let line = text[..key.span().start].matches('\n').count() + 1;
            let whole = if shown.is_empty() { name.to_owned() } else { format!("{shown}.{name}") };
            bail!("line {line}: unknown key `{whole}`; {}", suggestion(name, known));
        }
        let below = |parent: &str, name: &str| if parent.is_empty() { name.into() } else { format!("{parent}.{name}") };
        let (shape, shown) = (below(shape, if any { "*" } else { name }), below(shown, name));
        if keys_of(&shape).is_empty() {
            continue;
        }
        match value.get_ref() {
            DeValue::Table(inner) => check_keys(inner, &shape, &shown, text)?,
            DeValue::Array(items) => {
                for item in items.iter() {
                    if let DeValue::Table(inner) = item.get_ref() {
                        check_keys(inner, &shape, &shown, text)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn suggestion(name: &str, known: &[&str]) -> String {
    let nearest = known.iter().max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    match nearest {
        Some(near) if strsim::jaro_winkler(near, name) > 0.8 => format!("did you mean `{near}`?"),
        _ => format!("known are {}", known.join(", ")),
    }
}

/// `ACCOUNT_API_ID` is `account.api_id`: the longest table whose name fits takes it.
fn set_from_environment(root: &mut toml::Table, path: &str, value: &str) -> Result<()> {
    let lower = path.to_lowercase();
    let target =
        KEYS.iter().filter(|(table, _)| !table.is_empty() && !table.contains('*')).find_map(|(table, keys)| {
            let rest = lower.strip_prefix(&table.replace('.', "_"))?.strip_prefix('_')?;
            keys.contains(&rest).then(|| (*table, rest.to_owned()))
        });
    // Other programs may have variables of this prefix (MOONGRAM_LOG is one of ours).
    let Some((table, key)) = target else { return Ok(()) };
    let mut at = root;
    for name in table.split('.') {
        let entry = at.entry(name).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = entry.as_table_mut().ok_or_else(|| anyhow!("`{table}` is not a table"))?;
    }
    // What reads as TOML is that value; a plain word or a token is a string.
    let parsed = match key.as_str() {
        "api_hash" | "bot_token" | "phone" | "passphrase" | "session" | "proxy" | "folder" | "memory" | "cpu"
        | "store" => None,
        _ => toml::from_str::<toml::Table>(&format!("v = {value}")).ok().and_then(|mut t| t.remove("v")),
    };
    at.insert(key, parsed.unwrap_or_else(|| toml::Value::String(value.to_owned())));
    Ok(())
}

fn size<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    let text = String::deserialize(from)?;
    parse_size(&text).map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "`{text}` is not a size: write a number and B, KiB, MiB or GiB, as in \"64MiB\""
        ))
    })
}

fn duration<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text).map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!("`{text}` is not a time: write a number and ms, s, m or h, as in \"1s\""))
    })
}

fn split_unit(text: &str) -> Option<(f64, &str)> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..at].parse().ok()?;
    Some((number, text[at..].trim()))
}

fn parse_size(text: &str) -> Option<usize> {
    let (number, unit) = split_unit(text.trim())?;
    let factor = match unit {
        "B" => 1u64,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    Some((number * factor as f64) as usize)
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text.trim())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests;
