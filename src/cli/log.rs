//! Where the log goes and what it shows.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, ValueEnum};
use tracing_subscriber::EnvFilter;

use super::typed::Printer;

#[derive(Args)]
pub struct Options {
    /// What the log shows, as in `debug` or `warn,moongram::net=trace`
    #[arg(long = "log", global = true, value_name = "FILTER", env = "MOONGRAM_LOG")]
    filter: Option<String>,
    /// How a line of the log looks
    #[arg(long = "log-format", global = true, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Who reads the log by default.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A person beside a running chat: messages alone, and only those about scripts.
    Bystander,
    /// An operator: time, level and source of each line.
    Operator,
}

impl Options {
    /// Starts the log, on stderr.
    pub fn start(&self, reader: Reader) -> Result<()> {
        let default = match reader {
            Reader::Bystander => "warn,moongram::host=info,script=info",
            Reader::Operator => "info",
        };
        let filter = self.filter.as_deref().unwrap_or(default);
        let filter = EnvFilter::try_new(filter).unwrap_or_else(|error| {
            let message = format!("--log {filter}: {error}; a filter is a level, as in debug, or levels by target");
            super::Arguments::command().error(ErrorKind::InvalidValue, message).exit()
        });
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(|| Line(Vec::new()))
            .with_ansi(io::stderr().is_terminal());
        match (self.format, reader) {
            (Format::Json, _) => log.json().init(),
            (Format::Text, Reader::Operator) => log.init(),
            (Format::Text, Reader::Bystander) => log.event_format(Plain).init(),
        }
        Ok(())
    }
}

/// Where lines go while one is being typed on the terminal.
static ABOVE: Mutex<Option<Printer>> = Mutex::new(None);

/// From now on the log is printed above the line that is being typed.
pub fn above(printer: Printer) {
    *ABOVE.lock().unwrap_or_else(PoisonError::into_inner) = Some(printer);
}

/// One entry of the log, written as a whole when it is complete.
struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut above = ABOVE.lock().unwrap_or_else(PoisonError::into_inner);
        let text = || String::from_utf8_lossy(&self.0).into_owned();
        let printed = above.as_mut().is_some_and(|printer| printer.print(text()).is_ok());
        if !printed {
            // A log that cannot be written is nothing to end for.
            let _ = io::stderr().write_all(&self.0);
        }
    }
}

/// The message and nothing else, so that an error begins with the script's name.
struct Plain;

impl<S, N> tracing_subscriber::fmt::FormatEvent<S, N> for Plain
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    N: for<'a> tracing_subscriber::fmt::FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &tracing_subscriber::fmt::FmtContext<'_, S, N>,
        mut writer: tracing_subscriber::fmt::format::Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        let mut message = Message(String::new());
        event.record(&mut message);
        writeln!(writer, "{}", message.0)
    }
}

struct Message(String);

impl tracing::field::Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
