//! The two hashes of MTProto.

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// SHA-1 of the pieces, one after the other.
pub fn sha1(pieces: &[&[u8]]) -> [u8; 20] {
    let mut hash = Sha1::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize().into()
}

/// SHA-256 of the pieces, one after the other.
pub fn sha256(pieces: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hex::bytes;

    #[test]
    fn the_standard_vectors_hold_however_the_input_is_cut() {
        for pieces in [&[b"abc".as_slice()][..], &[b"a", b"", b"bc"]] {
            assert_eq!(sha1(pieces)[..], bytes("a9993e364706816aba3e25717850c26c9cd0d89d"));
            assert_eq!(sha256(pieces)[..], bytes("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        }
    }
}
