//! gzip, as `gzip_packed` carries it. <https://core.telegram.org/mtproto/service_messages#packed-object>

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::GzEncoder;

/// More than this does not come out of one packet, in however many objects.
pub(super) const MAX_INFLATED: usize = super::framing::MAX_PACKET;

/// A packed object that cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    #[error("packed objects that inflate to more than {MAX_INFLATED} bytes")]
    Bomb,
    #[error("a packed object that is not gzip")]
    NotGzip,
    #[error("a packed object within a packed object")]
    Nested,
}

/// What a gzip stream begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Unpacks, growing with what really comes out, to `room` bytes and not further. zlib's form is taken too, as Telegram takes it:
/// mtcute 0.30 packs so.
pub(super) fn inflate(packed: &[u8], room: usize) -> Result<Bytes, InflateError> {
    let mut out = Vec::with_capacity((packed.len() * 4).min(room));
    let limit = room as u64 + 1;
    let read = match packed.starts_with(&GZIP) {
        true => GzDecoder::new(packed).take(limit).read_to_end(&mut out),
        false => ZlibDecoder::new(packed).take(limit).read_to_end(&mut out),
    };
    read.map_err(|_| InflateError::NotGzip)?;
    if out.len() > room {
        return Err(InflateError::Bomb);
    }
    Ok(out.into())
}

/// Packs, if that saves at least an eighth.
pub(super) fn deflate(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::fast());
    let packed = encoder.write_all(body).and_then(|()| encoder.finish()).ok()?;
    (packed.len() < body.len() - body.len() / 8).then_some(packed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::ZlibEncoder;

    #[test]
    fn both_forms_are_unpacked_within_the_limit_and_nothing_else_is() {
        let zlib = |body: &[u8]| {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).and_then(|()| encoder.finish()).expect("a vector takes it")
        };
        let body = vec![7; 5000];
        assert_eq!(inflate(&deflate(&body).expect("it packs well"), MAX_INFLATED).as_deref(), Ok(&body[..]));
        assert_eq!(inflate(&zlib(&body), MAX_INFLATED).as_deref(), Ok(&body[..]));
        assert_eq!(inflate(&zlib(&vec![0; MAX_INFLATED + 1]), MAX_INFLATED), Err(InflateError::Bomb));
        assert_eq!(inflate(&body, MAX_INFLATED), Err(InflateError::NotGzip));
        assert_eq!(inflate(&[], MAX_INFLATED), Err(InflateError::NotGzip));
    }
}
