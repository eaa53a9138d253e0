//! Is anybody there? <https://core.telegram.org/mtproto/service_messages#ping-messages-ping-pong>

use std::time::Duration;

use super::super::engine::{Engine, Timing};
use super::super::ids::IdKind;
use super::super::outbox::{Id, Outgoing, What};
use super::super::packet::{Message, body};
use super::super::{Event, MsgId, PacketError, Side, Time};
use crate::tl::{functions, types};

/// When the peer was heard, and what is to be done if it is not heard again. All in monotonic time.
#[derive(Debug)]
pub(in crate::mtproto) struct Liveness {
    heard: Duration,
    /// Since when calls have waited without a pause.
    waiting_since: Option<Duration>,
    ping: Option<Ping>,
    next_ping: Duration,
    /// The owner was told that nobody is there.
    told: bool,
    /// Server: when the client wants to be disconnected.
    disconnect: Option<Duration>,
}

/// A ping without an answer.
#[derive(Debug)]
struct Ping {
    id: i64,
    sent: Option<Duration>,
}

impl Liveness {
    /// A new connection; what was asked on an old one is forgotten.
    pub fn new(now: Duration, timing: &Timing) -> Liveness {
        let next_ping = now + timing.ping_interval;
        Liveness { heard: now, waiting_since: None, ping: None, next_ping, told: false, disconnect: None }
    }

    pub fn heard(&mut self, now: Duration, calls_wait: bool) {
        self.heard = now;
        self.told = false;
        if !calls_wait {
            self.waiting_since = None;
        }
    }

    pub fn began_to_wait(&mut self, now: Duration) {
        self.waiting_since.get_or_insert(now);
    }

    /// The ping went out.
    pub fn ping_left(&mut self, now: Duration) {
        if let Some(ping) = &mut self.ping {
            ping.sent.get_or_insert(now);
        }
    }
}

impl Engine {
    /// A packet left.
    pub(in crate::mtproto) fn sent_something(&mut self, now: Time) {
        if self.side == Side::Client && self.calls.len() > 0 {
            self.liveness.began_to_wait(now.mono);
        }
    }

    /// When [`handle_liveness`](Self::handle_liveness) has something to do.
    pub(in crate::mtproto) fn liveness_due(&self) -> Option<Duration> {
        if self.side == Side::Server {
            return self.liveness.disconnect;
        }
        let end = self.unresponsive_at().filter(|_| !self.liveness.told);
        end.into_iter().chain([self.ping_at()]).min()
    }

    pub(in crate::mtproto) fn handle_liveness(&mut self, now: Time) {
        if self.side == Side::Server {
            if self.liveness.disconnect.is_some_and(|due| due <= now.mono) {
                self.liveness.disconnect = None;
                self.events.push_back(Event::DisconnectDue);
            }
            return;
        }
        if self.ping_at() <= now.mono {
            self.ping(now);
            self.ask_again_about_calls();
        }
        if self.unresponsive_at().is_some_and(|due| due <= now.mono) && !self.liveness.told {
            self.liveness.told = true;
            self.events.push_back(Event::Unresponsive);
        }
    }

    /// The next ping: by the interval, or sooner when calls wait and nothing is heard.
    fn ping_at(&self) -> Duration {
        let by_interval = self.liveness.next_ping;
        match self.liveness.waiting_since {
            Some(since) if self.liveness.ping.is_none() && self.calls.len() > 0 => {
                by_interval.min(since.max(self.liveness.heard) + self.timing.silence)
            }
            _ => by_interval,
        }
    }

    /// When a ping has gone unanswered for too long, and nothing else was heard either.
    fn unresponsive_at(&self) -> Option<Duration> {
        let sent = self.liveness.ping.as_ref()?.sent?;
        Some(sent.max(self.liveness.heard) + self.timing.pong_timeout)
    }

    /// Client: bytes of a packet that is not whole yet have come, enough to say that somebody is there. Without this, an
    /// answer that takes longer than a ping may would never come over a slow network.
    pub fn bytes_came(&mut self, now: Time) {
        self.liveness.heard = now.mono;
    }

    /// Client: asks whether anybody is there; the answer is [`Event::Pong`].
    pub fn ping(&mut self, now: Time) -> i64 {
        let ping_id = self.random.i64();
        let ping = match self.timing.disconnect_delay {
            Some(delay) => {
                let disconnect_delay = delay.as_secs() as i32;
                body(functions::PingDelayDisconnect { ping_id, disconnect_delay })
            }
            None => body(functions::Ping { ping_id }),
        };
        // "These messages do not require acknowledgments."
        let id = Id::New(IdKind::FromClient);
        self.outbox.push(Outgoing { body: ping, content: false, what: What::Momentary, id });
        // Asking again gives nobody more time to answer.
        let sent = self.liveness.ping.take().and_then(|ping| ping.sent);
        self.liveness.ping = Some(Ping { id: ping_id, sent });
        self.liveness.next_ping = now.mono + self.timing.ping_interval;
        ping_id
    }

    pub(super) fn handle_pong(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let types::Pong { msg_id, ping_id } = message.read()?;
        if let Some(ping) = self.liveness.ping.take_if(|ping| ping.id == ping_id) {
            let took = now.mono.saturating_sub(ping.sent.unwrap_or(now.mono));
            self.ids.accepted(MsgId(msg_id));
            self.calls.refusals = 0;
            self.clock_at_most(message.id, took, now);
            self.events.push_back(Event::Pong { ping_id, took });
        }
        Ok(())
    }

    pub(super) fn handle_ping(&mut self, message: &Message) -> Result<(), PacketError> {
        let functions::Ping { ping_id } = message.read()?;
        self.pong(message.id, ping_id);
        Ok(())
    }

    /// "Works like ping. In addition, after this is received, the server starts a timer which will close the current
    /// connection disconnect_delay seconds later unless it receives a new message of the same type."
    /// <https://core.telegram.org/mtproto/service_messages#deferred-connection-closure--ping>
    pub(super) fn handle_ping_delay_disconnect(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let functions::PingDelayDisconnect { ping_id, disconnect_delay } = message.read()?;
        self.liveness.disconnect = Some(now.mono + Duration::from_secs(disconnect_delay.max(0) as u64));
        self.pong(message.id, ping_id);
        Ok(())
    }

    fn pong(&mut self, to: MsgId, ping_id: i64) {
        self.send_service(body(types::Pong { msg_id: to.0, ping_id }));
    }
}
