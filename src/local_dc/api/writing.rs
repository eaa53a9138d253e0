//! messages.*: sending, editing, deleting, reading.

use super::fields::Fields;
use super::teller::{Teller, list};
use super::{Answered, Call, not_implemented, text};
use crate::local_dc::refusal::Refusal;
use crate::local_dc::world::{Blob, Draft, Effect, Peer, Quote};
use crate::tl::{Object, Value};

/// Parts of `messages.sendMessage` that are refused rather than passed over.
const NOT_SENT: [&str; 6] =
    ["schedule_date", "schedule_repeat_period", "quick_reply_shortcut", "suggested_post", "rich_message", "send_as"];

pub fn send_message(call: &mut Call<'_>, query: &Object) -> Answered {
    let peer = call.peer(query.required("peer")?)?;
    refuse_parts(query, &NOT_SENT)?;
    let random_id = query.number("random_id");
    if random_id == 0 {
        return Err(Refusal::bad("RANDOM_ID_EMPTY"));
    }
    let (text, entities) = text::written(call, query.text("message"), query.objects("entities"))?;
    let (reply_to, quote) = reply(query)?;
    let draft = Draft {
        text,
        entities,
        markup: markup(call, query)?,
        reply_to,
        quote,
        silent: query.flag("silent"),
        noforwards: query.flag("noforwards"),
    };
    let plain = draft.markup.is_none();
    let (_, effects) = call.telegram.world.send(call.me, peer, draft, Some(random_id), call.now)?;
    call.publish(&effects);
    let mut teller = Teller::new(&call.telegram.world, call.me);
    let Some(update) = own(call, &effects).and_then(|effect| teller.update(&effect.entry)) else {
        return Err(Refusal::new(500, "MESSAGE_LOST"));
    };
    let Some(message) = update.inner("message") else { return Err(Refusal::new(500, "MESSAGE_LOST")) };
    // What was sent to another user comes back in short: the sender knows the rest.
    if plain && matches!(peer, Peer::User(id) if id != call.me) {
        let entities = message.get("entities").cloned();
        return Ok(Object::new("updateShortSentMessage")
            .with("out", true)
            .with("id", message.small("id"))
            .with("pts", update.small("pts"))
            .with("pts_count", update.small("pts_count"))
            .with("date", message.small("date"))
            .with("entities", entities)
            .into());
    }
    let id = Object::new("updateMessageID").with("id", message.small("id")).with("random_id", random_id);
    Ok(teller.finish_updates(vec![id, update], call.now).into())
}

pub fn edit_message(call: &mut Call<'_>, query: &Object) -> Answered {
    let peer = call.peer(query.required("peer")?)?;
    refuse_parts(
        query,
        &["media", "schedule_date", "schedule_repeat_period", "quick_reply_shortcut_id", "rich_message"],
    )?;
    let draft = match query.text_opt("message") {
        Some(message) => {
            let (text, entities) = text::written(call, message, query.objects("entities"))?;
            Some(Draft { text, entities, ..Draft::default() })
        }
        None => None,
    };
    let markup = markup(call, query)?;
    let (_, effects) = call.telegram.world.edit(call.me, peer, query.small("id"), draft, markup, call.now)?;
    call.publish(&effects);
    let mut teller = Teller::new(&call.telegram.world, call.me);
    let updates = own(call, &effects).and_then(|effect| teller.update(&effect.entry)).into_iter().collect();
    Ok(teller.finish_updates(updates, call.now).into())
}

pub fn delete_messages(call: &mut Call<'_>, query: &Object) -> Answered {
    let ids: Vec<i32> = query.numbers("id").filter_map(|id| i32::try_from(id).ok()).collect();
    let effects = call.telegram.world.delete(call.me, &ids, query.flag("revoke"))?;
    call.publish(&effects);
    Ok(affected(call, &effects))
}

pub fn read_history(call: &mut Call<'_>, query: &Object) -> Answered {
    let peer = call.peer(query.required("peer")?)?;
    let effects = call.telegram.world.read(call.me, peer, query.small("max_id"));
    call.publish(&effects);
    Ok(affected(call, &effects))
}

