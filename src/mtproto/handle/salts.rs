//! Server salts: which is valid when. <https://core.telegram.org/mtproto/description#server-salt>

use std::time::Duration;

use super::super::engine::Engine;
use super::super::outbox::{Outgoing, What};
use super::super::packet::{Message, body};
use super::super::{Event, MsgId, PacketError, Time};
use crate::tl::{Bare, functions, types};

/// A salt and its time: from `valid_since` until `valid_until`, in Unix time of the server.
/// <https://core.telegram.org/mtproto/service_messages#request-for-several-future-salts>
pub use crate::tl::types::FutureSalt;

fn is_valid(salt: &FutureSalt, unix: i64) -> bool {
    (i64::from(salt.valid_since)..i64::from(salt.valid_until)).contains(&unix)
}

/// "A maximum of 64" may be asked for.
const MAX_SALTS: usize = 64;

/// The salts of an auth key, as far as this side knows them.
#[derive(Debug)]
pub(in crate::mtproto) struct Salts {
    /// Used while no other is known to be valid.
    base: i64,
    /// By the time when they begin.
    future: Vec<FutureSalt>,
}

impl Salts {
    pub fn new(base: i64, mut future: Vec<FutureSalt>) -> Salts {
        future.sort_by_key(|salt| salt.valid_since);
        Salts { base, future }
    }

    /// The salt to put on a message now: of those that are valid the youngest, which is valid longest.
    pub fn current(&self, server_time: Duration) -> i64 {
        let unix = server_time.as_secs() as i64;
        self.future.iter().rev().find(|salt| is_valid(salt, unix)).map_or(self.base, |salt| salt.salt)
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

    /// Client: asks for salts ahead of their time; once they are known, the right one is used without a refusal.
    pub fn request_future_salts(&mut self, count: usize) {
        let body = body(functions::GetFutureSalts { num: count.clamp(1, MAX_SALTS) as i32 });
        let id = self.response_id();
        self.outbox.push(Outgoing { body, content: true, what: What::Service, id });
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
        self.events.push_back(Event::SaltChanged(salt));
    }

    pub(super) fn handle_future_salts(&mut self, message: &Message) -> Result<(), PacketError> {
        let types::FutureSalts { req_msg_id, salts, .. } = message.read()?;
        // "The client must check to see that the response's req_msg_id in fact coincides with msg_id of the query."
        // Of a query for salts, that is: what names a call is no answer to it.
        if self.calls.take_service(MsgId(req_msg_id), functions::GetFutureSalts::ID) {
            let salts = salts.iter().take(MAX_SALTS).map(|Bare(salt)| salt).collect();
            self.salts = Salts::new(self.salts.base, salts);
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
