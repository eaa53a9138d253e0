//! MTProto 1.0, which encrypts one thing still: the proof that a client holds its permanent key, sent when a temporary key is
//! bound. Everything else is `message`'s.
//!
//! <https://core.telegram.org/mtproto/description_v1>,
//! <https://core.telegram.org/method/auth.bindTempAuthKey#encrypting-the-binding-message>

use subtle::ConstantTimeEq;

use super::auth_key::AuthKey;
use super::hash::sha1;
use super::ige::{ige_decrypt, ige_encrypt};
use super::message::{DecryptError, MIN_PLAINTEXT, PACKET_HEADER};
use super::random::Random;

/// A packet for the server: `auth_key_id (8) ‖ msg_key (16) ‖ encrypted data`. `plaintext` has the header of every message
/// (16 bytes that 1.0 has for salt and session, msg_id, seq_no, length), and its body.
pub fn encrypt_message_v1(key: &AuthKey, plaintext: &[u8], random: &mut dyn Random) -> Vec<u8> {
    let msg_key = msg_key(plaintext);
    let mut packet = Vec::with_capacity(PACKET_HEADER + plaintext.len() + 15);
    packet.extend_from_slice(&key.id_bytes());
    packet.extend_from_slice(&msg_key);
    packet.extend_from_slice(plaintext);
    let end = packet.len();
    packet.resize(PACKET_HEADER + plaintext.len().next_multiple_of(16), 0);
    random.fill(&mut packet[end..]);
    let (aes_key, aes_iv) = aes_key_iv(key, &msg_key);
    ige_encrypt(&aes_key, &aes_iv, &mut packet[PACKET_HEADER..]);
    packet
}

/// The plaintext of a client's packet, without its padding.
pub fn decrypt_message_v1(key: &AuthKey, packet: &[u8]) -> Result<Vec<u8>, DecryptError> {
    if packet.len() < PACKET_HEADER + MIN_PLAINTEXT {
        return Err(DecryptError::TooShort(packet.len()));
    }
    let (header, encrypted) = packet.split_at(PACKET_HEADER);
    if !encrypted.len().is_multiple_of(16) {
        return Err(DecryptError::NotWholeBlocks(encrypted.len()));
    }
    let id = std::array::from_fn(|i| header[i]);
    if id != key.id_bytes() {
        return Err(DecryptError::WrongAuthKey(u64::from_le_bytes(id)));
    }
    let msg_key: [u8; 16] = std::array::from_fn(|i| header[8 + i]);
    let (aes_key, aes_iv) = aes_key_iv(key, &msg_key);
    let mut data = encrypted.to_vec();
    ige_decrypt(&aes_key, &aes_iv, &mut data);
    // The padding is no part of the hash, so the length has to be believed before it can be checked: it chooses how much is
    // hashed, and nothing else.
    let length = u32::from_le_bytes(std::array::from_fn(|i| data[28 + i]));
    let room = data.len() - MIN_PLAINTEXT;
    let padding = room.checked_sub(length as usize).ok_or(DecryptError::BodyTooLong(length))?;
    if padding > 15 {
        return Err(DecryptError::WrongPadding(padding));
    }
    data.truncate(MIN_PLAINTEXT + length as usize);
    if !bool::from(self::msg_key(&data).ct_eq(&msg_key)) {
        return Err(DecryptError::WrongMsgKey);
    }
    Ok(data)
}

/// The 128 lower bits of the SHA-1 of the plaintext.
fn msg_key(plaintext: &[u8]) -> [u8; 16] {
    let hash = sha1(&[plaintext]);
    std::array::from_fn(|i| hash[4 + i])
}

/// For a message to the server, `x` is 0.
/// <https://core.telegram.org/mtproto/description_v1#defining-aes-key-and-initialization-vector>
fn aes_key_iv(key: &AuthKey, msg_key: &[u8; 16]) -> ([u8; 32], [u8; 32]) {
    let key = key.as_bytes();
    let a = sha1(&[msg_key, &key[..32]]);
    let b = sha1(&[&key[32..48], msg_key, &key[48..64]]);
    let c = sha1(&[&key[64..96], msg_key]);
    let d = sha1(&[msg_key, &key[96..128]]);
    let (mut aes_key, mut aes_iv) = ([0; 32], [0; 32]);
    aes_key[..8].copy_from_slice(&a[..8]);
    aes_key[8..20].copy_from_slice(&b[8..]);
    aes_key[20..].copy_from_slice(&c[4..16]);
    aes_iv[..12].copy_from_slice(&a[8..]);
    aes_iv[12..20].copy_from_slice(&b[..8]);
    aes_iv[20..24].copy_from_slice(&c[16..]);
    aes_iv[24..].copy_from_slice(&d[..8]);
    (aes_key, aes_iv)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SeededRandom;
    use crate::crypto::hex::{array, bytes, sample};

    const SAMPLE: &str = "bind_temp_auth_key.txt";

    fn key() -> AuthKey {
        AuthKey::new(array(&sample(SAMPLE, "auth_key")))
    }

    /// Pads as the sample does.
    struct Ee;

    impl Random for Ee {
        fn fill(&mut self, buf: &mut [u8]) {
            buf.fill(0xee);
        }
    }

    #[test]
    fn a_message_made_by_the_documentation_s_formulas_elsewhere_comes_out() {
        let (plaintext, packet) = (bytes(&sample(SAMPLE, "plaintext")), bytes(&sample(SAMPLE, "encrypted_message")));
        assert_eq!(encrypt_message_v1(&key(), &plaintext, &mut Ee), packet);
        assert_eq!(decrypt_message_v1(&key(), &packet), Ok(plaintext));
    }

    #[test]
    fn a_change_of_any_byte_is_noticed() {
        let packet = bytes(&sample(SAMPLE, "encrypted_message"));
        // The padding is not hashed, but it shares its block with bytes that are, and AES mixes a block.
        for at in 0..packet.len() {
            let mut changed = packet.clone();
            changed[at] ^= 0x10;
            assert!(decrypt_message_v1(&key(), &changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn packets_cut_anywhere_and_of_another_key_are_refused() {
        let packet = bytes(&sample(SAMPLE, "encrypted_message"));
        for length in 0..packet.len() {
            assert!(decrypt_message_v1(&key(), &packet[..length]).is_err(), "cut to {length}");
        }
        let other = decrypt_message_v1(&AuthKey::new([1; 256]), &packet);
        assert!(matches!(other, Err(DecryptError::WrongAuthKey(_))), "{other:?}");
    }

    #[test]
    fn a_length_that_the_packet_cannot_hold_is_refused() {
        let mut plaintext = bytes(&sample(SAMPLE, "plaintext"));
        for (length, error) in [
            (57u32, DecryptError::BodyTooLong(57)),
            (u32::MAX, DecryptError::BodyTooLong(u32::MAX)),
            (32, DecryptError::WrongPadding(16)),
        ] {
            plaintext[28..32].copy_from_slice(&length.to_le_bytes());
            let packet = encrypt_message_v1(&key(), &plaintext, &mut SeededRandom::new(1));
            assert_eq!(decrypt_message_v1(&key(), &packet), Err(error));
        }
    }
}
