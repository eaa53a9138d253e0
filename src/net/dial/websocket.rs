//! WebSocket, with TLS below it or not: <https://core.telegram.org/mtproto/transports#websocket>.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError, http::Uri};

use super::error::{DialError, Peer, Step};
use super::http::shown;
use super::via::{Place, Via};
use crate::mtproto::framing::MAX_PACKET;
use crate::mtproto::mtproxy::ProxyDc;

/// The longest message taken. Messages mean nothing: bytes are one stream; but no server has a reason for longer ones
/// than the longest packet.
const MAX_MESSAGE: usize = MAX_PACKET + 64;
/// A session's packets are small, and there may be many sessions.
const READ_BUFFER: usize = 16 << 10;

/// The hosts of the production DCs, the first that of DC 1.
const NAMES: [&str; 5] = ["pluto", "venus", "aurora", "vesta", "flora"];

/// A WebSocket server that speaks MTProto.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocket {
    /// wss.
    pub secure: bool,
    pub place: Place,
    /// Begins with a slash.
    pub path: String,
    pub trust: Trust,
}

/// Whose certificates a server may show.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Trust {
    /// The authorities that Mozilla trusts.
    #[default]
    Public,
    /// These authorities only, in DER.
    Only(Vec<Vec<u8>>),
}

/// What is wrong with the address of a WebSocket server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("the address of a WebSocket server begins with ws:// or wss://")]
    Scheme,
    #[error("the address of a WebSocket server has a host, and a port if it is not the usual one")]
    Host,
    #[error("the path in the address of a WebSocket server has characters that must be percent-encoded")]
    Path,
}

impl WebSocket {
    /// Reads `ws://host:port/path` or `wss://…`; trusts public authorities.
    pub fn parse(url: &str) -> Result<WebSocket, UrlError> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(UrlError::Scheme)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            _ => return Err(UrlError::Scheme),
        };
        let (host, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(UrlError::Path);
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let usual = if secure { 443 } else { 80 };
        let host = if has_port { host.to_owned() } else { format!("{host}:{usual}") };
        match Via::parse(&format!("http://{host}")) {
            Ok(Via::Http { proxy: place, login: None }) => {
                Ok(WebSocket { secure, place, path: path.to_owned(), trust: Trust::Public })
            }
            _ => Err(UrlError::Host),
        }
    }

    /// Where a production or test DC has its WebSocket; None for one that has none.
    /// <https://core.telegram.org/mtproto/transports#uri-format>
    pub fn of_dc(dc: ProxyDc) -> Option<WebSocket> {
        let name = NAMES.get(usize::from(dc.id.checked_sub(1)?))?;
        // The second host of a DC is for the many connections that files take.
        let media = if dc.media { "-1" } else { "" };
        let test = if dc.test { "_test" } else { "" };
        let place = Place { host: format!("{name}{media}.web.telegram.org"), port: 443 };
        Some(WebSocket { secure: true, place, path: format!("/apiws{test}"), trust: Trust::Public })
    }

    /// For messages.
    pub(super) fn name(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.place, self.path)
    }

    fn scheme(&self) -> &'static str {
        if self.secure { "wss" } else { "ws" }
    }
}

/// The TLS handshake. The server must be who `socket` says.
pub async fn secure<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    socket: &WebSocket,
    peer: &Peer,
) -> Result<TlsStream<S>, DialError> {
    let host = &socket.place.host;
    let name = ServerName::try_from(host.clone()).map_err(|_| DialError::ServerName(host.clone()))?;
    let tls = |source| DialError::Tls { peer: peer.clone(), source };
    let config = tls_config(&socket.trust).map_err(tls)?;
    TlsConnector::from(config).connect(name, stream).await.map_err(tls)
}

