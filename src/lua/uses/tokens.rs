//! Lua source as tokens with their lines: enough to see which names are read and called. What is no Lua is left to Lua.

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Name(String),
    /// A string, as far as it can be told without running it: escapes of a character or a byte are resolved.
    Text(String),
    /// A number, or a sign of one or more characters.
    Other(&'static str),
}

/// The tokens of a source, each with its line, from 1.
pub(super) fn tokens(source: &[u8]) -> Vec<(Token, usize)> {
    let mut reader = Reader { source, at: 0, line: 1 };
    if source.starts_with(b"#") {
        reader.skip_line();
    }
    let mut found = Vec::new();
    while let Some((token, line)) = reader.next() {
        found.push((token, line));
    }
    found
}

struct Reader<'s> {
    source: &'s [u8],
    at: usize,
    line: usize,
}

/// Signs that matter to whoever looks for names; all others are one and the same.
const SIGNS: [(&[u8], &str); 9] = [
    (b"...", "..."),
    (b"..", ".."),
    (b"::", "::"),
    (b"==", "=="),
    (b".", "."),
    (b":", ":"),
    (b"(", "("),
    (b"{", "{"),
    (b"=", "="),
];

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.source.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Option<(Token, usize)> {
        loop {
            let byte = *self.source.get(self.at)?;
            let line = self.line;
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.at += 1;
                }
                b'-' if self.peek(1) == b'-' => {
                    self.at += 2;
                    match self.long_bracket() {
                        Some(level) => drop(self.long_text(level)),
                        None => self.skip_line(),
                    }
                }
                b'[' => {
                    if let Some(level) = self.long_bracket() {
                        return Some((Token::Text(self.long_text(level)), line));
                    }
                    self.at += 1;
                    return Some((Token::Other("["), line));
                }
                b'"' | b'\'' => return Some((Token::Text(self.short_text(byte)), line)),
                b'0'..=b'9' => {
                    while self.peek(0).is_ascii_alphanumeric()
                        || self.peek(0) == b'.'
                        || matches!(self.peek(0), b'+' | b'-') && self.source[self.at - 1].eq_ignore_ascii_case(&b'e')
                    {
                        self.at += 1;
                    }
                    return Some((Token::Other("number"), line));
                }
                byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                    let from = self.at;
                    while self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'_' {
                        self.at += 1;
                    }
                    let name = String::from_utf8_lossy(&self.source[from..self.at]).into_owned();
                    return Some((Token::Name(name), line));
                }
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => {
                    let rest = &self.source[self.at..];
                    let sign = SIGNS.iter().find(|(text, _)| rest.starts_with(text));
                    self.at += sign.map_or(1, |(text, _)| text.len());
                    return Some((Token::Other(sign.map_or("sign", |(_, name)| name)), line));
                }
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.source[self.at..];
        self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    /// The level of the long bracket that opens here, if one does.
    fn long_bracket(&self) -> Option<usize> {
        if self.peek(0) != b'[' {
            return None;
        }
        let level = self.source[self.at + 1..].iter().take_while(|byte| **byte == b'=').count();
        (self.peek(1 + level) == b'[').then_some(level)
    }

    fn long_text(&mut self, level: usize) -> String {
        let close = [b"]".as_slice(), &b"=".repeat(level), b"]"].concat();
        let from = self.at + level + 2;
        let rest = self.source.get(from..).unwrap_or_default();
        let length = memchr::memmem::find(rest, &close);
        let text = &rest[..length.unwrap_or(rest.len())];
        self.line += text.iter().filter(|byte| **byte == b'\n').count();
        self.at = from + text.len() + if length.is_some() { close.len() } else { 0 };
        let text = text.strip_prefix(b"\r\n").or(text.strip_prefix(b"\n")).unwrap_or(text);
        String::from_utf8_lossy(text).into_owned()
    }

    fn short_text(&mut self, quote: u8) -> String {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            match self.source.get(self.at) {
                None | Some(b'\n') => break,
                Some(byte) if *byte == quote => {
                    self.at += 1;
                    break;
                }
                Some(b'\\') => self.escape(&mut text),
                Some(byte) => {
                    text.push(*byte);
                    self.at += 1;
                }
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn escape(&mut self, text: &mut Vec<u8>) {
        let escaped = self.peek(1);
        self.at += 2;
        match escaped {
            b'n' => text.push(b'\n'),
            b't' => text.push(b'\t'),
            b'\n' => {
                self.line += 1;
                text.push(b'\n');
            }
            b'x' => {
                let digits = self.source.get(self.at..self.at + 2).and_then(|digits| std::str::from_utf8(digits).ok());
                if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    text.push(byte);
                    self.at += 2;
                }
            }
            b'0'..=b'9' => {
                self.at -= 1;
                let digits = self.source[self.at..].iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
                let number = std::str::from_utf8(&self.source[self.at..self.at + digits]).ok();
                text.extend(number.and_then(|number| number.parse::<u8>().ok()));
                self.at += digits;
            }
            b'z' => {
                while self.peek(0).is_ascii_whitespace() {
                    self.line += usize::from(self.peek(0) == b'\n');
                    self.at += 1;
                }
            }
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[(&str, usize)]) {
        let shown: Vec<(String, usize)> = tokens(source.as_bytes())
            .into_iter()
            .map(|(token, line)| match token {
                Token::Name(name) => (name, line),
                Token::Text(text) => (format!("{text:?}"), line),
                Token::Other(sign) => (sign.to_owned(), line),
            })
            .collect();
        let expected: Vec<(String, usize)> = expected.iter().map(|(text, line)| ((*text).to_owned(), *line)).collect();
        assert_eq!(shown, expected, "{source}");
    }

    #[test]
    fn names_texts_and_lines_are_told() {
        check("tg.x\n(1.5e-3)", &[("tg", 1), (".", 1), ("x", 1), ("(", 2), ("number", 2), ("sign", 2)]);
        check("f'a\\65\\x42\\n\\'' --[[ tg.x\n ]] y", &[("f", 1), ("\"aAB\\n'\"", 1), ("y", 2)]);
        check("[==[\na]]b]==] z -- tg.y", &[("\"a]]b\"", 1), ("z", 2)]);
        check("#! tg.x\n'a\\\nb' c[1]", &[("\"a\\nb\"", 2), ("c", 3), ("[", 3), ("number", 3), ("sign", 3)]);
        check("'unfinished\nx [[unfinished", &[("\"unfinished\"", 1), ("x", 2), ("\"unfinished\"", 2)]);
    }

    #[test]
    fn no_source_is_too_odd() {
        for source in [&b"\\"[..], b"'\\", b"'\\x", b"'\\9", b"[=", b"--[==[", b"\xff\xfe", b"1e+", b"'\\z"] {
            tokens(source);
        }
    }
}
