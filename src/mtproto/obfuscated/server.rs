//! A server's end of a stream that may be obfuscated or not, which the client's first bytes tell.

use bytes::BytesMut;

use super::{HEADER, Obfuscated, ProxyDc, TAKEN, announcement};
use crate::mtproto::Transport;

/// The client's first bytes begin nothing that is taken here. Fatal to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncomingError {
    #[error("the client speaks HTTP or TLS")]
    NotMtproto,
    #[error("the client does not obfuscate its stream; a secret demands it")]
    NotObfuscated,
    #[error("the client's first 64 bytes do not fit the secret")]
    WrongSecret,
}

/// Bytes of a socket to bytes of a [`Framing::server`](crate::mtproto::Framing::server), and back.
#[derive(Debug)]
pub struct IncomingStream {
    /// Clients must know it, as with an MTProxy.
    key: Option<[u8; 16]>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The first bytes, until they tell.
    Undecided(Vec<u8>),
    Plain,
    Obfuscated(Box<Obfuscated>),
}

impl IncomingStream {
    /// With a `key`, only streams obfuscated with it are taken; without one, plain streams and streams obfuscated
    /// without a secret.
    pub fn new(key: Option<[u8; 16]>) -> IncomingStream {
        IncomingStream { key, state: State::Undecided(Vec::new()) }
    }

    /// Appends to `plain` what the next bytes of the socket hold for the framing.
    pub fn receive(&mut self, mut bytes: &[u8], plain: &mut BytesMut) -> Result<(), IncomingError> {
        if let State::Undecided(first) = &mut self.state {
            let taken = bytes.len().min(HEADER - first.len());
            first.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            match begins(first)? {
                Begins::Unclear => return Ok(()),
                Begins::Plain if self.key.is_some() => return Err(IncomingError::NotObfuscated),
                Begins::Plain => {
                    plain.extend_from_slice(first);
                    self.state = State::Plain;
                }
                Begins::Header(header) => {
                    let (stream, announced) = Obfuscated::server(&header, self.key.as_ref());
                    if announced.is_none() && self.key.is_some() {
                        return Err(IncomingError::WrongSecret);
                    }
                    plain.extend_from_slice(announcement(stream.transport()));
                    self.state = State::Obfuscated(Box::new(stream));
                }
            }
        }
        let start = plain.len();
        plain.extend_from_slice(bytes);
        if let State::Obfuscated(stream) = &mut self.state {
            stream.receive(&mut plain[start..]);
        }
        Ok(())
    }

    /// Turns bytes of the framing into bytes for the socket, in place. There are none before the client has spoken.
    pub fn send(&mut self, bytes: &mut [u8]) {
        if let State::Obfuscated(stream) = &mut self.state {
            stream.encrypt.apply(bytes);
        }
    }

    /// The framing inside and the DC wanted, if the stream is obfuscated.
    pub fn obfuscated(&self) -> Option<(Transport, Option<ProxyDc>)> {
        match &self.state {
            State::Obfuscated(stream) => Some((stream.transport(), stream.dc())),
            _ => None,
        }
    }
}

enum Begins {
    Unclear,
    Plain,
    Header([u8; HEADER]),
}

/// <https://core.telegram.org/mtproto/mtproto-transports>: the server tells the protocols apart by their first bytes.
fn begins(first: &[u8]) -> Result<Begins, IncomingError> {
    match first {
        [0xef, ..] | [0xee, 0xee, 0xee, 0xee, ..] | [0xdd, 0xdd, 0xdd, 0xdd, ..] => Ok(Begins::Plain),
        _ if TAKEN.iter().any(|taken| first.starts_with(taken)) => Err(IncomingError::NotMtproto),
        [_, _, _, _, 0, 0, 0, 0, ..] => Ok(Begins::Plain),
        _ => Ok(first.first_chunk().map_or(Begins::Unclear, |header| Begins::Header(*header))),
    }
}
