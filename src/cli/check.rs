//! `moongram check`: loads scripts without connecting, and reads what they use and may not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::log;
use crate::host::config::{Account, Config};
use crate::host::{Found, Selection, list, script_at, spec};
use crate::lua::{self, Remark, What};

#[derive(Args)]
#[command(after_help = "Example:  moongram check scripts/hello.lua\n\
    Prints file:line: message for each fault and warning, and what each script uses; 0 if there is no fault, 1 otherwise.")]
pub struct Options {
    /// Scripts: files, or folders of scripts; the configured folder if none is named
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
    /// The configuration, for the scripts' permissions and their own settings
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub async fn main(options: Options, log: &log::Options) -> Result<ExitCode> {
    log.start(log::Reader::Bystander)?;
    let config = Config::read_if_there(options.config.as_deref())?;
    let places = if options.files.is_empty() { vec![config.path(&config.scripts.folder)] } else { options.files };
    let mut scripts = Vec::new();
    let mut faults = 0;
    for place in places {
        match scripts_at(&place) {
            Ok((folder, found, problems)) => {
                for problem in problems {
                    println!("{}: {problem}", folder.display());
                    faults += 1;
                }
                scripts.extend(found.into_iter().map(|found| (folder.clone(), found)));
            }
            Err(problem) => {
                println!("{problem:#}");
                faults += 1;
            }
        }
    }
    for (folder, found) in &scripts {
        faults += check(&config, folder, found).await;
    }
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    eprintln!("{} checked, {}", plural(scripts.len(), "script"), plural(faults, "fault"));
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints what is wrong with one script and what it uses; how many faults it has.
async fn check(config: &Config, folder: &Path, found: &Found) -> usize {
    let spec = Arc::new(spec(config, folder, found));
    let checked = lua::check(spec.clone()).await;
    let mut faults = checked.diagnostics.len();
    for diagnostic in checked.diagnostics {
        let line = diagnostic.line.map_or(String::new(), |line| format!("{line}:"));
        println!("{}:{line} {}", folder.join(diagnostic.file).display(), diagnostic.message);
    }
    let mut used: BTreeMap<What, Vec<String>> = BTreeMap::new();
    for file in std::iter::once(&found.main).chain(&checked.required) {
        // One that cannot be read is a fault that loading it has told of.
        let Ok(source) = std::fs::read(file) else { continue };
        for lua::Use { line, what } in lua::uses(&source) {
            match lua::remark(&what, &spec.allow, is_bot(&config.account)) {
                Some(Remark::Refused(refusal)) => {
                    println!("{}:{line}: {refusal}", file.display());
                    faults += 1;
                }
                Some(Remark::Warning(warning)) => println!("{}:{line}: warning: {warning}", file.display()),
                None => {}
            }
            let place = if *file == found.main { line.to_string() } else { format!("{}:{line}", file.display()) };
            // Who called it does not matter here.
            let what = match what {
                What::Method { name, .. } => What::Method { name, by: None },
                other => other,
            };
            let places = used.entry(what).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
    }
    for (what, places) in used {
        println!("{}: uses {what}, line {}", found.main.display(), places.join(", "));
    }
    faults
}

/// Whether the account is a bot, as far as the configuration tells; without any, `moongram play` is what there is.
fn is_bot(account: &Account) -> Option<bool> {
    match (&account.bot_token, &account.phone) {
        (Some(_), _) => Some(true),
        (None, Some(_)) => Some(false),
        (None, None) if account.api_id.is_none() => Some(true),
        (None, None) => None,
    }
}

/// The scripts that a path on the command line means: all of a folder, or one.
fn scripts_at(place: &Path) -> Result<(PathBuf, Vec<Found>, Vec<String>)> {
    if place.is_dir() && !place.join("init.lua").is_file() {
        let listing = list(place, &Selection::default()).with_context(|| place.display().to_string())?;
        let problems = listing.problems.into_values().collect();
        return Ok((place.to_owned(), listing.scripts.into_values().collect(), problems));
    }
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    if !place.exists() {
        bail!("{}: no such file or folder", place.display());
    }
    // A folder script may be named by its init.lua.
    let place = if place.ends_with("init.lua") { parent(place) } else { place.to_owned() };
    match script_at(&place) {
        Some(found) => Ok((parent(&place), vec![found], Vec::new())),
        None => bail!("{}: not a script; a script is NAME.lua or a folder with init.lua", place.display()),
    }
}
