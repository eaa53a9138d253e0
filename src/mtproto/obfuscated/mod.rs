//! Transport obfuscation: a stream of packets that looks like random bytes, and the way to speak to an MTProxy.
//!
//! It lies under the framing: bytes from [`Framing`](super::Framing) go through it to the socket and back. The
//! framing stays as it is on both sides, because the announcement of its transport, which is part of the 64 bytes
//! that begin an obfuscated stream, is taken out here by the client and put back by the server.
//!
//! <https://core.telegram.org/mtproto/mtproto-transports#transport-obfuscation>

mod secret;
mod server;
#[cfg(test)]
mod tests;

use super::Transport;
use crate::crypto::{Ctr, Random, sha256};

pub use secret::{ProxyDc, Secret, SecretError};
pub use server::{IncomingError, IncomingStream};

/// The length of what begins an obfuscated stream.
pub const HEADER: usize = 64;

/// Where in the header what stands.
const KEY: std::ops::Range<usize> = 8..40;
const IV: std::ops::Range<usize> = 40..56;
const TAG: std::ops::Range<usize> = 56..60;
const DC: std::ops::Range<usize> = 60..62;

/// What an obfuscated stream must not begin with, as a server would take it for something else: HTTP methods, TLS and
/// the framings that have four bytes of announcement.
const TAKEN: [[u8; 4]; 7] = [*b"HEAD", *b"POST", *b"GET ", *b"OPTI", [0x16, 0x03, 0x01, 0x02], [0xdd; 4], [0xee; 4]];

/// One end of an obfuscated stream.
#[derive(Debug)]
pub struct Obfuscated {
    transport: Transport,
    dc: Option<ProxyDc>,
    encrypt: Ctr,
    decrypt: Ctr,
    /// Client: goes out before the first byte.
    header: Option<Box<[u8; HEADER]>>,
    /// Client: what is still to come of the framing's announcement, which must not be sent.
    announcement: &'static [u8],
}

impl Obfuscated {
    /// The client's end. `key` is that of an MTProxy's secret; `dc` is what a proxy must know and a DC need not be told.
    pub fn client(
        transport: Transport,
        key: Option<&[u8; 16]>,
        dc: Option<ProxyDc>,
        random: &mut dyn Random,
    ) -> Obfuscated {
        let mut header = [0; HEADER];
        loop {
            random.fill(&mut header);
            if let Some(tag) = tag(transport) {
                header[TAG].copy_from_slice(&tag);
            }
            if let Some(dc) = dc {
                header[DC].copy_from_slice(&dc.encode().to_le_bytes());
            }
            // The full transport has no tag: what chance puts there must not look like one.
            let tells_transport = transport_of(&header) == tag(transport).map(|_| transport);
            if is_free(&header) && tells_transport {
                break;
            }
        }
        let (mut encrypt, decrypt) = ciphers(&header, key);
        let mut encrypted = header;
        encrypt.apply(&mut encrypted);
        header[TAG.start..].copy_from_slice(&encrypted[TAG.start..]);
        Obfuscated {
            transport,
            dc,
            encrypt,
            decrypt,
            header: Some(Box::new(header)),
            announcement: announcement(transport),
        }
    }

    /// The server's end, from the client's first bytes; None if what they hold is no tag, as with the full transport or
    /// another `key`.
    fn server(header: &[u8; HEADER], key: Option<&[u8; 16]>) -> (Obfuscated, Option<Transport>) {
        // The server reads what the client writes: the pair is swapped.
        let (mut decrypt, encrypt) = ciphers(header, key);
        let mut plain = *header;
        decrypt.apply(&mut plain);
        let announced = transport_of(&plain);
        let transport = announced.unwrap_or(Transport::Full);
        let dc = ProxyDc::decode(i16::from_le_bytes([plain[DC.start], plain[DC.start + 1]]));
        (Obfuscated { transport, dc, encrypt, decrypt, header: None, announcement: &[] }, announced)
    }

    /// The framing inside.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The DC that the client wants. Only an MTProxy is told: elsewhere a server finds chance bytes here.
    pub fn dc(&self) -> Option<ProxyDc> {
        self.dc
    }

    /// Appends to `out` what goes over the wire for `plain`, the next bytes of the framing. The first call brings the
    /// header with it.
    pub fn send(&mut self, mut plain: &[u8], out: &mut Vec<u8>) {
        if let Some(header) = self.header.take() {
            out.extend_from_slice(&header[..]);
        }
        let swallowed = self.announcement.len().min(plain.len());
        debug_assert_eq!(plain[..swallowed], self.announcement[..swallowed], "the framing announces its transport");
        self.announcement = &self.announcement[swallowed..];
        plain = &plain[swallowed..];
        let start = out.len();
        out.extend_from_slice(plain);
        self.encrypt.apply(&mut out[start..]);
    }

    /// Turns the next bytes from the wire into bytes for the framing, in place.
    pub fn receive(&mut self, bytes: &mut [u8]) {
        self.decrypt.apply(bytes);
    }
}

/// Encryption and decryption as the client has them. With a secret, each key is hashed with it.
fn ciphers(header: &[u8; HEADER], key: Option<&[u8; 16]>) -> (Ctr, Ctr) {
    let mut reversed = *header;
    reversed.reverse();
    let cipher = |bytes: &[u8; HEADER]| {
        let own: [u8; 32] = bytes[KEY].try_into().expect("the range has 32 bytes");
        let iv = bytes[IV].try_into().expect("the range has 16 bytes");
        match key {
            Some(key) => Ctr::new(&sha256(&[&own, key]), iv),
            None => Ctr::new(&own, iv),
        }
    };
    (cipher(header), cipher(&reversed))
}

/// Whether a server would take these bytes for the beginning of an obfuscated stream and nothing else.
fn is_free(header: &[u8; HEADER]) -> bool {
    header[0] != 0xef && !TAKEN.iter().any(|taken| header.starts_with(taken)) && header[4..8] != [0; 4]
}

/// A transport's identifier, repeated to four bytes; the full transport has none.
fn tag(transport: Transport) -> Option<[u8; 4]> {
    match transport {
        Transport::Abridged => Some([0xef; 4]),
        Transport::Intermediate => Some([0xee; 4]),
        Transport::Padded => Some([0xdd; 4]),
        Transport::Full => None,
    }
}

fn transport_of(header: &[u8; HEADER]) -> Option<Transport> {
    [Transport::Abridged, Transport::Intermediate, Transport::Padded]
        .into_iter()
        .find(|transport| tag(*transport).is_some_and(|tag| header[TAG] == tag))
}

/// What the client's framing writes before its first packet.
fn announcement(transport: Transport) -> &'static [u8] {
    match transport {
        Transport::Abridged => &[0xef],
        Transport::Intermediate => &[0xee; 4],
        Transport::Padded => &[0xdd; 4],
        Transport::Full => &[],
    }
}
