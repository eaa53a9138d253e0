//! Through an MTProxy, with each kind of secret. The proxy here is written from the documentation, apart from the code it
//! is to test: it shares the cipher and the hash with it, but none of the derivations.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use super::*;
use moongram::client::{Client, Config, Dc, SessionAt, SignIn};
use moongram::crypto::{Ctr, RsaPublicKey, sha256};
use moongram::local_dc::{self, LocalDc};
use moongram::net::dial::Step;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

const KEY: [u8; 16] = *b"sixteen secrets!";
const DOMAIN: &str = "www.example.org";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn plain_secret() -> String {
    hex(&KEY)
}

fn padded_secret() -> String {
    format!("dd{}", hex(&KEY))
}

fn tls_secret() -> String {
    format!("ee{}{}", hex(&KEY), hex(DOMAIN.as_bytes()))
}

/// What a client asked for: the tag of its framing and its DC.
type Asked = Arc<Mutex<Vec<([u8; 4], i16)>>>;

/// A proxy that relays to `dc` for those who know [`KEY`].
async fn proxy(dc: SocketAddr, tls: bool) -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let record = asked.clone();
    let address = mock::serve(move |stream| serve(stream, dc, tls, record.clone())).await;
    (address, asked)
}

async fn serve(mut stream: TcpStream, dc: SocketAddr, tls: bool, asked: Asked) {
    if tls && !greet(&mut stream).await {
        return;
    }
    let (reading, writing) = stream.into_split();
    let mut from_client = Reader { stream: reading, tls, left: 0 };
    let Some(header) = from_client.read_exactly::<64>().await else { return };
    let keyed = |bytes: &[u8]| Ctr::new(&sha256(&[&bytes[8..40], &KEY]), bytes[40..56].try_into().unwrap());
    let reversed: Vec<u8> = header.iter().rev().copied().collect();
    let (mut decrypt, mut encrypt) = (keyed(&header), keyed(&reversed));
    let mut opened = header;
    decrypt.apply(&mut opened);
    let tag: [u8; 4] = opened[56..60].try_into().unwrap();
    if ![[0xef; 4], [0xee; 4], [0xdd; 4]].contains(&tag) {
        return;
    }
    asked.lock().unwrap().push((tag, i16::from_le_bytes([opened[60], opened[61]])));

    let mut server = TcpStream::connect(dc).await.unwrap();
    server.write_all(if tag[0] == 0xef { &tag[..1] } else { &tag }).await.unwrap();
    let (mut from_server, mut to_server) = server.into_split();
    let mut to_client = Writer { stream: writing, tls };
    let up = async {
        while let Some(mut bytes) = from_client.read().await {
            decrypt.apply(&mut bytes);
            if to_server.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut bytes = vec![0; 3_000];
        while let Ok(length @ 1..) = from_server.read(&mut bytes).await {
            encrypt.apply(&mut bytes[..length]);
            if !to_client.write(&bytes[..length]).await {
                return;
            }
        }
    };
    tokio::select! { () = up => {}, () = down => {} }
}

fn hmac(pieces: &[&[u8]]) -> [u8; 32] {
    let mut inner = [0x36; 64];
    let mut outer = [0x5c; 64];
    for at in 0..KEY.len() {
        inner[at] ^= KEY[at];
        outer[at] ^= KEY[at];
    }
    let inner: Vec<u8> = std::iter::once(&inner[..]).chain(pieces.iter().copied()).flatten().copied().collect();
    sha256(&[&outer, &sha256(&[&inner])])
}

/// Checks the ClientHello, and answers. One who does not know the key gets what any TLS server would say.
async fn greet(stream: &mut TcpStream) -> bool {
    let start: [u8; 5] = mock::read(stream).await;
    assert_eq!(start[..3], [0x16, 3, 1]);
    let rest = mock::read_vec(stream, u16::from_be_bytes([start[3], start[4]]).into()).await;
    let mut hello = [&start[..], &rest].concat();
    let random: [u8; 32] = hello[11..43].try_into().unwrap();
    hello[11..43].fill(0);
    let digest = hmac(&[&hello]);
    let time = u32::from_le_bytes(std::array::from_fn(|at| random[28 + at] ^ digest[28 + at]));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
    let knows = random[..28] == digest[..28] && now.abs_diff(time) < 120;
    assert!(!knows || hello.windows(DOMAIN.len()).any(|window| window == DOMAIN.as_bytes()));

    let mut answer = vec![0x16, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3];
    answer.extend_from_slice(&[0; 32]);
    answer.resize(127, 0x33);
    answer.extend_from_slice(&[0x14, 3, 3, 0, 1, 1, 0x17, 3, 3, 0x0b, 0xb8]);
    answer.resize(answer.len() + 3_000, 0x44);
    if knows {
        let digest = hmac(&[&random, &answer]);
        answer[11..43].copy_from_slice(&digest);
    }
    stream.write_all(&answer).await.unwrap();
    if knows {
        assert_eq!(mock::read(stream).await, [0x14, 3, 3, 0, 1, 1]);
    }
    knows
}

/// Takes the client's bytes out of their records, if there are any.
struct Reader {
    stream: OwnedReadHalf,
    tls: bool,
    left: usize,
}

impl Reader {
    async fn read(&mut self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; 4096];
        if self.tls {
            while self.left == 0 {
                let mut start = [0; 5];
                self.stream.read_exact(&mut start).await.ok()?;
                assert_eq!(start[..3], [0x17, 3, 3]);
                self.left = u16::from_be_bytes([start[3], start[4]]).into();
                assert!(self.left <= 1 << 14);
            }
            bytes.truncate(self.left);
        }
        let length = self.stream.read(&mut bytes).await.ok().filter(|length| *length > 0)?;
        self.left = self.left.saturating_sub(length);
        bytes.truncate(length);
        Some(bytes)
    }

    /// The header comes in one piece with what follows, so this reads byte by byte.
    async fn read_exactly<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            while self.tls && self.left == 0 {
                let mut start = [0; 5];
                self.stream.read_exact(&mut start).await.ok()?;
                assert_eq!(start[..3], [0x17, 3, 3]);
                self.left = u16::from_be_bytes([start[3], start[4]]).into();
            }
            *byte = self.stream.read_u8().await.ok()?;
            self.left = self.left.saturating_sub(1);
        }
        Some(bytes)
    }
}

