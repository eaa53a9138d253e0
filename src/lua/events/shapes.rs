//! Users, chats, entities and media as Lua tables, in the shapes of the script API.

use mlua::{Lua, Table, Value};

use super::media::media_kind;
use crate::client::Peer;
use crate::tl::{List, Object, Raw, enums, types};

/// A `user`.
pub(in crate::lua) fn user_table(lua: &Lua, user: &types::User, me: i64) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 16)?;
    table.raw_set("id", user.id)?;
    set_names(&table, user.first_name, user.last_name)?;
    set_usernames(lua, &table, user.username, user.usernames.as_ref())?;
    table.raw_set("phone_number", user.phone)?;
    table.raw_set("language_code", user.lang_code)?;
    table.raw_set("is_bot", user.bot)?;
    table.raw_set("is_self", user.is_self || user.id == me)?;
    table.raw_set("is_contact", user.contact)?;
    table.raw_set("is_premium", user.premium)?;
    table.raw_set("is_verified", user.verified)?;
    table.raw_set("is_deleted", user.deleted)?;
    if let Some(status) = user.status.and_then(|raw| raw.definition()) {
        table.raw_set("status", status_name(status.name))?;
    }
    let name = user.first_name.filter(|name| !name.is_empty()).unwrap_or("Deleted account");
    table.raw_set("mention", format!("[{}](tg://user?id={})", crate::text::markdown::escape(name), user.id))?;
    Ok(table)
}

/// A `user` of whom no more than the id is known.
pub(in crate::lua) fn unknown_user(lua: &Lua, id: i64, me: i64) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 4)?;
    table.raw_set("id", id)?;
    table.raw_set("is_self", id == me)?;
    Ok(table)
}

/// The `chat` that a private conversation is.
pub(in crate::lua) fn private_chat(lua: &Lua, id: i64, user: Option<&types::User>) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 8)?;
    table.raw_set("id", id)?;
    table.raw_set("type", if user.is_some_and(|user| user.bot) { "bot" } else { "private" })?;
    if let Some(user) = user {
        set_names(&table, user.first_name, user.last_name)?;
        set_usernames(lua, &table, user.username, user.usernames.as_ref())?;
    }
    Ok(table)
}

/// A `chat` that is a group or a channel; with its id and likely type where no more is known.
pub(in crate::lua) fn chat_table(
    lua: &Lua,
    peer: Peer,
    chat: Option<&enums::Chat>,
    is_post: bool,
) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 8)?;
    table.raw_set("id", peer.id())?;
    let kind = match (peer, chat) {
        (Peer::Chat(_), _) => "group",
        (_, Some(enums::Chat::Channel(channel))) if channel.megagroup || channel.gigagroup => "supergroup",
        (_, Some(enums::Chat::ChannelForbidden(channel))) if channel.megagroup => "supergroup",
        (_, Some(_)) => "channel",
        (_, None) if is_post => "channel",
        (_, None) => "supergroup",
    };
    table.raw_set("type", kind)?;
    let title = match chat {
        Some(enums::Chat::Chat(chat)) => Some(chat.title),
        Some(enums::Chat::Forbidden(chat)) => Some(chat.title),
        Some(enums::Chat::Channel(channel)) => {
            set_usernames(lua, &table, channel.username, channel.usernames.as_ref())?;
            table.raw_set("is_forum", channel.forum)?;
            Some(channel.title)
        }
        Some(enums::Chat::ChannelForbidden(channel)) => Some(channel.title),
        _ => None,
    };
    table.raw_set("title", title)?;
    table.raw_set("full_name", title)?;
    Ok(table)
}

fn set_names(table: &Table, first: Option<&str>, last: Option<&str>) -> mlua::Result<()> {
    table.raw_set("first_name", first)?;
    table.raw_set("last_name", last)?;
    let full = match (first, last) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (one, other) => one.or(other).map(str::to_owned),
    };
    table.raw_set("full_name", full)
}

