//! A client that breaks one rule at a time. The server must refuse each with its own error.

use num_bigint::BigUint;

use super::super::{Agreed, ExchangeError, ServerExchange, inner, number, number_bytes, plain};
use super::{KEY, NOW, at};
use crate::crypto::dh::{DH_PRIME, DhError, public_value};
use crate::crypto::{RsaError, SeededRandom, factorize, sha1, tmp_aes_key_iv};
use crate::mtproto::{MsgId, Side};
use crate::tl::{DecodeError, Reader, functions, types};

/// Where a lie is told.
#[derive(Clone, Copy, PartialEq)]
enum In {
    Nowhere,
    Request,
    Inner,
    Set,
    SetInner,
}

/// How the inner data is written and encrypted.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Padded,
    /// As clients sent it before RSA_PAD, with the constructor of those days.
    Old,
    OldWithWrongHash,
    Temporary(i32),
}

/// A client by hand: as it is by default, it is honest.
struct Client {
    wrong_nonce: In,
    wrong_server_nonce: In,
    wrong_factors: In,
    fingerprint: i64,
    form: Form,
    spoil_encrypted: fn(&mut Vec<u8>),
    retry_id: i64,
    /// Instead of `3 ^ b`.
    g_b: Option<Vec<u8>>,
    spoil_sealed: fn(&mut Vec<u8>),
    spoil_packet: fn(&mut Vec<u8>),
    old_req_pq: bool,
}

impl Default for Client {
    fn default() -> Client {
        Client {
            wrong_nonce: In::Nowhere,
            wrong_server_nonce: In::Nowhere,
            wrong_factors: In::Nowhere,
            fingerprint: KEY.public().fingerprint(),
            form: Form::Padded,
            spoil_encrypted: |_| {},
            retry_id: 0,
            g_b: None,
            spoil_sealed: |_| {},
            spoil_packet: |_| {},
            old_req_pq: false,
        }
    }
}

const NONCE: [u8; 16] = [0xc1; 16];
const NEW_NONCE: [u8; 32] = [0xde; 32];
const EXPONENT: [u8; 256] = [0xb7; 256];

impl Client {
    fn nonces(&self, here: In, server_nonce: [u8; 16]) -> ([u8; 16], [u8; 16]) {
        let spoil = |mut value: [u8; 16], wrong: bool| {
            value[0] ^= u8::from(wrong);
            value
        };
        (spoil(NONCE, self.wrong_nonce == here), spoil(server_nonce, self.wrong_server_nonce == here))
    }

    /// Plays the exchange to a server.
    fn ask(&self, server: &mut ServerExchange) -> Result<Agreed, ExchangeError> {
        let mut packets = 0;
        let mut tell = |server: &mut ServerExchange, write: &dyn Fn(&mut Vec<u8>)| -> Result<Vec<u8>, ExchangeError> {
            packets += 1;
            let mut body = Vec::new();
            write(&mut body);
            let mut packet = plain::seal(MsgId(((NOW as i64) << 32) + 4 * packets), &body);
            (self.spoil_packet)(&mut packet);
            server.handle_packet(&packet, at(NOW), &mut SeededRandom::new(30 + packets as u64))?;
            let answer = server.poll_packet().expect("an answer");
            Ok(plain::open(&answer, Side::Server).expect("the server keeps the rules").to_vec())
        };

        let answer = tell(server, &|out| match self.old_req_pq {
            false => functions::ReqPqMulti { nonce: NONCE }.write(out),
            true => functions::ReqPq { nonce: NONCE }.write(out),
        })?;
        let res_pq = types::ResPQ::read(&mut Reader::new(&answer[4..])).expect("resPQ");
        assert_eq!(res_pq.nonce, NONCE);
        let (p, q) = number(res_pq.pq).and_then(factorize).expect("a product of two primes");
        let server_nonce = res_pq.server_nonce;
        let encrypted = self.encrypted(server_nonce, res_pq.pq, p, q);

        let q_sent = if self.wrong_factors == In::Request { q + 2 } else { q };
        let (nonce, sent_nonce) = self.nonces(In::Request, server_nonce);
        let answer = tell(server, &|out| {
            functions::ReqDHParams {
                nonce,
                server_nonce: sent_nonce,
                p: &number_bytes(p),
                q: &number_bytes(q_sent),
                public_key_fingerprint: self.fingerprint,
                encrypted_data: &encrypted,
            }
            .write(out)
        })?;
        types::ServerDHParamsOk::read(&mut Reader::new(&answer[4..])).expect("server_DH_params_ok");

        let (nonce, inner_nonce) = self.nonces(In::SetInner, server_nonce);
        let g_b = self.g_b.clone().unwrap_or_else(|| public_value(3, &EXPONENT, &DH_PRIME).to_vec());
        let mut data = Vec::new();
        types::ClientDHInnerData { nonce, server_nonce: inner_nonce, retry_id: self.retry_id, g_b: &g_b }
            .write(&mut data);
        let tmp_key = tmp_aes_key_iv(&NEW_NONCE, &server_nonce);
        let mut sealed = inner::seal(&data, &tmp_key, &mut SeededRandom::new(9));
        (self.spoil_sealed)(&mut sealed);
        let (nonce, server_nonce) = self.nonces(In::Set, server_nonce);
        let answer = tell(server, &|out| {
            functions::SetClientDHParams { nonce, server_nonce, encrypted_data: &sealed }.write(out)
        })?;
        types::DhGenOk::read(&mut Reader::new(&answer[4..])).expect("dh_gen_ok");
        Ok(server.poll_done().expect("the key"))
    }

