//! Obfuscation: a stream without any constant bytes, beneath another transport.
//!
//! <https://core.telegram.org/mtproto/mtproto-transports#transport-obfuscation>

use std::fmt;

use super::{FrameError, Transport};
use crate::crypto::{Ctr, Random, sha256};

/// How many bytes a client sends before its first packet.
pub(super) const INIT: usize = 64;

/// What a client sends to an MTProxy inside of its first bytes.
#[derive(Clone, Copy)]
pub struct Proxy {
    /// Without the byte that may precede it in a link.
    pub secret: [u8; 16],
    /// The DC to be connected to: negative for its media servers, plus 10,000 for test servers.
    pub dc: i16,
}

/// Both directions' key streams.
pub(super) struct Obfuscation {
    send: Ctr,
    receive: Ctr,
    /// How many bytes at the front of the input are decrypted already.
    clear: usize,
}

impl Obfuscation {
    /// The client's side, and the 64 bytes to send first.
    pub fn client(transport: Transport, proxy: Option<Proxy>, random: &mut dyn Random) -> (Obfuscation, [u8; INIT]) {
        let mut init = [0; INIT];
        random.fill(&mut init);
        while looks_like_something_else(&init) {
            random.fill(&mut init[..8]);
        }
        if let Some(tag) = tag(transport) {
            init[56..60].copy_from_slice(&tag);
        }
        if let Some(proxy) = proxy {
            init[60..62].copy_from_slice(&proxy.dc.to_le_bytes());
        }
        let (to_server, to_client) = keys(&init, proxy.map(|proxy| proxy.secret));
        let mut obfuscation = Obfuscation { send: to_server, receive: to_client, clear: 0 };
        let mut encrypted = init;
        obfuscation.send.apply(&mut encrypted);
        init[56..].copy_from_slice(&encrypted[56..]);
        (obfuscation, init)
    }

    /// The server's side, and the transport above it, by the client's first 64 bytes.
    pub fn server(init: &[u8; INIT]) -> Result<(Obfuscation, Transport), FrameError> {
        let (mut to_server, to_client) = keys(init, None);
        let mut decrypted = *init;
        to_server.apply(&mut decrypted);
        let transports = [Transport::Abridged, Transport::Intermediate, Transport::Padded];
        let transport =
            transports.into_iter().find(|transport| tag(*transport).as_ref() == decrypted[56..].first_chunk());
        let obfuscation = Obfuscation { send: to_client, receive: to_server, clear: 0 };
        Ok((obfuscation, transport.ok_or(FrameError::UnknownTransport)?))
    }

    pub fn encrypt(&mut self, out: &mut [u8]) {
        self.send.apply(out);
    }

    /// Decrypts what has come since the last call.
    pub fn decrypt(&mut self, input: &mut [u8]) {
        self.receive.apply(&mut input[self.clear..]);
        self.clear = input.len();
    }

    /// So much is left of what was decrypted.
    pub fn consumed_to(&mut self, left: usize) {
        self.clear = left;
    }
}

impl fmt::Debug for Obfuscation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Obfuscation")
    }
}

/// The transport's name within the first bytes; the full transport has none.
fn tag(transport: Transport) -> Option<[u8; 4]> {
    match transport {
        Transport::Abridged => Some([0xef; 4]),
        Transport::Intermediate => Some([0xee; 4]),
        Transport::Padded => Some([0xdd; 4]),
        Transport::Full => None,
    }
}

/// The key streams to the server and to the client: the second by the same bytes backwards.
fn keys(init: &[u8; INIT], secret: Option<[u8; 16]>) -> (Ctr, Ctr) {
    let mut backwards = *init;
    backwards.reverse();
    let stream = |init: &[u8; INIT]| {
        let key: [u8; 32] = std::array::from_fn(|i| init[8 + i]);
        let iv = std::array::from_fn(|i| init[40 + i]);
        match secret {
            Some(secret) => Ctr::new(&sha256(&[&key, &secret]), &iv),
            None => Ctr::new(&key, &iv),
        }
    };
    (stream(init), stream(&backwards))
}

/// Whether a server would take these first bytes for another transport, or for HTTP or TLS.
fn looks_like_something_else(init: &[u8]) -> bool {
    matches!(
        init,
        [0xef, ..] | [0xee, 0xee, 0xee, 0xee, ..] | [0xdd, 0xdd, 0xdd, 0xdd, ..] | [_, _, _, _, 0, 0, 0, 0, ..]
    ) || is_http_or_tls(init)
}

pub(super) fn is_http_or_tls(start: &[u8]) -> bool {
    [&b"HEAD"[..], b"POST", b"GET ", b"OPTI", b"\x16\x03\x01\x02"].iter().any(|word| start.starts_with(word))
}
