//! RSA as MTProto uses it: keys of 2048 bits, known by their fingerprints, and the padding of
//! <https://core.telegram.org/mtproto/auth_key#41-rsa-paddata-server-public-key-mentioned-above-is-implemented-as-follows>.

use num_bigint::BigUint;
use subtle::ConstantTimeEq;

pub use super::der::KeyError;
use super::der::{Der, pem};
use super::hash::{sha1, sha256};
use super::ige::{ige_decrypt, ige_encrypt};
use super::random::Random;

/// The most that [`RsaPublicKey::encrypt_pad`] takes.
pub const MAX_DATA: usize = 144;
/// What RSA_PAD makes of the data: the data and random bytes after it.
const PADDED: usize = 192;

/// A ciphertext that this key's owner must refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RsaError {
    #[error("the data has {0} bytes; RSA_PAD takes at most 144")]
    TooLong(usize),
    #[error("the encrypted data has {0} bytes instead of 256")]
    WrongLength(usize),
    #[error("the encrypted data is not below the modulus")]
    OutOfRange,
    #[error("the hash inside the decrypted data is wrong")]
    WrongHash,
}

/// A server's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaPublicKey {
    n: BigUint,
    e: BigUint,
    fingerprint: i64,
}

impl RsaPublicKey {
    /// Reads `RSA PUBLIC KEY` (PKCS#1) or `PUBLIC KEY` (SubjectPublicKeyInfo).
    pub fn from_pem(text: &str) -> Result<RsaPublicKey, KeyError> {
        let (label, bytes) = pem(text)?;
        match label {
            "RSA PUBLIC KEY" => RsaPublicKey::from_pkcs1(&bytes),
            "PUBLIC KEY" => RsaPublicKey::from_spki(&bytes),
            _ => Err(KeyError::WrongLabel),
        }
    }

    fn from_pkcs1(bytes: &[u8]) -> Result<RsaPublicKey, KeyError> {
        let mut outer = Der::new(bytes);
        let mut key = outer.sequence()?;
        let (n, e) = (key.unsigned()?, key.unsigned()?);
        key.end()?;
        outer.end()?;
        RsaPublicKey::new(n, e)
    }

    fn from_spki(bytes: &[u8]) -> Result<RsaPublicKey, KeyError> {
        let mut outer = Der::new(bytes);
        let mut info = outer.sequence()?;
        info.rsa_algorithm()?;
        let key = info.bit_string()?;
        info.end()?;
        outer.end()?;
        RsaPublicKey::from_pkcs1(key.bytes())
    }

    /// A key from the big-endian bytes of modulus and exponent.
    fn new(n: &[u8], e: &[u8]) -> Result<RsaPublicKey, KeyError> {
        let fingerprint = fingerprint(n, e);
        let (n, e) = (BigUint::from_bytes_be(n), BigUint::from_bytes_be(e));
        if n.bits() != 2048 {
            return Err(KeyError::WrongSize(n.bits()));
        }
        // An even exponent has no inverse, 1 encrypts nothing, and no one uses more than 32 bits.
        if !e.bit(0) || !(2..=32).contains(&e.bits()) {
            return Err(KeyError::WrongExponent);
        }
        Ok(RsaPublicKey { n, e, fingerprint })
    }

    /// The 64 lower bits of the SHA-1 of the key in TL, by which a server names its keys.
    ///
    /// <https://core.telegram.org/mtproto/auth_key#dh-exchange-initiation>
    pub fn fingerprint(&self) -> i64 {
        self.fingerprint
    }

    /// RSA_PAD: encrypts up to 144 bytes so that a change of any bit spoils all of them.
    pub fn encrypt_pad(&self, data: &[u8], random: &mut dyn Random) -> Result<[u8; 256], RsaError> {
        if data.len() > MAX_DATA {
            return Err(RsaError::TooLong(data.len()));
        }
        let mut padded = [0; PADDED];
        let (head, tail) = padded.split_at_mut(data.len());
        head.copy_from_slice(data);
        random.fill(tail);
        loop {
            let mut temp_key = [0; 32];
            random.fill(&mut temp_key);
            let number = pad(&padded, &temp_key);
            // A number that is not below the modulus would not come back: another temp_key gives another number.
            if let Some(encrypted) = self.raw(&number) {
                return Ok(encrypted);
            }
        }
    }

