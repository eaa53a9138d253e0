//! One update as filters look at it: borrowed from its bytes.

use crate::client::{Me, Peer, Update};
use crate::tl::{Raw, Reader, Tl, enums, types};

use super::bundle::find_user;

/// An update, and the message in it.
pub(in crate::lua) struct View<'a> {
    pub update: &'a Update,
    pub me: &'a Me,
    what: What<'a>,
}

// A view lives on the stack for the time of one dispatch; a box for the message would cost more than its size.
#[allow(clippy::large_enum_variant)]
enum What<'a> {
    Message(types::Message<'a>),
    Service(types::MessageService<'a>),
    Callback(types::UpdateBotCallbackQuery<'a>),
    Other { chat: Option<Peer>, user: Option<i64> },
}

impl<'a> View<'a> {
    /// `None` where the update cannot be read.
    pub fn new(update: &'a Update, me: &'a Me) -> Option<View<'a>> {
        let mut reader = Reader::new(update.raw());
        let id = reader.id().ok()?;
        let what = match id {
            types::UpdateNewMessage::ID
            | types::UpdateNewChannelMessage::ID
            | types::UpdateEditMessage::ID
            | types::UpdateEditChannelMessage::ID => match enums::Message::get(&mut reader).ok()? {
                enums::Message::Message(message) => What::Message(message),
                enums::Message::Service(service) => What::Service(service),
                enums::Message::Empty(_) => What::Other { chat: None, user: None },
            },
            types::UpdateBotCallbackQuery::ID => What::Callback(types::UpdateBotCallbackQuery::read(&mut reader).ok()?),
            types::UpdateDeleteChannelMessages::ID => {
                let channel = types::UpdateDeleteChannelMessages::read(&mut reader).ok()?.channel_id;
                What::Other { chat: Some(Peer::Channel(channel)), user: None }
            }
            types::UpdateReadHistoryInbox::ID => {
                let peer = types::UpdateReadHistoryInbox::read(&mut reader).ok()?.peer;
                What::Other { chat: Some(peer_of(&peer)), user: None }
            }
            types::UpdateReadHistoryOutbox::ID => {
                let peer = types::UpdateReadHistoryOutbox::read(&mut reader).ok()?.peer;
                What::Other { chat: Some(peer_of(&peer)), user: None }
            }
            _ => What::Other { chat: None, user: None },
        };
        Some(View { update, me, what })
    }

    /// The text, or the caption of a medium; `None` where there is none.
    pub fn text(&self) -> Option<&'a str> {
        match &self.what {
            What::Message(message) if !message.message.is_empty() => Some(message.message),
            _ => None,
        }
    }

    /// What expressions look at: the text, or what a button carries.
    pub fn matched_text(&self) -> Option<&'a str> {
        self.text().or_else(|| std::str::from_utf8(self.data()?).ok())
    }

    /// What a button's press carries.
    pub fn data(&self) -> Option<&'a [u8]> {
        match &self.what {
            What::Callback(query) => query.data,
            _ => None,
        }
    }

    pub fn message(&self) -> Option<&types::Message<'a>> {
        match &self.what {
            What::Message(message) => Some(message),
            _ => None,
        }
    }

    pub fn service(&self) -> Option<&types::MessageService<'a>> {
        match &self.what {
            What::Service(service) => Some(service),
            _ => None,
        }
    }

    pub fn chat(&self) -> Option<Peer> {
        match &self.what {
            What::Message(message) => Some(peer_of(&message.peer_id)),
            What::Service(service) => Some(peer_of(&service.peer_id)),
            What::Callback(query) => Some(peer_of(&query.peer)),
            What::Other { chat, .. } => *chat,
        }
    }

    /// The Bot-API id of who sent it: a user, or a chat that speaks for itself.
    pub fn sender_id(&self) -> Option<i64> {
        let (from, peer, out) = match &self.what {
            What::Message(message) => (&message.from_id, &message.peer_id, message.out),
            What::Service(service) => (&service.from_id, &service.peer_id, service.out),
            What::Callback(query) => return Some(query.user_id),
            What::Other { user, .. } => return *user,
        };
        match (from, peer) {
            (Some(from), _) => Some(peer_of(from).id()),
            (None, enums::Peer::User(_)) if out => Some(self.me.id),
            (None, peer) => Some(peer_of(peer).id()),
        }
    }

    pub fn outgoing(&self) -> bool {
        match &self.what {
            What::Message(message) => message.out,
            What::Service(service) => service.out,
            _ => false,
        }
    }

    pub fn mentioned(&self) -> bool {
        match &self.what {
            What::Message(message) => message.mentioned,
            What::Service(service) => service.mentioned,
            _ => false,
        }
    }

    /// A broadcast channel's, rather than a supergroup's.
    pub fn post(&self) -> bool {
        match &self.what {
            What::Message(message) => message.post,
            What::Service(service) => service.post,
            _ => false,
        }
    }

    pub fn media(&self) -> Option<Raw<'a>> {
        self.message().and_then(|message| message.media)
    }

    /// The constructor of a service message's action.
    pub fn action(&self) -> Option<&'static str> {
        let raw = self.service()?.action;
        Some(raw.definition()?.name)
    }

    pub fn reply_to(&self) -> Option<&enums::MessageReplyHeader<'a>> {
        match &self.what {
            What::Message(message) => message.reply_to.as_ref(),
            What::Service(service) => service.reply_to.as_ref(),
            _ => None,
        }
    }

    /// The topic of a forum, 1 for the general one where it is named.
    pub fn topic(&self) -> Option<i64> {
        match self.reply_to()? {
            enums::MessageReplyHeader::MessageReplyHeader(header) if header.forum_topic => {
                header.reply_to_top_id.or(header.reply_to_msg_id).map(i64::from)
            }
            _ => None,
        }
    }

    /// Whether the sender is a bot, as far as the update's own users tell.
    pub fn is_from_bot(&self) -> bool {
        self.sender_id().and_then(|id| find_user(self.update.users(), id)).is_some_and(|user| user.bot)
    }

    /// Whether one of the names of this user or chat passes the test.
    pub fn usernames(&self, id: i64, test: impl Fn(&str) -> bool) -> bool {
        super::bundle::usernames(self.update.users(), self.update.chats(), id, test)
    }
}

/// A peer of TL as the client names it.
pub(in crate::lua) fn peer_of(peer: &enums::Peer) -> Peer {
    match peer {
        enums::Peer::User(user) => Peer::User(user.user_id),
        enums::Peer::Chat(chat) => Peer::Chat(chat.chat_id),
        enums::Peer::Channel(channel) => Peer::Channel(channel.channel_id),
    }
}
