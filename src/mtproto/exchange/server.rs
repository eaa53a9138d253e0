//! The server's side: it answers, and checks every word of the questions.

use std::sync::Arc;

use crate::crypto::{
    AuthKey, ConstantTimeEq, Random, RsaError, RsaPrivateKey, dh, is_prime, new_nonce_hash, rsa_unpad, server_salt,
    sha1, tmp_aes_key_iv,
};
use crate::tl::{List, Reader, enums, functions, types};

use super::super::ids::{IdKind, MsgIds};
use super::super::{Side, Time};
use super::client::own_half;
use super::inner::TmpKey;
use super::{Agreed, ExchangeError, MAX_TRIES, inner, number, number_bytes, plain};

/// Whether a key with this id exists already.
type Taken = Box<dyn Fn(u64) -> bool + Send>;

/// A server that gives auth keys to the client at the other end of one connection: one after the other, as a client that
/// wants a permanent and a temporary key asks. A question that breaks a rule is refused and forgets what came before;
/// the client may begin anew.
pub struct ServerExchange {
    key: Arc<RsaPrivateKey>,
    taken: Taken,
    ids: MsgIds,
    step: Step,
    outgoing: Option<Vec<u8>>,
    done: Option<Agreed>,
}

/// What the server waits for. `req_pq` and `req_pq_multi` may come at any time.
enum Step {
    ReqPq,
    ReqDhParams(Asked),
    SetClientDhParams(Box<Half>),
}

/// `pq` has been sent.
struct Asked {
    nonce: [u8; 16],
    server_nonce: [u8; 16],
    p: u64,
    q: u64,
}

/// Our half of the key has been sent.
struct Half {
    nonce: [u8; 16],
    server_nonce: [u8; 16],
    new_nonce: [u8; 32],
    tmp_key: TmpKey,
    a: [u8; 256],
    expires_in: Option<i32>,
    dc: Option<i32>,
    /// What `retry_id` must be: 0, or the `auth_key_aux_hash` of the key that was taken.
    retry_id: i64,
    tries: u32,
}

impl ServerExchange {
    pub fn new(key: Arc<RsaPrivateKey>) -> ServerExchange {
        ServerExchange {
            key,
            taken: Box::new(|_| false),
            ids: MsgIds::default(),
            step: Step::ReqPq,
            outgoing: None,
            done: None,
        }
    }

    /// `taken` tells of a key's id whether there is such a key: then the client has to try again.
    pub fn with_taken(self, taken: impl Fn(u64) -> bool + Send + 'static) -> ServerExchange {
        ServerExchange { taken: Box::new(taken), ..self }
    }

    /// The next packet for the client. There may be one after an error too.
    pub fn poll_packet(&mut self) -> Option<Vec<u8>> {
        self.outgoing.take()
    }

    /// The key, once.
    pub fn poll_done(&mut self) -> Option<Agreed> {
        self.done.take()
    }

    /// Takes a packet of the client. Some steps compute for several milliseconds.
    pub fn handle_packet(&mut self, packet: &[u8], now: Time, random: &mut dyn Random) -> Result<(), ExchangeError> {
        let step = std::mem::replace(&mut self.step, Step::ReqPq);
        let body = plain::open(packet, Side::Client)?;
        let mut reader = Reader::new(body);
        let id = reader.id()?;
        self.step = match (step, id) {
            (_, functions::ReqPqMulti::ID) => {
                let nonce = functions::ReqPqMulti::read(&mut reader)?.nonce;
                Step::ReqDhParams(self.on_req_pq(nonce, now, random))
            }
            (_, functions::ReqPq::ID) => {
                let nonce = functions::ReqPq::read(&mut reader)?.nonce;
                Step::ReqDhParams(self.on_req_pq(nonce, now, random))
            }
            (Step::ReqDhParams(asked), functions::ReqDHParams::ID) => {
                let message = functions::ReqDHParams::read(&mut reader)?;
                Step::SetClientDhParams(Box::new(self.on_req_dh_params(asked, message, now, random)?))
            }
            (Step::SetClientDhParams(half), functions::SetClientDHParams::ID) => {
                let message = functions::SetClientDHParams::read(&mut reader)?;
                self.on_set_client_dh_params(half, message, now)?
            }
            _ => return Err(ExchangeError::Unexpected(id)),
        };
        Ok(())
    }

