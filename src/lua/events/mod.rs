//! What happens, as scripts see it: which event an update is, what filters look at, and the fields of its objects.

mod bundle;
mod fields;
mod kind;
mod media;
mod sent;
mod shapes;
mod view;

pub(super) use bundle::{Bundle, message_of};
pub(super) use fields::{FieldContext, MESSAGE_FIELDS, chat_of, matches, message_field, user_of};
pub(super) use kind::EventKind;
pub(super) use media::media_kind;
pub(super) use sent::sent_messages;
pub(super) use shapes::user_table;
pub(super) use view::View;
