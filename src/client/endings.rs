//! The ways in which an account's session ends by itself, each with what to do about it.
//!
//! <https://core.telegram.org/api/errors#401-unauthorized>, <https://core.telegram.org/api/errors#406-not-acceptable>

use super::RpcError;
use crate::net::Fatal;

const ANEW: &str = "move the session file away and sign in anew";

/// Why nobody is signed in any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// As Telegram names it, where it does.
    pub reason: String,
    pub advice: &'static str,
}

impl Ending {
    /// None for an error after which the account goes on.
    pub fn of_error(error: &RpcError) -> Option<Ending> {
        let advice = match (error.code, error.name.as_str()) {
            (406, "AUTH_KEY_DUPLICATED") => {
                "two programs used it at once and Telegram closed it; move the session file away and sign in anew, \
                 once for each program"
            }
            (401, "USER_DEACTIVATED") => "the account was deleted",
            (401, "USER_DEACTIVATED_BAN") => "Telegram deleted the account; https://telegram.org/faq_spam says more",
            (401, "SESSION_REVOKED") => "it was ended from another device; move the session file away and sign in anew",
            (401, "AUTH_KEY_UNREGISTERED" | "AUTH_KEY_INVALID" | "SESSION_EXPIRED") => ANEW,
            _ => return None,
        };
        Some(Ending { reason: error.name.clone(), advice })
    }

    /// None where it is not the account that has ended.
    pub fn of_fatal(fatal: &Fatal) -> Option<Ending> {
        match fatal {
            Fatal::KeyUnknown => Some(Ending { reason: "the server does not know its auth key".into(), advice: ANEW }),
            Fatal::Rejected(error) => Ending::of_error(&RpcError::new(error.code, &error.message, "initConnection")),
            Fatal::WrongDc(_) | Fatal::UnknownServer(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errors_that_end_an_account_are_told_from_those_of_a_call() {
        let ending = |code, message: &str| Ending::of_error(&RpcError::new(code, message, "users.getUsers"));
        for (code, name) in [
            (401, "AUTH_KEY_UNREGISTERED"),
            (401, "AUTH_KEY_INVALID"),
            (401, "SESSION_REVOKED"),
            (401, "SESSION_EXPIRED"),
            (401, "USER_DEACTIVATED"),
            (401, "USER_DEACTIVATED_BAN"),
            (406, "AUTH_KEY_DUPLICATED"),
        ] {
            assert_eq!(ending(code, name).map(|ending| ending.reason).as_deref(), Some(name));
        }
        for (code, name) in [
            (401, "SESSION_PASSWORD_NEEDED"),
            (401, "AUTH_KEY_PERM_EMPTY"),
            (400, "USER_DEACTIVATED"),
            (420, "FLOOD_WAIT_3"),
        ] {
            assert_eq!(ending(code, name), None, "{name}");
        }
    }
}
