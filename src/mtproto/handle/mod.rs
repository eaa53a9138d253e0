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
use super::ids::check_window;
use super::packet::Message;
use super::service::*;
use super::{Opened, PacketError, Side, Time};

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
                if opened.message.constructor() != MSG_CONTAINER {
                    self.begin_session(opened.message.id, now);
                }
            }
        }
        self.received
            .insert(opened.message.id, opened.message.seqno);
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
        if let Err(error) = check_window(message.id, self.clock.unix(now)) {
            if self.received.is_empty() {
                // Nobody could have recorded a message of a session whose random id was made just now: our clock is off.
                self.set_clock(message.id, now);
            } else if !self.tells_the_time(message) {
                return Err(error);
            }
        }
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
        let server_time = self.clock.unix(now);
        if let Err(error) = check_window(message.id, server_time) {
            let code = if matches!(error, PacketError::TooOld(_)) {
                16
            } else {
                17
            };
            return self.refuse(message, code, error);
        }
        // https://core.telegram.org/mtproto/description#server-salt
        if !self.salts.accepts(opened.salt, server_time) {
            return self.refuse_salt(message, now);
        }
        self.check_new_from_client(message, now)?;
        self.check_seqno(message)
    }

    /// The index: one message of the peer, new and in order.
    fn handle_message(
        &mut self,
        message: Message,
        within: Within,
        now: Time,
    ) -> Result<(), PacketError> {
        match message.constructor() {
            MSG_CONTAINER => return self.handle_container(message, within, now),
            GZIP_PACKED => return self.handle_packed(message, within, now),
            MSG_COPY => return self.handle_copy(message, within, now),
            _ => self.settle(&message, now),
        }
        match (message.constructor(), self.side) {
            (MSGS_ACK, _) => self.handle_acks(&message),
            (MSGS_STATE_REQ, _) => self.handle_state_request(&message),
            (MSG_RESEND_REQ | MSG_RESEND_ANS_REQ, _) => self.handle_resend_request(&message),

            (RPC_RESULT, Side::Client) => self.handle_result(&message),
            (BAD_MSG_NOTIFICATION, Side::Client) => self.handle_bad_msg(&message, now),
            (BAD_SERVER_SALT, Side::Client) => self.handle_bad_salt(&message, now),
            (FUTURE_SALTS, Side::Client) => self.handle_future_salts(&message),
            (NEW_SESSION_CREATED, Side::Client) => self.handle_new_session(&message, now),
            (PONG, Side::Client) => self.handle_pong(&message, now),
            (MSGS_STATE_INFO, Side::Client) => self.handle_state_info(&message),
            (MSGS_ALL_INFO, Side::Client) => self.handle_all_info(&message),
            (MSG_DETAILED_INFO, Side::Client) => self.handle_detailed_info(&message, now),
            (MSG_NEW_DETAILED_INFO, Side::Client) => self.handle_new_detailed_info(&message, now),
            (DESTROY_SESSION_OK | DESTROY_SESSION_NONE, Side::Client) => {
                self.handle_session_destroyed(&message)
            }
            (DESTROY_AUTH_KEY_OK | DESTROY_AUTH_KEY_NONE | DESTROY_AUTH_KEY_FAIL, Side::Client) => {
                self.handle_auth_key_destroyed(&message)
            }
            (_, Side::Client) => self.handle_update(message),

            (PING, Side::Server) => self.handle_ping(&message),
            (PING_DELAY_DISCONNECT, Side::Server) => {
                self.handle_ping_delay_disconnect(&message, now)
            }
            (RPC_DROP_ANSWER, Side::Server) => self.handle_drop_answer(&message),
            (GET_FUTURE_SALTS, Side::Server) => self.handle_get_future_salts(&message, now),
            (DESTROY_SESSION, Side::Server) => self.handle_destroy_session(&message),
            (DESTROY_AUTH_KEY, Side::Server) => self.handle_destroy_auth_key(&message),
            // Long polling over HTTP; on a stream there is nothing to wait for.
            (HTTP_WAIT, Side::Server) => Ok(()),
            // A server keeps its messages until they are acknowledged, and asks for nothing else about them.
            (
                MSGS_STATE_INFO | MSGS_ALL_INFO | MSG_DETAILED_INFO | MSG_NEW_DETAILED_INFO,
                Side::Server,
            ) => Ok(()),
            (_, Side::Server) => self.handle_query(message),
        }
    }

    /// A message has arrived: what is content-related gets its acknowledgment, whatever comes of it.
    fn settle(&mut self, message: &Message, now: Time) {
        if message.needs_ack() {
            self.acknowledge(message.id, now);
        }
    }
}
