//! Natives of `prelude/crypto.lua`.

use std::fmt::Write;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, DecodeKind, Encoding, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use mlua::{Lua, LuaString};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::{Answer, Natives};
use crate::crypto::{Random, SystemRandom};

/// Random bytes at once.
const MAX_RANDOM: i64 = 1 << 20;

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    natives.add(
        "crypto_hash",
        |lua, runtime, (algorithm, data, encoding): (LuaString, LuaString, Option<LuaString>)| -> Answer<LuaString> {
            let data = data.as_bytes();
            // Slow processors take some four nanoseconds a byte.
            runtime.budget.steps().charge(500 + 4 * data.len() as u64)?;
            let digest = match &*algorithm.as_bytes() {
                b"md5" => Md5::digest(&data).to_vec(),
                b"sha1" => Sha1::digest(&data).to_vec(),
                b"sha256" => Sha256::digest(&data).to_vec(),
                b"sha512" => Sha512::digest(&data).to_vec(),
                _ => return Ok(Err(unknown_algorithm(&algorithm))),
            };
            encoded(lua, &digest, encoding.as_ref())
        },
    )?;
    type HmacOf = (LuaString, LuaString, LuaString, Option<LuaString>);
    natives.add("crypto_hmac", |lua, runtime, (algorithm, key, data, encoding): HmacOf| -> Answer<LuaString> {
        let (key, data) = (key.as_bytes(), data.as_bytes());
        runtime.budget.steps().charge(1_500 + 4 * (key.len() + data.len()) as u64)?;
        let code = match &*algorithm.as_bytes() {
            b"md5" => hmac::<Hmac<Md5>>(&key, &data),
            b"sha1" => hmac::<Hmac<Sha1>>(&key, &data),
            b"sha256" => hmac::<Hmac<Sha256>>(&key, &data),
            b"sha512" => hmac::<Hmac<Sha512>>(&key, &data),
            _ => return Ok(Err(unknown_algorithm(&algorithm))),
        };
        encoded(lua, &code, encoding.as_ref())
    })?;
    natives.add("crypto_encode", |lua, runtime, (data, encoding): (LuaString, LuaString)| -> Answer<LuaString> {
        let data = data.as_bytes();
        runtime.budget.steps().charge(100 + 2 * data.len() as u64)?;
        encoded(lua, &data, Some(&encoding))
    })?;
    natives.add("crypto_decode", |lua, runtime, (text, encoding): (LuaString, LuaString)| -> Answer<LuaString> {
        let text = text.as_bytes();
        runtime.budget.steps().charge(100 + 2 * text.len() as u64)?;
        // Base64 comes with the signs that fill it up, or without.
        let (encoding, text) = match &*encoding.as_bytes() {
            b"hex" => (&HEXLOWER_PERMISSIVE, &*text),
            b"base64" => (&BASE64_NOPAD, without_padding(&text)),
            _ => (&BASE64URL_NOPAD, without_padding(&text)),
        };
        Ok(match encoding.decode(text) {
            Ok(data) => Ok(lua.create_string(data)?),
            Err(error) => Err(match error.kind {
                DecodeKind::Length => format!("the text ends in the middle, after {} characters", text.len()),
                DecodeKind::Padding => format!("the padding is wrong at character {}", error.position + 1),
                DecodeKind::Symbol | DecodeKind::Trailing => {
                    format!("character {} does not belong there", error.position + 1)
                }
            }),
        })
    })?;
    natives.add("random_bytes", |lua, runtime, count: i64| -> Answer<LuaString> {
        if !(0..=MAX_RANDOM).contains(&count) {
            return Ok(Err(format!("crypto.random_bytes expects a count from 0 to {MAX_RANDOM}, got {count}")));
        }
        runtime.budget.steps().charge(500 + 4 * count as u64)?;
        let mut bytes = vec![0; count as usize];
        SystemRandom::new().fill(&mut bytes);
        Ok(Ok(lua.create_string(bytes)?))
    })?;
    natives.add("random_integer", |_, runtime, (low, high): (i64, i64)| -> Answer<i64> {
        if low > high {
            return Ok(Err(format!("crypto.random_integer: there is no integer from {low} to {high}")));
        }
        runtime.budget.steps().charge(500)?;
        let mut bytes = [0; 8];
        let number = random_integer(low, high, || {
            fill(&mut bytes);
            u64::from_le_bytes(bytes)
        });
        Ok(Ok(number))
    })?;
    natives.add("uuid", |_, runtime, ()| {
        runtime.budget.steps().charge(500)?;
        let mut bytes = [0; 16];
        fill(&mut bytes);
        Ok(uuid(bytes))
    })?;
    natives.add("crypto_equals", |_, runtime, (a, b): (LuaString, LuaString)| {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        runtime.budget.steps().charge(50 + 2 * a.len().min(b.len()) as u64)?;
        Ok(bool::from(a.ct_eq(&b)))
    })
}

/// Small needs, straight from the system: a pool of four kilobytes would be filled for eight bytes.
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

fn unknown_algorithm(name: &LuaString) -> String {
    format!("there is no hash {}; there are md5, sha1, sha256 and sha512", name.to_string_lossy())
}

fn hmac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key of HMAC has any length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// Bytes as the script wants them: hexadecimal where it does not say.
fn encoded(lua: &Lua, bytes: &[u8], encoding: Option<&LuaString>) -> Answer<LuaString> {
    let encoding: &Encoding = match encoding.map(|name| name.as_bytes()).as_deref() {
        None | Some(b"hex") => &HEXLOWER,
        Some(b"base64") => &BASE64,
        Some(b"base64url") => &BASE64URL_NOPAD,
        Some(b"raw") => return Ok(Ok(lua.create_string(bytes)?)),
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            return Ok(Err(format!("there is no encoding {other}; there are hex, base64, base64url and raw")));
        }
    };
    Ok(Ok(lua.create_string(encoding.encode(bytes))?))
}

/// An integer from `low` to `high`, each as likely: what would make some likelier is thrown away.
fn random_integer(low: i64, high: i64, mut random: impl FnMut() -> u64) -> i64 {
    let span = high.wrapping_sub(low) as u64;
    let Some(count) = span.checked_add(1) else { return random() as i64 };
    let surplus = (u64::MAX % count + 1) % count;
    loop {
        let number = random();
        if number <= u64::MAX - surplus {
            return low.wrapping_add((number % count) as i64);
        }
    }
}

/// Version 4, RFC 9562, section 5.4.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&i) {
            text.push('-');
        }
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn without_padding(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_integer_of_the_range_is_as_likely() {
        let mut numbers = [u64::MAX, u64::MAX - 1, 7, 0].into_iter();
        // 2^64 = 3 · 6148914691236517205 + 1: the topmost number is thrown away.
        assert_eq!(random_integer(1, 3, || numbers.next().unwrap()), 3);
        assert_eq!(numbers.len(), 2);
        assert_eq!(random_integer(1, 3, || 7), 2);
        assert_eq!(random_integer(-5, -5, || 99), -5);
        assert_eq!(random_integer(i64::MIN, i64::MAX, || 1 << 63), i64::MIN);
        let mut counts = [0; 6];
        for _ in 0..60_000 {
            let number = random_integer(1, 6, || {
                let mut bytes = [0; 8];
                fill(&mut bytes);
                u64::from_le_bytes(bytes)
            });
            counts[number as usize - 1] += 1;
        }
        // Six sigma.
        assert!(counts.iter().all(|count| (9_450..10_550).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_uuid_is_of_version_4() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
    }
}