fn set_usernames(lua: &Lua, table: &Table, first: Option<&str>, more: Option<&List<Raw>>) -> mlua::Result<()> {
    let mut all: Vec<String> = first.map(str::to_owned).into_iter().collect();
    for raw in more.into_iter().flat_map(|list| list.iter()) {
        if let Ok(object) = raw.decode()
            && object.flag("active")
            && let Some(name) = object.str("username")
        {
            all.push(name.to_owned());
        }
    }
    let Some(name) = all.first() else { return Ok(()) };
    table.raw_set("link", format!("https://t.me/{name}"))?;
    table.raw_set("username", name.as_str())?;
    table.raw_set("usernames", lua.create_sequence_from(all)?)
}

fn status_name(constructor: &str) -> &'static str {
    match constructor {
        "userStatusOnline" => "online",
        "userStatusOffline" => "offline",
        "userStatusRecently" => "recently",
        "userStatusLastWeek" => "last_week",
        "userStatusLastMonth" => "last_month",
        _ => "long_ago",
    }
}

/// `entities`: `{type, offset, length}` in UTF-16 code units, with `url`, `language`, `user_id` or `custom_emoji_id`.
pub(in crate::lua) fn entities_table(lua: &Lua, entities: &List<enums::MessageEntity>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for entity in text_entities(entities) {
        let entry = lua.create_table_with_capacity(0, 4)?;
        entry.raw_set("type", entity.kind.name())?;
        entry.raw_set("offset", entity.offset)?;
        entry.raw_set("length", entity.length)?;
        use crate::text::Kind;
        match &entity.kind {
            Kind::TextUrl(url) => entry.raw_set("url", url.as_str())?,
            Kind::TextMention(id) => entry.raw_set("user_id", *id)?,
            Kind::Pre(language) if !language.is_empty() => entry.raw_set("language", language.as_str())?,
            Kind::CustomEmoji(id) => entry.raw_set("custom_emoji_id", *id)?,
            _ => {}
        }
        table.raw_push(entry)?;
    }
    Ok(table)
}

/// The entities that Markdown and HTML can write, and the names of the others.
pub(in crate::lua) fn text_entities(entities: &List<enums::MessageEntity>) -> Vec<crate::text::Entity> {
    use crate::text::{Entity, Kind};
    use enums::MessageEntity as E;
    let make = |kind: Kind, offset: i32, length: i32| Entity {
        kind,
        offset: offset.max(0) as usize,
        length: length.max(0) as usize,
    };
    let one = |entity: E| {
        Some(match entity {
            E::Bold(e) => make(Kind::Bold, e.offset, e.length),
            E::Italic(e) => make(Kind::Italic, e.offset, e.length),
            E::Underline(e) => make(Kind::Underline, e.offset, e.length),
            E::Strike(e) => make(Kind::Strike, e.offset, e.length),
            E::Spoiler(e) => make(Kind::Spoiler, e.offset, e.length),
            E::Code(e) => make(Kind::Code, e.offset, e.length),
            E::Pre(e) => make(Kind::Pre(e.language.to_owned()), e.offset, e.length),
            E::TextUrl(e) => make(Kind::TextUrl(e.url.to_owned()), e.offset, e.length),
            E::MentionName(e) => make(Kind::TextMention(e.user_id), e.offset, e.length),
            E::Blockquote(e) => make(Kind::Blockquote { collapsed: e.collapsed }, e.offset, e.length),
            E::CustomEmoji(e) => make(Kind::CustomEmoji(e.document_id), e.offset, e.length),
            E::Mention(e) => make(Kind::Other("mention"), e.offset, e.length),
            E::Hashtag(e) => make(Kind::Other("hashtag"), e.offset, e.length),
            E::BotCommand(e) => make(Kind::Other("bot_command"), e.offset, e.length),
            E::Url(e) => make(Kind::Other("url"), e.offset, e.length),
            E::Email(e) => make(Kind::Other("email"), e.offset, e.length),
            E::Phone(e) => make(Kind::Other("phone_number"), e.offset, e.length),
            E::Cashtag(e) => make(Kind::Other("cashtag"), e.offset, e.length),
            E::BankCard(e) => make(Kind::Other("bank_card"), e.offset, e.length),
            _ => return None,
        })
    };
    entities.iter().filter_map(one).collect()
}

