//! Telegram's own chat, from which login codes come: withheld from scripts on user accounts, unless it is granted.
//!
//! Who has such a code has the account. The chat is left out of updates and of what calls return, the raw API's included,
//! and a call that names it is refused, so that its messages cannot be forwarded to where a script could read them.
//! <https://core.telegram.org/api/auth>

use memchr::memmem;

use crate::client::Update;
use crate::tl::{self, Object, Value};

/// The user that Telegram's own messages come from.
const SERVICE: i64 = 777_000;
const GRANT: &str = "service:login-codes";

/// The constructors that a message is never part of, and that tell of signing in.
const UPDATES: [&str; 3] = ["updateServiceNotification", "updateSentPhoneCode", "updateLoginToken"];

/// Whether one script may have them.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoginCodes {
    withheld: bool,
}

impl LoginCodes {
    /// Bots get none.
    pub fn new(allow: &[String], is_bot: bool) -> LoginCodes {
        let is_granted = allow.iter().any(|grant| match grant.strip_suffix('*') {
            Some(start) => GRANT.starts_with(start) && start.starts_with("service:"),
            None => grant == GRANT,
        });
        LoginCodes { withheld: !is_bot && !is_granted }
    }

    /// Whether the script must not have this update.
    pub fn withholds(self, update: &Update) -> bool {
        if !self.withheld {
            return false;
        }
        let kind = tl::by_id(update.id).map_or("", |definition| definition.name);
        if UPDATES.contains(&kind) {
            return true;
        }
        // What cannot be read cannot be seen to be harmless.
        is_named_in(update.raw()) && tl::decode_object(update.raw()).map_or(true, |object| has_codes(&object))
    }

    /// The error is for the script whose call names the chat.
    pub fn check(self, call: &Object, encoded: &[u8]) -> Result<(), String> {
        if self.withheld && is_named_in(encoded) && names_chat(call) {
            return Err(format!(
                "{}: Telegram's own chat ({SERVICE}), where login codes come from, needs a grant: allow = [\"{GRANT}\"] in moongram.toml",
                call.name()
            ));
        }
        Ok(())
    }

    /// Whether a result of these bytes may hold what is to be taken out of it.
    pub fn concerns(self, result: &[u8]) -> bool {
        self.withheld && (is_named_in(result) || has_update(result))
    }

    /// Takes out of a result what the script must not have. A list of messages by number keeps its length.
    pub fn redact(self, call: &Object, result: Value) -> Value {
        if !self.withheld {
            return result;
        }
        let keeps_length = call.name().ends_with(".getMessages");
        redacted(result, keeps_length).unwrap_or(Value::Bool(false))
    }
}

/// Whether the chat's number stands anywhere in these bytes, as TL writes a `long`.
fn is_named_in(bytes: &[u8]) -> bool {
    memmem::find(bytes, &SERVICE.to_le_bytes()).is_some()
}

/// Whether the bytes may hold one of [`UPDATES`].
fn has_update(bytes: &[u8]) -> bool {
    UPDATES
        .iter()
        .filter_map(|name| tl::constructor(name))
        .any(|update| memmem::find(bytes, &update.id.to_le_bytes()).is_some())
}

fn is_service(peer: Option<&Object>) -> bool {
    peer.is_some_and(|peer| peer.int("user_id") == Some(SERVICE))
}

/// Whether it is a message of that chat, or one that the account has made of one.
fn is_of_chat(object: &Object) -> bool {
    let peer = |object: &Object, field: &str| is_service(object.object(field));
    match object.name() {
        "message" | "messageService" | "messageEmpty" => {
            if peer(object, "peer_id") || peer(object, "from_id") || peer(object, "saved_peer_id") {
                return true;
            }
            // What others forward to the account is theirs.
            let from = object.object("from_id").and_then(|from| from.int("user_id"));
            let to = object.object("peer_id").and_then(|to| to.int("user_id"));
            (object.flag("out") || from.is_some() && from == to) && copies(object)
        }
        "updateShortMessage" => object.int("user_id") == Some(SERVICE) || object.flag("out") && copies(object),
        "updateShortChatMessage" => object.int("from_id") == Some(SERVICE) || object.flag("out") && copies(object),
        name => UPDATES.contains(&name),
    }
}

