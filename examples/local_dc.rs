//! A local DC for any client: prints what it needs to connect, then serves until it is ended.
//!
//! `cargo run --example local_dc -- 127.0.0.1:4430`

use moongram::local_dc::{Config, LocalDc};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let listen = std::env::args().nth(1).unwrap_or("127.0.0.1:0".to_owned()).parse()?;
    let dc = LocalDc::start(Config { listen, ..Config::default() }).await?;
    let bot = dc.add_bot("example_bot", "Example");
    println!("address {}\ndc_id {}\ncode {}", dc.address(), dc.dc_id(), dc.code());
    println!("bot @{} {}\nfingerprint {:016x}", bot.username, bot.token, dc.fingerprint());
    println!("{}", dc.public_key_pem());
    Ok(tokio::signal::ctrl_c().await?)
}
