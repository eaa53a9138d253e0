//! The answers to updates.getDifference and updates.getChannelDifference.
//! <https://core.telegram.org/api/updates#recovering-gaps>

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::sequencer::{Change, Fetch, Step};
use super::shape::{Role, message_id_and_out};
use super::walk::{Container, pass_peers};
use super::{Mailbox, Span, Update, Updates};
use crate::client::peers::Peers;
use crate::storage::UpdateState;
use crate::tl::{self, DecodeError, Reader, VECTOR, types};

impl Updates {
    /// What is to be asked of the server now; call until `None`.
    pub fn poll_fetch(&mut self, now: Duration) -> Option<Fetch> {
        self.sequencer.poll_fetch(now)
    }

    /// When to call [`Updates::poll_fetch`] next.
    pub fn deadline(&self) -> Duration {
        self.sequencer.deadline()
    }

    /// The difference is to be fetched, whatever is known: at the start, after a new session, after updates were let go.
    pub fn fetch_difference(&mut self, now: Duration) {
        self.sequencer.too_long(now);
    }

    pub fn fetch_failed(&mut self, fetch: Fetch, retry: Duration) {
        self.sequencer.fetch_failed(fetch, retry);
    }

    /// The server's state in place of ours, which it does not accept: what lies between is lost.
    pub fn adopt(&mut self, state: UpdateState, now: Duration) {
        let ours = self.sequencer.state();
        tracing::error!("gap: the server does not accept our update state {ours:?}; going on from its {state:?}");
        self.sequencer.difference(state, true, now, &mut self.steps);
        self.hand_on();
    }

    /// The channel cannot be followed any more.
    pub fn forget_channel(&mut self, id: i64) {
        self.sequencer.forget_channel(id, &mut self.steps);
        self.hand_on();
    }

    /// Takes an `updates.Difference`: its updates in order, then its state, then what came too early.
    pub fn difference(&mut self, bytes: Bytes, now: Duration) -> Result<(), DecodeError> {
        let before = self.sequencer.state();
        let mut reader = Reader::new(&bytes);
        match reader.id()? {
            types::UpdatesDifferenceEmpty::ID => {
                let empty = types::UpdatesDifferenceEmpty::read(&mut reader)?;
                let state = UpdateState { date: empty.date, seq: empty.seq, ..before };
                self.sequencer.difference(state, true, now, &mut self.steps);
            }
            id @ (types::UpdatesDifference::ID | types::UpdatesDifferenceSlice::ID) => {
                let answer = Answer::read(&bytes, &mut reader, &self.peers, true)?;
                reader.expect(types::UpdatesState::ID)?;
                let state = types::UpdatesState::read(&mut reader)?;
                let state = UpdateState { pts: state.pts, qts: state.qts, date: state.date, seq: state.seq };
                let count = self.hand_on_answer(&bytes, answer, Mailbox::Common, now);
                let last = id == types::UpdatesDifference::ID;
                if count > 0 || !last {
                    tracing::info!("difference: {count} updates, pts {} to {}", before.pts, state.pts);
                }
                // A slice that brings nothing and leads nowhere would be asked for for ever.
                let last = last || state == before;
                self.sequencer.difference(state, last, now, &mut self.steps);
            }
            types::UpdatesDifferenceTooLong::ID => {
                let pts = types::UpdatesDifferenceTooLong::read(&mut reader)?.pts;
                tracing::error!("gap: the server has no difference from pts {} on; going on from {pts}", before.pts);
                let last = pts == before.pts;
                self.sequencer.difference(UpdateState { pts, ..before }, last, now, &mut self.steps);
            }
            id => return Err(DecodeError::UnknownConstructor { id, expected: "updates.Difference" }),
        }
        self.hand_on();
        Ok(())
    }

