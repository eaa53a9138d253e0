//! What one needs to know to use an MTProxy: its secret, and how it is told the DC.

use std::fmt;

use data_encoding::{Encoding, HEXLOWER_PERMISSIVE, Specification};

use crate::mtproto::Transport;

/// The longest name that DNS and TLS know.
const MAX_DOMAIN: usize = 253;

/// The secret of an MTProxy. <https://core.telegram.org/mtproto/mtproto-transports#transport-obfuscation>
///
/// `Debug` shows its kind and domain, not its key.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// 16 bytes: any framing with a tag.
    Plain([u8; 16]),
    /// 17 bytes, the first mostly `dd`: padded intermediate framing only.
    Padded([u8; 16]),
    /// `ee`, 16 bytes and a domain: padded intermediate framing in a stream that looks like TLS with that domain.
    FakeTls { key: [u8; 16], domain: String },
}

/// What is wrong with a secret. None of these repeats it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("the secret is empty")]
    Empty,
    #[error("the secret is neither hexadecimal nor base64url: {0:?} at position {1} is in neither")]
    Character(char, usize),
    #[error(
        "the secret is neither hexadecimal, which has an even number of digits, nor base64url: a piece of it is missing"
    )]
    CutOff,
    #[error("the secret has {0} bytes; the shortest kind has 16")]
    TooShort(usize),
    #[error("the secret has {length} bytes and begins with {first:02x}; more than 17 bytes begin with ee")]
    TooLong { length: usize, first: u8 },
    #[error("the secret begins with ee (fake TLS), but no domain follows its 16 bytes")]
    NoDomain,
    #[error("the domain in the secret is not one: {0}")]
    Domain(&'static str),
}

impl Secret {
    /// Reads a secret as links and proxy operators give it: hexadecimal, or base64url with or without padding.
    pub fn parse(text: &str) -> Result<Secret, SecretError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        Secret::from_bytes(&decode(text)?)
    }

    /// Reads a secret from its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Secret, SecretError> {
        match (bytes, bytes.len()) {
            (_, 0) => Err(SecretError::Empty),
            (_, length @ 1..16) => Err(SecretError::TooShort(length)),
            (_, 16) => Ok(Secret::Plain(key(bytes))),
            ([0xee, ..], 17) => Err(SecretError::NoDomain),
            // Clients take any further byte to mean padded intermediate, says the documentation.
            ([_, rest @ ..], 17) => Ok(Secret::Padded(key(rest))),
            ([0xee, rest @ ..], _) => {
                let (own, domain) = rest.split_at(16);
                Ok(Secret::FakeTls { key: key(own), domain: check_domain(domain)? })
            }
            ([first, ..], length) => Err(SecretError::TooLong { length, first: *first }),
            ([], _) => Err(SecretError::Empty),
        }
    }

    /// The 16 bytes that go into the keys.
    pub fn key(&self) -> &[u8; 16] {
        match self {
            Secret::Plain(key) | Secret::Padded(key) | Secret::FakeTls { key, .. } => key,
        }
    }

    /// The framing to use where `wanted` would be: None if the proxy cannot carry it.
    pub fn transport(&self, wanted: Transport) -> Option<Transport> {
        match self {
            // The full transport has no tag that would tell the proxy of it.
            Secret::Plain(_) => (wanted != Transport::Full).then_some(wanted),
            Secret::Padded(_) | Secret::FakeTls { .. } => Some(Transport::Padded),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Plain(_) => f.write_str("Plain(..)"),
            Secret::Padded(_) => f.write_str("Padded(..)"),
            Secret::FakeTls { domain, .. } => write!(f, "FakeTls({domain:?}, ..)"),
        }
    }
}

/// What is all hexadecimal digits is hexadecimal, though it might be base64 as well.
fn decode(text: &str) -> Result<Vec<u8>, SecretError> {
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.len().is_multiple_of(2) {
        return HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| SecretError::CutOff);
    }
    let text = text.trim_end_matches('=');
    let digits = text
        .char_indices()
        .map(|(at, character)| match character {
            '+' => Ok(b'-'),
            '/' => Ok(b'_'),
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '_' => Ok(character as u8),
            other => Err(SecretError::Character(other, at)),
        })
        .collect::<Result<Vec<u8>, _>>()?;
    base64url().decode(&digits).map_err(|_| SecretError::CutOff)
}

/// Without padding; the bits that the last digit has to spare may be anything, as some generators leave them set.
fn base64url() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    specification.check_trailing_bits = false;
    specification.encoding().expect("the alphabet has 64 different digits")
}

fn key(bytes: &[u8]) -> [u8; 16] {
    bytes.try_into().expect("the caller matched the length")
}

fn check_domain(bytes: &[u8]) -> Result<String, SecretError> {
    let domain = std::str::from_utf8(bytes).map_err(|_| SecretError::Domain("it is not text"))?;
    if domain.len() > MAX_DOMAIN {
        return Err(SecretError::Domain("it has more than 253 characters"));
    }
    if !domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
        return Err(SecretError::Domain("it may have letters, digits, dots and hyphens"));
    }
    Ok(domain.to_owned())
}

