//! AES-256 in counter mode: the obfuscated transport, and files from CDNs.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};

/// How many blocks of key stream are made at a time: what the block cipher works on side by side.
const AHEAD: usize = 16;

/// AES-256-CTR with a big-endian counter of 128 bits. The position in the key stream is kept between calls, so a stream
/// may come in pieces of any size. Encryption and decryption are the same operation.
#[derive(Clone)]
pub struct Ctr {
    cipher: Aes256,
    counter: u128,
    stream: [u8; 16 * AHEAD],
    used: usize,
}

impl Ctr {
    pub fn new(key: &[u8; 32], iv: &[u8; 16]) -> Ctr {
        Ctr {
            cipher: Aes256::new(key.into()),
            counter: u128::from_be_bytes(*iv),
            stream: [0; 16 * AHEAD],
            used: 16 * AHEAD,
        }
    }

    /// Encrypts or decrypts the next `data.len()` bytes of the stream in place.
    pub fn apply(&mut self, mut data: &mut [u8]) {
        while !data.is_empty() {
            if self.used == self.stream.len() {
                self.refill();
            }
            let now = data.len().min(self.stream.len() - self.used);
            let (head, tail) = data.split_at_mut(now);
            for (byte, key) in head.iter_mut().zip(&self.stream[self.used..]) {
                *byte ^= key;
            }
            self.used += now;
            data = tail;
        }
    }

    fn refill(&mut self) {
        let mut blocks: [Block<Aes256>; AHEAD] =
            std::array::from_fn(|ahead| self.counter.wrapping_add(ahead as u128).to_be_bytes().into());
        self.cipher.encrypt_blocks(&mut blocks);
        for (stream, block) in self.stream.chunks_exact_mut(16).zip(&blocks) {
            stream.copy_from_slice(block);
        }
        self.counter = self.counter.wrapping_add(AHEAD as u128);
        self.used = 0;
    }
}

impl std::fmt::Debug for Ctr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ctr(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hex::{array, bytes};

    // NIST SP 800-38A, F.5.5.
    const KEY: &str = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
    const COUNTER: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
    const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51
                         30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
    const CIPHER: &str = "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5
                          2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6";

    #[test]
    fn the_nist_vector_holds_for_every_way_to_cut_the_stream() {
        for step in 1..=64 {
            let mut ctr = Ctr::new(&array(KEY), &array(COUNTER));
            let mut data = bytes(PLAIN);
            data.chunks_mut(step).for_each(|piece| ctr.apply(piece));
            assert_eq!(data, bytes(CIPHER), "pieces of {step}");
        }
    }

    #[test]
    fn the_counter_wraps_at_its_end() {
        let mut wrapped = [0; 32];
        Ctr::new(&array(KEY), &[0xff; 16]).apply(&mut wrapped);
        let mut zero = [0; 16];
        Ctr::new(&array(KEY), &[0; 16]).apply(&mut zero);
        assert_eq!(wrapped[16..], zero);
    }

    #[test]
    fn applying_twice_gives_the_plaintext_back() {
        let mut data = vec![7; 1000];
        Ctr::new(&array(KEY), &array(COUNTER)).apply(&mut data);
        assert_ne!(data, vec![7; 1000]);
        Ctr::new(&array(KEY), &array(COUNTER)).apply(&mut data);
        assert_eq!(data, vec![7; 1000]);
    }
}
