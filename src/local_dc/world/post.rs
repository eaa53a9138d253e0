//! Writing, editing, deleting and reading.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Change, Content, Draft, Effect, Message, Peer, Place, Reply, World};
use crate::local_dc::refusal::Refusal;

/// The longest text, in UTF-16 units, as Telegram counts: <https://limits.tginfo.me> and `config.message_length_max`.
pub const MESSAGE_LENGTH_MAX: usize = 4096;

/// How long after sending a person may edit, in seconds: `config.edit_time_limit`.
pub const EDIT_TIME_LIMIT: i32 = 172_800;

impl World {
    /// Sends a message of `from` to `peer`. Returns its number in the world; its id in each box is in [`Message::copies`].
    ///
    /// `random_id` is refused when it was used before: <https://core.telegram.org/method/messages.sendMessage>.
    pub fn send(
        &mut self,
        from: i64,
        peer: Peer,
        draft: Draft,
        random_id: Option<i64>,
        now: i32,
    ) -> Result<(u64, Vec<Effect>), Refusal> {
        let place = self.place(from, peer)?;
        check_length(&draft.text)?;
        let reply = draft.reply_to.map(|id| {
            let view = self.view(from, id).filter(|view| view.peer == peer);
            let message = view.ok_or(Refusal::bad("REPLY_MESSAGE_ID_INVALID"))?.message.id;
            Ok(Reply { message, quote: draft.quote.clone() })
        });
        let reply = reply.transpose()?;
        if let Some(random_id) = random_id
            && !self.account_mut(from).is_some_and(|account| account.note_random_id(random_id))
        {
            return Err(Refusal::bad("RANDOM_ID_DUPLICATE"));
        }
        let content = Content::Text { text: draft.text, entities: draft.entities, markup: draft.markup };
        let message = Message {
            silent: draft.silent,
            noforwards: draft.noforwards,
            reply,
            ..self.message_of(from, place, content, now)
        };
        Ok(self.post(message))
    }

    /// Where a message of `from` to `peer` goes, if it may.
    pub fn place(&self, from: i64, peer: Peer) -> Result<Place, Refusal> {
        match peer {
            Peer::User(to) => {
                if self.user(to).is_none() {
                    return Err(Refusal::bad("PEER_ID_INVALID"));
                }
                if from != to && self.is_bot(from) {
                    if self.is_bot(to) {
                        return Err(Refusal::bad("USER_IS_BOT"));
                    }
                    if !self.have_met(from, to) {
                        return Err(Refusal::bad("PEER_ID_INVALID"));
                    }
                }
                Ok(Place::Private(from, to))
            }
            Peer::Group(id) => match self.group(id) {
                None => Err(Refusal::bad("PEER_ID_INVALID")),
                Some(group) if !group.has(from) => Err(Refusal::forbidden("CHAT_WRITE_FORBIDDEN")),
                Some(_) => Ok(Place::Group(id)),
            },
        }
    }

    /// Changes the text of the author's own message, or only its markup where `text` is none.
    pub fn edit(
        &mut self,
        editor: i64,
        peer: Peer,
        id: i32,
        text: Option<Draft>,
        markup: Option<super::Blob>,
        now: i32,
    ) -> Result<(u64, Vec<Effect>), Refusal> {
        let invalid = Refusal::bad("MESSAGE_ID_INVALID");
        let view = self.view(editor, id).filter(|view| view.peer == peer).ok_or(invalid.clone())?;
        if !view.out {
            return Err(Refusal::forbidden("MESSAGE_AUTHOR_REQUIRED"));
        }
        let Content::Text { text: old_text, entities: old_entities, .. } = &view.message.content else {
            return Err(invalid);
        };
        if !self.is_bot(editor) && now.saturating_sub(view.message.date) > EDIT_TIME_LIMIT {
            return Err(Refusal::bad("MESSAGE_EDIT_TIME_EXPIRED"));
        }
        let content = match text {
            Some(draft) => {
                check_length(&draft.text)?;
                Content::Text { text: draft.text, entities: draft.entities, markup }
            }
            None => Content::Text { text: old_text.clone(), entities: old_entities.clone(), markup },
        };
        if content == view.message.content {
            return Err(Refusal::bad("MESSAGE_NOT_MODIFIED"));
        }
        let number = view.message.id;
        let Some(message) = self.messages.get_mut(&number) else { return Err(invalid) };
        message.content = content;
        message.edit_date = Some(now);
        let copies = message.copies.clone();
        let effects = self.record_each(copies.into_iter().map(|(account, id)| (account, 1, Change::Edited { id })));
        Ok((number, effects))
    }

    /// Deletes messages from the box of `account`, with `revoke` from everyone's. Ids that are not there are passed over.
    pub fn delete(&mut self, account: i64, ids: &[i32], revoke: bool) -> Result<Vec<Effect>, Refusal> {
        let mut gone: BTreeMap<i64, BTreeSet<i32>> = BTreeMap::new();
        for id in ids {
            let Some(view) = self.view(account, *id) else { continue };
            if revoke && !self.may_revoke(account, view.message) {
                return Err(Refusal::forbidden("MESSAGE_DELETE_FORBIDDEN"));
            }
            let message = view.message;
            let everyones = message.copies.iter().map(|(account, id)| (*account, *id));
            for (owner, id) in everyones.filter(|(owner, _)| revoke || *owner == account) {
                gone.entry(owner).or_default().insert(id);
            }
        }
        for (owner, ids) in &gone {
            for id in ids {
                self.remove_copy(*owner, *id);
            }
        }
        Ok(self.record_each(gone.into_iter().map(|(owner, ids)| {
            let ids: Vec<i32> = ids.into_iter().collect();
            (owner, ids.len() as i32, Change::Deleted { ids })
        })))
    }

