//! Maps by Telegram id, looked up for every update: a multiplication in place of SipHash, seeded per process so that the
//! server cannot choose ids that collide.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

pub(super) type IdMap<V> = HashMap<i64, V, IdHash>;

#[derive(Clone, Copy)]
pub(super) struct IdHash {
    seed: u64,
}

impl Default for IdHash {
    fn default() -> IdHash {
        IdHash { seed: RandomState::new().hash_one(0u64) }
    }
}

impl BuildHasher for IdHash {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher(self.seed)
    }
}

pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.write_u64(u64::from_le_bytes(chunk.try_into().expect("chunks of eight")));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.write_u64(u64::from_le_bytes(last) ^ (rest.len() as u64) << 56);
        }
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        // The high half of a product mixes the upper bits of the input, the low half the lower ones.
        let product = u128::from(self.0 ^ value) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_one_apart_spread_over_the_buckets() {
        let hash = IdHash::default();
        let mut buckets = [0; 64];
        for id in 1_000_000_000i64..1_000_006_400 {
            buckets[(hash.hash_one(id) & 63) as usize] += 1;
        }
        assert!(buckets.iter().all(|count| (30..300).contains(count)), "{buckets:?}");
    }
}
