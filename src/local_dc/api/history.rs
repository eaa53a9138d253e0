//! What was written: histories, dialogs, single messages.

use super::fields::Fields;
use super::teller::{Teller, list};
use super::{Answered, Call};
use crate::local_dc::world::{Page, Peer, View};
use crate::tl::Object;

/// The most dialogs in one answer.
const DIALOGS_LIMIT: i32 = 100;

pub fn get_history(call: &Call<'_>, query: &Object) -> Answered {
    let peer = call.peer(query.required("peer")?)?;
    let page = Page {
        offset_id: query.small("offset_id"),
        offset_date: query.small("offset_date"),
        add_offset: query.small("add_offset"),
        limit: query.small("limit"),
        max_id: query.small("max_id"),
        min_id: query.small("min_id"),
    };
    let (views, all) = call.telegram.world.history(call.me, peer, page, |_| true);
    let mut teller = Teller::new(&call.telegram.world, call.me);
    teller.peer(peer);
    let messages: Vec<Object> = views.iter().map(|view| teller.message(view)).collect();
    let answer = if messages.len() == all {
        Object::new("messages.messages")
    } else {
        Object::new("messages.messagesSlice").with("count", all as i32)
    };
    Ok(teller.finish(answer.with("messages", list(messages)).with("topics", list([]))).into())
}

/// Single messages by id; `messageEmpty` where there is none.
pub fn get_messages(call: &Call<'_>, query: &Object) -> Answered {
    let world = &call.telegram.world;
    let mut teller = Teller::new(world, call.me);
    let messages = query.objects("id").map(|input| {
        let id = input.small("id");
        let wanted = match input.name() {
            "inputMessageID" => Some(id),
            "inputMessageReplyTo" => world.view(call.me, id).and_then(|view| view.reply_to),
            _ => None,
        };
        let told = wanted.and_then(|id| teller.message_by_id(id));
        told.unwrap_or_else(|| Object::new("messageEmpty").with("id", wanted.unwrap_or(id)))
    });
    let messages: Vec<Object> = messages.collect();
    Ok(teller.finish(Object::new("messages.messages").with("messages", list(messages)).with("topics", list([]))).into())
}

/// The chats, the one with the newest message first. There are no folders and nothing is pinned.
pub fn get_dialogs(call: &Call<'_>, query: &Object) -> Answered {
    let world = &call.telegram.world;
    let mut all: Vec<(Peer, View<'_>)> = Vec::new();
    let account = world.account(call.me).filter(|_| query.small("folder_id") == 0);
    for (peer, dialog) in account.into_iter().flat_map(|account| account.dialogs()) {
        let top = dialog.messages.last().and_then(|id| world.view(call.me, *id));
        all.extend(top.map(|top| (peer, top)));
    }
    all.sort_by_key(|(_, top)| std::cmp::Reverse((top.message.date, top.id)));
    let (date, id) = (query.small("offset_date"), query.small("offset_id"));
    let begin = if date == 0 {
        0
    } else {
        all.partition_point(|(_, top)| (top.message.date, top.id) >= (date, if id == 0 { i32::MIN } else { id }))
    };
    let limit = query.small("limit").clamp(0, DIALOGS_LIMIT) as usize;
    let page: Vec<_> = all.iter().skip(begin).take(limit).collect();

    let mut teller = Teller::new(world, call.me);
    let (mut dialogs, mut messages) = (Vec::new(), Vec::new());
    for (peer, top) in &page {
        let Some(dialog) = account.and_then(|account| account.dialog(*peer)) else { continue };
        messages.push(teller.message(top));
        let told = Object::new("dialog")
            .with("peer", teller.peer(*peer))
            .with("top_message", top.id)
            .with("read_inbox_max_id", dialog.read_inbox_max_id)
            .with("read_outbox_max_id", dialog.read_outbox_max_id)
            .with("unread_count", world.unread(call.me, *peer))
            .with("unread_mentions_count", 0)
            .with("unread_reactions_count", 0)
            .with("unread_poll_votes_count", 0)
            .with("notify_settings", notify_settings());
        dialogs.push(told);
    }
    let answer = if page.len() == all.len() {
        Object::new("messages.dialogs")
    } else {
        Object::new("messages.dialogsSlice").with("count", all.len() as i32)
    };
    Ok(teller.finish(answer.with("dialogs", list(dialogs)).with("messages", list(messages))).into())
}

/// Notifications as they are unless set otherwise.
pub fn notify_settings() -> Object {
    Object::new("peerNotifySettings")
}
