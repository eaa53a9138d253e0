//! The client's side: it asks, and checks every word of the answers.

use crate::crypto::{
    AuthKey, ConstantTimeEq, Random, RsaPublicKey, dh, factorize, new_nonce_hash, server_salt, sha1, tmp_aes_key_iv,
};
use crate::tl::{Reader, enums, functions, types};

use super::super::ids::{IdKind, MsgIds};
use super::super::{Side, Time};
use super::inner::TmpKey;
use super::{Agreed, ExchangeError, MAX_TRIES, inner, number, number_bytes, plain};

/// A client that wants an auth key. Made, it has its first packet ready; from then on each [`handle_packet`] that returns
/// `Ok` makes [`poll_packet`] or [`poll_done`] give something.
///
/// [`handle_packet`]: ClientExchange::handle_packet
/// [`poll_packet`]: ClientExchange::poll_packet
/// [`poll_done`]: ClientExchange::poll_done
#[derive(Debug)]
pub struct ClientExchange {
    keys: Vec<RsaPublicKey>,
    dc: i32,
    expires_in: Option<i32>,
    nonce: [u8; 16],
    ids: MsgIds,
    step: Step,
    outgoing: Option<Vec<u8>>,
    done: Option<Agreed>,
}

/// What the client waits for.
#[derive(Debug)]
enum Step {
    ResPq,
    ServerDhParams(Nonces),
    Answer(Offer),
    Over,
}

#[derive(Clone, Copy)]
struct Nonces {
    server: [u8; 16],
    new: [u8; 32],
}

/// `new_nonce` is a secret.
impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces(..)")
    }
}

/// Our half of the key has been sent.
struct Offer {
    nonces: Nonces,
    tmp_key: TmpKey,
    generator: i32,
    prime: Vec<u8>,
    g_a: Vec<u8>,
    time_offset: i64,
    /// What the key will be if the server agrees.
    key: AuthKey,
    tries: u32,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Offer({:?}, try {})", self.key, self.tries)
    }
}

impl ClientExchange {
    /// For a permanent key. `keys` are the servers' public keys that we trust; `dc` is the DC's number, plus 10000 on
    /// test servers, negative for a media DC.
    pub fn new(keys: &[RsaPublicKey], dc: i32, random: &mut dyn Random, now: Time) -> ClientExchange {
        ClientExchange::start(keys, dc, None, random, now)
    }

    /// For a temporary key, which the server forgets after `expires_in` seconds.
    ///
    /// <https://core.telegram.org/api/pfs>
    pub fn temporary(
        keys: &[RsaPublicKey],
        dc: i32,
        expires_in: i32,
        random: &mut dyn Random,
        now: Time,
    ) -> ClientExchange {
        ClientExchange::start(keys, dc, Some(expires_in), random, now)
    }

    fn start(
        keys: &[RsaPublicKey],
        dc: i32,
        expires_in: Option<i32>,
        random: &mut dyn Random,
        now: Time,
    ) -> ClientExchange {
        let mut nonce = [0; 16];
        random.fill(&mut nonce);
        let mut exchange = ClientExchange {
            keys: keys.to_vec(),
            dc,
            expires_in,
            nonce,
            ids: MsgIds::default(),
            step: Step::ResPq,
            outgoing: None,
            done: None,
        };
        exchange.send(now, |out| functions::ReqPqMulti { nonce }.write(out));
        exchange
    }

    /// The next packet for the server.
    pub fn poll_packet(&mut self) -> Option<Vec<u8>> {
        self.outgoing.take()
    }

    /// The key, once.
    pub fn poll_done(&mut self) -> Option<Agreed> {
        self.done.take()
    }

    /// Takes a packet of the server. Some steps compute for several milliseconds.
    pub fn handle_packet(&mut self, packet: &[u8], now: Time, random: &mut dyn Random) -> Result<(), ExchangeError> {
        // Whatever goes wrong, the exchange is over: a second answer to the same question is never looked at.
        let step = std::mem::replace(&mut self.step, Step::Over);
        if matches!(step, Step::Over) {
            return Err(ExchangeError::Over);
        }
        let body = plain::open(packet, Side::Server)?;
        let id = Reader::new(body).id()?;
        let mut reader = Reader::new(body);
        self.step = match (step, id) {
            (Step::ResPq, types::ResPQ::ID) => {
                reader.expect(id)?;
                let nonces = self.on_res_pq(types::ResPQ::read(&mut reader)?, now, random)?;
                Step::ServerDhParams(nonces)
            }
            (Step::ServerDhParams(nonces), types::ServerDHParamsOk::ID | types::ServerDHParamsFail::ID) => {
                match enums::ServerDHParams::read(&mut reader)? {
                    enums::ServerDHParams::Ok(params) => Step::Answer(self.on_params(nonces, params, now, random)?),
                    enums::ServerDHParams::Fail(fail) => return Err(self.on_params_fail(nonces, fail)),
                }
            }
            (Step::Answer(offer), types::DhGenOk::ID | types::DhGenRetry::ID | types::DhGenFail::ID) => {
                self.on_answer(offer, enums::SetClientDHParamsAnswer::read(&mut reader)?, now, random)?
            }
            _ => return Err(ExchangeError::Unexpected(id)),
        };
        Ok(())
    }

