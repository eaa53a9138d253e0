//! What the results of the host's own calls say: they take their places among the updates, and the host's own messages in them
//! are no news to scripts.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::shape::message_id_and_out;
use super::{Mailbox, Origin, Place, Updates};
use crate::tl::{Definition, Field, Fields, Raw, Reader, Type, by_id, types};

/// Messages remembered as the host's own, for the case that a difference brings them once more.
const REMEMBERED: usize = 1_024;

/// The ids of messages that the host itself sent of late.
#[derive(Default)]
pub(super) struct Sent {
    ids: HashSet<i32>,
    order: VecDeque<i32>,
}

impl Sent {
    /// Looks at a boxed `Message`, and remembers it if it is the host's own.
    pub fn note(&mut self, message: &[u8]) -> bool {
        let Some((id, true)) = message_id_and_out(message) else { return false };
        self.remember(id);
        true
    }

    fn remember(&mut self, id: i32) {
        if self.ids.insert(id) {
            self.order.push_back(id);
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.ids.remove(&oldest);
            }
        }
    }

    pub fn contains(&self, id: i32) -> bool {
        self.ids.contains(&id)
    }
}

impl Updates {
    /// Looks at the result of a call: its updates and its pts take their places, its peers are noted.
    /// What cannot be read is no matter here: the caller will see, and a gap is fetched.
    pub fn own_result(&mut self, call: &[u8], result: &Bytes, now: Duration) {
        let Ok(id) = Reader::new(result).id() else { return };
        let Some(definition) = by_id(id) else {
            self.note_vector(result);
            return;
        };
        match id {
            types::UpdateShortSentMessage::ID => {
                let mut reader = Reader::new(&result[4..]);
                if let Ok(sent) = types::UpdateShortSentMessage::read(&mut reader) {
                    self.sent.remember(sent.id);
                    self.take_place(Mailbox::Common, sent.pts, sent.pts_count, now);
                }
            }
            _ if is_type(definition, "Updates") => {
                if let Err(error) = self.take(result.clone(), Origin::OwnCall, now) {
                    tracing::warn!("the updates in a result cannot be read: {error}");
                    self.sequencer.too_long(now);
                    self.hand_on();
                }
            }
            _ => self.look_into(definition, call, result, now),
        }
    }

    /// Finds in a result what is of interest wherever it stands: users, chats, updates, pts.
    fn look_into(&mut self, definition: &'static Definition, call: &[u8], result: &Bytes, now: Duration) {
        let interesting = |ty: &Type| match ty {
            Type::Boxed(ty) => matches!(ty.name, "User" | "Chat" | "Updates"),
            Type::Vector(Type::Boxed(ty)) => matches!(ty.name, "User" | "Chat"),
            _ => false,
        };
        let affected = definition.name.starts_with("messages.affected");
        if !affected && !definition.params.iter().any(|param| interesting(&param.ty)) {
            return;
        }
        let Ok(fields) = Raw::new(result).and_then(Fields::new) else { return };
        let (mut pts, mut count) = (None, 0);
        let mut updates = None;
        {
            let mut noting = self.peers.note();
            for (param, field) in fields.map_while(Result::ok) {
                match field {
                    Field::Int(value) if param.name == "pts" => pts = i32::try_from(value).ok(),
                    Field::Int(value) if param.name == "pts_count" => count = i32::try_from(value).unwrap_or(0),
                    Field::Object(raw) if interesting(&param.ty) => match raw.definition() {
                        Some(definition) if is_type(definition, "Updates") => updates = Some(raw),
                        _ => noting.seen(raw),
                    },
                    Field::Nested { bytes, .. } if interesting(&param.ty) => {
                        crate::client::update::items(bytes).for_each(|raw| noting.seen(raw));
                    }
                    _ => {}
                }
            }
        }
        if let Some(updates) = updates {
            self.own_result(call, &result.slice_ref(updates.bytes()), now);
        }
        if let (true, Some(pts)) = (affected, pts) {
            let mailbox = channel_of_call(call).map_or(Mailbox::Common, Mailbox::Channel);
            self.take_place(mailbox, pts, count, now);
        }
    }

    /// A result that is a vector: of users, perhaps.
    fn note_vector(&mut self, result: &[u8]) {
        let mut noting = self.peers.note();
        crate::client::update::items(result).for_each(|raw| noting.seen(raw));
    }

    fn take_place(&mut self, mailbox: Mailbox, pts: i32, count: i32, now: Duration) {
        self.sequencer.counted(Place { mailbox, pts, count }, None, now, &mut self.steps);
        self.hand_on();
    }
}

fn is_type(definition: &Definition, name: &str) -> bool {
    matches!(definition.result, Type::Boxed(ty) if !definition.is_function() && ty.name == name)
}

/// The channel that a call is about, by its first peer: what it affected is counted in that channel's box.
fn channel_of_call(call: &[u8]) -> Option<i64> {
    let fields = Fields::new(Raw::new(call).ok()?).ok()?;
    fields.map_while(Result::ok).find_map(|(_, field)| {
        let Field::Object(raw) = field else { return None };
        let mut reader = Reader::new(raw.bytes());
        match reader.id().ok()? {
            types::InputChannel::ID => Some(types::InputChannel::read(&mut reader).ok()?.channel_id),
            types::InputPeerChannel::ID => Some(types::InputPeerChannel::read(&mut reader).ok()?.channel_id),
            _ => None,
        }
    })
}
