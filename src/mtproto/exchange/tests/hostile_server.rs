//! A server that breaks one rule at a time. The client must refuse each with its own error.

use num_bigint::BigUint;

use super::super::{ClientExchange, ExchangeError, inner, number, number_bytes, plain};
use super::{KEY, NOW, at, public_keys};
use crate::crypto::dh::{DH_PRIME, DhError, modpow, public_value};
use crate::crypto::{AuthKey, SeededRandom, new_nonce_hash, rsa_unpad, sha1, tmp_aes_key_iv};
use crate::mtproto::{MsgId, Side};
use crate::tl::{DecodeError, List, Reader, enums, functions, types};

/// Where a lie is told.
#[derive(Clone, Copy, PartialEq)]
enum In {
    Nowhere,
    ResPq,
    Params,
    Inner,
    Answer,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Ok,
    Retry,
    Fail,
}

/// A server by hand: as it is by default, it is honest.
struct Server {
    /// How long the key that the client asks for lives, if it is a temporary one.
    expires_in: Option<i32>,
    wrong_nonce: In,
    wrong_server_nonce: In,
    pq: Vec<u8>,
    fingerprints: Vec<i64>,
    generator: i32,
    prime: Vec<u8>,
    /// Instead of `generator ^ a`.
    g_a: Option<Vec<u8>>,
    params_fail: bool,
    /// Applied to what is encrypted for the client: hash, data, padding.
    spoil_inner: fn(&mut Vec<u8>),
    spoil_sealed: fn(&mut Vec<u8>),
    answer: Kind,
    wrong_hash: bool,
    /// Applied to every packet.
    spoil_packet: fn(&mut Vec<u8>),
}

impl Default for Server {
    fn default() -> Server {
        Server {
            expires_in: None,
            wrong_nonce: In::Nowhere,
            wrong_server_nonce: In::Nowhere,
            pq: number_bytes(1073741827 * 2147483647),
            fingerprints: vec![KEY.public().fingerprint()],
            generator: 3,
            prime: DH_PRIME.to_vec(),
            g_a: None,
            params_fail: false,
            spoil_inner: |_| {},
            spoil_sealed: |_| {},
            answer: Kind::Ok,
            wrong_hash: false,
            spoil_packet: |_| {},
        }
    }
}

const SERVER_NONCE: [u8; 16] = [0x5e; 16];
const EXPONENT: [u8; 256] = [0xa7; 256];

impl Server {
    fn nonces(&self, here: In, nonce: [u8; 16]) -> ([u8; 16], [u8; 16]) {
        let spoil = |mut value: [u8; 16], wrong: bool| {
            value[15] ^= u8::from(wrong);
            value
        };
        (spoil(nonce, self.wrong_nonce == here), spoil(SERVER_NONCE, self.wrong_server_nonce == here))
    }