pub fn set_typing(call: &mut Call<'_>, query: &Object) -> Answered {
    let peer = call.peer(query.required("peer")?)?;
    let action = query.required("action")?;
    call.telegram.world.place(call.me, peer)?;
    let me = call.me;
    let (others, session, now): (Vec<i64>, _, _) = match peer {
        Peer::User(id) => (vec![id], call.session, call.now),
        Peer::Group(id) => (call.telegram.world.member_of(me, id)?.members().collect(), call.session, call.now),
    };
    for other in others.into_iter().filter(|other| *other != me) {
        let update = |teller: &mut Teller<'_>| match peer {
            Peer::User(_) => {
                teller.mention(me);
                Object::new("updateUserTyping").with("user_id", me).with("action", action.clone())
            }
            Peer::Group(id) => {
                teller.peer(peer);
                let from = teller.peer(Peer::User(me));
                Object::new("updateChatUserTyping")
                    .with("chat_id", id)
                    .with("from_id", from)
                    .with("action", action.clone())
            }
        };
        // Bots are not told who types.
        if !call.telegram.world.is_bot(other) {
            call.telegram.signal(other, Some(session), update, now);
        }
    }
    Ok(Value::Bool(true))
}

/// What a change did to the caller's own box.
fn own<'a>(call: &Call<'_>, effects: &'a [Effect]) -> Option<&'a Effect> {
    effects.iter().find(|effect| effect.account == call.me)
}

fn affected(call: &Call<'_>, effects: &[Effect]) -> Value {
    let pts = call.telegram.world.account(call.me).map_or(1, |account| account.pts());
    let count = own(call, effects).map_or(0, |effect| effect.entry.count);
    Object::new("messages.affectedMessages").with("pts", pts).with("pts_count", count).into()
}

fn refuse_parts(query: &Object, parts: &[&str]) -> Result<(), Refusal> {
    match parts.iter().find(|part| query.get(part).is_some()) {
        Some(part) => Err(not_implemented(&format!("{}.{part}", query.name()))),
        None => Ok(()),
    }
}

fn reply(query: &Object) -> Result<(Option<i32>, Option<Quote>), Refusal> {
    let Some(reply) = query.inner("reply_to") else { return Ok((None, None)) };
    if reply.name() != "inputReplyToMessage" {
        return Err(Refusal::bad("REPLY_TO_INVALID"));
    }
    let id = reply.small_opt("reply_to_msg_id").filter(|id| *id != 0);
    let quote = reply.text_opt("quote_text").map(|text| Quote {
        text: text.to_owned(),
        entities: reply.blob("quote_entities"),
        offset: reply.small_opt("quote_offset"),
    });
    Ok((id, quote))
}

/// The keyboard of a bot's message; people's messages have none.
fn markup(call: &Call<'_>, query: &Object) -> Result<Option<Blob>, Refusal> {
    let Some(markup) = query.inner("reply_markup").filter(|_| call.telegram.world.is_bot(call.me)) else {
        return Ok(None);
    };
    let mut rows = Vec::new();
    for row in markup.objects("rows") {
        let mut buttons = Vec::new();
        for button in row.objects("buttons") {
            buttons.push(told(call, button)?);
        }
        if !buttons.is_empty() {
            rows.push(row.clone().with("buttons", list(buttons)));
        }
    }
    if markup.get("rows").is_none() {
        return Ok(super::fields::encode(markup).map(Blob));
    }
    // An inline keyboard without a button is how one is taken away.
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(super::fields::encode(&markup.clone().with("rows", list(rows))).map(Blob))
}

/// A button as those who see it are told of it.
fn told(call: &Call<'_>, button: &Object) -> Result<Object, Refusal> {
    if button.text("text").is_empty() {
        return Err(Refusal::bad("BUTTON_TEXT_INVALID"));
    }
    let kind = button.required("type")?;
    let kind = match kind.name() {
        "inlineButtonTypeCallback" if !(1..=64).contains(&kind.raw("data").map_or(0, <[u8]>::len)) => {
            return Err(Refusal::bad("BUTTON_DATA_INVALID"));
        }
        "inlineButtonTypeUrl" if kind.text("url").is_empty() => return Err(Refusal::bad("BUTTON_URL_INVALID")),
        "inputInlineButtonTypeUserProfile" => {
            let user = call.user(kind.required("user_id")?).map_err(|_| Refusal::bad("BUTTON_USER_INVALID"))?;
            Object::new("inlineButtonTypeUserProfile").with("user_id", user)
        }
        "inputInlineButtonTypeUrlAuth" => Object::new("inlineButtonTypeUrl").with("url", kind.text("url")),
        "inputButtonTypeRequestPeer" => {
            let fields = ["button_id", "peer_type", "max_quantity"];
            let peer = Object::new("buttonTypeRequestPeer");
            fields.into_iter().fold(peer, |peer, field| peer.with(field, kind.get(field).cloned()))
        }
        _ => return Ok(button.clone()),
    };
    Ok(button.clone().with("type", kind))
}
