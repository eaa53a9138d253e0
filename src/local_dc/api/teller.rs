//! The world as one account is told of it: TL objects, and the users and chats that they speak of.

use std::collections::BTreeSet;

use super::fields::Kept;
use crate::local_dc::world::{Action, Change, Content, Entry, Group, Peer, Status, User, View, World};
use crate::tl::{Object, Value};

/// Builds objects for one viewer and notes whom they mention.
pub struct Teller<'a> {
    world: &'a World,
    viewer: i64,
    users: BTreeSet<i64>,
    groups: BTreeSet<i64>,
}

impl<'a> Teller<'a> {
    pub fn new(world: &'a World, viewer: i64) -> Teller<'a> {
        Teller { world, viewer, users: BTreeSet::new(), groups: BTreeSet::new() }
    }

    /// One log entry as an update; none where the message it is about is gone by now.
    pub fn update(&mut self, entry: &Entry) -> Option<Object> {
        let update = match &entry.change {
            Change::New { id } => Object::new("updateNewMessage").with("message", self.message_by_id(*id)?),
            Change::Edited { id } => Object::new("updateEditMessage").with("message", self.message_by_id(*id)?),
            Change::Deleted { ids } => Object::new("updateDeleteMessages").with("messages", ids.clone()),
            Change::ReadInbox { peer, max_id, still_unread } => Object::new("updateReadHistoryInbox")
                .with("peer", self.peer(*peer))
                .with("max_id", *max_id)
                .with("still_unread_count", *still_unread),
            Change::ReadOutbox { peer, max_id } => {
                Object::new("updateReadHistoryOutbox").with("peer", self.peer(*peer)).with("max_id", *max_id)
            }
        };
        Some(update.with("pts", entry.pts).with("pts_count", entry.count))
    }

    pub fn message_by_id(&mut self, id: i32) -> Option<Object> {
        let world = self.world;
        world.view(self.viewer, id).map(|view| self.message(&view))
    }

    pub fn message(&mut self, view: &View<'_>) -> Object {
        let message = view.message;
        let told = match &message.content {
            Content::Text { text, entities, markup } => Object::new("message")
                .with("message", text.as_str())
                .with("entities", entities.as_ref().and_then(Kept::objects))
                .with("reply_markup", markup.as_ref().and_then(Kept::object))
                .with("edit_date", message.edit_date)
                .with("noforwards", message.noforwards),
            Content::Service(action) => Object::new("messageService").with("action", self.action(action)),
        };
        // In a private chat only the own messages name their author, as on Telegram: that of others is the peer.
        let names_author = view.out || matches!(view.peer, Peer::Group(_));
        let from = names_author.then(|| self.peer(Peer::User(message.from)));
        let told = told.with("from_id", from).with("peer_id", self.peer(view.peer));
        let reply = view.reply_to.map(|id| self.reply(view, id));
        told.with("id", view.id)
            .with("out", view.out)
            .with("silent", message.silent)
            .with("date", message.date)
            .with("reply_to", reply)
    }

    fn reply(&mut self, view: &View<'_>, id: i32) -> Object {
        let header = Object::new("messageReplyHeader").with("reply_to_msg_id", id);
        match view.message.reply.as_ref().and_then(|reply| reply.quote.as_ref()) {
            None => header,
            Some(quote) => header
                .with("quote", true)
                .with("quote_text", quote.text.as_str())
                .with("quote_entities", quote.entities.as_ref().and_then(Kept::objects))
                .with("quote_offset", quote.offset),
        }
    }

    fn action(&mut self, action: &Action) -> Object {
        match action {
            Action::Created { title, members } => {
                self.users.extend(members);
                Object::new("messageActionChatCreate").with("title", title.as_str()).with("users", members.clone())
            }
            Action::Added { members } => {
                self.users.extend(members);
                Object::new("messageActionChatAddUser").with("users", members.clone())
            }
            Action::Removed { member } => {
                self.users.insert(*member);
                Object::new("messageActionChatDeleteUser").with("user_id", *member)
            }
        }
    }

    pub fn peer(&mut self, peer: Peer) -> Object {
        match peer {
            Peer::User(id) => {
                self.users.insert(id);
                Object::new("peerUser").with("user_id", id)
            }
            Peer::Group(id) => {
                self.groups.insert(id);
                Object::new("peerChat").with("chat_id", id)
            }
        }
    }

    pub fn participants(&mut self, group: &Group) -> Object {
        self.groups.insert(group.id);
        self.users.extend(group.members());
        if !group.has(self.viewer) {
            return Object::new("chatParticipantsForbidden").with("chat_id", group.id);
        }
        let members = group.members.iter().map(|member| {
            if member.user == group.creator {
                Object::new("chatParticipantCreator").with("user_id", member.user)
            } else {
                let kind = if member.is_admin { "chatParticipantAdmin" } else { "chatParticipant" };
                Object::new(kind)
                    .with("user_id", member.user)
                    .with("inviter_id", member.inviter)
                    .with("date", member.date)
            }
        });
        let members: Vec<Object> = members.collect();
        Object::new("chatParticipants")
            .with("chat_id", group.id)
            .with("participants", members)
            .with("version", group.version)
    }

    /// Mentions a user, so that [`finish`](Self::finish) has them.
    pub fn mention(&mut self, user: i64) {
        self.users.insert(user);
    }

    /// Puts the users and chats that were mentioned into `object`, which has vectors for them.
    pub fn finish(self, object: Object) -> Object {
        let users: Vec<Object> = self.users.iter().map(|id| self.user(*id)).collect();
        let chats: Vec<Object> = self.groups.iter().map(|id| self.chat(*id)).collect();
        object.with("users", users).with("chats", chats)
    }

    /// An `updates` container.
    pub fn finish_updates(self, updates: Vec<Object>, now: i32) -> Object {
        // Nothing of what is told here counts for seq, and 0 says so: https://core.telegram.org/api/updates#update-sequence
        self.finish(Object::new("updates").with("updates", updates).with("date", now).with("seq", 0))
    }

    pub fn user(&self, id: i64) -> Object {
        match self.world.user(id) {
            Some(user) => user_object(self.world, self.viewer, user),
            None => Object::new("userEmpty").with("id", id),
        }
    }

    pub fn chat(&self, id: i64) -> Object {
        let Some(group) = self.world.group(id) else { return Object::new("chatEmpty").with("id", id) };
        if !group.has(self.viewer) {
            return Object::new("chatForbidden").with("id", id).with("title", group.title.as_str());
        }
        Object::new("chat")
            .with("creator", group.creator == self.viewer)
            .with("id", id)
            .with("title", group.title.as_str())
            .with("photo", Object::new("chatPhotoEmpty"))
            .with("participants_count", group.members.len() as i32)
            .with("date", group.date)
            .with("version", group.version)
            .with("default_banned_rights", Object::new("chatBannedRights").with("until_date", i32::MAX))
    }
}

fn user_object(world: &World, viewer: i64, user: &User) -> Object {
    let own = user.id == viewer;
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let object = Object::new("user")
        .with("id", user.id)
        .with("self", own)
        .with("access_hash", world.access_hash(viewer, user.id))
        .with("first_name", filled(&user.first_name))
        .with("last_name", filled(&user.last_name))
        .with("username", user.username.clone())
        .with("phone", user.phone.clone().filter(|_| own));
    match &user.bot {
        // Bots get all messages of their groups here: there is no privacy mode.
        Some(bot) => object
            .with("bot", true)
            .with("bot_chat_history", true)
            .with("bot_info_version", bot.info_version)
            .with("bot_can_edit", false),
        None => object.with("status", status(user.status)),
    }
}

pub fn status(status: Status) -> Object {
    match status {
        Status::Unknown => Object::new("userStatusRecently"),
        Status::OnlineUntil(expires) => Object::new("userStatusOnline").with("expires", expires),
        Status::OfflineSince(since) => Object::new("userStatusOffline").with("was_online", since),
    }
}

/// Objects as the elements of a vector that is an answer.
pub fn list(objects: impl IntoIterator<Item = Object>) -> Value {
    Value::Vector(objects.into_iter().map(Value::Object).collect())
}
