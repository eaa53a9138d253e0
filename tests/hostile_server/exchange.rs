//! The key exchange, with a server that tells one lie. <https://core.telegram.org/mtproto/auth_key>

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use moongram::crypto::dh::{DH_PRIME, DhError, modpow, public_value};
use moongram::crypto::{
    AuthKey, RsaPrivateKey, ige_decrypt, ige_encrypt, new_nonce_hash, rsa_unpad, sha1, tmp_aes_key_iv,
};
use moongram::mtproto::MsgId;
use moongram::mtproto::exchange::ExchangeError;
use moongram::net::Fatal;
use moongram::tl::{DecodeError, List, Reader, enums, functions, types};
use num_bigint::BigUint;

use crate::server::{Answer, Server};
use crate::{Client, forge};

pub static RSA: LazyLock<RsaPrivateKey> = LazyLock::new(|| {
    RsaPrivateKey::from_pem(include_str!("../samples/rsa_pkcs1.pem")).expect("the sample key is well-formed")
});

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

/// What a server lies about; nothing, as it is made.
#[derive(Clone)]
pub struct Lies {
    wrong_nonce: In,
    wrong_server_nonce: In,
    pq: Vec<u8>,
    fingerprints: Vec<i64>,
    generator: i32,
    prime: Vec<u8>,
    /// Instead of `generator ^ a`.
    g_a: Option<Vec<u8>>,
    params_fail: bool,
    /// Applied to what is encrypted for the client, before and after.
    spoil_inner: fn(&mut Vec<u8>),
    spoil_sealed: fn(&mut Vec<u8>),
    answer: Kind,
    wrong_hash: bool,
    /// Applied to every packet.
    spoil_packet: fn(&mut Vec<u8>),
    /// The first exchange of the connection is honest.
    from_the_second: bool,
}

impl Default for Lies {
    fn default() -> Lies {
        Lies {
            wrong_nonce: In::Nowhere,
            wrong_server_nonce: In::Nowhere,
            pq: number(1_073_741_827 * 2_147_483_647),
            fingerprints: vec![RSA.public().fingerprint()],
            generator: 3,
            prime: DH_PRIME.to_vec(),
            g_a: None,
            params_fail: false,
            spoil_inner: |_| {},
            spoil_sealed: |_| {},
            answer: Kind::Ok,
            wrong_hash: false,
            spoil_packet: |_| {},
            from_the_second: false,
        }
    }
}

impl Lies {
    pub fn wrong_hash_from_the_second() -> Lies {
        Lies { wrong_hash: true, from_the_second: true, ..Lies::default() }
    }
}

const SERVER_NONCE: [u8; 16] = [0x5e; 16];
const EXPONENT: [u8; 256] = [0xa7; 256];

/// One exchange, as far as it has come.
pub struct Exchange {
    lies: Lies,
    later: Option<Lies>,
    nonce: [u8; 16],
    new_nonce: [u8; 32],
    agreed: Option<AuthKey>,
}

impl Exchange {
    pub fn new(lies: Option<Lies>) -> Exchange {
        let (lies, later) = match lies {
            Some(lies) if lies.from_the_second => (Lies::default(), Some(lies)),
            lies => (lies.unwrap_or_default(), None),
        };
        Exchange { lies, later, nonce: [0; 16], new_nonce: [0; 32], agreed: None }
    }

    /// The key, once both have it.
    pub fn agreed(&mut self) -> Option<AuthKey> {
        let key = self.agreed.take()?;
        if let Some(lies) = self.later.take() {
            self.lies = lies;
        }
        Some(key)
    }

    /// Answers a packet of the client; None where no client of ours would have sent it.
    pub fn answer(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let body = packet.get(20..)?;
        let mut reader = Reader::new(body);
        let mut out = Vec::new();
        match reader.id().ok()? {
            functions::ReqPqMulti::ID => self.res_pq(functions::ReqPqMulti::read(&mut reader).ok()?, &mut out),
            functions::ReqDHParams::ID => self.params(functions::ReqDHParams::read(&mut reader).ok()?, &mut out)?,
            functions::SetClientDHParams::ID => {
                self.end(functions::SetClientDHParams::read(&mut reader).ok()?, &mut out)?;
            }
            _ => return None,
        }
        let id = forge::id(0, 1);
        let mut packet = [&[0; 8], &id.to_le_bytes()[..], &(out.len() as u32).to_le_bytes(), &out].concat();
        (self.lies.spoil_packet)(&mut packet);
        Some(packet)
    }

