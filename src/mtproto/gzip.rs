//! gzip, as `gzip_packed` carries it. <https://core.telegram.org/mtproto/service_messages#packed-object>

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
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

/// Unpacks, growing with what really comes out, to `room` bytes and not further.
pub(super) fn inflate(packed: &[u8], room: usize) -> Result<Bytes, InflateError> {
    let mut out = Vec::with_capacity((packed.len() * 4).min(room));
    GzDecoder::new(packed).take(room as u64 + 1).read_to_end(&mut out).map_err(|_| InflateError::NotGzip)?;
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
