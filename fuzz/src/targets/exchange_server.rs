//! The key exchange of a server with a client that lies.

use moongram::crypto::dh::{DH_GENERATOR, DH_PRIME, modpow, public_value};
use moongram::crypto::{AuthKey, new_nonce_hash, sha1, tmp_aes_key_iv};
use moongram::mtproto::exchange::{ExchangeError, ServerExchange};
use moongram::tl::{Reader, functions, types};

use super::Target;
use super::exchange::{EXPONENT, NOW, RSA, Recording, body, plain, seal, unsealed};
use super::input::Input;

pub const TARGET: Target = Target { name: "exchange_server", run, seeds, memory: (1 << 17, 64) };

const NONCE: [u8; 16] = [0x11; 16];
const NEW_NONCE: [u8; 32] = [0x33; 32];

#[derive(Clone, Copy, PartialEq)]
enum In {
    ReqPq,
    Request,
    /// Before it is encrypted to the server's key.
    Proof,
    Offer,
    /// Before it is encrypted, behind a hash that is right.
    Inner,
    Sealed,
    Packet,
}

const PLACES: [In; 7] = [In::ReqPq, In::Request, In::Proof, In::Offer, In::Inner, In::Sealed, In::Packet];

fn run(data: &[u8]) -> usize {
    let mut input = Input(data);
    let how = input.u8();
    let mut random = Recording::new(5);
    let mut server = ServerExchange::new(RSA.clone()).with_taken(move |id| how & 8 != 0 && id & 1 == 0);
    if how & 1 == 0 {
        while !input.is_empty() {
            let _ = server.handle_packet(input.piece(), NOW, &mut random);
            let _ = server.poll_packet();
        }
        assert!(server.poll_done().is_none(), "nobody comes to a key by chance");
        return 0;
    }
    let mut client = Client { how, lies: Vec::new(), sent: 0 };
    while !input.is_empty() && client.lies.len() < 8 {
        let place = PLACES[usize::from(input.u8()) % PLACES.len()];
        let (at, length) = (input.u16().into(), input.u8());
        let mask = input.take(length.into());
        if !mask.is_empty() {
            client.lies.push((place, at, mask));
        }
    }
    // The second exchange of a connection, after whatever became of the first.
    let _ = client.ask(&mut server, &mut random);
    client.lies.clear();
    client.ask(&mut server, &mut random).expect("an honest client, whatever came before it");
    0
}

struct Client<'a> {
    how: u8,
    lies: Vec<(In, usize, &'a [u8])>,
    sent: u64,
}