/// Whether a message is forwarded from there, or answers what stands there.
fn copies(message: &Object) -> bool {
    let header = |header: Option<&Object>| {
        header.is_some_and(|header| {
            ["from_id", "saved_from_peer", "saved_from_id"].iter().any(|field| is_service(header.object(field)))
        })
    };
    let reply = message.object("reply_to");
    header(message.object("fwd_from"))
        || reply.is_some_and(|reply| is_service(reply.object("reply_to_peer_id")) || header(reply.object("reply_from")))
}

/// Whether it is, or holds, what tells a login code.
fn has_codes(object: &Object) -> bool {
    is_of_chat(object) || object.fields().any(|(_, value)| value_has_codes(value))
}

fn value_has_codes(value: &Value) -> bool {
    match value {
        Value::Object(object) => has_codes(object),
        Value::Vector(items) => items.iter().any(value_has_codes),
        _ => false,
    }
}

/// Whether a call is about the chat.
fn names_chat(object: &Object) -> bool {
    let is_input = object.name().starts_with("input") && object.int("user_id") == Some(SERVICE);
    is_input
        || object.fields().any(|(_, value)| match value {
            Value::Object(object) => names_chat(object),
            Value::Vector(items) => items.iter().any(|item| item.as_object().is_some_and(names_chat)),
            _ => false,
        })
}

/// The value without what tells a login code; `None` where nothing is left of it.
fn redacted(value: Value, keeps_length: bool) -> Option<Value> {
    match value {
        Value::Vector(items) => {
            let items = items.into_iter().filter_map(|item| match item {
                Value::Object(object) if keeps_length && is_of_chat(&object) => Some(Value::Object(empty(&object))),
                item => redacted(item, keeps_length),
            });
            Some(Value::Vector(items.collect()))
        }
        Value::Object(object) if is_of_chat(&object) || is_dialog(&object) => None,
        Value::Object(mut object) => {
            let fields: Vec<&'static str> = object.fields().map(|(name, _)| name).collect();
            for field in fields {
                let Some(value) = object.take(field) else { continue };
                match redacted(value, keeps_length) {
                    // The field was there, with a value of the same type.
                    Some(value) => object.try_set(field, Some(value)).ok()?,
                    None => {
                        let is_optional = object.definition().param(field).is_some_and(|param| param.flag.is_some());
                        // An object that cannot be without it goes as a whole.
                        if !is_optional {
                            return None;
                        }
                    }
                }
            }
            Some(Value::Object(object))
        }
        other => Some(other),
    }
}

fn is_dialog(object: &Object) -> bool {
    let is_listed = matches!(object.name(), "dialog" | "savedDialog" | "dialogPeer" | "topPeer");
    is_listed && is_service(object.object("peer"))
}