    /// Plays the exchange to a client.
    fn serve(&self) -> Result<AuthKey, ExchangeError> {
        let mut random = SeededRandom::new(21);
        let mut client = match self.expires_in {
            None => ClientExchange::new(&public_keys(), 2, &mut random, at(NOW)),
            Some(life) => ClientExchange::temporary(&public_keys(), 2, life, &mut random, at(NOW)),
        };
        let mut packets = 0;
        let mut tell = |client: &mut ClientExchange, body: &[u8]| {
            packets += 1;
            let mut packet = plain::seal(MsgId(((NOW as i64) << 32) + 4 * packets + 1), body);
            (self.spoil_packet)(&mut packet);
            client.handle_packet(&packet, at(NOW), &mut SeededRandom::new(22 + packets as u64))
        };
        let next = |client: &mut ClientExchange| {
            let packet = client.poll_packet().expect("the client has something to say");
            plain::open(&packet, Side::Client).expect("the client keeps the rules").to_vec()
        };

        let request = next(&mut client);
        let asked = functions::ReqPqMulti::read(&mut Reader::new(&request[4..])).expect("req_pq_multi").nonce;
        let (nonce, server_nonce) = self.nonces(In::ResPq, asked);
        let mut body = Vec::new();
        types::ResPQ {
            nonce,
            server_nonce,
            pq: &self.pq,
            server_public_key_fingerprints: List::Items(&self.fingerprints),
        }
        .write(&mut body);
        tell(&mut client, &body)?;
        // What the client took for the nonce of the server, it goes on with.
        let request = next(&mut client);
        let request = functions::ReqDHParams::read(&mut Reader::new(&request[4..])).expect("req_DH_params");
        assert_eq!(number(request.p).zip(number(request.q)).map(|(p, q)| p * q), number(&self.pq));
        let data = rsa_unpad(&KEY.decrypt(request.encrypted_data).expect("256 bytes")).expect("RSA_PAD");
        let data = enums::PQInnerData::read(&mut Reader::new(&data)).expect("the client keeps the rules");
        let new_nonce = match (data, self.expires_in) {
            (enums::PQInnerData::Dc(data), None) => data.new_nonce,
            (enums::PQInnerData::TempDc(data), Some(life)) if data.expires_in == life => data.new_nonce,
            (data, _) => panic!("{data:?}"),
        };

        let (nonce, server_nonce) = self.nonces(In::Params, asked);
        let mut body = Vec::new();
        if self.params_fail {
            let hash = sha1(&[&new_nonce]);
            let mut new_nonce_hash: [u8; 16] = std::array::from_fn(|i| hash[4 + i]);
            new_nonce_hash[0] ^= u8::from(self.wrong_hash);
            types::ServerDHParamsFail { nonce, server_nonce, new_nonce_hash }.write(&mut body);
        } else {
            let tmp_key = tmp_aes_key_iv(&new_nonce, &SERVER_NONCE);
            let encrypted_answer = &self.inner(asked, &tmp_key);
            types::ServerDHParamsOk { nonce, server_nonce, encrypted_answer }.write(&mut body);
        }
        tell(&mut client, &body)?;

        loop {
            let request = next(&mut client);
            let request = functions::SetClientDHParams::read(&mut Reader::new(&request[4..])).expect("set_client");
            let tmp_key = tmp_aes_key_iv(&new_nonce, &SERVER_NONCE);
            let inner = inner::open(request.encrypted_data, &tmp_key).expect("the client keeps the rules");
            let inner = types::ClientDHInnerData::read(&mut Reader::new(&inner[4..])).expect("client_DH_inner_data");
            let key = AuthKey::new(modpow(inner.g_b, &EXPONENT, &self.prime));
            tell(&mut client, &self.answer(asked, &new_nonce, &key))?;
            if let Some(agreed) = client.poll_done() {
                assert_eq!(agreed.auth_key, key);
                assert_eq!(agreed.expires_in, self.expires_in, "the server has no say in it");
                return Ok(key);
            }
        }
    }

    fn inner(&self, asked: [u8; 16], tmp_key: &inner::TmpKey) -> Vec<u8> {
        let (nonce, server_nonce) = self.nonces(In::Inner, asked);
        let honest = || public_value(self.generator, &EXPONENT, &self.prime).to_vec();
        let mut data = Vec::new();
        types::ServerDHInnerData {
            nonce,
            server_nonce,
            g: self.generator,
            dh_prime: &self.prime,
            g_a: &self.g_a.clone().unwrap_or_else(honest),
            server_time: NOW as i32,
        }
        .write(&mut data);
        (self.spoil_inner)(&mut data);
        let mut sealed = inner::seal(&data, tmp_key, &mut SeededRandom::new(5));
        (self.spoil_sealed)(&mut sealed);
        sealed
    }

    fn answer(&self, asked: [u8; 16], new_nonce: &[u8; 32], key: &AuthKey) -> Vec<u8> {
        let (nonce, server_nonce) = self.nonces(In::Answer, asked);
        let hash = |number| {
            let mut hash = new_nonce_hash(number, new_nonce, key.aux_hash());
            hash[15] ^= u8::from(self.wrong_hash);
            hash
        };
        let mut body = Vec::new();
        match self.answer {
            Kind::Ok => types::DhGenOk { nonce, server_nonce, new_nonce_hash1: hash(1) }.write(&mut body),
            Kind::Retry => types::DhGenRetry { nonce, server_nonce, new_nonce_hash2: hash(2) }.write(&mut body),
            Kind::Fail => types::DhGenFail { nonce, server_nonce, new_nonce_hash3: hash(3) }.write(&mut body),
        }
        body
    }
}

fn check(server: Server, expected: ExchangeError) {
    assert_eq!(server.serve().expect_err("a broken rule"), expected);
}

fn honest() -> Server {
    Server::default()
}

#[test]
fn the_server_of_these_tests_is_honest_when_nothing_is_said() {
    honest().serve().expect("agreement");
}

/// The life of a temporary key is the client's to choose, and the rest of its exchange is that of a permanent one.
#[test]
fn a_server_that_lies_about_a_temporary_key_is_refused_alike() {
    let honest = || Server { expires_in: Some(3600), ..honest() };
    honest().serve().expect("agreement");
    check(Server { wrong_nonce: In::Answer, ..honest() }, ExchangeError::WrongNonce);
    check(Server { wrong_server_nonce: In::Inner, ..honest() }, ExchangeError::WrongServerNonce);
    check(Server { fingerprints: vec![1], ..honest() }, ExchangeError::UnknownKeys(vec![1]));
    check(Server { spoil_sealed: |sealed| sealed[40] ^= 1, ..honest() }, ExchangeError::WrongInnerHash);
    check(Server { g_a: Some(vec![1]), ..honest() }, ExchangeError::Public(DhError::PublicOutOfRange));
    check(Server { wrong_hash: true, ..honest() }, ExchangeError::WrongNewNonceHash);
    check(Server { answer: Kind::Fail, ..honest() }, ExchangeError::KeyRefused);
}

