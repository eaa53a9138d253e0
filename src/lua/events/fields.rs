//! The fields of a message, each decoded when it is read.

use mlua::{IntoLua, Lua, Value};

use super::bundle::Bundle;
use super::media::media_kind;
use super::shapes;
use super::view::peer_of;
use crate::client::{Client, Me, Peer};
use crate::lua::convert::object_to_lua;
use crate::lua::filters::{self, How};
use crate::text;
use crate::tl::{Raw, Reader, Tl, enums, types};

/// Every field that a message may have, in the order that `pairs` shows them. The media are found under their own names.
pub(in crate::lua) const MESSAGE_FIELDS: &[&str] = &[
    "id",
    "chat",
    "from_user",
    "sender_chat",
    "date",
    "edit_date",
    "text",
    "caption",
    "entities",
    "media",
    "media_group_id",
    "photo",
    "video",
    "audio",
    "voice",
    "document",
    "sticker",
    "animation",
    "video_note",
    "contact",
    "location",
    "venue",
    "poll",
    "dice",
    "game",
    "invoice",
    "web_page",
    "reply_to_message_id",
    "topic_id",
    "forward_origin",
    "via_bot",
    "reply_markup",
    "service",
    "new_chat_members",
    "left_chat_member",
    "views",
    "outgoing",
    "mentioned",
    "scheduled",
    "command",
    "matches",
    "link",
    "text_markdown",
    "text_html",
    "raw",
];

/// What fields need beside the bundle.
pub(in crate::lua) struct FieldContext<'a> {
    pub me: &'a Me,
    pub client: &'a Client,
    pub how: How,
    /// The script's expressions, by the index in [`How::pattern`].
    pub pattern: Option<regex::Regex>,
}

/// One field of the message in a bundle; nil for what it does not have.
pub(in crate::lua) fn message_field(
    lua: &Lua,
    bundle: Bundle,
    key: &str,
    context: &FieldContext,
) -> mlua::Result<Value> {
    let parsed = enums::Message::get(&mut Reader::new(bundle.message));
    match parsed {
        Ok(enums::Message::Message(message)) => text_message(lua, &bundle, &message, key, context),
        Ok(enums::Message::Service(service)) => service_message(lua, &bundle, &service, key, context),
        Ok(enums::Message::Empty(empty)) if key == "id" => empty.id.into_lua(lua),
        _ => Ok(Value::Nil),
    }
}

fn text_message(
    lua: &Lua,
    bundle: &Bundle,
    message: &types::Message,
    key: &str,
    context: &FieldContext,
) -> mlua::Result<Value> {
    let has_media = message.media.is_some_and(|raw| media_kind(raw).is_some_and(|kind| kind != "web_page"));
    let written = !message.message.is_empty();
    match key {
        "text" if written && !has_media => message.message.into_lua(lua),
        "caption" if written && has_media => message.message.into_lua(lua),
        "entities" => match &message.entities {
            Some(entities) => shapes::entities_table(lua, entities)?.into_lua(lua),
            None => Ok(Value::Nil),
        },
        "text_markdown" | "text_html" if written => {
            let entities = message.entities.as_ref().map(shapes::text_entities).unwrap_or_default();
            let render = if key == "text_html" { text::html::write } else { text::markdown::write };
            render(message.message, &entities).into_lua(lua)
        }
        "edit_date" => message.edit_date.into_lua(lua),
        "media" => message.media.and_then(media_kind).into_lua(lua),
        "media_group_id" => message.grouped_id.into_lua(lua),
        "views" => message.views.into_lua(lua),
        "scheduled" => (message.from_scheduled || message.date == 0).into_lua(lua),
        "forward_origin" => raw_value(lua, message.fwd_from),
        "reply_markup" => raw_value(lua, message.reply_markup),
        "via_bot" => match message.via_bot_id {
            Some(id) => user_of(lua, bundle, id, context),
            None => Ok(Value::Nil),
        },
        "command" if context.how.prefix > 0 => {
            let parts = filters::split_command(
                message.message,
                usize::from(context.how.prefix - 1),
                context.how.case_sensitive,
            );
            lua.create_sequence_from(parts)?.into_lua(lua)
        }
        "matches" => match &context.pattern {
            Some(pattern) => matches(lua, pattern, message.message),
            None => Ok(Value::Nil),
        },
        "photo" | "video" | "audio" | "voice" | "document" | "sticker" | "animation" | "video_note" | "contact"
        | "location" | "venue" | "poll" | "dice" | "game" | "invoice" | "web_page" => match message.media {
            Some(raw) if media_kind(raw) == Some(key) => shapes::media_table(lua, raw),
            _ => Ok(Value::Nil),
        },
        _ => common(lua, bundle, &Common::of(message), key, context),
    }
}

