//! What the cryptography costs, beside the `aes` crate, grammers, and the least that IGE can cost on this processor.
//!
//! `taskset -c 0 cargo bench --bench crypto`. After criterion's own lines comes a table of ratios, and what of that is less than we
//! ask for; each number is the CPU time of the fastest sample, which a busy machine disturbs least.

mod cpu;

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use bytes::BytesMut;
use cpu::{CpuTime, thread_time};
use criterion::Criterion;
use grammers_crypto::DequeBuffer;
use moongram::crypto::{
    AuthKey, Direction, PACKET_HEADER, SeededRandom, SystemRandom, decrypt_message, dh, encrypt_message, factorize,
    ige_decrypt, ige_encrypt,
};

const KEY: [u8; 32] = [0x42; 32];
const IV: [u8; 32] = [0x17; 32];

/// The fastest sample of each measurement, in nanoseconds for one run.
#[derive(Default)]
struct Samples(RefCell<Vec<(String, f64)>>);

impl Samples {
    /// Measures `run`, which gets a fresh value from `prepare` each time; only `run` is timed. `bytes` is the size of
    /// one value, which bounds how many are prepared ahead.
    fn measure<T>(
        &self,
        criterion: &mut Criterion<CpuTime>,
        name: &str,
        bytes: usize,
        mut prepare: impl FnMut() -> T,
        mut run: impl FnMut(&mut T),
    ) {
        let ahead = (1 << 18) / bytes.max(64) + 1;
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|runs| {
                let mut total = Duration::ZERO;
                let mut left = runs as usize;
                while left > 0 {
                    let mut values: Vec<T> = (0..left.min(ahead)).map(|_| prepare()).collect();
                    left -= values.len();
                    let start = thread_time();
                    values.iter_mut().for_each(&mut run);
                    total += thread_time() - start;
                    black_box(&values);
                }
                self.keep(name, total.as_secs_f64() * 1e9 / runs as f64);
                total
            });
        });
    }

    fn keep(&self, name: &str, nanoseconds: f64) {
        let mut samples = self.0.borrow_mut();
        match samples.iter_mut().find(|(known, _)| known == name) {
            Some((_, best)) => *best = best.min(nanoseconds),
            None => samples.push((name.to_owned(), nanoseconds)),
        }
    }

    fn get(&self, name: &str) -> Option<f64> {
        self.0.borrow().iter().find(|(known, _)| known == name).map(|(_, best)| *best)
    }

    /// `other / ours`: how many times as fast ours is.
    fn times(&self, ours: &str, other: &str) -> Option<f64> {
        Some(self.get(other)? / self.get(ours)?)
    }

    fn ratio(&self, ours: &str, other: &str) -> String {
        self.times(ours, other).map_or("-".to_owned(), |times| format!("{times:.2}"))
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1000))
        .sample_size(50)
        .configure_from_args();
    let samples = Samples::default();
    bound(&mut criterion, &samples);
    ige(&mut criterion, &samples);
    message(&mut criterion, &samples);
    exchange(&mut criterion, &samples);
    criterion.final_summary();
    table(&samples);
    verdict(&samples);
}

const SIZES: [(usize, &str); 2] = [(1 << 10, "1 KiB"), (64 << 10, "64 KiB")];
const MESSAGES: [(usize, &str); 2] = [(200, "200 B"), (512 << 10, "512 KiB")];

/// Blocks of 14 dependent `aesenc`: what IGE cannot do without.
#[cfg(target_arch = "x86_64")]
fn bound(criterion: &mut Criterion<CpuTime>, samples: &Samples) {
    use std::arch::x86_64::*;

    #[target_feature(enable = "aes")]
    fn chain(blocks: usize) -> __m128i {
        let key = black_box(_mm_set1_epi8(7));
        let mut state = black_box(_mm_set1_epi8(1));
        for _ in 0..blocks {
            for _ in 0..14 {
                state = _mm_aesenc_si128(state, key);
            }
        }
        state
    }

    if !std::arch::is_x86_feature_detected!("aes") {
        return;
    }
    samples.measure(
        criterion,
        "bound/64 KiB",
        64 << 10,
        || (),
        |_| {
            // SAFETY: the feature was asked for above.
            black_box(unsafe { chain((64 << 10) / 16) });
        },
    );
}