struct Writer {
    stream: OwnedWriteHalf,
    tls: bool,
}

impl Writer {
    async fn write(&mut self, bytes: &[u8]) -> bool {
        let mut out = Vec::new();
        if self.tls {
            // Of uneven sizes.
            let (first, second) = bytes.split_at(bytes.len() / 3);
            for piece in [first, second].into_iter().filter(|piece| !piece.is_empty()) {
                out.extend_from_slice(&[0x17, 3, 3]);
                out.extend_from_slice(&(piece.len() as u16).to_be_bytes());
                out.extend_from_slice(piece);
            }
        } else {
            out.extend_from_slice(bytes);
        }
        self.stream.write_all(&out).await.is_ok()
    }
}

/// The target's own address is none: an MTProxy looks it up itself.
fn nowhere() -> Target {
    Target { endpoint: moongram::net::dial::Endpoint::at([]), ..target("127.0.0.1:1".parse().unwrap()) }
}

#[tokio::test]
async fn a_plain_secret_leaves_the_choice_of_framing() {
    let (proxy, asked) = proxy(mock::echo_dc().await, false).await;
    let way = format!("mtproxy://{proxy}?secret={}", plain_secret());
    for transport in TAGGED {
        let dialed = dialled(&Target { transport, ..nowhere() }, &way).await.unwrap();
        assert_eq!(dialed.framing.transport(), Some(transport));
        converse(dialed).await;
    }
    assert_eq!(*asked.lock().unwrap(), [([0xef; 4], 2), ([0xee; 4], 2), ([0xdd; 4], 2)]);
    let error = dialled(&Target { transport: Transport::Full, ..nowhere() }, &way).await.unwrap_err();
    assert!(matches!(error, DialError::Transport(Transport::Full)));
}

#[tokio::test]
async fn a_dd_secret_makes_it_the_padded_framing() {
    let (proxy, asked) = proxy(mock::echo_dc().await, false).await;
    let way = format!("mtproxy://{proxy}?secret={}", padded_secret());
    let dc = ProxyDc { id: 4, test: true, media: true };
    let dialed = dialled(&Target { dc, ..nowhere() }, &way).await.unwrap();
    assert_eq!(dialed.framing.transport(), Some(Transport::Padded));
    converse(dialed).await;
    assert_eq!(*asked.lock().unwrap(), [([0xdd; 4], -10_004)]);
}

