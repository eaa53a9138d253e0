//! Diffie-Hellman in a group of 2048 bits, with the checks of
//! <https://core.telegram.org/mtproto/security_guidelines#diffie-hellman-key-exchange>.
//!
//! Numbers are big-endian bytes, as they travel.

use num_bigint::BigUint;

use super::random::Random;

/// The group's prime, for as long as Telegram's servers have been known. A safe prime: a test proves it.
pub const DH_PRIME: [u8; 256] = *include_bytes!("dh_prime.bin");

/// The generator that goes with [`DH_PRIME`] on our own server.
pub const DH_GENERATOR: i32 = 3;

/// Miller-Rabin rounds for a prime that we have not met. A composite passes one with a chance of at most 1/4, for bases
/// that its maker could not know.
const ROUNDS: usize = 64;

/// A group or a public value that must not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DhError {
    #[error("the prime has {0} bits instead of 2048")]
    WrongSize(u64),
    #[error("the prime is not a safe prime")]
    NotSafePrime,
    #[error("the generator is {0}; 2 to 7 are allowed")]
    GeneratorOutOfRange(i32),
    #[error("{0} does not generate the subgroup of prime order")]
    WrongGenerator(i32),
    #[error("the public value is not between 1 and the prime less 1")]
    PublicOutOfRange,
    #[error("the public value is within 2^1984 of an end of the range")]
    PublicTooExtreme,
}

/// Checks that `prime` is a safe prime of 2048 bits and that `generator` generates its subgroup of prime order.
///
/// [`DH_PRIME`] is known and costs nothing; another prime costs some sixty exponentiations, about 0.3 s, and one that
/// fails mostly a single one. `random` chooses the bases.
///
/// <https://core.telegram.org/mtproto/security_guidelines#validation-of-dh-parameters>
pub fn check_group(generator: i32, prime: &[u8], random: &mut dyn Random) -> Result<(), DhError> {
    let p = BigUint::from_bytes_be(prime);
    if p.bits() != 2048 {
        return Err(DhError::WrongSize(p.bits()));
    }
    let residue =
        |modulus: u32| p.iter_u32_digits().rev().fold(0, |r, d| (r << 32 | u64::from(d)) % u64::from(modulus));
    let generates = match generator {
        2 => residue(8) == 7,
        3 => residue(3) == 2,
        4 => true,
        5 => matches!(residue(5), 1 | 4),
        6 => matches!(residue(24), 19 | 23),
        7 => matches!(residue(7), 3 | 5 | 6),
        _ => return Err(DhError::GeneratorOutOfRange(generator)),
    };
    if !generates {
        return Err(DhError::WrongGenerator(generator));
    }
    let known = prime.strip_prefix(&[0]).unwrap_or(prime) == DH_PRIME;
    if known || is_safe_prime(&p, random) { Ok(()) } else { Err(DhError::NotSafePrime) }
}

/// Checks the range of `g_a` or `g_b`, of one's own as well as of the other side's.
///
/// <https://core.telegram.org/mtproto/security_guidelines#g-a-and-g-b-validation>
pub fn check_public(value: &[u8], prime: &[u8]) -> Result<(), DhError> {
    let (value, p) = (BigUint::from_bytes_be(value), BigUint::from_bytes_be(prime));
    let one = BigUint::from(1u32);
    // `value + 1 < p` is `value < p - 1` without a subtraction that could go below zero.
    if value <= one || &value + &one >= p {
        return Err(DhError::PublicOutOfRange);
    }
    let edge = BigUint::from(1u32) << (2048 - 64);
    if value < edge || &value + &edge > p {
        return Err(DhError::PublicTooExtreme);
    }
    Ok(())
}

/// `base ^ exponent mod modulus`, in 256 bytes. Not constant in time: each exponent is used twice and then forgotten, so
/// there is nothing to measure again and again.
///
/// # Panics
/// If `modulus` is zero or has more than 2048 bits: [`check_group`] comes first.
pub fn modpow(base: &[u8], exponent: &[u8], modulus: &[u8]) -> [u8; 256] {
    let number = BigUint::from_bytes_be;
    let bytes = number(base).modpow(&number(exponent), &number(modulus)).to_bytes_be();
    let mut out = [0; 256];
    out[256 - bytes.len()..].copy_from_slice(&bytes);
    out
}

/// `generator ^ exponent mod prime`: one's own public value.
pub fn public_value(generator: i32, exponent: &[u8; 256], prime: &[u8]) -> [u8; 256] {
    modpow(&generator.to_be_bytes(), exponent, prime)
}

/// Whether `p` and `(p - 1) / 2` are prime, for a `p` of more than two bits.
fn is_safe_prime(p: &BigUint, random: &mut dyn Random) -> bool {
    // A safe prime is 2q + 1 with an odd q.
    if !p.bit(0) || !p.bit(1) {
        return false;
    }
    let q: BigUint = p >> 1;
    let one = BigUint::from(1u32);
    let p_minus_one = p - &one;
    // Most of what is not a safe prime ends here.
    if BigUint::from(2u32).modpow(&p_minus_one, p) != one {
        return false;
    }
    // With a prime q > sqrt(p) - 1, Pocklington's criterion makes a proof of the line above: 2^(p-1) = 1 mod p, and
    // 2^((p-1)/q) - 1 = 3 has no factor in common with p.
    if (p % 3u32) == BigUint::ZERO {
        return false;
    }
    (0..ROUNDS).all(|_| {
        let mut base = vec![0; q.bits().div_ceil(8) as usize];
        random.fill(&mut base);
        let base = BigUint::from_bytes_be(&base) % (&q - 3u32) + 2u32;
        passes_miller_rabin(&q, &base)
    })
}

