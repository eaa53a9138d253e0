//! MTProto 2.0: a plaintext becomes a packet that only the other holder of the auth key can read or could have made.
//!
//! A packet is `auth_key_id (8) ‖ msg_key (16) ‖ encrypted data`; the data is `salt (8) ‖ session_id (8) ‖ msg_id (8) ‖
//! seq_no (4) ‖ length (4) ‖ body ‖ padding`. See <https://core.telegram.org/mtproto/description>.

use bytes::{BufMut, BytesMut};
use subtle::ConstantTimeEq;

use super::auth_key::AuthKey;
use super::hash::sha256;
use super::ige::{ige_decrypt, ige_encrypt};
use super::random::Random;
use super::x86::AesniSha;

/// What stands before the encrypted data: `auth_key_id` and `msg_key`.
pub const PACKET_HEADER: usize = 24;

/// The fixed fields at the start of every plaintext, salt to length.
pub const MIN_PLAINTEXT: usize = 32;

/// <https://core.telegram.org/mtproto/description#message-key-msg-key>: 12 to 1024 bytes.
const PADDING: std::ops::RangeInclusive<usize> = 12..=1024;

/// Who will read the message. It chooses the parts of the auth key, so a packet cannot be sent back to its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

impl Direction {
    /// `x` in the documentation.
    fn offset(self) -> usize {
        match self {
            Direction::ToServer => 0,
            Direction::ToClient => 8,
        }
    }
}

/// A packet that must be ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    #[error("the packet has {0} bytes, too few for an encrypted message")]
    TooShort(usize),
    #[error("the encrypted data has {0} bytes, not a multiple of 16")]
    NotWholeBlocks(usize),
    #[error("the packet is for auth key {0:016x}, not for ours")]
    WrongAuthKey(u64),
    #[error("msg_key does not belong to the decrypted message")]
    WrongMsgKey,
    #[error("the message says that its body has {0} bytes, which the packet cannot hold")]
    BodyTooLong(u32),
    #[error("the message body has {0} bytes, not a multiple of 4")]
    BodyNotWholeWords(u32),
    #[error("the padding has {0} bytes; 12 to 1024 are allowed")]
    WrongPadding(usize),
}

/// Turns `packet` into an encrypted packet, in place.
///
/// On entry it holds [`PACKET_HEADER`] bytes of any content and then the plaintext: salt, session id, message id,
/// seq_no, length, body. Up to 27 bytes of padding are added, so a caller reserves them to spare a copy.
/// Returns the token of the packet's [quick acknowledgment](quick_ack_token).
///
/// # Panics
/// If `packet` is shorter than [`PACKET_HEADER`].
pub fn encrypt_message(key: &AuthKey, direction: Direction, packet: &mut BytesMut, random: &mut dyn Random) -> u32 {
    let plaintext = packet.len() - PACKET_HEADER;
    // The least padding of at least 12 bytes that makes whole blocks: 12 to 27.
    let padding = 12 + (16 - (plaintext + 12) % 16) % 16;
    packet.put_bytes(0, padding);
    let (header, data) = packet.split_at_mut(PACKET_HEADER);
    random.fill(&mut data[plaintext..]);

    let large = msg_key_large(key, direction, data);
    let msg_key = middle(&large);
    let (aes_key, aes_iv) = aes_key_iv(key, direction, &msg_key);
    ige_encrypt(&aes_key, &aes_iv, data);
    header[..8].copy_from_slice(&key.id_bytes());
    header[8..].copy_from_slice(&msg_key);
    quick_ack_token(&large)
}

