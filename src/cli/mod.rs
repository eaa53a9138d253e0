//! The command line: one file a command.

mod check;
mod dc;
mod log;
mod play;
#[cfg(unix)]
mod repl;
mod run;
#[cfg(unix)]
mod scripts;
mod typed;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A host for Telegram scripts: drop a Lua file into a folder and it is live.
#[derive(Parser)]
#[command(
    name = "moongram",
    version,
    about,
    after_help = "Try it now, without an account:  printf '/start\\n' | moongram play"
)]
struct Arguments {
    #[command(flatten)]
    log: log::Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try scripts on a local Telegram: no account, no network
    Play(play::Options),
    /// Run the scripts on Telegram, as moongram.toml says
    Run(run::Options),
    /// The running host's scripts: list, reload, stop, start
    #[cfg(unix)]
    Scripts(scripts::Options),
    /// Lua on the running host
    #[cfg(unix)]
    Repl(repl::Options),
    /// Load scripts without connecting and say what is wrong with them
    Check(check::Options),
    /// A local Telegram alone, for any MTProto client
    Dc(dc::Options),
}

/// Runs the command that the arguments name. 0 done, 1 failed, 2 wrong usage.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("starting")),
    };
    let log = &arguments.log;
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Play(options) => play::main(options, log).await,
            Command::Run(options) => run::main(options, log).await,
            #[cfg(unix)]
            Command::Scripts(options) => scripts::main(options, log).await,
            #[cfg(unix)]
            Command::Repl(options) => repl::main(options, log).await,
            Command::Check(options) => check::main(options, log).await,
            Command::Dc(options) => dc::main(options, log).await,
        }
    });
    // A thread that reads the terminal cannot be interrupted; it must not hold up the end.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("moongram: {error:#}");
    ExitCode::FAILURE
}
