//! Natives for text: Markdown and HTML.

use mlua::{Lua, LuaString, Table};

use super::Natives;
use crate::text::{Entity, Kind, html, markdown};

/// Longer than any message that Telegram takes: 4,096 characters, and their marks.
const MAX_TEXT: usize = 256 << 10;

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    natives.add("escape_markdown", |_, _, text: LuaString| Ok(markdown::escape(&text.to_string_lossy())))?;
    natives.add("escape_html", |_, _, text: LuaString| Ok(html::escape(&text.to_string_lossy())))?;
    // The text without its marks, and the entities as TL has them, or nil.
    natives.add("parse_text", |lua, runtime, (text, mode): (LuaString, LuaString)| {
        if text.as_bytes().len() > MAX_TEXT {
            return Err(mlua::Error::runtime(format!(
                "a text of {} bytes is longer than any message",
                text.as_bytes().len()
            )));
        }
        let text = text.to_string_lossy();
        let (text, entities) = match &*mode.as_bytes() {
            b"html" => html::parse(&text),
            b"none" => (text, Vec::new()),
            _ => markdown::parse(&text),
        };
        if entities.is_empty() {
            return Ok((text, None));
        }
        let list = lua.create_table_with_capacity(entities.len(), 0)?;
        for entity in &entities {
            let known = |id: i64| runtime.env.client.me().is_bot || runtime.env.client.peers().input_peer(id).is_some();
            list.raw_push(to_tl(lua, entity, known)?)?;
        }
        Ok((text, Some(list)))
    })
}

/// An entity in the tables that a call takes.
fn to_tl(lua: &Lua, entity: &Entity, known: impl Fn(i64) -> bool) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 4)?;
    let name = match &entity.kind {
        Kind::Bold => "messageEntityBold",
        Kind::Italic => "messageEntityItalic",
        Kind::Underline => "messageEntityUnderline",
        Kind::Strike => "messageEntityStrike",
        Kind::Spoiler => "messageEntitySpoiler",
        Kind::Code => "messageEntityCode",
        Kind::Pre(language) => {
            table.raw_set("language", language.as_str())?;
            "messageEntityPre"
        }
        Kind::TextUrl(url) => {
            table.raw_set("url", url.as_str())?;
            "messageEntityTextUrl"
        }
        Kind::TextMention(id) if known(*id) => {
            table.raw_set("user_id", *id)?;
            "inputMessageEntityMentionName"
        }
        Kind::TextMention(id) => {
            table.raw_set("url", format!("tg://user?id={id}"))?;
            "messageEntityTextUrl"
        }
        Kind::CustomEmoji(id) => {
            table.raw_set("document_id", *id)?;
            "messageEntityCustomEmoji"
        }
        Kind::Blockquote { collapsed } => {
            table.raw_set("collapsed", *collapsed)?;
            "messageEntityBlockquote"
        }
        Kind::Other(_) => "messageEntityUnknown",
    };
    table.raw_set("_", name)?;
    table.raw_set("offset", entity.offset)?;
    table.raw_set("length", entity.length)?;
    Ok(table)
}
