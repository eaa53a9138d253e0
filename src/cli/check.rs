//! `moongram check`: loads scripts without connecting.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::log;
use crate::host::config::Config;
use crate::host::{Found, Selection, list, script_at, spec};
use crate::lua;
use std::sync::Arc;

#[derive(Args)]
#[command(after_help = "Example:  moongram check scripts/hello.lua\n\
    Prints file:line: message for each fault; 0 if there is none, 1 otherwise.")]
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
    let folder = config.path(&config.scripts.folder);
    let mut scripts = Vec::new();
    let mut faults = 0;
    let places = if options.files.is_empty() { vec![folder] } else { options.files };
    for place in places {
        let (folder, found, problems) = scripts_at(&place)?;
        for problem in problems {
            println!("{}: {problem}", folder.display());
            faults += 1;
        }
        scripts.extend(found.into_iter().map(|found| (folder.clone(), found)));
    }
    for (folder, found) in &scripts {
        for diagnostic in lua::check(Arc::new(spec(&config, folder, found))).await {
            let line = diagnostic.line.map_or(String::new(), |line| format!("{line}:"));
            println!("{}:{line} {}", diagnostic.file, diagnostic.message);
            faults += 1;
        }
    }
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    eprintln!("{} checked, {}", plural(scripts.len(), "script"), plural(faults, "fault"));
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
