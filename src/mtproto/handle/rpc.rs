//! Queries and their answers. <https://core.telegram.org/mtproto/service_messages#response-to-an-rpc-query>

use bytes::{Buf, Bytes};

use super::super::calls::Sent;
use super::super::engine::Engine;
use super::super::ids::IdKind;
use super::super::outbox::{Id, Outgoing, What};
use super::super::packet::Message;
use super::super::service::*;
use super::super::{Event, LostReason, MsgId, PacketError, RpcError, Time};
use super::packed::unpacked;

impl Engine {
    /// Client: `rpc_result#f35c6d01 req_msg_id:long result:Object`. An answer to nothing of ours, such as a call that
    /// was cancelled, is acknowledged and dropped.
    pub(super) fn handle_result(&mut self, message: &Message) -> Result<(), PacketError> {
        let wire = MsgId(Fields::of("rpc_result", &message.body).long()?);
        let Some(call) = self.calls.take(wire) else {
            return Ok(());
        };
        let to = call.handle;
        let result =
            unpacked(message.body.slice(12..)).and_then(|object| match object.first_chunk::<4>() {
                Some(id) if u32::from_le_bytes(*id) == RPC_ERROR => rpc_error(&object).map(Err),
                _ => Ok(Ok(object)),
            });
        match result {
            Ok(result) => self.events.push_back(Event::Reply { to, result }),
            Err(error) => {
                // The call was done, and its answer is not to be had: the owner must not wait for another.
                self.lose(call, LostReason::Unreadable);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Server: everything that is no service message is a query.
    pub(super) fn handle_query(&mut self, message: Message) -> Result<(), PacketError> {
        self.running.insert(message.id);
        self.events.push_back(Event::Query {
            msg_id: message.id,
            body: message.body,
        });
        Ok(())
    }

    /// Client: everything that is no service message is an update.
    pub(super) fn handle_update(&mut self, message: Message) -> Result<(), PacketError> {
        self.events.push_back(Event::Update(message.body));
        Ok(())
    }

    /// Server: a message that came before is not handled again. If its answer is there and was not acknowledged, it is
    /// sent again; otherwise the client learns that the message has come.
    ///
    /// <https://core.telegram.org/mtproto/service_messages_about_messages#extended-voluntary-communication-of-status-of-one-message>
    pub(super) fn check_new_from_client(
        &mut self,
        message: &Message,
        now: Time,
    ) -> Result<(), PacketError> {
        let Err(error) = self.received.check_new(message.id) else {
            return Ok(());
        };
        match error {
            // 20: "it cannot be verified whether the server has received a message with this msg_id or not".
            PacketError::OlderThanMemory(_) => return self.refuse(message, 20, error),
            // 19: "container msg_id is the same as msg_id of a previously received message".
            _ if message.constructor() == MSG_CONTAINER => return self.refuse(message, 19, error),
            _ => {}
        }
        if let Some(answer) = self.kept.answer_to(message.id) {
            if let Some(sent) = self.kept.messages.get(&answer) {
                self.outbox.push(sent.again(answer));
            }
        } else if message.needs_ack() {
            self.acknowledge(message.id, now);
        }
        Err(error)
    }

    /// Server: sends an answer, which acknowledges the query at the same time.
    pub(in crate::mtproto) fn answer(&mut self, to: MsgId, object: &[u8]) {
        self.acks.forget(to);
        let mut result = Vec::with_capacity(12 + object.len());
        result.extend_from_slice(&RPC_RESULT.to_le_bytes());
        result.extend_from_slice(&to.0.to_le_bytes());
        result.extend_from_slice(object);
        let what = What::ToClient { answers: Some(to) };
        self.outbox.push(Outgoing {
            body: result.into(),
            content: true,
            what,
            id: Id::New(IdKind::Response),
        });
    }

    /// Client: tells the server that nobody waits for this answer any more.
    ///
    /// <https://core.telegram.org/mtproto/service_messages#cancellation-of-an-rpc-query>
    pub(in crate::mtproto) fn drop_answer(&mut self, wire: MsgId) {
        let body = Writer::new(RPC_DROP_ANSWER).long(wire.0).done();
        let id = Id::New(IdKind::FromClient);
        self.outbox.push(Outgoing {
            body,
            content: true,
            what: What::Service,
            id,
        });
    }

    pub(super) fn handle_drop_answer(&mut self, message: &Message) -> Result<(), PacketError> {
        let query = MsgId(Fields::of("rpc_drop_answer", &message.body).long()?);
        let body = if self.running.remove(&query) {
            self.events.push_back(Event::QueryDropped { msg_id: query });
            Writer::new(RPC_ANSWER_DROPPED_RUNNING)
        } else if let Some((id, sent)) = self.take_answer_to(query) {
            Writer::new(RPC_ANSWER_DROPPED)
                .long(id.0)
                .int(sent.seqno)
                .int(sent.body.len() as i32)
        } else {
            Writer::new(RPC_ANSWER_UNKNOWN)
        };
        self.answer(message.id, &body.done());
        Ok(())
    }

    fn take_answer_to(&mut self, query: MsgId) -> Option<(MsgId, Sent)> {
        let id = self.kept.answer_to(query)?;
        Some((id, self.kept.remove(id)?))
    }
}

/// `rpc_error#2144ca19 error_code:int error_message:string`
fn rpc_error(object: &Bytes) -> Result<RpcError, PacketError> {
    let mut fields = Fields::of("rpc_error", object);
    let (code, message) = (fields.int()?, fields.bytes()?);
    Ok(RpcError {
        code,
        message: String::from_utf8_lossy(message.chunk()).into_owned(),
    })
}