    fn nonces(&self, here: In) -> ([u8; 16], [u8; 16]) {
        let spoil = |mut value: [u8; 16], wrong: bool| {
            value[15] ^= u8::from(wrong);
            value
        };
        (spoil(self.nonce, self.lies.wrong_nonce == here), spoil(SERVER_NONCE, self.lies.wrong_server_nonce == here))
    }

    fn res_pq(&mut self, request: functions::ReqPqMulti, out: &mut Vec<u8>) {
        self.nonce = request.nonce;
        let (nonce, server_nonce) = self.nonces(In::ResPq);
        let server_public_key_fingerprints = List::Items(&self.lies.fingerprints);
        types::ResPQ { nonce, server_nonce, pq: &self.lies.pq, server_public_key_fingerprints }.write(out);
    }

    fn params(&mut self, request: functions::ReqDHParams<'_>, out: &mut Vec<u8>) -> Option<()> {
        let proof = rsa_unpad(&RSA.decrypt(request.encrypted_data).ok()?).ok()?;
        self.new_nonce = match enums::PQInnerData::read(&mut Reader::new(&proof)).ok()? {
            enums::PQInnerData::Dc(data) => data.new_nonce,
            enums::PQInnerData::TempDc(data) => data.new_nonce,
            _ => return None,
        };
        let (nonce, server_nonce) = self.nonces(In::Params);
        if self.lies.params_fail {
            let hash = sha1(&[&self.new_nonce]);
            let mut new_nonce_hash: [u8; 16] = std::array::from_fn(|i| hash[4 + i]);
            new_nonce_hash[0] ^= u8::from(self.lies.wrong_hash);
            types::ServerDHParamsFail { nonce, server_nonce, new_nonce_hash }.write(out);
        } else {
            types::ServerDHParamsOk { nonce, server_nonce, encrypted_answer: &self.inner() }.write(out);
        }
        Some(())
    }

    fn inner(&self) -> Vec<u8> {
        let (nonce, server_nonce) = self.nonces(In::Inner);
        let Lies { generator: g, prime, g_a, .. } = &self.lies;
        let honest = || public_value(*g, &EXPONENT, prime).to_vec();
        let server_time = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i32;
        let mut data = Vec::new();
        types::ServerDHInnerData {
            nonce,
            server_nonce,
            g: *g,
            dh_prime: prime,
            g_a: &g_a.clone().unwrap_or_else(honest),
            server_time,
        }
        .write(&mut data);
        (self.lies.spoil_inner)(&mut data);
        let (key, iv) = tmp_aes_key_iv(&self.new_nonce, &SERVER_NONCE);
        let mut sealed = [&sha1(&[&data])[..], &data].concat();
        sealed.resize(sealed.len().next_multiple_of(16), 0x77);
        ige_encrypt(&key, &iv, &mut sealed);
        (self.lies.spoil_sealed)(&mut sealed);
        sealed
    }

    fn end(&mut self, request: functions::SetClientDHParams<'_>, out: &mut Vec<u8>) -> Option<()> {
        let (key, iv) = tmp_aes_key_iv(&self.new_nonce, &SERVER_NONCE);
        let mut data = request.encrypted_data.to_vec();
        ige_decrypt(&key, &iv, &mut data);
        let inner = types::ClientDHInnerData::read(&mut Reader::new(data.get(24..)?)).ok()?;
        let auth_key = AuthKey::new(modpow(inner.g_b, &EXPONENT, &self.lies.prime));
        let (nonce, server_nonce) = self.nonces(In::Answer);
        let hash = |number| {
            let mut hash = new_nonce_hash(number, &self.new_nonce, auth_key.aux_hash());
            hash[15] ^= u8::from(self.lies.wrong_hash);
            hash
        };
        match self.lies.answer {
            Kind::Ok => types::DhGenOk { nonce, server_nonce, new_nonce_hash1: hash(1) }.write(out),
            Kind::Retry => types::DhGenRetry { nonce, server_nonce, new_nonce_hash2: hash(2) }.write(out),
            Kind::Fail => types::DhGenFail { nonce, server_nonce, new_nonce_hash3: hash(3) }.write(out),
        }
        self.agreed = Some(auth_key);
        Some(())
    }
}

/// A number as TL has it: big-endian, without zeros in front.
fn number(number: u64) -> Vec<u8> {
    BigUint::from(number).to_bytes_be()
}

/// The client refuses the exchange with this error, connects anew, and agrees with a server that has come to its senses.
async fn check(name: &str, lies: Lies, expected: ExchangeError) {
    let server = Server::start(vec![lies], |query| Answer::Result(query.to_vec().into())).await;
    let mut client = Client::new(&server, None);
    let status = client.sees(name, |status| status.trouble.is_some()).await;
    assert_eq!(status.trouble, Some(expected.to_string()), "{name}");
    assert_eq!((status.exchanges, status.key), (0, None), "{name}: no key comes of it");
    client.works(name).await;
    let status = client.sees(name, |status| status.connected).await;
    assert_eq!((status.exchanges, server.accepted()), (1, 2), "{name}");
}

