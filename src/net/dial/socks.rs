//! SOCKS5: <https://www.rfc-editor.org/rfc/rfc1928>.

use std::io;

use tokio::net::TcpStream;
use tokio_socks::Error;
use tokio_socks::tcp::Socks5Stream;

use super::error::{DialError, Peer, Step};
use super::via::{Login, Place};

/// What a proxy says of a target.
pub enum Onward {
    Connected(TcpStream),
    /// It could not get there; another address may do.
    Refused(String),
}

/// Asks the proxy at the other end of `stream` for a connection to `target`; a name is the proxy's to resolve.
pub async fn negotiate(
    stream: TcpStream,
    proxy: &Peer,
    login: Option<&Login>,
    target: &Place,
) -> Result<Onward, DialError> {
    let target = (target.host.as_str(), target.port);
    let result = match login {
        Some(Login { user, password }) => {
            Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
        }
        None => Socks5Stream::connect_with_socket(stream, target).await,
    };
    match result {
        Ok(stream) => Ok(Onward::Connected(stream.into_inner())),
        Err(error) => refusal(error, proxy.clone(), login.is_some()),
    }
}

fn refusal(error: Error, proxy: Peer, with_login: bool) -> Result<Onward, DialError> {
    let step = Step::Socks5;
    match error {
        Error::GeneralSocksServerFailure
        | Error::ConnectionNotAllowedByRuleset
        | Error::NetworkUnreachable
        | Error::HostUnreachable
        | Error::ConnectionRefused
        | Error::TtlExpired
        | Error::AddressTypeNotSupported => Ok(Onward::Refused(lower_first(error.to_string()))),
        Error::AuthorizationRequired => Err(DialError::LoginWanted { proxy }),
        Error::NoAcceptableAuthMethods if with_login => Err(DialError::LoginRefused { proxy }),
        Error::NoAcceptableAuthMethods => Err(DialError::LoginWanted { proxy }),
        Error::PasswordAuthFailure(_) => Err(DialError::LoginRefused { proxy }),
        Error::Io(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
            Err(DialError::Broken { step, peer: proxy, source: super::closed() })
        }
        Error::Io(source) => Err(DialError::Broken { step, peer: proxy, source }),
        // The crate has one name for a method that was not offered and for a reply code that is in no RFC.
        Error::UnknownAuthMethod => {
            Err(DialError::Garbage { step, peer: proxy, answer: "a method or a reply code that is unknown".to_owned() })
        }
        other => Err(DialError::Garbage { step, peer: proxy, answer: lower_first(other.to_string()) }),
    }
}

fn lower_first(text: String) -> String {
    match text.strip_prefix("TTL") {
        Some(_) => text,
        None => {
            let mut characters = text.chars();
            characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
        }
    }
}
