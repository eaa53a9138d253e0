//! The HTML of the Bot API: <https://core.telegram.org/bots/api#html-style>. What is no such tag is text.

use super::spans::{Mark, Piece, Role, assemble, write_marked};
use super::{Entity, Kind};

/// Each element's tag for pairing; those of one line mean the same but must be closed by their own name.
const ELEMENTS: [(&str, u8); 15] = [
    ("b", 0),
    ("strong", 1),
    ("i", 2),
    ("em", 3),
    ("u", 4),
    ("ins", 5),
    ("s", 6),
    ("strike", 7),
    ("del", 8),
    ("spoiler", 9),
    ("tg-spoiler", 10),
    ("span", 11),
    ("a", 12),
    ("blockquote", 13),
    ("tg-emoji", 14),
];

/// The text without its tags, and what they said.
pub fn parse(source: &str) -> (String, Vec<Entity>) {
    let mut pieces = Vec::new();
    let mut rest = source;
    // A search that failed once fails for all that comes after.
    let mut closes = Closes { code: true, pre: true };
    while let Some(at) = rest.find(['<', '&']) {
        if at > 0 {
            pieces.push(Piece::Text(&rest[..at]));
            rest = &rest[at..];
        }
        let found =
            if rest.starts_with('&') { character(rest) } else { whole(rest, &mut closes).or_else(|| tag(rest)) };
        let (length, piece) = found.unwrap_or((1, Piece::Text(&rest[..1])));
        pieces.push(piece);
        rest = &rest[length..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    assemble(pieces)
}

/// `&lt;`, `&#60;`, `&#x3c;`.
fn character(rest: &str) -> Option<(usize, Piece<'_>)> {
    let window = &rest.as_bytes()[..rest.len().min(12)];
    let end = window.iter().position(|b| *b == b';')?;
    let name = rest.get(1..end)?;
    let c = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| *c != '\0')?
        }
    };
    Some((end + 1, Piece::Char(c)))
}

/// Whether there may still be an end tag of these.
struct Closes {
    code: bool,
    pre: bool,
}

/// `<code>…</code>` and `<pre>…</pre>`, in which no tag counts but the one that names the language.
fn whole<'t>(rest: &'t str, closes: &mut Closes) -> Option<(usize, Piece<'t>)> {
    let (name, attributes, after) = opening(rest)?;
    let (close, may_close) = match name.as_str() {
        "code" => ("</code>", &mut closes.code),
        "pre" => ("</pre>", &mut closes.pre),
        _ => return None,
    };
    let end = if *may_close { find_ignoring_case(&rest[after..], close) } else { None };
    *may_close = end.is_some();
    let end = end?;
    let inner = &rest[after..after + end];
    let length = after + end + close.len();
    if name == "code" {
        let text = unescape(inner);
        return (!text.is_empty()).then_some((length, Piece::Whole { kind: Kind::Code, text }));
    }
    let mut language = attribute(attributes, "language").unwrap_or_default();
    let mut body = inner;
    if let Some((code, attributes, after)) = opening(inner)
        && code == "code"
        && let Some(code) = inner[after..].strip_suffix("</code>")
    {
        body = code;
        let class = attribute(attributes, "class").unwrap_or_default();
        language = class.strip_prefix("language-").unwrap_or_default().to_owned();
    }
    let text = unescape(body);
    (!text.is_empty()).then_some((length, Piece::Whole { kind: Kind::Pre(language), text }))
}

