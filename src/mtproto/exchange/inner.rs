//! The two inner messages that are encrypted with the temporary key: `SHA1(data) ‖ data ‖ 0 to 15 random bytes`.
//!
//! <https://core.telegram.org/mtproto/auth_key#6-server-responds-with>

use crate::crypto::{ConstantTimeEq, Random, ige_decrypt, ige_encrypt, sha1};

use super::ExchangeError;

/// The temporary key and iv: see [`crate::crypto::tmp_aes_key_iv`].
pub(super) type TmpKey = ([u8; 32], [u8; 32]);

const HASH: usize = 20;

pub(super) fn seal(data: &[u8], (key, iv): &TmpKey, random: &mut dyn Random) -> Vec<u8> {
    let mut sealed = Vec::with_capacity((HASH + data.len()).next_multiple_of(16));
    sealed.extend_from_slice(&sha1(&[data]));
    sealed.extend_from_slice(data);
    let end = sealed.len();
    sealed.resize(end.next_multiple_of(16), 0);
    random.fill(&mut sealed[end..]);
    ige_encrypt(key, iv, &mut sealed);
    sealed
}

/// The data, which is what its hash says: nothing is parsed before that is known. How many bytes of padding there are is
/// not told; the one number for which the hash is right is the answer.
pub(super) fn open(sealed: &[u8], (key, iv): &TmpKey) -> Result<Vec<u8>, ExchangeError> {
    if sealed.len() < 32 || !sealed.len().is_multiple_of(16) {
        return Err(ExchangeError::WrongInnerLength(sealed.len()));
    }
    let mut opened = sealed.to_vec();
    ige_decrypt(key, iv, &mut opened);
    let data = opened.split_off(HASH);
    (0..16)
        .filter_map(|padding| data.get(..data.len().checked_sub(padding)?))
        .find(|data| sha1(&[data])[..].ct_eq(&opened).into())
        .map(<[u8]>::to_vec)
        .ok_or(ExchangeError::WrongInnerHash)
}
