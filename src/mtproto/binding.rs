//! The proof that binds a temporary key to a permanent one: `bind_auth_key_inner`, encrypted with the permanent key as a
//! message of MTProto 1.0 under the message id of the query that carries it.
//!
//! <https://core.telegram.org/method/auth.bindTempAuthKey>

use bytes::Bytes;

use super::MsgId;
use crate::crypto::{AuthKey, Random, decrypt_message_v1, encrypt_message_v1};
use crate::tl::{Reader, enums, functions, types};

/// 16 random bytes, msg_id, seq_no and length stand before the inner message.
const MSG_ID: usize = 16;
const SEQ_NO: usize = 24;
const BODY: usize = 32;

/// A client's: what it takes to write the query anew for whichever message id it gets.
#[derive(Clone, Debug)]
pub struct Binding {
    pub permanent: AuthKey,
    /// Id of the temporary key, which encrypts the query.
    pub temporary: u64,
    /// The session in which the query is sent.
    pub session: i64,
    pub nonce: i64,
    /// Unix seconds of the server's clock.
    pub expires_at: i32,
}

impl Binding {
    /// `auth.bindTempAuthKey`, boxed, for a message with this id.
    pub fn query(&self, msg_id: MsgId, random: &mut dyn Random) -> Bytes {
        let &Binding { nonce, expires_at, .. } = self;
        let mut plaintext = vec![0; BODY];
        random.fill(&mut plaintext[..MSG_ID]);
        plaintext[MSG_ID..SEQ_NO].copy_from_slice(&msg_id.0.to_le_bytes());
        types::BindAuthKeyInner {
            nonce,
            temp_auth_key_id: self.temporary as i64,
            perm_auth_key_id: self.permanent.id() as i64,
            temp_session_id: self.session,
            expires_at,
        }
        .write(&mut plaintext);
        let length = (plaintext.len() - BODY) as u32;
        plaintext[BODY - 4..BODY].copy_from_slice(&length.to_le_bytes());
        let encrypted_message = &encrypt_message_v1(&self.permanent, &plaintext, random);
        let perm_auth_key_id = self.permanent.id() as i64;
        let mut query = Vec::with_capacity(160);
        functions::AuthBindTempAuthKey { perm_auth_key_id, nonce, expires_at, encrypted_message }.write(&mut query);
        query.into()
    }
}

/// A server's: what the proof says, if this key encrypted it, and the message id that it was made for.
pub fn open_binding(permanent: &AuthKey, proof: &[u8]) -> Option<(MsgId, types::BindAuthKeyInner)> {
    let plaintext = decrypt_message_v1(permanent, proof).ok()?;
    let (header, body) = plaintext.split_at_checked(BODY)?;
    let msg_id = MsgId(i64::from_le_bytes(*header[MSG_ID..].first_chunk()?));
    let seq_no = i32::from_le_bytes(*header[SEQ_NO..].first_chunk()?);
    let mut reader = Reader::new(body);
    let enums::BindAuthKeyInner::BindAuthKeyInner(inner) = enums::BindAuthKeyInner::read(&mut reader).ok()?;
    reader.finish().ok()?;
    (seq_no == 0).then_some((msg_id, inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SeededRandom;

    fn binding() -> Binding {
        let permanent = AuthKey::new([3; 256]);
        Binding { permanent, temporary: 4, session: -5, nonce: 6, expires_at: 1_800_000_000 }
    }

    fn proof(query: &[u8]) -> Vec<u8> {
        let mut reader = Reader::new(query);
        reader.expect(functions::AuthBindTempAuthKey::ID).unwrap();
        functions::AuthBindTempAuthKey::read(&mut reader).unwrap().encrypted_message.to_vec()
    }

    #[test]
    fn the_holder_of_the_permanent_key_reads_what_the_proof_says() {
        let query = binding().query(MsgId(44), &mut SeededRandom::new(1));
        let (msg_id, inner) = open_binding(&AuthKey::new([3; 256]), &proof(&query)).unwrap();
        assert_eq!(msg_id, MsgId(44));
        assert_eq!((inner.nonce, inner.temp_auth_key_id, inner.temp_session_id), (6, 4, -5));
        assert_eq!((inner.perm_auth_key_id as u64, inner.expires_at), (AuthKey::new([3; 256]).id(), 1_800_000_000));
    }

    #[test]
    fn a_proof_by_another_key_or_of_something_else_is_none() {
        let query = binding().query(MsgId(44), &mut SeededRandom::new(1));
        assert!(open_binding(&AuthKey::new([4; 256]), &proof(&query)).is_none());
        let key = AuthKey::new([3; 256]);
        let mut other = vec![0; BODY + 40];
        other[BODY - 4..BODY].copy_from_slice(&40u32.to_le_bytes());
        assert!(open_binding(&key, &encrypt_message_v1(&key, &other, &mut SeededRandom::new(1))).is_none());
    }

    #[test]
    fn every_message_id_has_a_query_of_one_length() {
        let lengths = [4, i64::MAX & !3].map(|id| binding().query(MsgId(id), &mut SeededRandom::new(1)).len());
        assert_eq!(lengths[0], lengths[1]);
    }
}
