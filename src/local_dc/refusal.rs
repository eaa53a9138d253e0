//! What a method answers with when it refuses: an error as Telegram names it.

use std::borrow::Cow;

/// An RPC error, by the code and name that Telegram uses: <https://core.telegram.org/api/errors>.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {name}")]
pub struct Refusal {
    /// 400, 401, 403, … as an HTTP status would be.
    pub code: i32,
    /// `PEER_ID_INVALID` and the like; a number that belongs to it stands at its end.
    pub name: Cow<'static, str>,
}

impl Refusal {
    /// 400, the caller's request cannot be carried out as it is.
    pub const fn bad(name: &'static str) -> Refusal {
        Refusal::new(400, name)
    }

    pub const fn new(code: i32, name: &'static str) -> Refusal {
        Refusal { code, name: Cow::Borrowed(name) }
    }

    /// 403, the caller may not do this.
    pub const fn forbidden(name: &'static str) -> Refusal {
        Refusal::new(403, name)
    }
}
