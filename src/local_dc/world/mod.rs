//! The world of the local DC as a value: who is there, what was written, and what each account saw of it.
//!
//! Nothing here knows of sockets, sessions or TL. Time comes as an argument (Unix seconds). As on Telegram, private
//! chats and basic groups are lists of *copies*: every account has a message box of its own, in which the same message
//! has an id of its own, and one pts sequence that counts what happened to that box
//! (<https://core.telegram.org/api/updates>). A method that changes the world returns the [`Effect`]s it had, one for
//! each entry that it added to some account's log; a push and a difference are made of the same entries.

mod account;
mod difference;
mod groups;
mod messages;
mod post;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use account::{Account, Bot, Change, Command, Entry, Status, User};
pub use difference::Difference;
use difference::LOG_LIMIT;
pub use groups::{CHAT_SIZE_MAX, Group};
pub use messages::{Action, Blob, Content, Draft, Message, Page, Place, Quote, Reply, View, to_hex};
pub use post::{EDIT_TIME_LIMIT, MESSAGE_LENGTH_MAX};

use super::refusal::Refusal;
use crate::crypto;

/// The service account that sends sign-in codes, as on Telegram.
pub const SERVICE_ACCOUNT: i64 = 777_000;

/// Above 2³², so that a client which keeps ids in 32 bits is found out.
const FIRST_USER: i64 = 7_000_000_001;
const FIRST_GROUP: i64 = 4_500_000_001;

/// A chat as one account sees it: the other user (or oneself), or a basic group.
///
/// Written as a number it is a Bot API chat id: users are positive, basic groups negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub enum Peer {
    User(i64),
    Group(i64),
}

impl From<i64> for Peer {
    fn from(id: i64) -> Peer {
        if id < 0 { Peer::Group(-id) } else { Peer::User(id) }
    }
}

impl From<Peer> for i64 {
    fn from(peer: Peer) -> i64 {
        match peer {
            Peer::User(id) => id,
            Peer::Group(id) => -id,
        }
    }
}

/// One entry that a change added to the log of `account`.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    pub account: i64,
    pub entry: Entry,
}

/// Everybody and everything on the local DC.
#[derive(Debug, Serialize, Deserialize)]
pub struct World {
    /// What access hashes and bot tokens are derived from.
    secret: [u8; 32],
    accounts: BTreeMap<i64, Account>,
    groups: BTreeMap<i64, Group>,
    messages: BTreeMap<u64, Message>,
    next_user: i64,
    next_group: i64,
    next_message: u64,
}

impl World {
    /// An empty world; `secret` should be random where access hashes shall not be guessed.
    pub fn new(secret: [u8; 32]) -> World {
        let mut world = World {
            secret,
            accounts: BTreeMap::new(),
            groups: BTreeMap::new(),
            messages: BTreeMap::new(),
            next_user: FIRST_USER,
            next_group: FIRST_GROUP,
            next_message: 1,
        };
        let service = User::person(SERVICE_ACCOUNT, "Telegram", "", Some("42777".to_owned()));
        world.accounts.insert(SERVICE_ACCOUNT, Account::new(service));
        world
    }

    /// Adds a person. Phone numbers are digits without `+`; `phone` must be new, see [`World::by_phone`].
    pub fn add_person(&mut self, first_name: &str, last_name: &str, phone: Option<String>) -> i64 {
        let id = self.next_user;
        self.next_user += 1;
        let phone = phone.unwrap_or_else(|| self.free_phone(id));
        self.accounts.insert(id, Account::new(User::person(id, first_name, last_name, Some(phone))));
        id
    }

    /// Adds a bot, or finds the one with this username.
    pub fn add_bot(&mut self, username: &str, name: &str) -> &User {
        let id = match self.by_username(username) {
            Some(id) if self.accounts[&id].user.bot.is_some() => id,
            _ => {
                let id = self.next_user;
                self.next_user += 1;
                let token = self.token(id);
                self.accounts.insert(id, Account::new(User::bot(id, name, username, token)));
                id
            }
        };
        &self.accounts[&id].user
    }

    pub fn account(&self, id: i64) -> Option<&Account> {
        self.accounts.get(&id)
    }

    pub fn account_mut(&mut self, id: i64) -> Option<&mut Account> {
        self.accounts.get_mut(&id)
    }

    pub fn user(&self, id: i64) -> Option<&User> {
        self.accounts.get(&id).map(|account| &account.user)
    }

    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.accounts.values().map(|account| &account.user)
    }

    pub fn group(&self, id: i64) -> Option<&Group> {
        self.groups.get(&id)
    }

    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    pub fn by_username(&self, username: &str) -> Option<i64> {
        let mut users = self.users();
        users
            .find(|user| user.username.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(username)))
            .map(|user| user.id)
    }

    /// Finds a person by phone number; everything but digits is ignored.
    pub fn by_phone(&self, phone: &str) -> Option<i64> {
        let digits = digits(phone);
        self.users().find(|user| user.phone.as_deref() == Some(&digits)).map(|user| user.id)
    }

    pub fn by_token(&self, token: &str) -> Option<i64> {
        self.users().find(|user| user.bot.as_ref().is_some_and(|bot| bot.token == token)).map(|user| user.id)
    }

    /// The access hash by which `viewer` may name `user`. Never 0.
    pub fn access_hash(&self, viewer: i64, user: i64) -> i64 {
        let hash = crypto::sha256(&[b"access hash", &self.secret, &viewer.to_le_bytes(), &user.to_le_bytes()]);
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        i64::from_le_bytes(first).max(i64::MIN + 1) | 1
    }

    /// The peer of `viewer` that an id and an access hash name. Bots may leave out (write 0 for) the hash of users they have met:
    /// <https://core.telegram.org/api/peers>.
    pub fn check_user(&self, viewer: i64, user: i64, access_hash: i64, refusal: Refusal) -> Result<i64, Refusal> {
        let known = self.accounts.contains_key(&user);
        let right = access_hash == self.access_hash(viewer, user);
        let waived = access_hash == 0 && self.is_bot(viewer) && self.have_met(viewer, user);
        if known && (user == viewer || right || waived) { Ok(user) } else { Err(refusal) }
    }

    pub fn is_bot(&self, id: i64) -> bool {
        self.user(id).is_some_and(|user| user.bot.is_some())
    }

    /// Whether two accounts have a chat with each other or a group in common.
    pub fn have_met(&self, one: i64, other: i64) -> bool {
        let wrote = |a: i64, b: i64| self.account(a).is_some_and(|account| account.dialog(Peer::User(b)).is_some());
        wrote(one, other) || wrote(other, one) || self.common_groups(one, other).next().is_some()
    }

    pub fn common_groups(&self, one: i64, other: i64) -> impl Iterator<Item = &Group> {
        self.groups.values().filter(move |group| group.has(one) && group.has(other))
    }

    fn token(&self, id: i64) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let hash = crypto::sha256(&[b"bot token", &self.secret, &id.to_le_bytes()]);
        let secret: String =
            (0..33).map(|i| char::from(LETTERS[usize::from(hash[i % 32].rotate_left((i / 32) as u32)) % 64])).collect();
        format!("{id}:AA{secret}")
    }

    /// A number of the range that Telegram's test DCs give out (99966, the DC, four digits), further digits once these are used up.
    fn free_phone(&self, id: i64) -> String {
        let mut number = id - FIRST_USER + 1;
        loop {
            let phone = format!("999662{number:04}");
            if self.by_phone(&phone).is_none() {
                return phone;
            }
            number += 1;
        }
    }
}

/// The digits of a phone number as people write it.
pub fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}
