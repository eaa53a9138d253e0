//! The peers and users that a query names.

use super::Call;
use super::fields::Fields;
use crate::local_dc::refusal::Refusal;
use crate::local_dc::world::{Peer, Place};
use crate::tl::Object;

impl Call<'_> {
    /// An `InputPeer`. The access hash must be the one that was given to this caller.
    pub fn peer(&self, input: &Object) -> Result<Peer, Refusal> {
        let invalid = Refusal::bad("PEER_ID_INVALID");
        match input.name() {
            "inputPeerSelf" => Ok(Peer::User(self.me)),
            "inputPeerUser" => {
                let (id, hash) = (input.number("user_id"), input.number("access_hash"));
                self.telegram.world.check_user(self.me, id, hash, invalid).map(Peer::User)
            }
            "inputPeerChat" => {
                let id = input.number("chat_id");
                if self.telegram.world.sees_group(self.me, id) { Ok(Peer::Group(id)) } else { Err(invalid) }
            }
            "inputPeerUserFromMessage" => self.mentioned(input, invalid).map(Peer::User),
            "inputPeerChannel" | "inputPeerChannelFromMessage" => Err(Refusal::bad("CHANNEL_INVALID")),
            _ => Err(invalid),
        }
    }

    /// An `InputUser`.
    pub fn user(&self, input: &Object) -> Result<i64, Refusal> {
        let invalid = Refusal::bad("USER_ID_INVALID");
        match input.name() {
            "inputUserSelf" => Ok(self.me),
            "inputUser" => {
                let (id, hash) = (input.number("user_id"), input.number("access_hash"));
                self.telegram.world.check_user(self.me, id, hash, invalid)
            }
            "inputUserFromMessage" => self.mentioned(input, invalid),
            _ => Err(invalid),
        }
    }

    /// A user named by a message of theirs that the caller has: <https://core.telegram.org/api/min>.
    fn mentioned(&self, input: &Object, invalid: Refusal) -> Result<i64, Refusal> {
        let peer = self.peer(input.required("peer")?)?;
        let (id, user) = (input.small("msg_id"), input.number("user_id"));
        let view = self.telegram.world.view(self.me, id).filter(|view| view.peer == peer);
        let there = view.is_some_and(|view| match view.message.place {
            Place::Private(one, other) => one == user || other == user,
            Place::Group(_) => view.message.from == user,
        });
        if there { Ok(user) } else { Err(invalid) }
    }
}
