//! The public keys of Telegram's servers.

use crate::crypto::RsaPublicKey;

/// The keys of Telegram's production and test servers, as <https://my.telegram.org> shows them to every developer.
pub fn telegram_keys() -> Vec<RsaPublicKey> {
    let read = |pem| RsaPublicKey::from_pem(pem).expect("the keys in this folder are well-formed");
    vec![read(include_str!("telegram.pem")), read(include_str!("telegram_test.pem"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_have_the_fingerprints_that_telegram_s_servers_name() {
        // The first stands in the published exchange as 85FD64DE851D9DD0.
        let fingerprints: Vec<u64> = telegram_keys().iter().map(|key| key.fingerprint() as u64).collect();
        assert_eq!(fingerprints, [0xd09d1d85de64fd85, 0xb25898df208d2603]);
    }
}
