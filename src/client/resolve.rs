//! From what people write to a peer.

use bytes::Bytes;

use super::core::Core;
use super::{CallError, Peer};
use crate::tl::{Reader, enums, functions, types};

/// Finds `"me"`, `"@name"`, `"name"`, `"+phone"` or a Bot-API id in digits; asks Telegram for what was never seen.
pub(super) async fn resolve(core: &Core, name: &str) -> Result<Peer, CallError> {
    let name = name.trim();
    if name == "me" || name == "self" {
        return Ok(Peer::User(core.me.id));
    }
    let invalid = || CallError::Invalid(format!("`{name}` is neither a username, a phone number nor an id"));
    if name.starts_with('+') {
        if let Some(peer) = core.peers.phone(name).and_then(Peer::from_id) {
            return Ok(peer);
        }
        let phone: String = name.chars().filter(char::is_ascii_digit).collect();
        let mut body = Vec::new();
        functions::ContactsResolvePhone { phone: &phone }.write(&mut body);
        return ask(core, body.into(), "contacts.resolvePhone").await;
    }
    if let Ok(id) = name.parse::<i64>() {
        return Peer::from_id(id).ok_or_else(invalid);
    }
    let link = ["https://t.me/", "http://t.me/", "t.me/"].iter().find_map(|start| name.strip_prefix(start));
    let username = link.unwrap_or(name).trim_start_matches('@').trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if username.is_empty() || !username.chars().all(plain) {
        return Err(invalid());
    }
    if let Some(peer) = core.peers.username(username).and_then(Peer::from_id) {
        return Ok(peer);
    }
    let mut body = Vec::new();
    functions::ContactsResolveUsername { username, referer: None }.write(&mut body);
    ask(core, body.into(), "contacts.resolveUsername").await
}

/// The peer comes with its access hash, which is noted like that of any other result.
async fn ask(core: &Core, body: Bytes, method: &str) -> Result<Peer, CallError> {
    let answer = core.invoke(body, None).await?;
    let mut reader = Reader::new(&answer);
    let peer = reader
        .expect(types::ContactsResolvedPeer::ID)
        .and_then(|()| enums::Peer::read(&mut reader))
        .map_err(|error| CallError::Malformed { method: method.into(), reason: error.to_string() })?;
    Ok(match peer {
        enums::Peer::User(peer) => Peer::User(peer.user_id),
        enums::Peer::Chat(peer) => Peer::Chat(peer.chat_id),
        enums::Peer::Channel(peer) => Peer::Channel(peer.channel_id),
    })
}
