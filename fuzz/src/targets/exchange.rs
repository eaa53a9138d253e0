//! The key exchange of a client with a server that lies: anywhere, or exactly where the bytes say.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use moongram::crypto::dh::{DH_PRIME, modpow, public_value};
use moongram::crypto::{
    AuthKey, Random, RsaPrivateKey, SeededRandom, ige_decrypt, ige_encrypt, new_nonce_hash, sha1, tmp_aes_key_iv,
};
use moongram::mtproto::Time;
use moongram::mtproto::exchange::{ClientExchange, ExchangeError};
use moongram::tl::{List, Reader, functions, types};

use super::Target;
use super::input::Input;

pub const TARGET: Target = Target { name: "exchange", run, seeds, memory: (1 << 17, 64) };

pub static RSA: LazyLock<Arc<RsaPrivateKey>> = LazyLock::new(|| {
    let pem = include_str!("../../../tests/samples/rsa_pkcs1.pem");
    Arc::new(RsaPrivateKey::from_pem(pem).expect("the sample key is well-formed"))
});

pub const NOW: Time = Time { mono: Duration::from_secs(5), unix: Duration::from_secs(1_750_000_000) };

const SERVER_NONCE: [u8; 16] = [0x5e; 16];
/// Both primes are small, as nobody has the time to look for large ones again and again.
const PQ: u64 = 32_771 * 65_537;
/// The exponent of the other end. Short, as all are here: nobody has an hour for each input, and 3 to the power of some thousands
/// has gone round the prime often enough.
pub const EXPONENT: [u8; 256] = exponent([0xa7, 0xa7]);

const fn exponent([high, low]: [u8; 2]) -> [u8; 256] {
    let mut exponent = [0; 256];
    exponent[254] = high | 0x40;
    exponent[255] = low;
    exponent
}

/// Where bytes of the input are laid over what the server says.
#[derive(Clone, Copy, PartialEq)]
enum In {
    ResPq,
    Params,
    /// Before it is encrypted, behind a hash that is right.
    Inner,
    /// Encrypted.
    Sealed,
    Answer,
    /// Every packet, header and all.
    Packet,
}

const PLACES: [In; 6] = [In::ResPq, In::Params, In::Inner, In::Sealed, In::Answer, In::Packet];

fn run(data: &[u8]) -> usize {
    let mut input = Input(data);
    let mut random = Recording::new(21);
    let mut client = ClientExchange::new(&[RSA.public().clone()], 2, &mut random, NOW);
    match input.u8() {
        0 => {
            // Packets as they stand.
            while !input.is_empty() {
                let packet = input.piece();
                let _ = client.poll_packet();
                if client.handle_packet(packet, NOW, &mut random).is_err() {
                    let over = client.handle_packet(packet, NOW, &mut random);
                    assert_eq!(over, Err(ExchangeError::Over), "nothing is taken after a broken rule");
                }
            }
            assert!(client.poll_done().is_none(), "nobody comes to a key by chance");
        }
        _ => {
            let server = Server::new(&mut input);
            let result = server.serve(&mut client, &mut random);
            if result.is_ok() {
                assert!(server.lies.iter().all(|lie| lie.place != In::Sealed), "a changed answer was believed");
            }
        }
    }
    0
}

struct Lie<'a> {
    place: In,
    at: usize,
    mask: &'a [u8],
}

/// A server by hand: with no lies it is honest.
struct Server<'a> {
    pq: u64,
    generator: i32,
    /// Instead of the prime that everybody knows.
    prime: Option<&'a [u8]>,
    /// Instead of `generator ^ EXPONENT`.
    g_a: Option<&'a [u8]>,
    answer: u8,
    lies: Vec<Lie<'a>>,
}

