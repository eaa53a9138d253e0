//! The messages that a call made or changed, out of the `Updates` that it returned.

use super::bundle::{Bundle, message_of};
use crate::client::{Client, Me, Peer};
use crate::tl::{self, List, Object, Raw, Reader, Tl, Value, enums, types};

/// A bundle for each message in the result of `call`.
pub(in crate::lua) fn sent_messages(
    call: &Object,
    result: &[u8],
    me: &Me,
    client: &Client,
) -> Result<Vec<Vec<u8>>, String> {
    if let Some(listed) = listed_messages(result) {
        return listed;
    }
    let updates = enums::Updates::get(&mut Reader::new(result)).map_err(|error| error.to_string())?;
    let mut users = Vec::new();
    let mut chats = Vec::new();
    // The updates as a vector of their bytes.
    let mut found = Vec::new();
    match updates {
        enums::Updates::UpdateShortSentMessage(sent) => {
            let message = sent_message(call, &sent, me).ok_or("the message that was sent cannot be put together")?;
            peers_of(&message, me, client, &mut users, &mut chats);
            let mut bytes = Vec::new();
            tl::encode(&message, &mut bytes).map_err(|error| error.to_string())?;
            let mut bundle = Vec::new();
            Bundle::write(&bytes, &users, &chats, &mut bundle);
            return Ok(vec![bundle]);
        }
        enums::Updates::Updates(updates) => {
            updates.users.write(&mut users);
            updates.chats.write(&mut chats);
            updates.updates.write(&mut found);
        }
        enums::Updates::Combined(updates) => {
            updates.users.write(&mut users);
            updates.chats.write(&mut chats);
            updates.updates.write(&mut found);
        }
        enums::Updates::UpdateShort(short) => List::Items(&[short.update][..]).write(&mut found),
        _ => {}
    }
    let carries_message = |update: &Raw| {
        matches!(
            update.id(),
            types::UpdateNewMessage::ID
                | types::UpdateNewChannelMessage::ID
                | types::UpdateEditMessage::ID
                | types::UpdateEditChannelMessage::ID
        )
    };
    let mut bundles = Vec::new();
    if found.is_empty() {
        return Ok(bundles);
    }
    let updates = List::<Raw>::get(&mut Reader::new(&found)).map_err(|error| error.to_string())?;
    for update in updates.iter().filter(carries_message) {
        let message = message_of(update.bytes()).ok_or("an update without its message")?;
        let mut bundle = Vec::new();
        if Bundle::write(message, &users, &chats, &mut bundle) {
            // Results are few: each may have all of its peers.
            Bundle::write_all(message, &users, &chats, &mut bundle);
        }
        bundles.push(bundle);
    }
    Ok(bundles)
}

/// The messages of a list, as `messages.getMessages` answers; nothing where the result is something else.
fn listed_messages(result: &[u8]) -> Option<Result<Vec<Vec<u8>>, String>> {
    let id = Raw::new(result).ok()?.id();
    let list = tl::constructors_of("messages.Messages").find(|list| list.id == id)?;
    let read = || {
        let object = tl::decode_object(result).map_err(|error| error.to_string())?;
        let encoded = |name: &str| {
            let mut bytes = Vec::new();
            if let (Some(value), Some(param)) = (object.get(name), list.param(name)) {
                tl::encode_value(value, &param.ty, &mut bytes).map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(bytes)
        };
        let (messages, users, chats) = (encoded("messages")?, encoded("users")?, encoded("chats")?);
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let messages = List::<Raw>::get(&mut Reader::new(&messages)).map_err(|error| error.to_string())?;
        let bundle = |message: Raw| {
            let mut bundle = Vec::new();
            if Bundle::write(message.bytes(), &users, &chats, &mut bundle) {
                Bundle::write_all(message.bytes(), &users, &chats, &mut bundle);
            }
            bundle
        };
        Ok(messages.iter().filter(|message| message.id() != types::MessageEmpty::ID).map(bundle).collect())
    };
    Some(read())
}

/// `updateShortSentMessage` leaves out what the sender knows. <https://core.telegram.org/constructor/updateShortSentMessage>
fn sent_message(call: &Object, sent: &types::UpdateShortSentMessage, me: &Me) -> Option<Object> {
    let decoded = |raw: Raw| raw.decode().ok();
    let peer = call.object("peer")?;
    let peer = match peer.name() {
        "inputPeerSelf" => Object::new("peerUser").with("user_id", me.id),
        "inputPeerUser" => Object::new("peerUser").with("user_id", peer.int("user_id")?),
        "inputPeerChat" => Object::new("peerChat").with("chat_id", peer.int("chat_id")?),
        "inputPeerChannel" => Object::new("peerChannel").with("channel_id", peer.int("channel_id")?),
        _ => return None,
    };
    let mut message = Object::new("message")
        .with("out", sent.out)
        .with("id", sent.id)
        .with("peer_id", peer)
        .with("from_id", Object::new("peerUser").with("user_id", me.id))
        .with("date", sent.date)
        .with("message", call.str("message").unwrap_or_default());
    if let Some(media) = sent.media.and_then(decoded) {
        message.set("media", media);
    }
    let mut entities = Vec::new();
    if let Some(list) = &sent.entities {
        let mut bytes = Vec::new();
        list.write(&mut bytes);
        if let Ok(raw) = List::<Raw>::get(&mut Reader::new(&bytes)) {
            entities.extend(raw.iter().filter_map(decoded).map(Value::Object));
        }
    }
    if !entities.is_empty() {
        message.set("entities", entities);
    }
    if let Some(reply) = call.object("reply_to").and_then(|reply| reply.int("reply_to_msg_id")) {
        message.set("reply_to", Object::new("messageReplyHeader").with("reply_to_msg_id", reply));
    }
    Some(message)
}

/// The users and chats of a message that came without, as far as they are known.
fn peers_of(message: &Object, me: &Me, client: &Client, users: &mut Vec<u8>, chats: &mut Vec<u8>) {
    let mut user_list = vec![me.raw.clone()];
    let mut chat_list = Vec::new();
    if let Some(peer) = message.object("peer_id") {
        if let Some(id) = peer.int("user_id").filter(|id| *id != me.id) {
            user_list.extend(client.peers().user(id));
        } else if let Some(id) = peer.int("chat_id") {
            chat_list.extend(client.peers().chat(Peer::Chat(id)));
        } else if let Some(id) = peer.int("channel_id") {
            chat_list.extend(client.peers().chat(Peer::Channel(id)));
        }
    }
    for (list, out) in [(user_list, users), (chat_list, chats)] {
        let items: Vec<Raw> = list.iter().filter_map(|bytes| Raw::new(bytes).ok()).collect();
        List::Items(items.as_slice()).write(out);
    }
}
