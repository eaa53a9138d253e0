//! Public keys of X25519: whoever looks on can tell 32 random bytes from a point of the right order.
//!
//! <https://www.rfc-editor.org/rfc/rfc7748#section-5>. The secret half is thrown away, so nothing here has to run in
//! constant time.

use num_bigint::BigUint;

use crate::crypto::Random;

/// The public key of a random secret.
pub fn public_key(random: &mut dyn Random) -> [u8; 32] {
    let mut secret = [0; 32];
    random.fill(&mut secret);
    let mut base = [0; 32];
    base[0] = 9;
    multiply(secret, base)
}

/// The Montgomery ladder: the x coordinate of `scalar` times the point with x coordinate `u`.
fn multiply(mut scalar: [u8; 32], mut u: [u8; 32]) -> [u8; 32] {
    scalar[0] &= 248;
    scalar[31] = scalar[31] & 127 | 64;
    u[31] &= 127;
    let p = (BigUint::from(1_u8) << 255) - BigUint::from(19_u8);
    let u = BigUint::from_bytes_le(&u);
    let add = |a: &BigUint, b: &BigUint| (a + b) % &p;
    let subtract = |a: &BigUint, b: &BigUint| (a + &p - b) % &p;
    let times = |a: &BigUint, b: &BigUint| (a * b) % &p;

    // Two neighbouring multiples of the point, each as a fraction x/z.
    let (mut x2, mut z2) = (BigUint::from(1_u8), BigUint::ZERO);
    let (mut x3, mut z3) = (u.clone(), BigUint::from(1_u8));
    for bit in (0..255).rev() {
        let set = scalar[bit / 8] >> (bit % 8) & 1 == 1;
        if set {
            std::mem::swap(&mut x2, &mut x3);
            std::mem::swap(&mut z2, &mut z3);
        }
        let (a, b) = (add(&x2, &z2), subtract(&x2, &z2));
        let (aa, bb) = (times(&a, &a), times(&b, &b));
        let e = subtract(&aa, &bb);
        let da = times(&subtract(&x3, &z3), &a);
        let cb = times(&add(&x3, &z3), &b);
        let (sum, difference) = (add(&da, &cb), subtract(&da, &cb));
        x3 = times(&sum, &sum);
        z3 = times(&u, &times(&difference, &difference));
        x2 = times(&aa, &bb);
        z2 = times(&e, &add(&aa, &(&e * BigUint::from(121_665_u32))));
        if set {
            std::mem::swap(&mut x2, &mut x3);
            std::mem::swap(&mut z2, &mut z3);
        }
    }
    let inverse = z2.modpow(&(&p - BigUint::from(2_u8)), &p);
    let mut bytes = times(&x2, &inverse).to_bytes_le();
    bytes.resize(32, 0);
    bytes.try_into().expect("a number below the prime has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SeededRandom;
    use crate::crypto::hex::array;

    #[test]
    fn the_vectors_of_the_rfc_hold() {
        let cases = [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
        ];
        for (scalar, u, result) in cases {
            assert_eq!(multiply(array(scalar), array(u)), array::<32>(result));
        }
    }

    #[test]
    fn two_sides_agree_on_a_key() {
        let mut random = SeededRandom::new(7);
        let mut secret = || {
            let mut secret = [0; 32];
            random.fill(&mut secret);
            secret
        };
        let mut base = [0; 32];
        base[0] = 9;
        let (a, b) = (secret(), secret());
        assert_eq!(multiply(a, multiply(b, base)), multiply(b, multiply(a, base)));
    }
}
