//! IGE on AES-NI, and IGE decryption together with SHA-256 on AES-NI and SHA-NI. All `unsafe` of the crate's
//! cryptography is here.
//!
//! # Why it is as fast as IGE can be
//!
//! A block's input needs the block before, so nothing can run side by side: the time of a block is the time of what
//! stands on the chain. As the mode is written that is two xors of the mode, the xor of round key 0, and 14 `aesenc`.
//! But xor commutes with the last round's key addition, so for the state `s[i] = m[i] ^ c[i-1] ^ k[0]`:
//!
//! ```text
//! c[i]   = aesenclast(r, k[14]) ^ m[i-1]                       where r is s[i] after 13 rounds
//! s[i+1] = c[i] ^ m[i+1] ^ k[0]
//!        = aesenclast(r, k[14] ^ m[i-1] ^ m[i+1] ^ k[0])
//! ```
//!
//! The folded key is known long before `r` is, and `c[i] = s[i+1] ^ m[i+1] ^ k[0]` hangs off the chain: 14 `aesenc`
//! stand on it and nothing else. Decryption is the same with `aesdec`, the inverse keys, and `m` and `c` exchanged.
//!
//! # Why it is sound
//!
//! Two things here need `unsafe`, and each has one argument:
//!
//! * **Instructions that the processor may lack.** [`Aesni`] and [`AesniSha`] have a private field, so a value of them
//!   comes from `detect` only, which has asked the processor for every feature that the `target_feature` functions
//!   name. A method of a value may therefore call them.
//! * **Unaligned loads and stores through pointers.** There are four places, `load`, `store`, `load_half` and
//!   `load_words`; each takes a reference to an array of exactly the bytes it touches, and uses the instruction that
//!   asks for no alignment.
//!
//! No pointer arithmetic and no lifetime is done by hand.

pub(super) use imp::{Aesni, AesniSha};

#[cfg(not(target_arch = "x86_64"))]
mod imp {
    //! No such processor: the tokens cannot be made, so their methods cannot be called.

    #[derive(Clone, Copy)]
    pub enum Aesni {}

    impl Aesni {
        pub fn detect() -> Option<Aesni> {
            None
        }

        pub fn ige_encrypt(self, _: &[u8; 32], _: &[u8; 32], _: &mut [u8]) {
            match self {}
        }

        pub fn ige_decrypt(self, _: &[u8; 32], _: &[u8; 32], _: &mut [u8]) {
            match self {}
        }
    }

    #[derive(Clone, Copy)]
    pub enum AesniSha {}

    impl AesniSha {
        pub fn detect() -> Option<AesniSha> {
            None
        }

        pub fn ige_decrypt_sha256(self, _: &[u8; 32], _: &[u8; 32], _: &mut [u8], _: &[u8; 32]) -> [u8; 32] {
            match self {}
        }

        pub fn sha256_prefixed(self, _: &[u8; 32], _: &[u8]) -> [u8; 32] {
            match self {}
        }

