//! A network that goes away in one way or another, between the client and the local DC. Time is stepped: what takes
//! minutes here takes moments.

#[path = "fault_proxy/mod.rs"]
mod fault_proxy;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fault_proxy::{FaultProxy, Manner};
use moongram::client::{CallError, Client, Config, Dc, SessionAt, SignIn};
use moongram::crypto::RsaPublicKey;
use moongram::local_dc::{self, Bot, LocalDc, Peer};
use moongram::mtproto::Time;
use moongram::net::Clock;
use moongram::net::dial::Via;
use moongram::tl::{self, Object};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Within which a network that went away is noticed while a call waits.
const NOTICED: Duration = Duration::from_secs(15);

struct Scene {
    dc: LocalDc,
    proxy: FaultProxy,
    clock: Clock,
    client: Client,
    bot: Bot,
    alice: i64,
    message: i32,
}

impl Scene {
    async fn new() -> Scene {
        Scene::by(|_| async { Via::Direct }).await
    }

    /// A bot that is signed in by a relay to the DC, straight or by a proxy that is behind the relay.
    async fn by<F: Future<Output = Via>>(via: impl FnOnce(SocketAddr) -> F) -> Scene {
        let clock = Clock::stepped(Clock::real().now().unix);
        let of_dc = clock.clone();
        // The DC's machine never sleeps: both of its clocks go with the wall's.
        let now = Arc::new(move || {
            let unix = of_dc.now().unix;
            Time { mono: unix, unix }
        });
        let dc = LocalDc::start(local_dc::Config { now, ..local_dc::Config::default() }).await.unwrap();
        let bot = dc.add_bot("echo_bot", "Echo");
        let alice = dc.add_user("Alice");
        dc.send(alice, Peer::User(bot.id), "begin").unwrap();
        let message = dc.send(bot.id, Peer::User(alice), "to be edited").unwrap();
        let via = via(dc.address()).await;
        let behind = match &via {
            Via::Socks5 { proxy, .. } => format!("{}:{}", proxy.host, proxy.port).parse().unwrap(),
            _ => dc.address(),
        };
        let proxy = FaultProxy::start(behind, clock.clone(), Manner::Pass).await;
        let (address, via) = match via {
            Via::Socks5 { .. } => (dc.address(), Via::parse(&format!("socks5://{}", proxy.address)).unwrap()),
            via => (proxy.address, via),
        };
        let config = Config {
            dcs: vec![Dc { id: dc.dc_id(), address }],
            public_keys: vec![RsaPublicKey::from_pem(dc.public_key_pem()).unwrap()],
            proxy: via,
            ..Config::new(1, "hash", SignIn::Bot { token: bot.token.clone() }, SessionAt::Memory)
        };
        let client = within(Client::start(config, clock.clone())).await.unwrap();
        Scene { dc, proxy, clock, client, bot, alice, message }
    }

    /// Begins a call that counts twice if it is done twice.
    fn edit(&self, text: &str) -> JoinHandle<Result<Bytes, CallError>> {
        let peer = Object::new("inputPeerUser").with("user_id", self.alice).with("access_hash", 0);
        let query =
            Object::new("messages.editMessage").with("peer", peer).with("id", self.message).with("message", text);
        let mut body = Vec::new();
        tl::encode(&query, &mut body).unwrap();
        let client = self.client.clone();
        tokio::spawn(async move { client.invoke(body.into()).await })
    }

    fn pts(&self) -> i32 {
        self.dc.pts(self.bot.id)
    }

    /// Steps the clock until the future is ready, and returns what passed.
    async fn step_until<T>(&self, future: impl Future<Output = T>) -> (T, Duration) {
        let began = self.clock.now().mono;
        let stepping = async {
            loop {
                tokio::time::sleep(Duration::from_millis(10)).await;
                self.clock.advance(Duration::from_millis(250));
            }
        };
        let output = tokio::select! {
            output = within(future) => output,
            () = stepping => unreachable!(),
        };
        (output, self.clock.now().mono - began)
    }