#[cfg(not(target_arch = "x86_64"))]
fn bound(_: &mut Criterion<CpuTime>, _: &Samples) {}

fn ige(criterion: &mut Criterion<CpuTime>, samples: &Samples) {
    for (size, label) in SIZES {
        let data = || vec![0x5a_u8; size];
        let mut run = |name: &str, work: fn(&mut [u8])| {
            samples.measure(criterion, &format!("ige {name}/{label}"), size, data, |data| work(data));
        };
        run("encrypt", |data| ige_encrypt(&KEY, &IV, data));
        run("encrypt, aes crate", |data| {
            let cipher = Aes256::new(&KEY.into());
            plain_ige(&IV, data, |block| cipher.encrypt_block(block.into()));
        });
        run("encrypt, grammers", |data| grammers_crypto::aes::ige_encrypt(data, &KEY, &IV));
        run("decrypt", |data| ige_decrypt(&KEY, &IV, data));
        run("decrypt, aes crate", |data| {
            let cipher = Aes256::new(&KEY.into());
            plain_ige(&IV, data, |block| cipher.decrypt_block(block.into()));
        });
        run("decrypt, grammers", |data| grammers_crypto::aes::ige_decrypt(data, &KEY, &IV));
    }
}

/// IGE as one writes it with a block cipher at hand. (The halves of the iv are not exchanged for decryption: the cost is
/// the same.)
fn plain_ige(iv: &[u8; 32], data: &mut [u8], cipher: impl Fn(&mut [u8; 16])) {
    let half = |at: usize| u128::from_ne_bytes(std::array::from_fn(|i| iv[at + i]));
    let (mut before, mut after) = (half(0), half(16));
    for block in data.as_chunks_mut::<16>().0 {
        let input = u128::from_ne_bytes(*block);
        *block = (input ^ before).to_ne_bytes();
        cipher(block);
        let output = u128::from_ne_bytes(*block) ^ after;
        *block = output.to_ne_bytes();
        (before, after) = (output, input);
    }
}

fn message(criterion: &mut Criterion<CpuTime>, samples: &Samples) {
    let bytes: [u8; 256] = std::array::from_fn(|i| i as u8);
    let (ours, theirs) = (AuthKey::new(bytes), grammers_crypto::AuthKey::from_bytes(bytes));
    for (size, label) in MESSAGES {
        // Salt to length, then the body; `size` counts all of it.
        let mut plaintext = vec![0x5a; size];
        plaintext[28..32].copy_from_slice(&(size as u32 - 32).to_le_bytes());

        let mut random = SystemRandom::new();
        let fresh = || {
            let mut packet = BytesMut::with_capacity(PACKET_HEADER + size + 32);
            packet.resize(PACKET_HEADER, 0);
            packet.extend_from_slice(&plaintext);
            packet
        };
        samples.measure(criterion, &format!("message encrypt/{label}"), size, fresh, |packet| {
            encrypt_message(&ours, Direction::ToServer, packet, &mut random);
        });
        let fresh = || {
            let mut buffer = DequeBuffer::with_capacity(size + 32, PACKET_HEADER);
            buffer.extend(&plaintext);
            buffer
        };
        samples.measure(criterion, &format!("message encrypt, grammers/{label}"), size, fresh, |buffer| {
            grammers_crypto::encrypt_data_v2(buffer, &theirs);
        });

        let mut packet = BytesMut::zeroed(PACKET_HEADER);
        packet.extend_from_slice(&plaintext);
        encrypt_message(&ours, Direction::ToClient, &mut packet, &mut SeededRandom::new(1));
        let fresh = || packet.clone();
        samples.measure(criterion, &format!("message decrypt/{label}"), size, fresh, |packet| {
            black_box(decrypt_message(&ours, Direction::ToClient, packet).expect("our own packet"));
        });
        samples.measure(criterion, &format!("message decrypt, grammers/{label}"), size, fresh, |packet| {
            black_box(grammers_crypto::decrypt_data_v2(packet, &theirs).expect("our own packet"));
        });
    }
}