        pub fn sha256_two_short(self, _: &[u8; 52], _: &[u8; 52]) -> ([u8; 32], [u8; 32]) {
            match self {}
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use std::arch::is_x86_feature_detected;
    use std::arch::x86_64::*;

    /// The proof that the processor has AES-NI (and SSE4.1, SSSE3).
    #[derive(Clone, Copy)]
    pub struct Aesni(());

    impl Aesni {
        pub fn detect() -> Option<Aesni> {
            let has = is_x86_feature_detected!("aes") && is_x86_feature_detected!("sse4.1");
            has.then_some(Aesni(()))
        }

        pub fn ige_encrypt(self, key: &[u8; 32], iv: &[u8; 32], data: &mut [u8]) {
            // SAFETY: `self` proves the features that `encrypt` asks for.
            unsafe { encrypt(key, iv, data) }
        }

        pub fn ige_decrypt(self, key: &[u8; 32], iv: &[u8; 32], data: &mut [u8]) {
            // SAFETY: `self` proves the features that `decrypt` asks for.
            unsafe { decrypt(key, iv, data) }
        }
    }

    /// The proof that the processor has AES-NI and SHA-NI (and SSE4.1, SSSE3).
    #[derive(Clone, Copy)]
    pub struct AesniSha(());

    impl AesniSha {
        pub fn detect() -> Option<AesniSha> {
            let has = Aesni::detect().is_some() && is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3");
            has.then_some(AesniSha(()))
        }

        /// Decrypts whole blocks in place and returns the SHA-256 of `prefix ‖ plaintext`. The hash costs almost nothing:
        /// the decryption chain leaves most of the processor idle.
        pub fn ige_decrypt_sha256(self, key: &[u8; 32], iv: &[u8; 32], data: &mut [u8], prefix: &[u8; 32]) -> [u8; 32] {
            // SAFETY: `self` proves the features that `decrypt_sha256` asks for.
            unsafe { decrypt_sha256(key, iv, data, prefix) }
        }

        /// SHA-256 of `prefix ‖ data`, where `data` is whole blocks of 16 bytes.
        pub fn sha256_prefixed(self, prefix: &[u8; 32], data: &[u8]) -> [u8; 32] {
            // SAFETY: `self` proves the features that `sha256_prefixed` asks for.
            unsafe { sha256_prefixed(prefix, data) }
        }

        /// SHA-256 of two short messages, side by side.
        pub fn sha256_two_short(self, a: &[u8; 52], b: &[u8; 52]) -> ([u8; 32], [u8; 32]) {
            // SAFETY: `self` proves the features that `sha256_two_short` asks for.
            unsafe { sha256_two_short(a, b) }
        }
    }

    #[inline(always)]
    fn load(block: &[u8; 16]) -> __m128i {
        // SAFETY: reads the 16 bytes of `block`, without asking for alignment. SSE2 is part of x86_64.
        unsafe { _mm_loadu_si128(block.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(block: &mut [u8; 16], value: __m128i) {
        // SAFETY: writes the 16 bytes of `block`, without asking for alignment. SSE2 is part of x86_64.
        unsafe { _mm_storeu_si128(block.as_mut_ptr().cast(), value) }
    }

    /// The first (`N` = 0) or second (`N` = 1) half of a key or iv.
    #[inline(always)]
    fn load_half<const N: usize>(bytes: &[u8; 32]) -> __m128i {
        // SAFETY: `N` is 0 or 1, which the assertion shows when this is compiled, so the 16 bytes from `16 * N` lie
        // within the 32. SSE2 is part of x86_64.
        unsafe {
            const { assert!(N < 2) }
            _mm_loadu_si128(bytes.as_ptr().add(16 * N).cast())
        }
    }

    #[inline(always)]
    fn load_words(words: &[u32; 4]) -> __m128i {
        // SAFETY: reads the 16 bytes of `words`, without asking for alignment. SSE2 is part of x86_64.
        unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
    }

    /// The round keys of AES-256 encryption: FIPS 197, 5.2.
    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    fn expand(key: &[u8; 32]) -> [__m128i; 15] {
        let mut keys = [_mm_setzero_si128(); 15];
        keys[0] = load_half::<0>(key);
        keys[1] = load_half::<1>(key);

        // Words w[4i..4i+4] = prefix xors of the round key two before, each with the substituted word.
        #[inline]
        #[target_feature(enable = "aes,sse4.1")]
        fn spread(mut old: __m128i, word: __m128i) -> __m128i {
            old = _mm_xor_si128(old, _mm_slli_si128::<4>(old));
            old = _mm_xor_si128(old, _mm_slli_si128::<8>(old));
            _mm_xor_si128(old, word)
        }
        macro_rules! round {
            ($i:expr, $constant:expr) => {
                let word = _mm_aeskeygenassist_si128::<$constant>(keys[$i - 1]);
                keys[$i] = spread(keys[$i - 2], _mm_shuffle_epi32::<0xff>(word));
            };
        }
        macro_rules! half_round {
            ($i:expr) => {
                let word = _mm_aeskeygenassist_si128::<0>(keys[$i - 1]);
                keys[$i] = spread(keys[$i - 2], _mm_shuffle_epi32::<0xaa>(word));
            };
        }
        round!(2, 0x01);
        half_round!(3);
        round!(4, 0x02);
        half_round!(5);
        round!(6, 0x04);
        half_round!(7);
        round!(8, 0x08);
        half_round!(9);
        round!(10, 0x10);
        half_round!(11);
        round!(12, 0x20);
        half_round!(13);
        round!(14, 0x40);
        keys
    }

    /// The round keys of the equivalent inverse cipher: FIPS 197, 5.3.5.
    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    fn expand_inverse(key: &[u8; 32]) -> [__m128i; 15] {
        let forward = expand(key);
        let mut keys = [_mm_setzero_si128(); 15];
        keys[0] = forward[14];
        for i in 1..14 {
            keys[i] = _mm_aesimc_si128(forward[14 - i]);
        }
        keys[14] = forward[0];
        keys
    }

    #[target_feature(enable = "aes,sse4.1")]
    fn encrypt(key: &[u8; 32], iv: &[u8; 32], data: &mut [u8]) {
        let keys = expand(key);
        let (blocks, _) = data.as_chunks_mut::<16>();
        let Some(first) = blocks.first() else { return };
        let around = _mm_xor_si128(keys[0], keys[14]);
        let mut current = load(first);
        let mut before = load_half::<1>(iv);
        let mut state = _mm_xor_si128(_mm_xor_si128(current, load_half::<0>(iv)), keys[0]);
        for i in 0..blocks.len() {
            let next = blocks.get(i + 1).map_or(_mm_setzero_si128(), load);
            let folded = _mm_xor_si128(_mm_xor_si128(before, next), around);
            for round in &keys[1..14] {
                state = _mm_aesenc_si128(state, *round);
            }
            state = _mm_aesenclast_si128(state, folded);
            store(&mut blocks[i], _mm_xor_si128(state, _mm_xor_si128(next, keys[0])));
            (before, current) = (current, next);
        }
    }

    #[target_feature(enable = "aes,sse4.1")]
    fn decrypt(key: &[u8; 32], iv: &[u8; 32], data: &mut [u8]) {
        let (blocks, _) = data.as_chunks_mut::<16>();
        let mut chain = Chain::new(key, iv, blocks);
        for at in 0..blocks.len() {
            chain.rounds::<1, 14>();
            chain.end(blocks, at);
        }
    }

    /// An IGE decryption on its way through the blocks of a message.
    struct Chain {
        keys: [__m128i; 15],
        around: __m128i,
        before: __m128i,
        current: __m128i,
        state: __m128i,
    }

    impl Chain {
        #[inline]
        #[target_feature(enable = "aes,sse4.1")]
        fn new(key: &[u8; 32], iv: &[u8; 32], blocks: &[[u8; 16]]) -> Chain {
            let keys = expand_inverse(key);
            let current = blocks.first().map_or(_mm_setzero_si128(), load);
            Chain {
                keys,
                around: _mm_xor_si128(keys[0], keys[14]),
                before: load_half::<0>(iv),
                current,
                state: _mm_xor_si128(_mm_xor_si128(current, load_half::<1>(iv)), keys[0]),
            }
        }

        /// Some of the first 13 rounds of the current block: key `FROM` up to, without it, key `TO`.
        #[inline]
        #[target_feature(enable = "aes,sse4.1")]
        fn rounds<const FROM: usize, const TO: usize>(&mut self) {
            for round in &self.keys[FROM..TO] {
                self.state = _mm_aesdec_si128(self.state, *round);
            }
        }

        /// The last round of the block at `at`: writes its plaintext, returns it, and begins the next block.
        #[inline]
        #[target_feature(enable = "aes,sse4.1")]
        fn end(&mut self, blocks: &mut [[u8; 16]], at: usize) -> __m128i {
            let next = blocks.get(at + 1).map_or(_mm_setzero_si128(), load);
            let folded = _mm_xor_si128(_mm_xor_si128(self.before, next), self.around);
            self.state = _mm_aesdeclast_si128(self.state, folded);
            let plain = _mm_xor_si128(self.state, _mm_xor_si128(next, self.keys[0]));
            store(&mut blocks[at], plain);
            (self.before, self.current) = (self.current, next);
            plain
        }
    }

    /// FIPS 180-4, 4.2.2.
    static K: [[u32; 4]; 16] = [
        [0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5],
        [0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5],
        [0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3],
        [0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174],
        [0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc],
        [0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da],
        [0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7],
        [0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967],
        [0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13],
        [0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85],
        [0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3],
        [0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070],
        [0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5],
        [0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3],
        [0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208],
        [0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2],
    ];

    /// A SHA-256 state in the order in which SHA-NI wants it: words a b e f, and c d g h.
    #[derive(Clone, Copy)]
    struct Sha {
        abef: __m128i,
        cdgh: __m128i,
    }

    impl Sha {
        #[inline(always)]
        fn new() -> Sha {
            // FIPS 180-4, 5.3.3, as words f e b a and h g d c.
            Sha {
                abef: load_words(&[0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667]),
                cdgh: load_words(&[0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372]),
            }
        }

        #[inline]
        #[target_feature(enable = "sse2,ssse3,sse4.1")]
        fn finish(self) -> [u8; 32] {
            let feba = self.abef;
            let hgdc = self.cdgh;
            // To a b c d and e f g h, most significant word first, then bytes likewise.
            let abcd = _mm_unpackhi_epi64(feba, hgdc);
            let efgh = _mm_unpacklo_epi64(feba, hgdc);
            let flip = _mm_set_epi64x(0x0809_0a0b_0c0d_0e0f, 0x0001_0203_0405_0607);
            let mut halves = [[0; 16]; 2];
            store(&mut halves[0], _mm_shuffle_epi8(abcd, flip));
            store(&mut halves[1], _mm_shuffle_epi8(efgh, flip));
            std::array::from_fn(|i| halves[i / 16][i % 16])
        }
    }

    /// Sixteen bytes of the message as four big-endian words.
    #[inline]
    #[target_feature(enable = "ssse3")]
    fn words(bytes: __m128i) -> __m128i {
        _mm_shuffle_epi8(bytes, _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203))
    }

    /// Rounds `4 * I` to `4 * I + 3` on `sha`, and the words that rounds sixteen later will need, in `w[I % 4]`.
    #[inline]
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    fn four_rounds<const I: usize>(sha: &mut Sha, w: &mut [__m128i; 4]) {
        let keyed = _mm_add_epi32(w[I % 4], load_words(&K[I]));
        sha.cdgh = _mm_sha256rnds2_epu32(sha.cdgh, sha.abef, keyed);
        sha.abef = _mm_sha256rnds2_epu32(sha.abef, sha.cdgh, _mm_shuffle_epi32::<0x0e>(keyed));
        if I < 12 {
            let (one, two, three) = (w[(I + 1) % 4], w[(I + 2) % 4], w[(I + 3) % 4]);
            let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[I % 4], one), _mm_alignr_epi8::<4>(three, two));
            w[I % 4] = _mm_sha256msg2_epu32(sum, three);
        }
    }

    /// Does `$each!(I)` for I from 0 to 15, unrolled.
    macro_rules! sixteen {
        ($each:ident) => {
            $each!(0);
            $each!(1);
            $each!(2);
            $each!(3);
            $each!(4);
            $each!(5);
            $each!(6);
            $each!(7);
            $each!(8);
            $each!(9);
            $each!(10);
            $each!(11);
            $each!(12);
            $each!(13);
            $each!(14);
            $each!(15);
        };
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn add(sha: &mut Sha, before: Sha) {
        sha.abef = _mm_add_epi32(sha.abef, before.abef);
        sha.cdgh = _mm_add_epi32(sha.cdgh, before.cdgh);
    }

    /// One block of SHA-256.
    #[inline]
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    fn compress(sha: &mut Sha, mut w: [__m128i; 4]) {
        let before = *sha;
        macro_rules! step {
            ($i:expr) => {
                four_rounds::<$i>(sha, &mut w);
            };
        }
        sixteen!(step);
        add(sha, before);
    }

    /// The last block: what is left of a message of `length` bytes (up to three sixteens), the marker and the length,
    /// which always find room after that.
    #[inline]
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    fn finish(mut sha: Sha, left: &[__m128i], length: usize) -> [u8; 32] {
        let marker = _mm_set_epi32(0, 0, 0, 0x8000_0000_u32 as i32);
        let bits = (length as u64) << 3;
        let length = _mm_set_epi32(bits as i32, (bits >> 32) as i32, 0, 0);
        let mut w = [_mm_setzero_si128(); 4];
        w[..left.len()].copy_from_slice(left);
        w[left.len()] = marker;
        w[3] = _mm_or_si128(w[3], length);
        compress(&mut sha, w);
        sha.finish()
    }

    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    fn sha256_prefixed(prefix: &[u8; 32], data: &[u8]) -> [u8; 32] {
        let (blocks, _) = data.as_chunks::<16>();
        let mut sha = Sha::new();
        // The prefix takes half a block, so data comes to stand two sixteens off.
        let mut w =
            [words(load_half::<0>(prefix)), words(load_half::<1>(prefix)), _mm_setzero_si128(), _mm_setzero_si128()];
        let (whole, left) = match blocks.split_at_checked(2) {
            Some((head, rest)) => {
                (w[2], w[3]) = (words(load(&head[0])), words(load(&head[1])));
                compress(&mut sha, w);
                rest.as_chunks::<4>()
            }
            None => {
                let mut filled = 2;
                for block in blocks {
                    w[filled] = words(load(block));
                    filled += 1;
                }
                return finish(sha, &w[..filled], 32 + 16 * blocks.len());
            }
        };
        for [a, b, c, d] in whole {
            compress(&mut sha, [words(load(a)), words(load(b)), words(load(c)), words(load(d))]);
        }
        for (w, block) in w.iter_mut().zip(left) {
            *w = words(load(block));
        }
        finish(sha, &w[..left.len()], 32 + 16 * blocks.len())
    }

    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    fn sha256_two_short(a: &[u8; 52], b: &[u8; 52]) -> ([u8; 32], [u8; 32]) {
        #[inline]
        #[target_feature(enable = "ssse3")]
        fn block(message: &[u8; 52]) -> [__m128i; 4] {
            let mut padded = [0; 64];
            padded[..52].copy_from_slice(message);
            padded[52] = 0x80;
            padded[62..].copy_from_slice(&(52_u16 * 8).to_be_bytes());
            let [a, b, c, d] = padded.as_chunks::<16>().0 else { unreachable!("64 bytes are four blocks") };
            [words(load(a)), words(load(b)), words(load(c)), words(load(d))]
        }
        let (mut left, mut right) = (Sha::new(), Sha::new());
        let (mut left_words, mut right_words) = (block(a), block(b));
        macro_rules! step {
            ($i:expr) => {
                four_rounds::<$i>(&mut left, &mut left_words);
                four_rounds::<$i>(&mut right, &mut right_words);
            };
        }
        sixteen!(step);
        add(&mut left, Sha::new());
        add(&mut right, Sha::new());
        (left.finish(), right.finish())
    }

    #[target_feature(enable = "aes,sha,sse2,ssse3,sse4.1")]
    fn decrypt_sha256(key: &[u8; 32], iv: &[u8; 32], data: &mut [u8], prefix: &[u8; 32]) -> [u8; 32] {
        let length = 32 + data.len();
        let (blocks, _) = data.as_chunks_mut::<16>();
        let mut chain = Chain::new(key, iv, blocks);
        let mut sha = Sha::new();
        let mut w =
            [words(load_half::<0>(prefix)), words(load_half::<1>(prefix)), _mm_setzero_si128(), _mm_setzero_si128()];
        let mut filled = 2;
        let mut at = 0;

        // Up to the first whole block of the hash.
        while filled < 4 && at < blocks.len() {
            chain.rounds::<1, 14>();
            w[filled] = words(chain.end(blocks, at));
            filled += 1;
            at += 1;
        }
        // A block of the hash and the next four of the cipher, a few rounds of each in turn: they do not wait for each
        // other, and so close together that the processor sees both.
        while filled == 4 && blocks.len() - at >= 4 {
            let before = sha;
            let mut fresh = [_mm_setzero_si128(); 4];
            macro_rules! step {
                ($i:expr) => {
                    four_rounds::<$i>(&mut sha, &mut w);
                    match $i % 4 {
                        0 => chain.rounds::<1, 4>(),
                        1 => chain.rounds::<4, 8>(),
                        2 => chain.rounds::<8, 11>(),
                        _ => {
                            chain.rounds::<11, 14>();
                            fresh[$i / 4] = words(chain.end(blocks, at));
                            at += 1;
                        }
                    }
                };
            }
            sixteen!(step);
            add(&mut sha, before);
            w = fresh;
        }
        if filled == 4 {
            compress(&mut sha, w);
            filled = 0;
            while at < blocks.len() {
                chain.rounds::<1, 14>();
                w[filled] = words(chain.end(blocks, at));
                filled += 1;
                at += 1;
            }
        }
        finish(sha, &w[..filled], length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::sha256;
    use crate::crypto::ige::portable_decrypt;
    use crate::crypto::{Random, SeededRandom};

    #[test]
    fn decrypting_and_hashing_in_one_pass_agrees_with_one_after_the_other() {
        let Some(fast) = AesniSha::detect() else {
            return;
        };
        let mut random = SeededRandom::new(5);
        let (mut key, mut iv, mut prefix) = ([0; 32], [0; 32], [0; 32]);
        for blocks in (0..40).chain([255, 256, 257, 258, 4096]) {
            random.fill(&mut key);
            random.fill(&mut iv);
            random.fill(&mut prefix);
            let mut ours = vec![0; 16 * blocks];
            random.fill(&mut ours);
            let mut theirs = ours.clone();
            let hash = fast.ige_decrypt_sha256(&key, &iv, &mut ours, &prefix);
            portable_decrypt(&key, &iv, &mut theirs);
            assert!(ours == theirs, "plaintext of {blocks} blocks");
            assert_eq!(hash, sha256(&[&prefix, &theirs]), "hash of {blocks} blocks");
            assert_eq!(fast.sha256_prefixed(&prefix, &theirs), hash, "hash alone of {blocks} blocks");
        }
    }

    #[test]
    fn two_short_hashes_side_by_side_are_the_two_hashes() {
        let Some(fast) = AesniSha::detect() else {
            return;
        };
        let mut random = SeededRandom::new(6);
        let (mut a, mut b) = ([0; 52], [0; 52]);
        random.fill(&mut a);
        random.fill(&mut b);
        assert_eq!(fast.sha256_two_short(&a, &b), (sha256(&[&a]), sha256(&[&b])));
    }
}
