//! Telegram's own data centers: where to begin, and the keys that prove who answers.
//! <https://my.telegram.org/apps>, <https://core.telegram.org/mtproto/auth_key>

use super::Dc;
use crate::crypto::RsaPublicKey;

/// Where an account begins that has none yet.
pub(super) const FIRST_DC: i32 = 2;

pub(super) fn dcs() -> Vec<Dc> {
    let addresses = [
        (1, [149, 154, 175, 53]),
        (2, [149, 154, 167, 51]),
        (3, [149, 154, 175, 100]),
        (4, [149, 154, 167, 91]),
        (5, [91, 108, 56, 130]),
    ];
    addresses.map(|(id, ip)| Dc { id, address: (ip, 443).into() }).to_vec()
}

pub(super) fn test_dcs() -> Vec<Dc> {
    let addresses = [(1, [149, 154, 175, 10]), (2, [149, 154, 167, 40]), (3, [149, 154, 175, 117])];
    addresses.map(|(id, ip)| Dc { id, address: (ip, 443).into() }).to_vec()
}

const PRODUCTION_KEY: &str = "-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEA6LszBcC1LGzyr992NzE0ieY+BSaOW622Aa9Bd4ZHLl+TuFQ4lo4g
5nKaMBwK/BIb9xUfg0Q29/2mgIR6Zr9krM7HjuIcCzFvDtr+L0GQjae9H0pRB2OO
62cECs5HKhT5DZ98K33vmWiLowc621dQuwKWSQKjWf50XYFw42h21P2KXUGyp2y/
+aEyZ+uVgLLQbRA1dEjSDZ2iGRy12Mk5gpYc397aYp438fsJoHIgJ2lgMv5h7WY9
t6N/byY9Nw9p21Og3AoXSL2q/2IJ1WRUhebgAdGVMlV1fkuOQoEzR7EdpqtQD9Cs
5+bfo3Nhmcyvk5ftB0WkJ9z6bNZ7yxrP8wIDAQAB
-----END RSA PUBLIC KEY-----";

const TEST_KEY: &str = "-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAyMEdY1aR+sCR3ZSJrtztKTKqigvO/vBfqACJLZtS7QMgCGXJ6XIR
yy7mx66W0/sOFa7/1mAZtEoIokDP3ShoqF4fVNb6XeqgQfaUHd8wJpDWHcR2OFwv
plUUI1PLTktZ9uW2WE23b+ixNwJjJGwBDJPQEQFBE+vfmH0JP503wr5INS1poWg/
j25sIWeYPHYeOrFp/eXaqhISP6G+q2IeTaWTXpwZj4LzXq5YOpk4bYEQ6mvRq7D1
aHWfYmlEGepfaYR8Q0YqvvhYtMte3ITnuSJs171+GDqpdKcSwHnd6FudwGO4pcCO
j4WcDuXc2CTHgH8gFTNhp/Y8/SpDOhvn9QIDAQAB
-----END RSA PUBLIC KEY-----";

/// The production DCs' and the test DCs' key: the exchange takes the one that the server names.
pub(super) fn public_keys() -> Vec<RsaPublicKey> {
    [PRODUCTION_KEY, TEST_KEY].map(|pem| RsaPublicKey::from_pem(pem).expect("the keys are well-formed")).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_have_the_fingerprints_that_telegram_s_servers_name() {
        let fingerprints: Vec<u64> = public_keys().iter().map(|key| key.fingerprint() as u64).collect();
        assert_eq!(fingerprints, [0xd09d_1d85_de64_fd85, 0xb258_98df_208d_2603]);
    }
}