/// The DC that a client asks an MTProxy for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProxyDc {
    /// 1 to 9,999.
    pub id: u16,
    pub test: bool,
    /// A DC for media, but not a CDN.
    pub media: bool,
}

/// Added to the number of a test DC.
const TEST: u16 = 10_000;

impl ProxyDc {
    /// A production DC, not one for media.
    pub fn new(id: u16) -> ProxyDc {
        ProxyDc { id, test: false, media: false }
    }

    /// As in the header, little-endian there: 10,000 more for a test DC, negative for media.
    pub fn encode(self) -> i16 {
        let code = self.id.min(TEST - 1) + if self.test { TEST } else { 0 };
        let code = code as i16;
        if self.media { -code } else { code }
    }

    /// None for what no client sends.
    pub fn decode(code: i16) -> Option<ProxyDc> {
        let number = code.unsigned_abs();
        let (id, test) = if number > TEST { (number - TEST, true) } else { (number, false) };
        (1..TEST).contains(&id).then_some(ProxyDc { id, test, media: code < 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hex::bytes;

    #[test]
    fn the_dc_is_told_with_test_and_media() {
        let check = |id, test, media, code| {
            let dc = ProxyDc { id, test, media };
            assert_eq!(dc.encode(), code);
            assert_eq!(ProxyDc::decode(code), Some(dc));
        };
        check(2, false, false, 2);
        check(4, false, true, -4);
        check(2, true, false, 10_002);
        check(3, true, true, -10_003);
        check(203, false, false, 203);
        for code in [0, 10_000, -10_000, i16::MAX, i16::MIN] {
            assert_eq!(ProxyDc::decode(code), None, "{code}");
        }
    }

    const KEY: &str = "0123456789abcdef0123456789ABCDEF";

    #[test]
    fn secrets_are_read_in_every_form_they_are_given_in() {
        let own: [u8; 16] = bytes(KEY).try_into().unwrap();
        let check = |text: &str, secret: &Secret| assert_eq!(Secret::parse(text).as_ref(), Ok(secret), "{text}");
        check(KEY, &Secret::Plain(own));
        check(&format!("  {KEY}\n"), &Secret::Plain(own));
        check("ASNFZ4mrze8BI0VniavN7w", &Secret::Plain(own));
        check("ASNFZ4mrze8BI0VniavN7w==", &Secret::Plain(own));
        check(&format!("dd{KEY}"), &Secret::Padded(own));
        check(&format!("aa{KEY}"), &Secret::Padded(own));
        check("3QEjRWeJq83vASNFZ4mrze8", &Secret::Padded(own));
        let tls = Secret::FakeTls { key: own, domain: "example.org".to_owned() };
        check(&format!("ee{KEY}6578616d706c652e6f7267"), &tls);
        check("7gEjRWeJq83vASNFZ4mrze9leGFtcGxlLm9yZw", &tls);
        check("7gEjRWeJq83vASNFZ4mrze9leGFtcGxlLm9yZw==", &tls);
        // The last digit's spare bits set.
        check("7gEjRWeJq83vASNFZ4mrze9leGFtcGxlLm9yZx", &tls);
        // The alphabet of ordinary base64.
        assert_eq!(Secret::parse("+/+/+/+/+/+/+/+/+/+/+w"), Secret::parse("-_-_-_-_-_-_-_-_-_-_-w"));
    }

    #[test]
    fn an_error_says_what_is_wrong_with_a_secret() {
        let check = |text: &str, error: SecretError| assert_eq!(Secret::parse(text), Err(error), "{text}");
        check(" ", SecretError::Empty);
        check("0123456789abcdef", SecretError::TooShort(8));
        check("12#4", SecretError::Character('#', 2));
        check("12é4", SecretError::Character('é', 2));
        check("abcde", SecretError::CutOff);
        check(&format!("ee{KEY}"), SecretError::NoDomain);
        check(&format!("dd{KEY}00"), SecretError::TooLong { length: 18, first: 0xdd });
        check(&format!("ee{KEY}ff"), SecretError::Domain("it is not text"));
        check(&format!("ee{KEY}2f2f"), SecretError::Domain("it may have letters, digits, dots and hyphens"));
        let long = "61".repeat(254);
        check(&format!("ee{KEY}{long}"), SecretError::Domain("it has more than 253 characters"));
    }

    #[test]
    fn debug_does_not_show_the_key() {
        for text in [KEY.to_owned(), format!("dd{KEY}"), format!("ee{KEY}6578616d706c652e6f7267")] {
            let shown = format!("{:?}", Secret::parse(&text));
            assert!(!shown.contains("35") && !shown.contains("0x"), "{shown}");
        }
    }

    #[test]
    fn the_secret_decides_over_the_framing() {
        let plain = Secret::Plain([0; 16]);
        assert_eq!(plain.transport(Transport::Abridged), Some(Transport::Abridged));
        assert_eq!(plain.transport(Transport::Full), None);
        for secret in [Secret::Padded([0; 16]), Secret::FakeTls { key: [0; 16], domain: "a.b".to_owned() }] {
            assert_eq!(secret.transport(Transport::Abridged), Some(Transport::Padded));
        }
    }
}
