//! AES-256 in infinite garble extension mode, MTProto's.
//!
//! `c[i] = E(m[i] ^ c[i-1]) ^ m[i-1]`, with `iv = c[-1] ‖ m[-1]`; see
//! <https://core.telegram.org/mtproto/description#defining-aes-key-and-initialization-vector>.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

use super::x86::Aesni;

/// Encrypts `data` in place.
///
/// # Panics
/// If the length of `data` is not a multiple of 16: a caller pads first.
pub fn ige_encrypt(key: &[u8; 32], iv: &[u8; 32], data: &mut [u8]) {
    assert!(data.len().is_multiple_of(16), "IGE works on whole blocks");
    match Aesni::detect() {
        Some(aesni) => aesni.ige_encrypt(key, iv, data),
        None => portable_encrypt(key, iv, data),
    }
}

/// Decrypts `data` in place.
///
/// # Panics
/// If the length of `data` is not a multiple of 16: a caller checks what came from outside.
pub fn ige_decrypt(key: &[u8; 32], iv: &[u8; 32], data: &mut [u8]) {
    assert!(data.len().is_multiple_of(16), "IGE works on whole blocks");
    match Aesni::detect() {
        Some(aesni) => aesni.ige_decrypt(key, iv, data),
        None => portable_decrypt(key, iv, data),
    }
}

pub(super) fn portable_encrypt(key: &[u8; 32], iv: &[u8; 32], data: &mut [u8]) {
    let cipher = Aes256::new(key.into());
    run(iv, data, false, |block| cipher.encrypt_block(block.into()));
}

pub(super) fn portable_decrypt(key: &[u8; 32], iv: &[u8; 32], data: &mut [u8]) {
    let cipher = Aes256::new(key.into());
    run(iv, data, true, |block| cipher.decrypt_block(block.into()));
}

/// Decryption is encryption with the halves of `iv` in each other's place.
fn run(iv: &[u8; 32], data: &mut [u8], swapped: bool, cipher: impl Fn(&mut [u8; 16])) {
    let half = |at: usize| u128::from_ne_bytes(std::array::from_fn(|i| iv[at + i]));
    let (mut before, mut after) = if swapped { (half(16), half(0)) } else { (half(0), half(16)) };
    for block in data.as_chunks_mut::<16>().0 {
        let input = u128::from_ne_bytes(*block);
        *block = (input ^ before).to_ne_bytes();
        cipher(block);
        let output = u128::from_ne_bytes(*block) ^ after;
        *block = output.to_ne_bytes();
        (before, after) = (output, input);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hex::{array, bytes, sample};
    use crate::crypto::{Random, SeededRandom};

    /// What the fast path must agree with.
    fn check(key: &str, iv: &str, plain: &str, cipher: &str) {
        let (key, iv) = (array(key), array(iv));
        for (encrypt, decrypt) in [
            (ige_encrypt as fn(&_, &_, &mut _), ige_decrypt as fn(&_, &_, &mut _)),
            (portable_encrypt, portable_decrypt),
        ] {
            let mut data = bytes(plain);
            encrypt(&key, &iv, &mut data);
            assert_eq!(data, bytes(cipher));
            decrypt(&key, &iv, &mut data);
            assert_eq!(data, bytes(plain));
        }
    }

    #[test]
    fn one_block_with_a_zero_iv_is_the_nist_aes_256_vector() {
        // FIPS 197, C.3.
        check(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            &"00".repeat(32),
            "00112233445566778899aabbccddeeff",
            "8ea2b7ca516745bfeafc49904b496089",
        );
    }

    #[test]
    fn the_answer_of_the_published_exchange_is_the_encrypted_answer() {
        const EXCHANGE: &str = "auth_key_exchange.txt";
        check(
            &sample(EXCHANGE, "tmp_aes_key"),
            &sample(EXCHANGE, "tmp_aes_iv"),
            &sample(EXCHANGE, "answer_with_hash"),
            &sample(EXCHANGE, "encrypted_answer"),
        );
    }

    #[test]
    fn one_block_of_the_nist_modes_document_comes_out_too() {
        // SP 800-38A, F.1.5: with an iv of zeros the first block of IGE is that of ECB.
        check(
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            &"00".repeat(32),
            "6bc1bee22e409f96e93d7e117393172a",
            "f3eed1bdb5d2a03c064b5a7e3db181f8",
        );
    }

    #[test]
    fn the_fast_path_agrees_with_the_aes_crate_on_every_length() {
        let mut random = SeededRandom::new(3);
        let (mut key, mut iv) = ([0; 32], [0; 32]);
        for blocks in (0..70).chain([255, 256, 257, 4096]) {
            random.fill(&mut key);
            random.fill(&mut iv);
            let mut plain = vec![0; 16 * blocks];
            random.fill(&mut plain);
            let (mut ours, mut theirs) = (plain.clone(), plain.clone());
            ige_encrypt(&key, &iv, &mut ours);
            portable_encrypt(&key, &iv, &mut theirs);
            assert!(ours == theirs, "encrypting {blocks} blocks");
            ige_decrypt(&key, &iv, &mut ours);
            assert!(ours == plain, "decrypting {blocks} blocks");
            portable_decrypt(&key, &iv, &mut theirs);
            assert!(theirs == plain, "decrypting {blocks} blocks with the aes crate");
        }
    }
}