    /// Marks everything up to `max_id` in the chat as read (all of it where `max_id` is 0), and tells its authors.
    pub fn read(&mut self, reader: i64, peer: Peer, max_id: i32) -> Vec<Effect> {
        let Some(dialog) = self.account(reader).and_then(|account| account.dialog(peer)) else { return Vec::new() };
        let Some(newest) = dialog.messages.iter().next_back().copied() else { return Vec::new() };
        let max_id = if max_id <= 0 { newest } else { max_id.min(newest) };
        let before = dialog.read_inbox_max_id;
        if max_id <= before {
            return Vec::new();
        }
        // The newest message of each author that was unread so far.
        let mut read: BTreeMap<i64, i32> = BTreeMap::new();
        for id in dialog.messages.range(before + 1..=max_id) {
            let Some(view) = self.view(reader, *id).filter(|view| !view.out) else { continue };
            if let Some(authors_id) = view.message.copies.get(&view.message.from) {
                read.insert(view.message.from, *authors_id);
            }
        }
        if let Some(account) = self.account_mut(reader) {
            account.dialog_mut(peer).read_inbox_max_id = max_id;
        }
        let still_unread = self.unread(reader, peer);
        let mut effects = self.record_each([(reader, 1, Change::ReadInbox { peer, max_id, still_unread })]);
        for (author, max_id) in read {
            let authors_peer = if let Peer::Group(_) = peer { peer } else { Peer::User(reader) };
            let Some(account) = self.account_mut(author) else { continue };
            let dialog = account.dialog_mut(authors_peer);
            if dialog.read_outbox_max_id < max_id {
                dialog.read_outbox_max_id = max_id;
                effects.extend(self.record_each([(author, 1, Change::ReadOutbox { peer: authors_peer, max_id })]));
            }
        }
        effects
    }

    /// How many messages of others in the chat were not read yet.
    pub fn unread(&self, reader: i64, peer: Peer) -> i32 {
        let Some(dialog) = self.account(reader).and_then(|account| account.dialog(peer)) else { return 0 };
        let newer = dialog.messages.range(dialog.read_inbox_max_id + 1..);
        newer.filter(|id| self.view(reader, **id).is_some_and(|view| !view.out)).count() as i32
    }

    /// A service message in a group.
    pub(super) fn announce(&mut self, from: i64, group: i64, action: Action, now: i32) -> Vec<Effect> {
        let message = self.message_of(from, Place::Group(group), Content::Service(action), now);
        self.post(message).1
    }

    fn message_of(&self, from: i64, place: Place, content: Content, now: i32) -> Message {
        Message {
            id: self.next_message,
            from,
            place,
            date: now,
            edit_date: None,
            content,
            reply: None,
            silent: false,
            noforwards: false,
            copies: BTreeMap::new(),
        }
    }

    /// Puts a copy into the box of everyone in the chat.
    fn post(&mut self, mut message: Message) -> (u64, Vec<Effect>) {
        self.next_message += 1;
        let (number, place, from) = (message.id, message.place, message.from);
        let everyone: BTreeSet<i64> = match place {
            Place::Private(one, other) => BTreeSet::from([one, other]),
            Place::Group(id) => self.group(id).into_iter().flat_map(|group| group.members()).collect(),
        };
        let mut changes = Vec::with_capacity(everyone.len());
        for owner in everyone {
            let Some(account) = self.account_mut(owner) else { continue };
            let peer = place.peer(owner);
            let id = account.add_copy(number, peer);
            if place == Place::Private(from, from) {
                let dialog = account.dialog_mut(peer);
                (dialog.read_inbox_max_id, dialog.read_outbox_max_id) = (id, id);
            }
            message.copies.insert(owner, id);
            changes.push((owner, 1, Change::New { id }));
        }
        self.messages.insert(number, message);
        (number, self.record_each(changes))
    }

    fn remove_copy(&mut self, owner: i64, id: i32) {
        let Some(account) = self.accounts.get_mut(&owner) else { return };
        let Some(number) = account.copy(id) else { return };
        let Some(message) = self.messages.get_mut(&number) else { return };
        account.remove_copy(id, message.place.peer(owner));
        message.copies.remove(&owner);
        if message.copies.is_empty() {
            self.messages.remove(&number);
        }
    }

    /// In a private chat either side may delete for both; in a group the author, and who runs it.
    fn may_revoke(&self, account: i64, message: &Message) -> bool {
        match message.place {
            Place::Private(..) => true,
            Place::Group(id) => message.from == account || self.group(id).is_some_and(|group| group.is_run_by(account)),
        }
    }

    fn record_each(&mut self, changes: impl IntoIterator<Item = (i64, i32, Change)>) -> Vec<Effect> {
        let changes = changes.into_iter();
        changes
            .filter_map(|(account, count, change)| {
                Some(Effect { account, entry: self.account_mut(account)?.record(count, change) })
            })
            .collect()
    }
}

fn check_length(text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(Refusal::bad("MESSAGE_EMPTY"));
    }
    if text.encode_utf16().count() > MESSAGE_LENGTH_MAX {
        return Err(Refusal::bad("MESSAGE_TOO_LONG"));
    }
    Ok(())
}
