//! The short forms of a new message, which become what they are short for before anyone sees them.
//! <https://core.telegram.org/api/updates#updates-sequence>

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Mailbox, Place, Span, Update, Updates};
use crate::client::Peer;
use crate::tl::{Reader, VECTOR, enums, types};

impl Updates {
    pub(super) fn take_short_message(&mut self, short: types::UpdateShortMessage<'_>, now: Duration) {
        let from = if short.out { self.me } else { short.user_id };
        let message = types::Message {
            out: short.out,
            mentioned: short.mentioned,
            media_unread: short.media_unread,
            silent: short.silent,
            id: short.id,
            from_id: Some(user(from)),
            fwd_from: short.fwd_from,
            via_bot_id: short.via_bot_id,
            reply_to: short.reply_to,
            date: short.date,
            message: short.message,
            entities: short.entities,
            ttl_period: short.ttl_period,
            ..blank(user(short.user_id))
        };
        let peers = [Peer::User(short.user_id), Peer::User(from)];
        self.take_short(message, short.pts, short.pts_count, &peers, now);
    }

    pub(super) fn take_short_chat_message(&mut self, short: types::UpdateShortChatMessage<'_>, now: Duration) {
        let message = types::Message {
            out: short.out,
            mentioned: short.mentioned,
            media_unread: short.media_unread,
            silent: short.silent,
            id: short.id,
            from_id: Some(user(short.from_id)),
            fwd_from: short.fwd_from,
            via_bot_id: short.via_bot_id,
            reply_to: short.reply_to,
            date: short.date,
            message: short.message,
            entities: short.entities,
            ttl_period: short.ttl_period,
            ..blank(enums::Peer::Chat(types::PeerChat { chat_id: short.chat_id }))
        };
        let peers = [Peer::User(short.from_id), Peer::Chat(short.chat_id)];
        self.take_short(message, short.pts, short.pts_count, &peers, now);
    }

    /// The container that a short form stands for: one updateNewMessage, and the peers as they are known.
    fn take_short(&mut self, message: types::Message<'_>, pts: i32, count: i32, peers: &[Peer], now: Duration) {
        // The message names peers without bringing them. Who was never seen comes with the difference.
        if let Some(unknown) = peers.iter().find(|peer| !self.peers.is_known(peer.id())) {
            tracing::debug!("a short message names {unknown:?}, who is not known; fetching the difference");
            self.sequencer.too_long(now);
            return;
        }
        let date = message.date;
        let mut bytes = Vec::with_capacity(512);
        types::UpdateNewMessage { message: enums::Message::Message(message), pts, pts_count: count }.write(&mut bytes);
        let body = Span::new(0, bytes.len());
        let mut seen: Vec<Peer> = Vec::with_capacity(peers.len());
        for peer in peers {
            if !seen.contains(peer) {
                seen.push(*peer);
            }
        }
        let is_user = |peer: &&Peer| matches!(peer, Peer::User(_));
        let users = self.append(seen.iter().filter(is_user), &mut bytes);
        let chats = self.append(seen.iter().filter(|peer| !is_user(peer)), &mut bytes);
        let place = Place { mailbox: Mailbox::Common, pts, count };
        let weight = (bytes.len() + size_of::<Update>()) as u32;
        let id = types::UpdateNewMessage::ID;
        let bytes = Bytes::from(bytes);
        let update = Arc::new(Update { seq: 0, id, date, place: Some(place), bytes, body, users, chats, weight });
        self.sequencer.counted(place, Some(update), now, &mut self.steps);
    }

    fn append<'a>(&self, peers: impl Iterator<Item = &'a Peer>, bytes: &mut Vec<u8>) -> Span {
        let start = bytes.len();
        let raws: Vec<Bytes> = peers.filter_map(|peer| self.peers.chat(*peer)).collect();
        bytes.extend_from_slice(&VECTOR.to_le_bytes());
        bytes.extend_from_slice(&(raws.len() as u32).to_le_bytes());
        raws.iter().for_each(|raw| bytes.extend_from_slice(raw));
        Span::new(start, bytes.len())
    }
}

/// A message without anything optional.
fn blank(peer_id: enums::Peer) -> types::Message<'static> {
    const ID: [u8; 4] = types::PeerUser::ID.to_le_bytes();
    // flags, flags2, id; peer_id; date, message
    static BLANK: [u8; 32] = {
        let mut bytes = [0; 32];
        let mut i = 0;
        while i < 4 {
            bytes[12 + i] = ID[i];
            i += 1;
        }
        bytes
    };
    let message = types::Message::read(&mut Reader::new(&BLANK)).expect("a blank message is one");
    types::Message { peer_id, ..message }
}

fn user(id: i64) -> enums::Peer {
    enums::Peer::User(types::PeerUser { user_id: id })
}