/// Decrypts `packet` in place and returns its plaintext with the padding: salt, session id, message id, seq_no, length,
/// body, padding. The plaintext has at least [`MIN_PLAINTEXT`] bytes and its length field fits: the body is
/// `plaintext[32..32 + length]`.
///
/// Nothing of the plaintext is looked at before `msg_key` is known to be right, and the comparison takes the same time
/// wherever it fails: <https://core.telegram.org/mtproto/security_guidelines#mtproto-encrypted-messages>.
pub fn decrypt_message<'a>(
    key: &AuthKey,
    direction: Direction,
    packet: &'a mut [u8],
) -> Result<&'a mut [u8], DecryptError> {
    decrypt_with_token(key, direction, packet).map(|(plaintext, _)| plaintext)
}

/// [`decrypt_message`], with the token of the packet's [quick acknowledgment](quick_ack_token).
pub fn decrypt_with_token<'a>(
    key: &AuthKey,
    direction: Direction,
    packet: &'a mut [u8],
) -> Result<(&'a mut [u8], u32), DecryptError> {
    let whole = packet.len();
    // An empty body needs 32 bytes and 12 of padding, which makes three blocks.
    if whole < PACKET_HEADER + 48 {
        return Err(DecryptError::TooShort(whole));
    }
    let (header, data) = packet.split_at_mut(PACKET_HEADER);
    if data.len() % 16 != 0 {
        return Err(DecryptError::NotWholeBlocks(data.len()));
    }
    let id = std::array::from_fn(|i| header[i]);
    if id != key.id_bytes() {
        return Err(DecryptError::WrongAuthKey(u64::from_le_bytes(id)));
    }
    let msg_key: [u8; 16] = std::array::from_fn(|i| header[8 + i]);
    let large = decrypt_and_hash(key, direction, aes_key_iv(key, direction, &msg_key), data);
    if !bool::from(middle(&large).ct_eq(&msg_key)) {
        return Err(DecryptError::WrongMsgKey);
    }

    let length = u32::from_le_bytes(std::array::from_fn(|i| data[28 + i]));
    let room = data.len() - MIN_PLAINTEXT;
    // A negative length is a huge one here.
    let padding = room.checked_sub(length as usize).ok_or(DecryptError::BodyTooLong(length))?;
    if !length.is_multiple_of(4) {
        return Err(DecryptError::BodyNotWholeWords(length));
    }
    if !PADDING.contains(&padding) {
        return Err(DecryptError::WrongPadding(padding));
    }
    Ok((data, quick_ack_token(&large)))
}

/// What a server names a packet by that it acknowledges at once: the first 32 bits of the hash that `msg_key` is the middle
/// of, little-endian, the most significant bit set. <https://core.telegram.org/mtproto/mtproto-transports#quick-ack>
fn quick_ack_token(large: &[u8; 32]) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| large[i])) | 1 << 31
}

/// `msg_key_large` of a whole plaintext, padding included.
fn msg_key_large(key: &AuthKey, direction: Direction, plaintext: &[u8]) -> [u8; 32] {
    let part = msg_key_part(key, direction);
    match AesniSha::detect() {
        Some(fast) => fast.sha256_prefixed(part, plaintext),
        None => sha256(&[part, plaintext]),
    }
}

/// Decrypts `data` and returns the `msg_key_large` of the plaintext.
fn decrypt_and_hash(
    key: &AuthKey,
    direction: Direction,
    (aes_key, aes_iv): ([u8; 32], [u8; 32]),
    data: &mut [u8],
) -> [u8; 32] {
    match AesniSha::detect() {
        Some(fast) => fast.ige_decrypt_sha256(&aes_key, &aes_iv, data, msg_key_part(key, direction)),
        None => {
            ige_decrypt(&aes_key, &aes_iv, data);
            msg_key_large(key, direction, data)
        }
    }
}

/// The part of the auth key that only `msg_key` depends on.
fn msg_key_part(key: &AuthKey, direction: Direction) -> &[u8; 32] {
    part(key, 88 + direction.offset())
}

/// `msg_key` out of `msg_key_large`.
fn middle(large: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|i| large[8 + i])
}

