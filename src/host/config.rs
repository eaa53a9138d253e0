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
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged, expecting = "expected true, false, or a list of tables with id and url")]
pub enum WebSocketsAt {
    #[default]
    #[serde(skip)]
    Unsaid,
    Telegram(bool),
    Given(Vec<WebSocketAt>),
}

#[derive(Clone, Debug, Deserialize)]
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

/// The keys of the file by table; `*` stands for any name, an empty list for anything at all.
const KEYS: &[(&str, &[&str])] = &[
    ("", &["account", "accounts", "network", "scripts", "script", "http"]),
    ("account", &["api_id", "api_hash", "bot_token", "phone", "session", "passphrase", "flood_sleep_threshold"]),
    ("network", &["transport", "obfuscated", "proxy", "ipv6", "pfs", "dc", "websocket", "public_keys", "test_dc"]),
    ("network.dc", &["id", "address"]),
    ("network.websocket", &["id", "url"]),
    ("scripts", &["folder", "include", "exclude", "limits"]),
    ("scripts.limits", &["memory", "cpu"]),
    ("script", &["*"]),
    ("script.*", &["allow", "config", "limits"]),
    ("script.*.limits", &["memory", "cpu"]),
    ("http", &["listen", "token"]),
];

impl Config {
    /// Reads the file at `path`; values of the environment (`MOONGRAM_ACCOUNT_API_ID`, …) win over it.
    pub fn read(path: &Path) -> Result<Config> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut config = Config::parse(&text, std::env::vars()).with_context(|| path.display().to_string())?;
        config.base = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
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
        one.limits.memory = one.limits.memory.or(self.scripts.limits.memory);
        one.limits.cpu = one.limits.cpu.or(self.scripts.limits.cpu);
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
        "api_hash" | "bot_token" | "phone" | "passphrase" | "session" | "proxy" | "folder" | "memory" | "cpu" => None,
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
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, [])
    }

    fn refusal(text: &str) -> String {
        format!("{:#}", parse(text).expect_err("an error"))
    }

    const WHOLE: &str = r#"
        [account]
        api_id = 12345
        api_hash = { env = "API_HASH" }
        bot_token = "1:abc"
        session = "other.db"
        flood_sleep_threshold = 10
        [network]
        transport = "abridged"
        pfs = false
        dc = [{ id = 2, address = "127.0.0.1:4430" }]
        public_keys = ["dc.pem"]
        [scripts]
        folder = "mine"
        exclude = ["old_*"]
        [scripts.limits]
        memory = "32MiB"
        cpu = "500ms"
        [script.weather]
        allow = ["http:api.example.com"]
        config = { city = "Berlin" }
        limits = { cpu = "2s" }
    "#;

    #[test]
    fn every_documented_key_is_read() {
        let config = parse(WHOLE).expect("a configuration");
        assert_eq!(config.account.api_id, Some(12345));
        assert_eq!(config.network.transport, TransportName::Abridged);
        assert_eq!(config.network.dc[0].address.port(), 4430);
        let weather = config.script("weather");
        assert_eq!((weather.limits.memory, weather.limits.cpu), (Some(32 << 20), Some(Duration::from_secs(2))));
        assert_eq!(weather.config.expect("a table")["city"].as_str(), Some("Berlin"));
        assert_eq!(config.script("other").limits.cpu, Some(Duration::from_millis(500)));
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line_and_the_nearest_known_one() {
        let error = refusal("[account]\napi_idd = 1\n");
        assert!(error.contains("line 2: unknown key `account.api_idd`; did you mean `api_id`?"), "{error}");
        let error = refusal("[script.weather]\nalow = []\n");
        assert!(error.contains("`script.weather.alow`; did you mean `allow`?"), "{error}");
        let error = refusal("[network]\ndc = [{ id = 2, adress = \"127.0.0.1:1\" }]\n");
        assert!(error.contains("did you mean `address`?"), "{error}");
    }

    #[test]
    fn a_script_s_own_configuration_is_free_in_its_keys() {
        assert!(parse("[script.a.config]\nanything = { at = \"all\" }").is_ok());
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (text, expected) in [
            ("[scripts.limits]\nmemory = \"lots\"", "is not a size"),
            ("[scripts.limits]\ncpu = \"1 fortnight\"", "is not a time"),
            ("[network]\ntransport = \"pigeon\"", "pigeon"),
            ("[account]\napi_id = \"x\"", "invalid type"),
            ("[account", "line 1"),
            ("[network]\nproxy = \"ftp://h:1\"", "`network.proxy`: a proxy begins with socks5://"),
            ("[network]\nproxy = 1080", "`network.proxy` is not a text"),
            ("[network]\ntransport = \"full\"\nobfuscated = true", "`network.obfuscated`: the full transport"),
            (
                "[network]\ntransport = \"full\"\nproxy = \"mtproxy://h:1?secret=00112233445566778899aabbccddeeff\"",
                "`network.proxy`: an MTProxy does not carry the full transport",
            ),
        ] {
            let error = refusal(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let environment = [
            ("MOONGRAM_ACCOUNT_API_ID", "7"),
            ("MOONGRAM_ACCOUNT_BOT_TOKEN", "5:token"),
            ("MOONGRAM_SCRIPTS_FOLDER", "elsewhere"),
            ("MOONGRAM_SCRIPTS_LIMITS_MEMORY", "1GiB"),
            ("MOONGRAM_SOMETHING_ELSE", "x"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::parse(WHOLE, environment).expect("a configuration");
        assert_eq!(config.account.api_id, Some(7));
        let token = config.account.bot_token.expect("a token").read(Path::new(".")).expect("read");
        assert_eq!(token, "5:token");
        assert_eq!(config.scripts.folder, Path::new("elsewhere"));
        assert_eq!(config.scripts.limits.memory, Some(1 << 30));
    }

    #[test]
    fn the_network_is_read() {
        let config =
            parse("[network]\nobfuscated = true\nproxy = \"socks5://ann:hush@h:1080\"").expect("a configuration");
        assert!(config.network.obfuscated);
        assert_eq!(config.network.proxy, Via::parse("socks5://ann:hush@h:1080").expect("a proxy"));
        assert!(!format!("{config:?}").contains("hush"));
        assert_eq!(parse("").expect("a configuration").network.proxy, Via::Direct);
        let environment = [("MOONGRAM_NETWORK_PROXY".to_owned(), "http://h:3128".to_owned())];
        let config = Config::parse(WHOLE, environment).expect("a configuration");
        assert_eq!(config.network.proxy.to_string(), "http://h:3128");
    }

    #[test]
    fn several_addresses_of_a_dc_and_ipv6_are_read() {
        let list = r#"dc = [{ id = 2, address = "127.0.0.1:1" }, { id = 2, address = "[::1]:2" }]"#;
        let config = parse(&format!("[network]\nipv6 = true\n{list}")).expect("a configuration");
        assert!(config.network.ipv6);
        let read: Vec<_> = config.network.dc.iter().map(|dc| (dc.id, dc.address.to_string())).collect();
        assert_eq!(read, [(2, "127.0.0.1:1".to_owned()), (2, "[::1]:2".to_owned())]);
    }

    #[test]
    fn a_websocket_is_telegram_s_or_one_of_one_s_own() {
        let read = |value: &str| {
            let config = parse(&format!("[network]\n{value}")).expect("a configuration");
            config.network.websocket.read().expect("checked")
        };
        assert_eq!(read(""), WebSockets::Off);
        assert_eq!(read("websocket = false"), WebSockets::Off);
        assert_eq!(read("websocket = true"), WebSockets::Telegram);
        let own = WebSocket::parse("ws://127.0.0.1:4430/apiws").expect("a URL");
        let given = r#"websocket = [{ id = 2, url = "ws://127.0.0.1:4430/apiws" }]"#;
        assert_eq!(read(given), WebSockets::At(vec![(2, own)]));
        let environment = [("MOONGRAM_NETWORK_WEBSOCKET".to_owned(), "true".to_owned())];
        let config = Config::parse("", environment).expect("a configuration");
        assert_eq!(config.network.websocket.read().expect("checked"), WebSockets::Telegram);
        let refused = |rest: &str, expected: &str| {
            let error = refusal(&format!("[network]\n{rest}"));
            assert!(error.contains(expected), "{rest}: {error}");
        };
        refused("websocket = \"wss://h/\"", "`websocket`: expected true, false, or a list of tables with id and url");
        refused("websocket = [{ id = 2, url = \"http://h/\" }]", "`network.websocket`: `http://h/`: the address of");
        refused("websocket = [{ id = 2, uri = \"ws://h/\" }]", "did you mean `url`?");
        refused("websocket = true\ntransport = \"full\"", "`network.websocket`: the full transport");
        let mtproxy = "proxy = \"mtproxy://h:1?secret=00112233445566778899aabbccddeeff\"";
        refused(&format!("websocket = true\n{mtproxy}"), "an MTProxy carries no WebSocket");
        refused(
            "websocket = true\ndc = [{ id = 2, address = \"127.0.0.1:1\" }]",
            "`network.dc` and `network.websocket`",
        );
    }

    #[test]
    fn a_wrong_proxy_is_named_by_its_key_and_not_repeated() {
        for proxy in
            ["socks5://ann:hush", "socks5://ann@h:hush", "hush://h:1", "http://hush@:1", "mtproxy://h:1?secret=hush"]
        {
            let error = refusal(&format!("[network]\nproxy = \"{proxy}\""));
            assert!(error.contains("`network.proxy`") && !error.contains("hush"), "{proxy}: {error}");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let config = parse("[account]\nbot_token = \"12:hush\"").expect("a configuration");
        assert!(!format!("{config:?}").contains("hush"));
        for wrong in ["bot_token = \"12:hush", "bot_token = [\"12:hush\"]", "bot_token = { token = \"12:hush\" }"] {
            let error = refusal(&format!("[account]\napi_id = 1\n{wrong}\n"));
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
