//! The client signs in to the local DC over every transport, obfuscated or not, and through proxies.

#[allow(dead_code)]
#[path = "dial/mock.rs"]
mod mock;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moongram::client::{Client, Config, Dc, SessionAt, SignIn, StartError};
use moongram::crypto::RsaPublicKey;
use moongram::local_dc::{self, Bot, LocalDc};
use moongram::mtproto::Transport;
use moongram::net::Clock;
use moongram::net::dial::Via;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A bot that belongs to this DC, reached at `address`.
fn config(dc: &LocalDc, bot: &Bot, address: SocketAddr) -> Config {
    Config {
        dcs: vec![Dc { id: dc.dc_id(), address }],
        public_keys: vec![RsaPublicKey::from_pem(dc.public_key_pem()).unwrap()],
        ..Config::new(1, "hash", SignIn::Bot { token: bot.token.clone() }, SessionAt::Memory)
    }
}

async fn start(config: Config) -> Result<Client, StartError> {
    let starting = Client::start(config, Clock::real());
    tokio::time::timeout(Duration::from_secs(20), starting).await.expect("it takes too long")
}

async fn signs_in(config: Config, bot: &Bot) {
    let client = start(config).await.unwrap();
    assert_eq!((client.me().id, client.connections(), client.key_exchanges()), (bot.id, 1, 1));
    client.stop().await;
}

async fn dc() -> (LocalDc, Bot) {
    let dc = LocalDc::start(local_dc::Config::default()).await.unwrap();
    let bot = dc.add_bot("echo_bot", "Echo");
    (dc, bot)
}

/// A relay to `dc` that notes the first eight bytes of each connection.
async fn onlooker(dc: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<[u8; 8]>>>) {
    let seen: Arc<Mutex<Vec<[u8; 8]>>> = Arc::default();
    let noted = seen.clone();
    let address = mock::serve(move |mut stream| {
        let noted = noted.clone();
        async move {
            let first = mock::read::<8>(&mut stream).await;
            noted.lock().unwrap().push(first);
            let mut onward = TcpStream::connect(dc).await.unwrap();
            onward.write_all(&first).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
        }
    })
    .await;
    (address, seen)
}

fn announced(first: [u8; 8]) -> Option<Transport> {
    match first {
        [0xef, ..] => Some(Transport::Abridged),
        [0xee, 0xee, 0xee, 0xee, ..] => Some(Transport::Intermediate),
        [0xdd, 0xdd, 0xdd, 0xdd, ..] => Some(Transport::Padded),
        [_, _, _, _, 0, 0, 0, 0] => Some(Transport::Full),
        _ => None,
    }
}

#[tokio::test]
async fn a_bot_signs_in_over_each_transport_and_an_onlooker_can_tell_which() {
    let (dc, bot) = dc().await;
    let (address, seen) = onlooker(dc.address()).await;
    for transport in [Transport::Abridged, Transport::Intermediate, Transport::Padded, Transport::Full] {
        signs_in(Config { transport, ..config(&dc, &bot, address) }, &bot).await;
        assert_eq!(announced(seen.lock().unwrap().pop().unwrap()), Some(transport));
    }
}

#[tokio::test]
async fn a_bot_signs_in_over_obfuscated_transports_and_an_onlooker_cannot_tell() {
    let (dc, bot) = dc().await;
    let (address, seen) = onlooker(dc.address()).await;
    for transport in [Transport::Abridged, Transport::Intermediate, Transport::Padded] {
        signs_in(Config { transport, obfuscated: true, ..config(&dc, &bot, address) }, &bot).await;
        assert_eq!(announced(seen.lock().unwrap().pop().unwrap()), None, "{transport:?}");
    }
}

/// RFC 1928 without a user; the targets it was asked for.
async fn socks5() -> (SocketAddr, Arc<Mutex<Vec<SocketAddr>>>) {
    let asked: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
    let noted = asked.clone();
    let address = mock::serve(move |mut stream| {
        let noted = noted.clone();
        async move {
            assert_eq!(mock::read(&mut stream).await, [5, 1, 0]);
            stream.write_all(&[5, 0]).await.unwrap();
            let [version, command, _, kind, a, b, c, d, high, low] = mock::read(&mut stream).await;
            assert_eq!([version, command, kind], [5, 1, 1]);
            let target = SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low])));
            noted.lock().unwrap().push(target);
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
            mock::relay(stream, target).await;
        }
    })
    .await;
    (address, asked)
}

/// HTTP CONNECT; the heads of the requests it got.
async fn http_connect(onward: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = asked.clone();
    let address = mock::serve(move |mut stream| {
        let noted = noted.clone();
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            noted.lock().unwrap().push(String::from_utf8(head).unwrap());
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            mock::relay(stream, onward).await;
        }
    })
    .await;
    (address, asked)
}

#[tokio::test]
async fn a_bot_signs_in_through_socks5() {
    let (dc, bot) = dc().await;
    let (address, asked) = socks5().await;
    let proxy = Via::parse(&format!("socks5://{address}")).unwrap();
    signs_in(Config { proxy, ..config(&dc, &bot, dc.address()) }, &bot).await;
    assert_eq!(*asked.lock().unwrap(), [dc.address()]);
}

#[tokio::test]
async fn a_bot_signs_in_through_http_connect_and_obfuscated() {
    let (dc, bot) = dc().await;
    let (address, asked) = http_connect(dc.address()).await;
    let proxy = Via::parse(&format!("http://ann:hunter2@{address}")).unwrap();
    signs_in(Config { proxy, obfuscated: true, ..config(&dc, &bot, dc.address()) }, &bot).await;
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with(&format!("CONNECT {} HTTP/1.1\r\n", dc.address())), "{asked:?}");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named_without_its_password() {
    let (dc, bot) = dc().await;
    let nobody = mock::nobody().await;
    let proxy = Via::parse(&format!("socks5://ann:hunter2@{nobody}")).unwrap();
    let connect_timeout = Duration::from_millis(300);
    let error = start(Config { proxy, connect_timeout, ..config(&dc, &bot, dc.address()) }).await.err().unwrap();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains(&format!("the proxy socks5://{nobody} cannot be reached")), "{shown}");
    assert!(!shown.contains("hunter2") && dc.connections() == 0, "{shown}");
}
