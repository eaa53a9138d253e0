//! The proof of work of a key exchange: the two primes of a 63-bit product.

/// The two primes of `pq`, the smaller first; None unless `pq` is the product of two different odd primes.
///
/// Takes about 0.2 ms for two primes of 31 bits: Brent's form of Pollard's rho, on Montgomery residues of 64 bits.
///
/// <https://core.telegram.org/mtproto/auth_key#presenting-proof-of-work-server-authentication>
pub fn factorize(pq: u64) -> Option<(u64, u64)> {
    // Odd, and composite: the smallest product of two different odd primes is 15.
    if pq < 15 || pq.is_multiple_of(2) || is_prime(pq) {
        return None;
    }
    // The rho finds nothing in a square.
    let root = pq.isqrt();
    if root * root == pq {
        return None;
    }
    // The rho is meant for large factors, and small ones make its cycles short.
    let small = (3..256).step_by(2).find(|p| pq.is_multiple_of(*p));
    let factor = small.or_else(|| (1..=RETRIES).find_map(|c| Montgomery::new(pq).brent(c)))?;
    let (p, q) = (factor.min(pq / factor), factor.max(pq / factor));
    (p != q && is_prime(p) && is_prime(q)).then_some((p, q))
}

/// How many polynomials `x² + c` are tried. One fails when both factors turn up in the same batch and then in the same
/// step, which is rare; a composite with a small cycle for every one of these does not exist below 2^64 for all that is
/// known, and if it did the exchange would fail instead of hanging.
const RETRIES: u64 = 32;

/// How many differences are multiplied together before one gcd.
const BATCH: u64 = 256;

/// Arithmetic modulo an odd `n` on residues `x·2^64 mod n`.
#[derive(Clone, Copy)]
struct Montgomery {
    n: u64,
    /// The inverse of `n` modulo 2^64.
    inverse: u64,
}

impl Montgomery {
    fn new(n: u64) -> Montgomery {
        // Newton's iteration doubles the right bits: n·n = 1 modulo 8 gives three to begin with.
        let mut inverse = n;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(n.wrapping_mul(inverse)));
        }
        Montgomery { n, inverse }
    }

    fn residue(self, x: u64) -> u64 {
        ((u128::from(x) << 64) % u128::from(self.n)) as u64
    }

    #[inline(always)]
    fn mul(self, a: u64, b: u64) -> u64 {
        self.mul_add(a, b, 0)
    }

    /// `a·b + c` for `a·b < n·2^64` and `c < n`.
    #[inline(always)]
    fn mul_add(self, a: u64, b: u64, c: u64) -> u64 {
        let product = u128::from(a) * u128::from(b);
        let reduced = u128::from((product as u64).wrapping_mul(self.inverse)) * u128::from(self.n);
        let (high, low) = ((product >> 64) as u64, (reduced >> 64) as u64);
        // high + c without an overflow, and while the product with the inverse is on its way: off the chain.
        let high = self.add(high, c);
        let difference = high.wrapping_sub(low);
        if high < low { difference.wrapping_add(self.n) } else { difference }
    }

    #[inline(always)]
    fn add(self, a: u64, b: u64) -> u64 {
        let space = self.n - b;
        if a >= space { a - space } else { a + b }
    }

    fn pow(self, base: u64, mut exponent: u64) -> u64 {
        let mut base = base;
        let mut result = self.residue(1);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, base);
            }
            base = self.mul(base, base);
            exponent >>= 1;
        }
        result
    }

    /// A factor of `n` that is neither 1 nor `n`, by the sequence `x² + c`.
    fn brent(self, c: u64) -> Option<u64> {
        // Any residue will do for c and for the start.
        let c = c % self.n;
        let step = |y| self.mul_add(y, y, c);
        let mut y = self.residue(2);
        let mut length = 1;
        loop {
            let x = y;
            for _ in 0..length {
                y = step(y);
            }
            let mut done = 0;
            while done < length {
                let start = y;
                let batch = BATCH.min(length - done);
                let mut product = self.residue(1);
                for _ in 0..batch {
                    y = step(y);
                    product = self.mul(product, x.abs_diff(y));
                }
                match gcd(product, self.n) {
                    1 => done += batch,
                    // Both factors are in the batch: its steps again, one at a time.
                    found if found == self.n => return self.walk(x, start, c),
                    found => return Some(found),
                }
            }
            length *= 2;
        }
    }

    fn walk(self, x: u64, mut y: u64, c: u64) -> Option<u64> {
        loop {
            y = self.mul_add(y, y, c);
            match gcd(x.abs_diff(y), self.n) {
                1 => {}
                found if found == self.n => return None,
                found => return Some(found),
            }
        }
    }
}

