//! Test vectors are written as hexadecimal digits; spaces and line breaks between them do not count.

pub fn bytes(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "a byte has two digits");
    digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits are ASCII");
            u8::from_str_radix(pair, 16).expect("digits are hexadecimal")
        })
        .collect()
}

pub fn array<const N: usize>(digits: &str) -> [u8; N] {
    bytes(digits).try_into().expect("the vector has the length that the test names")
}

/// The digits after `name = ` in a file of `tests/samples`.
pub fn sample(file: &str, name: &str) -> String {
    let path = format!("{}/tests/samples/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the sample file is there");
    let digits = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    digits.expect("the sample has this name").to_owned()
}
