//! Fake TLS: an obfuscated stream dressed as a TLS 1.3 connection, for MTProxies whose secret begins with `ee`.
//!
//! The client sends a ClientHello as a browser would, whose `random` is a digest that only one who knows the secret can
//! make; the proxy answers with a ServerHello, a ChangeCipherSpec and one record of application data, whose `random` is
//! a digest likewise. After that both ends put their obfuscated bytes into records of application data. Nothing is
//! encrypted by this layer. Who does not know the secret is passed on by the proxy to the true server of the domain.
//!
//! The documentation does not describe it; it is what Telegram's own clients and proxy do.

mod hello;
#[cfg(test)]
mod tests;
mod x25519;

use std::time::Duration;

use bytes::{Buf, BytesMut};

use crate::crypto::{ConstantTimeEq, Random, sha256};

/// A record's type, version and length.
const RECORD_HEADER: usize = 5;
/// Where `random` stands in a record with a ClientHello or a ServerHello: after the headers of record and handshake
/// message and the version.
const RANDOM: std::ops::Range<usize> = 11..43;

const ALERT: u8 = 0x15;
const HANDSHAKE: [u8; 3] = [0x16, 0x03, 0x03];
const CHANGE_CIPHER_SPEC: [u8; 6] = [0x14, 0x03, 0x03, 0x00, 0x01, 0x01];
const APPLICATION_DATA: [u8; 3] = [0x17, 0x03, 0x03];

/// The longest record: <https://www.rfc-editor.org/rfc/rfc8446#section-5.2>.
const MAX_RECORD: usize = (1 << 14) + 256;
/// The longest record that is sent. Official clients do not send longer ones, and a proxy may have been tried with
/// nothing else.
const MAX_SENT: usize = 2_878;

/// The other end does not do what an MTProxy with this secret does. Fatal to the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FakeTlsError {
    #[error("it does not speak TLS (its answer begins with {0:02x?})")]
    NotTls(Vec<u8>),
    #[error("it broke off with TLS alert {0}")]
    Alert(u8),
    #[error("a record of {0} bytes where a ServerHello was due")]
    ShortHello(usize),
    #[error("a record of {0} bytes; TLS knows none longer than {MAX_RECORD}")]
    TooLong(usize),
    /// The domain's own server answered, or somebody in between.
    #[error(
        "its answer is not signed with the secret: the secret is wrong, this machine's clock is, or it is no MTProxy"
    )]
    WrongDigest,
}

/// The client's part of the greeting.
#[derive(Debug)]
pub struct Greeting {
    key: [u8; 16],
    hello: Vec<u8>,
    digest: [u8; 32],
}

impl Greeting {
    /// `unix` is the time as the proxy's clock shows it; proxies take a minute or two of difference.
    pub fn new(key: &[u8; 16], domain: &str, unix: Duration, random: &mut dyn Random) -> Greeting {
        let mut hello = hello::client_hello(domain, random);
        hello[RANDOM].fill(0);
        let mut digest = hmac_sha256(key, &[&hello]);
        // The seconds wrap in 2106, as they do at the other end.
        let seconds = (unix.as_secs() as u32).to_le_bytes();
        for (byte, time) in digest[28..].iter_mut().zip(seconds) {
            *byte ^= time;
        }
        hello[RANDOM].copy_from_slice(&digest);
        Greeting { key: *key, hello, digest }
    }

    /// The ClientHello, to be sent at once.
    pub fn hello(&self) -> &[u8] {
        &self.hello
    }

    /// Takes the proxy's answer off the front of `input` once it is whole, and checks it. False until then.
    pub fn take_answer(&self, input: &mut BytesMut) -> Result<bool, FakeTlsError> {
        let Some(hello) = record(input, &HANDSHAKE)? else { return Ok(false) };
        if hello < RANDOM.end {
            return Err(FakeTlsError::ShortHello(hello));
        }
        let rest = &input[hello..];
        if !begins_with(rest, &CHANGE_CIPHER_SPEC)? {
            return Ok(false);
        }
        let Some(data) = record(&rest[CHANGE_CIPHER_SPEC.len()..], &APPLICATION_DATA)? else { return Ok(false) };
        let mut answer = input.split_to(hello + CHANGE_CIPHER_SPEC.len() + data);
        let claimed: [u8; 32] = answer[RANDOM].try_into().expect("the range has 32 bytes");
        answer[RANDOM].fill(0);
        let digest = hmac_sha256(&self.key, &[&self.digest, &answer]);
        if bool::from(digest.ct_eq(&claimed)) { Ok(true) } else { Err(FakeTlsError::WrongDigest) }
    }
}

/// The client's end after the greeting: bytes in records of application data.
#[derive(Debug, Default)]
pub struct Records {
    begun: bool,
}

impl Records {
    pub fn new() -> Records {
        Records::default()
    }

    /// Appends `data` to `out` in records. The client's ChangeCipherSpec goes before the first.
    pub fn seal(&mut self, data: &[u8], out: &mut Vec<u8>) {
        if !self.begun && !data.is_empty() {
            out.extend_from_slice(&CHANGE_CIPHER_SPEC);
            self.begun = true;
        }
        for piece in data.chunks(MAX_SENT) {
            out.extend_from_slice(&APPLICATION_DATA);
            out.extend_from_slice(&(piece.len() as u16).to_be_bytes());
            out.extend_from_slice(piece);
        }
    }

    /// Moves what is in the whole records at the front of `input` to the end of `data`.
    pub fn open(&mut self, input: &mut BytesMut, data: &mut BytesMut) -> Result<(), FakeTlsError> {
        while let Some(length) = record(input, &APPLICATION_DATA)? {
            input.advance(RECORD_HEADER);
            data.extend_from_slice(&input[..length - RECORD_HEADER]);
            input.advance(length - RECORD_HEADER);
        }
        Ok(())
    }
}

/// The length, with its header, of the record at the front of `input`; None until all of it is there. What cannot
/// become a record that begins with `expected` is refused as soon as that shows.
fn record(input: &[u8], expected: &[u8; 3]) -> Result<Option<usize>, FakeTlsError> {
    if !begins_with(input, expected)? || input.len() < RECORD_HEADER {
        return Ok(None);
    }
    let length = usize::from(u16::from_be_bytes([input[3], input[4]]));
    if length > MAX_RECORD {
        return Err(FakeTlsError::TooLong(length));
    }
    Ok((input.len() >= RECORD_HEADER + length).then_some(RECORD_HEADER + length))
}

/// False while `input` is too short to tell.
fn begins_with(input: &[u8], expected: &[u8]) -> Result<bool, FakeTlsError> {
    let there = input.len().min(expected.len());
    if input[..there] == expected[..there] {
        return Ok(there == expected.len());
    }
    match input {
        [ALERT, 0x03, _, 0, 2, _, description, ..] => Err(FakeTlsError::Alert(*description)),
        // An alert that is not all there yet.
        [ALERT] | [ALERT, 0x03, ..] if input.len() < 7 => Ok(false),
        _ => Err(FakeTlsError::NotTls(input[..input.len().min(8)].to_vec())),
    }
}

/// <https://www.rfc-editor.org/rfc/rfc2104>, for a key no longer than a block.
fn hmac_sha256(key: &[u8; 16], pieces: &[&[u8]]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner_pad = pad(0x36);
    let inner: Vec<&[u8]> = std::iter::once(&inner_pad[..]).chain(pieces.iter().copied()).collect();
    sha256(&[&pad(0x5c), &sha256(&inner)])
}
