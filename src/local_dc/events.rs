//! What happens on the local DC, for whoever watches it from inside the process.

use std::collections::BTreeMap;

use super::api::fields::{Fields, Kept};
use super::world::{Content, Message, Place};

/// Something that happened, whoever caused it.
#[derive(Debug, Clone, PartialEq)]
pub enum WorldEvent {
    NewMessage(Written),
    Edited(Written),
    /// Messages went away from one account's box; there is one event for each account concerned.
    Deleted {
        account: i64,
        ids: Vec<i32>,
    },
    /// A bot answered a button: what the one who pressed it is shown.
    ButtonAnswered {
        user: i64,
        text: String,
        alert: bool,
    },
}

/// A message as nobody in particular sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub chat: Place,
    pub from: i64,
    /// Empty for service messages.
    pub text: String,
    /// Rows of the keyboard beneath it.
    pub buttons: Vec<Vec<Button>>,
    /// Whether the keyboard is an inline one; otherwise it offers texts to send.
    pub inline: bool,
    /// Its id in the box of each account that has it.
    pub ids: BTreeMap<i64, i32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    pub text: String,
    /// What a callback button sends to the bot; none for other kinds.
    pub data: Option<Vec<u8>>,
    pub url: Option<String>,
}

pub(super) fn written(message: &Message) -> Written {
    let (text, markup) = match &message.content {
        Content::Text { text, markup, .. } => (text.clone(), markup.as_ref().and_then(Kept::object)),
        Content::Service(_) => (String::new(), None),
    };
    let inline = markup.as_ref().is_some_and(|markup| markup.name() == "replyInlineMarkup");
    let rows = markup.iter().flat_map(|markup| markup.objects("rows"));
    let buttons = rows.map(|row| row.objects("buttons").map(button).collect()).collect();
    Written { chat: message.place, from: message.from, text, buttons, inline, ids: message.copies.clone() }
}

fn button(button: &crate::tl::Object) -> Button {
    let kind = button.inner("type");
    Button {
        text: button.text("text").to_owned(),
        data: kind.and_then(|kind| kind.raw("data")).map(<[u8]>::to_vec),
        url: kind.and_then(|kind| kind.text_opt("url")).map(str::to_owned),
    }
}
