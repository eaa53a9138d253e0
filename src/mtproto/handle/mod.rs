//! What comes in: the checks that every message passes, and an index of all that a peer may say.
//!
//! Each family of messages has its own file; each rule stands at the line that keeps it.

pub(super) mod acks;
mod bad_msg;
mod container;
mod packed;
pub(super) mod ping;
mod rpc;
pub(super) mod salts;
pub(super) mod session;
mod state;

use super::engine::Engine;
use super::packet::Message;
use super::{Opened, PacketError, Side, Time};
use crate::tl::envelope::{GzipPacked, MSG_COPY, MsgContainer, RpcResult};
use crate::tl::{functions, types};

/// Where a message was found; a wrapper is not taken out of a wrapper of its kind.
#[derive(Clone, Copy, Debug, Default)]
struct Within {
    container: bool,
    gzip: bool,
}

impl Engine {
    /// The message of a packet for this session, before anything about it is believed.
    pub(super) fn handle_outer(&mut self, opened: Opened, now: Time) -> Result<(), PacketError> {
        match self.side {
            Side::Client => self.check_from_server(&opened.message, now)?,
            Side::Server => {
                self.check_from_client(&opened, now)?;
                // A container is not handled in itself; its messages are.
                if opened.message.constructor() != MsgContainer::ID {
                    self.begin_session(opened.message.id, now);
                }
            }
        }
        self.received.insert(opened.message.id, opened.message.seqno);
        self.handle_message(opened.message, Within::default(), now)
    }

    /// What a client checks: <https://core.telegram.org/mtproto/security_guidelines#checking-msg-id>
    fn check_from_server(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        // "The client must check that msg_id has even parity for messages from client to server, and odd parity for
        // messages from server to client."
        if !message.id.is_from_server() {
            return Err(PacketError::MsgIdParity(message.id));
        }
        self.check_new_from_server(message, now)?;
        if let Err(error) = self.clock.check_window(message.id, now) {
            if self.received.is_empty() {
                // Nobody could have recorded a message of a session whose random id was made just now: our clock is off.
                self.set_clock(message.id, now);
            } else if self.tells_the_time(message) {
                self.set_clock(message.id, now);
            } else {
                return Err(error);
            }
        }
        self.clock_at_least(message.id, now);
        Ok(())
    }

    /// Refuses what came before. It is acknowledged again, or it would come a third time.
    fn check_new_from_server(&mut self, message: &Message, now: Time) -> Result<(), PacketError> {
        let new = self.received.check_new(message.id);
        if new.is_err() && message.needs_ack() {
            self.acknowledge(message.id, now);
        }
        new
    }

    /// What a server checks; what it refuses it tells.
    fn check_from_client(&mut self, opened: &Opened, now: Time) -> Result<(), PacketError> {
        let message = &opened.message;
        if !message.id.is_from_client() {
            return self.refuse(message, 18, PacketError::MsgIdParity(message.id));
        }
        if let Err(error) = self.clock.check_window(message.id, now) {
            let code = if matches!(error, PacketError::TooOld(_)) { 16 } else { 17 };
            return self.refuse(message, code, error);
        }
        // https://core.telegram.org/mtproto/description#server-salt
        if !self.salts.accepts(opened.salt, self.clock.unix(now)) {
            return self.refuse_salt(message, now);
        }
        self.check_new_from_client(message, now)?;
        self.check_seqno(message)
    }

    /// The index: one message of the peer, new and in order.
    fn handle_message(&mut self, message: Message, within: Within, now: Time) -> Result<(), PacketError> {
        match message.constructor() {
            MsgContainer::ID => return self.handle_container(message, within, now),
            GzipPacked::ID => return self.handle_packed(message, within, now),
            MSG_COPY => return self.handle_copy(message, within, now),
            _ => self.settle(&message, now),
        }
        match (message.constructor(), self.side) {
            (types::MsgsAck::ID, _) => self.handle_acks(&message),
            // "A ping can be initiated by either side."
            (functions::Ping::ID, _) => self.handle_ping(&message),
            (types::MsgsStateReq::ID, _) => self.handle_state_request(&message),
            (types::MsgResendReq::ID | types::MsgResendAnsReq::ID, _) => self.handle_resend_request(&message),
            (types::MsgsAllInfo::ID, _) => self.handle_all_info(&message, now),
            (types::MsgDetailedInfo::ID, _) => self.handle_detailed_info(&message, now),
            (types::MsgNewDetailedInfo::ID, _) => self.handle_new_detailed_info(&message, now),

            (RpcResult::ID, Side::Client) => self.handle_result(&message),
            (types::BadMsgNotification::ID, Side::Client) => self.handle_bad_msg(&message, now),
            (types::BadServerSalt::ID, Side::Client) => self.handle_bad_salt(&message, now),
            (types::FutureSalts::ID, Side::Client) => self.handle_future_salts(&message, now),
            (types::NewSessionCreated::ID, Side::Client) => self.handle_new_session(&message, now),
            (types::Pong::ID, Side::Client) => self.handle_pong(&message, now),
            (types::MsgsStateInfo::ID, Side::Client) => self.handle_state_info(&message, now),
            (types::DestroySessionOk::ID | types::DestroySessionNone::ID, Side::Client) => {
                self.handle_session_destroyed(&message)
            }
            (
                types::DestroyAuthKeyOk::ID | types::DestroyAuthKeyNone::ID | types::DestroyAuthKeyFail::ID,
                Side::Client,
            ) => self.handle_auth_key_destroyed(&message),
            (_, Side::Client) => self.handle_update(message),

            (functions::PingDelayDisconnect::ID, Side::Server) => self.handle_ping_delay_disconnect(&message, now),
            (functions::RpcDropAnswer::ID, Side::Server) => self.handle_drop_answer(&message),
            (functions::GetFutureSalts::ID, Side::Server) => self.handle_get_future_salts(&message, now),
            (functions::DestroySession::ID, Side::Server) => self.handle_destroy_session(&message),
            (functions::DestroyAuthKey::ID, Side::Server) => self.handle_destroy_auth_key(&message),
            // Long polling over HTTP; on a stream there is nothing to wait for.
            (types::HttpWait::ID, Side::Server) => Ok(()),
            // A server keeps its messages until they are acknowledged, and never asks about them.
            (types::MsgsStateInfo::ID, Side::Server) => Ok(()),
            (_, Side::Server) => self.handle_query(message, within),
        }
    }

    /// A message has arrived: what is content-related gets its acknowledgment, whatever comes of it.
    fn settle(&mut self, message: &Message, now: Time) {
        if message.needs_ack() {
            self.acknowledge(message.id, now);
        }
    }
}