    fn encrypted(&self, server_nonce: [u8; 16], pq: &[u8], p: u64, q: u64) -> Vec<u8> {
        let (nonce, server_nonce) = self.nonces(In::Inner, server_nonce);
        let p = &number_bytes(if self.wrong_factors == In::Inner { p - 2 } else { p });
        let (q, new_nonce, dc) = (&number_bytes(q), NEW_NONCE, 2);
        let mut data = Vec::new();
        match self.form {
            Form::Padded => types::PQInnerDataDc { pq, p, q, nonce, server_nonce, new_nonce, dc }.write(&mut data),
            Form::Temporary(expires_in) => {
                types::PQInnerDataTempDc { pq, p, q, nonce, server_nonce, new_nonce, dc, expires_in }.write(&mut data)
            }
            Form::Old | Form::OldWithWrongHash => {
                types::PQInnerData { pq, p, q, nonce, server_nonce, new_nonce }.write(&mut data);
                let mut hash = sha1(&[&data]);
                hash[0] ^= u8::from(self.form == Form::OldWithWrongHash);
                let mut old = [vec![0], hash.to_vec(), data].concat();
                old.resize(256, 0x33);
                let number = BigUint::from_bytes_be(&old);
                let encrypted = KEY.public().raw(&old.try_into().expect("256 bytes"));
                assert!(number.bits() < 2048);
                return encrypted.expect("below the modulus").to_vec();
            }
        }
        let mut encrypted = KEY.public().encrypt_pad(&data, &mut SeededRandom::new(8)).expect("the data fits").to_vec();
        (self.spoil_encrypted)(&mut encrypted);
        encrypted
    }
}

fn server() -> ServerExchange {
    ServerExchange::new(KEY.clone())
}

fn check(client: Client, expected: ExchangeError) {
    assert_eq!(client.ask(&mut server()).expect_err("a broken rule"), expected);
}

fn honest() -> Client {
    Client::default()
}

#[test]
fn the_client_of_these_tests_is_honest_when_nothing_is_said() {
    let agreed = honest().ask(&mut server()).expect("agreement");
    assert_eq!((agreed.dc, agreed.expires_in), (Some(2), None));
}

#[test]
fn the_old_forms_of_question_and_proof_are_taken() {
    let agreed = Client { old_req_pq: true, form: Form::Old, ..honest() }.ask(&mut server()).expect("agreement");
    assert_eq!((agreed.dc, agreed.expires_in), (None, None));
}

#[test]
fn a_wrong_hash_in_the_old_form_is_refused() {
    check(Client { form: Form::OldWithWrongHash, ..honest() }, ExchangeError::Rsa(RsaError::WrongHash));
}

#[test]
fn a_wrong_nonce_is_refused_wherever_it_stands() {
    for wrong_nonce in [In::Request, In::Inner, In::Set, In::SetInner] {
        check(Client { wrong_nonce, ..honest() }, ExchangeError::WrongNonce);
    }
}

#[test]
fn a_wrong_server_nonce_is_refused_wherever_it_stands() {
    for wrong_server_nonce in [In::Request, In::Inner, In::Set, In::SetInner] {
        check(Client { wrong_server_nonce, ..honest() }, ExchangeError::WrongServerNonce);
    }
}

