//! `moongram dc`: the local DC alone, for any client.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::log;
use crate::local_dc::{Config, LocalDc};

#[derive(Args)]
#[command(after_help = "Example:  moongram dc --listen 127.0.0.1:4430 --json")]
pub struct Options {
    /// Where to listen; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:4430", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Print one line of JSON when ready
    #[arg(long)]
    json: bool,
    /// Keep accounts and messages in this folder, for the next start
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Forget temporary keys after this many seconds, whatever their clients ask for, to see them renewed
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    temporary_key_life: Option<u64>,
}

pub async fn main(options: Options, log: &log::Options) -> Result<ExitCode> {
    log.start(log::Reader::Operator)?;
    anyhow::ensure!(
        options.listen.ip().is_loopback(),
        "--listen {}: the local DC has no secrets and serves this machine only; use 127.0.0.1 or [::1]",
        options.listen
    );
    let temporary_key_life = options.temporary_key_life.map(Duration::from_secs);
    let config = Config { listen: options.listen, keep: keep(options.keep)?, temporary_key_life, ..Config::default() };
    let dc = LocalDc::start(config).await.with_context(|| format!("starting the local DC on {}", options.listen))?;
    let bot = dc.add_bot("moongram_bot", "Moongram");
    let fingerprint = format!("{:016x}", dc.fingerprint());
    if options.json {
        let line = serde_json::json!({
            "dc_id": dc.dc_id(),
            "address": dc.address().to_string(),
            "public_key": dc.public_key_pem(),
            "fingerprint": fingerprint,
            "code": dc.code(),
            "bot": { "token": bot.token, "username": bot.username },
        });
        println!("{line}");
    } else {
        println!("DC {} listens on {}", dc.dc_id(), dc.address());
        println!("any phone number signs in with the code {}", dc.code());
        println!("the bot @{} has the token {}", bot.username, bot.token);
        println!("public key, fingerprint {fingerprint}:\n{}", dc.public_key_pem().trim_end());
    }
    std::io::stdout().flush()?;
    super::run::asked_to_end().await;
    dc.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The file of a folder that the DC's state is kept in; the folder is made where it is missing.
pub fn keep(folder: Option<PathBuf>) -> Result<Option<PathBuf>> {
    let Some(folder) = folder else { return Ok(None) };
    std::fs::create_dir_all(&folder).with_context(|| format!("--keep {}", folder.display()))?;
    Ok(Some(folder.join("local-dc.json")))
}
