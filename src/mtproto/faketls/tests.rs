use super::*;
use crate::crypto::SeededRandom;
use crate::crypto::hex::bytes as hex;

const KEY: [u8; 16] = *b"a secret of ours";
const NOON: Duration = Duration::from_secs(1_800_000_000);

fn greeting(seed: u64) -> Greeting {
    Greeting::new(&KEY, "example.org", NOON, &mut SeededRandom::new(seed))
}

/// What a proxy answers to `greeting`: written from the description, with nothing of the client's.
fn answer(greeting: &Greeting, data: usize) -> Vec<u8> {
    let mut answer = hex("160303 007a 0200 0076 0303");
    answer.extend_from_slice(&[0; 32]);
    answer.resize(5 + 0x7a, 0x20);
    answer.extend_from_slice(&hex("140303000101 170303"));
    answer.extend_from_slice(&(data as u16).to_be_bytes());
    answer.resize(answer.len() + data, 0x77);
    let digest = hmac_sha256(&KEY, &[&greeting.hello()[RANDOM], &answer]);
    answer[RANDOM].copy_from_slice(&digest);
    answer
}

#[test]
fn hmac_is_that_of_the_rfc() {
    // RFC 4231, test case 2, with its short key: zeros at the end of a key change nothing.
    let mut key = [0; 16];
    key[..4].copy_from_slice(b"Jefe");
    let digest = hmac_sha256(&key, &[b"what do ya want ", b"for nothing?"]);
    assert_eq!(digest[..], hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
}

#[test]
fn the_random_of_the_hello_proves_the_secret_and_the_time() {
    let greeting = greeting(1);
    let mut hello = greeting.hello().to_vec();
    let random: [u8; 32] = hello[RANDOM].try_into().unwrap();
    hello[RANDOM].fill(0);
    let digest = hmac_sha256(&KEY, &[&hello]);
    assert_eq!(random[..28], digest[..28]);
    let time: Vec<u8> = random[28..].iter().zip(&digest[28..]).map(|(a, b)| a ^ b).collect();
    assert_eq!(u32::from_le_bytes(time.try_into().unwrap()), 1_800_000_000);
}

/// Reads a length of `bytes` bytes and what it counts.
fn part<'a>(input: &mut &'a [u8], bytes: usize) -> &'a [u8] {
    let length = input[..bytes].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let (part, rest) = input[bytes..].split_at(length);
    *input = rest;
    part
}

fn number(input: &mut &[u8]) -> u16 {
    let number = u16::from_be_bytes([input[0], input[1]]);
    *input = &input[2..];
    number
}

#[test]
fn the_hello_is_well_formed_tls_for_the_domain() {
    for seed in 0..50 {
        let greeting = greeting(seed);
        let mut record = greeting.hello();
        assert_eq!(record[..3], [0x16, 3, 1]);
        record = &record[3..];
        let mut handshake = part(&mut record, 2);
        assert!(record.is_empty());
        assert_eq!(handshake[0], 1);
        handshake = &handshake[1..];
        let mut hello = part(&mut handshake, 3);
        assert!(handshake.is_empty());
        assert_eq!(hello[..2], [3, 3]);
        hello = &hello[34..];
        assert_eq!(part(&mut hello, 1).len(), 32);
        assert_eq!(part(&mut hello, 2).len(), 32);
        assert_eq!(part(&mut hello, 1), [0]);
        let mut extensions = part(&mut hello, 2);
        assert!(hello.is_empty());
        let mut seen = std::collections::HashSet::new();
        let mut name = Vec::new();
        while !extensions.is_empty() {
            let kind = number(&mut extensions);
            assert!(seen.insert(kind), "extension {kind:04x} twice");
            let body = part(&mut extensions, 2);
            if kind == 0 {
                name = body.to_vec();
            }
        }
        assert_eq!(seen.len(), 18);
        assert_eq!(name, [&[0, 14, 0, 0, 11][..], b"example.org"].concat());
    }
}

#[test]
fn two_hellos_have_their_extensions_in_another_order() {
    let order = |seed| {
        let hello = greeting(seed).hello().to_vec();
        let at = |needle: &[u8]| hello.windows(needle.len()).position(|window| window == needle).unwrap();
        at(b"example.org") < at(b"http/1.1")
    };
    let orders: std::collections::HashSet<bool> = (0..20).map(order).collect();
    assert_eq!(orders.len(), 2);
}

