//! The fuzzer's entry points without the fuzzer: its corpus, and some thousand mutations of it that are the same every time.
//!
//! `bash tests/fuzz.sh` is the fuzzer itself. `UPDATE_SEEDS=1 cargo test --test fuzz` writes the seeds anew, which are made of real
//! packets and values by `seeds` of each target in `fuzz/src/targets/`.

#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use targets::{TARGETS, check};

/// How long mutations of one target's corpus are tried, at most.
const PATIENCE: Duration = Duration::from_secs(4);
const MUTATIONS: usize = 3_000;

/// The whole corpus is a small part of the repository.
const MAX_CORPUS: usize = 300 << 10;

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// The files of a target's corpus, by name.
fn corpus(target: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder(target)).expect("the target has a corpus");
    let paths = entries.map(|entry| entry.expect("a file of the corpus").path());
    paths
        .map(|path| (path.file_name().expect("a file").to_string_lossy().into_owned(), fs::read(path).expect("a file")))
        .collect()
}

/// Runs an input, and names it if it is one too many.
fn run(target: &str, name: &str, input: &[u8]) {
    let begun = Instant::now();
    let result = std::panic::catch_unwind(|| check(target, input));
    assert!(result.is_ok(), "{target}: {name} ({} bytes): {}", input.len(), hex(input));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(20), "{target}: {name} took {took:?}: {}", hex(input));
}

fn replay(target: &str) {
    let corpus = corpus(target);
    corpus.iter().for_each(|(name, input)| run(target, name, input));
    let inputs: Vec<(&String, &Vec<u8>)> = corpus.iter().collect();
    let mut random = Random(0x5eed);
    let begun = Instant::now();
    for _ in 0..MUTATIONS {
        if begun.elapsed() > PATIENCE {
            break;
        }
        let (name, input) = inputs[random.below(inputs.len())];
        let mut input = input.clone();
        for _ in 0..1 + random.below(4) {
            let (_, other) = inputs[random.below(inputs.len())];
            mutate(&mut input, other, &mut random);
        }
        run(target, name, &input);
    }
}

macro_rules! replayed {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target));
        })*

        #[test]
        fn every_target_is_replayed_here_and_run_by_the_fuzzer() {
            let replayed = [$(stringify!($target)),*];
            assert_eq!(TARGETS.map(|target| target.name), replayed);
            let script = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/Cargo.toml")).expect("a file");
            for name in replayed {
                assert!(script.contains(&format!("name = \"{name}\"")), "{name} is not among the fuzzer's");
            }
        }
    };
}

replayed! { framing faketls packet engine exchange exchange_server tl text }

#[test]
fn the_seeds_stand_in_the_corpus_as_they_are_made() {
    for target in &TARGETS {
        let folder = folder(target.name);
        let seeds = (target.seeds)();
        let stale = corpus(target.name)
            .into_keys()
            .find(|name| name.strip_prefix("seed-").is_some_and(|name| !seeds.iter().any(|(made, _)| made == name)));
        assert_eq!(stale, None, "a seed of {} that is not made any more", target.name);
        for (name, input) in seeds {
            let path = folder.join(format!("seed-{name}"));
            if std::env::var_os("UPDATE_SEEDS").is_some() {
                fs::create_dir_all(&folder).expect("a folder");
                fs::write(&path, &input).expect("a file");
            }
            let there = fs::read(&path).unwrap_or_default();
            assert!(there == input, "{} is out of date: UPDATE_SEEDS=1 writes it", path.display());
        }
    }
}

#[test]
fn the_corpus_is_small() {
    let sizes = TARGETS.iter().flat_map(|target| corpus(target.name)).map(|(_, input)| input.len());
    let total: usize = sizes.sum();
    assert!(total < MAX_CORPUS, "{total} bytes");
}

fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(input.len() + 1);
    match random.below(7) {
        0 | 1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        2 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.next() as u8;
            }
        }
        3 => input.truncate(at),
        4 => input.insert(at, random.next() as u8),
        5 => {
            let end = (at + random.below(16)).min(input.len());
            input.drain(at..end);
        }
        _ => {
            let from = random.below(other.len() + 1);
            let piece = &other[from..(from + random.below(64)).min(other.len())];
            input.splice(at..at, piece.iter().copied());
        }
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