/// A prime, but (p - 1) / 2 is not: of the first numbers after the usual prime the one that is.
fn not_safe() -> Vec<u8> {
    (BigUint::from_bytes_be(&DH_PRIME) + 570u32).to_bytes_be()
}

fn composite() -> Vec<u8> {
    (BigUint::from_bytes_be(&DH_PRIME) + 24u32).to_bytes_be()
}

fn p() -> BigUint {
    BigUint::from_bytes_be(&DH_PRIME)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_exchange_is_agreed_on() {
    let server = Server::start(Vec::new(), |query| Answer::Result(query.to_vec().into())).await;
    let client = Client::new(&server, None);
    client.works("honest").await;
    assert_eq!(server.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lie_about_nonces_hashes_and_keys_is_refused() {
    let lies = Lies::default;
    let cases: Vec<(&str, Lies, ExchangeError)> = vec![
        ("nonce in resPQ", Lies { wrong_nonce: In::ResPq, ..lies() }, ExchangeError::WrongNonce),
        ("nonce in params", Lies { wrong_nonce: In::Params, ..lies() }, ExchangeError::WrongNonce),
        ("nonce in inner data", Lies { wrong_nonce: In::Inner, ..lies() }, ExchangeError::WrongNonce),
        ("nonce in the answer", Lies { wrong_nonce: In::Answer, ..lies() }, ExchangeError::WrongNonce),
        ("server_nonce in params", Lies { wrong_server_nonce: In::Params, ..lies() }, ExchangeError::WrongServerNonce),
        ("server_nonce in inner", Lies { wrong_server_nonce: In::Inner, ..lies() }, ExchangeError::WrongServerNonce),
        ("server_nonce in answer", Lies { wrong_server_nonce: In::Answer, ..lies() }, ExchangeError::WrongServerNonce),
        ("new_nonce_hash1", Lies { wrong_hash: true, ..lies() }, ExchangeError::WrongNewNonceHash),
        ("new_nonce_hash2", Lies { wrong_hash: true, answer: Kind::Retry, ..lies() }, ExchangeError::WrongNewNonceHash),
        ("new_nonce_hash3", Lies { wrong_hash: true, answer: Kind::Fail, ..lies() }, ExchangeError::WrongNewNonceHash),
        (
            "params_fail from a stranger",
            Lies { params_fail: true, wrong_hash: true, ..lies() },
            ExchangeError::WrongNewNonceHash,
        ),
        ("params_fail", Lies { params_fail: true, ..lies() }, ExchangeError::ParamsRefused),
        ("dh_gen_retry for ever", Lies { answer: Kind::Retry, ..lies() }, ExchangeError::TooManyRetries(5)),
        ("dh_gen_fail", Lies { answer: Kind::Fail, ..lies() }, ExchangeError::KeyRefused),
        ("pq of one prime", Lies { pq: number(2_147_483_647), ..lies() }, ExchangeError::PqNotTwoPrimes(2_147_483_647)),
        (
            "pq of a square",
            Lies { pq: number(2_147_483_647 * 2_147_483_647), ..lies() },
            ExchangeError::PqNotTwoPrimes(2_147_483_647 * 2_147_483_647),
        ),
        ("pq of three primes", Lies { pq: number(105), ..lies() }, ExchangeError::PqNotTwoPrimes(105)),
        ("pq of 0", Lies { pq: vec![], ..lies() }, ExchangeError::PqNotTwoPrimes(0)),
        ("pq of 72 bits", Lies { pq: vec![1; 9], ..lies() }, ExchangeError::PqTooLarge(9)),
    ];
    check_all(cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lie_about_the_group_is_refused() {
    let lies = Lies::default;
    let g_a = |value: BigUint| Lies { g_a: Some(value.to_bytes_be()), ..lies() };
    let public = ExchangeError::Public;
    let group = ExchangeError::Group;
    let cases: Vec<(&str, Lies, ExchangeError)> = vec![
        ("g_a of 0", g_a(BigUint::ZERO), public(DhError::PublicOutOfRange)),
        ("g_a of 1", g_a(1u32.into()), public(DhError::PublicOutOfRange)),
        ("g_a of p - 1", g_a(p() - 1u32), public(DhError::PublicOutOfRange)),
        ("g_a of p", g_a(p()), public(DhError::PublicOutOfRange)),
        ("g_a above p", g_a(p() + 5u32), public(DhError::PublicOutOfRange)),
        ("g_a too small", g_a(BigUint::from(1u32) << 1983), public(DhError::PublicTooExtreme)),
        ("g_a too large", g_a(p() - (BigUint::from(1u32) << 1983)), public(DhError::PublicTooExtreme)),
        ("a composite p", Lies { prime: composite(), generator: 4, ..lies() }, group(DhError::NotSafePrime)),
        ("a p that is not safe", Lies { prime: not_safe(), generator: 4, ..lies() }, group(DhError::NotSafePrime)),
        (
            "a p of 1024 bits",
            Lies { prime: DH_PRIME[..128].to_vec(), g_a: Some(vec![9; 256]), ..lies() },
            group(DhError::WrongSize(1024)),
        ),
        ("g of the whole group", Lies { generator: 2, ..lies() }, group(DhError::WrongGenerator(2))),
        ("g of 1", Lies { generator: 1, g_a: Some(vec![9; 256]), ..lies() }, group(DhError::GeneratorOutOfRange(1))),
        ("g of -1", Lies { generator: -1, g_a: Some(vec![9; 256]), ..lies() }, group(DhError::GeneratorOutOfRange(-1))),
    ];
    check_all(cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_of_broken_packets_is_refused() {
    let lies = Lies::default;
    let cases: Vec<(&str, Lies, ExchangeError)> = vec![
        ("SHA-1", Lies { spoil_sealed: |sealed| sealed[0] ^= 1, ..lies() }, ExchangeError::WrongInnerHash),
        (
            "16 bytes of padding",
            Lies { spoil_sealed: |sealed| sealed.extend_from_slice(&[0; 16]), ..lies() },
            ExchangeError::WrongInnerHash,
        ),
        (
            "broken blocks",
            Lies { spoil_sealed: |sealed| sealed.truncate(591), ..lies() },
            ExchangeError::WrongInnerLength(591),
        ),
        (
            "something behind the data",
            Lies { spoil_inner: |data| data.extend_from_slice(&[0; 4]), ..lies() },
            ExchangeError::Malformed(DecodeError::Trailing(4)),
        ),
        (
            "data cut short",
            Lies { spoil_inner: |data| data.truncate(100), ..lies() },
            ExchangeError::Malformed(DecodeError::Truncated),
        ),
        (
            "a length that lies",
            Lies { spoil_packet: |packet| packet[18] = 1, ..lies() },
            ExchangeError::WrongLength { said: 0x10000 + 64, has: 64 },
        ),
        (
            "a negative length",
            Lies { spoil_packet: |packet| packet[16..20].fill(0xff), ..lies() },
            ExchangeError::WrongLength { said: u32::MAX, has: 64 },
        ),
        (
            "a count that lies",
            // resPQ: constructor, nonce, server_nonce, pq in 12 bytes, vector, count.
            Lies { spoil_packet: |packet| packet[20 + 52..20 + 56].fill(0x7f), ..lies() },
            ExchangeError::Malformed(DecodeError::Count(0x7f7f_7f7f)),
        ),
        ("an auth key's id", Lies { spoil_packet: |packet| packet[0] = 1, ..lies() }, ExchangeError::NotPlain(1)),
        (
            "out of turn",
            Lies { spoil_packet: |packet| packet[20..24].copy_from_slice(&types::DhGenOk::ID.to_le_bytes()), ..lies() },
            ExchangeError::Unexpected(types::DhGenOk::ID),
        ),
        (
            "a client's message id",
            Lies { spoil_packet: |packet| packet[8..16].copy_from_slice(&4_i64.to_le_bytes()), ..lies() },
            ExchangeError::WrongMsgId(MsgId(4)),
        ),
    ];
    check_all(cases).await;
}

/// Nobody becomes somebody else by being asked again.
#[tokio::test]
async fn a_server_with_none_of_the_keys_that_we_know_is_the_end() {
    let lies = Lies { fingerprints: vec![1, -2], ..Lies::default() };
    let server = Server::start(vec![lies], |query| Answer::Result(query.to_vec().into())).await;
    let mut client = Client::new(&server, None);
    let status = client.sees("strangers", |status| status.fatal.is_some()).await;
    let fatal = Fatal::UnknownServer(ExchangeError::UnknownKeys(vec![1, -2]).to_string());
    assert_eq!(status.fatal, Some(fatal));
    assert_eq!(server.accepted(), 1);
}

async fn check_all(cases: Vec<(&str, Lies, ExchangeError)>) {
    let cases = cases.into_iter().map(|(name, lies, expected)| check(name, lies, expected));
    futures_util::future::join_all(cases).await;
}