    /// Lets so much time pass.
    async fn pass(&self, time: Duration) {
        let step = Duration::from_millis(500);
        for _ in 0..time.as_millis() / step.as_millis() {
            self.clock.advance(step);
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// Waits, while no time passes, for so many connections that began.
    async fn connected(&self, times: u64) {
        within(async {
            while self.proxy.connections() < times {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it takes too long")
}

/// A moment for what is on its way.
async fn moment() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn a_half_open_socket_is_noticed_in_time_and_the_call_in_flight_is_done_once() {
    let scene = Scene::new().await;
    let before = scene.pts();
    scene.proxy.set(Manner::Stall);
    let call = scene.edit("after all");
    moment().await;
    assert_eq!(scene.proxy.connections(), 1);
    scene.proxy.set(Manner::Pass);
    scene.pass(NOTICED).await;
    scene.connected(2).await;
    scene.step_until(call).await.0.unwrap().unwrap();
    assert_eq!((scene.pts(), scene.client.key_exchanges()), (before + 1, 1));
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_with_the_network_is_not_done_again() {
    let scene = Scene::new().await;
    let before = scene.pts();
    // The call arrives, and its answer trickles away.
    scene.proxy.set(Manner::Trickle(1));
    let call = scene.edit("done already");
    within(async {
        while scene.pts() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    scene.proxy.set(Manner::Pass);
    scene.proxy.cut();
    scene.step_until(call).await.0.unwrap().unwrap();
    assert_eq!(scene.pts(), before + 1);
}

#[tokio::test]
async fn an_idle_client_notices_within_two_minutes_that_nobody_is_there() {
    let scene = Scene::new().await;
    scene.proxy.set(Manner::Stall);
    moment().await;
    scene.proxy.set(Manner::Pass);
    scene.pass(Duration::from_secs(80)).await;
    scene.connected(2).await;
}

#[tokio::test]
async fn a_laptop_that_slept_connects_anew_as_soon_as_it_wakes() {
    let scene = Scene::new().await;
    let before = scene.pts();
    scene.proxy.set(Manner::Stall);
    let call = scene.edit("before it slept");
    moment().await;
    scene.clock.suspend(Duration::from_secs(2 * 3_600));
    scene.proxy.set(Manner::Pass);
    // The next look, and no wait for a ping.
    scene.pass(Duration::from_secs(5)).await;
    scene.connected(2).await;
    scene.step_until(call).await.0.unwrap().unwrap();
    let (again, _) = scene.step_until(scene.edit("after it slept")).await;
    again.unwrap().unwrap();
    assert_eq!((scene.pts(), scene.client.key_exchanges()), (before + 2, 1));
}

#[tokio::test]
async fn a_client_that_comes_from_another_address_is_answered_there_and_what_the_old_one_said_diverts_nothing() {
    let scene = Scene::new().await;
    let before = scene.pts();
    // For the server, the old connection stays open: nobody told it otherwise.
    scene.step_until(scene.edit("from here")).await.0.unwrap().unwrap();
    scene.proxy.set(Manner::Stall);
    let call = scene.edit("from there");
    moment().await;
    scene.proxy.set(Manner::Pass);
    scene.pass(NOTICED).await;
    scene.step_until(call).await.0.unwrap().unwrap();
    let connections = scene.proxy.connections();
    let answered = scene.proxy.replay(0).await;
    // Its key exchange gets an answer, and nothing of the session does.
    assert!(answered.len() < 1_000, "{} bytes for what was recorded", answered.len());
    scene.step_until(scene.edit("and again")).await.0.unwrap().unwrap();
    assert_eq!((scene.pts(), scene.proxy.connections()), (before + 3, connections));
}

#[tokio::test]
async fn a_server_that_closes_after_each_packet_answers_each_call_once_and_is_not_hammered() {
    let scene = Scene::new().await;
    let before = scene.pts();
    scene.proxy.set(Manner::CloseAfterAnswer);
    let mut passed = Duration::ZERO;
    for n in 0..10 {
        let (answer, took) = scene.step_until(scene.edit(&format!("edit {n}"))).await;
        answer.unwrap().unwrap();
        passed += took;
    }
    assert_eq!(scene.pts(), before + 10);
    // About one a second, and never more than two, after the first few.
    let most = 6 + 2 * passed.as_secs();
    assert!(scene.proxy.connections() <= most, "{} in {passed:?}", scene.proxy.connections());
}

#[tokio::test]
async fn a_server_that_answers_at_a_byte_a_second_is_left() {
    let scene = Scene::new().await;
    let before = scene.pts();
    scene.proxy.set(Manner::Trickle(1));
    let call = scene.edit("in the end");
    scene.pass(NOTICED).await;
    scene.connected(2).await;
    scene.proxy.set(Manner::Pass);
    scene.step_until(call).await.0.unwrap().unwrap();
    assert_eq!(scene.pts(), before + 1);
}

#[tokio::test]
async fn a_slow_network_is_not_taken_for_a_dead_one() {
    let scene = Scene::new().await;
    // Letters at random: what can be compressed would be.
    let mut random = moongram::crypto::SeededRandom::new(1);
    let mut letter = || char::from(b'a' + (moongram::crypto::Random::u64(&mut random) % 26) as u8);
    for _ in 0..5 {
        let text: String = (0..4_000).map(|_| letter()).collect();
        scene.dc.send(scene.alice, Peer::User(scene.bot.id), &text).unwrap();
    }
    moment().await;
    let ids: Vec<Object> = (1..=7).map(|id| Object::new("inputMessageID").with("id", id)).collect();
    let mut body = Vec::new();
    tl::encode(&Object::new("messages.getMessages").with("id", ids), &mut body).unwrap();
    scene.proxy.set(Manner::Trickle(250));
    let (answer, took) = scene.step_until(scene.client.invoke(body.into())).await;
    // 20,000 letters, packed to five bits each, and half a minute more than a ping may take.
    assert!(answer.unwrap().len() > 20_000 && took > Duration::from_secs(45), "{took:?}");
    assert_eq!(scene.proxy.connections(), 1);
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_tried_again_until_it_speaks() {
    let scene = Scene::new().await;
    let before = scene.pts();
    scene.proxy.set(Manner::Stall);
    scene.proxy.cut();
    let call = scene.edit("at last");
    // Each attempt is given up in time: 15 seconds and a wait of at most one, as the server was there before.
    scene.pass(Duration::from_secs(40)).await;
    scene.connected(3).await;
    scene.proxy.set(Manner::Pass);
    scene.pass(NOTICED).await;
    scene.step_until(call).await.0.unwrap().unwrap();
    assert_eq!((scene.pts(), scene.client.key_exchanges()), (before + 1, 1));
}

/// RFC 1928, without a user, to IPv4.
async fn socks5() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 13];
                client.read_exact(&mut request[..3]).await.ok()?;
                client.write_all(&[5, 0]).await.ok()?;
                client.read_exact(&mut request[3..]).await.ok()?;
                let [.., a, b, c, d, high, low] = request;
                let target = SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low])));
                let mut server = TcpStream::connect(target).await.ok()?;
                client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok()
            });
        }
    });
    address
}

#[tokio::test]
async fn a_proxy_that_died_is_tried_until_it_is_back_and_calls_wait_for_it() {
    let via = |_| async { Via::parse(&format!("socks5://{}", socks5().await)).unwrap() };
    let scene = Scene::by(via).await;
    let before = scene.pts();
    scene.proxy.set(Manner::Refuse);
    scene.proxy.cut();
    let call = scene.edit("by the proxy");
    scene.pass(Duration::from_secs(20)).await;
    let knocks = scene.proxy.connections();
    // Exponential: 0.25, 0.5, 1, 2, 4, 8 seconds, each of them or half of it.
    assert!((4..=9).contains(&knocks), "{knocks} connections in 20 s");
    scene.proxy.set(Manner::Pass);
    scene.step_until(call).await.0.unwrap().unwrap();
    assert_eq!((scene.pts(), scene.client.key_exchanges()), (before + 1, 1));
}
