//! What a server says about keys, and what is done about it. <https://core.telegram.org/api/pfs>,
//! <https://core.telegram.org/method/auth.bindTempAuthKey#possible-errors>

use std::time::Duration;

use crate::mtproto::RpcError;

/// A permanent key that is younger may not have reached every server of the DC yet.
const PROPAGATION: i64 = 60;

/// Nobody is told to wait for longer, whatever number a server writes.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// What to do about a step that failed on the way to a session that takes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The same again, after this time at least.
    Again(Duration),
    /// Another temporary key.
    NewTemporaryKey,
    /// Nothing helps: the permanent key is worth nothing.
    PermanentKeyLost,
    /// Nothing helps.
    Hopeless,
}

/// About a binding that was refused. `age` is the permanent key's, in seconds.
pub(super) fn binding_refused(error: &RpcError, age: i64) -> Remedy {
    match error.message.as_str() {
        // "If and only if the permanent auth key used in the request was created more than 60 seconds ago: drop both the
        // temporary and permanent auth keys. […] Unconditionally, retry binding the temporary and permanent keys."
        "ENCRYPTED_MESSAGE_INVALID" if age > PROPAGATION => Remedy::PermanentKeyLost,
        "ENCRYPTED_MESSAGE_INVALID" => Remedy::Again(Duration::ZERO),
        // TEMP_AUTH_KEY_EMPTY, TEMP_AUTH_KEY_ALREADY_BOUND, EXPIRES_AT_INVALID, and whatever else is wrong with this key and
        // not with the next.
        _ => wait_of(error).map_or(Remedy::NewTemporaryKey, Remedy::Again),
    }
}

/// About an opening call that was refused.
pub(super) fn opening_refused(error: &RpcError) -> Remedy {
    wait_of(error).map_or(Remedy::Hopeless, Remedy::Again)
}

/// "The method is unavailable for temporary authorization keys, not bound to a permanent authorization key": the call was not
/// done.
pub(super) fn is_unbound(error: &RpcError) -> bool {
    error.message == "AUTH_KEY_PERM_EMPTY"
}

/// "The specified authorization key is not registered in the system (for example, a PFS temporary key has expired)": the call
/// was not done.
pub(super) fn is_unregistered(error: &RpcError) -> bool {
    error.message == "AUTH_KEY_UNREGISTERED"
}

/// How long to wait before the same again, where that may help.
/// <https://core.telegram.org/api/errors#420-flood>, <https://core.telegram.org/api/errors#500-internal>
fn wait_of(error: &RpcError) -> Option<Duration> {
    match error.code {
        420 => {
            let seconds = error.message.rsplit('_').next().and_then(|seconds| seconds.parse().ok());
            Some(Duration::from_secs(seconds.unwrap_or(1)).min(LONGEST_WAIT))
        }
        500.. | ..=-1 => Some(Duration::ZERO),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_binding_has_the_documented_way_on() {
        fn check(code: i32, message: &str, age: i64, expected: Remedy) {
            assert_eq!(
                binding_refused(&RpcError { code, message: message.into() }, age),
                expected,
                "{message}, {age} s"
            );
        }
        check(400, "ENCRYPTED_MESSAGE_INVALID", 0, Remedy::Again(Duration::ZERO));
        check(400, "ENCRYPTED_MESSAGE_INVALID", 60, Remedy::Again(Duration::ZERO));
        check(400, "ENCRYPTED_MESSAGE_INVALID", 61, Remedy::PermanentKeyLost);
        check(400, "TEMP_AUTH_KEY_EMPTY", 100, Remedy::NewTemporaryKey);
        check(400, "TEMP_AUTH_KEY_ALREADY_BOUND", 100, Remedy::NewTemporaryKey);
        check(400, "EXPIRES_AT_INVALID", 100, Remedy::NewTemporaryKey);
        check(401, "AUTH_KEY_PERM_EMPTY", 100, Remedy::NewTemporaryKey);
        check(420, "FLOOD_WAIT_7", 100, Remedy::Again(Duration::from_secs(7)));
        check(500, "INTERNAL", 100, Remedy::Again(Duration::ZERO));
        check(-503, "Timeout", 100, Remedy::Again(Duration::ZERO));
    }

    #[test]
    fn a_refused_opening_is_hopeless_unless_the_server_is_at_fault_or_asks_for_patience() {
        let remedy = |code, message: &str| opening_refused(&RpcError { code, message: message.into() });
        assert_eq!(remedy(400, "CONNECTION_API_ID_INVALID"), Remedy::Hopeless);
        assert_eq!(remedy(406, "AUTH_KEY_DUPLICATED"), Remedy::Hopeless);
        assert_eq!(remedy(420, "FLOOD_WAIT_3"), Remedy::Again(Duration::from_secs(3)));
        assert_eq!(remedy(500, "AUTH_RESTART"), Remedy::Again(Duration::ZERO));
    }
}