    /// `number ^ e mod n` for what is padded already, or None where `number` is not below the modulus.
    pub(crate) fn raw(&self, number: &[u8; 256]) -> Option<[u8; 256]> {
        let number = BigUint::from_bytes_be(number);
        (number < self.n).then(|| to_bytes(&number.modpow(&self.e, &self.n)))
    }
}

/// A server's key pair: what a local server decrypts the start of an exchange with.
///
/// The exponentiation is not constant in time. It is for a server on one's own machine, whose key protects nothing.
#[derive(Clone)]
pub struct RsaPrivateKey {
    public: RsaPublicKey,
    d: BigUint,
}

impl RsaPrivateKey {
    /// Reads `RSA PRIVATE KEY` (PKCS#1) or `PRIVATE KEY` (PKCS#8), without a passphrase.
    pub fn from_pem(text: &str) -> Result<RsaPrivateKey, KeyError> {
        let (label, bytes) = pem(text)?;
        match label {
            "RSA PRIVATE KEY" => RsaPrivateKey::from_pkcs1(&bytes),
            "PRIVATE KEY" => RsaPrivateKey::from_pkcs8(&bytes),
            _ => Err(KeyError::WrongLabel),
        }
    }

    fn from_pkcs1(bytes: &[u8]) -> Result<RsaPrivateKey, KeyError> {
        let mut outer = Der::new(bytes);
        let mut key = outer.sequence()?;
        version_zero(&mut key)?;
        let public = RsaPublicKey::new(key.unsigned()?, key.unsigned()?)?;
        let d = BigUint::from_bytes_be(key.unsigned()?);
        // The primes and their exponents: a faster way that we do not take.
        for _ in 0..5 {
            key.unsigned()?;
        }
        key.end()?;
        outer.end()?;

        // One number there and back shows that d belongs to n and e.
        let private = RsaPrivateKey { public, d };
        let probe: [u8; 256] = std::array::from_fn(|i| i as u8);
        match private.public.raw(&probe) {
            Some(encrypted) if private.decrypt(&encrypted) == Ok(probe) => Ok(private),
            _ => Err(KeyError::WrongExponent),
        }
    }

    fn from_pkcs8(bytes: &[u8]) -> Result<RsaPrivateKey, KeyError> {
        let mut outer = Der::new(bytes);
        let mut info = outer.sequence()?;
        version_zero(&mut info)?;
        info.rsa_algorithm()?;
        // Attributes may follow, which say nothing about the key.
        let key = info.octet_string()?;
        outer.end()?;
        RsaPrivateKey::from_pkcs1(key.bytes())
    }

    pub fn public(&self) -> &RsaPublicKey {
        &self.public
    }

    /// Undoes [`RsaPublicKey::encrypt_pad`]: the data, and after it the random bytes that fill it up to 192.
    pub fn decrypt_pad(&self, encrypted: &[u8]) -> Result<[u8; 192], RsaError> {
        rsa_unpad(&self.decrypt(encrypted)?)
    }

    /// `encrypted ^ d mod n`, for what is padded otherwise.
    pub fn decrypt(&self, encrypted: &[u8]) -> Result<[u8; 256], RsaError> {
        if encrypted.len() != 256 {
            return Err(RsaError::WrongLength(encrypted.len()));
        }
        let number = BigUint::from_bytes_be(encrypted);
        if number >= self.public.n {
            return Err(RsaError::OutOfRange);
        }
        Ok(to_bytes(&number.modpow(&self.d, &self.public.n)))
    }
}

impl std::fmt::Debug for RsaPrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RsaPrivateKey({:016x})", self.public.fingerprint)
    }
}

