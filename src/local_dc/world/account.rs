//! One account: who it is, and its message box with the log of what happened to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::messages::Blob;
use super::{LOG_LIMIT, Peer};

/// How many random ids an account's box remembers in order to refuse a message that is sent twice.
const RANDOM_IDS: usize = 10_000;

/// A person or a bot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub id: i64,
    pub first_name: String,
    pub last_name: String,
    /// Without `@`.
    pub username: Option<String>,
    /// Digits; bots have none.
    pub phone: Option<String>,
    pub bot: Option<Bot>,
    /// Unix seconds until which the person is online, or since when they are not; 0 where unknown.
    #[serde(default)]
    pub status: Status,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    #[default]
    Unknown,
    OnlineUntil(i32),
    OfflineSince(i32),
}

/// What only bots have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bot {
    pub token: String,
    /// By scope (an encoded `BotCommandScope`, hex) and language code, as in `bots.setBotCommands`.
    pub commands: Vec<CommandSet>,
    /// Raised when the bot's description or commands change; clients compare it.
    pub info_version: i32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandSet {
    pub scope: Blob,
    pub language: String,
    pub commands: Vec<Command>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub command: String,
    pub description: String,
}

impl Bot {
    pub fn commands(&self, scope: &Blob, language: &str) -> &[Command] {
        let set = self.commands.iter().find(|set| set.scope == *scope && set.language == language);
        set.map_or(&[], |set| &set.commands)
    }

    /// Replaces the commands of a scope and language; an empty list resets them.
    pub fn set_commands(&mut self, scope: Blob, language: String, commands: Vec<Command>) {
        self.commands.retain(|set| set.scope != scope || set.language != language);
        if !commands.is_empty() {
            self.commands.push(CommandSet { scope, language, commands });
        }
        self.info_version += 1;
    }
}

impl User {
    pub(super) fn person(id: i64, first_name: &str, last_name: &str, phone: Option<String>) -> User {
        let (first_name, last_name) = (first_name.to_owned(), last_name.to_owned());
        User { id, first_name, last_name, username: None, phone, bot: None, status: Status::default() }
    }

    pub(super) fn bot(id: i64, name: &str, username: &str, token: String) -> User {
        let bot = Some(Bot { token, commands: Vec::new(), info_version: 1 });
        User { username: Some(username.trim_start_matches('@').to_owned()), bot, ..User::person(id, name, "", None) }
    }
}

/// What happened to a message box, as its log keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Change {
    New { id: i32 },
    Edited { id: i32 },
    Deleted { ids: Vec<i32> },
    ReadInbox { peer: Peer, max_id: i32, still_unread: i32 },
    ReadOutbox { peer: Peer, max_id: i32 },
}

/// A counted change: `pts` is the box's count after it, `count` how much it added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub pts: i32,
    pub count: i32,
    pub change: Change,
}

/// A chat in an account's list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Dialog {
    /// The ids of its messages in this account's box.
    pub messages: BTreeSet<i32>,
    pub read_inbox_max_id: i32,
    pub read_outbox_max_id: i32,
}

/// A user with their message box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub user: User,
    next_id: i32,
    pts: i32,
    /// Message ids of this box, and which message of the world each is a copy of.
    copies: BTreeMap<i32, u64>,
    dialogs: BTreeMap<Peer, Dialog>,
    /// The last changes, oldest first. Ends at `pts`.
    log: VecDeque<Entry>,
    random_ids: BTreeSet<i64>,
    random_ids_in_order: VecDeque<i64>,
}

impl Account {
    pub(super) fn new(user: User) -> Account {
        Account {
            user,
            next_id: 1,
            // Telegram counts from 1: a box that nothing happened to has pts 1.
            pts: 1,
            copies: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            log: VecDeque::new(),
            random_ids: BTreeSet::new(),
            random_ids_in_order: VecDeque::new(),
        }
    }

    pub fn pts(&self) -> i32 {
        self.pts
    }

    pub fn dialog(&self, peer: Peer) -> Option<&Dialog> {
        self.dialogs.get(&peer)
    }

    pub fn dialogs(&self) -> impl Iterator<Item = (Peer, &Dialog)> {
        self.dialogs.iter().map(|(peer, dialog)| (*peer, dialog))
    }

    pub(super) fn dialog_mut(&mut self, peer: Peer) -> &mut Dialog {
        self.dialogs.entry(peer).or_default()
    }

    pub(super) fn log(&self) -> &VecDeque<Entry> {
        &self.log
    }

    /// Which message of the world `id` is a copy of.
    pub fn copy(&self, id: i32) -> Option<u64> {
        self.copies.get(&id).copied()
    }

    pub(super) fn add_copy(&mut self, message: u64, peer: Peer) -> i32 {
        let id = self.next_id;
        self.next_id += 1;
        self.copies.insert(id, message);
        self.dialog_mut(peer).messages.insert(id);
        id
    }

    pub(super) fn remove_copy(&mut self, id: i32, peer: Peer) {
        self.copies.remove(&id);
        if let Some(dialog) = self.dialogs.get_mut(&peer) {
            dialog.messages.remove(&id);
        }
    }

    /// Counts a change and keeps it in the log; the oldest leave it, and whoever asks for these is told `tooLong`.
    pub(super) fn record(&mut self, count: i32, change: Change) -> Entry {
        self.pts += count;
        let entry = Entry { pts: self.pts, count, change };
        self.log.push_back(entry.clone());
        if self.log.len() > LOG_LIMIT {
            self.log.pop_front();
        }
        entry
    }

    /// Whether this random id is new here; it is remembered.
    pub(super) fn note_random_id(&mut self, random_id: i64) -> bool {
        if !self.random_ids.insert(random_id) {
            return false;
        }
        self.random_ids_in_order.push_back(random_id);
        if self.random_ids_in_order.len() > RANDOM_IDS
            && let Some(oldest) = self.random_ids_in_order.pop_front()
        {
            self.random_ids.remove(&oldest);
        }
        true
    }
}