impl Client<'_> {
    fn lie(&self, place: In, bytes: &mut Vec<u8>) {
        for (_, at, mask) in self.lies.iter().filter(|(here, ..)| *here == place) {
            let at = if bytes.is_empty() { 0 } else { at % bytes.len() };
            for (byte, mask) in bytes[at..].iter_mut().zip(*mask) {
                *byte ^= mask;
            }
            if mask[0] == 0xff {
                bytes.truncate(at);
            } else if mask.len() > bytes.len() - at {
                bytes.extend_from_slice(&mask[bytes.len() - at..]);
            }
        }
    }

    fn tell(
        &mut self,
        server: &mut ServerExchange,
        random: &mut Recording,
        place: In,
        mut out: Vec<u8>,
    ) -> Result<Vec<u8>, ExchangeError> {
        self.lie(place, &mut out);
        self.sent += 4;
        let mut packet = plain((NOW.unix.as_secs() << 32) + self.sent, &out);
        self.lie(In::Packet, &mut packet);
        server.handle_packet(&packet, NOW, random)?;
        Ok(body(&server.poll_packet().expect("an answer to what was accepted")))
    }

    fn ask(&mut self, server: &mut ServerExchange, random: &mut Recording) -> Result<(), ExchangeError> {
        let mut out = Vec::new();
        functions::ReqPqMulti { nonce: NONCE }.write(&mut out);
        let answer = self.tell(server, random, In::ReqPq, out)?;
        let res_pq = types::ResPQ::read(&mut Reader::new(&answer[4..])).expect("resPQ");
        let (nonce, server_nonce, pq) = (res_pq.nonce, res_pq.server_nonce, res_pq.pq);
        let number = pq.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
        let (p, q) = moongram::crypto::factorize(number).expect("the server's own product");
        let bytes = |number: u64| number.to_be_bytes()[4..].to_vec();
        let (p, q) = (bytes(p), bytes(q));
        let (p, q) = (&p[..], &q[..]);

        let mut data = Vec::new();
        let new_nonce = NEW_NONCE;
        match self.how & 2 {
            0 => types::PQInnerDataDc { pq, p, q, nonce, server_nonce, new_nonce, dc: 2 }.write(&mut data),
            _ => types::PQInnerDataTempDc { pq, p, q, nonce, server_nonce, new_nonce, dc: 2, expires_in: 86_400 }
                .write(&mut data),
        }
        self.lie(In::Proof, &mut data);
        data.truncate(144);
        let encrypted_data = &RSA.public().encrypt_pad(&data, random).expect("at most 144 bytes");
        let public_key_fingerprint = RSA.public().fingerprint();
        let mut out = Vec::new();
        functions::ReqDHParams { nonce, server_nonce, p, q, public_key_fingerprint, encrypted_data }.write(&mut out);
        let answer = self.tell(server, random, In::Request, out)?;
        let params = types::ServerDHParamsOk::read(&mut Reader::new(&answer[4..])).expect("server_DH_params_ok");
        // With a lie in new_nonce the server has another key than we.
        let tmp = tmp_aes_key_iv(&new_nonce, &server_nonce);
        let inner = unsealed(params.encrypted_answer, &tmp);
        let g_a = match types::ServerDHInnerData::read(&mut Reader::new(inner.get(4..).unwrap_or_default())) {
            Ok(inner) => inner.g_a.to_vec(),
            Err(_) => public_value(DH_GENERATOR, &[3; 256], &DH_PRIME).to_vec(),
        };

        let mut retry_id = 0;
        loop {
            let g_b = public_value(DH_GENERATOR, &EXPONENT, &DH_PRIME);
            let key = AuthKey::new(modpow(&g_a, &EXPONENT, &DH_PRIME));
            let mut data = Vec::new();
            types::ClientDHInnerData { nonce, server_nonce, retry_id, g_b: &g_b }.write(&mut data);
            self.lie(In::Inner, &mut data);
            let mut sealed = seal(&data, &tmp);
            self.lie(In::Sealed, &mut sealed);
            let mut out = Vec::new();
            functions::SetClientDHParams { nonce, server_nonce, encrypted_data: &sealed }.write(&mut out);
            let answer = match self.tell(server, random, In::Offer, out) {
                // The same key again and again, which is taken: so it ends.
                Err(ExchangeError::TooManyRetries(5)) if self.how & 8 != 0 => return Ok(()),
                answer => answer?,
            };
            match server.poll_done() {
                Some(agreed) => {
                    let ok = types::DhGenOk::read(&mut Reader::new(&answer[4..])).expect("dh_gen_ok");
                    let known = ok.new_nonce_hash1 == new_nonce_hash(1, &new_nonce, key.aux_hash());
                    assert_eq!(known, agreed.auth_key == key, "the hash tells whether both have one key");
                    assert!(agreed.expires_in.is_none_or(|seconds| seconds > 0));
                    return Ok(());
                }
                None => retry_id = i64::from_le_bytes(std::array::from_fn(|i| sha1(&[key.as_bytes()])[i])),
            }
        }
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
    seed("honest", &[&[1]]);
    seed("temporary", &[&[3]]);
    seed("taken", &[&[9]]);
    for (name, place, at) in [
        ("nonce", In::Request, 4),
        ("server-nonce", In::Request, 20),
        ("factor", In::Request, 38),
        ("fingerprint", In::Request, 54),
        ("proof", In::Proof, 10),
        ("proof-new-nonce", In::Proof, 64),
        ("proof-constructor", In::Proof, 0),
        ("offer", In::Offer, 4),
        ("retry-id", In::Inner, 36),
        ("public-value", In::Inner, 60),
        ("sealed", In::Sealed, 100),
        ("key-id", In::Packet, 3),
        ("message-id", In::Packet, 8),
    ] {
        seed(name, &[&[1], &lie(place, at, &[1])]);
        seed(&format!("{name}-cut"), &[&[3], &lie(place, at, &[0xff])]);
    }
    let mut asked = Vec::new();
    functions::ReqPqMulti { nonce: NONCE }.write(&mut asked);
    let asked = plain(NOW.unix.as_secs() << 32, &asked);
    seed("raw", &[&[0], &piece(&asked), &piece(&asked)]);
    seeds
}
