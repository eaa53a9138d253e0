//! The stream of updates: put in order, handed to scripts, and saved no further than they came.
//!
//! ```text
//! network ─▶ Updates::handle ─▶ walk (offsets only) ─▶ Sequencer ─▶ Arc<Update> ─▶ one queue per script
//! results of own calls ─▶ Updates::own_result ─┘                └▶ Ledger ─▶ what may be saved
//! ```

mod difference;
mod ledger;
mod own;
pub(super) mod sequencer;
mod shape;
mod short;
pub(super) mod task;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use super::ids::IdMap;
use super::peers::Peers;
use super::subscription::Queue;
use super::update::Span;
use super::{Mailbox, Place, Position, Update};
use crate::storage::UpdateState;
use crate::tl::{DecodeError, Reader, types};

use ledger::Ledger;
use own::Sent;
use sequencer::{Sequencer, Step};
use shape::{Role, Shape};
use walk::Container;

/// Everything that a stream of updates needs to know, behind one lock: what comes from the network, the results of own calls
/// and the answers to requests for the difference take part in one order, and none of them waits in a queue for it.
pub(super) struct Updates {
    sequencer: Sequencer<Arc<Update>>,
    ledger: Ledger,
    peers: Arc<Peers>,
    me: i64,
    is_bot: bool,
    queues: Vec<Arc<Queue>>,
    /// Told when a full queue has room again.
    room: Arc<Notify>,
    /// The `seq` of the last update handed to scripts.
    assigned: u64,
    sent: Sent,
    /// Kept for its memory: where the updates of the container at hand are.
    walked: Container,
    loose: Vec<Arc<Update>>,
    steps: Vec<Step<Arc<Update>>>,
}

/// Where the bytes of an `Updates` came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The server sent it on its own.
    Pushed,
    /// It is the result of a call that the host made: its own messages in it are no news to scripts.
    OwnCall,
}

impl Updates {
    pub fn new(
        state: UpdateState,
        channels: Vec<(i64, i32)>,
        peers: Arc<Peers>,
        (me, is_bot): (i64, bool),
        now: Duration,
    ) -> Updates {
        Updates {
            sequencer: Sequencer::new(state, channels, now),
            ledger: Ledger::new(state),
            peers,
            me,
            is_bot,
            queues: Vec::new(),
            room: Arc::default(),
            assigned: 0,
            sent: Sent::default(),
            walked: Container::default(),
            loose: Vec::new(),
            steps: Vec::new(),
        }
    }

    pub fn subscribe(&mut self, script: &str) -> Arc<Queue> {
        self.queues.retain(|queue| !queue.is_dropped());
        let queue = Arc::new(Queue::new(script, self.assigned, self.room.clone()));
        self.queues.push(queue.clone());
        queue
    }

    /// Handles one boxed `Updates` that the server sent. What cannot be read has the difference fetched.
    /// <https://core.telegram.org/api/updates>
    pub fn handle(&mut self, bytes: Bytes, now: Duration) {
        self.sequencer.heard(now);
        if let Err(error) = self.take(bytes, Origin::Pushed, now) {
            tracing::warn!("an update cannot be read ({error}); fetching the difference");
            self.sequencer.too_long(now);
        }
    }

    fn take(&mut self, bytes: Bytes, origin: Origin, now: Duration) -> Result<(), DecodeError> {
        let mut reader = Reader::new(&bytes);
        match reader.id()? {
            types::Updates::ID | types::UpdatesCombined::ID => {
                let mut walked = std::mem::take(&mut self.walked);
                let result = walked.read(&bytes, &self.peers);
                if result.is_ok() {
                    self.take_container(&bytes, &walked, origin, now);
                }
                self.walked = walked;
                result?;
            }
            types::UpdateShort::ID => {
                let mut walked = std::mem::take(&mut self.walked);
                let result = walked.read_short(&bytes);
                if result.is_ok() {
                    self.take_container(&bytes, &walked, origin, now);
                }
                self.walked = walked;
                result?;
            }
            types::UpdateShortMessage::ID => {
                self.take_short_message(types::UpdateShortMessage::read(&mut reader)?, now)
            }
            types::UpdateShortChatMessage::ID => {
                self.take_short_chat_message(types::UpdateShortChatMessage::read(&mut reader)?, now);
            }
            types::UpdatesTooLong::ID => self.sequencer.too_long(now),
            // A result of messages.sendMessage, which belongs to a call.
            types::UpdateShortSentMessage::ID if origin == Origin::Pushed => {}
            id => return Err(DecodeError::UnknownConstructor { id, expected: "Updates" }),
        }
        self.hand_on();
        Ok(())
    }

