//! The creation of an authorization key, both sides, as values: packets and time in, packets and a key out.
//!
//! ```text
//! ClientExchange                                       ServerExchange
//!   req_pq_multi  nonce                              ▶
//!                                                    ◀ resPQ  server_nonce, pq, fingerprints
//!   req_DH_params  p, q, RSA_PAD(p_q_inner_data)     ▶          new_nonce is known to both, and to nobody else
//!                                                    ◀ server_DH_params_ok  AES(g, dh_prime, g_a, server_time)
//!   set_client_DH_params  AES(g_b, retry_id)         ▶
//!                                                    ◀ dh_gen_ok | dh_gen_retry | dh_gen_fail
//! ```
//!
//! A packet is refused with the [`ExchangeError`] of the rule that it breaks, and a client's exchange is over with that:
//! the caller closes the connection and may begin anew. Numbers are big-endian bytes in TL `bytes`.
//!
//! <https://core.telegram.org/mtproto/auth_key>

mod client;
mod inner;
mod keys;
mod plain;
mod server;
#[cfg(test)]
mod tests;

use crate::crypto::{AuthKey, RsaError, dh::DhError};
use crate::tl::DecodeError;

use super::MsgId;

pub use client::ClientExchange;
pub use keys::telegram_keys;
pub use plain::is_plain;
pub use server::ServerExchange;

/// What an exchange ends with.
#[derive(Clone, Debug)]
pub struct Agreed {
    pub auth_key: AuthKey,
    /// The first server salt, the same on both sides.
    pub server_salt: i64,
    /// The server's clock less ours, in seconds. A server has 0.
    pub time_offset: i64,
    /// For a temporary key: how many seconds the server will keep it.
    pub expires_in: Option<i32>,
    /// Which DC the client wanted to speak to, as it stands in the inner data. Older clients do not say.
    pub dc: Option<i32>,
}

/// The rule that a packet of the exchange broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    // The packet, whoever sent it.
    #[error("the packet has {0} bytes, too few for an unencrypted message")]
    TooShort(usize),
    #[error("the packet is encrypted with auth key {0:016x}, and the exchange is not over yet")]
    NotPlain(u64),
    #[error("the message says that it has {said} bytes, and {has} follow")]
    WrongLength { said: u32, has: usize },
    #[error("message id {0} is not one that this side may use here")]
    WrongMsgId(MsgId),
    #[error("malformed TL: {0}")]
    Malformed(#[from] DecodeError),
    #[error("constructor {0:#010x} is not what comes next in the exchange")]
    Unexpected(u32),
    #[error("the exchange is over")]
    Over,

    // What both sides check.
    #[error("nonce is not the one of this exchange")]
    WrongNonce,
    #[error("server_nonce is not the one of this exchange")]
    WrongServerNonce,
    #[error("the encrypted inner data has {0} bytes, which cannot be")]
    WrongInnerLength(usize),
    #[error("the SHA-1 in front of the inner data is wrong")]
    WrongInnerHash,
    #[error("the other side's half of the key: {0}")]
    Public(DhError),

    // What a client checks.
    #[error("pq has {0} bytes; 8 are the most")]
    PqTooLarge(usize),
    #[error("pq {0} is not the product of two different odd primes")]
    PqNotTwoPrimes(u64),
    #[error("the server has none of the public keys that we know; its fingerprints: {}", Hex(.0))]
    UnknownKeys(Vec<i64>),
    #[error("the server's group: {0}")]
    Group(DhError),
    #[error("the hash of new_nonce is wrong: the answer is not from who knows it")]
    WrongNewNonceHash,
    #[error("the server refused the proof of work (server_DH_params_fail)")]
    ParamsRefused,
    #[error("the server refused the key (dh_gen_fail)")]
    KeyRefused,
    #[error("no key that the server wanted in {0} tries")]
    TooManyRetries(u32),

    // What a server checks.
    #[error("p and q are not the factors that were asked for")]
    WrongFactors,
    #[error("the fingerprint {0:016x} is not that of our key")]
    WrongFingerprint(i64),
    #[error("the data encrypted to our key: {0}")]
    Rsa(RsaError),
    #[error("a temporary key cannot expire in {0} seconds")]
    WrongExpiry(i32),
    #[error("retry_id does not name the key that failed")]
    WrongRetryId,
}

/// Fingerprints, as the documentation writes them.
struct Hex<'a>(&'a [i64]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (i, fingerprint) in self.0.iter().enumerate() {
            write!(f, "{}{fingerprint:016x}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// How often one exchange tries another `b`: a server that says no more often is not going to say yes.
const MAX_TRIES: u32 = 5;

/// A number as TL `bytes` has it: big-endian, no zeros in front.
fn number_bytes(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    bytes[bytes.iter().take_while(|byte| **byte == 0).count()..].to_vec()
}

/// The number in TL `bytes`, or None where it has more than 64 bits.
fn number(bytes: &[u8]) -> Option<u64> {
    let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    (significant.len() <= 8).then(|| significant.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
