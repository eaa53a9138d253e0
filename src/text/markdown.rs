//! The Markdown that scripts write: `**bold**`, `__italic__`, `--underline--`, `~~strike~~`, `||spoiler||`, `` `code` ``,
//! ```` ```language ````, `[text](url)`, `> quote`. A backslash makes a mark a character. A mark without a partner is text.

use super::spans::{Mark, Piece, Role, assemble, write_marked};
use super::{Entity, Kind};

/// What a backslash may stand before.
const SPECIAL: &str = "\\*_-~|`[]()!>";

/// The marks that open and close alike.
const TOGGLES: [(&str, u8, Kind); 5] = [
    ("**", 0, Kind::Bold),
    ("__", 1, Kind::Italic),
    ("--", 2, Kind::Underline),
    ("~~", 3, Kind::Strike),
    ("||", 4, Kind::Spoiler),
];
const LINK: u8 = 5;
const QUOTE: u8 = 6;

/// The text without its marks, and what they said.
pub fn parse(source: &str) -> (String, Vec<Entity>) {
    let mut pieces = Vec::new();
    let mut rest = source;
    let mut plain = 0;
    let mut line_start = true;
    let mut in_quote = false;
    // A search that failed once fails for all that comes after.
    let (mut no_code, mut no_pre, mut no_url) = (false, false, false);
    while plain < rest.len() {
        let here = &rest[plain..];
        let first = here.as_bytes()[0];
        if line_start && in_quote && first != b'>' {
            // The line break before belongs to no quote.
            flush(&mut pieces, &mut rest, &mut plain);
            pieces.push(mark("", QUOTE, Role::Close, None));
            in_quote = false;
            continue;
        }
        let was_line_start = std::mem::replace(&mut line_start, first == b'\n');
        let (length, piece) = match first {
            b'>' if was_line_start => {
                let length = if here[1..].starts_with(' ') { 2 } else { 1 };
                let piece =
                    (!in_quote).then(|| mark("", QUOTE, Role::Open, Some(Kind::Blockquote { collapsed: false })));
                in_quote = true;
                // The line goes on as if it began here, but for another quote.
                (length, Some(piece.unwrap_or(Piece::Text(""))))
            }
            b'\\' => match here[1..].chars().next() {
                Some(c) if SPECIAL.contains(c) => (2, Some(Piece::Char(c))),
                _ => (1, None),
            },
            b'`' => match code(here, &mut no_code, &mut no_pre) {
                Some((length, piece)) => (length, Some(piece)),
                None => (1, None),
            },
            b'!' if here[1..].starts_with('[') => (2, Some(mark(&here[..2], LINK, Role::Open, None))),
            b'[' => (1, Some(mark(&here[..1], LINK, Role::Open, None))),
            b']' if !no_url && here[1..].starts_with('(') => match link_end(here) {
                Some((length, kind)) => (length, Some(mark(&here[..length], LINK, Role::Close, Some(kind)))),
                None => {
                    no_url = !here.contains(')');
                    (1, None)
                }
            },
            _ => match TOGGLES.iter().find(|(literal, ..)| here.starts_with(literal)) {
                Some((_, tag, kind)) => (2, Some(mark(&here[..2], *tag, Role::Toggle, Some(kind.clone())))),
                None => (here.chars().next().map_or(1, char::len_utf8), None),
            },
        };
        match piece {
            None => plain += length,
            Some(piece) => {
                flush(&mut pieces, &mut rest, &mut plain);
                rest = &rest[length..];
                pieces.push(piece);
            }
        }
    }
    flush(&mut pieces, &mut rest, &mut plain);
    if in_quote {
        pieces.push(mark("", QUOTE, Role::Close, None));
    }
    assemble(pieces)
}

fn flush<'t>(pieces: &mut Vec<Piece<'t>>, rest: &mut &'t str, plain: &mut usize) {
    if *plain > 0 {
        pieces.push(Piece::Text(&rest[..*plain]));
        *rest = &rest[*plain..];
        *plain = 0;
    }
}