#[test]
fn a_signed_answer_is_taken_whole_however_it_arrives() {
    let greeting = greeting(3);
    let answer = answer(&greeting, 1_500);
    let mut input = BytesMut::new();
    for byte in &answer[..answer.len() - 1] {
        input.extend_from_slice(&[*byte]);
        assert_eq!(greeting.take_answer(&mut input), Ok(false));
    }
    input.extend_from_slice(&answer[answer.len() - 1..]);
    input.extend_from_slice(b"what follows");
    assert_eq!(greeting.take_answer(&mut input), Ok(true));
    assert_eq!(input, b"what follows"[..]);
}

#[test]
fn an_answer_that_is_not_signed_is_refused() {
    let greeting = greeting(4);
    let honest = answer(&greeting, 100);
    for at in [RANDOM.start, RANDOM.end - 1, 60, honest.len() - 1] {
        let mut forged = BytesMut::from(&honest[..]);
        forged[at] ^= 1;
        assert_eq!(greeting.take_answer(&mut forged), Err(FakeTlsError::WrongDigest), "byte {at}");
    }
    let replayed = answer(&self::greeting(5), 100);
    assert_eq!(greeting.take_answer(&mut BytesMut::from(&replayed[..])), Err(FakeTlsError::WrongDigest));
}

#[test]
fn what_is_no_such_answer_is_refused_as_soon_as_it_shows() {
    let greeting = greeting(6);
    let check = |answer: &[u8], result: Result<bool, FakeTlsError>| {
        assert_eq!(greeting.take_answer(&mut BytesMut::from(answer)), result, "{answer:02x?}");
    };
    check(b"HTTP/1.1 400 Bad Request\r\n", Err(FakeTlsError::NotTls(b"HTTP/1.1".to_vec())));
    check(b"H", Err(FakeTlsError::NotTls(b"H".to_vec())));
    check(&hex("15"), Ok(false));
    check(&hex("1503030002"), Ok(false));
    check(&hex("15030300020228"), Err(FakeTlsError::Alert(40)));
    check(&hex("160303ffff"), Err(FakeTlsError::TooLong(0xffff)));
    check(&hex("1603030002 0200"), Err(FakeTlsError::ShortHello(7)));
    let mut other = answer(&greeting, 50);
    other[0x7f] = 0x16;
    check(&other, Err(FakeTlsError::NotTls(other[0x7f..0x87].to_vec())));
}

#[test]
fn data_goes_out_in_records_behind_one_change_cipher_spec() {
    let mut records = Records::new();
    let mut out = Vec::new();
    records.seal(&[], &mut out);
    assert!(out.is_empty());
    records.seal(b"abc", &mut out);
    records.seal(&[7; MAX_SENT + 1], &mut out);
    let mut expected = hex("140303000101 1703030003 616263 170303 0b3e");
    expected.extend_from_slice(&[7; MAX_SENT]);
    expected.extend_from_slice(&hex("1703030001 07"));
    assert_eq!(out, expected);
}

#[test]
fn records_are_opened_however_they_arrive() {
    let wire = hex("1703030003 616263 1703030000 1703030002 6465");
    for step in 1..wire.len() {
        let mut records = Records::new();
        let (mut input, mut data) = (BytesMut::new(), BytesMut::new());
        for piece in wire.chunks(step) {
            input.extend_from_slice(piece);
            records.open(&mut input, &mut data).unwrap();
        }
        assert_eq!(data, b"abcde"[..]);
    }
}

#[test]
fn a_record_of_another_kind_or_too_long_ends_the_stream() {
    let open = |wire: &str| Records::new().open(&mut BytesMut::from(&hex(wire)[..]), &mut BytesMut::new());
    assert_eq!(open("15030300020100"), Err(FakeTlsError::Alert(0)));
    assert_eq!(open("1603030001"), Err(FakeTlsError::NotTls(hex("1603030001"))));
    assert_eq!(open("1703034101"), Err(FakeTlsError::TooLong(0x4101)));
    assert_eq!(open("1703034100"), Ok(()));
}
