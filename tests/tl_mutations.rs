//! A million inputs that are almost TL: each is a value or an error, never a panic, and none makes a reader allocate more than
//! its size accounts for.

use moongram::tl::{
    BoxedType, Definition, Fields, List, Object, Raw, Reader, Tl, Type, Value, decode_object, definitions, encode,
    enums, function,
};
use std::hint::black_box;

#[allow(dead_code)]
#[path = "../src/tl/arbitrary.rs"]
mod arbitrary;

#[path = "../fuzz/src/targets/memory.rs"]
mod memory;

use memory::peak;

use arbitrary::{Heights, Source, sample};

const INPUTS: usize = 1_000_000;
const THREADS: usize = 2;

/// What a byte of input may cost: an item of a vector is 4 bytes at least and 48 as a value, an object 8 and a few values' room.
const BYTES_PER_BYTE: usize = 64;

#[test]
fn a_million_mutated_inputs_are_values_or_errors() {
    let threads: Vec<_> = (0..THREADS).map(|thread| std::thread::spawn(move || mutate(thread as u64))).collect();
    let decoded: usize = threads.into_iter().map(|thread| thread.join().expect("no input panics")).sum();
    // Both kinds have to be there for the test to say something.
    assert!((INPUTS / 100..INPUTS * 9 / 10).contains(&decoded), "{decoded} inputs were values");
}

fn mutate(thread: u64) -> usize {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ thread << 32);
    let heights = Heights::new();
    let samples: Vec<Vec<u8>> = ["updates_small", "update_cmd", "send_message", "updates_big"].map(sample).to_vec();
    let mut input = Vec::new();
    let mut original = Vec::new();
    let mut decoded = 0;
    for round in 0..INPUTS / THREADS {
        // Some mutations of each object, as making one costs more than reading it.
        match round % 1000 {
            at @ 0..4 => original.clone_from(&samples[at]),
            at if at % 8 == 4 => generated(&heights, &mut random, &mut original),
            _ => {}
        }
        input.clone_from(&original);
        for _ in 0..1 + random.below(3) {
            damage(&mut input, &mut random);
        }
        let used = peak(|| decoded += usize::from(read(&input)));
        let allowed = input.len() * BYTES_PER_BYTE + 512;
        assert!(used <= allowed, "{used} bytes for {} of input: {}", input.len(), hex(&input));
    }
    decoded
}

/// Reads bytes in every way there is. Whether they are a value.
fn read(input: &[u8]) -> bool {
    let object = decode_object(input);
    let raw = Raw::new(input);
    assert_eq!(object.is_ok(), raw.is_ok(), "{}", hex(input));
    if let Ok(Ok(fields)) = raw.map(Fields::new) {
        fields.for_each(|field| _ = black_box(field));
    }
    let _ = black_box(enums::Message::read(&mut Reader::new(input)));
    let _ = black_box(List::<enums::User>::get(&mut Reader::new(input)));
    if let Ok(enums::Updates::Updates(updates)) = enums::Updates::read(&mut Reader::new(input)) {
        // The readers have checked every item.
        assert_eq!(updates.updates.iter().count(), updates.updates.len());
        assert_eq!(updates.users.iter().count(), updates.users.len());
    }
    object.is_ok()
}

fn generated(heights: &Heights, random: &mut Random, out: &mut Vec<u8>) {
    let definition = &definitions()[random.below(definitions().len())];
    let entropy: [u8; 64] = std::array::from_fn(|_| random.next() as u8);
    out.clear();
    encode(&heights.object(definition, &mut Source(&entropy), 2), out).expect("it is complete");
}

fn damage(input: &mut Vec<u8>, random: &mut Random) {
    if input.is_empty() {
        return;
    }
    let at = random.below(input.len());
    let word = at & !3;
    match random.below(8) {
        0 => input[at] ^= 1 << random.below(8),
        1 => input[at] = random.next() as u8,
        2 => input.truncate(at),
        3 => input.insert(at, random.next() as u8),
        4 => drop(input.drain(word..(word + 4).min(input.len()))),
        // A count, a length, or a constructor that stands elsewhere.
        5 => overwrite(input, word, [0xffff_ffff, 0x7fff_ffff, 0x00ff_fffe, 0x1000, 0][random.below(5)]),
        6 => overwrite(input, word, definitions()[random.below(definitions().len())].id),
        _ => {
            let end = (word + 4 * random.below(16)).min(input.len());
            let again = input[word..end].to_vec();
            input.splice(word..word, again);
        }
    }
}

fn overwrite(input: &mut [u8], at: usize, word: u32) {
    if let Some(slot) = input.get_mut(at..at + 4) {
        slot.copy_from_slice(&word.to_le_bytes());
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
