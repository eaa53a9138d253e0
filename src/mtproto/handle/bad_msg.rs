//! Messages that the server refuses, and what a client does about it.
//!
//! <https://core.telegram.org/mtproto/service_messages_about_messages#notice-of-ignored-error-message>

use super::super::engine::Engine;
use super::super::packet::Message;
use super::super::service::*;
use super::super::{Event, LostReason, MsgId, PacketError, Time};

impl Engine {
    /// Server: tells the client that its message was ignored, and why.
    pub(super) fn refuse(
        &mut self,
        message: &Message,
        code: i32,
        error: PacketError,
    ) -> Result<(), PacketError> {
        let notification = Writer::new(BAD_MSG_NOTIFICATION)
            .long(message.id.0)
            .int(message.seqno)
            .int(code);
        self.send_service(notification.done());
        Err(error)
    }

    /// Server: tells the client the salt to use.
    pub(super) fn refuse_salt(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let salt = self.server_salt(now);
        let notification = Writer::new(BAD_SERVER_SALT)
            .long(message.id.0)
            .int(message.seqno)
            .int(48)
            .long(salt);
        self.send_service(notification.done());
        Err(PacketError::WrongSalt { msg_id: message.id })
    }

    /// Server: seqnos grow with ids. <https://core.telegram.org/mtproto/description#message-sequence-number-msg-seqno>
    pub(super) fn check_seqno(&mut self, message: &Message) -> Result<(), PacketError> {
        // 34 and 35: "an even msg_seqno expected (irrelevant message), but odd received", and the other way round.
        // Clients disagree about pings and other service messages, so both are taken for those.
        let parity = match (message.constructor(), message.seqno & 1) {
            (MSG_CONTAINER | MSGS_ACK, 1) => Err(34),
            (constructor, 0) if is_query(constructor) => Err(35),
            _ => Ok(()),
        };
        match parity.and_then(|()| self.received.check_seqno(message.id, message.seqno)) {
            Ok(()) => Ok(()),
            Err(code) => self.refuse(
                message,
                code,
                PacketError::SeqNo {
                    msg_id: message.id,
                    code,
                },
            ),
        }
    }

    /// Client: whether a message may lie outside of the time window, because it says that our clock is wrong.
    pub(super) fn tells_the_time(&self, message: &Message) -> bool {
        let mut fields = Fields::of("bad_msg_notification", &message.body);
        message.constructor() == BAD_MSG_NOTIFICATION
            && fields.long().is_ok_and(|id| self.calls.was_sent(MsgId(id)))
            && fields.int().is_ok()
            && matches!(fields.int(), Ok(16 | 17))
    }

    pub(super) fn handle_bad_msg(
        &mut self,
        message: &Message,
        now: Time,
    ) -> Result<(), PacketError> {
        let mut fields = Fields::of("bad_msg_notification", &message.body);
        let (bad, _seqno, code) = (MsgId(fields.long()?), fields.int()?, fields.int()?);
        // "The client must check that it has, in fact, recently sent a message with the specified msg_id."
        let Some((calls, service)) = self.calls.take_refused(bad) else {
            return Ok(());
        };
        match code {
            // The id is too low or too high: the server's own id tells its time.
            16 | 17 => self.set_clock(message.id, now),
            // "It cannot be verified whether the server has received a message with this msg_id or not."
            20 => {
                calls
                    .into_iter()
                    .for_each(|call| self.lose(call, LostReason::Forgotten));
                return Ok(());
            }
            // The server has seen higher seqnos than ours in this session.
            32 => self.seqnos.skip(),
            // 33, 34, 35: a new id and the next seqno are in order whatever was wrong. 18, 19: a new id. 48: the salt
            // comes with bad_server_salt. 64: the next container is another.
            _ => {}
        }
        // What is right but for its time or its place is right when it is sent again.
        if matches!(code, 16 | 17 | 32 | 33) {
            service
                .into_iter()
                .rev()
                .for_each(|message| self.outbox.push_front(message));
        }
        self.send_refused_again(calls, code);
        Ok(())
    }

    pub(super) fn handle_bad_salt(
        &mut self,
        message: &Message,
        now: Time,
    ) -> Result<(), PacketError> {
        let mut fields = Fields::of("bad_server_salt", &message.body);
        let (bad, _seqno, code, salt) = (
            MsgId(fields.long()?),
            fields.int()?,
            fields.int()?,
            fields.long()?,
        );
        let Some((calls, service)) = self.calls.take_refused(bad) else {
            return Ok(());
        };
        self.adopt_salt(salt, now);
        service
            .into_iter()
            .rev()
            .for_each(|message| self.outbox.push_front(message));
        self.send_refused_again(calls, code);
        Ok(())
    }

    /// Client: takes the time from a message that the server wrote just now.
    pub(super) fn set_clock(&mut self, written: MsgId, now: Time) {
        let before = self.clock.offset_seconds();
        self.clock.set(written, now);
        // Ids that were ahead of the server's time were refused, so smaller ones may follow them.
        self.ids.rewind(self.clock.unix(now));
        self.outbox.forget_newest();
        if before != self.clock.offset_seconds() {
            self.events
                .push_back(Event::TimeOffsetChanged(self.clock.offset_seconds()));
        }
    }
}

/// Neither a service message nor a wrapper, so certainly content-related.
pub(super) fn is_query(constructor: u32) -> bool {
    !matches!(
        constructor,
        MSG_CONTAINER
            | MSG_COPY
            | GZIP_PACKED
            | MSGS_ACK
            | MSGS_STATE_REQ
            | MSGS_STATE_INFO
            | MSGS_ALL_INFO
            | MSG_DETAILED_INFO
            | MSG_NEW_DETAILED_INFO
            | MSG_RESEND_REQ
            | MSG_RESEND_ANS_REQ
            | PING
            | PING_DELAY_DISCONNECT
            | RPC_DROP_ANSWER
            | GET_FUTURE_SALTS
            | DESTROY_SESSION
            | DESTROY_AUTH_KEY
            | HTTP_WAIT
    )
}
