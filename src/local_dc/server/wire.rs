//! The bytes under the framing: a TCP stream, or the messages of a WebSocket over one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::mtproto::framing::MAX_PACKET;

/// How an HTTP request begins; no transport of MTProto begins so.
const HTTP: &[u8] = b"GET ";
/// A client's packet, in one message.
const MAX_MESSAGE: usize = MAX_PACKET + 64;
/// The path of test DCs is taken as well: this is neither, or both.
const PATHS: [&str; 2] = ["/apiws", "/apiws_test"];

pub enum Wire {
    Tcp(TcpStream),
    WebSocket(Box<WebSocketStream<Begun>>),
}

impl Wire {
    /// Whether what came first is an HTTP request, and not a transport.
    pub fn is_http(input: &[u8]) -> bool {
        input.starts_with(HTTP)
    }

    /// A WebSocket out of the stream, of which `input` was read already.
    /// <https://core.telegram.org/mtproto/transports#websocket>
    pub async fn upgrade(stream: TcpStream, input: BytesMut) -> io::Result<Wire> {
        let config = WebSocketConfig::default()
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let stream = Begun { input, stream };
        let socket = tokio_tungstenite::accept_hdr_async_with_config(stream, agree, Some(config)).await;
        Ok(Wire::WebSocket(Box::new(socket.map_err(into_io)?)))
    }

    /// Appends what comes next, and returns how many bytes that is; 0 at the end. Loses nothing when it is dropped.
    pub async fn read(&mut self, input: &mut BytesMut) -> io::Result<usize> {
        match self {
            Wire::Tcp(stream) => stream.read_buf(input).await,
            Wire::WebSocket(socket) => loop {
                match socket.next().await {
                    None | Some(Ok(Message::Close(_))) => return Ok(0),
                    // Where a message ends means nothing: they are one stream.
                    Some(Ok(Message::Binary(message))) if message.is_empty() => {}
                    Some(Ok(Message::Binary(message))) => {
                        input.extend_from_slice(&message);
                        return Ok(message.len());
                    }
                    Some(Ok(Message::Text(_))) => {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "a text message in the WebSocket"));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(into_io(error)),
                }
            },
        }
    }

    pub async fn write_all(&mut self, out: &[u8]) -> io::Result<()> {
        match self {
            Wire::Tcp(stream) => stream.write_all(out).await,
            Wire::WebSocket(_) if out.is_empty() => Ok(()),
            Wire::WebSocket(socket) => {
                for message in out.chunks(MAX_MESSAGE) {
                    socket.feed(Message::binary(message.to_vec())).await.map_err(into_io)?;
                }
                socket.flush().await.map_err(into_io)
            }
        }
    }

    /// Writes, and waits until the client has closed as well: a socket that is closed with something unread in it is
    /// reset, and its client may never see what was written.
    pub async fn last_words(&mut self, out: &[u8]) -> io::Result<()> {
        self.write_all(out).await?;
        match self {
            Wire::Tcp(stream) => stream.shutdown().await?,
            Wire::WebSocket(socket) => socket.close(None).await.map_err(into_io)?,
        }
        let mut rest = BytesMut::new();
        while self.read(&mut rest).await? > 0 {
            rest.clear();
        }
        Ok(())
    }
}

/// "The `Sec-WebSocket-Protocol` must be `binary`."
// The type of the error is the crate's.
#[allow(clippy::result_large_err)]
fn agree(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let refuse = |status: StatusCode, why: &str| {
        let mut refusal = ErrorResponse::new(Some(why.to_owned()));
        *refusal.status_mut() = status;
        Err(refusal)
    };
    if !PATHS.contains(&request.uri().path()) {
        return refuse(StatusCode::NOT_FOUND, "MTProto is at /apiws");
    }
    let offered = request.headers().get(SEC_WEBSOCKET_PROTOCOL).and_then(|offered| offered.to_str().ok());
    if !offered.is_some_and(|offered| offered.split(',').any(|one| one.trim() == "binary")) {
        return refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Protocol has to be binary");
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("binary"));
    Ok(response)
}

fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

/// A stream of which something was read before.
pub struct Begun {
    input: BytesMut,
    stream: TcpStream,
}

impl AsyncRead for Begun {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.input.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        let taken = self.input.len().min(into.remaining());
        into.put_slice(&self.input[..taken]);
        self.input.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
