//! Where random bytes come from.

/// A source of random bytes. Everything in the lower layers that needs chance takes one as an argument, so that a test
/// can repeat a run exactly.
pub trait Random {
    /// Fills all of `buf`.
    fn fill(&mut self, buf: &mut [u8]);

    fn u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn i64(&mut self) -> i64 {
        self.u64() as i64
    }
}

impl<R: Random + ?Sized> Random for Box<R> {
    fn fill(&mut self, buf: &mut [u8]) {
        (**self).fill(buf);
    }
}

/// How many bytes one system call brings: enough for the padding of some two hundred messages.
const POOL: usize = 4096;

/// The operating system's randomness, fetched in pools so that a message costs no system call. For keys.
///
/// Bytes are wiped from the pool as they are handed out.
pub struct SystemRandom {
    pool: Box<[u8; POOL]>,
    used: usize,
}

impl SystemRandom {
    pub fn new() -> SystemRandom {
        SystemRandom { pool: Box::new([0; POOL]), used: POOL }
    }
}

impl Default for SystemRandom {
    fn default() -> SystemRandom {
        SystemRandom::new()
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, buf: &mut [u8]) {
        if buf.len() > POOL - self.used {
            if buf.len() >= POOL / 4 {
                return from_system(buf);
            }
            from_system(&mut self.pool[..]);
            self.used = 0;
        }
        let from = &mut self.pool[self.used..self.used + buf.len()];
        buf.copy_from_slice(from);
        from.fill(0);
        self.used += buf.len();
    }
}

fn from_system(buf: &mut [u8]) {
    #[cfg(test)]
    tests::SYSTEM_CALLS.with(|calls| calls.set(calls.get() + 1));
    // Without randomness no key is safe, and there is nothing a caller could do instead.
    getrandom::fill(buf).expect("the operating system gives random bytes");
}

/// Bytes that repeat for one seed (xoshiro256++). For tests and deterministic runs: never for a key that protects
/// anything.
pub struct SeededRandom {
    state: [u64; 4],
}

impl SeededRandom {
    pub fn new(seed: u64) -> SeededRandom {
        // SplitMix64 spreads the seed, as the generator's authors advise; its outputs are never all zero.
        let mut mixed = seed;
        let state = std::array::from_fn(|_| {
            mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = mixed;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        SeededRandom { state }
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        result
    }
}

impl Random for SeededRandom {
    fn fill(&mut self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        pub static SYSTEM_CALLS: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn the_padding_of_a_hundred_messages_costs_one_system_call() {
        let before = SYSTEM_CALLS.with(Cell::get);
        let mut random = SystemRandom::new();
        for _ in 0..100 {
            // The longest that a message gets.
            random.fill(&mut [0; 27]);
        }
        assert_eq!(SYSTEM_CALLS.with(Cell::get) - before, 1);
    }

    #[test]
    fn one_seed_gives_one_sequence_and_another_seed_another() {
        let bytes = |seed| {
            let mut buf = [0; 100];
            SeededRandom::new(seed).fill(&mut buf);
            buf
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn the_generator_is_xoshiro256_plus_plus() {
        // The first outputs for the state 1, 2, 3, 4, as the reference implementation gives them.
        let mut random = SeededRandom { state: [1, 2, 3, 4] };
        let first: Vec<u64> = (0..4).map(|_| random.u64()).collect();
        assert_eq!(first, [41943041, 58720359, 3588806011781223, 3591011842654386]);
    }

    #[test]
    fn system_bytes_do_not_repeat_across_the_edge_of_the_pool() {
        let mut random = SystemRandom::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..2000 {
            let mut bytes = [0; 24];
            random.fill(&mut bytes);
            assert!(seen.insert(bytes));
        }
    }

    #[test]
    fn a_request_larger_than_the_pool_is_filled() {
        let mut bytes = vec![0; 3 * POOL];
        SystemRandom::new().fill(&mut bytes);
        assert!(bytes.rchunks(64).all(|chunk| chunk.iter().any(|&byte| byte != 0)));
    }
}
