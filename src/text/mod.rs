//! Markdown and HTML to text with entities and back; offsets in UTF-16 code units, as Telegram counts them.