    /// Steps 2 to 5: <https://core.telegram.org/mtproto/auth_key#2-server-sends-response-of-the-form>
    fn on_res_pq(
        &mut self,
        message: types::ResPQ<'_>,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<Nonces, ExchangeError> {
        if message.nonce != self.nonce {
            return Err(ExchangeError::WrongNonce);
        }
        let pq = number(message.pq).ok_or(ExchangeError::PqTooLarge(message.pq.len()))?;
        let known = |fingerprint| self.keys.iter().find(|key| key.fingerprint() == fingerprint);
        let fingerprints = message.server_public_key_fingerprints;
        let key = fingerprints
            .iter()
            .find_map(known)
            .ok_or_else(|| ExchangeError::UnknownKeys(fingerprints.iter().take(16).collect()))?
            .clone();
        let (p, q) = factorize(pq).ok_or(ExchangeError::PqNotTwoPrimes(pq))?;

        let mut nonces = Nonces { server: message.server_nonce, new: [0; 32] };
        random.fill(&mut nonces.new);
        let (pq, p, q) = (number_bytes(pq), number_bytes(p), number_bytes(q));
        let data = self.inner_data(&nonces, &pq, &p, &q);
        let encrypted = key.encrypt_pad(&data, random).expect("the inner data has at most 128 bytes");
        let request = functions::ReqDHParams {
            nonce: self.nonce,
            server_nonce: nonces.server,
            p: &p,
            q: &q,
            public_key_fingerprint: key.fingerprint(),
            encrypted_data: &encrypted,
        };
        self.send(now, |out| request.write(out));
        Ok(nonces)
    }

    /// <https://core.telegram.org/mtproto/auth_key#4-encrypted-data-payload-generation>
    fn inner_data(&self, nonces: &Nonces, pq: &[u8], p: &[u8], q: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        let (nonce, server_nonce, new_nonce, dc) = (self.nonce, nonces.server, nonces.new, self.dc);
        match self.expires_in {
            None => types::PQInnerDataDc { pq, p, q, nonce, server_nonce, new_nonce, dc }.write(&mut data),
            Some(expires_in) => {
                types::PQInnerDataTempDc { pq, p, q, nonce, server_nonce, new_nonce, dc, expires_in }.write(&mut data)
            }
        }
        data
    }

    /// <https://core.telegram.org/mtproto/auth_key#6-server-responds-with>
    fn on_params(
        &mut self,
        nonces: Nonces,
        message: types::ServerDHParamsOk<'_>,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<Offer, ExchangeError> {
        self.check_nonces(&nonces, message.nonce, message.server_nonce)?;
        let tmp_key = tmp_aes_key_iv(&nonces.new, &nonces.server);
        let data = inner::open(message.encrypted_answer, &tmp_key)?;
        let mut reader = Reader::new(&data);
        let enums::ServerDHInnerData::ServerDHInnerData(answer) = enums::ServerDHInnerData::read(&mut reader)?;
        reader.finish()?;
        self.check_nonces(&nonces, answer.nonce, answer.server_nonce)?;
        // https://core.telegram.org/mtproto/security_guidelines#diffie-hellman-key-exchange
        dh::check_group(answer.g, answer.dh_prime, random).map_err(ExchangeError::Group)?;
        dh::check_public(answer.g_a, answer.dh_prime).map_err(ExchangeError::Public)?;

        let mut offer = Offer {
            nonces,
            tmp_key,
            generator: answer.g,
            prime: answer.dh_prime.to_vec(),
            g_a: answer.g_a.to_vec(),
            // A time before 1970 is one after 2038.
            time_offset: i64::from(answer.server_time as u32) - now.unix.as_secs() as i64,
            key: AuthKey::new([0; 256]),
            tries: 0,
        };
        self.offer(&mut offer, 0, now, random);
        Ok(offer)
    }