/// One round for an odd `n` and a base from 2 to n - 2.
fn passes_miller_rabin(n: &BigUint, base: &BigUint) -> bool {
    let one = BigUint::from(1u32);
    let n_minus_one = n - &one;
    let twos = n_minus_one.trailing_zeros().unwrap_or(0);
    let mut x = base.modpow(&(&n_minus_one >> twos), n);
    if x == one || x == n_minus_one {
        return true;
    }
    for _ in 1..twos {
        x = &x * &x % n;
        if x == n_minus_one {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SeededRandom;
    use crate::crypto::hex::{array, bytes, sample};

    fn check(generator: i32, prime: &[u8], expected: Result<(), DhError>) {
        assert_eq!(check_group(generator, prime, &mut SeededRandom::new(1)), expected, "{generator}");
    }

    /// RFC 3526, group 14: another safe prime of 2048 bits, 7 modulo 8.
    fn other_prime() -> Vec<u8> {
        bytes(
            "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD
             EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED
             EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F
             83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B
             E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510
             15728E5A8AACAA68FFFFFFFFFFFFFFFF",
        )
    }

    /// The known prime, moved by `by`.
    fn moved(by: i32) -> Vec<u8> {
        let p = BigUint::from_bytes_be(&DH_PRIME);
        let p = if by < 0 { p - by.unsigned_abs() } else { p + by.unsigned_abs() };
        p.to_bytes_be()
    }

    #[test]
    fn the_known_prime_is_a_safe_prime() {
        assert!(is_safe_prime(&BigUint::from_bytes_be(&DH_PRIME), &mut SeededRandom::new(2)));
    }

    #[test]
    fn the_known_prime_is_known_with_a_zero_in_front_too() {
        check(DH_GENERATOR, &DH_PRIME, Ok(()));
        check(DH_GENERATOR, &[&[0], &DH_PRIME[..]].concat(), Ok(()));
    }

    #[test]
    fn another_safe_prime_is_taken_after_a_test() {
        check(2, &other_prime(), Ok(()));
    }

    #[test]
    fn generators_are_those_that_generate_the_subgroup_of_prime_order() {
        // The symbol of Legendre says which are squares, without the congruences that the check uses.
        let p = BigUint::from_bytes_be(&DH_PRIME);
        for generator in 2..=7 {
            let symbol = BigUint::from(generator as u32).modpow(&(&p >> 1u32), &p);
            let expected = if symbol == BigUint::from(1u32) { Ok(()) } else { Err(DhError::WrongGenerator(generator)) };
            check(generator, &DH_PRIME, expected);
        }
    }

    #[test]
    fn generators_below_2_and_above_7_are_refused() {
        for generator in [i32::MIN, -3, 0, 1, 8, i32::MAX] {
            check(generator, &DH_PRIME, Err(DhError::GeneratorOutOfRange(generator)));
        }
    }

    #[test]
    fn primes_of_another_size_are_refused() {
        check(3, &[], Err(DhError::WrongSize(0)));
        check(3, &[23], Err(DhError::WrongSize(5)));
        check(3, &DH_PRIME[1..], Err(DhError::WrongSize(2037)));
        check(3, &[&DH_PRIME[..], &[1]].concat(), Err(DhError::WrongSize(2056)));
    }

    #[test]
    fn composite_numbers_are_refused() {
        // 4 generates whatever the number is, so that only the test of primality is left to refuse it.
        for by in [-2, 1, 2, 4, 12, 24] {
            check(4, &moved(by), Err(DhError::NotSafePrime));
        }
    }

    #[test]
    fn a_prime_that_is_not_safe_is_refused() {
        // The next prime after 2^2047 + 2^2046 that is 3 modulo 4.
        let mut p = (BigUint::from(3u32) << 2046) + 3u32;
        let one = BigUint::from(1u32);
        while BigUint::from(2u32).modpow(&(&p - &one), &p) != one {
            p += 4u32;
        }
        check(4, &p.to_bytes_be(), Err(DhError::NotSafePrime));
    }

    #[test]
    fn public_values_at_and_beyond_the_ends_of_the_range_are_refused() {
        let one = BigUint::from(1u32);
        let p = BigUint::from_bytes_be(&DH_PRIME);
        let edge: BigUint = &one << (2048 - 64);
        let check = |value: &BigUint, expected| {
            assert_eq!(check_public(&value.to_bytes_be(), &DH_PRIME), expected, "{value:x}");
        };
        for value in [BigUint::ZERO, one.clone(), &p - &one, p.clone(), &p + &one, &p << 8] {
            check(&value, Err(DhError::PublicOutOfRange));
        }
        for value in [BigUint::from(2u32), &edge - &one, &p - &edge + &one, &p - 2u32] {
            check(&value, Err(DhError::PublicTooExtreme));
        }
        for value in [edge.clone(), &edge + &one, &p >> 1, &p - &edge] {
            check(&value, Ok(()));
        }
    }

    #[test]
    fn the_published_exchange_agrees_on_its_key() {
        const EXCHANGE: &str = "auth_key_exchange.txt";
        let b = array(&sample(EXCHANGE, "b"));
        assert_eq!(public_value(3, &b, &DH_PRIME), array(&sample(EXCHANGE, "g_b")));
        let g_a = &bytes(&sample(EXCHANGE, "answer_with_hash"))[324..580];
        assert_eq!(modpow(g_a, &b, &DH_PRIME), array(&sample(EXCHANGE, "auth_key")));
    }
}