/// The number that RSA_PAD makes of padded data and a random key.
fn pad(data: &[u8; PADDED], temp_key: &[u8; 32]) -> [u8; 256] {
    let mut number = [0; 256];
    let (key, rest) = number.split_at_mut(32);
    let (reversed, hash) = rest.split_at_mut(PADDED);
    reversed.copy_from_slice(data);
    reversed.reverse();
    hash.copy_from_slice(&sha256(&[temp_key, data]));
    ige_encrypt(temp_key, &[0; 32], rest);
    key.copy_from_slice(&xor(temp_key, &sha256(&[rest])));
    number
}

/// Undoes the padding of a decrypted number: see [`RsaPrivateKey::decrypt_pad`].
pub fn rsa_unpad(number: &[u8; 256]) -> Result<[u8; 192], RsaError> {
    let mut number = *number;
    let (key, rest) = number.split_at_mut(32);
    let temp_key = xor(&std::array::from_fn(|i| key[i]), &sha256(&[rest]));
    ige_decrypt(&temp_key, &[0; 32], rest);
    let (reversed, hash) = rest.split_at(PADDED);
    let data = std::array::from_fn(|i| reversed[PADDED - 1 - i]);
    if sha256(&[&temp_key, &data])[..].ct_eq(hash).into() { Ok(data) } else { Err(RsaError::WrongHash) }
}

fn xor(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|i| a[i] ^ b[i])
}

/// A number below 2^2048 as 256 big-endian bytes.
fn to_bytes(number: &BigUint) -> [u8; 256] {
    let bytes = number.to_bytes_be();
    let mut out = [0; 256];
    out[256 - bytes.len()..].copy_from_slice(&bytes);
    out
}

fn version_zero(der: &mut Der<'_>) -> Result<(), KeyError> {
    if der.unsigned()?.is_empty() { Ok(()) } else { Err(KeyError::NotDer) }
}

/// The lower half of the SHA-1 of the TL bytes `n:string e:string`.
fn fingerprint(n: &[u8], e: &[u8]) -> i64 {
    let hash = sha1(&[&tl_string(n), &tl_string(e)]);
    i64::from_le_bytes(std::array::from_fn(|i| hash[12 + i]))
}

