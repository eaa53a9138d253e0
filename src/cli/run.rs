//! `moongram run`: the host on Telegram, by the configuration.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;

use super::log;
use crate::client::{self, Client, SessionAt, SignIn};
use crate::crypto::RsaPublicKey;
use crate::host::config::{self, Config, TransportName};
#[cfg(unix)]
use crate::host::control::Control;
use crate::host::{Host, needs_restart};
use crate::mtproto::Transport;
use crate::net::Clock;

/// How long handlers may go on when the program is asked to end.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Args)]
#[command(after_help = "Example:  moongram run -c bots/moongram.toml")]
pub struct Options {
    /// The configuration
    #[arg(short, long, default_value = config::FILE, value_name = "FILE")]
    config: PathBuf,
}

pub async fn main(options: Options, log: &log::Options) -> Result<ExitCode> {
    log.start(log::Reader::Operator)?;
    let config = Config::read(&options.config)?;
    let folder = config.path(&config.scripts.folder);
    ensure!(folder.is_dir(), "{}: no such folder; `[scripts] folder` names the scripts' folder", folder.display());
    let clock = Clock::real();
    let client = Client::start(client_config(&config)?, clock.clone()).await?;
    let me = client.me();
    tracing::info!("running as {} ({})", me.username.as_deref().unwrap_or(&me.first_name), me.id);
    let started = Arc::new(config);
    let host_options = crate::host::Options { folder, config: started.clone() };
    let mut ending = Ending::listen().context("listening for signals")?;
    let mut hangup = Hangup::listen().context("listening for signals")?;
    let host = Host::start(host_options, client.clone(), clock, tokio::sync::broadcast::channel(64).0).await;
    let _control = control(&started, &host);
    loop {
        tokio::select! {
            () = ending.asked() => {
                tracing::info!("stopping: handlers that run have {} s to end; ask again to stop at once", GRACE.as_secs());
                tokio::select! {
                    () = host.stop(GRACE) => {}
                    () = ending.asked() => tracing::warn!("stopped at once"),
                }
                client.stop().await;
                return Ok(ExitCode::SUCCESS);
            }
            reason = client.ended() => {
                host.stop(GRACE).await;
                client.stop().await;
                return Err(anyhow!("the session has ended: {reason}"));
            }
            () = hangup.asked() => read_again(&options.config, &started, &host).await,
        }
    }
}

/// Where there is no socket the host goes on without: the scripts matter more than the questions about them.
#[cfg(unix)]
fn control(config: &Config, host: &Host) -> Option<Control> {
    let listening = Control::listen(&config.control_socket(), host.handle());
    listening
        .inspect_err(|error| tracing::warn!("{error}; `moongram scripts` and `repl` will not reach this host"))
        .ok()
}

#[cfg(not(unix))]
fn control(_: &Config, _: &Host) {}

/// On SIGHUP: takes over what can be taken over, and says what cannot.
async fn read_again(path: &Path, started: &Config, host: &Host) {
    let new = match Config::read(path) {
        Ok(new) => Arc::new(new),
        Err(error) => {
            tracing::error!("the configuration stays as it was: {error:#}");
            return;
        }
    };
    let waiting = needs_restart(started, &new);
    if waiting.is_empty() {
        tracing::info!("the configuration was read again");
    } else {
        tracing::warn!(
            "the configuration was read again; this takes effect with the next start: {}",
            waiting.join(", ")
        );
    }
    host.handle().configure(new).await;
}

fn client_config(config: &Config) -> Result<client::Config> {
    let account = &config.account;
    let missing = |key: &str| format!("`account.{key}` is missing: get one at https://my.telegram.org");
    let mut keys = Vec::new();
    for file in &config.network.public_keys {
        let path = config.path(file);
        let pem = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        keys.push(RsaPublicKey::from_pem(&pem).with_context(|| path.display().to_string())?);
    }
    let sign_in = match &account.bot_token {
        Some(token) => SignIn::Bot { token: token.read(&config.base).context("account.bot_token")? },
        None => SignIn::Stored,
    };
    let transport = match config.network.transport {
        TransportName::Abridged => Transport::Abridged,
        TransportName::Intermediate => Transport::Intermediate,
        TransportName::Padded => Transport::Padded,
        TransportName::Full => Transport::Full,
    };
    let api_id = account.api_id.with_context(|| missing("api_id"))?;
    let api_hash = account.api_hash.as_ref().with_context(|| missing("api_hash"))?.read(&config.base)?;
    let session = SessionAt::File(config.path(&account.session));
    let mut options = client::Config::new(api_id, api_hash, sign_in, session);
    options.dcs = config.network.dc.iter().map(|dc| client::Dc { id: dc.id, address: dc.address }).collect();
    options.websockets = config.network.websocket.read()?;
    options.ipv6 = config.network.ipv6;
    if config.network.pfs == Some(false) {
        options.temporary_key_life = None;
    }
    options.public_keys = keys;
    options.transport = transport;
    options.obfuscated = config.network.obfuscated;
    options.proxy = config.network.proxy.clone();
    options.test_dc = config.network.test_dc;
    options.flood_sleep_threshold = account.flood_sleep_threshold;
    Ok(options)
}

/// Until Ctrl-C or SIGTERM.
pub async fn asked_to_end() {
    match Ending::listen() {
        Ok(mut ending) => ending.asked().await,
        // Without a listener the system's own way to end a program stays in place.
        Err(_) => std::future::pending().await,
    }
}

/// Hears Ctrl-C and SIGTERM from the moment it is made: none is lost between two waits.
struct Ending {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl Ending {
    #[cfg(unix)]
    fn listen() -> std::io::Result<Ending> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Ending { signals: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?] })
    }

    #[cfg(unix)]
    async fn asked(&mut self) {
        let [terminate, interrupt] = &mut self.signals;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn listen() -> std::io::Result<Ending> {
        Ok(Ending {})
    }

    #[cfg(not(unix))]
    async fn asked(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Hears SIGHUP, by which an operator asks to read the configuration again.
struct Hangup {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Hangup {
    #[cfg(unix)]
    fn listen() -> std::io::Result<Hangup> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Hangup { signal: signal(SignalKind::hangup())? })
    }

    #[cfg(unix)]
    async fn asked(&mut self) {
        self.signal.recv().await;
    }

    #[cfg(not(unix))]
    fn listen() -> std::io::Result<Hangup> {
        Ok(Hangup {})
    }

    #[cfg(not(unix))]
    async fn asked(&mut self) {
        std::future::pending().await
    }
}
