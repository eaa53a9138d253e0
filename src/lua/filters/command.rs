//! `filters.command`: `/start`, `/start@the_bot`, `!roll 2d6`.

use std::collections::HashSet;

use crate::lua::events::View;

/// The prefix where none are given.
pub(in crate::lua) const DEFAULT_PREFIX: &str = "/";

/// Names that a message may begin with, after one of the prefixes.
#[derive(Clone, Debug)]
pub(in crate::lua) struct Command {
    /// In lower case unless the case counts.
    pub names: HashSet<String>,
    /// An empty one allows the bare name.
    pub prefixes: Vec<String>,
    pub case_sensitive: bool,
}

impl Command {
    pub fn new(names: impl IntoIterator<Item = String>, prefixes: Vec<String>, case_sensitive: bool) -> Command {
        let fold = |name: String| if case_sensitive { name } else { name.to_lowercase() };
        Command { names: names.into_iter().map(fold).collect(), prefixes, case_sensitive }
    }

    /// The bytes before the command's name, where the text begins with one of the commands.
    pub fn find(&self, view: &View) -> Option<u16> {
        let text = view.text()?;
        self.prefixes.iter().find_map(|prefix| {
            let (name, addressee) = name_after(text, prefix)?;
            if let Some(addressee) = addressee
                && !view.me.username.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(addressee))
            {
                return None;
            }
            let has = if self.case_sensitive {
                self.names.contains(name)
            } else {
                with_lower(name, |lower| self.names.contains(lower))
            };
            (has && prefix.len() < usize::from(u16::MAX)).then_some(prefix.len() as u16)
        })
    }
}

/// The command's name after the prefix, and whom it is addressed to with `@`.
pub(in crate::lua) fn name_after<'t>(text: &'t str, prefix: &str) -> Option<(&'t str, Option<&'t str>)> {
    let rest = text.strip_prefix(prefix)?;
    let word = &rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())];
    let (name, addressee) = match word.split_once('@') {
        Some((name, addressee)) => (name, Some(addressee)),
        None => (word, None),
    };
    (!name.is_empty()).then_some((name, addressee))
}

/// Calls `f` with the text in lower case; without an allocation where it is short and ASCII.
pub(in crate::lua) fn with_lower<R>(text: &str, f: impl FnOnce(&str) -> R) -> R {
    let mut buffer = [0; 64];
    if text.is_ascii() && text.len() <= buffer.len() {
        let lower = &mut buffer[..text.len()];
        lower.copy_from_slice(text.as_bytes());
        lower.make_ascii_lowercase();
        return f(std::str::from_utf8(lower).expect("ASCII stays ASCII"));
    }
    f(&text.to_lowercase())
}

/// The command's name and its arguments, which quotes may hold together: `/say "two words" three`.
pub(in crate::lua) fn split(text: &str, prefix: usize, case_sensitive: bool) -> Vec<String> {
    let rest = text.get(prefix..).unwrap_or_default();
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let name = rest[..end].split('@').next().unwrap_or_default();
    let mut parts = vec![if case_sensitive { name.to_owned() } else { name.to_lowercase() }];
    let mut words = rest[end..].trim_start();
    while let Some(first) = words.chars().next() {
        let quoted = match first {
            '"' | '\'' => words[1..].find(first).map(|close| (&words[1..1 + close], &words[close + 2..])),
            _ => None,
        };
        // A quote that closes in the middle of a word is a letter like any other.
        let quoted = quoted.filter(|(_, after)| after.is_empty() || after.starts_with(char::is_whitespace));
        let (word, after) = quoted.unwrap_or_else(|| {
            let end = words.find(char::is_whitespace).unwrap_or(words.len());
            (&words[..end], &words[end..])
        });
        parts.push(word.to_owned());
        words = after.trim_start();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_taken_apart() {
        fn check(text: &str, prefix: usize, expected: &[&str]) {
            assert_eq!(split(text, prefix, false), expected, "{text}");
        }
        check("/ping hello world 12345", 1, &["ping", "hello", "world", "12345"]);
        check("/Start@the_bot  x", 1, &["start", "x"]);
        check("!say \"two words\" 'and more' it's", 1, &["say", "two words", "and more", "it's"]);
        check("/q \"open", 1, &["q", "\"open"]);
        check("/q \"a\"b", 1, &["q", "\"a\"b"]);
        check("bare", 0, &["bare"]);
        check("/é", 1, &["é"]);
        check("/", 1, &[""]);
        check("", 7, &[""]);
    }

    #[test]
    fn a_name_ends_at_white_space_or_at_sign() {
        assert_eq!(name_after("/start x", "/"), Some(("start", None)));
        assert_eq!(name_after("/start@bot\nx", "/"), Some(("start", Some("bot"))));
        assert_eq!(name_after("start", "/"), None);
        assert_eq!(name_after("/ start", "/"), None);
        assert_eq!(name_after("start", ""), Some(("start", None)));
    }

    #[test]
    fn lower_case_is_found_for_any_alphabet() {
        assert!(with_lower("StArT", |lower| lower == "start"));
        assert!(with_lower("СТАРТ", |lower| lower == "старт"));
        assert!(with_lower(&"A".repeat(100), |lower| lower.len() == 100));
    }
}
