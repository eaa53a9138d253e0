//! Where Telegram itself is: the data centers to begin with and the RSA keys they prove themselves by.
//!
//! The addresses are only a beginning: `help.getConfig` brings the current ones. The fingerprints are a test, so that a
//! changed letter in a key is noticed here and not at a user's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Dc;
use crate::crypto::RsaPublicKey;

const PORT: u16 = 443;

const PRODUCTION: [(i32, [u8; 4]); 5] = [
    (2, [149, 154, 167, 51]),
    (1, [149, 154, 175, 50]),
    (3, [149, 154, 175, 100]),
    (4, [149, 154, 167, 91]),
    (5, [149, 154, 171, 5]),
];

/// The data centers of Telegram; the first is where a new account begins.
pub(super) fn dcs() -> Vec<Dc> {
    let at = |ip: [u8; 4]| SocketAddr::new(IpAddr::V4(Ipv4Addr::from(ip)), PORT);
    PRODUCTION.iter().map(|&(id, ip)| Dc { id, address: at(ip) }).collect()
}

/// The keys that Telegram's data centers hold, the test ones' included.
pub(super) fn public_keys() -> Vec<RsaPublicKey> {
    let read = |pem: &str| RsaPublicKey::from_pem(pem).expect("a key of this repository");
    vec![read(include_str!("telegram-production.pem")), read(include_str!("telegram-test.pem"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_have_the_fingerprints_that_telegram_announces() {
        let fingerprints: Vec<u64> = public_keys().iter().map(|key| key.fingerprint() as u64).collect();
        assert_eq!(fingerprints, [0xd09d_1d85_de64_fd85, 0xb258_98df_208d_2603]);
    }
}
