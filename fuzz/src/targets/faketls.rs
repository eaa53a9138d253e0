//! The stream of an MTProxy that is disguised as TLS: its answer to our greeting, and the records after it.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::BytesMut;
use moongram::crypto::{SeededRandom, sha256};
use moongram::mtproto::faketls::{FakeTlsError, Greeting, Records};

use super::Target;
use super::input::{Input, pieces};

pub const TARGET: Target = Target { name: "faketls", run, seeds, memory: (1 << 16, 16) };

const SECRET: [u8; 16] = [0x99; 16];

static GREETING: LazyLock<Greeting> = LazyLock::new(|| {
    Greeting::new(&SECRET, "example.org", Duration::from_secs(1_750_000_000), &mut SeededRandom::new(3))
});

/// What the first byte asks for; anything else is an answer as it stands.
const SIGNED_ANSWER: u8 = 1;
const RECORDS: u8 = 2;
const THERE_AND_BACK: u8 = 3;

fn run(data: &[u8]) -> usize {
    let mut input = Input(data);
    let (how, seed) = (input.u8(), input.u8());
    let stream = input.rest();
    match how & 3 {
        RECORDS => {
            let (whole, in_pieces) = (open(std::iter::once(stream)), open(pieces(stream, seed)));
            assert_eq!(whole.0, in_pieces.0);
            assert!(alike(&whole.1, &in_pieces.1), "{:?} and {:?}", whole.1, in_pieces.1);
        }
        THERE_AND_BACK => {
            let (mut records, mut sealed) = (Records::new(), Vec::new());
            pieces(stream, seed).for_each(|piece| records.seal(piece, &mut sealed));
            // Only a client sends a ChangeCipherSpec, which its own end would not take.
            let sealed = sealed.get(6..).unwrap_or_default();
            assert_eq!(open(pieces(sealed, seed ^ 0x55)), (stream.to_vec(), None));
        }
        how => {
            let mut answer = stream.to_vec();
            let signed = how == SIGNED_ANSWER && sign(&mut answer);
            let whole = take(std::iter::once(&answer[..]));
            assert!(alike(&whole.clone().err(), &take(pieces(&answer, seed)).err()));
            assert!(signed || whole != Ok(true), "nobody finds the digest by chance");
        }
    }
    0
}

/// The same error, or none. What is no TLS is told as soon as it shows, with as much of it as has come.
fn alike(one: &Option<FakeTlsError>, other: &Option<FakeTlsError>) -> bool {
    matches!((one, other), (Some(FakeTlsError::NotTls(_)), Some(FakeTlsError::NotTls(_)))) || one == other
}

/// Whether the answer was whole and signed.
fn take<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<bool, FakeTlsError> {
    let mut input = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        match GREETING.take_answer(&mut input) {
            Ok(false) => {}
            end => return end,
        }
    }
    Ok(false)
}

fn open<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Option<FakeTlsError>) {
    let (mut input, mut data) = (BytesMut::new(), BytesMut::new());
    let mut records = Records::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        if let Err(error) = records.open(&mut input, &mut data) {
            return (data.to_vec(), Some(error));
        }
    }
    (data.to_vec(), None)
}

/// Signs the answer at the front of these bytes, if there is a whole one: three records, of which the first has room.
fn sign(bytes: &mut [u8]) -> bool {
    let record = |at: usize| -> Option<usize> {
        let header = bytes.get(at..at + 5)?;
        Some(at + 5 + usize::from(u16::from_be_bytes([header[3], header[4]])))
    };
    let Some(end) = record(0).filter(|hello| *hello >= 43).and_then(record).and_then(record) else { return false };
    let Some(answer) = bytes.get_mut(..end) else { return false };
    answer[11..43].fill(0);
    let digest = hmac(&SECRET, &[&GREETING.hello()[11..43], answer].concat());
    answer[11..43].copy_from_slice(&digest);
    true
}

/// <https://www.rfc-editor.org/rfc/rfc2104>
fn hmac(key: &[u8; 16], message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| -> [u8; 64] { std::array::from_fn(|i| key.get(i).copied().unwrap_or_default() ^ with) };
    sha256(&[&pad(0x5c), &sha256(&[&pad(0x36), message])])
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let hello = [&[0x16, 3, 3, 0, 0x7a, 2, 0, 0, 0x76, 3, 3][..], &[0; 116]].concat();
    let answer = [&hello[..], &[0x14, 3, 3, 0, 1, 1, 0x17, 3, 3, 0, 64], &[0xda; 64]].concat();
    let records = [&[0x17, 3, 3, 0, 5][..], b"hello", &[0x17, 3, 3, 0, 0, 0x17, 3, 3, 0, 2], b"ok"].concat();
    let cases: [(&str, u8, &[u8]); 7] = [
        ("answer", 0, &answer),
        ("signed-answer", SIGNED_ANSWER, &answer),
        ("alert", 0, &[0x15, 3, 3, 0, 2, 2, 40]),
        ("records", RECORDS, &records),
        ("alert-among-records", RECORDS, &[&records[..], &[0x15, 3, 3, 0, 2, 1, 0]].concat()),
        ("too-long", RECORDS, &[0x17, 3, 3, 0xff, 0xff]),
        ("there-and-back", THERE_AND_BACK, &[0x42; 300]),
    ];
    cases.map(|(name, how, bytes)| (name.to_owned(), [&[how, 7], bytes].concat())).to_vec()
}
