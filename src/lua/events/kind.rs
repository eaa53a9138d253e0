//! The events that scripts can listen to.

use crate::tl::types;

/// An event, by the name in `tg.on_NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::lua) enum EventKind {
    Message,
    EditedMessage,
    DeletedMessages,
    CallbackQuery,
    RawUpdate,
    Start,
    Stop,
    Error,
}

impl EventKind {
    pub const ALL: [EventKind; 8] = [
        EventKind::Message,
        EventKind::EditedMessage,
        EventKind::DeletedMessages,
        EventKind::CallbackQuery,
        EventKind::RawUpdate,
        EventKind::Start,
        EventKind::Stop,
        EventKind::Error,
    ];

    pub fn name(self) -> &'static str {
        match self {
            EventKind::Message => "message",
            EventKind::EditedMessage => "edited_message",
            EventKind::DeletedMessages => "deleted_messages",
            EventKind::CallbackQuery => "callback_query",
            EventKind::RawUpdate => "raw_update",
            EventKind::Start => "start",
            EventKind::Stop => "stop",
            EventKind::Error => "error",
        }
    }

    pub fn by_name(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What an update is beside being one; `RawUpdate` for what has no event of its own.
    pub fn of(update: u32) -> EventKind {
        match update {
            types::UpdateNewMessage::ID | types::UpdateNewChannelMessage::ID => EventKind::Message,
            types::UpdateEditMessage::ID | types::UpdateEditChannelMessage::ID => EventKind::EditedMessage,
            types::UpdateDeleteMessages::ID | types::UpdateDeleteChannelMessages::ID => EventKind::DeletedMessages,
            types::UpdateBotCallbackQuery::ID => EventKind::CallbackQuery,
            _ => EventKind::RawUpdate,
        }
    }

    /// Whether it comes from Telegram, rather than from the host.
    pub fn is_update(self) -> bool {
        !matches!(self, EventKind::Start | EventKind::Stop | EventKind::Error)
    }

    /// Its index among [`EventKind::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}
