//! Decryption, and the checks that come before anything is parsed.

use std::sync::LazyLock;

use bytes::BytesMut;
use moongram::crypto::{AuthKey, DecryptError, Random, SeededRandom, ige_encrypt, sha256};
use moongram::mtproto::{PacketError, Side, open};

use super::Target;
use super::input::Input;

pub const TARGET: Target = Target { name: "packet", run, seeds, memory: (1 << 12, 8) };

pub static KEY: LazyLock<AuthKey> = LazyLock::new(|| {
    let mut bytes = [0; 256];
    SeededRandom::new(7).fill(&mut bytes);
    AuthKey::new(bytes)
});

/// Of the first byte: the packet is from the client, the rest is the packet as it is (else it is what is encrypted), and after
/// encryption a byte of it is changed.
const FROM_CLIENT: u8 = 1;
const RAW: u8 = 2;
const SPOILT: u8 = 4;

fn run(data: &[u8]) -> usize {
    let mut input = Input(data);
    let how = input.u8();
    let from = if how & FROM_CLIENT == 0 { Side::Server } else { Side::Client };
    let at = input.u16();
    let rest = input.rest();
    if how & RAW != 0 {
        let mut packet = BytesMut::from(rest);
        if let Some(id) = packet.first_chunk_mut().filter(|_| how & SPOILT == 0) {
            *id = KEY.id_bytes();
        }
        // Nobody finds a msg_key by chance, but the corpus has some that are right.
        if let Some(byte) = packet.get_mut(8) {
            *byte ^= 1;
        }
        assert!(open(&KEY, from, packet).is_err());
        return 0;
    }
    let mut plaintext = rest.to_vec();
    plaintext.resize(rest.len().next_multiple_of(16), 0);
    let mut packet = seal(from, &plaintext);
    if how & SPOILT != 0 {
        let at = usize::from(at) % packet.len();
        packet[at] ^= 0x80;
        let error = open(&KEY, from, packet).expect_err("a changed packet");
        let whole = plaintext.len() >= 48;
        assert!(
            matches!(
                error,
                PacketError::Decrypt(DecryptError::WrongAuthKey(_) | DecryptError::WrongMsgKey) if whole
            ) || matches!(error, PacketError::Decrypt(DecryptError::TooShort(_)) if !whole)
        );
        return 0;
    }
    check(open(&KEY, from, packet), &plaintext);
    0
}

/// The rules again, for a plaintext that is authentic.
/// <https://core.telegram.org/mtproto/security_guidelines#mtproto-encrypted-messages>
fn check(opened: Result<moongram::mtproto::Opened, PacketError>, plaintext: &[u8]) {
    let long = |at: usize| i64::from_le_bytes(std::array::from_fn(|i| plaintext[at + i]));
    if plaintext.len() < 48 {
        let expected = DecryptError::TooShort(24 + plaintext.len());
        return assert_eq!(opened.expect_err("a short packet"), PacketError::Decrypt(expected));
    }
    let length = long(24) as u64 >> 32;
    let padding = plaintext.len() as i64 - 32 - length as i64;
    let expected = match padding {
        ..0 => Some(DecryptError::BodyTooLong(length as u32)),
        _ if !length.is_multiple_of(4) => Some(DecryptError::BodyNotWholeWords(length as u32)),
        12..=1024 => None,
        _ => Some(DecryptError::WrongPadding(padding as usize)),
    };
    match (opened, expected) {
        (Ok(opened), None) => {
            assert_eq!((opened.salt, opened.session_id, opened.msg_id().0), (long(0), long(8), long(16)));
        }
        (Err(PacketError::Decrypt(error)), Some(expected)) => assert_eq!(error, expected),
        (got, expected) => panic!("{got:?} where {expected:?} was due"),
    }
}

/// Encrypts a plaintext as it is, padding and all, step by step as the documentation has it.
/// <https://core.telegram.org/mtproto/description#defining-aes-key-and-initialization-vector>
pub fn seal(from: Side, plaintext: &[u8]) -> BytesMut {
    let x = if from == Side::Client { 0 } else { 8 };
    let key = KEY.as_bytes();
    let large = sha256(&[&key[88 + x..120 + x], plaintext]);
    let msg_key = &large[8..24];
    let a = sha256(&[msg_key, &key[x..36 + x]]);
    let b = sha256(&[&key[40 + x..76 + x], msg_key]);
    let half = |first: &[u8; 32], second: &[u8; 32]| -> [u8; 32] {
        std::array::from_fn(|i| if (8..24).contains(&i) { second[i] } else { first[i] })
    };
    let mut packet = BytesMut::from(&KEY.id_bytes()[..]);
    packet.extend_from_slice(msg_key);
    packet.extend_from_slice(plaintext);
    ige_encrypt(&half(&a, &b), &half(&b, &a), &mut packet[24..]);
    packet
}

/// The plaintext of a message with so much padding.
pub fn plaintext(salt: i64, session: i64, id: i64, seqno: i32, body: &[u8], padding: usize) -> Vec<u8> {
    let mut plaintext = Vec::with_capacity(32 + body.len() + padding);
    [salt, session, id].iter().for_each(|long| plaintext.extend_from_slice(&long.to_le_bytes()));
    plaintext.extend_from_slice(&seqno.to_le_bytes());
    plaintext.extend_from_slice(&(body.len() as u32).to_le_bytes());
    plaintext.extend_from_slice(body);
    plaintext.resize(plaintext.len() + padding, 0x9d);
    plaintext
}

/// The least padding that makes whole blocks.
pub fn padding(body: usize) -> usize {
    12 + (16 - (32 + body + 12) % 16) % 16
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut seed = |name: &str, how: u8, bytes: &[u8]| {
        seeds.push((name.to_owned(), [&[how, 9, 0], bytes].concat()));
    };
    let id = 1_750_000_000 << 32 | 1;
    for length in [0, 4, 100, 1000] {
        let body = vec![0x33; length];
        let plain = plaintext(77, 0x5e55_1011, id, 1, &body, padding(length));
        seed(&format!("body-{length}"), 0, &plain);
        seed(&format!("body-{length}-from-client"), FROM_CLIENT, &plain);
        seed(&format!("body-{length}-spoilt"), SPOILT, &plain);
        seed(&format!("body-{length}-raw"), RAW, &seal(Side::Server, &plain));
    }
    for padding in [0, 8, 12, 1016, 1024, 1032] {
        let body = vec![0x33; 100 - (132 + padding) % 16 + (132 + padding) % 4];
        seed(&format!("padding-{padding}"), 0, &plaintext(77, 1, id, 1, &body, padding));
    }
    for length in [u32::MAX, 1 << 31, 2, 48] {
        let mut plain = plaintext(77, 1, id, 1, &[1; 32], 16);
        plain[28..32].copy_from_slice(&length.to_le_bytes());
        seed(&format!("length-{length:08x}"), 0, &plain);
    }
    seeds
}