fn mark<'t>(literal: &'t str, tag: u8, role: Role, kind: Option<Kind>) -> Piece<'t> {
    Piece::Mark(Mark { literal, tag, role, kind })
}

/// Code from its first backtick to its last; how many bytes that takes.
fn code<'t>(here: &'t str, no_code: &mut bool, no_pre: &mut bool) -> Option<(usize, Piece<'t>)> {
    if let Some(inner) = here.strip_prefix("```")
        && !*no_pre
    {
        if let Some(end) = inner.find("```") {
            let inner = &inner[..end];
            let (language, body) = match inner.split_once('\n') {
                Some((first, body)) if is_language(first) => (first, body.strip_suffix('\n').unwrap_or(body)),
                _ => ("", inner),
            };
            if !body.is_empty() {
                return Some((end + 6, Piece::Whole { kind: Kind::Pre(language.to_owned()), text: body.to_owned() }));
            }
        } else {
            *no_pre = true;
        }
    }
    if *no_code {
        return None;
    }
    let mut text = String::new();
    let mut chars = here.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '`' if text.is_empty() => return None,
            '`' => return Some((at + 1, Piece::Whole { kind: Kind::Code, text })),
            '\\' if here[at + 1..].starts_with(['`', '\\']) => text.extend(chars.next().map(|(_, c)| c)),
            _ => text.push(c),
        }
    }
    *no_code = true;
    None
}

fn is_language(word: &str) -> bool {
    word.len() <= 64 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-#.".contains(&b))
}

/// `](url)`: its length, and what it links to.
fn link_end(here: &str) -> Option<(usize, Kind)> {
    let mut url = String::new();
    let mut chars = here.char_indices().skip(2);
    while let Some((at, c)) = chars.next() {
        match c {
            ')' if url.is_empty() => return None,
            ')' => return Some((at + 1, Kind::of_url(&url))),
            '\\' if here[at + 1..].starts_with([')', '\\']) => url.extend(chars.next().map(|(_, c)| c)),
            c if c.is_whitespace() => return None,
            c => url.push(c),
        }
    }
    None
}

/// The text as it must be written for [`parse`] to give it back.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    text.chars().for_each(|c| escape_char(c, &mut out));
    out
}

fn escape_char(c: char, out: &mut String) {
    if SPECIAL.contains(c) {
        out.push('\\');
    }
    out.push(c);
}

/// Text and entities as Markdown.
pub fn write(text: &str, entities: &[Entity]) -> String {
    let open = |kind: &Kind, out: &mut String| match kind {
        Kind::Code => out.push('`'),
        Kind::Pre(language) => {
            out.push_str("```");
            out.push_str(language);
            out.push('\n');
        }
        Kind::TextUrl(_) | Kind::TextMention(_) => out.push('['),
        Kind::CustomEmoji(_) => out.push_str("!["),
        Kind::Blockquote { .. } => out.push_str("> "),
        kind => out.push_str(toggle(kind)),
    };
    let close = |kind: &Kind, out: &mut String| match kind {
        Kind::Code => out.push('`'),
        Kind::Pre(_) => out.push_str("\n```"),
        Kind::TextUrl(url) => {
            out.push_str("](");
            for c in url.chars() {
                if c == ')' || c == '\\' {
                    out.push('\\');
                }
                out.push(c);
            }
            out.push(')');
        }
        Kind::TextMention(id) => out.push_str(&format!("](tg://user?id={id})")),
        Kind::CustomEmoji(id) => out.push_str(&format!("](tg://emoji?id={id})")),
        Kind::Blockquote { .. } => {}
        kind => out.push_str(toggle(kind)),
    };
    write_marked(text, entities, open, close, |c, in_code, out| match (c, in_code) {
        ('`' | '\\', true) => {
            out.push('\\');
            out.push(c);
        }
        (c, true) => out.push(c),
        (c, false) => escape_char(c, out),
    })
}

