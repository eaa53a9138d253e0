//! Obfuscation: a stream without any constant bytes, beneath another transport.
//!
//! <https://core.telegram.org/mtproto/mtproto-transports#transport-obfuscation>

use std::fmt;

use super::{FrameError, Transport};
use crate::crypto::{Ctr, Random, sha256};
use crate::mtproto::mtproxy::ProxyDc;

/// How many bytes a client sends before its first packet.
pub(super) const INIT: usize = 64;

/// What a client shares with an MTProxy, and tells it inside of its first bytes.
#[derive(Clone, Copy)]
pub struct Proxy {
    /// [`Secret::key`](crate::mtproto::mtproxy::Secret::key).
    pub key: [u8; 16],
    pub dc: ProxyDc,
}

/// Both directions' key streams.
pub(super) struct Obfuscation {
    send: Ctr,
    receive: Ctr,
    /// How many bytes at the front of the input are decrypted already.
    clear: usize,
}

impl Obfuscation {
    /// The client's side, and the 64 bytes to send first; None for a transport that they cannot tell.
    pub fn client(
        transport: Transport,
        proxy: Option<Proxy>,
        random: &mut dyn Random,
    ) -> Option<(Obfuscation, [u8; INIT])> {
        let tag = tag(transport)?;
        let mut init = [0; INIT];
        random.fill(&mut init);
        while looks_like_something_else(&init) {
            random.fill(&mut init[..8]);
        }
        init[56..60].copy_from_slice(&tag);
        if let Some(proxy) = proxy {
            init[60..62].copy_from_slice(&proxy.dc.encode().to_le_bytes());
        }
        let (to_server, to_client) = keys(&init, proxy.map(|proxy| proxy.key));
        let mut obfuscation = Obfuscation { send: to_server, receive: to_client, clear: 0 };
        let mut encrypted = init;
        obfuscation.send.apply(&mut encrypted);
        init[56..].copy_from_slice(&encrypted[56..]);
        Some((obfuscation, init))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hex::bytes;

    /// The same bytes each time: 1, 8, 15…
    struct Pattern;

    impl Random for Pattern {
        fn fill(&mut self, buf: &mut [u8]) {
            for (at, byte) in buf.iter_mut().enumerate() {
                *byte = (at * 7 + 1) as u8;
            }
        }
    }

    /// Gives what it is told to, then the pattern.
    struct Script(Option<[u8; INIT]>);

    impl Random for Script {
        fn fill(&mut self, buf: &mut [u8]) {
            match self.0.take() {
                Some(init) => buf.copy_from_slice(&init[..buf.len()]),
                None => Pattern.fill(buf),
            }
        }
    }

    /// Made with Python's `cryptography` from the pseudocode of the documentation.
    #[test]
    fn the_stream_is_the_one_that_the_documentation_describes() {
        let check = |transport, proxy, end: &str, up: &str, down: &str| {
            let (mut stream, init) =
                Obfuscation::client(transport, proxy, &mut Pattern).expect("a transport with a tag");
            let start: Vec<u8> = (0..56).map(|at| (at * 7 + 1) as u8).collect();
            assert_eq!(init[..], [start, bytes(end)].concat());
            let mut to_server = *b"sixteen bytes up";
            stream.encrypt(&mut to_server);
            assert_eq!(to_server[..], bytes(up));
            let mut from_server = bytes(down);
            stream.decrypt(&mut from_server);
            assert_eq!(from_server, b"sixteen bytes dn");
        };
        let dc = ProxyDc { id: 4, test: false, media: true };
        check(
            Transport::Padded,
            Some(Proxy { key: [0x99; 16], dc }),
            "396983fb4c62edc3",
            "2848140735328affc86b2a1138c6019f",
            "d67ca1e0680f57fb45c6ec0226c428eb",
        );
        check(
            Transport::Abridged,
            None,
            "5f32568e7501f691",
            "90a9aa2147a5ca886259267a12b24a17",
            "d23bb5fbecafd76a68be6ea038b0deb9",
        );
    }

    #[test]
    fn what_a_server_would_mistake_is_never_sent_first() {
        let mut beginnings = vec![[0xef, 1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 0, 0, 0, 0]];
        for taken in [*b"HEAD", *b"POST", *b"GET ", *b"OPTI", [0x16, 3, 1, 2], [0xdd; 4], [0xee; 4]] {
            beginnings.push([taken, [1, 2, 3, 4]].concat().try_into().expect("8 bytes"));
        }
        for beginning in &beginnings {
            let mut init = [7; INIT];
            init[..8].copy_from_slice(beginning);
            let made = Obfuscation::client(Transport::Abridged, None, &mut Script(Some(init)));
            let (_, init) = made.expect("a transport with a tag");
            assert_eq!(init[..8], [1, 8, 15, 22, 29, 36, 43, 50], "{beginning:02x?}");
        }
    }

    #[test]
    fn the_full_transport_has_no_tag_to_be_told_by() {
        assert!(Obfuscation::client(Transport::Full, None, &mut Pattern).is_none());
    }
}
