//! The proof that a temporary key is bound by: a message encrypted with the permanent key, in MTProto 1.0.
//!
//! <https://core.telegram.org/method/auth.bindTempAuthKey>, <https://core.telegram.org/mtproto/description_v1>

use crate::crypto::{AuthKey, ConstantTimeEq, ige_decrypt, sha1};

/// What the proof says; all of it has to be as the query that carries it says.
#[derive(Debug, PartialEq, Eq)]
pub struct Inner {
    pub nonce: i64,
    pub temporary: u64,
    pub permanent: u64,
    /// The session that sends the query.
    pub session: i64,
    pub expires_at: i32,
    /// The message id of the query.
    pub msg_id: i64,
}

/// `bind_auth_key_inner#75a3f765`.
const INNER: u32 = 0x75a3_f765;
/// auth_key_id and msg_key stand before the encrypted data.
const HEADER: usize = 24;
/// 16 random bytes, msg_id, seqno and length stand before the body, which is 40 bytes long.
const LENGTH: usize = 32 + 40;

/// Opens the proof; none if this key has not encrypted it, or not such a message.
pub fn open(key: &AuthKey, proof: &[u8]) -> Option<Inner> {
    let (header, encrypted) = proof.split_at_checked(HEADER)?;
    if header[..8] != key.id_bytes() || encrypted.len() < LENGTH || encrypted.len() % 16 != 0 {
        return None;
    }
    let msg_key: [u8; 16] = header[8..].try_into().ok()?;
    let (aes_key, aes_iv) = aes_key_iv(key, &msg_key);
    let mut data = encrypted.to_vec();
    ige_decrypt(&aes_key, &aes_iv, &mut data);
    // In MTProto 1.0 the padding is not part of the hash.
    if !bool::from(sha1(&[&data[..LENGTH]])[4..20].ct_eq(&msg_key)) {
        return None;
    }
    let long = |at: usize| -> Option<i64> { Some(i64::from_le_bytes(data.get(at..at + 8)?.try_into().ok()?)) };
    let int = |at: usize| -> Option<i32> { Some(i32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?)) };
    if int(28)? != 40 || int(32)? as u32 != INNER {
        return None;
    }
    Some(Inner {
        msg_id: long(16)?,
        nonce: long(36)?,
        temporary: long(44)? as u64,
        permanent: long(52)? as u64,
        session: long(60)?,
        expires_at: int(68)?,
    })
}

fn aes_key_iv(key: &AuthKey, msg_key: &[u8; 16]) -> ([u8; 32], [u8; 32]) {
    let key = key.as_bytes();
    let a = sha1(&[msg_key, &key[..32]]);
    let b = sha1(&[&key[32..48], msg_key, &key[48..64]]);
    let c = sha1(&[&key[64..96], msg_key]);
    let d = sha1(&[msg_key, &key[96..128]]);
    let join = |parts: [&[u8]; 4]| {
        let mut joined = [0; 32];
        parts.concat().iter().zip(&mut joined).for_each(|(from, to)| *to = *from);
        joined
    };
    (join([&a[..8], &b[8..20], &c[4..16], &[]]), join([&a[8..20], &b[..8], &c[16..20], &d[..8]]))
}

/// What a client does: the proof, sealed with the permanent key.
#[cfg(test)]
pub fn seal(key: &AuthKey, inner: &Inner) -> Vec<u8> {
    let mut data = vec![7; 16];
    data.extend(inner.msg_id.to_le_bytes());
    data.extend(0i32.to_le_bytes());
    data.extend(40i32.to_le_bytes());
    data.extend(INNER.to_le_bytes());
    let longs = [inner.nonce, inner.temporary as i64, inner.permanent as i64, inner.session];
    longs.iter().for_each(|long| data.extend(long.to_le_bytes()));
    data.extend(inner.expires_at.to_le_bytes());
    let mut msg_key = [0; 16];
    msg_key.copy_from_slice(&sha1(&[&data])[4..20]);
    data.resize(80, 9);
    let (aes_key, aes_iv) = aes_key_iv(key, &msg_key);
    crate::crypto::ige_encrypt(&aes_key, &aes_iv, &mut data);
    [&key.id_bytes()[..], &msg_key, &data].concat()
}
