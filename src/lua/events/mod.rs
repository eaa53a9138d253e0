//! What happens, as scripts see it: which event an update is, what filters look at, and the fields of its objects.

mod bundle;
mod fields;
mod kind;
mod media;
mod shapes;
mod view;

pub(super) use bundle::Bundle;
pub(super) use fields::{MESSAGE_FIELDS, message_field};
pub(super) use kind::EventKind;
pub(super) use media::media_kind;
pub(super) use shapes::{chat_table, user_table};
pub(super) use view::View;