/// What stands for a message that is not there.
fn empty(message: &Object) -> Object {
    Object::new("messageEmpty").with("id", message.int("id").unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::client::{Client, Me};

    fn peer(id: i64) -> Object {
        Object::new("peerUser").with("user_id", id)
    }

    fn message(id: i32, from: i64, text: &str) -> Object {
        Object::new("message").with("id", id).with("peer_id", peer(from)).with("date", 1).with("message", text)
    }

    fn codes() -> LoginCodes {
        LoginCodes::new(&[], false)
    }

    fn texts(value: &Value) -> String {
        format!("{value:?}")
    }

    fn call(name: &str) -> Object {
        Object::new(name)
    }

    #[test]
    fn history_and_search_lose_the_messages_of_the_chat() {
        let forwarded = message(3, 5, "code 333")
            .with("out", true)
            .with("fwd_from", Object::new("messageFwdHeader").with("from_id", peer(SERVICE)).with("date", 1));
        let theirs = message(4, 5, "forwarded by another")
            .with("fwd_from", Object::new("messageFwdHeader").with("from_id", peer(SERVICE)).with("date", 1));
        let messages = vec![message(1, 5, "hello"), message(2, SERVICE, "code 222"), forwarded, theirs];
        let result = Object::new("messages.messages")
            .with("messages", messages.into_iter().map(Value::Object).collect::<Vec<_>>())
            .with("topics", Vec::<Value>::new())
            .with("chats", Vec::<Value>::new())
            .with("users", Vec::<Value>::new());
        let mut bytes = Vec::new();
        tl::encode(&result, &mut bytes).unwrap();
        assert!(codes().concerns(&bytes));
        let shown = texts(&codes().redact(&call("messages.search"), Value::Object(result.clone())));
        assert!(!shown.contains("222") && !shown.contains("333"), "{shown}");
        assert!(shown.contains("hello") && shown.contains("forwarded by another"), "{shown}");
        // By number, each answer stands in its place.
        let by_number = codes().redact(&call("messages.getMessages"), Value::Object(result));
        let list = by_number.as_object().unwrap().vector("messages").unwrap();
        let names: Vec<&str> = list.iter().map(|item| item.as_object().unwrap().name()).collect();
        assert_eq!(names, ["message", "messageEmpty", "messageEmpty", "message"]);
    }

    #[test]
    fn dialogs_lose_the_chat() {
        let dialog = |id: i64| {
            Object::new("dialog")
                .with("peer", peer(id))
                .with("top_message", 1)
                .with("read_inbox_max_id", 0)
                .with("read_outbox_max_id", 0)
                .with("unread_count", 0)
                .with("unread_mentions_count", 0)
                .with("unread_reactions_count", 0)
                .with("unread_poll_votes_count", 0)
                .with("notify_settings", Object::new("peerNotifySettings"))
        };
        let result = Object::new("messages.dialogs")
            .with("dialogs", vec![Value::Object(dialog(SERVICE)), Value::Object(dialog(5))])
            .with("messages", vec![Value::Object(message(2, SERVICE, "code 222"))])
            .with("chats", Vec::<Value>::new())
            .with("users", Vec::<Value>::new());
        let shown = codes().redact(&call("messages.getDialogs"), Value::Object(result));
        let shown = shown.as_object().unwrap();
        assert_eq!((shown.vector("dialogs").unwrap().len(), shown.vector("messages").unwrap().len()), (1, 0));
    }

    #[test]
    fn a_call_that_names_the_chat_is_refused_with_the_grant() {
        let from = Object::new("inputPeerUser").with("user_id", SERVICE).with("access_hash", 1i64);
        let forward = Object::new("messages.forwardMessages")
            .with("from_peer", from)
            .with("id", vec![1])
            .with("random_id", vec![1i64])
            .with("to_peer", Object::new("inputPeerSelf"));
        let mut bytes = Vec::new();
        tl::encode(&forward, &mut bytes).unwrap();
        let refusal = codes().check(&forward, &bytes).unwrap_err();
        assert!(refusal.contains("service:login-codes"), "{refusal}");
        assert!(LoginCodes::new(&[], true).check(&forward, &bytes).is_ok(), "a bot has none");
        for allow in ["service:login-codes", "service:*"] {
            assert!(LoginCodes::new(&[allow.to_owned()], false).check(&forward, &bytes).is_ok());
        }
        for other in ["*", "service:login", "method:*"] {
            assert!(LoginCodes::new(&[other.to_owned()], false).check(&forward, &bytes).is_err(), "{other}");
        }
    }

    #[test]
    fn updates_of_the_chat_are_withheld_and_no_others() {
        let client = Client::detached_as(Me { id: 1, ..Me::default() });
        let subscription = client.subscribe("test");
        let mention = message(2, 5, "@x").with(
            "entities",
            vec![Value::Object(
                Object::new("messageEntityMentionName").with("offset", 0).with("length", 2).with("user_id", SERVICE),
            )],
        );
        let new = |message: Object, pts: i32| {
            Object::new("updateNewMessage").with("message", message).with("pts", pts).with("pts_count", 1)
        };
        let notice = Object::new("updateServiceNotification")
            .with("type", "x")
            .with("message", "code 1")
            .with("media", Object::new("messageMediaEmpty"))
            .with("entities", Vec::<Value>::new());
        let all = vec![new(message(1, SERVICE, "code"), 1), new(mention, 2), notice];
        let updates = Object::new("updates")
            .with("updates", all.into_iter().map(Value::Object).collect::<Vec<_>>())
            .with("users", Vec::<Value>::new())
            .with("chats", Vec::<Value>::new())
            .with("date", 1)
            .with("seq", 0);
        let mut bytes = Vec::new();
        tl::encode(&updates, &mut bytes).unwrap();
        client.feed(Bytes::from(bytes));
        let mut taken = std::collections::VecDeque::new();
        subscription.drain(&mut taken, 10);
        assert_eq!(taken.len(), 3);
        let withheld = |codes: LoginCodes| {
            let name = |id| tl::by_id(id).unwrap().name;
            taken.iter().filter(|update| codes.withholds(update)).map(|update| name(update.id)).collect::<Vec<_>>()
        };
        let mut found = withheld(codes());
        found.sort_unstable();
        assert_eq!(found, ["updateNewMessage", "updateServiceNotification"]);
        assert!(withheld(LoginCodes::new(&["service:login-codes".to_owned()], false)).is_empty());
    }
}