#[tokio::test]
async fn an_ee_secret_makes_it_look_like_tls() {
    let (proxy, asked) = proxy(mock::echo_dc().await, true).await;
    let way = format!("mtproxy://{proxy}?secret={}", tls_secret());
    let dialed = dialled(&nowhere(), &way).await.unwrap();
    assert_eq!(dialed.framing.transport(), Some(Transport::Padded));
    converse(dialed).await;
    assert_eq!(*asked.lock().unwrap(), [([0xdd; 4], 2)]);
}

#[tokio::test]
async fn a_bot_signs_in_with_each_kind_of_secret() {
    let dc = LocalDc::start(local_dc::Config::default()).await.unwrap();
    let bot = dc.add_bot("echo_bot", "Echo");
    for (secret, tls, test_dc) in
        [(plain_secret(), false, false), (padded_secret(), false, true), (tls_secret(), true, false)]
    {
        let (proxy, asked) = proxy(dc.address(), tls).await;
        let sign_in = SignIn::Bot { token: bot.token.clone() };
        let config = Config {
            // Nobody listens there: the proxy knows where the DC is.
            dcs: vec![Dc { id: dc.dc_id(), address: mock::nobody().await }],
            public_keys: vec![RsaPublicKey::from_pem(dc.public_key_pem()).unwrap()],
            proxy: Via::parse(&format!("mtproxy://{proxy}?secret={secret}")).unwrap(),
            test_dc,
            ..Config::new(1, "hash", sign_in, SessionAt::Memory)
        };
        let client = within(Client::start(config, Clock::real())).await.unwrap();
        assert_eq!((client.me().id, client.connections()), (bot.id, 1));
        assert_eq!(asked.lock().unwrap()[0].1, if test_dc { 10_002 } else { 2 });
        client.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_secret_is_noticed_in_the_greeting() {
    let (proxy, _) = proxy(mock::echo_dc().await, true).await;
    let way = format!("mtproxy://{proxy}?secret=ee{}{}", "ab".repeat(16), hex(DOMAIN.as_bytes()));
    let error = dialled(&nowhere(), &way).await.unwrap_err();
    assert!(matches!(error, DialError::FakeTls { .. }) && error.is_about_proxy());
    assert!(error.to_string().contains("not signed with the secret"), "{error}");
    assert!(!format!("{error} {error:?}").contains("abab"));
}

#[tokio::test]
async fn the_greeting_has_the_time_of_telegram_and_not_of_this_machine() {
    let (proxy, _) = proxy(mock::echo_dc().await, true).await;
    let way = Via::parse(&format!("mtproxy://{proxy}?secret={}", tls_secret())).unwrap();
    // A machine whose clock is a day behind.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let slow = Clock::stepped(now - Duration::from_secs(86_400));
    let told = Target { time_offset: 86_400, ..nowhere() };
    converse(within(dial(&told, &way, &slow)).await.unwrap()).await;
    assert!(matches!(within(dial(&nowhere(), &way, &slow)).await, Err(DialError::FakeTls { .. })));
}

#[tokio::test]
async fn a_wrong_plain_secret_ends_the_stream() {
    // Nothing is answered in this protocol before the first packet, so it shows only then.
    let (proxy, asked) = proxy(mock::echo_dc().await, false).await;
    let way = format!("mtproxy://{proxy}?secret={}", "ab".repeat(16));
    let mut dialed = dialled(&nowhere(), &way).await.unwrap();
    let mut framed = Vec::new();
    dialed.framing.encode(&[7; 40], &mut framed);
    dialed.stream.write_all(&framed).await.unwrap();
    let ended = within(dialed.stream.read(&mut [0; 8])).await;
    assert!(matches!(ended, Ok(0) | Err(_)));
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named_without_its_secret() {
    let nobody = mock::nobody().await;
    let error = dialled(&nowhere(), &format!("mtproxy://{nobody}?secret={}", padded_secret())).await.unwrap_err();
    let expected = format!("the proxy mtproxy://{nobody} cannot be reached: {nobody}: connection refused");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_proxy_that_speaks_no_tls_is_noticed() {
    let proxy = mock::serve(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    let error = dialled(&nowhere(), &format!("mtproxy://{proxy}?secret={}", tls_secret())).await.unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    assert!(!matches!(error, DialError::TimedOut { step: Step::FakeTls, .. }));
}
