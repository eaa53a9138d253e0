//! What an engine tells its owner, and what it finds wrong with what it is given.

use std::time::Duration;

use bytes::Bytes;

use super::MsgId;
use super::gzip::InflateError;
use crate::crypto::DecryptError;
use crate::tl::DecodeError;

/// Something that an engine's owner has to know or do.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Client: the answer to the call that [`Engine::send`](super::Engine::send) named `to`; never compressed.
    Reply { to: MsgId, result: Result<Bytes, RpcError> },
    /// Client: the server has received this call, and told so before its answer. Whether it is done nobody knows.
    Received { call: MsgId },
    /// Client: a message that nobody asked for, never compressed: one boxed `Updates`, in practice.
    Update(Bytes),
    /// Client: the call will get no answer, and nobody can say whether it was done, except as `reason` tells.
    /// It is forgotten here; `body` is what was sent, for whoever knows that it may be sent again.
    QueryLost { to: MsgId, body: Bytes, reason: LostReason },
    /// Client: the server has made this session anew. Updates may be missing since the last one that came, so the
    /// difference is to be fetched; comes once at the start of every session as well.
    /// <https://core.telegram.org/mtproto/service_messages#new-session-creation-notification>
    SessionRenewed { first_msg_id: MsgId, unique_id: i64 },
    /// Client: the server's salt is another now; worth storing.
    SaltChanged(i64),
    /// Client: the server's clock is this many seconds ahead of ours; worth storing.
    TimeOffsetChanged(i64),
    /// Client: the answer to a ping, and how long it took.
    Pong { ping_id: i64, took: Duration },
    /// Client: calls or a ping wait, and the server has been silent for too long. Reconnect.
    Unresponsive,
    /// Client: the server's answer to `destroy_session`.
    SessionDestroyed { session_id: i64, existed: bool },
    /// Client: the server's answer to `destroy_auth_key`; if true, the key is of no more use.
    AuthKeyDestroyed(bool),
    /// Server: an RPC query, never compressed; to be answered by [`Engine::reply`](super::Engine::reply).
    Query { msg_id: MsgId, body: Bytes },
    /// Server: the client does not want the answer to this query any more. A reply is ignored.
    QueryDropped { msg_id: MsgId },
    /// Server: the client wants another session of its key forgotten; to be answered by
    /// [`Engine::session_destroyed`](super::Engine::session_destroyed).
    DestroySession { session_id: i64 },
    /// Server: the client wants its auth key forgotten; to be answered by
    /// [`Engine::auth_key_destroyed`](super::Engine::auth_key_destroyed).
    DestroyAuthKey { msg_id: MsgId },
    /// Server: the client asked to be disconnected at this time unless it pings again, and has not.
    DisconnectDue,
}

/// An RPC error as the server sent it, such as 420 `FLOOD_WAIT_3`.
/// <https://core.telegram.org/mtproto/service_messages#rpc-error>
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {message}")]
pub struct RpcError {
    pub code: i32,
    pub message: String,
}

/// Why a call that was sent gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostReason {
    /// The server has forgotten the session that the call was sent in: it may have been done.
    SessionReset,
    /// The server does not know any more whether it received the call: it may have been done.
    Forgotten,
    /// The answer came and could not be read: the call was done.
    Unreadable,
    /// The server refused the call again and again, last with this code of `bad_msg_notification`: it was not done.
    Refused(i32),
    /// The call has this many bytes, more than [`MAX_BODY`](super::MAX_BODY): it was not sent.
    TooLarge(usize),
}

impl LostReason {
    /// The call was certainly not done, so it may be sent again whatever it does.
    pub fn certainly_not_done(self) -> bool {
        matches!(self, LostReason::Refused(_) | LostReason::TooLarge(_))
    }
}

/// A rule that an incoming packet broke. What broke it was ignored; other messages of the same container were handled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    #[error("session {got:016x} is not ours")]
    WrongSession { got: i64 },
    #[error("message {0} has the lower bits of another kind of sender")]
    MsgIdParity(MsgId),
    #[error("message {0} is older than 300 seconds")]
    TooOld(MsgId),
    #[error("message {0} is more than 30 seconds in the future")]
    TooNew(MsgId),
    #[error("message {0} was received before")]
    Duplicate(MsgId),
    #[error("message {0} is older than what is remembered, so it may have been received before")]
    OlderThanMemory(MsgId),
    #[error("message {msg_id} came with a wrong server salt")]
    WrongSalt { msg_id: MsgId },
    #[error("message {msg_id} has a seqno that does not fit (code {code})")]
    SeqNo { msg_id: MsgId, code: i32 },
    #[error("a container that says it has {0} messages; at most 1024 are allowed")]
    ContainerCount(usize),
    #[error("a container that is shorter than its messages say, or longer")]
    ContainerLength,
    #[error("message {0} is not older than its container")]
    ContainerOrder(MsgId),
    #[error("a container within a container")]
    NestedContainer,
    #[error(transparent)]
    Inflate(#[from] InflateError),
    #[error("a service message that names {0} messages; at most 8192 are allowed")]
    TooManyIds(usize),
    #[error("a malformed service message: {0}")]
    Malformed(#[from] DecodeError),
}

impl PacketError {
    /// Whether the connection should be closed: the packet was not made by the holder of the key, or made badly.
    /// After any other error the session goes on.
    ///
    /// <https://core.telegram.org/mtproto/security_guidelines#mtproto-encrypted-messages>
    pub fn is_fatal(&self) -> bool {
        match self {
            PacketError::Decrypt(_)
            | PacketError::ContainerCount(_)
            | PacketError::ContainerLength
            | PacketError::NestedContainer
            | PacketError::Inflate(_)
            | PacketError::TooManyIds(_)
            | PacketError::Malformed(_) => true,
            PacketError::WrongSession { .. }
            | PacketError::MsgIdParity(_)
            | PacketError::TooOld(_)
            | PacketError::TooNew(_)
            | PacketError::Duplicate(_)
            | PacketError::OlderThanMemory(_)
            | PacketError::WrongSalt { .. }
            | PacketError::SeqNo { .. }
            | PacketError::ContainerOrder(_) => false,
        }
    }
}
