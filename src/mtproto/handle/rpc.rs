//! Queries and their answers. <https://core.telegram.org/mtproto/service_messages#response-to-an-rpc-query>

use super::super::calls::Sent;
use super::super::engine::Engine;
use super::super::ids::IdKind;
use super::super::outbox::{Id, Outgoing, What};
use super::super::packet::{Message, body};
use super::super::{Event, LostReason, MsgId, PacketError, RpcError, Time};
use super::Within;
use crate::tl::envelope::{MsgContainer, RpcResult};
use crate::tl::{Reader, Tl, functions, types};

impl Engine {
    /// Client: `rpc_result#f35c6d01 req_msg_id:long result:Object`. An answer to nothing of ours, such as a call that
    /// was cancelled, is acknowledged and dropped.
    pub(super) fn handle_result(&mut self, message: &Message) -> Result<(), PacketError> {
        let RpcResult { req_msg_id, result } = RpcResult::read(&mut Reader::new(&message.body[4..]))?;
        let Some(call) = self.calls.take(MsgId(req_msg_id)) else {
            return Ok(());
        };
        self.ids.accepted(MsgId(req_msg_id));
        self.calls.refusals = 0;
        let to = call.handle;
        let result = self.unpacked(message.body.slice_ref(result)).and_then(|object| match object.first_chunk::<4>() {
            Some(id) if u32::from_le_bytes(*id) == types::RpcError::ID => rpc_error(&object).map(Err),
            _ => Ok(Ok(object)),
        });
        match result {
            Ok(result) => {
                let failed = result.is_err();
                self.events.push_back(Event::Reply { to, result });
                if failed {
                    self.fail_dependents(to);
                }
            }
            Err(error) => {
                // The call was done, and its answer is not to be had: the owner must not wait for another.
                self.lose(call, LostReason::Unreadable);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Server: everything that is no service message is a query.
    pub(super) fn handle_query(&mut self, message: Message, within: Within) -> Result<(), PacketError> {
        let body = self.unpacked_beneath_head(message.body, within)?;
        self.running.insert(message.id);
        self.events.push_back(Event::Query { msg_id: message.id, body });
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
    pub(super) fn check_new_from_client(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let Err(error) = self.received.check_new(message.id) else {
            return Ok(());
        };
        match error {
            // 20: "it cannot be verified whether the server has received a message with this msg_id or not".
            PacketError::OlderThanMemory(_) => return self.refuse(message, 20, error),
            // 19: "container msg_id is the same as msg_id of a previously received message".
            _ if message.constructor() == MsgContainer::ID => return self.refuse(message, 19, error),
            _ => {}
        }
        if let Some(answer) = self.kept.answer_to(message.id) {
            self.outbox.queue.extend(self.again_or_announced(answer));
        } else if message.needs_ack() {
            self.acknowledge(message.id, now);
        }
        Err(error)
    }

    /// Server: sends an answer, which acknowledges the query at the same time.
    pub(in crate::mtproto) fn answer(&mut self, to: MsgId, object: &[u8]) {
        self.acks.forget(to);
        let mut result = Vec::with_capacity(12 + object.len());
        RpcResult { req_msg_id: to.0, result: object }.write(&mut result);
        let what = What::ToClient { answers: Some(to) };
        self.outbox.push(Outgoing { body: result.into(), content: true, what, id: Id::New(IdKind::Response) });
    }

    /// Client: tells the server that nobody waits for this answer any more.
    ///
    /// <https://core.telegram.org/mtproto/service_messages#cancellation-of-an-rpc-query>
    pub(in crate::mtproto) fn drop_answer(&mut self, wire: MsgId) {
        let body = body(functions::RpcDropAnswer { req_msg_id: wire.0 });
        let id = Id::New(IdKind::FromClient);
        self.outbox.push(Outgoing { body, content: true, what: What::Service, id });
    }

    pub(super) fn handle_drop_answer(&mut self, message: &Message) -> Result<(), PacketError> {
        let query = MsgId(message.read::<functions::RpcDropAnswer>()?.req_msg_id);
        let said = if self.running.remove(&query) {
            self.events.push_back(Event::QueryDropped { msg_id: query });
            // "The same rpc_answer_dropped_running is also returned in response to the original query."
            self.answer(query, &body(types::RpcAnswerDroppedRunning {}));
            body(types::RpcAnswerDroppedRunning {})
        } else if let Some((id, sent)) = self.take_answer_to(query) {
            body(types::RpcAnswerDropped { msg_id: id.0, seq_no: sent.seqno, bytes: sent.body.len() as i32 })
        } else {
            body(types::RpcAnswerUnknown {})
        };
        self.answer(message.id, &said);
        Ok(())
    }

    fn take_answer_to(&mut self, query: MsgId) -> Option<(MsgId, Sent)> {
        let id = self.kept.answer_to(query)?;
        Some((id, self.kept.remove(id)?))
    }
}

fn rpc_error(object: &[u8]) -> Result<RpcError, PacketError> {
    let types::RpcError { error_code, error_message } = Tl::get(&mut Reader::new(object))?;
    Ok(RpcError { code: error_code, message: error_message.to_owned() })
}
