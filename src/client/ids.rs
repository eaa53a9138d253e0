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
        // The high half of a 128-bit product mixes every bit of the input; folded back, so does the low one.
        let product = u128::from(self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl IdHash {
    /// A fingerprint of some bytes, to tell quickly that they are the same as last time.
    pub fn fingerprint(self, bytes: &[u8]) -> u64 {
        let mut hasher = self.build_hasher();
        hasher.write_u64(bytes.len() as u64);
        hasher.write(bytes);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_and_only_those_have_equal_fingerprints() {
        let hash = IdHash::default();
        let bytes: Vec<u8> = (0..100).collect();
        let reference = hash.fingerprint(&bytes);
        assert_eq!(reference, hash.fingerprint(&bytes.clone()));
        for i in 0..bytes.len() {
            let mut other = bytes.clone();
            other[i] ^= 1;
            assert_ne!(reference, hash.fingerprint(&other), "byte {i}");
            assert_ne!(reference, hash.fingerprint(&bytes[..i]), "length {i}");
        }
    }

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