    /// <https://core.telegram.org/mtproto/auth_key#2-server-sends-response-of-the-form>
    fn on_req_pq(&mut self, nonce: [u8; 16], now: Time, random: &mut dyn Random) -> Asked {
        let mut server_nonce = [0; 16];
        random.fill(&mut server_nonce);
        let (p, q) = loop {
            let (a, b) = (random_prime(random), random_prime(random));
            if a != b {
                break (a.min(b), a.max(b));
            }
        };
        let answer = types::ResPQ {
            nonce,
            server_nonce,
            pq: &number_bytes(p * q),
            server_public_key_fingerprints: List::Items(&[self.key.public().fingerprint()]),
        };
        self.send(now, |out| answer.write(out));
        Asked { nonce, server_nonce, p, q }
    }

    /// <https://core.telegram.org/mtproto/auth_key#5-send-req-dh-params-query-with-generated-encrypted-data>
    fn on_req_dh_params(
        &mut self,
        asked: Asked,
        message: functions::ReqDHParams<'_>,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<Half, ExchangeError> {
        check_nonces((asked.nonce, asked.server_nonce), (message.nonce, message.server_nonce))?;
        if number(message.p) != Some(asked.p) || number(message.q) != Some(asked.q) {
            return Err(ExchangeError::WrongFactors);
        }
        if message.public_key_fingerprint != self.key.public().fingerprint() {
            return Err(ExchangeError::WrongFingerprint(message.public_key_fingerprint));
        }
        let decrypted = self.key.decrypt(message.encrypted_data).map_err(ExchangeError::Rsa)?;
        let data = Proof::read(&decrypted)?;
        check_nonces((asked.nonce, asked.server_nonce), (data.nonce, data.server_nonce))?;
        if [data.pq, data.p, data.q] != [Some(asked.p * asked.q), Some(asked.p), Some(asked.q)] {
            return Err(ExchangeError::WrongFactors);
        }
        if let Some(expires_in) = data.expires_in
            && expires_in <= 0
        {
            return Err(ExchangeError::WrongExpiry(expires_in));
        }

        let (nonce, server_nonce) = (asked.nonce, asked.server_nonce);
        let tmp_key = tmp_aes_key_iv(&data.new_nonce, &server_nonce);
        let (a, g_a) = own_half(dh::DH_GENERATOR, &dh::DH_PRIME, random);
        let answer = types::ServerDHInnerData {
            nonce,
            server_nonce,
            g: dh::DH_GENERATOR,
            dh_prime: &dh::DH_PRIME,
            g_a: &g_a,
            server_time: now.unix.as_secs() as i32,
        };
        let mut inner_data = Vec::new();
        answer.write(&mut inner_data);
        let encrypted_answer = &inner::seal(&inner_data, &tmp_key, random);
        self.send(now, |out| types::ServerDHParamsOk { nonce, server_nonce, encrypted_answer }.write(out));
        Ok(Half {
            nonce,
            server_nonce,
            new_nonce: data.new_nonce,
            tmp_key,
            a,
            expires_in: data.expires_in,
            dc: data.dc,
            retry_id: 0,
            tries: 0,
        })
    }

    /// <https://core.telegram.org/mtproto/auth_key#9-server-responds-in-one-of-three-ways>
    fn on_set_client_dh_params(
        &mut self,
        mut half: Box<Half>,
        message: functions::SetClientDHParams<'_>,
        now: Time,
    ) -> Result<Step, ExchangeError> {
        let (nonce, server_nonce) = (half.nonce, half.server_nonce);
        check_nonces((nonce, server_nonce), (message.nonce, message.server_nonce))?;
        let data = inner::open(message.encrypted_data, &half.tmp_key)?;
        let mut reader = Reader::new(&data);
        let enums::ClientDHInnerData::ClientDHInnerData(data) = enums::ClientDHInnerData::read(&mut reader)?;
        reader.finish()?;
        check_nonces((nonce, server_nonce), (data.nonce, data.server_nonce))?;
        if data.retry_id != half.retry_id {
            return Err(ExchangeError::WrongRetryId);
        }
        dh::check_public(data.g_b, &dh::DH_PRIME).map_err(ExchangeError::Public)?;

        let auth_key = AuthKey::new(dh::modpow(data.g_b, &half.a, &dh::DH_PRIME));
        let hash = |number| new_nonce_hash(number, &half.new_nonce, auth_key.aux_hash());
        half.tries += 1;
        if !(self.taken)(auth_key.id()) {
            let new_nonce_hash1 = hash(1);
            self.send(now, |out| types::DhGenOk { nonce, server_nonce, new_nonce_hash1 }.write(out));
            self.done = Some(Agreed {
                auth_key,
                server_salt: server_salt(&half.new_nonce, &server_nonce),
                time_offset: 0,
                expires_in: half.expires_in,
                dc: half.dc,
            });
            return Ok(Step::ReqPq);
        }
        if half.tries < MAX_TRIES {
            let new_nonce_hash2 = hash(2);
            self.send(now, |out| types::DhGenRetry { nonce, server_nonce, new_nonce_hash2 }.write(out));
            half.retry_id = auth_key.aux_hash() as i64;
            return Ok(Step::SetClientDhParams(half));
        }
        let new_nonce_hash3 = hash(3);
        self.send(now, |out| types::DhGenFail { nonce, server_nonce, new_nonce_hash3 }.write(out));
        Err(ExchangeError::TooManyRetries(half.tries))
    }