fn toggle(kind: &Kind) -> &'static str {
    TOGGLES.iter().find(|(_, _, other)| other == kind).map_or("", |(literal, ..)| literal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::utf16_len;
    use proptest::prelude::*;

    fn check(source: &str, text: &str, entities: &[(Kind, usize, usize)]) {
        let (got, found) = parse(source);
        let found: Vec<_> = found.into_iter().map(|e| (e.kind, e.offset, e.length)).collect();
        assert_eq!((got.as_str(), found.as_slice()), (text, entities), "{source:?}");
    }

    #[test]
    fn marks_become_entities() {
        check("Hello, **world**!", "Hello, world!", &[(Kind::Bold, 7, 5)]);
        check(
            "__i__ --u-- ~~s~~ ||p||",
            "i u s p",
            &[(Kind::Italic, 0, 1), (Kind::Underline, 2, 1), (Kind::Strike, 4, 1), (Kind::Spoiler, 6, 1)],
        );
        check("**a __b__**", "a b", &[(Kind::Bold, 0, 3), (Kind::Italic, 2, 1)]);
        check("`x**y**`", "x**y**", &[(Kind::Code, 0, 6)]);
        check("```lua\nprint(1)\n```", "print(1)", &[(Kind::Pre("lua".into()), 0, 8)]);
        check("```a b```", "a b", &[(Kind::Pre(String::new()), 0, 3)]);
        check("[t](https://e.org/\\))", "t", &[(Kind::TextUrl("https://e.org/)".into()), 0, 1)]);
        check("[t](tg://user?id=7)", "t", &[(Kind::TextMention(7), 0, 1)]);
        check("![x](tg://emoji?id=9)", "x", &[(Kind::CustomEmoji(9), 0, 1)]);
        check("> a\n> b\nc", "a\nb\nc", &[(Kind::Blockquote { collapsed: false }, 0, 4)]);
    }

    #[test]
    fn offsets_count_utf_16_units() {
        check("😀 **é😀**", "😀 é😀", &[(Kind::Bold, 3, 3)]);
    }

    #[test]
    fn a_mark_without_a_partner_is_text() {
        for source in
            ["**", "a ** b", "2 * 3 * 4", "`", "```", "[a", "a](b", "[a](b c)", "[](x)", "****", "a_b", "!", "\\"]
        {
            check(source, source, &[]);
        }
        check("**a __b**", "a __b", &[(Kind::Bold, 0, 5)]);
    }

    #[test]
    fn a_backslash_makes_a_mark_a_character() {
        check("\\*\\*a\\*\\*", "**a**", &[]);
        check("\\a", "\\a", &[]);
        check("\\> no quote", "> no quote", &[]);
    }

    #[test]
    fn many_open_marks_cost_little() {
        let (text, entities) = parse(&"[`**".repeat(50_000));
        assert!(!text.is_empty() && entities.len() < 50_000);
        parse(&"](".repeat(50_000));
    }

    proptest! {
        #[test]
        fn any_text_parses_and_its_entities_lie_within(source in "([*_~|`\\[\\]()>!\\\\\n -]|[a-c😀é]){0,40}") {
            let (text, entities) = parse(&source);
            let length = utf16_len(&text);
            for entity in entities {
                prop_assert!(entity.length > 0 && entity.offset + entity.length <= length);
            }
        }

        #[test]
        fn escaped_text_stays_as_it_is(text in "([*_~|`\\[\\]()>!\\\\\n -]|[a-c😀é]){0,40}") {
            prop_assert_eq!(parse(&escape(&text)), (text, Vec::new()));
        }

        #[test]
        fn what_is_written_reads_back(text in "[a-c😀*_`\\\\]{1,20}", cut in 0usize..20, kind in 0usize..7) {
            let kind = [Kind::Bold, Kind::Italic, Kind::Strike, Kind::Spoiler, Kind::Code,
                Kind::TextUrl("https://e.org/()".into()), Kind::TextMention(5)][kind].clone();
            let units: Vec<usize> = text.chars().scan(0, |at, c| { let here = *at; *at += c.len_utf16(); Some(here) }).collect();
            let offset = units[cut % units.len()];
            let entities = vec![Entity { kind, offset, length: utf16_len(&text) - offset }];
            prop_assert_eq!(parse(&write(&text, &entities)), (text, entities));
        }
    }
}
