//! Basic groups: <https://core.telegram.org/api/channel#basic-groups>.

use super::fields::Fields;
use super::history::notify_settings;
use super::teller::{Teller, list};
use super::{Answered, Call, bots};
use crate::local_dc::refusal::Refusal;
use crate::local_dc::world::Effect;
use crate::tl::{Object, Value};

pub fn create_chat(call: &mut Call<'_>, query: &Object) -> Answered {
    let members: Result<Vec<i64>, Refusal> = query.objects("users").map(|input| call.user(input)).collect();
    let (group, effects) = call.telegram.world.create_group(call.me, query.text("title"), &members?, call.now)?;
    let updates = told(call, group, &effects);
    Ok(Object::new("messages.invitedUsers").with("updates", updates).with("missing_invitees", list([])).into())
}

pub fn add_chat_user(call: &mut Call<'_>, query: &Object) -> Answered {
    let user = call.user(query.required("user_id")?)?;
    let group = query.number("chat_id");
    let effects = call.telegram.world.add_member(call.me, group, user, call.now)?;
    let updates = told(call, group, &effects);
    Ok(Object::new("messages.invitedUsers").with("updates", updates).with("missing_invitees", list([])).into())
}

pub fn edit_chat_admin(call: &mut Call<'_>, query: &Object) -> Answered {
    let user = call.user(query.required("user_id")?)?;
    let is_admin = matches!(query.get("is_admin"), Some(Value::Bool(true)));
    call.telegram.world.set_admin(call.me, query.number("chat_id"), user, is_admin)?;
    Ok(Value::Bool(true))
}

pub fn delete_chat_user(call: &mut Call<'_>, query: &Object) -> Answered {
    let user = call.user(query.required("user_id")?)?;
    let group = query.number("chat_id");
    let effects = call.telegram.world.remove_member(call.me, group, user, call.now)?;
    Ok(told(call, group, &effects).into())
}

pub fn get_chats(call: &Call<'_>, query: &Object) -> Answered {
    let world = &call.telegram.world;
    let teller = Teller::new(world, call.me);
    let chats: Result<Vec<Object>, Refusal> = query
        .numbers("id")
        .map(
            |id| {
                if world.sees_group(call.me, id) { Ok(teller.chat(id)) } else { Err(Refusal::bad("CHAT_ID_INVALID")) }
            },
        )
        .collect();
    Ok(Object::new("messages.chats").with("chats", list(chats?)).into())
}

pub fn get_full_chat(call: &Call<'_>, query: &Object) -> Answered {
    let world = &call.telegram.world;
    let id = query.number("chat_id");
    let group = world.group(id).filter(|_| world.sees_group(call.me, id)).ok_or(Refusal::bad("CHAT_ID_INVALID"))?;
    let mut teller = Teller::new(world, call.me);
    let members = group.members().filter_map(|member| Some((member, world.user(member)?.bot.as_ref()?)));
    let bots: Vec<Object> = members.map(|(member, bot)| bots::info(member, bot)).collect();
    let full = Object::new("chatFull")
        .with("id", id)
        .with("about", "")
        .with("participants", teller.participants(group))
        .with("notify_settings", notify_settings())
        .with("bot_info", (!bots.is_empty()).then(|| list(bots)));
    Ok(teller.finish(Object::new("messages.chatFull").with("full_chat", full)).into())
}

/// Tells all members of a change; the caller's part is the answer.
fn told(call: &mut Call<'_>, group: i64, effects: &[Effect]) -> Object {
    call.publish(effects);
    let (me, now, session) = (call.me, call.now, call.session);
    for effect in effects {
        let Some(found) = call.telegram.world.group(group).cloned() else { continue };
        let update = |teller: &mut Teller<'_>| {
            Object::new("updateChatParticipants").with("participants", teller.participants(&found))
        };
        call.telegram.signal(effect.account, Some(session), update, now);
    }
    let mut teller = Teller::new(&call.telegram.world, me);
    let mut updates: Vec<Object> = Vec::new();
    if let Some(found) = call.telegram.world.group(group) {
        updates.push(Object::new("updateChatParticipants").with("participants", teller.participants(found)));
    }
    updates
        .extend(effects.iter().filter(|effect| effect.account == me).filter_map(|effect| teller.update(&effect.entry)));
    teller.finish_updates(updates, now)
}