fn exchange(criterion: &mut Criterion<CpuTime>, samples: &Samples) {
    let products: Vec<u64> =
        include_str!("../tests/samples/pq.txt").lines().map(|line| line.parse().expect("a number a line")).collect();
    // Each sample on its own: their costs differ by a factor of ten, and a short run is less disturbed than a long one.
    type Factorize = fn(u64) -> Option<(u64, u64)>;
    let ours: Factorize = factorize;
    let theirs: Factorize = |pq| Some(grammers_crypto::factorize(pq));
    for (name, factorize) in [("pq", ours), ("pq, grammers", theirs)] {
        for (i, &pq) in products.iter().enumerate() {
            let name = format!("{name}/{i}");
            samples.measure(criterion, &name, 1 << 14, || (), |_| _ = black_box(factorize(black_box(pq))));
        }
    }
    let exponent = [0xd5; 256];
    let base = [0x2c; 256];
    samples.measure(
        criterion,
        "modpow 2048",
        1 << 18,
        || (),
        |_| {
            black_box(dh::modpow(&base, &exponent, &dh::DH_PRIME));
        },
    );
}

fn table(samples: &Samples) {
    println!("\n{:<26} {:>9} {:>9} {:>10} {:>12}", "", "ours", "of bound", "aes crate", "grammers");
    let bound = samples.get("bound/64 KiB").map(|ns| ns / 65536.0);
    if let Some(bound) = bound {
        println!("{:<26} {:>4.3} GB/s", "bound of 14 aesenc", 1.0 / bound);
    }
    for (size, label) in SIZES {
        for work in ["encrypt", "decrypt"] {
            let name = format!("ige {work}/{label}");
            let Some(ours) = samples.get(&name) else {
                continue;
            };
            let of_bound = bound.map_or("-".to_owned(), |bound| format!("{:.3}", bound * size as f64 / ours));
            println!(
                "{name:<26} {:>4.3} GB/s {of_bound:>7} {:>9}x {:>11}x",
                size as f64 / ours,
                samples.ratio(&name, &format!("ige {work}, aes crate/{label}")),
                samples.ratio(&name, &format!("ige {work}, grammers/{label}")),
            );
        }
    }
    for (_, label) in MESSAGES {
        for work in ["encrypt", "decrypt"] {
            let name = format!("message {work}/{label}");
            let Some(ours) = samples.get(&name) else {
                continue;
            };
            let ratio = samples.ratio(&name, &format!("message {work}, grammers/{label}"));
            println!("{name:<26} {:>9.3} µs {ratio:>29}x", ours / 1e3);
        }
    }
    let mean = |name: &str| {
        let each: Vec<f64> = (0..).map_while(|i| samples.get(&format!("{name}/{i}"))).collect();
        (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64)
    };
    if let (Some(ours), Some(theirs)) = (mean("pq"), mean("pq, grammers")) {
        println!("{:<26} {:>9.3} ms {:>29.2}x", "pq, mean of the samples", ours / 1e6, theirs / ours);
    }
    if let Some(ours) = samples.get("modpow 2048") {
        println!("{:<26} {:>9.3} ms", "modpow 2048", ours / 1e6);
    }
}

/// What we ask of ourselves, where there is AES-NI: nearly all of the bound, and a multiple of grammers.
fn verdict(samples: &Samples) {
    let bound =
        |name: &str, size: usize| Some(samples.get("bound/64 KiB")? * (size as f64 / 65536.0) / samples.get(name)?);
    let mut asked: Vec<(String, f64, Option<f64>)> = Vec::new();
    for (size, label) in SIZES {
        for work in ["encrypt", "decrypt"] {
            let name = format!("ige {work}/{label}");
            let grammers = samples.times(&name, &format!("ige {work}, grammers/{label}"));
            asked.push((format!("{name}, of the bound"), 0.95, bound(&name, size)));
            asked.push((format!("{name}, times grammers"), 2.0, grammers));
        }
    }
    for (work, label, least) in [("encrypt", "200 B", 2.0), ("decrypt", "200 B", 1.4), ("decrypt", "512 KiB", 2.5)] {
        let name = format!("message {work}/{label}");
        let grammers = samples.times(&name, &format!("message {work}, grammers/{label}"));
        asked.push((format!("{name}, times grammers"), least, grammers));
    }
    println!();
    for (what, least, got) in asked {
        match got {
            Some(got) if got < least => println!("MISSED  {what}: {got:.3} of {least}"),
            Some(got) => println!("met     {what}: {got:.3} of {least}"),
            None => println!("not measured: {what}"),
        }
    }
}
