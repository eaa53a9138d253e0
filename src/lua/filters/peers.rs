//! `filters.user{…}` and `filters.chat{…}`: by id, by `"@name"`, or `"me"`.

use std::collections::HashSet;

use super::command::with_lower;
use crate::lua::events::View;

#[derive(Clone, Debug, Default)]
pub(in crate::lua) struct PeerSet {
    ids: HashSet<i64>,
    /// In lower case, without `@`.
    names: HashSet<String>,
    me: bool,
}

impl PeerSet {
    pub fn add_id(&mut self, id: i64) {
        self.ids.insert(id);
    }

    /// A username, with `@` or without; `me` and `self` are the account.
    pub fn add_name(&mut self, name: &str) {
        match name {
            "me" | "self" => self.me = true,
            _ => drop(self.names.insert(name.trim_start_matches('@').to_lowercase())),
        }
    }

    pub fn has_sender(&self, view: &View) -> bool {
        let Some(id) = view.sender_id() else { return false };
        self.has(id, view)
    }

    pub fn has_chat(&self, view: &View) -> bool {
        let Some(chat) = view.chat() else { return false };
        self.has(chat.id(), view)
    }

    fn has(&self, id: i64, view: &View) -> bool {
        self.ids.contains(&id)
            || self.me && id == view.me.id
            || !self.names.is_empty() && view.usernames(id, |name| with_lower(name, |lower| self.names.contains(lower)))
    }
}
