//! Just enough PEM and DER to read an RSA key: base64 between two lines, and three kinds of DER values.

/// Why a file is not a key that we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("no `-----BEGIN …-----` and `-----END …-----` lines with the same label")]
    NotPem,
    #[error("this kind of PEM block holds no RSA key of the kind wanted here")]
    WrongLabel,
    #[error("the text between the PEM lines is not base64")]
    NotBase64,
    #[error("the DER structure is not that of an RSA key")]
    NotDer,
    #[error("the key is for another algorithm than RSA")]
    NotRsa,
    #[error("the modulus has {0} bits; MTProto wants 2048")]
    WrongSize(u64),
    #[error("the exponents do not belong to the modulus")]
    WrongExponent,
}

/// The label and the bytes of the first PEM block in `text`.
pub fn pem(text: &str) -> Result<(&str, Vec<u8>), KeyError> {
    let (_, rest) = text.split_once("-----BEGIN ").ok_or(KeyError::NotPem)?;
    let (label, rest) = rest.split_once("-----").ok_or(KeyError::NotPem)?;
    let (body, rest) = rest.split_once("-----END ").ok_or(KeyError::NotPem)?;
    if !rest.strip_prefix(label).is_some_and(|rest| rest.starts_with("-----")) {
        return Err(KeyError::NotPem);
    }
    Ok((label, base64(body)?))
}

fn base64(text: &str) -> Result<Vec<u8>, KeyError> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held, mut digits, mut padding) = (0u32, 0, 0usize, 0usize);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        digits += 1;
        if byte == b'=' {
            padding += 1;
            continue;
        }
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err(KeyError::NotBase64),
        };
        if padding > 0 {
            return Err(KeyError::NotBase64);
        }
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    if digits % 4 != 0 || padding > 2 || bits != 0 {
        return Err(KeyError::NotBase64);
    }
    Ok(out)
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// A reader of DER values, one after the other.
#[derive(Clone, Copy)]
pub struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    pub fn new(bytes: &'a [u8]) -> Der<'a> {
        Der(bytes)
    }

    /// What was not read yet.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Fails unless everything was read.
    pub fn end(self) -> Result<(), KeyError> {
        if self.0.is_empty() { Ok(()) } else { Err(KeyError::NotDer) }
    }

    pub fn sequence(&mut self) -> Result<Der<'a>, KeyError> {
        self.value(SEQUENCE).map(Der)
    }

    pub fn octet_string(&mut self) -> Result<Der<'a>, KeyError> {
        self.value(OCTET_STRING).map(Der)
    }

    /// The content of a bit string of whole bytes.
    pub fn bit_string(&mut self) -> Result<Der<'a>, KeyError> {
        match self.value(BIT_STRING)? {
            [0, bytes @ ..] => Ok(Der(bytes)),
            _ => Err(KeyError::NotDer),
        }
    }

    /// The big-endian bytes of an integer that is not negative, without leading zeros.
    pub fn unsigned(&mut self) -> Result<&'a [u8], KeyError> {
        match self.value(INTEGER)? {
            [0] => Ok(&[]),
            // DER has a zero in front only where the number would be negative without it.
            [0, rest @ ..] if rest[0] >= 0x80 => Ok(rest),
            value @ [1..=0x7f, ..] => Ok(value),
            _ => Err(KeyError::NotDer),
        }
    }

    /// The content of the next value, which must have this tag.
    fn value(&mut self, tag: u8) -> Result<&'a [u8], KeyError> {
        let (length, rest): (usize, &[u8]) = match self.0 {
            [found, ..] if *found != tag => return Err(KeyError::NotDer),
            [_, length @ 0..=0x7f, rest @ ..] => (usize::from(*length), rest),
            // The long form is for lengths that need it.
            [_, 0x81, length @ 0x80..=0xff, rest @ ..] => (usize::from(*length), rest),
            [_, 0x82, high @ 1..=0xff, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            _ => return Err(KeyError::NotDer),
        };
        let (value, rest) = rest.split_at_checked(length).ok_or(KeyError::NotDer)?;
        self.0 = rest;
        Ok(value)
    }

    /// The algorithm identifier of RSA: the object identifier 1.2.840.113549.1.1.1 and NULL.
    pub fn rsa_algorithm(&mut self) -> Result<(), KeyError> {
        const RSA: [u8; 13] = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0];
        if self.sequence()?.0 == RSA { Ok(()) } else { Err(KeyError::NotRsa) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length_is_read() {
        for (text, expected) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9v\r\n YmFy", "foobar")]
        {
            let bytes = base64(text).expect(text);
            assert_eq!(bytes, expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn base64_digits_beyond_the_letters_are_read() {
        assert_eq!(base64("+/09"), Ok(vec![0xfb, 0xfd, 0x3d]));
    }

    #[test]
    fn broken_base64_is_refused() {
        for text in ["Z", "Zg", "Zg=", "Zh==", "Z===", "Zg==Zg==", "Zm9v=", "Zm9!", "Zm9\u{e9}", "=Zm9"] {
            assert_eq!(base64(text), Err(KeyError::NotBase64), "{text}");
        }
    }

    #[test]
    fn a_pem_block_needs_both_lines_with_one_label() {
        assert_eq!(pem("text\n-----BEGIN X-----\nZm9v\n-----END X-----\nmore"), Ok(("X", b"foo".to_vec())));
        for text in [
            "",
            "-----BEGIN X-----",
            "-----BEGIN X\nZm9v\n-----END X-----",
            "-----BEGIN X-----\nZm9v\n-----END Y-----",
            "-----BEGIN X-----\nZm9v\n-----END X",
        ] {
            assert_eq!(pem(text), Err(KeyError::NotPem), "{text}");
        }
    }

    fn integer(der: &[u8]) -> Result<&[u8], KeyError> {
        let mut reader = Der::new(der);
        let value = reader.unsigned()?;
        reader.end()?;
        Ok(value)
    }

    #[test]
    fn integers_are_read_in_their_only_form() {
        assert_eq!(integer(&[2, 1, 0]), Ok(&[][..]));
        assert_eq!(integer(&[2, 1, 0x7f]), Ok(&[0x7f][..]));
        assert_eq!(integer(&[2, 2, 0, 0x80]), Ok(&[0x80][..]));
    }

    #[test]
    fn integers_in_another_form_are_refused() {
        for der in [
            &[][..],
            &[2],
            &[2, 0],
            &[2, 1],
            // Another tag, a byte too many, a negative number, zeros in front.
            &[3, 1, 1],
            &[2, 1, 1, 1],
            &[2, 1, 0x80],
            &[2, 2, 0, 1],
            &[2, 2, 0, 0],
            // Lengths: of no definite end, longer than needed, of too many bytes, beyond the end.
            &[2, 0x80, 1, 0, 0],
            &[2, 0x81, 1, 1],
            &[2, 0x82, 0, 1, 1],
            &[2, 0x83, 0, 0, 1, 1],
            &[2, 0x84, 0xff, 0xff, 0xff, 0xff, 1],
            &[2, 0x82, 0xff, 0xff, 1],
        ] {
            assert_eq!(integer(der), Err(KeyError::NotDer), "{der:x?}");
        }
    }

    #[test]
    fn a_bit_string_has_whole_bytes() {
        assert!(Der::new(&[3, 2, 0, 5]).bit_string().is_ok());
        assert!(Der::new(&[3, 2, 1, 5]).bit_string().is_err());
        assert!(Der::new(&[3, 0]).bit_string().is_err());
    }
}
