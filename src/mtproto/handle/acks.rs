//! Acknowledgments: ours, batched and in time, and theirs.
//!
//! <https://core.telegram.org/mtproto/service_messages_about_messages#acknowledgment-of-receipt>

use std::time::Duration;

use super::super::calls::MAX_IDS;
use super::super::engine::Engine;
use super::super::outbox::{Id, Outgoing, What};
use super::super::packet::{Message, body};
use super::super::{MsgId, PacketError, Side, Time};
use crate::tl::{List, types};

/// "A large number of unacknowledged messages from the server (say, over 16)".
const MANY: usize = 16;

/// What we have received and not acknowledged yet.
#[derive(Debug, Default)]
pub(in crate::mtproto) struct Acks {
    waiting: Vec<i64>,
    /// When they have waited long enough; in monotonic time.
    due: Option<Duration>,
}

impl Acks {
    pub fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Whether they go even alone. A server's go with its answers, so only their time matters.
    pub fn are_due(&self, side: Side, now: Duration) -> bool {
        self.due.is_some_and(|due| due <= now) || side == Side::Client && self.waiting.len() > MANY
    }

    /// All that wait, as a message, up to what one may carry.
    pub fn take(&mut self, id: Id) -> Option<Outgoing> {
        if self.waiting.is_empty() {
            return None;
        }
        let more = self.waiting.split_off(self.waiting.len().min(MAX_IDS));
        let ids = std::mem::replace(&mut self.waiting, more);
        self.settle_due();
        let body = body(types::MsgsAck { msg_ids: ids[..].into() });
        Some(Outgoing { body, content: false, what: What::Service, id })
    }

    /// An answer says it already.
    pub fn forget(&mut self, id: MsgId) {
        self.waiting.retain(|waiting| *waiting != id.0);
        self.settle_due();
    }

    fn settle_due(&mut self) {
        if self.waiting.is_empty() {
            self.due = None;
        }
    }
}

impl Engine {
    /// The message will be acknowledged with the next packet, or after the ack delay.
    pub(super) fn acknowledge(&mut self, id: MsgId, now: Time) {
        self.acks.waiting.push(id.0);
        self.acks.due.get_or_insert(now.mono + self.timing.ack_delay);
    }

    /// The peer has these messages: a server need not keep them any longer.
    pub(super) fn handle_acks(&mut self, message: &Message) -> Result<(), PacketError> {
        for id in ids(message.read::<types::MsgsAck>()?.msg_ids)? {
            match self.side {
                // It keeps its calls until they are answered: an acknowledgment is no answer.
                Side::Client => self.received_by_server(id),
                Side::Server => drop(self.kept.remove(id)),
            }
        }
        Ok(())
    }
}

/// "Max 8192 IDs are allowed per constructor."
pub(super) fn ids(list: List<'_, i64>) -> Result<impl Iterator<Item = MsgId>, PacketError> {
    if list.len() > MAX_IDS {
        return Err(PacketError::TooManyIds(list.len()));
    }
    Ok(list.iter().map(MsgId))
}
