//! Over WebSocket, with TLS and without.

use std::sync::Arc;

use super::*;
use futures_util::{SinkExt, StreamExt};
use moongram::net::dial::{Endpoint, Trust, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, version};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

// They are for this test only and protect nothing.
const AUTHORITY: &[u8] = include_bytes!("certificates/authority.der");
const CERTIFICATE: &[u8] = include_bytes!("certificates/server.der");
const KEY: &[u8] = include_bytes!("certificates/server.key.der");

/// A server of MTProto over WebSocket: gives each packet back.
pub async fn server() -> SocketAddr {
    mock::serve(|stream| converse_over(stream, 1_000)).await
}

async fn secure_server() -> SocketAddr {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(KEY)))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    mock::serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                converse_over(stream, 1_000).await;
            }
        }
    })
    .await
}

/// Accepts the WebSocket, and cuts its answers into messages of `piece` bytes: where they end must not matter.
async fn converse_over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, piece: usize) {
    // The type of the callback's error is the crate's.
    #[allow(clippy::result_large_err)]
    let check = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        assert_eq!(request.headers()["Sec-WebSocket-Protocol"], "binary");
        response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("binary"));
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, check).await else { return };
    let (mut inside, outside) = tokio::io::duplex(1 << 20);
    tokio::spawn(mock::echo_packets(outside));
    let _ = socket.send(Message::Ping("are you there".into())).await;
    let mut answer = vec![0; piece];
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => inside.write_all(&bytes).await.unwrap(),
                Some(Ok(Message::Text(_))) => panic!("a client sends binary messages"),
                Some(Ok(_)) => {}
                _ => return,
            },
            read = inside.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                if socket.send(Message::Binary(answer[..length].to_vec().into())).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn over(socket: WebSocket) -> Target {
    Target { endpoint: Endpoint::WebSocket(socket), ..target("127.0.0.1:1".parse().unwrap()) }
}

fn trusting_the_test(mut socket: WebSocket) -> WebSocket {
    socket.trust = Trust::Only(vec![AUTHORITY.to_vec()]);
    socket
}

#[tokio::test]
async fn each_framing_goes_over_a_websocket_and_is_obfuscated_unasked() {
    let server = server().await;
    let socket = WebSocket::parse(&format!("ws://{server}/apiws")).unwrap();
    for transport in TAGGED {
        let target = Target { transport, ..over(socket.clone()) };
        converse(dialled(&target, "direct").await.unwrap()).await;
    }
}

#[tokio::test]
async fn messages_of_any_size_are_one_stream() {
    for piece in [1, 100_000] {
        let server = mock::serve(move |stream| converse_over(stream, piece)).await;
        let mut dialed = dialled(&over(WebSocket::parse(&format!("ws://{server}")).unwrap()), "direct").await.unwrap();
        let framing = &mut dialed.framing;
        let mut framed = Vec::new();
        framing.encode(&[7; 400], &mut framed);
        // Written byte by byte: a message each.
        for byte in &framed {
            dialed.stream.write_all(&[*byte]).await.unwrap();
        }
        let mut input = BytesMut::new();
        let frame = loop {
            if let Some(frame) = framing.decode(&mut input).unwrap() {
                break frame;
            }
            assert!(within(dialed.stream.read_buf(&mut input)).await.unwrap() > 0);
        };
        assert_eq!(frame, Frame::Packet(BytesMut::from(&[7; 400][..])));
    }
}

#[tokio::test]
async fn a_secure_websocket_checks_the_certificate_and_goes_on() {
    let server = secure_server().await;
    for host in ["127.0.0.1", "localhost"] {
        let socket = WebSocket::parse(&format!("wss://{host}:{}/apiws", server.port())).unwrap();
        converse(dialled(&over(trusting_the_test(socket)), "direct").await.unwrap()).await;
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let server = secure_server().await;
    let socket = WebSocket::parse(&format!("wss://localhost:{}/apiws", server.port())).unwrap();
    let error = dialled(&over(socket), "direct").await.unwrap_err();
    assert!(matches!(error, DialError::Tls { .. }), "{error}");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let server = secure_server().await;
    let mut socket = trusting_the_test(WebSocket::parse("wss://other.invalid/apiws").unwrap());
    socket.place.host = "127.0.0.2".to_owned();
    socket.place.port = server.port();
    // 127.0.0.2 is this machine as well, but not in the certificate; some systems have only 127.0.0.1.
    let error = dialled(&over(socket), "direct").await.unwrap_err();
    assert!(matches!(error, DialError::Tls { .. } | DialError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_no_upgrade_is_repeated_in_the_error() {
    let server = mock::serve(|mut stream| async move {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    })
    .await;
    let socket = WebSocket::parse(&format!("ws://{server}/apiws")).unwrap();
    let error = dialled(&over(socket), "direct").await.unwrap_err();
    let expected = format!("the server ws://{server}/apiws refused the WebSocket: HTTP 404 Not Found");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_server_that_does_not_agree_to_binary_is_refused() {
    let server = mock::serve(|stream| async move {
        let _ = tokio_tungstenite::accept_async(stream).await;
    })
    .await;
    let socket = WebSocket::parse(&format!("ws://{server}/apiws")).unwrap();
    let error = dialled(&over(socket), "direct").await.unwrap_err();
    assert!(error.to_string().contains("SubProtocol"), "{error}");
}

#[tokio::test]
async fn the_close_of_the_server_ends_the_stream_and_text_breaks_it() {
    for (message, ends) in [(Message::Close(None), true), (Message::Text("hello".into()), false)] {
        let server = mock::serve(move |stream| {
            let message = message.clone();
            async move {
                #[allow(clippy::result_large_err)]
                let agree = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
                    response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("binary"));
                    Ok(response)
                };
                let mut socket = accept_hdr_async(stream, agree).await.unwrap();
                let _ = socket.send(message).await;
                while socket.next().await.is_some_and(|message| message.is_ok()) {}
            }
        })
        .await;
        let socket = WebSocket::parse(&format!("ws://{server}/apiws")).unwrap();
        let mut dialed = dialled(&over(socket), "direct").await.unwrap();
        let read = within(dialed.stream.read(&mut [0; 8])).await;
        assert_eq!(read.ok(), ends.then_some(0));
    }
}
