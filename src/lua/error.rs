//! Where a script went wrong, as its author reads it: file and line, the source line, a caret.

use std::fmt;
use std::path::PathBuf;

use super::files::Files;

/// Why a version did not come to life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadError {
    /// The script's name.
    pub script: String,
    /// The file as messages name it: `NAME.lua`, `NAME/init.lua`, `lib/x.lua`.
    pub file: String,
    pub line: Option<usize>,
    pub message: String,
    /// The line itself, where the file could be read.
    pub source: Option<Box<SourceLine>>,
    /// Every file that was required before it failed, with a hash of what it held.
    pub required: Vec<(PathBuf, u64)>,
}

/// The line that an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    pub text: String,
    /// Bytes before the part of it that the message is about.
    pub column: usize,
}

impl LoadError {
    /// Takes Lua's `file:line: message` apart and adds the source line.
    pub(super) fn new(script: &str, raised: &str, files: &Files) -> LoadError {
        let (place, message) = split_place(raised);
        let file = place.map_or_else(|| files.main_name().to_owned(), |(file, _)| file.to_owned());
        let line = place.map(|(_, line)| line);
        let source = line.and_then(|line| files.source_line(&file, line));
        let source = source.map(|text| Box::new(SourceLine { column: column_of(message, &text), text }));
        LoadError {
            script: script.to_owned(),
            file,
            line,
            message: message.to_owned(),
            source,
            required: files.required(),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message)?,
            None => write!(f, "{}: {}", self.file, self.message)?,
        }
        if let Some(SourceLine { text, column }) = self.source.as_deref() {
            // Tabs stay tabs, so that the caret stands under its place however wide a tab is.
            let before = text.get(..*column).unwrap_or_default();
            let pad: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            write!(f, "\n    {text}\n    {pad}^")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

/// `hello.lua:3: no such thing` → (`hello.lua`, 3) and `no such thing`.
pub(super) fn split_place(raised: &str) -> (Option<(&str, usize)>, &str) {
    let mut from = 0;
    while let Some(colon) = raised[from..].find(':').map(|at| at + from) {
        if raised[..colon].contains('\n') {
            break;
        }
        let rest = &raised[colon + 1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && rest[digits..].starts_with(": ") {
            let Ok(line) = rest[..digits].parse() else { break };
            return (Some((&raised[..colon], line)), &rest[digits + 2..]);
        }
        from = colon + 1;
    }
    (None, raised)
}

/// Where in the line the thing stands that the message quotes; else where the line's text begins.
fn column_of(message: &str, source: &str) -> usize {
    let start = source.len() - source.trim_start().len();
    let mut parts = message.split('\'');
    parts.next();
    let mut quoted: Vec<&str> = Vec::new();
    while let (Some(inner), Some(_)) = (parts.next(), parts.next()) {
        quoted.push(inner);
    }
    // "unexpected symbol near '}'": what stands after `near` is where the parser was.
    let near = message.rsplit_once("near '").and_then(|(_, rest)| rest.strip_suffix('\''));
    near.into_iter()
        .chain(quoted)
        .filter(|word| !word.is_empty())
        .find_map(|word| find_word(source, word))
        .unwrap_or(start)
}

fn find_word(source: &str, word: &str) -> Option<usize> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut fallback = None;
    for (at, _) in source.match_indices(word) {
        let before = source[..at].chars().next_back().is_some_and(is_name);
        let after = source[at + word.len()..].chars().next().is_some_and(is_name);
        if !word.starts_with(is_name) || !(before || after) {
            return Some(at);
        }
        fallback.get_or_insert(at);
    }
    fallback
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_off_a_message() {
        fn check(raised: &str, place: Option<(&str, usize)>, message: &str) {
            assert_eq!(split_place(raised), (place, message), "{raised}");
        }
        check("hello.lua:3: no such thing", Some(("hello.lua", 3)), "no such thing");
        check("C:\\a.lua:14: x", Some(("C:\\a.lua", 14)), "x");
        check("no place: at all", None, "no place: at all");
        check("a.lua:3:no", None, "a.lua:3:no");
        check("line\nb.lua:1: x", None, "line\nb.lua:1: x");
        check("", None, "");
    }

    #[test]
    fn the_caret_stands_under_what_the_message_quotes() {
        fn check(message: &str, source: &str, column: usize) {
            assert_eq!(column_of(message, source), column, "{message}");
        }
        check("unexpected symbol near '}'", "  f(})", 4);
        check("'mesage' is not defined; did you mean 'message'?", "  print(message, mesage)", 17);
        check("attempt to call a nil value (field 'foo')", "\tx.foo()", 3);
        check("nothing quoted", "   x", 3);
        check("'end' expected (to close 'if' at line 3) near <eof>", "x", 0);
    }

    #[test]
    fn an_error_shows_its_line_with_a_caret() {
        let error = LoadError {
            file: "a.lua".into(),
            line: Some(2),
            message: "unexpected symbol near '}'".into(),
            source: Some(Box::new(SourceLine { text: "\tf(})".into(), column: 3 })),
            ..LoadError::default()
        };
        assert_eq!(error.to_string(), "a.lua:2: unexpected symbol near '}'\n    \tf(})\n    \t  ^");
    }
}