#[test]
fn a_wrong_nonce_is_refused_wherever_it_stands() {
    for wrong_nonce in [In::ResPq, In::Params, In::Inner, In::Answer] {
        check(Server { wrong_nonce, ..honest() }, ExchangeError::WrongNonce);
    }
}

#[test]
fn a_wrong_server_nonce_is_refused_wherever_it_stands() {
    for wrong_server_nonce in [In::Params, In::Inner, In::Answer] {
        check(Server { wrong_server_nonce, ..honest() }, ExchangeError::WrongServerNonce);
    }
}

#[test]
fn a_server_without_a_key_that_we_know_is_refused() {
    check(Server { fingerprints: vec![1, -2], ..honest() }, ExchangeError::UnknownKeys(vec![1, -2]));
    check(Server { fingerprints: vec![], ..honest() }, ExchangeError::UnknownKeys(vec![]));
}

#[test]
fn our_key_is_found_among_others() {
    let fingerprints = vec![1, KEY.public().fingerprint(), 2];
    Server { fingerprints, ..honest() }.serve().expect("agreement");
}

#[test]
fn a_pq_that_is_no_product_of_two_different_odd_primes_is_refused() {
    for pq in [0, 1, 2, 2147483647, 9223372036854775783, 2 * 2147483647, 2147483647 * 2147483647, 3 * 5 * 7] {
        check(Server { pq: number_bytes(pq), ..honest() }, ExchangeError::PqNotTwoPrimes(pq));
    }
}

#[test]
fn a_pq_of_more_than_64_bits_is_refused() {
    check(Server { pq: vec![1; 9], ..honest() }, ExchangeError::PqTooLarge(9));
}

#[test]
fn zeros_in_front_of_a_number_do_not_matter() {
    let pq = [vec![0; 9], honest().pq].concat();
    Server { pq, ..honest() }.serve().expect("agreement");
    let prime = [vec![0; 4], DH_PRIME.to_vec()].concat();
    Server { prime, ..honest() }.serve().expect("agreement");
}

#[test]
fn a_composite_dh_prime_is_refused() {
    let p = BigUint::from_bytes_be(&DH_PRIME) + 24u32;
    let server = Server { prime: p.to_bytes_be(), generator: 4, ..honest() };
    check(server, ExchangeError::Group(DhError::NotSafePrime));
}

#[test]
fn a_dh_prime_of_another_size_is_refused() {
    let server = Server { prime: DH_PRIME[..128].to_vec(), g_a: Some(vec![9; 256]), ..honest() };
    check(server, ExchangeError::Group(DhError::WrongSize(1024)));
    let server = Server { prime: vec![], g_a: Some(vec![9; 256]), ..honest() };
    check(server, ExchangeError::Group(DhError::WrongSize(0)));
}

#[test]
fn a_generator_out_of_range_is_refused() {
    for generator in [-1, 0, 1, 8] {
        let server = Server { generator, g_a: Some(vec![9; 256]), ..honest() };
        check(server, ExchangeError::Group(DhError::GeneratorOutOfRange(generator)));
    }
}

#[test]
fn a_generator_of_the_whole_group_is_refused() {
    // 2 is no square modulo this prime.
    check(Server { generator: 2, ..honest() }, ExchangeError::Group(DhError::WrongGenerator(2)));
}

#[test]
fn a_g_a_of_a_small_subgroup_is_refused() {
    let p = BigUint::from_bytes_be(&DH_PRIME);
    for g_a in [BigUint::ZERO, BigUint::from(1u32), &p - 1u32, p.clone(), &p + 1u32] {
        let server = Server { g_a: Some(g_a.to_bytes_be()), ..honest() };
        check(server, ExchangeError::Public(DhError::PublicOutOfRange));
    }
}

#[test]
fn a_g_a_near_the_ends_of_the_range_is_refused() {
    let p = BigUint::from_bytes_be(&DH_PRIME);
    for g_a in [BigUint::from(3u32), BigUint::from(1u32) << 1983, &p - 3u32] {
        let server = Server { g_a: Some(g_a.to_bytes_be()), ..honest() };
        check(server, ExchangeError::Public(DhError::PublicTooExtreme));
    }
}

#[test]
fn an_answer_whose_hash_is_wrong_is_refused() {
    for spoil in [|sealed: &mut Vec<u8>| sealed[0] ^= 1, |sealed: &mut Vec<u8>| sealed[300] ^= 1] {
        check(Server { spoil_sealed: spoil, ..honest() }, ExchangeError::WrongInnerHash);
    }
}

