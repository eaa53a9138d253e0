//! The filters without parameters, by name.

use super::super::events::{View, media_kind};
use crate::client::Peer;

/// A test of an update, and the name that scripts have it by.
type Named = (&'static str, fn(&View) -> bool);

/// All of them; `filters.NAME`.
pub(in crate::lua) const NAMED: &[Named] = &[
    ("all", |_| true),
    ("text", |v| v.text().is_some() && !has_media(v)),
    ("caption", |v| v.text().is_some() && has_media(v)),
    ("private", |v| matches!(v.chat(), Some(Peer::User(_)))),
    ("group", |v| match v.chat() {
        Some(Peer::Chat(_)) => true,
        Some(Peer::Channel(_)) => !v.post(),
        _ => false,
    }),
    ("channel", |v| matches!(v.chat(), Some(Peer::Channel(_))) && v.post()),
    ("incoming", |v| !v.outgoing()),
    ("outgoing", |v| v.outgoing()),
    ("me", |v| v.outgoing() || v.sender_id() == Some(v.me.id)),
    ("bot", |v| v.is_from_bot()),
    ("reply", |v| v.reply_to().is_some()),
    ("forwarded", |v| v.message().is_some_and(|m| m.fwd_from.is_some())),
    ("mentioned", |v| v.mentioned()),
    ("via_bot", |v| v.message().is_some_and(|m| m.via_bot_id.is_some())),
    ("scheduled", |v| v.message().is_some_and(|m| m.from_scheduled)),
    ("from_scheduled", |v| v.message().is_some_and(|m| m.from_scheduled)),
    ("media_group", |v| v.message().is_some_and(|m| m.grouped_id.is_some())),
    ("linked_channel", |v| v.message().is_some_and(|m| m.fwd_from.is_some() && m.from_id.is_some() && m.post)),
    ("inline_keyboard", |v| markup(v) == Some("replyInlineMarkup")),
    ("reply_keyboard", |v| markup(v) == Some("replyKeyboardMarkup")),
    ("media", has_media),
    ("media_spoiler", |v| v.media().is_some_and(|raw| raw.decode().is_ok_and(|media| media.flag("spoiler")))),
    ("photo", |v| is_media(v, "photo")),
    ("video", |v| is_media(v, "video")),
    ("audio", |v| is_media(v, "audio")),
    ("voice", |v| is_media(v, "voice")),
    ("document", |v| is_media(v, "document")),
    ("sticker", |v| is_media(v, "sticker")),
    ("animation", |v| is_media(v, "animation")),
    ("video_note", |v| is_media(v, "video_note")),
    ("contact", |v| is_media(v, "contact")),
    ("location", |v| is_media(v, "location")),
    ("venue", |v| is_media(v, "venue")),
    ("poll", |v| is_media(v, "poll")),
    ("dice", |v| is_media(v, "dice")),
    ("game", |v| is_media(v, "game")),
    ("invoice", |v| is_media(v, "invoice")),
    ("web_page", |v| v.media().is_some_and(|raw| media_kind(raw) == Some("web_page"))),
    ("service", |v| v.service().is_some()),
    ("new_chat_members", |v| {
        is_action(v, &["messageActionChatAddUser", "messageActionChatJoinedByLink", "messageActionChatJoinedByRequest"])
    }),
    ("left_chat_member", |v| is_action(v, &["messageActionChatDeleteUser"])),
    ("new_chat_title", |v| is_action(v, &["messageActionChatEditTitle"])),
    ("new_chat_photo", |v| is_action(v, &["messageActionChatEditPhoto"])),
    ("delete_chat_photo", |v| is_action(v, &["messageActionChatDeletePhoto"])),
    ("group_chat_created", |v| is_action(v, &["messageActionChatCreate"])),
    ("supergroup_chat_created", |v| is_action(v, &["messageActionChannelCreate"]) && !v.post()),
    ("channel_chat_created", |v| is_action(v, &["messageActionChannelCreate"]) && v.post()),
    ("migrate_to_chat_id", |v| is_action(v, &["messageActionChatMigrateTo"])),
    ("migrate_from_chat_id", |v| is_action(v, &["messageActionChannelMigrateFrom"])),
    ("pinned_message", |v| is_action(v, &["messageActionPinMessage"])),
    ("game_high_score", |v| is_action(v, &["messageActionGameScore"])),
    ("video_chat_started", |v| is_action(v, &["messageActionGroupCall"])),
    ("video_chat_ended", |v| is_action(v, &["messageActionGroupCall"])),
    ("video_chat_members_invited", |v| is_action(v, &["messageActionInviteToGroupCall"])),
];

/// A link's preview does not make a text a medium.
fn has_media(view: &View) -> bool {
    view.media().is_some_and(|raw| raw.definition().is_none_or(|d| d.name != "messageMediaWebPage"))
}

fn is_media(view: &View, kind: &str) -> bool {
    view.media().is_some_and(|raw| media_kind(raw) == Some(kind))
}

fn is_action(view: &View, names: &[&str]) -> bool {
    view.action().is_some_and(|action| names.contains(&action))
}

fn markup(view: &View) -> Option<&'static str> {
    Some(view.message()?.reply_markup?.definition()?.name)
}