/// `gcd(0, b)` is `b`.
fn gcd(mut a: u64, mut b: u64) -> u64 {
    while a != 0 {
        (a, b) = (b % a, a);
    }
    b
}

/// Whether `n` is prime: Miller-Rabin with the bases that decide every number below 2^64.
pub fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if let Some(&small) = BASES.iter().find(|base| n.is_multiple_of(**base)) {
        return n == small;
    }
    if n < 2 {
        return false;
    }
    let field = Montgomery::new(n);
    let (one, minus_one) = (field.residue(1), field.residue(n - 1));
    let twos = (n - 1).trailing_zeros();
    BASES.iter().all(|&base| {
        let mut x = field.pow(field.residue(base), (n - 1) >> twos);
        let mut witness = x != one && x != minus_one;
        for _ in 1..twos {
            x = field.mul(x, x);
            witness &= x != minus_one;
        }
        !witness
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pq: u64, expected: Option<(u64, u64)>) {
        assert_eq!(factorize(pq), expected, "{pq}");
    }

    #[test]
    fn the_published_products_come_apart() {
        check(2694724800268887959, Some((1513098571, 1780931429)));
        check(0x17ED48941A08F981, Some((0x494C553B, 0x53911073)));
    }

    #[test]
    fn every_sample_product_comes_apart() {
        for line in include_str!("../../tests/samples/pq.txt").lines() {
            let pq = line.parse().expect("a number a line");
            let (p, q) = factorize(pq).expect("a product of two primes");
            assert!(p < q && p * q == pq && is_prime(p) && is_prime(q), "{pq}");
        }
    }

    #[test]
    fn small_products_come_apart() {
        check(15, Some((3, 5)));
        check(35, Some((5, 7)));
        check(3 * 4294967291, Some((3, 4294967291)));
        check(251 * 257, Some((251, 257)));
        check(257 * 263, Some((257, 263)));
    }

    #[test]
    fn products_of_more_than_63_bits_come_apart() {
        check(4294967279 * 4294967291, Some((4294967279, 4294967291)));
    }

    #[test]
    fn what_is_no_product_of_two_different_odd_primes_is_refused() {
        for pq in [
            0,
            1,
            2,
            4,
            6,
            9,
            2 * 1513098571,
            // A prime, the square of one, and the cube.
            9223372036854775783,
            1513098571 * 1513098571,
            2097143 * 2097143 * 2097143,
            // Three primes.
            3 * 5 * 7,
            1048573 * 1048571 * 1048559,
            u64::MAX,
        ] {
            check(pq, None);
        }
    }

    #[test]
    fn small_numbers_are_prime_exactly_when_nothing_divides_them() {
        for n in 0..10_000u64 {
            let expected = n >= 2 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0);
            assert_eq!(is_prime(n), expected, "{n}");
        }
    }

    #[test]
    fn strong_pseudoprimes_are_not_taken_for_primes() {
        // To the bases 2 to 7, to 2 to 23, and to 2 to 31.
        for n in [3215031751, 3825123056546413051, 341550071728321] {
            assert!(!is_prime(n), "{n}");
        }
        for n in [4294967291, 18446744073709551557] {
            assert!(is_prime(n), "{n}");
        }
    }
}
