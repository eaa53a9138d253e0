//! The entry points of the fuzzer, and of `tests/fuzz.rs`, which replays the corpus through them.
//!
//! Each target takes any bytes. What it finds wrong it panics about: not only what must not happen anywhere (an overflow, an index
//! out of bounds, memory that the input does not account for), but also what its own story promises.

mod engine;
mod exchange;
mod exchange_server;
mod faketls;
mod framing;
mod input;
pub mod memory;
mod packet;
mod text;
mod tl;

/// A way to give bytes to the code under test.
pub struct Target {
    /// Of the file in `fuzz_targets/` and of the folder in `corpus/`.
    pub name: &'static str,
    /// Returns how much memory, beyond what `memory` says, the input accounts for: what it unpacks to.
    pub run: fn(&[u8]) -> usize,
    /// Inputs that go far: made of real packets and values. They stand in the corpus by their names.
    pub seeds: fn() -> Vec<(String, Vec<u8>)>,
    /// The most memory that may be in use at once: so much, and so many bytes a byte of input.
    pub memory: (usize, usize),
}

pub const TARGETS: [Target; 8] = [
    framing::TARGET,
    faketls::TARGET,
    packet::TARGET,
    engine::TARGET,
    exchange::TARGET,
    exchange_server::TARGET,
    tl::TARGET,
    text::TARGET,
];

/// Runs one input through the target of this name, and looks at what memory it took.
pub fn check(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    let mut accounted = 0;
    let used = memory::peak(|| accounted = (target.run)(input));
    let (base, per_byte) = target.memory;
    let allowed = base + input.len() * per_byte + accounted;
    assert!(used <= allowed, "{used} bytes of memory for {} of input; {allowed} would be accounted for", input.len());
}
