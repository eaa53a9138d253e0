//! What is known of methods and errors beside the schema: who may call, and what is thrown.

use super::schema::{ERRORS, METHODS};

/// A method of the API.
#[derive(Debug)]
pub struct Method {
    /// The name in TL: `messages.sendMessage`.
    pub name: &'static str,
    pub callers: Callers,
    pub scripts: Scripts,
    pub(super) errors: &'static [u16],
}

/// Which accounts may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    Bot,
    User,
    Both,
}

/// Whether a script may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    Default,
    /// Only if its owner granted it.
    Grant,
    Never,
}

/// An error that Telegram answers with.
#[derive(Debug)]
pub struct ErrorInfo {
    /// With `%d` where a number stands: `FLOOD_WAIT_%d`.
    pub name: &'static str,
    pub code: i32,
    /// What it means, for people; empty for the less common ones.
    pub text: &'static str,
}

/// What is known of a method; nothing of MTProto's own.
pub fn method(name: &str) -> Option<&'static Method> {
    let index = METHODS.binary_search_by_key(&name, |method| method.name).ok()?;
    METHODS.get(index)
}

/// All methods of the API, sorted by name.
pub fn methods() -> &'static [Method] {
    &METHODS
}

/// All known errors, sorted by name.
pub fn errors() -> &'static [ErrorInfo] {
    &ERRORS
}

/// The error of that name, whether the name has its `_%d` or not: `FLOOD_WAIT` and `FLOOD_WAIT_%d` are the same.
pub fn error(name: &str) -> Option<&'static ErrorInfo> {
    let exact = ERRORS.binary_search_by_key(&name, |error| error.name).ok();
    exact.and_then(|index| ERRORS.get(index)).or_else(|| ERRORS.iter().find(|error| error.is(name)))
}

/// The name and the number in what the server says: `FLOOD_WAIT_31` is `FLOOD_WAIT` and 31, `FILE_PART_3_MISSING` is
/// `FILE_PART_MISSING` and 3.
pub fn split_error(message: &str) -> (String, Option<i64>) {
    let number = |word: &str| word.strip_suffix("MIN").unwrap_or(word).parse().ok();
    let numbered = message.split('_').enumerate().skip(1).find_map(|(at, word)| Some((at, number(word)?)));
    let Some((at, value)) = numbered else { return (message.to_owned(), None) };
    let words: Vec<&str> =
        message.split('_').enumerate().filter(|(index, _)| *index != at).map(|(_, word)| word).collect();
    (words.join("_"), Some(value))
}

impl Method {
    /// What it throws.
    pub fn errors(&self) -> impl Iterator<Item = &'static ErrorInfo> {
        self.errors.iter().filter_map(|index| ERRORS.get(usize::from(*index)))
    }
}

impl ErrorInfo {
    /// Whether it is the error that [`split_error`] gives that name.
    pub fn is(&self, name: &str) -> bool {
        let (before, after) = match self.name.split_once("_%d") {
            Some((before, after)) => (before, after.trim_start_matches("MIN")),
            None => (self.name, ""),
        };
        name.strip_prefix(before).is_some_and(|rest| rest == after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_splits_into_its_name_and_its_number() {
        let check = |message: &str, name: &str, value| assert_eq!(split_error(message), (name.to_owned(), value));
        check("FLOOD_WAIT_31", "FLOOD_WAIT", Some(31));
        check("FILE_PART_3_MISSING", "FILE_PART_MISSING", Some(3));
        check("2FA_CONFIRM_WAIT_30", "2FA_CONFIRM_WAIT", Some(30));
        check("PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT_5MIN", "PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT", Some(5));
        check("PEER_ID_INVALID", "PEER_ID_INVALID", None);
        check("PHONE_MIGRATE_2", "PHONE_MIGRATE", Some(2));
    }

    #[test]
    fn every_known_error_is_found_by_what_the_server_says() {
        for known in errors() {
            let (name, _) = split_error(&known.name.replace("%d", "7"));
            assert!(error(&name).is_some_and(|found| found.is(&name)), "{}", known.name);
        }
    }

    #[test]
    fn methods_say_who_may_call_them() {
        let check = |name: &str, callers, scripts| {
            let method = method(name).expect("it is a method");
            assert_eq!((method.callers, method.scripts), (callers, scripts), "{name}");
        };
        check("messages.sendMessage", Callers::Both, Scripts::Default);
        check("messages.getHistory", Callers::User, Scripts::Default);
        check("auth.signIn", Callers::User, Scripts::Never);
        check("invokeWithLayer", Callers::Both, Scripts::Never);
        check("account.updateProfile", Callers::User, Scripts::Grant);
        check("bots.setBotCommands", Callers::Bot, Scripts::Default);
        check("channels.deleteChannel", Callers::User, Scripts::Grant);
    }

    #[test]
    fn every_function_of_the_api_is_a_method() {
        let api = include_str!("../../tl/api.tl");
        let functions = crate::tl::parse::schema(api).expect("it parses").into_iter().filter(|line| line.function);
        for function in functions {
            assert!(method(&function.name).is_some(), "{}", function.name);
        }
    }
}
