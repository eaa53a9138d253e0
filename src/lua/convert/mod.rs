//! Lua tables to TL and back, by the rules of the script API.

mod from_tl;
mod grants;
mod peers;
mod to_tl;

pub(super) use from_tl::{object_to_lua, value_to_lua};
pub(super) use grants::Grants;
pub(super) use peers::peer_id;
pub(super) use to_tl::{Converter, Stop};
