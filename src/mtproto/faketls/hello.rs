//! A ClientHello as a current browser sends it, so that a connection does not stand out.
//!
//! The message: <https://www.rfc-editor.org/rfc/rfc8446#section-4.1.2>. The values that mean nothing and keep servers
//! tolerant: <https://www.rfc-editor.org/rfc/rfc8701>. Only the shape matters: the proxy reads `random` and the domain.

use super::x25519;
use crate::crypto::Random;

/// The prime of ML-KEM: each coefficient of a public key lies below it.
const ML_KEM_PRIME: u64 = 3_329;
const ML_KEM_768_COEFFICIENTS: usize = 768;

const X25519: u16 = 0x001d;
const X25519_ML_KEM_768: u16 = 0x11ec;
const CIPHER_SUITES: [u16; 15] = [
    0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f,
    0x0035,
];
const SIGNATURES: [u16; 8] = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];

/// The record with the ClientHello. Its `random` is zeros.
pub fn client_hello(domain: &str, random: &mut dyn Random) -> Vec<u8> {
    let cipher = grease(random);
    let extensions = extensions(domain, random);
    let mut record = Message::default();
    record.bytes(&[0x16, 0x03, 0x01]);
    record.part16(|record| {
        record.bytes(&[0x01, 0x00]);
        record.part16(|hello| {
            hello.bytes(&[0x03, 0x03]);
            hello.bytes(&[0; 32]);
            hello.part8(|session| session.random(32, random));
            hello.part16(|suites| {
                suites.u16(cipher);
                CIPHER_SUITES.iter().for_each(|suite| suites.u16(*suite));
            });
            hello.part8(|compression| compression.bytes(&[0]));
            hello.part16(|into| extensions.iter().for_each(|extension| into.bytes(extension)));
        });
    });
    record.0
}

/// The extensions, in an order of chance as browsers have it, but for the first and the last.
fn extensions(domain: &str, random: &mut dyn Random) -> Vec<Vec<u8>> {
    let group = grease(random);
    let version = grease(random);
    let first = grease(random);
    // No two extensions have the same number.
    let last = std::iter::repeat_with(|| grease(random)).find(|last| *last != first).unwrap_or(first);
    let mut inner = vec![
        // server_name
        extension(0x0000, |e| {
            e.part16(|names| {
                names.bytes(&[0]);
                names.part16(|name| name.bytes(domain.as_bytes()));
            });
        }),
        // status_request: OCSP
        extension(0x0005, |e| e.bytes(&[1, 0, 0, 0, 0])),
        // supported_groups
        extension(0x000a, |e| {
            e.part16(|groups| {
                [group, X25519_ML_KEM_768, X25519, 0x0017, 0x0018].iter().for_each(|group| groups.u16(*group));
            });
        }),
        // ec_point_formats: uncompressed
        extension(0x000b, |e| e.part8(|formats| formats.bytes(&[0]))),
        // signature_algorithms
        extension(0x000d, |e| e.part16(|list| SIGNATURES.iter().for_each(|signature| list.u16(*signature)))),
        // application_layer_protocol_negotiation
        extension(0x0010, |e| {
            e.part16(|protocols| {
                protocols.part8(|name| name.bytes(b"h2"));
                protocols.part8(|name| name.bytes(b"http/1.1"));
            });
        }),
        // signed_certificate_timestamp
        extension(0x0012, |_| {}),
        // extended_main_secret
        extension(0x0017, |_| {}),
        // compress_certificate: brotli
        extension(0x001b, |e| e.part8(|list| list.u16(2))),
        // session_ticket
        extension(0x0023, |_| {}),
        // supported_versions: 1.3 and 1.2
        extension(0x002b, |e| e.part8(|list| [version, 0x0304, 0x0303].iter().for_each(|version| list.u16(*version)))),
        // psk_key_exchange_modes: with (EC)DHE
        extension(0x002d, |e| e.part8(|modes| modes.bytes(&[1]))),
        // key_share
        extension(0x0033, |e| {
            e.part16(|shares| {
                shares.u16(group);
                shares.part16(|share| share.bytes(&[0]));
                shares.u16(X25519_ML_KEM_768);
                shares.part16(|share| {
                    share.ml_kem_768_key(random);
                    share.bytes(&x25519::public_key(random));
                });
                shares.u16(X25519);
                shares.part16(|share| share.bytes(&x25519::public_key(random)));
            });
        }),
        // application_settings
        extension(0x44cd, |e| e.part16(|protocols| protocols.part8(|name| name.bytes(b"h2")))),
        // encrypted_client_hello, with nothing in it
        extension(0xfe0d, |e| {
            // Outer form, HKDF-SHA256, AES-128-GCM.
            e.bytes(&[0, 0, 1, 0, 1]);
            e.random(1, random);
            e.part16(|encapsulated| encapsulated.bytes(&x25519::public_key(random)));
            let length = 144 + 32 * below(4, random) as usize;
            e.part16(|payload| payload.random(length, random));
        }),
        // renegotiation_info
        extension(0xff01, |e| e.part8(|_| {})),
    ];
    for left in (1..inner.len()).rev() {
        inner.swap(left, below(left as u64 + 1, random) as usize);
    }
    inner.insert(0, extension(first, |_| {}));
    inner.push(extension(last, |e| e.bytes(&[0])));
    inner
}

fn extension(number: u16, write: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut extension = Message::default();
    extension.u16(number);
    extension.part16(write);
    extension.0
}

/// One of the sixteen values 0x0a0a, 0x1a1a … 0xfafa.
fn grease(random: &mut dyn Random) -> u16 {
    0x0a0a + 0x1010 * below(16, random) as u16
}

fn below(bound: u64, random: &mut dyn Random) -> u64 {
    random.u64() % bound
}

/// A TLS message being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn u16(&mut self, number: u16) {
        self.bytes(&number.to_be_bytes());
    }

    fn random(&mut self, length: usize, random: &mut dyn Random) {
        let start = self.0.len();
        self.0.resize(start + length, 0);
        random.fill(&mut self.0[start..]);
    }

    /// What `write` writes, after its length in one byte.
    fn part8(&mut self, write: impl FnOnce(&mut Message)) {
        let start = self.0.len();
        self.0.push(0);
        write(self);
        self.0[start] = (self.0.len() - start - 1) as u8;
    }

    /// What `write` writes, after its length in two bytes. Nothing here comes near 64 KiB.
    fn part16(&mut self, write: impl FnOnce(&mut Message)) {
        let start = self.0.len();
        self.u16(0);
        write(self);
        let length = (self.0.len() - start - 2) as u16;
        self.0[start..start + 2].copy_from_slice(&length.to_be_bytes());
    }

    /// Coefficients of twelve bits, two in three bytes, and a seed: <https://doi.org/10.6028/NIST.FIPS.203>.
    fn ml_kem_768_key(&mut self, random: &mut dyn Random) {
        for _ in 0..ML_KEM_768_COEFFICIENTS / 2 {
            let pair = below(ML_KEM_PRIME, random) | below(ML_KEM_PRIME, random) << 12;
            self.bytes(&pair.to_le_bytes()[..3]);
        }
        self.random(32, random);
    }
}
