//! account.*: the own account.

use super::{Answered, Call, teller};
use crate::local_dc::world::{Peer, Status};
use crate::tl::{Object, Value};

/// How long "online" lasts unless it is said again, in seconds.
const ONLINE: i32 = 300;

/// Online or not; those who have a chat with the caller are told.
pub fn update_status(call: &mut Call<'_>, query: &Object) -> Answered {
    let status = if query.flag("offline") {
        Status::OfflineSince(call.now)
    } else {
        Status::OnlineUntil(call.now.saturating_add(ONLINE))
    };
    let me = call.me;
    let Some(account) = call.telegram.world.account_mut(me) else { return Ok(Value::Bool(false)) };
    account.user.status = status;
    let peers = account.dialogs().map(|(peer, _)| peer);
    let others: Vec<i64> = peers.filter_map(|peer| if let Peer::User(id) = peer { Some(id) } else { None }).collect();
    for other in others.into_iter().filter(|other| *other != me) {
        if call.telegram.world.is_bot(other) {
            continue;
        }
        let update = |teller: &mut teller::Teller<'_>| {
            teller.mention(me);
            Object::new("updateUserStatus").with("user_id", me).with("status", teller::status(status))
        };
        call.telegram.signal(other, None, update, call.now);
    }
    Ok(Value::Bool(true))
}
