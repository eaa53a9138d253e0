//! `moongram repl`: Lua on the running host, line by line, over its control socket.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Context, Editor, Helper};

use super::log;
use crate::host::config::{self, Config};
use crate::host::control::{Answer, Ask, Asker};
use crate::lua::{is_unfinished, names};
use crate::tl;

/// Lines that are remembered.
const MAX_HISTORY: usize = 2_000;

#[derive(Args)]
#[command(
    after_help = "Examples:  moongram repl\n           moongram repl -e 'tg.me.username'\n           moongram repl --script hello -e 'script.state.count'"
)]
pub struct Options {
    /// Run one line and print what comes of it
    #[arg(short = 'e', value_name = "CODE")]
    code: Option<String>,
    /// In this script's state, within its limits and permissions, and not in a state of the console's own
    #[arg(long, value_name = "NAME")]
    script: Option<String>,
    /// The configuration of the running host
    #[arg(short, long, default_value = config::FILE, value_name = "FILE")]
    config: PathBuf,
}

pub async fn main(options: Options, log: &log::Options) -> Result<ExitCode> {
    log.start(log::Reader::Bystander)?;
    let config = Config::read(&options.config)?;
    let mut host = Asker::connect(&config.control_socket()).await?;
    if let Some(code) = options.code {
        let is_good = run(&mut host, &options.script, code).await?;
        return Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut history = config.path(&config.account.session).into_os_string();
    history.push(".history");
    converse(host, options.script, Path::new(&history)).await
}

/// Runs a line and shows its results; false where it failed.
async fn run(host: &mut Asker, script: &Option<String>, code: String) -> Result<bool> {
    match host.ask(&Ask::Evaluate { script: script.clone(), code }).await? {
        Answer::Text(text) => {
            if !text.is_empty() {
                println!("{text}");
            }
            Ok(true)
        }
        Answer::Error(problem) => {
            eprintln!("{problem}");
            Ok(false)
        }
        Answer::Scripts(_) | Answer::Handlers(_) => {
            bail!("the host answered something else: is it of another version?")
        }
    }
}

async fn converse(mut host: Asker, script: Option<String>, history: &Path) -> Result<ExitCode> {
    let settings = rustyline::Config::builder()
        .max_history_size(MAX_HISTORY)
        .context("the history")?
        .completion_type(CompletionType::List)
        .auto_add_history(true)
        .build();
    let mut editor: Editor<Lua, FileHistory> = Editor::with_config(settings).context("the terminal")?;
    editor.set_helper(Some(Lua::new()));
    // The first time there is none.
    let _ = editor.load_history(history);
    let on_terminal = std::io::stdin().is_terminal();
    if on_terminal {
        let place = script.as_deref().map_or("a state of its own".into(), |name| format!("the state of {name}"));
        println!("Lua on the running host, in {place}. Tab completes, Ctrl-D ends.");
    }
    let prompt = script.as_deref().map_or("> ".to_owned(), |name| format!("{name}> "));
    loop {
        // Reading blocks its thread, and nothing else happens here meanwhile.
        let line = editor.readline(&prompt);
        match line {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                run(&mut host, &script, line).await?;
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("reading a line"),
        }
    }
    if on_terminal {
        editor.save_history(history).with_context(|| format!("keeping the history in {}", history.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the line editor knows of Lua and of the API.
struct Lua {
    names: Vec<String>,
}

impl Lua {
    fn new() -> Lua {
        let mut found: Vec<String> = names::NAMES.iter().map(|name| name.path.replace(':', ".")).collect();
        for function in tl::definitions().iter().filter(|definition| definition.is_function()) {
            if tl::method(function.name).is_some() {
                found.push(function.name.to_owned());
                found.push(format!("tg.api.{}", function.name));
            }
        }
        found.sort_unstable();
        found.dedup();
        Lua { names: found }
    }

    /// Where the word under the cursor begins, and what it may become.
    fn complete_word(&self, before: &str) -> (usize, Vec<String>) {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let start =
            before.char_indices().rev().take_while(|(_, c)| is_part(*c)).last().map_or(before.len(), |(at, _)| at);
        let word = &before[start..];
        if word.is_empty() {
            return (start, Vec::new());
        }
        // A step at a time: `tg.` offers what is in tg, and not every method of every namespace in it.
        let mut found: Vec<String> = self
            .names
            .iter()
            .filter_map(|name| {
                let rest = name.strip_prefix(word)?;
                let end = rest.find('.').map_or(name.len(), |dot| word.len() + dot + 1);
                Some(name[..end].to_owned())
            })
            .collect();
        found.dedup();
        (start, found)
    }
}

impl Completer for Lua {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.complete_word(&line[..at]))
    }
}

impl Validator for Lua {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(if is_unfinished(context.input()) { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Hinter for Lua {
    type Hint = String;
}

impl Highlighter for Lua {}
impl Helper for Lua {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_a_step_at_a_time() {
        fn check(line: &str, expected: &[&str]) {
            let lua = Lua::new();
            let (start, found) = lua.complete_word(line);
            let whole: Vec<String> = found.iter().map(|word| format!("{}{word}", &line[..start])).collect();
            assert_eq!(whole, expected, "{line}");
        }
        check("return tg.api.messages.sendMess", &["return tg.api.messages.sendMessage"]);
        check("tg.api.mess", &["tg.api.messages."]);
        check("tg.invoke(\"messages.getDialogF", &["tg.invoke(\"messages.getDialogFilters"]);
        check("tg.send_mes", &["tg.send_message"]);
        check("1 + ", &[]);
        check("no_such_thing", &[]);
    }
}
