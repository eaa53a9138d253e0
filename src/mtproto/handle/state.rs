//! Has it arrived? Requests for the state of messages, and for messages themselves.
//!
//! <https://core.telegram.org/mtproto/service_messages_about_messages#request-for-message-status-information>

use super::super::engine::Engine;
use super::super::ids::Known;
use super::super::outbox::{Outgoing, What};
use super::super::packet::Message;
use super::super::service::*;
use super::super::{LostReason, MsgId, PacketError, Time};

/// "Nothing is known about the message."
const UNKNOWN: u8 = 1;
/// "Message not received", within the range of stored ids.
const NOT_RECEIVED: u8 = 2;
/// "Message not received (msg_id too high)".
const NOT_YET_RECEIVED: u8 = 3;
const RECEIVED: u8 = 4;
/// "Message not requiring acknowledgment."
const NO_ACK_NEEDED: u8 = 16;
/// "RPC query contained in message being processed or processing already complete."
const PROCESSED: u8 = 32;
/// "Content-related response to message already generated."
const ANSWERED: u8 = 64;

impl Engine {
    pub(super) fn handle_state_request(&mut self, message: &Message) -> Result<(), PacketError> {
        let ids: Vec<MsgId> = Fields::of("msgs_state_req", &message.body)
            .longs()?
            .map(MsgId)
            .collect();
        self.tell_states(message.id, &ids);
        // "It is an acknowledgment of the relevant msgs_state_req, in and of itself."
        Ok(())
    }

    fn tell_states(&mut self, request: MsgId, ids: &[MsgId]) {
        let info: Vec<u8> = ids.iter().map(|id| self.state_of(*id)).collect();
        self.send_service(
            Writer::new(MSGS_STATE_INFO)
                .long(request.0)
                .bytes(&info)
                .done(),
        );
    }

    fn state_of(&self, id: MsgId) -> u8 {
        match self.received.known(id) {
            Known::Unknowable => UNKNOWN,
            Known::NotReceived => NOT_RECEIVED,
            Known::NotYetReceived => NOT_YET_RECEIVED,
            Known::Received { needs_ack: false } => RECEIVED | NO_ACK_NEEDED,
            Known::Received { needs_ack: true } if self.running.contains(&id) => {
                RECEIVED | PROCESSED
            }
            Known::Received { needs_ack: true } if self.kept.answer_to(id).is_some() => {
                RECEIVED | PROCESSED | ANSWERED
            }
            Known::Received { needs_ack: true } => RECEIVED,
        }
    }

    /// Client: what the server has received of what we asked about after a connection broke.
    pub(super) fn handle_state_info(&mut self, message: &Message) -> Result<(), PacketError> {
        let mut fields = Fields::of("msgs_state_info", &message.body);
        let (request, info) = (MsgId(fields.long()?), fields.bytes()?);
        let Some(asked) = self.calls.take_asked(request) else {
            return Ok(());
        };
        // "Exactly one byte of message status for each message."
        if info.len() != asked.len() {
            return Err(DecodeError("msgs_state_info").into());
        }
        let mut unreceived = Vec::new();
        for (id, state) in asked.into_iter().zip(info) {
            match state & 7 {
                // It will be answered, if it is not yet.
                RECEIVED => {}
                NOT_RECEIVED | NOT_YET_RECEIVED => unreceived.extend(self.calls.take(id)),
                _ => {
                    if let Some(call) = self.calls.take(id) {
                        self.lose(call, LostReason::Forgotten);
                    }
                }
            }
        }
        self.send_unreceived_again(unreceived);
        Ok(())
    }

    /// What the server says without being asked changes nothing here: a call waits for its answer, not for its
    /// receipt, and what was lost with a connection is asked about.
    pub(super) fn handle_all_info(&mut self, message: &Message) -> Result<(), PacketError> {
        let mut fields = Fields::of("msgs_all_info", &message.body);
        let _ids = fields.longs()?;
        fields.bytes()?;
        Ok(())
    }

    /// "Normally used by the server to respond to the receipt of a duplicate msg_id, especially if a response to the
    /// message has already been generated and the response is large."
    pub(super) fn handle_detailed_info(
        &mut self,
        message: &Message,
        now: Time,
    ) -> Result<(), PacketError> {
        let mut fields = Fields::of("msg_detailed_info", &message.body);
        let (query, answer) = (MsgId(fields.long()?), MsgId(fields.long()?));
        self.want(answer, self.calls.contains(query), now);
        Ok(())
    }

    /// The same for messages that the server "created not in response to an RPC query".
    pub(super) fn handle_new_detailed_info(
        &mut self,
        message: &Message,
        now: Time,
    ) -> Result<(), PacketError> {
        let answer = MsgId(Fields::of("msg_new_detailed_info", &message.body).long()?);
        self.want(answer, true, now);
        Ok(())
    }

    /// Asks for a message that the server has for us, or says that it need not be sent.
    fn want(&mut self, id: MsgId, wanted: bool, now: Time) {
        if wanted && self.received.check_new(id).is_ok() {
            let body = Writer::new(MSG_RESEND_REQ).longs(&[id.0]).done();
            let kind = self.response_id();
            self.outbox.push(Outgoing {
                body,
                content: true,
                what: What::Service,
                id: kind,
            });
        } else {
            self.acknowledge(id, now);
        }
    }

    /// "The remote party immediately responds by re-sending the requested messages."
    /// <https://core.telegram.org/mtproto/service_messages_about_messages#explicit-request-to-re-send-messages>
    pub(super) fn handle_resend_request(&mut self, message: &Message) -> Result<(), PacketError> {
        let wanted: Vec<MsgId> = Fields::of("msg_resend_req", &message.body)
            .longs()?
            .map(MsgId)
            .collect();
        let of_answers = message.constructor() == MSG_RESEND_ANS_REQ;
        let mut all = true;
        for &id in &wanted {
            let id = if of_answers {
                self.kept.answer_to(id).unwrap_or_default()
            } else {
                id
            };
            match self
                .kept
                .messages
                .get(&id)
                .map(|sent| sent.again(id))
                .or_else(|| self.calls.again(id))
            {
                Some(again) => self.outbox.push(again),
                None => all = false,
            }
        }
        // "If at least one message with requested msg_id does not exist or has already been forgotten, or has been sent
        // by the requesting party, MsgsStateInfo is returned for all messages requested."
        if !all {
            self.tell_states(message.id, &wanted);
        }
        Ok(())
    }
}
