//! Which lane an update belongs to: its chat's, or its user's where there is no chat.

use crate::client::{Peer, Update};

use super::events::View;
use crate::client::Me;

/// Updates of one lane are handled one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane(i64);

/// `None` for an update that is about neither a chat nor a user: it waits for nobody.
pub(super) fn of(update: &Update) -> Option<Lane> {
    let me = Me::default();
    let view = View::new(update, &me)?;
    view.chat().map(Peer::id).or_else(|| view.sender_id()).map(Lane)
}
