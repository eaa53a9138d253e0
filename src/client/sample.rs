//! What tests feed to a client that is connected to nothing.

use bytes::Bytes;

use crate::tl::{Object, Value, encode};

/// A boxed `Updates` with a message of this text in the private chat with `user`. `pts` counts from 1, and is the message's id, too.
pub(crate) fn message(pts: i32, user: i64, text: &str) -> Bytes {
    let message = Object::new("message")
        .with("id", pts)
        .with("peer_id", Object::new("peerUser").with("user_id", user))
        .with("date", 1)
        .with("message", text);
    let update = Object::new("updateNewMessage").with("message", message).with("pts", pts).with("pts_count", 1);
    let updates = Object::new("updates")
        .with("updates", vec![Value::Object(update)])
        .with("users", Vec::<Value>::new())
        .with("chats", Vec::<Value>::new())
        .with("date", 1)
        .with("seq", 0);
    let mut bytes = Vec::new();
    encode(&updates, &mut bytes).expect("it is of the schema");
    bytes.into()
}
