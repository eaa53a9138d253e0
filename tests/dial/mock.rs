//! Servers on loopback. Each runs until the test's runtime ends.

use std::future::Future;
use std::net::SocketAddr;

use bytes::BytesMut;
use moongram::mtproto::{Frame, Framing};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Runs `serve` for each connection, side by side.
pub async fn serve<F, S>(serve: S) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TcpStream) -> F + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// An address where nobody listens.
pub async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address")
}

/// A DC as far as framing and obfuscation go: gives each packet back.
pub async fn echo_dc() -> SocketAddr {
    serve(echo_packets).await
}

/// What [`echo_dc`] does, on any stream.
pub async fn echo_packets<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let mut framing = Framing::server();
    let mut input = BytesMut::new();
    while stream.read_buf(&mut input).await.is_ok_and(|read| read > 0) {
        while let Some(frame) = framing.decode(&mut input).expect("the client frames its packets") {
            let Frame::Packet(packet) = frame else { panic!("a client sends packets") };
            let mut answer = Vec::new();
            framing.encode(&packet, &mut answer);
            if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    }
}

pub async fn relay(mut from: TcpStream, to: SocketAddr) {
    let mut to = TcpStream::connect(to).await.expect("the target listens");
    let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
}

pub async fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.expect("the client sends what the protocol has here");
    bytes
}

pub async fn read_vec(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.expect("the client sends what the protocol has here");
    bytes
}
