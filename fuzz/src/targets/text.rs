//! Markdown and HTML to text with entities, and the secrets of MTProxies.

use moongram::mtproto::mtproxy::Secret;
use moongram::text::{Entity, html, markdown, utf16_len};

use super::Target;

pub const TARGET: Target = Target { name: "text", run, seeds, memory: (1 << 14, 512) };

fn run(data: &[u8]) -> usize {
    let _ = Secret::from_bytes(data);
    let Ok(source) = std::str::from_utf8(data) else { return 0 };
    if let Ok(secret) = Secret::parse(source) {
        assert!(!format!("{secret:?}").is_empty());
    }
    let (text, entities) = markdown::parse(source);
    check(&text, &entities);
    let _ = markdown::write(&text, &entities);
    let escaped = markdown::parse(&markdown::escape(source));
    assert_eq!(escaped, (source.to_owned(), Vec::new()));

    let (text, entities) = html::parse(source);
    check(&text, &entities);
    let again = html::parse(&html::write(&text, &entities));
    assert_eq!(again.0, text);
    let escaped = html::parse(&html::escape(source));
    assert_eq!(escaped, (source.to_owned(), Vec::new()));
    0
}

/// Entities lie within their text and are in order; none is empty.
fn check(text: &str, entities: &[Entity]) {
    let length = utf16_len(text);
    for entity in entities {
        assert!(entity.length > 0 && entity.offset + entity.length <= length, "{entity:?} in {text:?}");
    }
    assert!(entities.is_sorted_by_key(|entity| entity.offset));
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    [
        (
            "markdown",
            "**bold** __italic__ --under-- ~~strike~~ ||spoiler|| `code` ```rust\nfn main() {}``` \\*plain\\*",
        ),
        (
            "markdown-links",
            "[text](https://example.org) [Ann](tg://user?id=42) ![👍](tg://emoji?id=5)\n> quote\n> more\nend",
        ),
        ("markdown-nested", "**bold __both** italic__ [a **b** c](d) ||`||`||"),
        ("html", "<b>bold</b> <i>it<u>al</u>ic</i> <s>s</s> <tg-spoiler>x</tg-spoiler> <code>c</code> &lt;&#x41;&amp;"),
        (
            "html-links",
            "<a href=\"https://example.org?a=1&amp;b=2\">text</a> <pre><code class=\"language-rust\">x</code></pre>",
        ),
        ("html-quote", "<blockquote expandable>long 🎉 quote</blockquote><tg-emoji emoji-id=\"5\">👍</tg-emoji>"),
        ("html-broken", "<b><i></b></i> <a href=x> < b > </nothing> &nothing; &#xffffffff;"),
        ("secret-hex", "ee00112233445566778899aabbccddeeff6578616d706c652e6f7267"),
        ("secret-base64", "7gARIjNEVWZ3iJmqu8zd7v9leGFtcGxlLm9yZw"),
    ]
    .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
    .to_vec()
}