/// The upgrade, and the bytes of the binary messages as one stream.
pub async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    socket: &WebSocket,
    peer: &Peer,
) -> Result<Messages<S>, DialError> {
    let usual = socket.place.port == if socket.secure { 443 } else { 80 };
    let place = socket.place.to_string();
    // A port that goes without saying is not said, as browsers do it.
    let host = if usual { place.rsplit_once(':').map_or("", |(host, _)| host) } else { &place };
    let url = format!("{}://{host}{}", socket.scheme(), socket.path);
    let garbage = |answer: String| DialError::Garbage { step: Step::WebSocket, peer: peer.clone(), answer };
    let url: Uri = url.parse().map_err(|_| garbage("its address is no URL".to_owned()))?;
    let request = ClientRequestBuilder::new(url).with_sub_protocol("binary");
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    match tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(Messages { socket, message: Bytes::new() }),
        Err(Error::Io(source)) => Err(DialError::Broken { step: Step::WebSocket, peer: peer.clone(), source }),
        Err(Error::Protocol(ProtocolError::HandshakeIncomplete)) | Err(Error::ConnectionClosed) => {
            Err(DialError::Broken { step: Step::WebSocket, peer: peer.clone(), source: super::closed() })
        }
        Err(Error::Http(response)) => {
            Err(DialError::WebSocketRefused { peer: peer.clone(), answer: format!("HTTP {}", response.status()) })
        }
        Err(error) => Err(garbage(shown(error.to_string().as_bytes()))),
    }
}

/// What a TLS client of ours speaks, and whom it trusts; an error where an authority is not one.
pub fn tls_config(trust: &Trust) -> io::Result<Arc<ClientConfig>> {
    static PUBLIC: LazyLock<Arc<ClientConfig>> =
        LazyLock::new(|| trusting(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }));
    match trust {
        Trust::Public => Ok(PUBLIC.clone()),
        Trust::Only(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in authorities {
                roots.add(CertificateDer::from(authority.clone())).map_err(io::Error::other)?;
            }
            Ok(trusting(roots))
        }
    }
}

fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    // Named here, so that it does not matter what another crate installs as the process's provider.
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// A WebSocket as a stream of bytes. A write is a message; where a message ends means nothing.
pub struct Messages<S> {
    socket: WebSocketStream<S>,
    /// What nobody has read yet of the last message.
    message: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Messages<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.message.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(message))) => self.message = message,
                Some(Ok(Message::Text(_))) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the server sent text")));
                }
                // Answered below us. After a close the stream ends.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(into_io(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = self.message.len().min(into.remaining());
        into.put_slice(&self.message[..taken]);
        self.message.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Messages<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(into_io)?;
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        Pin::new(&mut self.socket).start_send(message).map_err(into_io)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(into_io)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(into_io)
    }
}

fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => io::ErrorKind::UnexpectedEof.into(),
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let check = |url: &str, name: &str| assert_eq!(WebSocket::parse(url).unwrap().name(), name);
        check("ws://127.0.0.1:8080/apiws", "ws://127.0.0.1:8080/apiws");
        check("WSS://a.example", "wss://a.example:443/");
        check("ws://[::1]/x?y", "ws://[::1]:80/x?y");
        for (url, error) in [
            ("http://a/", UrlError::Scheme),
            ("a/b", UrlError::Scheme),
            ("ws:///x", UrlError::Host),
            ("ws://a b/", UrlError::Host),
            ("ws://u:p@a/", UrlError::Host),
            ("ws://a:x/", UrlError::Host),
            ("ws://a/ö", UrlError::Path),
        ] {
            assert_eq!(WebSocket::parse(url), Err(error), "{url}");
        }
    }

    #[test]
    fn each_dc_has_its_host() {
        let of = |id, test, media| WebSocket::of_dc(ProxyDc { id, test, media }).map(|socket| socket.name());
        assert_eq!(of(2, false, false).as_deref(), Some("wss://venus.web.telegram.org:443/apiws"));
        assert_eq!(of(1, true, true).as_deref(), Some("wss://pluto-1.web.telegram.org:443/apiws_test"));
        assert_eq!(of(6, false, false), None);
        assert_eq!(of(0, false, false), None);
    }
}
