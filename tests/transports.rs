//! The client signs in to the local DC over every transport, obfuscated or not, over WebSocket, through proxies, and by
//! whichever of several addresses works.

#[allow(dead_code)]
#[path = "dial/mock.rs"]
mod mock;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use moongram::client::{Client, Config, Dc, SessionAt, SignIn, StartError, WebSockets};
use moongram::crypto::RsaPublicKey;
use moongram::local_dc::{self, Bot, LocalDc};
use moongram::mtproto::Transport;
use moongram::net::Clock;
use moongram::net::dial::{Via, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

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

/// The same, over WebSocket.
fn over_websocket(dc: &LocalDc, bot: &Bot, address: SocketAddr) -> Config {
    let socket = WebSocket::parse(&format!("ws://{address}/apiws")).unwrap();
    let websockets = WebSockets::At(vec![(dc.dc_id(), socket)]);
    Config { websockets, dcs: Vec::new(), ..config(dc, bot, address) }
}

#[tokio::test]
async fn a_bot_signs_in_over_websocket_with_each_framing() {
    let (dc, bot) = dc().await;
    let (address, seen) = onlooker(dc.address()).await;
    for transport in [Transport::Abridged, Transport::Intermediate, Transport::Padded] {
        signs_in(Config { transport, ..over_websocket(&dc, &bot, address) }, &bot).await;
        assert_eq!(&seen.lock().unwrap().pop().unwrap(), b"GET /api");
    }
}

#[tokio::test]
async fn a_bot_signs_in_over_websocket_through_socks5() {
    let (dc, bot) = dc().await;
    let (address, asked) = socks5().await;
    let proxy = Via::parse(&format!("socks5://{address}")).unwrap();
    signs_in(Config { proxy, ..over_websocket(&dc, &bot, dc.address()) }, &bot).await;
    assert_eq!(*asked.lock().unwrap(), [dc.address()]);
}

#[tokio::test]
async fn the_local_dc_has_its_websocket_at_its_path_only() {
    let (dc, bot) = dc().await;
    let socket = WebSocket::parse(&format!("ws://{}/elsewhere", dc.address())).unwrap();
    let websockets = WebSockets::At(vec![(dc.dc_id(), socket)]);
    let connect_timeout = Duration::from_millis(300);
    let config = Config { websockets, connect_timeout, ..over_websocket(&dc, &bot, dc.address()) };
    let error = start(config).await.err().unwrap().to_string();
    assert!(error.contains("/elsewhere refused the WebSocket: HTTP 404"), "{error}");
}

#[tokio::test]
async fn what_speaks_to_the_local_dc_in_plain_over_websocket_is_hung_up_on() {
    let (dc, _) = dc().await;
    let stream = TcpStream::connect(dc.address()).await.unwrap();
    let mut request = tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(format!(
        "ws://{}/apiws",
        dc.address()
    ))
    .unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "binary".parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let plain = [&[0xee; 4][..], &40u32.to_le_bytes(), &[0; 40]].concat();
    socket.send(Message::binary(plain)).await.unwrap();
    let next = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("it is hung up on");
    assert!(!matches!(next, Some(Ok(Message::Binary(_)))), "{next:?}");
}

/// Takes connections and says nothing.
async fn silent() -> SocketAddr {
    mock::serve(|stream| async move {
        let _open = stream;
        std::future::pending().await
    })
    .await
}

#[tokio::test]
async fn of_several_addresses_the_one_that_answers_is_taken() {
    let (dc, bot) = dc().await;
    let addresses = [mock::nobody().await, mock::nobody().await, dc.address()];
    let dcs = addresses.map(|address| Dc { id: dc.dc_id(), address }).to_vec();
    signs_in(Config { dcs, ..config(&dc, &bot, dc.address()) }, &bot).await;
}

#[tokio::test]
async fn an_address_that_closes_at_once_gives_way_to_the_next() {
    let (dc, bot) = dc().await;
    let closing = mock::serve(|stream| async move { drop(stream) }).await;
    let dcs = [closing, dc.address()].map(|address| Dc { id: dc.dc_id(), address }).to_vec();
    signs_in(Config { dcs, ..config(&dc, &bot, dc.address()) }, &bot).await;
}

#[tokio::test]
async fn a_client_on_a_dc_of_ipv6_and_ipv4_signs_in_by_either() {
    let listen = "[::1]:0".parse().unwrap();
    let dc = match LocalDc::start(local_dc::Config { listen, ..local_dc::Config::default() }).await {
        Ok(dc) => dc,
        // A machine without IPv6 has nothing to show here.
        Err(error) if error.to_string().contains("[::1]") => return eprintln!("not shown: {error}"),
        Err(error) => panic!("{error}"),
    };
    let bot = dc.add_bot("echo_bot", "Echo");
    let none = SocketAddr::from(([127, 0, 0, 1], dc.address().port()));
    let both = [none, dc.address()].map(|address| Dc { id: dc.dc_id(), address }).to_vec();
    signs_in(Config { dcs: both, ..config(&dc, &bot, dc.address()) }, &bot).await;
    signs_in(config(&dc, &bot, dc.address()), &bot).await;
}

/// The key of another server.
const STRANGER: &str = include_str!("samples/rsa_public_pkcs1.pem");

#[tokio::test]
async fn a_server_with_another_key_is_an_error_at_once_that_names_the_setting() {
    let (dc, bot) = dc().await;
    let public_keys = vec![RsaPublicKey::from_pem(STRANGER).unwrap()];
    let began = std::time::Instant::now();
    let error = start(Config { public_keys, ..config(&dc, &bot, dc.address()) }).await.err().unwrap();
    assert!(matches!(error, StartError::WrongServer { .. }), "{error:?}");
    let shown = error.to_string();
    for part in [&dc.address().to_string(), &format!("{:016x}", dc.fingerprint()), "`network.public_keys`"] {
        assert!(shown.contains(part), "{part} in: {shown}");
    }
    assert!(began.elapsed() < Duration::from_secs(15), "long before the time-out for connecting");
    assert_eq!(dc.connections(), 1);
}

#[tokio::test]
async fn an_address_of_a_stranger_gives_way_to_the_next() {
    let (dc, bot) = dc().await;
    // Another local DC has the same key, so the stranger is a relay that changes the fingerprint.
    let fingerprint = dc.fingerprint().to_le_bytes();
    let behind = dc.address();
    let stranger = mock::serve(move |mut stream| async move {
        let mut onward = TcpStream::connect(behind).await.unwrap();
        let mut request = [0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        onward.write_all(&request[..length]).await.unwrap();
        let mut answer = vec![0; 4096];
        let length = onward.read(&mut answer).await.unwrap();
        let at = answer.windows(8).position(|window| window == fingerprint).unwrap();
        answer[at] ^= 1;
        stream.write_all(&answer[..length]).await.unwrap();
        let _ = stream.read(&mut request).await;
    })
    .await;
    let dcs = [stranger, dc.address()].map(|address| Dc { id: dc.dc_id(), address }).to_vec();
    signs_in(Config { dcs, ..config(&dc, &bot, dc.address()) }, &bot).await;
}

#[tokio::test]
async fn an_address_that_takes_the_connection_and_says_nothing_gives_way_to_the_next() {
    let (dc, bot) = dc().await;
    let dcs = [silent().await, dc.address()].map(|address| Dc { id: dc.dc_id(), address }).to_vec();
    let clock = Clock::stepped(Clock::real().now().unix);
    let starting = Client::start(Config { dcs, ..config(&dc, &bot, dc.address()) }, clock.clone());
    let stepping = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            clock.advance(Duration::from_millis(500));
        }
    };
    let client = tokio::select! {
        client = starting => client.unwrap(),
        () = stepping => unreachable!(),
    };
    assert_eq!((client.me().id, client.connections()), (bot.id, 1));
    client.stop().await;
}
