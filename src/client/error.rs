//! What a call can end with.

use std::fmt;
use std::time::Duration;

use crate::tl;

/// An error that Telegram answered a call with.
/// <https://core.telegram.org/api/errors>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// 400, 420 and so on; negative for -503.
    pub code: i32,
    /// Without its number: `FLOOD_WAIT` for `FLOOD_WAIT_31`, `FILE_PART_MISSING` for `FILE_PART_3_MISSING`.
    pub name: String,
    /// The number that stood in the name.
    pub value: Option<i64>,
    /// The TL name of the function that was called.
    pub method: String,
}

impl RpcError {
    /// Takes the server's message apart.
    pub fn new(code: i32, message: &str, method: &str) -> RpcError {
        let (name, value) = tl::split_error(message);
        RpcError { code, name, value, method: method.to_owned() }
    }

    /// True when the name is `pattern`, in which `*` stands for any end: `PHONE_CODE_*`.
    pub fn is(&self, pattern: &str) -> bool {
        match pattern.strip_suffix('*') {
            Some(start) => self.name.starts_with(start),
            None => self.name == pattern,
        }
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.name)?;
        if let Some(value) = self.value {
            write!(f, " ({value})")?;
        }
        if !self.method.is_empty() {
            write!(f, " by {}", self.method)?;
        }
        Ok(())
    }
}

impl std::error::Error for RpcError {}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Telegram said no.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The session ended between the call and its answer; whether it was done is not known.
    #[error("the connection broke: whether {method} was done is not known")]
    OutcomeUnknown { method: String },
    /// No answer came in so much time during which the DC could be spoken to. It may have been done, unless it only reads.
    #[error("{method} has had no answer for {} s{}", .waited.as_secs(), if *.received { ", though the server has it" } else { "" })]
    NoAnswer { method: String, waited: Duration, received: bool, only_reads: bool },
    /// The client was stopped, was never connected, or can no longer connect.
    #[error("the client is closed{}{reason}", if .reason.is_empty() { "" } else { ": " })]
    Closed { reason: String },
    /// The bytes given do not begin with the id of a function, or cannot be sent.
    #[error("not a call: {0}")]
    Invalid(String),
    /// The server answered with bytes that are not the documented result.
    #[error("the answer to {method} cannot be read: {reason}")]
    Malformed { method: String, reason: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_s_number_is_taken_out_of_its_name() {
        fn check(message: &str, name: &str, value: Option<i64>) {
            let error = RpcError::new(420, message, "help.getConfig");
            assert_eq!((error.name.as_str(), error.value), (name, value), "{message}");
        }
        check("FLOOD_WAIT_31", "FLOOD_WAIT", Some(31));
        check("FILE_PART_3_MISSING", "FILE_PART_MISSING", Some(3));
        check("2FA_CONFIRM_WAIT_604800", "2FA_CONFIRM_WAIT", Some(604_800));
        check("USER_MIGRATE_2", "USER_MIGRATE", Some(2));
        check("CHAT_ADMIN_REQUIRED", "CHAT_ADMIN_REQUIRED", None);
        check("Timeout", "Timeout", None);
        check("FLOOD_WAIT_99999999999999999999", "FLOOD_WAIT_99999999999999999999", None);
        check("", "", None);
    }

    #[test]
    fn a_pattern_may_end_in_a_star() {
        let error = RpcError::new(400, "PHONE_CODE_INVALID", "auth.signIn");
        assert!(error.is("PHONE_CODE_*") && error.is("PHONE_CODE_INVALID"));
        assert!(!error.is("PHONE_CODE") && !error.is("FLOOD_*"));
    }
}
