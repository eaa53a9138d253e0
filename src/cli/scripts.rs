//! `moongram scripts`: the scripts of the running host, over its control socket.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::log;
use crate::host::config::{self, Config};
use crate::host::control::{Answer, Ask, Asker};
use crate::host::{HandlerRow, Row};

#[derive(Args)]
#[command(
    after_help = "Examples:  moongram scripts\n           moongram scripts list hello\n           moongram scripts reload hello\n           moongram scripts stop hello"
)]
pub struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// The configuration of the running host
    #[arg(short, long, default_value = config::FILE, value_name = "FILE", global = true)]
    config: PathBuf,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// How each script fares (this is what happens without a word, too), or each handler of one
    List { name: Option<String> },
    /// Load a script anew though its files are as they were; all that run, if none is named
    Reload { name: Option<String> },
    /// Take no more updates for a script, until it is started again
    Stop { name: String },
    /// Start a script that was stopped, or has failed
    Start { name: String },
}

pub async fn main(options: Options, log: &log::Options) -> Result<ExitCode> {
    log.start(log::Reader::Bystander)?;
    let ask = match options.what {
        None | Some(What::List { name: None }) => Ask::List,
        Some(What::List { name: Some(script) }) => Ask::Handlers { script },
        Some(What::Reload { name }) => Ask::Reload { script: name },
        Some(What::Stop { name }) => Ask::Stop { script: name },
        Some(What::Start { name }) => Ask::Start { script: name },
    };
    let is_start = matches!(ask, Ask::Reload { .. } | Ask::Start { .. });
    let config = Config::read(&options.config)?;
    match Asker::connect(&config.control_socket()).await?.ask(&ask).await? {
        Answer::Scripts(rows) => {
            show(&rows, options.json, "no scripts", scripts)?;
            // A script that was to be loaded and was not is a failure of the command.
            let failed = is_start && rows.iter().any(|row| row.message.is_some());
            Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Answer::Handlers(rows) => {
            show(&rows, options.json, "no handlers", handlers)?;
            Ok(ExitCode::SUCCESS)
        }
        Answer::Error(problem) => bail!(problem),
        Answer::Text(_) => bail!("the host answered something else: is it of another version?"),
    }
}

fn show<R: Serialize>(rows: &[R], json: bool, none: &str, table: fn(&[R]) -> String) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(rows)?);
    } else if rows.is_empty() {
        println!("{none}");
    } else {
        print!("{}", table(rows));
    }
    Ok(())
}

fn scripts(rows: &[Row]) -> String {
    let head = ["SCRIPT", "STATE", "VERSION", "HANDLERS", "RUNNING", "MEMORY", "TIME", "CALLS", "ERRORS"];
    let lines = rows.iter().map(|row| {
        let cells = [
            row.name.clone(),
            row.state.name().to_owned(),
            if row.version == 0 { "-".into() } else { row.version.to_string() },
            row.handlers.to_string(),
            row.running.to_string(),
            size(row.memory),
            time(row.time),
            row.calls.to_string(),
            row.errors.to_string(),
        ];
        (cells, row.message.as_deref())
    });
    table(head, lines)
}

fn handlers(rows: &[HandlerRow]) -> String {
    let head = ["HANDLER", "EVENT", "CALLS", "ERRORS", "TIME", "P99"];
    let lines = rows.iter().map(|row| {
        let cells = [
            row.place.clone(),
            row.event.clone(),
            row.calls.to_string(),
            row.errors.to_string(),
            time(row.time),
            time(row.p99),
        ];
        (cells, None)
    });
    table(head, lines)
}

/// Columns as wide as what is in them, and what is to be said of a row in the lines beneath it.
fn table<'a, const N: usize>(head: [&str; N], rows: impl Iterator<Item = ([String; N], Option<&'a str>)>) -> String {
    let lines: Vec<_> = std::iter::once((head.map(str::to_owned), None)).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|(cells, _)| cells[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for (cells, message) in &lines {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
        for line in message.unwrap_or_default().lines() {
            text.push_str("    ");
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Seconds, as people read them.
fn time(seconds: f64) -> String {
    match seconds {
        0.0 => "-".into(),
        ..1e-3 => format!("{:.0} µs", seconds * 1e6),
        ..1.0 => format!("{:.1} ms", seconds * 1e3),
        ..60.0 => format!("{seconds:.1} s"),
        _ => format!("{:.0} min", seconds / 60.0),
    }
}

/// Bytes, as people read them.
fn size(bytes: usize) -> String {
    match bytes {
        0 => "-".into(),
        1..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::State;

    #[test]
    fn a_list_is_a_table_with_what_went_wrong_beneath() {
        let row = |name: &str, state, version, message: Option<&str>| Row {
            name: name.into(),
            state,
            version,
            handlers: 2,
            running: 0,
            memory: 61 * 1024,
            calls: 1_234,
            errors: 5,
            time: 0.0124,
            message: message.map(str::to_owned),
        };
        let rows =
            [row("hello", State::Running, 3, None), row("quiz", State::Failed, 0, Some("quiz.lua:3: oh\n    x"))];
        let expected = "\
SCRIPT  STATE    VERSION  HANDLERS  RUNNING  MEMORY  TIME     CALLS  ERRORS
hello   running  3        2         0        61 KiB  12.4 ms  1234   5
quiz    failed   -        2         0        61 KiB  12.4 ms  1234   5
    quiz.lua:3: oh
        x
";
        assert_eq!(scripts(&rows), expected);
    }

    #[test]
    fn the_handlers_of_a_script_are_a_table_too() {
        let row = |place: &str, event: &str, calls, time, p99| HandlerRow {
            place: place.into(),
            event: event.into(),
            calls,
            errors: 0,
            time,
            p99,
        };
        let rows =
            [row("hello.lua:3", "message", 1_234, 75.3, 0.0031), row("hello.lua:9", "callback_query", 0, 0.0, 0.0)];
        let expected = "\
HANDLER      EVENT           CALLS  ERRORS  TIME   P99
hello.lua:3  message         1234   0       1 min  3.1 ms
hello.lua:9  callback_query  0      0       -      -
";
        assert_eq!(handlers(&rows), expected);
    }
}
