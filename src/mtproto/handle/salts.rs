//! Server salts: which is valid when. <https://core.telegram.org/mtproto/description#server-salt>

use std::time::Duration;

use super::super::engine::Engine;
use super::super::outbox::{Outgoing, What};
use super::super::packet::{Message, body};
use super::super::{Event, MsgId, PacketError, Side, Time};
use crate::tl::{Bare, functions, types};

/// A salt and its time: from `valid_since` until `valid_until`, in Unix time of the server.
/// <https://core.telegram.org/mtproto/service_messages#request-for-several-future-salts>
pub use crate::tl::types::FutureSalt;

fn is_valid(salt: &FutureSalt, unix: i64) -> bool {
    (i64::from(salt.valid_since)..i64::from(salt.valid_until)).contains(&unix)
}

/// "A maximum of 64" may be asked for.
const MAX_SALTS: usize = 64;

/// A salt is used only when it has been valid for so many seconds, and will be for as many, if there is one like that: the
/// clocks of both sides differ a little, and a message takes its time.
const MARGIN: i64 = 60;

/// A client that has asked for salts does not ask again sooner, answered or not.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// The salts of an auth key, as far as this side knows them.
#[derive(Debug)]
pub(in crate::mtproto) struct Salts {
    /// Used while no other is known to be valid.
    base: i64,
    /// By the time when they begin.
    future: Vec<FutureSalt>,
    /// Client: when to ask for more, in monotonic time; None until the session has begun.
    ask: Option<Duration>,
    /// Client: when a refusal last made it ask at once.
    refused: Option<Duration>,
    /// Client: the one that the owner knows of.
    told: i64,
}

impl Salts {
    pub fn new(base: i64, mut future: Vec<FutureSalt>) -> Salts {
        future.sort_by_key(|salt| salt.valid_since);
        Salts { base, future, ask: None, refused: None, told: base }
    }

    /// When salts are to be asked for.
    pub fn due(&self) -> Option<Duration> {
        self.ask
    }

    /// The salt to put on a message now: of those that are valid the youngest, which is valid longest.
    pub fn current(&self, server_time: Duration) -> i64 {
        let unix = server_time.as_secs() as i64;
        let surely = |salt: &&FutureSalt| is_valid(salt, unix - MARGIN) && is_valid(salt, unix + MARGIN);
        let youngest = || self.future.iter().rev();
        let chosen = youngest().find(surely).or_else(|| youngest().find(|salt| is_valid(salt, unix)));
        chosen.map_or(self.base, |salt| salt.salt)
    }

    /// How long the salts that are known last.
    fn known_for(&self, server_time: Duration) -> Duration {
        let end = self.future.iter().map(|salt| salt.valid_until).max().unwrap_or(0);
        Duration::from_secs(end.max(0) as u64).saturating_sub(server_time)
    }

    /// Server: whether a message may have this salt now. Before one ends the next is valid already.
    pub fn accepts(&self, salt: i64, server_time: Duration) -> bool {
        let unix = server_time.as_secs() as i64;
        let mut valid = self.future.iter().filter(|salt| is_valid(salt, unix)).peekable();
        match valid.peek() {
            Some(_) => valid.any(|valid| valid.salt == salt),
            None => salt == self.base,
        }
    }
}

impl Engine {
    /// Server: salts are `salts` from now on.
    pub fn set_future_salts(&mut self, salts: Vec<FutureSalt>) {
        self.salts = Salts::new(self.salts.base, salts);
    }

    /// Client: the session has begun: salts are asked for at once, unless that is planned already.
    pub(in crate::mtproto) fn plan_first_salts(&mut self, now: Time) {
        if self.side == Side::Client && self.salts.ask.is_none() {
            self.salts.ask = Some(now.mono);
        }
    }

    /// Client: more salts are asked for when half of the time is over that the known ones last, so that there is one for every
    /// message long before the server wants it. <https://core.telegram.org/mtproto/service_messages#request-for-several-future-salts>
    pub(in crate::mtproto) fn plan_salts(&mut self, now: Time) {
        if self.salts.ask.is_some() {
            self.salts.ask = Some(now.mono + self.salts.known_for(self.clock.unix(now)) / 2);
        }
    }

    pub(in crate::mtproto) fn ask_for_salts(&mut self, now: Time) {
        if self.salts.ask.is_some_and(|due| due <= now.mono) {
            self.salts.ask = Some(now.mono + ASK_AGAIN);
            let body = body(functions::GetFutureSalts { num: MAX_SALTS as i32 });
            let id = self.response_id();
            self.outbox.push(Outgoing { body, content: true, what: What::Service, id });
        }
    }

    /// Client: tells the owner when messages have begun to carry another salt.
    pub(in crate::mtproto) fn note_salt(&mut self, now: Time) {
        let salt = self.server_salt(now);
        if self.side == Side::Client && self.salts.told != salt {
            self.salts.told = salt;
            self.events.push_back(Event::SaltChanged(salt));
        }
    }

    /// Client: the server says that this is the salt now.
    pub(super) fn adopt_salt(&mut self, salt: i64, now: Time) {
        if self.server_salt(now) == salt {
            return;
        }
        // What was thought to be valid now is not.
        let unix = self.clock.unix(now).as_secs() as i64;
        self.salts.future.retain(|salt| i64::from(salt.valid_since) > unix);
        self.salts.base = salt;
        self.note_salt(now);
        // So may others be that are thought to be known. A server that has another salt each time is not asked each time.
        let soonest = match self.salts.refused {
            Some(planned) if planned > now.mono => planned,
            Some(refused) => now.mono.max(refused + ASK_AGAIN),
            None => now.mono,
        };
        if let Some(ask) = &mut self.salts.ask {
            *ask = soonest;
            self.salts.refused = Some(soonest);
        }
    }

    pub(super) fn handle_future_salts(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let types::FutureSalts { req_msg_id, salts, .. } = message.read()?;
        // "The client must check to see that the response's req_msg_id in fact coincides with msg_id of the query."
        // Of a query for salts, that is: what names a call is no answer to it.
        if self.calls.take_service(MsgId(req_msg_id), functions::GetFutureSalts::ID) {
            let salts = salts.iter().take(MAX_SALTS).map(|Bare(salt)| salt).collect();
            let Salts { base, ask, refused, told, .. } = self.salts;
            self.salts = Salts { ask, refused, told, ..Salts::new(base, salts) };
            self.plan_salts(now);
            self.salts.ask = self.salts.ask.max(Some(now.mono + ASK_AGAIN));
        }
        Ok(())
    }

    pub(super) fn handle_get_future_salts(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let wanted = message.read::<functions::GetFutureSalts>()?.num.clamp(1, MAX_SALTS as i32) as usize;
        let server_time = self.clock.unix(now);
        let unix = server_time.as_secs() as i32;
        let mut salts: Vec<FutureSalt> =
            self.salts.future.iter().filter(|salt| salt.valid_until > unix).take(wanted).copied().collect();
        if salts.is_empty() {
            // The one there is has no end; an hour is what a salt lives.
            salts.push(FutureSalt { valid_since: unix, valid_until: unix + 3600, salt: self.salts.base });
        }
        let salts: Vec<Bare<FutureSalt>> = salts.into_iter().map(Bare).collect();
        self.send_service(body(types::FutureSalts { req_msg_id: message.id.0, now: unix, salts: salts[..].into() }));
        Ok(())
    }
}