    /// First what has a place in a box, each by itself; then the rest, by the container's own place.
    /// <https://core.telegram.org/api/updates#update-handling>
    fn take_container(&mut self, bytes: &Bytes, container: &Container, origin: Origin, now: Duration) {
        let weight = container.weight(bytes);
        let mut loose = std::mem::take(&mut self.loose);
        for item in &container.items {
            let body = &bytes[item.span.range()];
            let mut hidden = false;
            match item.shape.role {
                Role::Plain => {}
                Role::Message => hidden = origin == Origin::OwnCall && self.sent.note(&body[4..]),
                Role::MessageId if origin == Origin::OwnCall => continue,
                Role::MessageId => {}
                Role::ChannelTooLong => {
                    self.channel_too_long(body, now);
                    continue;
                }
                Role::PtsChanged => {
                    self.sequencer.too_long(now);
                    continue;
                }
            }
            // The bytes are well-formed, so the place is there.
            let place = item.shape.place(body).unwrap_or_default();
            let update = (!hidden).then(|| container.update(bytes, item, place, weight));
            match (place, update) {
                (Some(place), update) => self.sequencer.counted(place, update, now, &mut self.steps),
                (None, Some(update)) => loose.push(update),
                (None, None) => {}
            }
        }
        let (start, seq, date) = (container.seq_start, container.seq, container.date);
        self.sequencer.group(start, seq, date, &mut loose, now, &mut self.steps);
        loose.clear();
        self.loose = loose;
    }

    fn channel_too_long(&mut self, update: &[u8], now: Duration) {
        let mut reader = Reader::new(update.get(4..).unwrap_or_default());
        if let Ok(update) = types::UpdateChannelTooLong::read(&mut reader) {
            self.sequencer.channel_too_long(update.channel_id, update.pts, now);
        }
    }

    /// Gives what the sequencer let pass to every script, in order.
    fn hand_on(&mut self) {
        let mut steps = std::mem::take(&mut self.steps);
        for step in steps.drain(..) {
            if let Some(update) = step.item {
                self.push(update);
            }
            let queues = &self.queues;
            let assigned = self.assigned;
            self.ledger.note(assigned, step.change, || delivered(queues, assigned));
        }
        self.steps = steps;
    }

    fn push(&mut self, mut update: Arc<Update>) {
        self.assigned += 1;
        // Nobody else holds it yet.
        if let Some(update) = Arc::get_mut(&mut update) {
            update.seq = self.assigned;
        }
        if let Some((last, others)) = self.queues.split_last() {
            for queue in others {
                queue.push(update.clone());
            }
            last.push(update);
        }
    }

    /// Whether a script's queue is full, so that nothing more may be taken from the network.
    pub fn is_full(&self) -> bool {
        self.queues.iter().any(|queue| queue.is_full())
    }

    pub fn room(&self) -> Arc<Notify> {
        self.room.clone()
    }

    pub fn position(&self) -> Position {
        Position {
            pts: self.sequencer.state().pts,
            assigned: self.assigned,
            delivered: delivered(&self.queues, self.assigned),
            behind: self.sequencer.is_behind(),
        }
    }

    /// What is to be saved now, if anything changed.
    pub fn take_saved(&mut self) -> Option<(UpdateState, IdMap<i32>)> {
        self.queues.retain(|queue| !queue.is_dropped());
        self.ledger.advance(delivered(&self.queues, self.assigned));
        self.ledger.take()
    }

    /// True while [`Updates::take_saved`] may have something later.
    pub fn is_unsaved(&self) -> bool {
        self.ledger.is_waiting()
    }

    /// Ends every subscription.
    pub fn close(&mut self) {
        for queue in self.queues.drain(..) {
            queue.close();
        }
    }
}

/// Up to where every script has delivered. One that is gone holds nothing back.
fn delivered(queues: &[Arc<Queue>], assigned: u64) -> u64 {
    let behind = queues.iter().filter(|queue| !queue.is_dropped()).map(|queue| queue.delivered());
    behind.min().unwrap_or(assigned).min(assigned)
}

#[cfg(test)]
mod tests;
