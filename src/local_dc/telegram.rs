//! Everything that the local DC knows, as a value: the world, who is signed in, and what waits to be told to whom.
//!
//! [`api`](super::api) answers queries on it; [`server`](super::server) carries queries in, and answers and pushes out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use tokio::sync::oneshot;

use super::api::teller::Teller;
use super::events::WorldEvent;
use super::keys::Keys;
use super::refusal::Refusal;
use super::world::{Change, Draft, Effect, Peer, World};
use crate::tl::{Object, Value};

/// A session: the auth key's id and the session id that the client chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    pub auth_key: u64,
    pub session: i64,
}

/// Updates for all sessions of an account but one.
#[derive(Debug, PartialEq)]
pub struct Push {
    pub to: i64,
    /// The session that caused them gets them in its answer.
    pub except: Option<SessionKey>,
    /// A boxed `Updates`.
    pub updates: Object,
}

/// Who waits for an answer that comes later.
#[derive(Debug)]
pub enum Waiter {
    /// A query of a client.
    Query { session: SessionKey, msg_id: i64 },
    /// Whoever pressed a button through the handle.
    Handle(oneshot::Sender<Result<Value, Refusal>>),
}

/// A sign-in that has begun: the code was sent.
#[derive(Debug, Clone)]
pub struct PendingCode {
    pub hash: String,
    pub expires: i32,
    /// The right code was given, but the number is not anyone's yet: auth.signUp may follow.
    pub verified: bool,
}

/// A button that was pressed, until its bot has answered.
#[derive(Debug)]
pub struct Press {
    pub user: i64,
    pub bot: i64,
    pub waiter: Waiter,
    pub deadline: i32,
}

#[derive(Debug)]
pub struct Telegram {
    pub world: World,
    pub keys: Keys,
    pub codes: BTreeMap<String, PendingCode>,
    pub presses: HashMap<i64, Press>,
    next_press: i64,
    pub pushes: Vec<Push>,
    pub answers: Vec<(Waiter, Result<Value, Refusal>)>,
    pub events: Vec<WorldEvent>,
    pub dc_id: i32,
    pub address: SocketAddr,
    /// Something to be kept has changed since the last time it was kept.
    pub changed: bool,
}

impl Telegram {
    pub fn new(world: World, keys: Keys, dc_id: i32, address: SocketAddr) -> Telegram {
        Telegram {
            world,
            keys,
            codes: BTreeMap::new(),
            presses: HashMap::new(),
            next_press: 1,
            pushes: Vec::new(),
            answers: Vec::new(),
            events: Vec::new(),
            dc_id,
            address,
            changed: true,
        }
    }

    /// The code that signs in to every number here: the DC's number five times, as on Telegram's test DCs
    /// (<https://core.telegram.org/api/auth#test-accounts>).
    pub fn code(&self) -> String {
        self.dc_id.to_string().repeat(5)
    }

    /// Writes a message without a client, as `from` would.
    pub fn send(&mut self, from: i64, peer: Peer, text: &str, now: i32) -> Result<i32, Refusal> {
        let (number, effects) = self.world.send(from, peer, Draft::text(text), None, now)?;
        self.publish(&effects, None, now);
        let copies = self.world.message(number).map(|message| &message.copies);
        copies.and_then(|copies| copies.get(&from).copied()).ok_or(Refusal::new(500, "MESSAGE_LOST"))
    }

    /// Tells everyone concerned of what happened, all sessions of them but `except`.
    pub fn publish(&mut self, effects: &[Effect], except: Option<SessionKey>, now: i32) {
        self.changed |= !effects.is_empty();
        for account in effects.iter().map(|effect| effect.account).collect::<BTreeSet<i64>>() {
            let mut teller = Teller::new(&self.world, account);
            let entries = effects.iter().filter(|effect| effect.account == account);
            let updates: Vec<Object> = entries.filter_map(|effect| teller.update(&effect.entry)).collect();
            let updates = teller.finish_updates(updates, now);
            self.pushes.push(Push { to: account, except, updates });
        }
        self.note_events(effects);
    }

    /// Tells an account of something that is not counted, such as typing.
    pub fn signal(
        &mut self,
        to: i64,
        except: Option<SessionKey>,
        update: impl FnOnce(&mut Teller<'_>) -> Object,
        now: i32,
    ) {
        let mut teller = Teller::new(&self.world, to);
        let updates = vec![update(&mut teller)];
        let updates = teller.finish_updates(updates, now);
        self.pushes.push(Push { to, except, updates });
    }

    /// Begins a press of a button; the bot is told, and `waiter` gets its answer.
    pub fn press(&mut self, press: Press) -> i64 {
        let query = self.next_press;
        self.next_press += 1;
        self.presses.insert(query, press);
        query
    }

    /// Gives up on what nobody answered in time.
    pub fn tick(&mut self, now: i32) {
        let late: Vec<i64> =
            self.presses.iter().filter(|(_, press)| press.deadline <= now).map(|(query, _)| *query).collect();
        for query in late {
            if let Some(press) = self.presses.remove(&query) {
                self.answers.push((press.waiter, Err(Refusal::bad("BOT_RESPONSE_TIMEOUT"))));
            }
        }
        self.codes.retain(|_, code| code.expires > now);
    }

    fn note_events(&mut self, effects: &[Effect]) {
        let mut told = BTreeSet::new();
        for effect in effects {
            let id = match &effect.entry.change {
                Change::New { id } | Change::Edited { id } => *id,
                Change::Deleted { ids } => {
                    self.events.push(WorldEvent::Deleted { account: effect.account, ids: ids.clone() });
                    continue;
                }
                Change::ReadInbox { .. } | Change::ReadOutbox { .. } => continue,
            };
            let Some(view) = self.world.view(effect.account, id) else { continue };
            if told.insert(view.message.id) {
                let written = super::events::written(view.message);
                let edited = matches!(effect.entry.change, Change::Edited { .. });
                self.events.push(if edited { WorldEvent::Edited(written) } else { WorldEvent::NewMessage(written) });
            }
        }
    }
}
