//! The key that a client and a server share, and what the key exchange derives on the way to it.

use subtle::ConstantTimeEq;

use super::hash::sha1;

/// An authorization key: 2048 bits that only the client and the server know.
///
/// <https://core.telegram.org/mtproto/description#terminology>
#[derive(Clone)]
pub struct AuthKey {
    bytes: Box<[u8; 256]>,
    id: [u8; 8],
    aux_hash: u64,
}

impl AuthKey {
    pub fn new(bytes: [u8; 256]) -> AuthKey {
        let hash = sha1(&[&bytes]);
        let part = |at: usize| std::array::from_fn(|i| hash[at + i]);
        AuthKey { bytes: Box::new(bytes), id: part(12), aux_hash: u64::from_le_bytes(part(0)) }
    }

    /// The key itself, for storage.
    pub fn as_bytes(&self) -> &[u8; 256] {
        &self.bytes
    }

    /// `auth_key_id`, the 64 lower bits of the key's SHA-1, as TL's `long` reads them.
    pub fn id(&self) -> u64 {
        u64::from_le_bytes(self.id)
    }

    /// [`AuthKey::id`] as it stands at the start of a packet.
    pub fn id_bytes(&self) -> [u8; 8] {
        self.id
    }

    /// `auth_key_aux_hash`, the 64 higher bits of the key's SHA-1: an ingredient of [`new_nonce_hash`].
    pub fn aux_hash(&self) -> u64 {
        self.aux_hash
    }
}

impl PartialEq for AuthKey {
    fn eq(&self, other: &AuthKey) -> bool {
        self.bytes[..].ct_eq(&other.bytes[..]).into()
    }
}

impl Eq for AuthKey {}

/// The id, never the key: what is printed ends in logs.
impl std::fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuthKey({:016x})", self.id())
    }
}

impl Drop for AuthKey {
    fn drop(&mut self) {
        self.bytes.fill(0);
        // Without a reader the compiler may leave the wiping out.
        std::hint::black_box(&self.bytes);
    }
}

/// The key and iv that protect the two inner messages of the exchange.
///
/// <https://core.telegram.org/mtproto/auth_key#presenting-proof-of-work-server-authentication>
pub fn tmp_aes_key_iv(new_nonce: &[u8; 32], server_nonce: &[u8; 16]) -> ([u8; 32], [u8; 32]) {
    let new_server = sha1(&[new_nonce, server_nonce]);
    let server_new = sha1(&[server_nonce, new_nonce]);
    let new_new = sha1(&[new_nonce, new_nonce]);

    let mut key = [0; 32];
    key[..20].copy_from_slice(&new_server);
    key[20..].copy_from_slice(&server_new[..12]);
    let mut iv = [0; 32];
    iv[..8].copy_from_slice(&server_new[12..]);
    iv[8..28].copy_from_slice(&new_new);
    iv[28..].copy_from_slice(&new_nonce[..4]);
    (key, iv)
}

/// `new_nonce_hash1`, `2` or `3` (`number`), by which the server shows that it knows `new_nonce`, and with 1 the key.
///
/// <https://core.telegram.org/mtproto/auth_key#dh-key-exchange-complete>
pub fn new_nonce_hash(number: u8, new_nonce: &[u8; 32], aux_hash: u64) -> [u8; 16] {
    let hash = sha1(&[new_nonce, &[number], &aux_hash.to_le_bytes()]);
    std::array::from_fn(|i| hash[4 + i])
}

/// The first server salt: both sides derive it from their nonces.
///
/// <https://core.telegram.org/mtproto/auth_key#dh-key-exchange-complete>
pub fn server_salt(new_nonce: &[u8; 32], server_nonce: &[u8; 16]) -> i64 {
    i64::from_le_bytes(std::array::from_fn(|i| new_nonce[i] ^ server_nonce[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hex::{array, sample};

    const EXCHANGE: &str = "auth_key_exchange.txt";

    #[test]
    fn the_temporary_key_of_the_published_exchange_comes_out() {
        let (key, iv) =
            tmp_aes_key_iv(&array(&sample(EXCHANGE, "new_nonce")), &array(&sample(EXCHANGE, "server_nonce")));
        assert_eq!(key, array(&sample(EXCHANGE, "tmp_aes_key")));
        assert_eq!(iv, array(&sample(EXCHANGE, "tmp_aes_iv")));
    }

    #[test]
    fn the_nonce_hash_of_the_published_exchange_comes_out() {
        let key = AuthKey::new(array(&sample(EXCHANGE, "auth_key")));
        let hash = new_nonce_hash(1, &array(&sample(EXCHANGE, "new_nonce")), key.aux_hash());
        assert_eq!(hash, array("1142871352165E59E1124036B48B97D3"));
    }

    #[test]
    fn the_id_and_the_aux_hash_are_the_two_ends_of_the_sha_1() {
        let key = AuthKey::new([0; 256]);
        // SHA-1 of 256 zero bytes: b376885ac8452b6c bf9ced81 b1080bfd570d9b91.
        assert_eq!(key.aux_hash().to_le_bytes(), array("b376885ac8452b6c"));
        assert_eq!(key.id_bytes(), array("b1080bfd570d9b91"));
        assert_eq!(key.id().to_le_bytes(), key.id_bytes());
    }

    #[test]
    fn printing_a_key_shows_its_id_and_nothing_else() {
        assert_eq!(format!("{:?}", AuthKey::new([0; 256])), "AuthKey(919b0d57fd0b08b1)");
    }
}