    fn on_params_fail(&self, nonces: Nonces, message: types::ServerDHParamsFail) -> ExchangeError {
        if let Err(error) = self.check_nonces(&nonces, message.nonce, message.server_nonce) {
            return error;
        }
        let hash: [u8; 20] = sha1(&[&nonces.new]);
        if hash[4..].ct_eq(&message.new_nonce_hash).into() {
            ExchangeError::ParamsRefused
        } else {
            ExchangeError::WrongNewNonceHash
        }
    }

    /// Chooses a new b and sends its half:
    /// <https://core.telegram.org/mtproto/auth_key#7-client-computes-random-2048-bit-number-b-using-a-sufficient-amount-of-entropy-and-sends-the-server-a-message>
    fn offer(&mut self, offer: &mut Offer, retry_id: i64, now: Time, random: &mut dyn Random) {
        let (b, g_b) = own_half(offer.generator, &offer.prime, random);
        offer.key = AuthKey::new(dh::modpow(&offer.g_a, &b, &offer.prime));
        offer.tries += 1;
        let (nonce, server_nonce) = (self.nonce, offer.nonces.server);
        let mut data = Vec::new();
        types::ClientDHInnerData { nonce, server_nonce, retry_id, g_b: &g_b }.write(&mut data);
        let encrypted_data = &inner::seal(&data, &offer.tmp_key, random);
        self.send(now, |out| functions::SetClientDHParams { nonce, server_nonce, encrypted_data }.write(out));
    }

    /// <https://core.telegram.org/mtproto/auth_key#9-server-responds-in-one-of-three-ways>
    fn on_answer(
        &mut self,
        mut offer: Offer,
        answer: enums::SetClientDHParamsAnswer,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<Step, ExchangeError> {
        use enums::SetClientDHParamsAnswer::{DhGenFail, DhGenOk, DhGenRetry};
        let (nonce, server_nonce, number, hash) = match answer {
            DhGenOk(answer) => (answer.nonce, answer.server_nonce, 1, answer.new_nonce_hash1),
            DhGenRetry(answer) => (answer.nonce, answer.server_nonce, 2, answer.new_nonce_hash2),
            DhGenFail(answer) => (answer.nonce, answer.server_nonce, 3, answer.new_nonce_hash3),
        };
        self.check_nonces(&offer.nonces, nonce, server_nonce)?;
        let expected = new_nonce_hash(number, &offer.nonces.new, offer.key.aux_hash());
        if !bool::from(expected.ct_eq(&hash)) {
            return Err(ExchangeError::WrongNewNonceHash);
        }
        match answer {
            DhGenOk(_) => {
                self.done = Some(Agreed {
                    server_salt: server_salt(&offer.nonces.new, &offer.nonces.server),
                    auth_key: offer.key,
                    time_offset: offer.time_offset,
                    expires_in: self.expires_in,
                    dc: Some(self.dc),
                });
                Ok(Step::Over)
            }
            DhGenRetry(_) if offer.tries < MAX_TRIES => {
                let retry_id = offer.key.aux_hash() as i64;
                self.offer(&mut offer, retry_id, now, random);
                Ok(Step::Answer(offer))
            }
            DhGenRetry(_) => Err(ExchangeError::TooManyRetries(offer.tries)),
            DhGenFail(_) => Err(ExchangeError::KeyRefused),
        }
    }

    fn check_nonces(&self, nonces: &Nonces, nonce: [u8; 16], server_nonce: [u8; 16]) -> Result<(), ExchangeError> {
        if nonce != self.nonce {
            return Err(ExchangeError::WrongNonce);
        }
        if server_nonce != nonces.server {
            return Err(ExchangeError::WrongServerNonce);
        }
        Ok(())
    }

    fn send(&mut self, now: Time, write: impl FnOnce(&mut Vec<u8>)) {
        let mut body = Vec::new();
        write(&mut body);
        self.outgoing = Some(plain::seal(self.ids.next(now.unix, IdKind::FromClient), &body));
    }
}

/// A random exponent and the public value that goes with it, which keeps the rule that it must keep:
/// <https://core.telegram.org/mtproto/security_guidelines#g-a-and-g-b-validation>
pub(super) fn own_half(generator: i32, prime: &[u8], random: &mut dyn Random) -> ([u8; 256], [u8; 256]) {
    loop {
        let mut exponent = [0; 256];
        random.fill(&mut exponent);
        let public = dh::public_value(generator, &exponent, prime);
        if dh::check_public(&public, prime).is_ok() {
            return (exponent, public);
        }
    }
}
