//! Test vectors are written as hexadecimal digits; spaces and line breaks between them do not count.

pub fn bytes(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .bytes()
        .filter(|digit| !digit.is_ascii_whitespace())
        .collect();
    assert!(digits.len() % 2 == 0, "a byte has two digits");
    digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits are ASCII");
            u8::from_str_radix(pair, 16).expect("digits are hexadecimal")
        })
        .collect()
}

pub fn array<const N: usize>(digits: &str) -> [u8; N] {
    bytes(digits)
        .try_into()
        .expect("the vector has the length that the test names")
}
