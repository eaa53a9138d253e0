//! Scripts that attack, each beside a neighbour who must notice nothing.
//!
//! A file of `tests/hostile/` says in its first line what must be told of it: `-- expect: PART OF STDERR`. Its `/go` begins
//! the attack; `ESCAPED` in an answer means that it succeeded.

mod stage;

use std::path::Path;

use stage::{Folder, moongram};

const NEIGHBOUR: &str = "tg.command('ping', function(message) message:answer('pong') end)";
const CONFIG: &str = "[scripts.limits]\ncpu = '200ms'\nmemory = '16MiB'\n";

#[test]
fn every_attack_is_named_and_the_neighbour_notices_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut attacks: Vec<_> =
        std::fs::read_dir(folder).expect("the corpus").map(|e| e.expect("a file").path()).collect();
    attacks.sort();
    assert!(attacks.len() > 30, "the corpus is there");
    let failures: Vec<String> = attacks.iter().filter_map(|attack| survived(attack).err()).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
}

fn survived(attack: &Path) -> Result<(), String> {
    let name = attack.file_name().and_then(|name| name.to_str()).expect("a name");
    let source = std::fs::read_to_string(attack).expect("a script");
    let expected =
        source.lines().next().and_then(|line| line.strip_prefix("-- expect: ")).expect("what to expect").trim_end();
    let folder = Folder::with(&[
        (&format!("scripts/{name}"), &source),
        ("scripts/neighbour.lua", NEIGHBOUR),
        ("moongram.toml", CONFIG),
    ]);
    let mut program = moongram(&["play"], folder.path());
    program.say("/go");
    program.say("/ping");
    let (status, printed, err) = program.finish();
    let escaped = printed.iter().any(|line| line.contains("ESCAPED"));
    if !status.success() || escaped || printed != ["bot: pong"] || !err.contains(expected) {
        return Err(format!("{name}: {status}, printed {printed:?}, expected {expected:?} in:\n{err}"));
    }
    Ok(())
}