/// An opening or closing tag of an element that is known.
fn tag(rest: &str) -> Option<(usize, Piece<'_>)> {
    if let Some(closing) = rest.strip_prefix("</") {
        let end = closing.bytes().take(16).position(|b| b == b'>')?;
        let tag = element(&closing[..end].to_ascii_lowercase())?;
        let literal = &rest[..end + 3];
        return Some((literal.len(), Piece::Mark(Mark { literal, tag, role: Role::Close, kind: None })));
    }
    let (name, attributes, length) = opening(rest)?;
    let kind = match name.as_str() {
        "b" | "strong" => Kind::Bold,
        "i" | "em" => Kind::Italic,
        "u" | "ins" => Kind::Underline,
        "s" | "strike" | "del" => Kind::Strike,
        "spoiler" | "tg-spoiler" => Kind::Spoiler,
        "span" if attribute(attributes, "class").as_deref() == Some("tg-spoiler") => Kind::Spoiler,
        "a" => Kind::of_url(&attribute(attributes, "href").filter(|url| !url.is_empty())?),
        "blockquote" => Kind::Blockquote { collapsed: attributes.trim().starts_with("expandable") },
        "tg-emoji" => Kind::CustomEmoji(attribute(attributes, "emoji-id")?.parse().ok()?),
        _ => return None,
    };
    let mark = Mark { literal: &rest[..length], tag: element(&name)?, role: Role::Open, kind: Some(kind) };
    Some((length, Piece::Mark(mark)))
}

fn element(name: &str) -> Option<u8> {
    ELEMENTS.iter().find(|(other, _)| *other == name).map(|(_, tag)| *tag)
}

/// The name in lower case, the attributes, and the length of an opening tag.
fn opening(rest: &str) -> Option<(String, &str, usize)> {
    let inner = rest.strip_prefix('<')?;
    let name_end = inner.bytes().take(16).position(|b| !(b.is_ascii_alphanumeric() || b == b'-'))?;
    if name_end == 0 {
        return None;
    }
    // Quotes may hold a `>`. A tag longer than this is none.
    let mut quote = None;
    let mut end = None;
    for (at, b) in inner.bytes().enumerate().skip(name_end).take(4096) {
        match (quote, b) {
            (None, b'>') => {
                end = Some(at);
                break;
            }
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(q), b) if q == b => quote = None,
            _ => {}
        }
    }
    let end = end?;
    Some((inner[..name_end].to_ascii_lowercase(), &inner[name_end..end], end + 2))
}

/// The value of an attribute, unescaped.
fn attribute(attributes: &str, name: &str) -> Option<String> {
    let mut rest = attributes.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (this, after) = rest.split_at(end);
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let value = value.trim_start();
        let (text, next) = match value.chars().next() {
            Some(q @ ('"' | '\'')) => {
                let close = value[1..].find(q)? + 1;
                (&value[1..close], &value[close + 1..])
            }
            _ => value.split_at(value.find(char::is_whitespace).unwrap_or(value.len())),
        };
        if this.eq_ignore_ascii_case(name) {
            return Some(unescape(text));
        }
        rest = next.trim_start();
    }
    None
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    text.as_bytes().windows(what.len()).position(|window| window.eq_ignore_ascii_case(what.as_bytes()))
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match character(rest) {
            Some((length, Piece::Char(c))) => {
                out.push(c);
                length
            }
            _ => {
                out.push('&');
                1
            }
        };
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// The text as it must be written for [`parse`] to give it back.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    text.chars().for_each(|c| escape_char(c, &mut out));
    out
}

fn escape_char(c: char, out: &mut String) {
    match c {
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        '"' => out.push_str("&quot;"),
        c => out.push(c),
    }
}

/// Text and entities as HTML.
pub fn write(text: &str, entities: &[Entity]) -> String {
    let open = |kind: &Kind, out: &mut String| match kind {
        Kind::TextUrl(url) => out.push_str(&format!("<a href=\"{}\">", escape(url))),
        Kind::TextMention(id) => out.push_str(&format!("<a href=\"tg://user?id={id}\">")),
        Kind::CustomEmoji(id) => out.push_str(&format!("<tg-emoji emoji-id=\"{id}\">")),
        Kind::Pre(language) if language.is_empty() => out.push_str("<pre>"),
        Kind::Pre(language) => out.push_str(&format!("<pre language=\"{}\">", escape(language))),
        Kind::Blockquote { collapsed: true } => out.push_str("<blockquote expandable>"),
        kind => out.push_str(&format!("<{}>", element_of(kind))),
    };
    let close = |kind: &Kind, out: &mut String| out.push_str(&format!("</{}>", element_of(kind)));
    write_marked(text, entities, open, close, |c, _, out| escape_char(c, out))
}

