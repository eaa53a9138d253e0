//! Markdown and HTML to text with entities and back; offsets in UTF-16 code units, as Telegram counts them.
//!
//! <https://core.telegram.org/api/entities>

pub mod html;
pub mod markdown;
mod spans;

pub use spans::{utf16_len, write_marked};

/// A part of a text that is more than text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    pub kind: Kind,
    /// UTF-16 code units before it.
    pub offset: usize,
    /// UTF-16 code units in it.
    pub length: usize,
}

/// What an entity is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Bold,
    Italic,
    Underline,
    Strike,
    Spoiler,
    Code,
    /// With its language, which may be empty.
    Pre(String),
    TextUrl(String),
    /// A user without a username, by id.
    TextMention(i64),
    CustomEmoji(i64),
    Blockquote {
        collapsed: bool,
    },
    /// What Telegram finds by itself: `mention`, `hashtag`, `url` …
    Other(&'static str),
}

impl Kind {
    /// The name in `message.entities`.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Bold => "bold",
            Kind::Italic => "italic",
            Kind::Underline => "underline",
            Kind::Strike => "strikethrough",
            Kind::Spoiler => "spoiler",
            Kind::Code => "code",
            Kind::Pre(_) => "pre",
            Kind::TextUrl(_) => "text_link",
            Kind::TextMention(_) => "text_mention",
            Kind::CustomEmoji(_) => "custom_emoji",
            Kind::Blockquote { .. } => "blockquote",
            Kind::Other(name) => name,
        }
    }

    /// A link, or what a `tg://` link stands for.
    fn of_url(url: &str) -> Kind {
        let number = |prefix: &str| url.strip_prefix(prefix).and_then(|id| id.parse::<i64>().ok());
        if let Some(id) = number("tg://user?id=") {
            return Kind::TextMention(id);
        }
        if let Some(id) = number("tg://emoji?id=") {
            return Kind::CustomEmoji(id);
        }
        Kind::TextUrl(url.to_owned())
    }
}