#[test]
fn an_answer_with_16_bytes_of_padding_or_more_is_refused() {
    // The blocks after the end decrypt to something, which is padding beyond the 15 bytes.
    check(
        Server { spoil_sealed: |sealed| sealed.extend_from_slice(&[0; 16]), ..honest() },
        ExchangeError::WrongInnerHash,
    );
}

#[test]
fn an_answer_of_broken_blocks_is_refused() {
    check(Server { spoil_sealed: |sealed| sealed.truncate(591), ..honest() }, ExchangeError::WrongInnerLength(591));
    check(Server { spoil_sealed: |sealed| sealed.clear(), ..honest() }, ExchangeError::WrongInnerLength(0));
}

#[test]
fn an_answer_with_something_after_the_data_is_refused() {
    check(
        Server { spoil_inner: |data| data.extend_from_slice(&[0; 4]), ..honest() },
        ExchangeError::Malformed(DecodeError::Trailing(4)),
    );
}

#[test]
fn an_answer_cut_short_is_refused() {
    check(
        Server { spoil_inner: |data| data.truncate(100), ..honest() },
        ExchangeError::Malformed(DecodeError::Truncated),
    );
}

#[test]
fn a_refused_proof_of_work_is_told() {
    check(Server { params_fail: true, ..honest() }, ExchangeError::ParamsRefused);
}

#[test]
fn a_refusal_from_someone_else_than_the_server_is_no_refusal() {
    check(Server { params_fail: true, wrong_hash: true, ..honest() }, ExchangeError::WrongNewNonceHash);
}

#[test]
fn a_wrong_new_nonce_hash_is_refused_in_each_of_the_three_answers() {
    for answer in [Kind::Ok, Kind::Retry, Kind::Fail] {
        check(Server { answer, wrong_hash: true, ..honest() }, ExchangeError::WrongNewNonceHash);
    }
}

#[test]
fn a_refused_key_is_told() {
    check(Server { answer: Kind::Fail, ..honest() }, ExchangeError::KeyRefused);
}

#[test]
fn a_server_that_wants_another_try_for_ever_is_left() {
    check(Server { answer: Kind::Retry, ..honest() }, ExchangeError::TooManyRetries(5));
}

#[test]
fn a_packet_that_is_no_unencrypted_message_is_refused() {
    check(Server { spoil_packet: |packet| packet.truncate(19), ..honest() }, ExchangeError::TooShort(19));
    check(Server { spoil_packet: |packet| packet[0] = 1, ..honest() }, ExchangeError::NotPlain(1));
}

#[test]
fn a_length_that_lies_is_refused() {
    check(
        Server { spoil_packet: |packet| packet[18] = 1, ..honest() },
        ExchangeError::WrongLength { said: 0x10000 + 64, has: 64 },
    );
    check(
        Server { spoil_packet: |packet| packet[16] = 40, ..honest() },
        ExchangeError::Malformed(DecodeError::Truncated),
    );
}

#[test]
fn a_message_id_with_the_parity_of_a_client_is_refused() {
    let id = MsgId(((NOW as i64) << 32) + 4);
    check(Server { spoil_packet: |packet| packet[8] &= 0xfc, ..honest() }, ExchangeError::WrongMsgId(id));
}

#[test]
fn a_message_out_of_turn_is_refused() {
    let swap = |packet: &mut Vec<u8>| packet[20..24].copy_from_slice(&types::DhGenOk::ID.to_le_bytes());
    check(Server { spoil_packet: swap, ..honest() }, ExchangeError::Unexpected(types::DhGenOk::ID));
}

#[test]
fn nothing_is_taken_after_a_broken_rule() {
    let mut client = ClientExchange::new(&public_keys(), 2, &mut SeededRandom::new(1), at(NOW));
    let mut tell = |packet: &[u8]| client.handle_packet(packet, at(NOW), &mut SeededRandom::new(1));
    assert_eq!(tell(&[]), Err(ExchangeError::TooShort(0)));
    assert_eq!(tell(&[]), Err(ExchangeError::Over));
}

#[test]
fn no_packet_of_random_bytes_makes_the_client_panic() {
    use crate::crypto::Random;
    let mut random = SeededRandom::new(7);
    for length in 0..400 {
        let mut body = vec![0; length];
        random.fill(&mut body);
        if let Some(id) = body.first_chunk_mut() {
            *id = types::ResPQ::ID.to_le_bytes();
        }
        let mut client = ClientExchange::new(&public_keys(), 2, &mut random, at(NOW));
        let packet = plain::seal(MsgId((NOW as i64) << 32 | 1), &body);
        assert!(client.handle_packet(&packet, at(NOW), &mut random).is_err());
    }
}