impl<'a> Server<'a> {
    fn new(input: &mut Input<'a>) -> Server<'a> {
        let how = input.u8();
        let pq = if how & 1 == 0 { PQ } else { input.u64() };
        let generator = if how & 2 == 0 { 3 } else { i32::from(input.u8() as i8) };
        let prime = (how & 4 != 0).then(|| input.piece());
        let g_a = (how & 8 != 0).then(|| input.piece());
        let answer = how >> 4 & 3;
        let mut lies = Vec::new();
        while !input.is_empty() && lies.len() < 8 {
            let place = PLACES[usize::from(input.u8()) % PLACES.len()];
            let (at, length) = (input.u16().into(), input.u8());
            let mask = input.take(length.into());
            if mask.iter().any(|byte| *byte != 0) {
                lies.push(Lie { place, at, mask });
            }
        }
        Server { pq, generator, prime, g_a, answer, lies }
    }

    /// Lays the lies of a place over the truth.
    fn lie(&self, place: In, bytes: &mut Vec<u8>) {
        for lie in self.lies.iter().filter(|lie| lie.place == place) {
            let at = if bytes.is_empty() { 0 } else { lie.at % bytes.len() };
            for (byte, mask) in bytes[at..].iter_mut().zip(lie.mask) {
                *byte ^= mask;
            }
            // What reaches beyond the end makes it longer; 255 in front cuts it off.
            if lie.mask[0] == 0xff {
                bytes.truncate(at);
            } else if lie.mask.len() > bytes.len() - at {
                bytes.extend_from_slice(&lie.mask[bytes.len() - at..]);
            }
        }
    }

    fn serve(&self, client: &mut ClientExchange, random: &mut Recording) -> Result<(), ExchangeError> {
        let mut sent = 0;
        let mut tell = |client: &mut ClientExchange, random: &mut Recording, place: In, mut body: Vec<u8>| {
            self.lie(place, &mut body);
            sent += 4;
            let mut packet = plain(NOW.unix.as_secs() << 32 | 1 | sent, &body);
            self.lie(In::Packet, &mut packet);
            client.handle_packet(&packet, NOW, random)
        };
        let asked = body(&client.poll_packet().expect("the first packet"));
        let nonce = functions::ReqPqMulti::read(&mut Reader::new(&asked[4..])).expect("req_pq_multi").nonce;

        let mut out = Vec::new();
        let fingerprints = [1, RSA.public().fingerprint()];
        let pq = self.pq.to_be_bytes();
        types::ResPQ {
            nonce,
            server_nonce: SERVER_NONCE,
            pq: &pq,
            server_public_key_fingerprints: List::Items(&fingerprints),
        }
        .write(&mut out);
        random.drawn.clear();
        tell(client, random, In::ResPq, out)?;
        let new_nonce: [u8; 32] = random.drawn[0][..].try_into().expect("new_nonce is drawn first");
        let asked = body(&client.poll_packet().expect("the second packet"));
        // What it took for our nonce it goes on with.
        let server_nonce =
            functions::ReqDHParams::read(&mut Reader::new(&asked[4..])).expect("req_DH_params").server_nonce;

        let tmp = tmp_aes_key_iv(&new_nonce, &server_nonce);
        let prime = self.prime.unwrap_or(&DH_PRIME);
        let honest = public_value(self.generator.clamp(2, 7), &EXPONENT, &DH_PRIME);
        let mut data = Vec::new();
        types::ServerDHInnerData {
            nonce,
            server_nonce,
            g: self.generator,
            dh_prime: prime,
            g_a: self.g_a.unwrap_or(&honest),
            server_time: NOW.unix.as_secs() as i32,
        }
        .write(&mut data);
        self.lie(In::Inner, &mut data);
        let mut sealed = seal(&data, &tmp);
        self.lie(In::Sealed, &mut sealed);
        let mut out = Vec::new();
        types::ServerDHParamsOk { nonce, server_nonce, encrypted_answer: &sealed }.write(&mut out);
        tell(client, random, In::Params, out)?;

        for _ in 0..8 {
            let asked = body(&client.poll_packet().expect("a packet after each of ours"));
            let request =
                functions::SetClientDHParams::read(&mut Reader::new(&asked[4..])).expect("set_client_DH_params");
            let inner = unsealed(request.encrypted_data, &tmp);
            let inner = types::ClientDHInnerData::read(&mut Reader::new(&inner[4..])).expect("client_DH_inner_data");
            let key = AuthKey::new(modpow(inner.g_b, &EXPONENT, &DH_PRIME));
            let hash = |number| new_nonce_hash(number, &new_nonce, key.aux_hash());
            let mut out = Vec::new();
            match self.answer {
                1 => types::DhGenRetry { nonce, server_nonce, new_nonce_hash2: hash(2) }.write(&mut out),
                2 => types::DhGenFail { nonce, server_nonce, new_nonce_hash3: hash(3) }.write(&mut out),
                _ => types::DhGenOk { nonce, server_nonce, new_nonce_hash1: hash(1) }.write(&mut out),
            }
            tell(client, random, In::Answer, out)?;
            if let Some(agreed) = client.poll_done() {
                assert_eq!(agreed.auth_key, key, "both have the same key, or none");
                return Ok(());
            }
        }
        panic!("the client goes on for ever");
    }
}

/// A body as an unencrypted message. <https://core.telegram.org/mtproto/description#unencrypted-message>
pub fn plain(id: u64, body: &[u8]) -> Vec<u8> {
    [&[0; 8], &id.to_le_bytes()[..], &(body.len() as u32).to_le_bytes(), body].concat()
}

/// What is in an unencrypted message.
pub fn body(packet: &[u8]) -> Vec<u8> {
    packet[20..].to_vec()
}

/// `SHA1(data) ‖ data ‖ padding`, encrypted.
pub fn seal(data: &[u8], (key, iv): &([u8; 32], [u8; 32])) -> Vec<u8> {
    let mut sealed = [&sha1(&[data])[..], data].concat();
    sealed.resize(sealed.len().next_multiple_of(16), 0x77);
    ige_encrypt(key, iv, &mut sealed);
    sealed
}

/// The data, and the padding behind it.
pub fn unsealed(sealed: &[u8], (key, iv): &([u8; 32], [u8; 32])) -> Vec<u8> {
    let mut data = sealed.to_vec();
    ige_decrypt(key, iv, &mut data);
    data.split_off(20)
}

/// Remembers what it gave out; of exponents, which are 256 bytes, it gives only two.
pub struct Recording {
    random: SeededRandom,
    pub drawn: Vec<Vec<u8>>,
}

impl Recording {
    pub fn new(seed: u64) -> Recording {
        Recording { random: SeededRandom::new(seed), drawn: Vec::new() }
    }
}

impl Random for Recording {
    fn fill(&mut self, buf: &mut [u8]) {
        self.random.fill(buf);
        if let Ok(whole) = <&mut [u8; 256]>::try_from(&mut *buf) {
            *whole = exponent([whole[0], whole[1]]);
        }
        self.drawn.push(buf.to_vec());
    }
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let lie = |place: In, at: u16, mask: &[u8]| -> Vec<u8> {
        let place = PLACES.iter().position(|known| *known == place).expect("in the table") as u8;
        [&[place], &at.to_le_bytes()[..], &[mask.len() as u8], mask].concat()
    };
    let piece = |bytes: &[u8]| [&(bytes.len() as u16).to_le_bytes()[..], bytes].concat();
    let mut seeds: Vec<(String, Vec<u8>)> = Vec::new();
    let mut seed = |name: &str, parts: &[&[u8]]| seeds.push((name.to_owned(), parts.concat()));
    seed("honest", &[&[1, 0]]);
    seed("retry", &[&[1, 0x10]]);
    seed("fail", &[&[1, 0x20]]);
    seed("pq", &[&[1, 1], &15_u64.to_le_bytes()]);
    seed("pq-prime", &[&[1, 1], &9_223_372_036_854_775_783_u64.to_le_bytes()]);
    seed("generator", &[&[1, 2, 2]]);
    seed("prime", &[&[1, 4], &piece(&DH_PRIME[..128])]);
    seed("small-subgroup", &[&[1, 8], &piece(&[1])]);
    for (name, place, at) in [
        ("nonce-in-res-pq", In::ResPq, 4),
        ("nonce-in-params", In::Params, 4),
        ("server-nonce-in-params", In::Params, 20),
        ("nonce-in-inner", In::Inner, 4),
        ("prime-in-inner", In::Inner, 300),
        ("sealed", In::Sealed, 40),
        ("hash-in-answer", In::Answer, 36),
        ("length", In::Packet, 16),
        ("key-id", In::Packet, 0),
    ] {
        seed(name, &[&[1, 0], &lie(place, at, &[1])]);
        seed(&format!("{name}-cut"), &[&[1, 0], &lie(place, at, &[0xff])]);
    }
    let res_pq = plain(NOW.unix.as_secs() << 32 | 1, &types::ResPQ::ID.to_le_bytes());
    seed("raw", &[&[0], &piece(&res_pq), &piece(&res_pq[..19])]);
    seeds
}
