//! MTProto's cryptography: pure functions on bytes. Knows nothing of TL, sockets or clocks.
//!
//! | file | story |
//! |---|---|
//! | `random` | where random bytes come from, and how a test makes them repeat |
//! | `hash` | SHA-1 and SHA-256 over pieces |
//! | `ige`, `ctr` | the two AES-256 modes of MTProto; `x86` is the fast path of the first |
//! | `auth_key` | the key that two sides share, and what the exchange derives on the way to it |
//! | `message` | MTProto 2.0 encryption of one packet |
//! | `message_v1` | MTProto 1.0's, which proves a permanent key when a temporary one is bound |
//! | `rsa`, `der` | Telegram's RSA keys and RSA_PAD |
//! | `dh` | Diffie-Hellman and the checks it needs |
//! | `factorize` | the proof of work, `pq` |

mod auth_key;
mod ctr;
mod der;
pub mod dh;
mod factorize;
mod hash;
#[cfg(test)]
pub(crate) mod hex;
mod ige;
mod message;
mod message_v1;
mod random;
mod rsa;
#[allow(unsafe_code)]
mod x86;

pub use auth_key::{AuthKey, new_nonce_hash, server_salt, tmp_aes_key_iv};
pub use ctr::Ctr;
pub use factorize::{factorize, is_prime};
pub use hash::{sha1, sha256};
pub use ige::{ige_decrypt, ige_encrypt};
pub use message::{
    DecryptError, Direction, MIN_PLAINTEXT, PACKET_HEADER, decrypt_message, decrypt_with_token, encrypt_message,
};
pub use message_v1::{decrypt_message_v1, encrypt_message_v1};
pub use random::{Random, SeededRandom, SystemRandom};
pub use rsa::{KeyError, RsaError, RsaPrivateKey, RsaPublicKey, rsa_unpad};
pub use subtle::ConstantTimeEq;
