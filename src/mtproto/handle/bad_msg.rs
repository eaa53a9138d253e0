//! Messages that the server refuses, and what a client does about it.
//!
//! <https://core.telegram.org/mtproto/service_messages_about_messages#notice-of-ignored-error-message>

use std::time::Duration;

use super::super::engine::Engine;
use super::super::ids::ServerClock;
use super::super::packet::{Message, body};
use super::super::{Event, LostReason, MsgId, PacketError, Time};
use crate::tl::envelope::{GzipPacked, MSG_COPY, MsgContainer};
use crate::tl::{enums, functions, types};

impl Engine {
    /// Server: tells the client that its message was ignored, and why.
    pub(super) fn refuse(&mut self, message: &Message, code: i32, error: PacketError) -> Result<(), PacketError> {
        self.send_service(body(types::BadMsgNotification {
            bad_msg_id: message.id.0,
            bad_msg_seqno: message.seqno,
            error_code: code,
        }));
        Err(error)
    }

    /// Server: tells the client the salt to use.
    pub(super) fn refuse_salt(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let salt = self.server_salt(now);
        self.send_service(body(types::BadServerSalt {
            bad_msg_id: message.id.0,
            bad_msg_seqno: message.seqno,
            error_code: 48,
            new_server_salt: salt,
        }));
        Err(PacketError::WrongSalt { msg_id: message.id })
    }

    /// Server: seqnos grow with ids. <https://core.telegram.org/mtproto/description#message-sequence-number-msg-seqno>
    pub(super) fn check_seqno(&mut self, message: &Message) -> Result<(), PacketError> {
        // 34 and 35: "an even msg_seqno expected (irrelevant message), but odd received", and the other way round.
        // Clients disagree about pings and other service messages, acknowledgments among them (mtcute 0.30 counts those as
        // content), and Telegram serves them all: both are taken for those.
        let parity = match (message.constructor(), message.seqno & 1) {
            (MsgContainer::ID | MSG_COPY, 1) => Err(34),
            (constructor, 0) if is_query(constructor) => Err(35),
            _ => Ok(()),
        };
        match parity.and_then(|()| self.received.check_seqno(message.id, message.seqno)) {
            Ok(()) => Ok(()),
            Err(code) => self.refuse(message, code, PacketError::SeqNo { msg_id: message.id, code }),
        }
    }

    /// Client: whether a message may lie outside of the time window, because it answers one of ours that was refused for
    /// its time or its salt. <https://core.telegram.org/mtproto/security_guidelines#checking-msg-id>
    pub(super) fn tells_the_time(&self, message: &Message) -> bool {
        match message.read() {
            Ok(enums::BadMsgNotification::BadMsgNotification(bad)) => {
                matches!(bad.error_code, 16 | 17) && self.calls.was_sent(MsgId(bad.bad_msg_id))
            }
            Ok(enums::BadMsgNotification::BadServerSalt(bad)) => self.calls.was_sent(MsgId(bad.bad_msg_id)),
            Err(_) => false,
        }
    }

    pub(super) fn handle_bad_msg(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let types::BadMsgNotification { bad_msg_id, error_code: code, .. } = message.read()?;
        // "The client must check that it has, in fact, recently sent a message with the specified msg_id."
        let refused = MsgId(bad_msg_id);
        let Some((calls, service)) = self.calls.take_refused(refused) else {
            return Ok(());
        };
        match code {
            // The id is too low or too high: the server's own id tells its time.
            16 | 17 => self.set_clock(message.id, now),
            // "It cannot be verified whether the server has received a message with this msg_id or not."
            20 => {
                calls.into_iter().for_each(|(_, call)| self.lose(call, LostReason::Forgotten));
                self.send_service_again(service);
                return Ok(());
            }
            // "Container msg_id is the same as msg_id of a previously received message": somebody who listens has sent the
            // packet before us, or once more. What is in it must not be done under other ids as well.
            19 => {
                if !calls.is_empty() {
                    self.ask_about_repeated(calls);
                }
                self.send_service_again(service);
                return Ok(());
            }
            // The server has seen higher seqnos than ours in this session.
            32 => self.seqnos.skip(),
            // 33, 34, 35: a new id and the next seqno are in order whatever was wrong. 18: a new id. 48: the salt
            // comes with bad_server_salt. 64: the next container is another.
            _ => {}
        }
        self.send_service_again(service);
        self.send_refused_again(calls, refused, code, now);
        Ok(())
    }

    pub(super) fn handle_bad_salt(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let types::BadServerSalt { bad_msg_id, error_code: code, new_server_salt, .. } = message.read()?;
        let refused = MsgId(bad_msg_id);
        let Some((calls, service)) = self.calls.take_refused(refused) else {
            return Ok(());
        };
        self.adopt_salt(new_server_salt, now);
        self.send_service_again(service);
        self.send_refused_again(calls, refused, code, now);
        Ok(())
    }

    /// Client: takes the time from a message that the server wrote just now.
    pub(super) fn set_clock(&mut self, written: MsgId, now: Time) {
        self.adjust_clock(|clock| clock.set(written, now));
        // Ids that were ahead of the server's time were refused, so smaller ones may follow them.
        self.ids.rewind(self.clock.unix(now));
        self.outbox.forget_newest();
    }

    /// Client: the server's clock is not behind the newest message of its that came. Our ids only grow.
    pub(super) fn clock_at_least(&mut self, written: MsgId, now: Time) {
        self.adjust_clock(|clock| clock.at_least(written, now));
    }

    /// Client: the server's clock is not ahead of a pong by more than the ping and the pong took. Our ids do not go back with
    /// it: those to come stand still until the time has caught up with them.
    pub(super) fn clock_at_most(&mut self, written: MsgId, took: Duration, now: Time) {
        self.adjust_clock(|clock| clock.at_most(written, took, now));
    }

    fn adjust_clock(&mut self, adjust: impl FnOnce(&mut ServerClock)) {
        let before = self.clock.offset_seconds();
        adjust(&mut self.clock);
        if before != self.clock.offset_seconds() {
            self.events.push_back(Event::TimeOffsetChanged(self.clock.offset_seconds()));
        }
    }
}

/// Neither a service message nor a wrapper, so certainly content-related.
pub(super) fn is_query(constructor: u32) -> bool {
    !matches!(
        constructor,
        MsgContainer::ID
            | MSG_COPY
            | GzipPacked::ID
            | types::MsgsAck::ID
            | types::MsgsStateReq::ID
            | types::MsgsStateInfo::ID
            | types::MsgsAllInfo::ID
            | types::MsgDetailedInfo::ID
            | types::MsgNewDetailedInfo::ID
            | types::MsgResendReq::ID
            | types::MsgResendAnsReq::ID
            | functions::Ping::ID
            | functions::PingDelayDisconnect::ID
            | functions::RpcDropAnswer::ID
            | functions::GetFutureSalts::ID
            | functions::DestroySession::ID
            | functions::DestroyAuthKey::ID
            | types::HttpWait::ID
    )
}