    fn send(&mut self, now: Time, write: impl FnOnce(&mut Vec<u8>)) {
        let mut body = Vec::new();
        write(&mut body);
        self.outgoing = Some(plain::seal(self.ids.next(now.unix, IdKind::Response), &body));
    }
}

impl std::fmt::Debug for ServerExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let step = match self.step {
            Step::ReqPq => "req_pq",
            Step::ReqDhParams(_) => "req_DH_params",
            Step::SetClientDhParams(_) => "set_client_DH_params",
        };
        write!(f, "ServerExchange(waits for {step})")
    }
}

/// The inner data of a client, whichever of the four constructors it is.
struct Proof {
    nonce: [u8; 16],
    server_nonce: [u8; 16],
    new_nonce: [u8; 32],
    pq: Option<u64>,
    p: Option<u64>,
    q: Option<u64>,
    dc: Option<i32>,
    expires_in: Option<i32>,
}

impl Proof {
    /// Reads what RSA gave back: RSA_PAD, or the form before it, `SHA1(data) ‖ data ‖ random bytes` in 255 bytes, which
    /// Telethon and Pyrogram's line of clients still send and Telegram's servers still take.
    fn read(decrypted: &[u8; 256]) -> Result<Proof, ExchangeError> {
        if let Ok(data) = rsa_unpad(decrypted) {
            return Proof::parse(&mut Reader::new(&data));
        }
        let wrong = ExchangeError::Rsa(RsaError::WrongHash);
        let [0, rest @ ..] = decrypted else { return Err(wrong) };
        let (hash, data) = rest.split_at(20);
        let mut reader = Reader::new(data);
        // The padding hides where the data ends, so it has to be parsed before its hash can be checked. Random bytes,
        // from a packet that was tampered with, are no inner data.
        let proof = Proof::parse(&mut reader).map_err(|_| wrong.clone())?;
        let data = &data[..data.len() - reader.rest().len()];
        if sha1(&[data])[..].ct_eq(hash).into() { Ok(proof) } else { Err(wrong) }
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Proof, ExchangeError> {
        macro_rules! proof {
            ($data:expr, $dc:expr, $expires_in:expr) => {
                Proof {
                    nonce: $data.nonce,
                    server_nonce: $data.server_nonce,
                    new_nonce: $data.new_nonce,
                    pq: number($data.pq),
                    p: number($data.p),
                    q: number($data.q),
                    dc: $dc,
                    expires_in: $expires_in,
                }
            };
        }
        Ok(match enums::PQInnerData::read(reader)? {
            enums::PQInnerData::PQInnerData(data) => proof!(data, None, None),
            enums::PQInnerData::Dc(data) => proof!(data, Some(data.dc), None),
            enums::PQInnerData::Temp(data) => proof!(data, None, Some(data.expires_in)),
            enums::PQInnerData::TempDc(data) => proof!(data, Some(data.dc), Some(data.expires_in)),
        })
    }
}

fn check_nonces(ours: ([u8; 16], [u8; 16]), theirs: ([u8; 16], [u8; 16])) -> Result<(), ExchangeError> {
    if ours.0 != theirs.0 {
        return Err(ExchangeError::WrongNonce);
    }
    if ours.1 != theirs.1 {
        return Err(ExchangeError::WrongServerNonce);
    }
    Ok(())
}

/// A prime of 31 bits: two make a pq of at most 62.
fn random_prime(random: &mut dyn Random) -> u64 {
    loop {
        let candidate = random.u64() & 0x7fff_ffff | 0x4000_0001;
        if is_prime(candidate) {
            return candidate;
        }
    }
}