fn service_message(
    lua: &Lua,
    bundle: &Bundle,
    service: &types::MessageService,
    key: &str,
    context: &FieldContext,
) -> mlua::Result<Value> {
    let action = service.action;
    match key {
        "service" => action.definition().map(|d| service_name(d.name)).into_lua(lua),
        "new_chat_members" => {
            let ids = match action.definition().map(|d| d.name) {
                Some("messageActionChatAddUser") => match action.decode() {
                    Ok(object) => {
                        object.vector("users").unwrap_or_default().iter().filter_map(|id| id.as_int()).collect()
                    }
                    Err(_) => Vec::new(),
                },
                Some("messageActionChatJoinedByLink" | "messageActionChatJoinedByRequest") => {
                    service.from_id.iter().map(|from| peer_of(from).id()).collect()
                }
                _ => return Ok(Value::Nil),
            };
            let users = lua.create_table()?;
            for id in ids {
                users.raw_push(user_of(lua, bundle, id, context)?)?;
            }
            users.into_lua(lua)
        }
        "left_chat_member" => match action.decode() {
            Ok(object) if object.is("messageActionChatDeleteUser") => match object.int("user_id") {
                Some(id) => user_of(lua, bundle, id, context),
                None => Ok(Value::Nil),
            },
            _ => Ok(Value::Nil),
        },
        _ => common(lua, bundle, &Common::of_service(service), key, context),
    }
}