/// <https://core.telegram.org/mtproto/serialize#base-types>
fn tl_string(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len() as u32;
    let mut out = if length < 254 { vec![length as u8] } else { (length << 8 | 254).to_le_bytes().to_vec() };
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hex::{bytes, sample};
    use crate::crypto::{Ctr, SeededRandom};

    const PKCS1: &str = include_str!("../../tests/samples/rsa_pkcs1.pem");
    const PKCS8: &str = include_str!("../../tests/samples/rsa_pkcs8.pem");
    const PUBLIC_PKCS1: &str = include_str!("../../tests/samples/rsa_public_pkcs1.pem");
    const PUBLIC_SPKI: &str = include_str!("../../tests/samples/rsa_public_spki.pem");

    fn private() -> RsaPrivateKey {
        RsaPrivateKey::from_pem(PKCS1).expect("a good key")
    }

    #[test]
    fn both_forms_of_a_public_key_and_both_of_its_private_key_are_one_key() {
        let public = RsaPublicKey::from_pem(PUBLIC_PKCS1).expect("PKCS#1");
        assert_eq!(RsaPublicKey::from_pem(PUBLIC_SPKI), Ok(public.clone()));
        assert_eq!(private().public(), &public);
        assert_eq!(RsaPrivateKey::from_pem(PKCS8).expect("PKCS#8").public(), &public);
    }

    #[test]
    fn padded_data_comes_back_whatever_its_length() {
        let mut random = SeededRandom::new(1);
        for length in [0, 1, 100, 143, 144] {
            let data = vec![0xa5; length];
            let encrypted = private().public().encrypt_pad(&data, &mut random).expect("it fits");
            let back = private().decrypt_pad(&encrypted).expect("our own padding");
            assert_eq!(back[..length], data);
        }
    }

    #[test]
    fn the_published_inner_data_is_padded_with_the_published_bytes() {
        const EXCHANGE: &str = "auth_key_exchange.txt";
        let data = bytes(&sample(EXCHANGE, "p_q_inner_data_dc"));
        let padding = bytes(&sample(EXCHANGE, "random_padding_bytes"));
        let padded: [u8; 192] = [data, padding].concat().try_into().expect("192 bytes");
        assert_eq!(rsa_unpad(&pad(&padded, &[7; 32])), Ok(padded));
    }

    #[test]
    fn data_that_is_too_long_is_refused() {
        let encrypted = private().public().encrypt_pad(&[0; 145], &mut SeededRandom::new(1));
        assert_eq!(encrypted, Err(RsaError::TooLong(145)));
    }

    #[test]
    fn a_temporary_key_is_drawn_again_while_the_number_is_not_below_the_modulus() {
        // A third of all numbers is not below a modulus that begins with aa; 40 encryptions meet some.
        let key = private();
        assert!(key.public().n < BigUint::from(3u32) << 2046, "the sample key has a modulus in the lower part");
        let mut random = SeededRandom::new(9);
        for _ in 0..40 {
            let encrypted = key.public().encrypt_pad(b"data", &mut random).expect("it fits");
            assert_eq!(key.decrypt_pad(&encrypted).expect("below the modulus")[..4], *b"data");
        }
    }

    #[test]
    fn a_changed_ciphertext_is_refused() {
        let mut encrypted = private().public().encrypt_pad(b"data", &mut SeededRandom::new(1)).expect("it fits");
        encrypted[200] ^= 1;
        assert_eq!(private().decrypt_pad(&encrypted), Err(RsaError::WrongHash));
    }

    #[test]
    fn a_ciphertext_of_another_length_or_above_the_modulus_is_refused() {
        assert_eq!(private().decrypt_pad(&[0; 255]), Err(RsaError::WrongLength(255)));
        assert_eq!(private().decrypt_pad(&[0xff; 256]), Err(RsaError::OutOfRange));
    }

    #[test]
    fn keys_of_another_size_kind_or_algorithm_are_refused() {
        let public = |text: &str| RsaPublicKey::from_pem(text).expect_err("not a key for us");
        assert_eq!(public(include_str!("../../tests/samples/rsa_1024_public.pem")), KeyError::WrongSize(1024));
        assert_eq!(public(include_str!("../../tests/samples/ec_public.pem")), KeyError::NotRsa);
        assert_eq!(public(PKCS1), KeyError::WrongLabel);
        assert_eq!(RsaPrivateKey::from_pem(PUBLIC_SPKI).expect_err("public"), KeyError::WrongLabel);
        assert_eq!(public(""), KeyError::NotPem);
    }

    #[test]
    fn a_private_exponent_of_another_key_is_refused() {
        let (_, mut der) = pem(PKCS1).expect("PEM");
        // The private exponent is the longest integer after the modulus; any byte within will do.
        let at = 4 + 3 + 4 + 257 + 5 + 4 + 100;
        der[at] ^= 1;
        assert_eq!(RsaPrivateKey::from_pkcs1(&der).expect_err("d is wrong"), KeyError::WrongExponent);
    }

    #[test]
    fn no_change_of_a_key_file_makes_the_reader_panic() {
        let mut noise = Ctr::new(&[1; 32], &[0; 16]);
        for text in [PUBLIC_PKCS1, PUBLIC_SPKI] {
            let (label, der) = pem(text).expect("PEM");
            for at in 0..der.len() {
                for cut in [true, false] {
                    let mut broken = if cut { der[..at].to_vec() } else { der.clone() };
                    if !cut {
                        noise.apply(&mut broken[at..=at]);
                    }
                    let result = match label {
                        "PUBLIC KEY" => RsaPublicKey::from_spki(&broken),
                        _ => RsaPublicKey::from_pkcs1(&broken),
                    };
                    assert!(!cut || result.is_err(), "cut to {at}");
                }
            }
        }
    }
}
