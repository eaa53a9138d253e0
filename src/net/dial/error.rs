//! Where and why dialling failed.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::mtproto::Transport;
use crate::mtproto::faketls::FakeTlsError;

/// Why there is no stream. Each says at which step and on whose side; none has a password or a secret in it.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("there is no address to connect to")]
    NoAddress,
    #[error("the name of {peer} could not be resolved: {source}")]
    Resolve { peer: Peer, source: io::Error },
    /// No TCP connection.
    #[error("{peer} cannot be reached: {tried}")]
    Unreachable { peer: Peer, tried: Tried },
    /// The step was not finished in time, whether nothing came or too little.
    #[error("{step} with {peer} was not done within {after:?}")]
    TimedOut { step: Step, peer: Peer, after: Duration },
    /// The connection ended in the step.
    #[error("{peer} broke off during {step}: {source}")]
    Broken { step: Step, peer: Peer, source: io::Error },
    /// What was answered has no meaning in the step.
    #[error("{peer} gave an answer that does not belong to {step}: {answer}")]
    Garbage { step: Step, peer: Peer, answer: String },
    #[error("{proxy} wants a user and a password")]
    LoginWanted { proxy: Peer },
    #[error("{proxy} refused user and password")]
    LoginRefused { proxy: Peer },
    /// The proxy works, but does not get any further.
    #[error("{proxy} could not connect onward: {tried}")]
    TargetRefused { proxy: Peer, tried: Tried },
    #[error("{proxy}: {source}")]
    FakeTls { proxy: Peer, source: FakeTlsError },
    #[error("no TLS with {peer}: {source}")]
    Tls { peer: Peer, source: io::Error },
    #[error("{peer} refused the WebSocket: {answer}")]
    WebSocketRefused { peer: Peer, answer: String },
    #[error("the {0:?} transport cannot be obfuscated: choose another")]
    Transport(Transport),
    #[error("{0:?} is no name that TLS can check")]
    ServerName(String),
}

impl DialError {
    /// Whether the trouble is with the proxy, so that another address of the DC would not help.
    pub fn is_about_proxy(&self) -> bool {
        match self {
            DialError::Resolve { peer, .. }
            | DialError::Unreachable { peer, .. }
            | DialError::TimedOut { peer, .. }
            | DialError::Broken { peer, .. }
            | DialError::Garbage { peer, .. } => matches!(peer, Peer::Proxy(_)),
            DialError::LoginWanted { .. } | DialError::LoginRefused { .. } | DialError::FakeTls { .. } => true,
            _ => false,
        }
    }
}

/// The other end of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The server itself.
    Server(String),
    /// As `socks5://host:port`.
    Proxy(String),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Server(name) => write!(f, "the server {name}"),
            Peer::Proxy(name) => write!(f, "the proxy {name}"),
        }
    }
}

/// What dialling consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Resolve,
    Connect,
    Socks5,
    HttpConnect,
    FakeTls,
    Tls,
    WebSocket,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Resolve => "the look-up of the name",
            Step::Connect => "the TCP handshake",
            Step::Socks5 => "the SOCKS5 negotiation",
            Step::HttpConnect => "HTTP CONNECT",
            Step::FakeTls => "the fake-TLS greeting",
            Step::Tls => "the TLS handshake",
            Step::WebSocket => "the WebSocket upgrade",
        })
    }
}

/// Every address that was tried, with what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tried(pub Vec<(String, String)>);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (address, reason)) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{address}: {reason}")?;
        }
        Ok(())
    }
}