/// `messageActionChatAddUser` → `chat_add_user`.
fn service_name(constructor: &str) -> String {
    let mut name = String::new();
    for c in constructor.strip_prefix("messageAction").unwrap_or(constructor).chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// What texts and service messages have in common.
struct Common<'m, 'a> {
    id: i32,
    date: i32,
    out: bool,
    post: bool,
    mentioned: bool,
    from: Option<&'m enums::Peer>,
    peer: &'m enums::Peer,
    reply_to: Option<&'m enums::MessageReplyHeader<'a>>,
}

impl<'m, 'a> Common<'m, 'a> {
    fn of(m: &'m types::Message<'a>) -> Common<'m, 'a> {
        Common {
            id: m.id,
            date: m.date,
            out: m.out,
            post: m.post,
            mentioned: m.mentioned,
            from: m.from_id.as_ref(),
            peer: &m.peer_id,
            reply_to: m.reply_to.as_ref(),
        }
    }

    fn of_service(m: &'m types::MessageService<'a>) -> Common<'m, 'a> {
        Common {
            id: m.id,
            date: m.date,
            out: m.out,
            post: m.post,
            mentioned: m.mentioned,
            from: m.from_id.as_ref(),
            peer: &m.peer_id,
            reply_to: m.reply_to.as_ref(),
        }
    }

    /// Who sent it: in a private chat `from_id` may be left out.
    fn sender(&self, me: i64) -> Option<Peer> {
        match (self.from, self.peer) {
            (Some(from), _) => Some(peer_of(from)),
            (None, enums::Peer::User(_)) if self.out => Some(Peer::User(me)),
            (None, enums::Peer::User(user)) => Some(Peer::User(user.user_id)),
            (None, _) => None,
        }
    }
}

fn common(lua: &Lua, bundle: &Bundle, m: &Common, key: &str, context: &FieldContext) -> mlua::Result<Value> {
    let chat = peer_of(m.peer);
    match key {
        "id" => m.id.into_lua(lua),
        "date" => m.date.into_lua(lua),
        "outgoing" => m.out.into_lua(lua),
        "mentioned" => m.mentioned.into_lua(lua),
        "chat" => chat_value(lua, bundle, chat, m.post, context),
        "from_user" => match m.sender(context.me.id) {
            Some(Peer::User(id)) => user_of(lua, bundle, id, context),
            _ => Ok(Value::Nil),
        },
        "sender_chat" => match m.sender(context.me.id) {
            Some(peer @ (Peer::Chat(_) | Peer::Channel(_))) => chat_value(lua, bundle, peer, false, context),
            None if m.post => chat_value(lua, bundle, chat, true, context),
            _ => Ok(Value::Nil),
        },
        "reply_to_message_id" => match m.reply_to {
            Some(enums::MessageReplyHeader::MessageReplyHeader(header)) => header.reply_to_msg_id.into_lua(lua),
            _ => Ok(Value::Nil),
        },
        "topic_id" => match m.reply_to {
            Some(enums::MessageReplyHeader::MessageReplyHeader(header)) if header.forum_topic => {
                header.reply_to_top_id.or(header.reply_to_msg_id).into_lua(lua)
            }
            _ => Ok(Value::Nil),
        },
        "link" => link(bundle, chat, m.id).into_lua(lua),
        "raw" => raw_value(lua, Raw::new(bundle.message).ok()),
        _ => Ok(Value::Nil),
    }
}

fn link(bundle: &Bundle, chat: Peer, id: i32) -> Option<String> {
    let Peer::Channel(bare) = chat else { return None };
    match bundle.chat(chat) {
        Some(enums::Chat::Channel(types::Channel { username: Some(name), .. })) => {
            Some(format!("https://t.me/{name}/{id}"))
        }
        _ => Some(format!("https://t.me/c/{bare}/{id}")),
    }
}

/// A user by id: from the bundle, else from what the client remembers.
pub(in crate::lua) fn user_of(lua: &Lua, bundle: &Bundle, id: i64, context: &FieldContext) -> mlua::Result<Value> {
    let me = context.me.id;
    let table = with_user(bundle, id, context, |user| match user {
        Some(user) => shapes::user_table(lua, user, me),
        None => shapes::unknown_user(lua, id, me),
    })?;
    table.into_lua(lua)
}

fn with_user<R>(bundle: &Bundle, id: i64, context: &FieldContext, f: impl FnOnce(Option<&types::User>) -> R) -> R {
    if let Some(user) = bundle.user(id) {
        return f(Some(&user));
    }
    // The update may leave people out, the account itself first of all.
    let known = if id == context.me.id { Some(context.me.raw.clone()) } else { context.client.peers().user(id) };
    match known.as_ref().map(|raw| enums::User::get(&mut Reader::new(raw))) {
        Some(Ok(enums::User::User(user))) => f(Some(&user)),
        _ => f(None),
    }
}

/// A chat by its Bot-API id.
pub(in crate::lua) fn chat_of(lua: &Lua, bundle: &Bundle, id: i64, context: &FieldContext) -> mlua::Result<Value> {
    match Peer::from_id(id) {
        Some(peer) => chat_value(lua, bundle, peer, false, context),
        None => Ok(Value::Nil),
    }
}

fn chat_value(lua: &Lua, bundle: &Bundle, peer: Peer, is_post: bool, context: &FieldContext) -> mlua::Result<Value> {
    let table = match peer {
        Peer::User(id) => with_user(bundle, id, context, |user| shapes::private_chat(lua, id, user))?,
        peer => match bundle.chat(peer) {
            Some(chat) => shapes::chat_table(lua, peer, Some(&chat), is_post)?,
            None => {
                let known = context.client.peers().chat(peer);
                let known = known.as_ref().and_then(|raw| enums::Chat::get(&mut Reader::new(raw)).ok());
                shapes::chat_table(lua, peer, known.as_ref(), is_post)?
            }
        },
    };
    table.into_lua(lua)
}

/// `matches[0]` is the whole match, `matches[1]` the first capture, and named ones stand under their names.
pub(in crate::lua) fn matches(lua: &Lua, pattern: &regex::Regex, text: &str) -> mlua::Result<Value> {
    let Some(captures) = pattern.captures(text) else { return Ok(Value::Nil) };
    let table = lua.create_table_with_capacity(captures.len(), 1)?;
    for (i, group) in captures.iter().enumerate() {
        table.raw_set(i, group.map(|group| group.as_str()))?;
    }
    for name in pattern.capture_names().flatten() {
        table.raw_set(name, captures.name(name).map(|group| group.as_str()))?;
    }
    table.into_lua(lua)
}

fn raw_value(lua: &Lua, raw: Option<Raw>) -> mlua::Result<Value> {
    match raw.map(|raw| raw.decode()) {
        Some(Ok(object)) => object_to_lua(lua, &object),
        _ => Ok(Value::Nil),
    }
}
