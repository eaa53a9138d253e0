//! Has it arrived? Requests for the state of messages, and for messages themselves.
//!
//! <https://core.telegram.org/mtproto/service_messages_about_messages#request-for-message-status-information>

use super::super::engine::Engine;
use super::super::ids::Known;
use super::super::outbox::{Outgoing, What};
use super::super::packet::{Message, body};
use super::super::{LostReason, MsgId, PacketError, Side, Time};
use super::acks::ids;
use crate::tl::{DecodeError, enums, types};

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
        let ids: Vec<MsgId> = ids(message.read::<types::MsgsStateReq>()?.msg_ids)?.collect();
        self.tell_states(message.id, &ids);
        // "It is an acknowledgment of the relevant msgs_state_req, in and of itself."
        Ok(())
    }

    fn tell_states(&mut self, request: MsgId, ids: &[MsgId]) {
        let info: Vec<u8> = ids.iter().map(|id| self.state_of(*id)).collect();
        self.send_service(body(types::MsgsStateInfo { req_msg_id: request.0, info: &info }));
    }

    fn state_of(&self, id: MsgId) -> u8 {
        match self.received.known(id) {
            Known::Unknowable => UNKNOWN,
            Known::NotReceived => NOT_RECEIVED,
            Known::NotYetReceived => NOT_YET_RECEIVED,
            Known::Received { needs_ack: false } => RECEIVED | NO_ACK_NEEDED,
            Known::Received { needs_ack: true } if self.running.contains(&id) => RECEIVED | PROCESSED,
            Known::Received { needs_ack: true } if self.kept.answer_to(id).is_some() => RECEIVED | PROCESSED | ANSWERED,
            Known::Received { needs_ack: true } => RECEIVED,
        }
    }

    /// Client: what the server has received of what we asked about after a connection broke.
    pub(super) fn handle_state_info(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let types::MsgsStateInfo { req_msg_id, info } = message.read()?;
        let Some(asked) = self.calls.take_asked(MsgId(req_msg_id)) else {
            return Ok(());
        };
        // They were sent before the question, so what the server has not received "yet" it will not receive.
        let lost = [NOT_RECEIVED, NOT_YET_RECEIVED];
        self.learn_states(&asked, info, &lost, now)
    }

    /// What the other side says of our messages without being asked.
    /// <https://core.telegram.org/mtproto/service_messages_about_messages#voluntary-communication-of-status-of-messages>
    pub(super) fn handle_all_info(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let types::MsgsAllInfo { msg_ids, info } = message.read()?;
        let about: Vec<MsgId> = ids(msg_ids)?.collect();
        // What has "not been received yet" may be on its way.
        self.learn_states(&about, info, &[NOT_RECEIVED], now)
    }

    /// Sends again what is lost, and gives up what the other side has forgotten.
    fn learn_states(&mut self, about: &[MsgId], info: &[u8], lost: &[u8], now: Time) -> Result<(), PacketError> {
        // "Exactly one byte of message status for each message."
        if info.len() != about.len() {
            return Err(DecodeError::Count(info.len() as u32).into());
        }
        let mut unreceived = Vec::new();
        for (&id, state) in about.iter().zip(info) {
            match (state & 7, self.side) {
                // It will be answered, if it is not yet.
                (RECEIVED, Side::Client) => self.received_by_server(id),
                // "This response is also at the same time a receipt acknowledgment."
                (RECEIVED, Side::Server) => drop(self.kept.remove(id)),
                (state, _) if lost.contains(&state) => unreceived.push(id),
                (UNKNOWN, Side::Client) => {
                    if let Some(call) = self.calls.take(id) {
                        self.lose(call, LostReason::Forgotten);
                    }
                }
                _ => {}
            }
        }
        match self.side {
            Side::Client => self.send_unreceived_again(unreceived, now),
            Side::Server => {
                let again: Vec<Outgoing> = unreceived.iter().filter_map(|id| self.again_or_announced(*id)).collect();
                self.outbox.queue.extend(again);
            }
        }
        Ok(())
    }

    /// "Normally used by the server to respond to the receipt of a duplicate msg_id, especially if a response to the
    /// message has already been generated and the response is large."
    pub(super) fn handle_detailed_info(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let types::MsgDetailedInfo { msg_id, answer_msg_id, .. } = message.read()?;
        self.want(MsgId(answer_msg_id), self.calls.contains(MsgId(msg_id)), now);
        Ok(())
    }

    /// The same for messages that the server "created not in response to an RPC query".
    pub(super) fn handle_new_detailed_info(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let types::MsgNewDetailedInfo { answer_msg_id, .. } = message.read()?;
        self.want(MsgId(answer_msg_id), true, now);
        Ok(())
    }

    /// Asks for a message that the server has for us, or says that it need not be sent.
    fn want(&mut self, id: MsgId, wanted: bool, now: Time) {
        if wanted && self.received.check_new(id).is_ok() {
            let body = body(types::MsgResendReq { msg_ids: [id.0][..].into() });
            let kind = self.response_id();
            self.outbox.push(Outgoing { body, content: true, what: What::Service, id: kind });
        } else {
            self.acknowledge(id, now);
        }
    }

    /// "The remote party immediately responds by re-sending the requested messages."
    /// <https://core.telegram.org/mtproto/service_messages_about_messages#explicit-request-to-re-send-messages>
    pub(super) fn handle_resend_request(&mut self, message: &Message) -> Result<(), PacketError> {
        let (list, of_answers) = match message.read()? {
            enums::MsgResendReq::MsgResendReq(request) => (request.msg_ids, false),
            enums::MsgResendReq::MsgResendAnsReq(request) => (request.msg_ids, true),
        };
        let wanted: Vec<MsgId> = ids(list)?.collect();
        let mut all = true;
        for &id in &wanted {
            let id = if of_answers { self.kept.answer_to(id).unwrap_or_default() } else { id };
            match self.kept.messages.get(&id).map(|sent| sent.again(id)).or_else(|| self.calls.again(id)) {
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
