//! Basic groups. Every member has the rights that Telegram gives by default; the creator may also remove others, and with
//! the administrators delete what others wrote.

use serde::{Deserialize, Serialize};

use super::{Action, Effect, Peer, World};
use crate::local_dc::refusal::Refusal;

/// The most members of a basic group: `config.chat_size_max`.
pub const CHAT_SIZE_MAX: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub id: i64,
    pub title: String,
    pub creator: i64,
    pub date: i32,
    /// Raised with each change of the members: <https://core.telegram.org/constructor/chat>.
    pub version: i32,
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub user: i64,
    pub inviter: i64,
    pub date: i32,
    /// May delete what others wrote.
    #[serde(default)]
    pub is_admin: bool,
}

impl Group {
    pub fn has(&self, user: i64) -> bool {
        self.members.iter().any(|member| member.user == user)
    }

    /// Whether a member may delete what others wrote: the creator and the administrators.
    pub fn is_run_by(&self, user: i64) -> bool {
        self.creator == user || self.members.iter().any(|member| member.user == user && member.is_admin)
    }

    pub fn members(&self) -> impl Iterator<Item = i64> {
        self.members.iter().map(|member| member.user)
    }
}

impl World {
    /// Creates a group of `creator` and the other members.
    pub fn create_group(
        &mut self,
        creator: i64,
        title: &str,
        members: &[i64],
        now: i32,
    ) -> Result<(i64, Vec<Effect>), Refusal> {
        if title.trim().is_empty() {
            return Err(Refusal::bad("CHAT_TITLE_EMPTY"));
        }
        let mut everyone = vec![creator];
        for member in members {
            if self.user(*member).is_none() {
                return Err(Refusal::bad("USER_ID_INVALID"));
            }
            if !everyone.contains(member) {
                everyone.push(*member);
            }
        }
        if everyone.len() > CHAT_SIZE_MAX {
            return Err(Refusal::bad("USERS_TOO_MUCH"));
        }
        let id = self.next_group;
        self.next_group += 1;
        let title = title.trim().to_owned();
        let members =
            everyone.iter().map(|user| Member { user: *user, inviter: creator, date: now, is_admin: false }).collect();
        self.groups.insert(id, Group { id, title: title.clone(), creator, date: now, version: 1, members });
        let effects = self.announce(creator, id, Action::Created { title, members: everyone }, now);
        Ok((id, effects))
    }

    pub fn add_member(&mut self, inviter: i64, group: i64, user: i64, now: i32) -> Result<Vec<Effect>, Refusal> {
        self.member_of(inviter, group)?;
        if self.user(user).is_none() {
            return Err(Refusal::bad("USER_ID_INVALID"));
        }
        let Some(found) = self.groups.get_mut(&group) else { return Err(Refusal::bad("CHAT_ID_INVALID")) };
        if found.has(user) {
            return Err(Refusal::bad("USER_ALREADY_PARTICIPANT"));
        }
        if found.members.len() >= CHAT_SIZE_MAX {
            return Err(Refusal::bad("USERS_TOO_MUCH"));
        }
        found.members.push(Member { user, inviter, date: now, is_admin: false });
        found.version += 1;
        Ok(self.announce(inviter, group, Action::Added { members: vec![user] }, now))
    }

    /// Makes a member an administrator, or no longer one; only the creator can.
    pub fn set_admin(&mut self, by: i64, group: i64, user: i64, is_admin: bool) -> Result<(), Refusal> {
        if self.member_of(by, group)?.creator != by {
            return Err(Refusal::bad("CHAT_ADMIN_REQUIRED"));
        }
        let members = self.groups.get_mut(&group).into_iter().flat_map(|found| {
            found.version += 1;
            found.members.iter_mut()
        });
        let member = members.into_iter().find(|member| member.user == user);
        member.ok_or(Refusal::bad("USER_NOT_PARTICIPANT"))?.is_admin = is_admin;
        Ok(())
    }

    /// Takes a user out of a group: oneself, or, as its creator or as who invited them, another.
    pub fn remove_member(&mut self, remover: i64, group: i64, user: i64, now: i32) -> Result<Vec<Effect>, Refusal> {
        let found = self.member_of(remover, group)?;
        let Some(member) = found.members.iter().find(|member| member.user == user) else {
            return Err(Refusal::bad("USER_NOT_PARTICIPANT"));
        };
        if remover != user && found.creator != remover && member.inviter != remover {
            return Err(Refusal::bad("CHAT_ADMIN_REQUIRED"));
        }
        // The one who goes still gets the message that says so.
        let effects = self.announce(remover, group, Action::Removed { member: user }, now);
        if let Some(found) = self.groups.get_mut(&group) {
            found.members.retain(|member| member.user != user);
            found.version += 1;
        }
        Ok(effects)
    }

    /// The group, if `user` is in it.
    pub fn member_of(&self, user: i64, group: i64) -> Result<&Group, Refusal> {
        self.group(group).filter(|group| group.has(user)).ok_or(Refusal::bad("CHAT_ID_INVALID"))
    }

    /// Whether `viewer` may see the group: is in it, or was and has messages of it.
    pub fn sees_group(&self, viewer: i64, group: i64) -> bool {
        let remembers = || self.account(viewer).is_some_and(|account| account.dialog(Peer::Group(group)).is_some());
        self.group(group).is_some_and(|group| group.has(viewer)) || (self.group(group).is_some() && remembers())
    }
}