/// The table under a medium's own name, `photo` for a photo; the scalars that every reader wants.
pub(in crate::lua) fn media_table(lua: &Lua, raw: Raw) -> mlua::Result<Value> {
    let (Some(kind), Ok(media)) = (media_kind(raw), raw.decode()) else { return Ok(Value::Nil) };
    let table = lua.create_table()?;
    let copy = |from: &Object, pairs: &[(&str, &str)]| -> mlua::Result<()> {
        for (field, name) in pairs {
            if let Some(number) = from.int(field) {
                table.raw_set(*name, number)?;
            } else if let Some(text) = from.str(field) {
                table.raw_set(*name, text)?;
            } else if let Some(number) = from.get(field).and_then(|value| value.as_double()) {
                table.raw_set(*name, number)?;
            }
        }
        Ok(())
    };
    match kind {
        "photo" => {
            if let Some(photo) = media.object("photo") {
                copy(photo, &[("date", "date")])?;
                let sizes = photo.vector("sizes").unwrap_or_default().iter().filter_map(|size| size.as_object());
                if let Some(largest) = sizes.max_by_key(|size| size.int("w").unwrap_or(0)) {
                    copy(largest, &[("w", "width"), ("h", "height"), ("size", "file_size")])?;
                }
            }
        }
        "contact" => copy(
            &media,
            &[
                ("phone_number", "phone_number"),
                ("first_name", "first_name"),
                ("last_name", "last_name"),
                ("user_id", "user_id"),
            ],
        )?,
        "dice" => copy(&media, &[("emoticon", "emoji"), ("value", "value")])?,
        "location" | "venue" => {
            copy(&media, &[("title", "title"), ("address", "address"), ("period", "live_period")])?;
            if let Some(geo) = media.object("geo") {
                copy(geo, &[("lat", "latitude"), ("long", "longitude")])?;
            }
        }
        "poll" => {
            if let Some(poll) = media.object("poll") {
                copy(poll, &[("id", "id")])?;
                if let Some(question) = poll.object("question") {
                    copy(question, &[("text", "question")])?;
                }
            }
        }
        "game" => {
            if let Some(game) = media.object("game") {
                copy(
                    game,
                    &[("id", "id"), ("title", "title"), ("short_name", "short_name"), ("description", "description")],
                )?;
            }
        }
        "invoice" => copy(&media, &[("title", "title"), ("currency", "currency"), ("total_amount", "total_amount")])?,
        "web_page" => {
            if let Some(page) = media.object("webpage") {
                copy(
                    page,
                    &[("url", "url"), ("title", "title"), ("description", "description"), ("site_name", "site_name")],
                )?;
            }
        }
        _ => {
            if let Some(document) = media.object("document") {
                copy(document, &[("date", "date"), ("size", "file_size"), ("mime_type", "mime_type")])?;
                let attributes = document.vector("attributes").unwrap_or_default();
                for attribute in attributes.iter().filter_map(|value| value.as_object()) {
                    let pairs = [
                        ("file_name", "file_name"),
                        ("w", "width"),
                        ("h", "height"),
                        ("title", "title"),
                        ("alt", "emoji"),
                    ];
                    copy(attribute, &pairs)?;
                    let seconds =
                        attribute.get("duration").and_then(|d| d.as_int().or(d.as_double().map(|d| d as i64)));
                    if let Some(seconds) = seconds {
                        table.raw_set("duration", seconds)?;
                    }
                }
            }
        }
    }
    Ok(Value::Table(table))
}
