//! Passing once over a container, to know where everything in it is.

use std::sync::Arc;

use bytes::Bytes;

use super::{Place, Shape, Span, Update, shape};
use crate::client::peers::{Noting, Peers};
use crate::tl::{DecodeError, Reader, VECTOR, types};

/// Where the parts of one `Updates` are.
#[derive(Default)]
pub(super) struct Container {
    pub items: Vec<Item>,
    pub users: Span,
    pub chats: Span,
    pub date: i32,
    /// 0 where the container has no place among containers.
    pub seq_start: i32,
    pub seq: i32,
}

pub(super) struct Item {
    pub span: Span,
    pub shape: &'static Shape,
}

impl Container {
    /// Reads `updates` or `updatesCombined`. On an error nothing is to be used: a container is taken as a whole or not at all.
    pub fn read(&mut self, bytes: &[u8], peers: &Peers) -> Result<(), DecodeError> {
        let mut reader = Reader::new(bytes);
        let id = reader.id()?;
        self.read_updates(bytes, &mut reader)?;
        let mut noting = peers.note();
        self.users = pass_peers(bytes, &mut reader, &mut noting)?;
        self.chats = pass_peers(bytes, &mut reader, &mut noting)?;
        self.date = reader.int()?;
        self.seq_start = reader.int()?;
        self.seq = if id == types::UpdatesCombined::ID { reader.int()? } else { self.seq_start };
        reader.finish()
    }

    /// Reads `updateShort`.
    pub fn read_short(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.id()?;
        self.items.clear();
        self.read_update(bytes, &mut reader)?;
        (self.users, self.chats) = (Span::default(), Span::default());
        self.date = reader.int()?;
        (self.seq_start, self.seq) = (0, 0);
        reader.finish()
    }

    /// Reads a `Vector<Update>`.
    pub fn read_updates(&mut self, bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.items.clear();
        reader.expect(VECTOR)?;
        for _ in 0..reader.count(4)? {
            self.read_update(bytes, reader)?;
        }
        Ok(())
    }

    fn read_update(&mut self, bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let start = bytes.len() - reader.rest().len();
        let id = reader.peek_id()?;
        let shape = shape::shape(id).ok_or(DecodeError::UnknownConstructor { id, expected: "Update" })?;
        reader.skip_object()?;
        self.items.push(Item { span: Span::new(start, bytes.len() - reader.rest().len()), shape });
        Ok(())
    }

    /// What each update counts for in a queue bounded by bytes: its share of the container, which all of them keep in memory.
    pub fn weight(&self, bytes: &[u8]) -> u32 {
        (bytes.len() / self.items.len().max(1)) as u32 + size_of::<Update>() as u32
    }

    pub fn update(&self, bytes: &Bytes, item: &Item, place: Option<Place>, weight: u32) -> Arc<Update> {
        Arc::new(Update {
            seq: 0,
            id: item.shape.definition.id,
            date: self.date,
            place,
            bytes: bytes.clone(),
            body: item.span,
            users: self.users,
            chats: self.chats,
            weight,
        })
    }
}

/// Passes over a boxed vector of users or chats, and takes note of them.
pub(super) fn pass_peers(bytes: &[u8], reader: &mut Reader<'_>, noting: &mut Noting<'_>) -> Result<Span, DecodeError> {
    let start = bytes.len() - reader.rest().len();
    reader.expect(VECTOR)?;
    for _ in 0..reader.count(4)? {
        noting.pass(reader)?;
    }
    Ok(Span::new(start, bytes.len() - reader.rest().len()))
}