fn element_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bold => "b",
        Kind::Italic => "i",
        Kind::Underline => "u",
        Kind::Strike => "s",
        Kind::Spoiler => "tg-spoiler",
        Kind::Code => "code",
        Kind::Pre(_) => "pre",
        Kind::TextUrl(_) | Kind::TextMention(_) => "a",
        Kind::CustomEmoji(_) => "tg-emoji",
        Kind::Blockquote { .. } => "blockquote",
        Kind::Other(_) => "span",
    }
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
    fn tags_become_entities() {
        check("a <b>b</b> <em>c</em>", "a b c", &[(Kind::Bold, 2, 1), (Kind::Italic, 4, 1)]);
        check("<B>x<i>y</i></B>", "xy", &[(Kind::Bold, 0, 2), (Kind::Italic, 1, 1)]);
        check(
            "<a href=\"https://e.org/?a=1&amp;b=2\">t</a>",
            "t",
            &[(Kind::TextUrl("https://e.org/?a=1&b=2".into()), 0, 1)],
        );
        check("<a href='tg://user?id=7'>t</a>", "t", &[(Kind::TextMention(7), 0, 1)]);
        check("<pre><code class=\"language-lua\">a &lt; b</code></pre>", "a < b", &[(Kind::Pre("lua".into()), 0, 5)]);
        check("<code><b></code>", "<b>", &[(Kind::Code, 0, 3)]);
        check("<span class=\"tg-spoiler\">s</span>", "s", &[(Kind::Spoiler, 0, 1)]);
        check("<blockquote expandable>q</blockquote>", "q", &[(Kind::Blockquote { collapsed: true }, 0, 1)]);
        check("<tg-emoji emoji-id=\"5\">😀</tg-emoji>", "😀", &[(Kind::CustomEmoji(5), 0, 2)]);
    }

    #[test]
    fn what_is_no_tag_is_text() {
        for source in ["a < b > c", "<b>", "</b>", "<x>y</x>", "&unknown; & &#0;", "<a>x</a>", "<", "&", "<b></b>"] {
            check(source, source, &[]);
        }
        check("&lt;b&gt; &#65;&#x42;", "<b> AB", &[]);
    }

    proptest! {
        #[test]
        fn any_text_parses_and_its_entities_lie_within(
            source in "(<b>|</b>|<i>|</i>|<pre>|</pre>|<code>|</code>|<a href=\"|\">|</a>|&lt;|[<>&;a😀\" =]){0,30}"
        ) {
            let (text, entities) = parse(&source);
            let length = utf16_len(&text);
            for entity in entities {
                prop_assert!(entity.length > 0 && entity.offset + entity.length <= length);
            }
        }

        #[test]
        fn escaped_text_stays_as_it_is(text in "[<>&;a😀\" =bpre/]{0,40}") {
            prop_assert_eq!(parse(&escape(&text)), (text, Vec::new()));
        }

        #[test]
        fn what_is_written_reads_back(text in "[a-c😀<&]{1,20}", cut in 0usize..20, kind in 0usize..7) {
            let kind = [Kind::Bold, Kind::Italic, Kind::Strike, Kind::Spoiler, Kind::Code,
                Kind::TextUrl("https://e.org/\"&".into()), Kind::Pre("lua".into())][kind].clone();
            let units: Vec<usize> = text.chars().scan(0, |at, c| { let here = *at; *at += c.len_utf16(); Some(here) }).collect();
            let offset = units[cut % units.len()];
            let entities = vec![Entity { kind, offset, length: utf16_len(&text) - offset }];
            prop_assert_eq!(parse(&write(&text, &entities)), (text, entities));
        }
    }
}
