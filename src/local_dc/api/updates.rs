//! updates.*: where an account's box stands, and what happened since. <https://core.telegram.org/api/updates>

use super::fields::Fields;
use super::teller::{Teller, list};
use super::{Answered, Call};
use crate::local_dc::refusal::Refusal;
use crate::local_dc::world::{Change, Difference, World};
use crate::tl::Object;

/// No update here is numbered by seq; this is what it stays at.
const SEQ: i32 = 1;

pub fn get_state(call: &Call<'_>) -> Answered {
    let pts = call.telegram.world.account(call.me).map_or(1, |account| account.pts());
    Ok(state(&call.telegram.world, call.me, pts, call.now).into())
}

pub fn get_difference(call: &Call<'_>, query: &Object) -> Answered {
    let pts = query.small("pts");
    if pts <= 0 {
        return Err(Refusal::bad("PERSISTENT_TIMESTAMP_EMPTY"));
    }
    let world = &call.telegram.world;
    let difference = world.difference(call.me, pts, query.small_opt("pts_limit"), query.small_opt("pts_total_limit"));
    let (entries, more) = match difference {
        Difference::Empty => {
            return Ok(Object::new("updates.differenceEmpty").with("date", call.now).with("seq", SEQ).into());
        }
        Difference::TooLong { pts } => return Ok(Object::new("updates.differenceTooLong").with("pts", pts).into()),
        Difference::Entries { entries, more } => (entries, more),
    };
    let mut teller = Teller::new(world, call.me);
    let (mut new, mut other) = (Vec::new(), Vec::new());
    for entry in &entries {
        match &entry.change {
            Change::New { id } => new.extend(teller.message_by_id(*id)),
            _ => other.extend(teller.update(entry)),
        }
    }
    let reached = entries.last().map_or(pts, |entry| entry.pts);
    let (name, field) =
        if more { ("updates.differenceSlice", "intermediate_state") } else { ("updates.difference", "state") };
    let difference = Object::new(name)
        .with("new_messages", list(new))
        .with("new_encrypted_messages", list([]))
        .with("other_updates", list(other))
        .with(field, state(world, call.me, reached, call.now));
    Ok(teller.finish(difference).into())
}

fn state(world: &World, account: i64, pts: i32, now: i32) -> Object {
    let dialogs = world.account(account).into_iter().flat_map(|account| account.dialogs());
    let unread: i32 = dialogs.map(|(peer, _)| world.unread(account, peer)).sum();
    Object::new("updates.state")
        .with("pts", pts)
        .with("qts", 0)
        .with("date", now)
        .with("seq", SEQ)
        .with("unread_count", unread)
}
