//! Peers that break off, answer nonsense or dawdle, at each step of each way. None may hold up a dialler beyond its
//! patience, or make it believe that it is through.

use super::*;
use moongram::net::dial::{Endpoint, Step, WebSocket};
use tokio::net::TcpStream;

/// What a hostile peer does with a connection, after it has played along for a while.
#[derive(Clone, Copy, Debug)]
enum Malice {
    Close,
    Reset,
    Silence,
    Garbage(&'static [u8]),
    /// A header that never ends.
    Flood,
    /// These bytes, one every so often, then zeros.
    Dawdle(&'static [u8]),
}

/// How a peer plays along: reads so many bytes (or up to an empty line), and answers.
#[derive(Clone, Copy)]
enum Play {
    Read(usize),
    ReadHead,
    Send(&'static [u8]),
}

async fn peer(play: &'static [Play], malice: Malice) -> SocketAddr {
    mock::serve(move |stream| act(stream, play, malice)).await
}

async fn act(mut stream: TcpStream, play: &'static [Play], malice: Malice) {
    for part in play {
        match part {
            Play::Read(length) => {
                mock::read_vec(&mut stream, *length).await;
            }
            Play::ReadHead => {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
            }
            Play::Send(bytes) => stream.write_all(bytes).await.unwrap(),
        }
    }
    match malice {
        Malice::Close => {}
        Malice::Reset => {
            let _ = stream.set_zero_linger();
        }
        Malice::Silence => std::future::pending().await,
        Malice::Garbage(bytes) => {
            let _ = stream.write_all(bytes).await;
            std::future::pending().await
        }
        Malice::Flood => while stream.write_all(&[b'a'; 1_000]).await.is_ok() {},
        Malice::Dawdle(bytes) => {
            for byte in bytes.iter().copied().chain(std::iter::repeat(0)) {
                tokio::time::sleep(Duration::from_millis(60)).await;
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// How the dialler is expected to see it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Broken,
    TimedOut,
    /// Garbage, or an error of the step's own kind that tells of nonsense.
    Nonsense,
}

/// Dials `target` by `way`, in which `PEER` stands for the hostile peer, which plays along with `play` first.
async fn check(
    step: Step,
    target: impl Fn(SocketAddr) -> Target,
    way: &str,
    play: &'static [Play],
    cases: &[(Malice, Seen)],
) {
    // Side by side, as each that dawdles takes all of the patience.
    let check = async |(malice, expected): &(Malice, Seen)| {
        let address = peer(play, *malice).await;
        let begun = std::time::Instant::now();
        // A busy machine must not turn another error into a time-out.
        let patience = Duration::from_secs(if *expected == Seen::TimedOut { 1 } else { 10 });
        let target = Target { patience, ..target(address) };
        let way = way.replace("PEER", &address.to_string());
        let Err(error) = dialled(&target, &way).await else { panic!("{step:?}: {malice:?} was taken for an answer") };
        let seen = match &error {
            DialError::Broken { step: at, .. } if *at == step => Seen::Broken,
            DialError::TimedOut { step: at, .. } if *at == step => Seen::TimedOut,
            DialError::Garbage { step: at, .. } if *at == step => Seen::Nonsense,
            DialError::FakeTls { .. } if step == Step::FakeTls => Seen::Nonsense,
            // rustls has one kind of error for both.
            DialError::Tls { source, .. } if step == Step::Tls => match source.kind() {
                std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => Seen::Broken,
                _ => Seen::Nonsense,
            },
            other => panic!("{step:?}, {malice:?}: {other}"),
        };
        assert_eq!(seen, *expected, "{step:?}, {malice:?}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let bound = patience + Duration::from_secs(3);
        assert!(begun.elapsed() < bound, "{step:?}, {malice:?}: {:?}", begun.elapsed());
    };
    futures_util::future::join_all(cases.iter().map(check)).await;
}

#[tokio::test]
async fn at_the_choice_of_a_socks5_method() {
    let cases = [
        (Malice::Close, Seen::Broken),
        (Malice::Reset, Seen::Broken),
        (Malice::Silence, Seen::TimedOut),
        (Malice::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Seen::Nonsense),
        (Malice::Garbage(&[5, 1]), Seen::Nonsense),
        (Malice::Garbage(&[5, 0x80]), Seen::Nonsense),
        (Malice::Dawdle(&[5, 2, 1, 0, 5, 0, 0, 3, 255]), Seen::TimedOut),
    ];
    check(Step::Socks5, target, "socks5://ann:hunter2@PEER", &[Play::Read(4)], &cases).await;
}

#[tokio::test]
async fn at_the_socks5_password() {
    let cases =
        [(Malice::Close, Seen::Broken), (Malice::Silence, Seen::TimedOut), (Malice::Garbage(&[9, 9]), Seen::Nonsense)];
    let play = &[Play::Read(4), Play::Send(&[5, 2]), Play::Read(13)];
    check(Step::Socks5, target, "socks5://ann:hunter2@PEER", play, &cases).await;
}

#[tokio::test]
async fn at_the_socks5_reply() {
    let cases = [
        (Malice::Close, Seen::Broken),
        (Malice::Silence, Seen::TimedOut),
        // Half of it.
        (Malice::Garbage(&[5, 0, 0, 1, 127]), Seen::TimedOut),
        (Malice::Garbage(&[4, 90, 0, 0, 0, 0, 0, 0, 0, 0]), Seen::Nonsense),
        // A code that is in no RFC, and one for a command that was not given.
        (Malice::Garbage(&[5, 99, 0, 1, 0, 0, 0, 0, 0, 0]), Seen::Nonsense),
        (Malice::Garbage(&[5, 7, 0, 1, 0, 0, 0, 0, 0, 0]), Seen::Nonsense),
        (Malice::Garbage(&[5, 0, 0, 77, 0, 0, 0, 0, 0, 0]), Seen::Nonsense),
        (Malice::Garbage(&[5, 0, 0, 3, 2, 0xff, 0xfe, 0, 0]), Seen::Nonsense),
        (Malice::Dawdle(&[5, 0, 0, 3, 255]), Seen::TimedOut),
    ];
    let play = &[Play::Read(3), Play::Send(&[5, 0]), Play::Read(10)];
    check(Step::Socks5, target, "socks5://PEER", play, &cases).await;
}

#[tokio::test]
async fn at_the_answer_to_http_connect() {
    let cases = [
        (Malice::Close, Seen::Broken),
        (Malice::Reset, Seen::Broken),
        (Malice::Silence, Seen::TimedOut),
        (Malice::Garbage(b"SSH-2.0-OpenSSH_9\r\n"), Seen::Nonsense),
        (Malice::Garbage(&[5, 0xff]), Seen::Nonsense),
        (Malice::Garbage(b"HTTP/9 what\r\n\r\n"), Seen::Nonsense),
        (Malice::Garbage(b"HTTP/1.1 20\r\n\r\n"), Seen::Nonsense),
        (Malice::Garbage(b"HTTP/1.1 200 OK\r\nno end"), Seen::TimedOut),
        (Malice::Dawdle(b"HTTP/1.1 200 OK\r\nX: "), Seen::TimedOut),
    ];
    check(Step::HttpConnect, target, "http://ann:hunter2@PEER", &[Play::ReadHead], &cases).await;
    let play = &[Play::ReadHead, Play::Send(b"HTTP/1.1 200 OK\r\nX: ")];
    check(Step::HttpConnect, target, "http://PEER", play, &[(Malice::Flood, Seen::Nonsense)]).await;
}

#[tokio::test]
async fn at_the_greeting_of_fake_tls() {
    let cases = [
        (Malice::Close, Seen::Broken),
        (Malice::Silence, Seen::TimedOut),
        (Malice::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Seen::Nonsense),
        (Malice::Garbage(&[0x15, 3, 3, 0, 2, 2, 40]), Seen::Nonsense),
        (Malice::Garbage(&[0x16, 3, 3, 0xff, 0xff]), Seen::Nonsense),
        (Malice::Garbage(&[0x16, 3, 3, 0, 1, 2, 0x14, 3, 3, 0, 1, 1, 0x17, 3, 3, 0, 1, 0]), Seen::Nonsense),
        (Malice::Dawdle(&[0x16, 3, 3, 0, 122]), Seen::TimedOut),
    ];
    let way = format!("mtproxy://PEER?secret=ee{}6578616d706c652e6f7267", "11".repeat(16));
    check(Step::FakeTls, target, &way, &[Play::Read(517)], &cases).await;
}

fn over(scheme: &'static str) -> impl Fn(SocketAddr) -> Target {
    move |address| {
        let socket = WebSocket::parse(&format!("{scheme}://{address}/apiws")).unwrap();
        Target { endpoint: Endpoint::WebSocket(socket), ..target(address) }
    }
}

#[tokio::test]
async fn at_the_tls_handshake() {
    let cases = [
        (Malice::Close, Seen::Broken),
        (Malice::Silence, Seen::TimedOut),
        (Malice::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Seen::Nonsense),
        (Malice::Garbage(&[0x15, 3, 3, 0, 2, 2, 40]), Seen::Nonsense),
        (Malice::Dawdle(&[0x16, 3, 3, 0x10, 0, 2, 0, 0x0f, 0xf0, 3, 3]), Seen::TimedOut),
    ];
    check(Step::Tls, over("wss"), "direct", &[Play::Read(100)], &cases).await;
}

#[tokio::test]
async fn at_the_upgrade_to_websocket() {
    let cases = [
        (Malice::Close, Seen::Broken),
        (Malice::Reset, Seen::Broken),
        (Malice::Silence, Seen::TimedOut),
        (Malice::Garbage(&[0x81, 0x05, b'h', b'e', b'l', b'l', b'o', b'\r', b'\n', b'\r', b'\n']), Seen::Nonsense),
        (
            Malice::Garbage(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nSec-WebSocket-Protocol: binary\r\n\r\n",
            ),
            Seen::Nonsense,
        ),
        (Malice::Dawdle(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX: "), Seen::TimedOut),
    ];
    check(Step::WebSocket, over("ws"), "direct", &[Play::ReadHead], &cases).await;
    let play = &[Play::ReadHead, Play::Send(b"HTTP/1.1 101 Switching Protocols\r\nX: ")];
    check(Step::WebSocket, over("ws"), "direct", play, &[(Malice::Flood, Seen::Nonsense)]).await;
}
