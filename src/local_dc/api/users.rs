//! Who is who: users.*, contacts.*

use super::fields::Fields;
use super::history::notify_settings;
use super::teller::{Teller, list};
use super::{Answered, Call, bots};
use crate::local_dc::refusal::Refusal;
use crate::tl::Object;

/// Users that the caller may not name are `userEmpty` in the answer, as on Telegram.
pub fn get_users(call: &Call<'_>, query: &Object) -> Answered {
    let teller = Teller::new(&call.telegram.world, call.me);
    let users = query.objects("id").map(|input| match call.user(input) {
        Ok(user) => teller.user(user),
        Err(_) => Object::new("userEmpty").with("id", input.number("user_id")),
    });
    Ok(list(users))
}

pub fn get_full_user(call: &Call<'_>, query: &Object) -> Answered {
    let id = call.user(query.required("id")?)?;
    let world = &call.telegram.world;
    let mut teller = Teller::new(world, call.me);
    teller.mention(id);
    let common = if id == call.me { 0 } else { world.common_groups(call.me, id).count() as i32 };
    let bot_info = world.user(id).and_then(|user| user.bot.as_ref()).map(|bot| bots::info(id, bot));
    let full = Object::new("userFull")
        .with("id", id)
        .with("can_pin_message", true)
        .with("settings", Object::new("peerSettings"))
        .with("notify_settings", notify_settings())
        .with("bot_info", bot_info)
        .with("common_chats_count", common);
    Ok(teller.finish(Object::new("users.userFull").with("full_user", full)).into())
}

pub fn resolve_username(call: &Call<'_>, query: &Object) -> Answered {
    let username = query.text("username").trim_start_matches('@');
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if username.is_empty() || !username.chars().all(letters) {
        return Err(Refusal::bad("USERNAME_INVALID"));
    }
    let id = call.telegram.world.by_username(username).ok_or(Refusal::bad("USERNAME_NOT_OCCUPIED"))?;
    Ok(resolved(call, id))
}

pub fn resolve_phone(call: &Call<'_>, query: &Object) -> Answered {
    let id = call.telegram.world.by_phone(query.text("phone")).ok_or(Refusal::bad("PHONE_NOT_OCCUPIED"))?;
    Ok(resolved(call, id))
}

/// Nobody has contacts here.
pub fn get_contacts() -> Answered {
    Ok(Object::new("contacts.contacts")
        .with("contacts", list([]))
        .with("saved_count", 0)
        .with("users", list([]))
        .into())
}

fn resolved(call: &Call<'_>, id: i64) -> crate::tl::Value {
    let mut teller = Teller::new(&call.telegram.world, call.me);
    let peer = teller.peer(crate::local_dc::world::Peer::User(id));
    teller.finish(Object::new("contacts.resolvedPeer").with("peer", peer)).into()
}
