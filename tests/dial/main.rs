//! Dialling, against small servers on loopback: honest ones and hostile ones.

mod direct;
mod hostile;
mod http;
mod mock;
mod mtproxy;
mod socks;
mod websocket;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use moongram::mtproto::mtproxy::ProxyDc;
use moongram::mtproto::{Frame, Transport};
use moongram::net::Clock;
use moongram::net::dial::{DialError, Dialed, Target, Via, dial};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ALL: [Transport; 4] = [Transport::Abridged, Transport::Intermediate, Transport::Padded, Transport::Full];
/// Those that can be obfuscated.
const TAGGED: [Transport; 3] = [Transport::Abridged, Transport::Intermediate, Transport::Padded];

/// DC 2 at `address`.
fn target(address: SocketAddr) -> Target {
    Target::new(ProxyDc::new(2), vec![address], Transport::Abridged)
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("bounded in time")
}

async fn dialled(target: &Target, via: &str) -> Result<Dialed, DialError> {
    let via = Via::parse(via).expect("a way as an operator writes it");
    within(dial(target, &via, &Clock::real())).await
}

/// Sends packets and expects them back, as [`mock::echo_dc`] gives them.
async fn converse(dialed: Dialed) {
    let Dialed { mut stream, mut framing, .. } = dialed;
    let mut input = BytesMut::new();
    for size in [0, 10, 200, 20_000] {
        // As an encrypted message is long: the padded transport finds the padding by it.
        let packet = vec![0xa5; 24 + 16 + 16 * size];
        let mut framed = Vec::new();
        framing.encode(&packet, &mut framed);
        within(stream.write_all(&framed)).await.expect("the stream takes a packet");
        let answer = loop {
            if let Some(frame) = framing.decode(&mut input).expect("the answer is framed") {
                break frame;
            }
            let read = within(stream.read_buf(&mut input)).await.expect("the stream gives an answer");
            assert!(read > 0, "the stream ended before the answer");
        };
        assert_eq!(answer, Frame::Packet(BytesMut::from(&packet[..])));
    }
}