/// The AES key and iv of one message.
///
/// <https://core.telegram.org/mtproto/description#defining-aes-key-and-initialization-vector>
fn aes_key_iv(key: &AuthKey, direction: Direction, msg_key: &[u8; 16]) -> ([u8; 32], [u8; 32]) {
    let x = direction.offset();
    let (mut a, mut b) = ([0; 52], [0; 52]);
    a[..16].copy_from_slice(msg_key);
    a[16..].copy_from_slice(part::<36>(key, x));
    b[..36].copy_from_slice(part::<36>(key, 40 + x));
    b[36..].copy_from_slice(msg_key);
    let (a, b) = match AesniSha::detect() {
        Some(fast) => fast.sha256_two_short(&a, &b),
        None => (sha256(&[&a]), sha256(&[&b])),
    };

    let (mut aes_key, mut aes_iv) = (a, b);
    aes_key[8..24].copy_from_slice(&b[8..24]);
    aes_iv[8..24].copy_from_slice(&a[8..24]);
    (aes_key, aes_iv)
}

fn part<const N: usize>(key: &AuthKey, at: usize) -> &[u8; N] {
    key.as_bytes()[at..].first_chunk().expect("the parts lie within the 256 bytes of a key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SeededRandom;

    fn key() -> AuthKey {
        AuthKey::new(std::array::from_fn(|i| (i * 7 + 3) as u8))
    }

    /// A plaintext whose length field says `length`, with `body` bytes after it.
    fn plaintext(length: u32, body: usize) -> Vec<u8> {
        let mut plaintext = vec![0x5a; MIN_PLAINTEXT + body];
        plaintext[28..32].copy_from_slice(&length.to_le_bytes());
        plaintext
    }

    fn packet(direction: Direction, plaintext: &[u8]) -> BytesMut {
        let mut packet = BytesMut::zeroed(PACKET_HEADER);
        packet.extend_from_slice(plaintext);
        encrypt_message(&key(), direction, &mut packet, &mut SeededRandom::new(1));
        packet
    }

    /// A packet with a right `msg_key` around any data: what only the other holder of the key could send.
    fn packet_of_raw_data(data: &[u8]) -> Vec<u8> {
        let mut data = data.to_vec();
        let msg_key = middle(&msg_key_large(&key(), Direction::ToClient, &data));
        let (aes_key, aes_iv) = aes_key_iv(&key(), Direction::ToClient, &msg_key);
        ige_encrypt(&aes_key, &aes_iv, &mut data);
        [&key().id_bytes()[..], &msg_key, &data].concat()
    }

    fn check(data: &[u8], expected: DecryptError) {
        let mut packet = packet_of_raw_data(data);
        assert_eq!(decrypt_message(&key(), Direction::ToClient, &mut packet), Err(expected));
    }

    #[test]
    fn what_was_encrypted_comes_back_with_12_to_27_bytes_of_padding() {
        for direction in [Direction::ToServer, Direction::ToClient] {
            for body in (0..400).step_by(4) {
                let sent = plaintext(body as u32, body);
                let mut packet = packet(direction, &sent);
                assert_eq!(packet.len() % 16, 24 % 16);
                let got = decrypt_message(&key(), direction, &mut packet).expect("our own packet");
                assert_eq!(got[..sent.len()], sent);
                assert!((12..28).contains(&(got.len() - sent.len())), "{body}: {}", got.len() - sent.len());
            }
        }
    }

    #[test]
    fn another_implementation_reads_our_packets_and_we_read_its() {
        let theirs = grammers_crypto::AuthKey::from_bytes(*key().as_bytes());
        for body in [0, 4, 100, 1000] {
            let sent = plaintext(body as u32, body);
            let mut ours = packet(Direction::ToClient, &sent);
            let got = grammers_crypto::decrypt_data_v2(&mut ours, &theirs).expect("our packet");
            assert_eq!(got[..sent.len()], sent);

            let mut buffer = grammers_crypto::DequeBuffer::with_capacity(2000, PACKET_HEADER);
            buffer.extend(&sent);
            grammers_crypto::encrypt_data_v2(&mut buffer, &theirs);
            let mut packet = buffer[..].to_vec();
            let got = decrypt_message(&key(), Direction::ToServer, &mut packet).expect("their packet");
            assert_eq!(got[..sent.len()], sent);
        }
    }

    /// <https://core.telegram.org/mtproto/mtproto-transports#quick-ack>
    #[test]
    fn both_ends_know_a_packet_by_the_same_quick_ack_token() {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let mut packet = BytesMut::zeroed(PACKET_HEADER);
            packet.extend_from_slice(&plaintext(64, 64));
            let token = encrypt_message(&key(), direction, &mut packet, &mut SeededRandom::new(1));
            let (data, theirs) = decrypt_with_token(&key(), direction, &mut packet).expect("our own packet");
            let at = if direction == Direction::ToServer { 88 } else { 96 };
            let hash = sha256(&[&key().as_bytes()[at..at + 32], data]);
            assert_eq!(token, u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3] | 0x80]));
            assert_eq!(theirs, token);
        }
    }

    #[test]
    fn padding_differs_from_packet_to_packet() {
        let mut random = SeededRandom::new(1);
        let mut packet = || {
            let mut packet = BytesMut::zeroed(PACKET_HEADER);
            packet.extend_from_slice(&plaintext(4, 4));
            encrypt_message(&key(), Direction::ToServer, &mut packet, &mut random);
            packet
        };
        assert_ne!(packet(), packet());
    }

    #[test]
    fn a_packet_sent_back_to_its_sender_is_refused() {
        let mut packet = packet(Direction::ToServer, &plaintext(4, 4));
        assert_eq!(decrypt_message(&key(), Direction::ToClient, &mut packet), Err(DecryptError::WrongMsgKey));
    }

    #[test]
    fn a_change_of_any_byte_is_noticed() {
        let sent = packet(Direction::ToClient, &plaintext(64, 64));
        for at in 0..sent.len() {
            let mut changed = sent.to_vec();
            changed[at] ^= 0x10;
            let error = decrypt_message(&key(), Direction::ToClient, &mut changed).expect_err("a changed packet");
            if at < 8 {
                assert!(matches!(error, DecryptError::WrongAuthKey(_)), "byte {at}: {error}");
            } else {
                assert_eq!(error, DecryptError::WrongMsgKey, "byte {at}");
            }
        }
    }

    #[test]
    fn packets_cut_anywhere_are_refused() {
        let sent = packet(Direction::ToClient, &plaintext(64, 64));
        for length in 0..sent.len() {
            let mut cut = sent[..length].to_vec();
            assert!(decrypt_message(&key(), Direction::ToClient, &mut cut).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn a_length_that_the_packet_cannot_hold_is_refused() {
        check(&plaintext(52, 48), DecryptError::BodyTooLong(52));
        check(&plaintext(u32::MAX - 3, 48), DecryptError::BodyTooLong(u32::MAX - 3));
    }

    #[test]
    fn a_body_of_broken_words_is_refused() {
        check(&plaintext(30, 48), DecryptError::BodyNotWholeWords(30));
    }

    #[test]
    fn padding_below_12_and_above_1024_bytes_is_refused() {
        check(&plaintext(40, 48), DecryptError::WrongPadding(8));
        check(&plaintext(48, 48), DecryptError::WrongPadding(0));
        check(&plaintext(12, 12 + 1028), DecryptError::WrongPadding(1028));
    }

    #[test]
    fn padding_of_12_and_of_1024_bytes_is_taken() {
        for (length, padding) in [(4, 12), (16, 1024)] {
            let mut packet = packet_of_raw_data(&plaintext(length, length as usize + padding));
            decrypt_message(&key(), Direction::ToClient, &mut packet).expect("padding within the bounds");
        }
    }
}