#[test]
fn wrong_factors_are_refused_in_the_open_and_in_the_encrypted_part() {
    for wrong_factors in [In::Request, In::Inner] {
        check(Client { wrong_factors, ..honest() }, ExchangeError::WrongFactors);
    }
}

#[test]
fn a_fingerprint_of_another_key_is_refused() {
    check(Client { fingerprint: 7, ..honest() }, ExchangeError::WrongFingerprint(7));
}

#[test]
fn encrypted_data_that_was_changed_cut_or_too_large_is_refused() {
    let spoilt = |spoil_encrypted, error| check(Client { spoil_encrypted, ..honest() }, ExchangeError::Rsa(error));
    spoilt(|data| data[100] ^= 1, RsaError::WrongHash);
    spoilt(|data| data.truncate(255), RsaError::WrongLength(255));
    spoilt(|data| data.fill(0xff), RsaError::OutOfRange);
}

#[test]
fn a_temporary_key_that_has_expired_before_it_exists_is_refused() {
    for expires_in in [0, -1, i32::MIN] {
        check(Client { form: Form::Temporary(expires_in), ..honest() }, ExchangeError::WrongExpiry(expires_in));
    }
}

#[test]
fn a_g_b_of_a_small_subgroup_is_refused() {
    let p = BigUint::from_bytes_be(&DH_PRIME);
    for g_b in [BigUint::ZERO, BigUint::from(1u32), &p - 1u32, p.clone()] {
        let client = Client { g_b: Some(g_b.to_bytes_be()), ..honest() };
        check(client, ExchangeError::Public(DhError::PublicOutOfRange));
    }
}

#[test]
fn a_g_b_near_the_ends_of_the_range_is_refused() {
    let client = Client { g_b: Some(vec![3]), ..honest() };
    check(client, ExchangeError::Public(DhError::PublicTooExtreme));
}

#[test]
fn a_huge_g_b_is_refused_before_it_costs_anything() {
    let client = Client { g_b: Some(vec![0xff; 1 << 20]), ..honest() };
    check(client, ExchangeError::Public(DhError::PublicOutOfRange));
}

#[test]
fn a_retry_id_for_a_first_try_is_refused() {
    check(Client { retry_id: 5, ..honest() }, ExchangeError::WrongRetryId);
}

#[test]
fn the_half_key_with_a_wrong_hash_or_length_is_refused() {
    check(Client { spoil_sealed: |sealed| sealed[40] ^= 1, ..honest() }, ExchangeError::WrongInnerHash);
    check(Client { spoil_sealed: |sealed| sealed.truncate(16), ..honest() }, ExchangeError::WrongInnerLength(16));
    check(Client { spoil_sealed: |sealed| sealed.truncate(330), ..honest() }, ExchangeError::WrongInnerLength(330));
}

#[test]
fn a_message_id_with_the_parity_of_a_server_is_refused() {
    let id = MsgId(((NOW as i64) << 32) + 4 + 1);
    check(Client { spoil_packet: |packet| packet[8] |= 1, ..honest() }, ExchangeError::WrongMsgId(id));
}

#[test]
fn messages_out_of_turn_are_refused() {
    for id in [functions::ReqDHParams::ID, functions::SetClientDHParams::ID, types::ResPQ::ID] {
        let packet = plain::seal(MsgId((NOW as i64) << 32), &[&id.to_le_bytes()[..], &[0; 64]].concat());
        let error = server().handle_packet(&packet, at(NOW), &mut SeededRandom::new(1));
        assert_eq!(error, Err(ExchangeError::Unexpected(id)));
    }
}

#[test]
fn a_question_cut_short_is_refused() {
    check(
        Client { spoil_packet: |packet| packet[16] = 12, ..honest() },
        ExchangeError::Malformed(DecodeError::Truncated),
    );
}

#[test]
fn a_server_goes_on_after_a_broken_rule() {
    let mut server = server();
    Client { fingerprint: 7, ..honest() }.ask(&mut server).expect_err("a broken rule");
    honest().ask(&mut server).expect("agreement");
}

#[test]
fn the_same_half_key_cannot_be_sent_twice() {
    let mut server = server();
    honest().ask(&mut server).expect("agreement");
    let body = [&functions::SetClientDHParams::ID.to_le_bytes()[..], &[0; 64]].concat();
    let packet = plain::seal(MsgId(((NOW as i64) << 32) + 400), &body);
    let error = server.handle_packet(&packet, at(NOW), &mut SeededRandom::new(1));
    assert_eq!(error, Err(ExchangeError::Unexpected(functions::SetClientDHParams::ID)));
}
