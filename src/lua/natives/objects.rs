//! Natives of `prelude/message.lua`: the fields of objects.

use mlua::{LuaString, Table, Value};

use super::Natives;
use crate::lua::events::{Bundle, FieldContext, MESSAGE_FIELDS, chat_of, matches, message_field, user_of};
use crate::lua::filters::How;

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    #[allow(unsafe_code)]
    // SAFETY: only `prelude/message.lua` has it, and gives it what `event_parts` handed out.
    let bundle_at = unsafe { natives.lua.create_c_function(crate::lua::dispatch::bundle_at)? };
    natives.value("bundle_at", bundle_at)?;
    natives.value("message_fields", natives.lua.create_sequence_from(MESSAGE_FIELDS.iter().copied())?)?;
    type Field = (Value, Value, Option<i64>, LuaString);
    natives.add("message_field", |lua, runtime, (bundle, peers, how, key): Field| {
        // A script may have put anything in their place.
        let Value::String(bundle) = bundle else { return Ok(Value::Nil) };
        let bundle = bundle.as_bytes();
        let peers = match &peers {
            Value::String(peers) => Some(peers.as_bytes()),
            _ => None,
        };
        let Some(bundle) = Bundle::read(&bundle, peers.as_deref()) else { return Ok(Value::Nil) };
        let me = runtime.env.client.me();
        let how = How::unpack(how.unwrap_or(0));
        let pattern = how.pattern.checked_sub(1).and_then(|index| runtime.handlers.pattern(index));
        let key = key.to_str()?;
        message_field(lua, bundle, &key, &FieldContext { me: &me, client: &runtime.env.client, how, pattern })
    })?;
    natives.add("peer_object", |lua, runtime, (peers, id): (Value, i64)| {
        let bytes = match &peers {
            Value::String(peers) => peers.as_bytes().to_vec(),
            _ => Vec::new(),
        };
        let empty = Bundle { message: &[], users: &[], chats: &[] };
        let bundle = Bundle::read(&bytes, None).unwrap_or(empty);
        let me = runtime.env.client.me();
        let context = FieldContext { me: &me, client: &runtime.env.client, how: How::default(), pattern: None };
        if id > 0 { user_of(lua, &bundle, id, &context) } else { chat_of(lua, &bundle, id, &context) }
    })?;
    natives.add("matches", |lua, runtime, (how, text): (i64, LuaString)| {
        let pattern = How::unpack(how).pattern.checked_sub(1).and_then(|index| runtime.handlers.pattern(index));
        match pattern {
            Some(pattern) => matches(lua, &pattern, &text.to_string_lossy()),
            None => Ok(Value::Nil),
        }
    })?;
    natives.add("peer_id", |_, _, object: Table| Ok(crate::lua::convert::peer_id(&object)))
}