    /// Takes an `updates.ChannelDifference`.
    pub fn channel_difference(&mut self, id: i64, bytes: Bytes, now: Duration) -> Result<(), DecodeError> {
        let before = self.sequencer.channel(id).unwrap_or(0);
        let mut reader = Reader::new(&bytes);
        let (pts, last) = match reader.id()? {
            types::UpdatesChannelDifferenceEmpty::ID => {
                let empty = types::UpdatesChannelDifferenceEmpty::read(&mut reader)?;
                // Without `final` an empty answer would be asked for again at once.
                (empty.pts, empty.r#final || empty.pts == before)
            }
            types::UpdatesChannelDifference::ID => {
                let flags = reader.id()?;
                let pts = reader.int()?;
                if flags & 2 != 0 {
                    reader.int()?;
                }
                let answer = Answer::read(&bytes, &mut reader, &self.peers, false)?;
                let count = self.hand_on_answer(&bytes, answer, Mailbox::Channel(id), now);
                tracing::info!("difference of channel {id}: {count} updates, pts {before} to {pts}");
                (pts, flags & 1 != 0 || pts == before)
            }
            types::UpdatesChannelDifferenceTooLong::ID => {
                let answer = tl::decode_object(&bytes)?;
                let pts = answer.object("dialog").and_then(|dialog| dialog.int("pts"));
                let pts = pts.and_then(|pts| i32::try_from(pts).ok()).unwrap_or(before);
                tracing::error!("gap: channel {id} has no difference from pts {before} on; going on from {pts}");
                (pts, true)
            }
            id => return Err(DecodeError::UnknownConstructor { id, expected: "updates.ChannelDifference" }),
        };
        self.sequencer.channel_difference(id, pts, last, now, &mut self.steps);
        self.hand_on();
        Ok(())
    }

    /// Gives the updates of an answer their places; returns how many there are. They are in order as they are, so those of the
    /// box that was asked for are not checked again.
    fn hand_on_answer(&mut self, bytes: &Bytes, answer: Answer, mailbox: Mailbox, now: Duration) -> usize {
        let Answer { messages, encrypted, container } = answer;
        let count = messages.len() + encrypted.len() + container.items.len();
        let new_message = match mailbox {
            Mailbox::Channel(_) => types::UpdateNewChannelMessage::ID,
            _ => types::UpdateNewMessage::ID,
        };
        // Behind the answer itself, so that every update finds its peers in the same bytes.
        let mut whole = bytes.to_vec();
        let mut made = Vec::with_capacity(messages.len() + encrypted.len());
        for message in messages {
            let body = &bytes[message.range()];
            let own = message_id_and_out(body).is_some_and(|(id, out)| out && (self.is_bot || self.sent.contains(id)));
            if !own {
                made.push((new_message, append(&mut whole, new_message, body, 8)));
            }
        }
        for message in encrypted {
            let id = types::UpdateNewEncryptedMessage::ID;
            made.push((id, append(&mut whole, id, &bytes[message.range()], 4)));
        }
        let whole = Bytes::from(whole);
        let weight = (whole.len() / count.max(1) + size_of::<Update>()) as u32;
        let (users, chats) = (container.users, container.chats);
        for (id, body) in made {
            let bytes = whole.clone();
            let update = Update { seq: 0, id, date: 0, place: None, bytes, body, users, chats, weight };
            self.steps.push(Step { item: Some(Arc::new(update)), change: Change::Nothing });
        }
        for item in &container.items {
            let body = &whole[item.span.range()];
            if item.shape.role == Role::ChannelTooLong {
                self.channel_too_long(body, now);
                continue;
            }
            let place = item.shape.place(body).unwrap_or_default();
            let update = container.update(&whole, item, place, weight);
            match place {
                Some(place) if matches!(place.mailbox, Mailbox::Channel(_)) && place.mailbox != mailbox => {
                    self.sequencer.counted(place, Some(update), now, &mut self.steps);
                }
                _ => self.steps.push(Step { item: Some(update), change: Change::Nothing }),
            }
        }
        self.hand_on();
        count
    }
}

/// Where the parts of a difference are.
struct Answer {
    messages: Vec<Span>,
    encrypted: Vec<Span>,
    container: Container,
}

impl Answer {
    /// Reads `new_messages`, `new_encrypted_messages` if there are such, `other_updates`, `chats` and `users`.
    fn read(bytes: &[u8], reader: &mut Reader<'_>, peers: &Peers, has_encrypted: bool) -> Result<Answer, DecodeError> {
        let messages = spans(bytes, reader)?;
        let encrypted = if has_encrypted { spans(bytes, reader)? } else { Vec::new() };
        let mut container = Container::default();
        container.read_updates(bytes, reader)?;
        let mut noting = peers.note();
        container.chats = pass_peers(bytes, reader, &mut noting)?;
        container.users = pass_peers(bytes, reader, &mut noting)?;
        Ok(Answer { messages, encrypted, container })
    }
}

/// Where each item of a boxed vector is.
fn spans(bytes: &[u8], reader: &mut Reader<'_>) -> Result<Vec<Span>, DecodeError> {
    reader.expect(VECTOR)?;
    let count = reader.count(4)?;
    (0..count)
        .map(|_| {
            let start = bytes.len() - reader.rest().len();
            reader.skip_object()?;
            Ok(Span::new(start, bytes.len() - reader.rest().len()))
        })
        .collect()
}

/// Appends an update: its id, the message, and zeros for its place, which a difference does not tell.
fn append(whole: &mut Vec<u8>, id: u32, message: &[u8], zeros: usize) -> Span {
    let start = whole.len();
    whole.extend_from_slice(&id.to_le_bytes());
    whole.extend_from_slice(message);
    whole.resize(whole.len() + zeros, 0);
    Span::new(start, whole.len())
}
