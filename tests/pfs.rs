//! Temporary keys between client and local DC: which key encrypts what, and what a renewal costs.
//! <https://core.telegram.org/api/pfs>

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use moongram::client::{CallError, Client, Config, Dc, SessionAt, SignIn, StartError, Subscription};
use moongram::crypto::{AuthKey, RsaPublicKey};
use moongram::local_dc::{self, Bot, Ending, LocalDc, Peer};
use moongram::mtproto::{Frame, Framing, auth_key_id};
use moongram::net::Clock;
use moongram::storage::Session;
use moongram::tl::{self, Object};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct Scene {
    dc: LocalDc,
    bot: Bot,
    alice: i64,
    clock: Clock,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Scene {
        Scene::with(Clock::real(), None).await
    }

    /// Client and DC by a clock that stands still until the test moves it.
    async fn stepped() -> Scene {
        Scene::with(Clock::stepped(Clock::real().now().unix), None).await
    }

    async fn with(clock: Clock, keep: Option<PathBuf>) -> Scene {
        let of_dc = clock.clone();
        let now: local_dc::Now = Arc::new(move || of_dc.now());
        let dc = LocalDc::start(local_dc::Config { keep, now, ..local_dc::Config::default() }).await.unwrap();
        let bot = dc.add_bot("pfs_bot", "Pfs");
        let alice = dc.add_user("Alice");
        Scene { dc, bot, alice, clock, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("bot.db")
    }

    fn config(&self) -> Config {
        let sign_in = SignIn::Bot { token: self.bot.token.clone() };
        Config {
            dcs: vec![Dc { id: self.dc.dc_id(), address: self.dc.address() }],
            public_keys: vec![RsaPublicKey::from_pem(self.dc.public_key_pem()).unwrap()],
            ..Config::new(1, "hash", sign_in, SessionAt::File(self.path()))
        }
    }

    async fn start(&self) -> Client {
        within(Client::start(self.config(), self.clock.clone())).await.unwrap()
    }

    fn write(&self, text: &str) {
        self.dc.send(self.alice, Peer::User(self.bot.id), text).unwrap();
    }

    /// Moves the clock on, with a moment for what happens then, until this is so. No faster than ten times the real one: what
    /// is computed in a key exchange takes real time.
    async fn step_until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let steps = async {
            while !so() {
                self.clock.advance(Duration::from_millis(100));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, steps).await.is_ok(), "{what}");
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

fn call(object: &Object) -> Bytes {
    let mut bytes = Vec::new();
    tl::encode(object, &mut bytes).unwrap();
    bytes.into()
}

fn state() -> Bytes {
    call(&Object::new("updates.getState"))
}

fn send_message(user: i64, text: &str, random_id: i64) -> Bytes {
    let peer = Object::new("inputPeerUser").with("user_id", user).with("access_hash", 0);
    call(&Object::new("messages.sendMessage").with("peer", peer).with("message", text).with("random_id", random_id))
}

/// Waits for so many texts.
async fn texts(queue: &Subscription, count: usize) -> Vec<String> {
    let mut taken = VecDeque::new();
    within(async {
        while taken.len() < count {
            queue.ready().await;
            queue.drain(&mut taken, count);
        }
    })
    .await;
    let text = |update: &[u8]| {
        let update = tl::decode_object(update).unwrap();
        update.object("message").and_then(|message| message.str("message")).unwrap_or_default().to_owned()
    };
    taken.iter().map(|update| text(update.raw())).collect()
}

/// Passes everything on between clients and the DC, and notes which keys the clients' packets are for; 0 is an exchange's.
async fn wiretap(dc: SocketAddr) -> (SocketAddr, Arc<Mutex<BTreeSet<u64>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::<Mutex<BTreeSet<u64>>>::default();
    let noted = seen.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_dc, mut to_dc) = TcpStream::connect(dc).await.unwrap().into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_dc, &mut to_client).await });
            let noted = noted.clone();
            tokio::spawn(async move {
                let (mut framing, mut input) = (Framing::server(), BytesMut::new());
                let mut read = [0; 4096];
                while let Ok(length) = from_client.read(&mut read).await {
                    input.extend_from_slice(&read[..length]);
                    while let Ok(Some(Frame::Packet(packet))) = framing.decode(&mut input) {
                        noted.lock().unwrap().insert(auth_key_id(&packet).unwrap());
                    }
                    if length == 0 || to_dc.write_all(&read[..length]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, seen)
}

/// The permanent key's id, out of the session file of a client that has stopped.
fn permanent_key(scene: &Scene) -> u64 {
    let session = Session::open(scene.path()).unwrap();
    AuthKey::new(session.key(scene.dc.dc_id()).expect("a key").auth_key).id()
}

#[tokio::test]
async fn the_permanent_key_encrypts_nothing_that_a_wiretap_could_record() {
    let scene = Scene::new().await;
    let (address, seen) = wiretap(scene.dc.address()).await;
    let config = Config { dcs: vec![Dc { id: 2, address }], ..scene.config() };
    let client = within(Client::start(config.clone(), Clock::real())).await.unwrap();
    client.begin_updates();
    scene.write("a bot may answer");
    within(client.invoke(send_message(scene.alice, "hello", 1))).await.unwrap();
    assert_eq!((client.key_exchanges(), client.temporary_key_exchanges()), (1, 1));
    client.stop().await;
    let permanent = permanent_key(&scene);
    // A second run goes on with the permanent key, and has another temporary one.
    let client = within(Client::start(config.clone(), Clock::real())).await.unwrap();
    assert_eq!((client.key_exchanges(), client.temporary_key_exchanges()), (0, 1));
    client.stop().await;
    let keys = seen.lock().unwrap().clone();
    assert_eq!((keys.len(), keys.contains(&0), keys.contains(&permanent)), (3, true, false), "{keys:x?}");
    assert_eq!((scene.dc.key_exchanges(), scene.dc.temporary_key_exchanges()), (1, 2));

    // With pfs = false it is the permanent key that encrypts: the wiretap sees what there is to see.
    let config = Config { temporary_key_life: None, ..config };
    within(Client::start(config, Clock::real())).await.unwrap().stop().await;
    assert!(seen.lock().unwrap().contains(&permanent));
    assert_eq!(scene.dc.temporary_key_exchanges(), 2);
}

#[tokio::test]
async fn a_session_file_holds_one_key_a_dc_the_permanent_one() {
    let scene = Scene::stepped().await;
    let config = Config { temporary_key_life: Some(Duration::from_secs(60)), ..scene.config() };
    let client = within(Client::start(config, scene.clock.clone())).await.unwrap();
    scene.clock.advance(Duration::from_secs(45));
    scene.step_until("renewed", || client.temporary_key_exchanges() >= 2).await;
    client.stop().await;
    let db = rusqlite::Connection::open(scene.path()).unwrap();
    let keys: i64 = db.query_row("SELECT count(*) FROM auth_key", [], |row| row.get(0)).unwrap();
    assert_eq!(keys, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_loses_no_call_and_no_update_and_does_nothing_twice() {
    const CALLS: i64 = 600;
    let scene = Scene::stepped().await;
    let config = Config { temporary_key_life: Some(Duration::from_secs(16)), ..scene.config() };
    let client = within(Client::start(config, scene.clock.clone())).await.unwrap();
    let queue = client.subscribe("all");
    client.begin_updates();
    let before = scene.dc.pts(scene.alice);
    let mut calls = tokio::task::JoinSet::new();
    // Calls and updates all the time, over several lives of a key.
    for n in 1..=CALLS {
        let client = client.clone();
        let alice = scene.alice;
        calls.spawn(async move { client.invoke(send_message(alice, &format!("call {n}"), n)).await });
        scene.write(&format!("update {n}"));
        scene.clock.advance(Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let expected: Vec<String> = (1..=CALLS).map(|n| format!("update {n}")).collect();
    let ticking = scene.clock.clone();
    let tick = tokio::spawn(async move {
        loop {
            ticking.advance(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert_eq!(texts(&queue, CALLS as usize).await, expected, "each update once, in order");
    let answered = within(async { calls.join_all().await }).await;
    tick.abort();
    assert!(answered.iter().all(Result::is_ok), "{:?}", answered.iter().find(|answer| answer.is_err()));
    // Alice's own, and the bot's.
    assert_eq!(scene.dc.pts(scene.alice) - before, 2 * CALLS as i32, "nothing was done twice");
    let renewals = client.temporary_key_exchanges() - 1;
    assert!(renewals >= 2, "{renewals} renewals in 60 s of lives of 16");
    assert_eq!((client.key_exchanges(), scene.dc.key_exchanges()), (1, 1));
    assert!(client.is_connected());
}

#[tokio::test]
async fn a_renewal_happens_before_the_key_ends_and_while_nothing_else_does() {
    let scene = Scene::stepped().await;
    let client = scene.start().await;
    scene.clock.advance(DAY - Duration::from_secs(2 * 3600));
    within(client.invoke(state())).await.unwrap();
    assert_eq!(client.temporary_key_exchanges(), 1, "not two hours before");
    let connections = client.connections();
    scene.clock.advance(Duration::from_secs(3601));
    scene.step_until("renewed an hour before the end", || client.temporary_key_exchanges() == 2).await;
    scene.step_until("changed over", || client.connections() > connections && client.is_connected()).await;
    within(client.invoke(state())).await.unwrap();
    // The key before ends now, and nobody minds.
    scene.clock.advance(Duration::from_secs(3600));
    within(client.invoke(state())).await.unwrap();
    assert_eq!((client.temporary_key_exchanges(), client.key_exchanges()), (2, 1));
}

#[tokio::test]
async fn the_session_of_the_key_before_is_destroyed() {
    let scene = Scene::stepped().await;
    let config = Config { temporary_key_life: Some(Duration::from_secs(60)), ..scene.config() };
    let client = within(Client::start(config, scene.clock.clone())).await.unwrap();
    assert_eq!(scene.dc.sessions(scene.bot.id), 1);
    for renewal in 2..=4 {
        scene.clock.advance(Duration::from_secs(44));
        scene.step_until("renewed", || client.temporary_key_exchanges() == renewal).await;
        scene.step_until("changed over", || client.connections() == renewal).await;
        scene.step_until("the old session is gone", || scene.dc.sessions(scene.bot.id) == 1).await;
    }
}

#[tokio::test]
async fn a_key_that_ended_while_the_machine_slept_is_replaced_when_it_wakes() {
    let scene = Scene::stepped().await;
    let client = scene.start().await;
    scene.clock.advance(3 * DAY);
    scene.step_until("a call after the sleep", || client.temporary_key_exchanges() >= 2).await;
    within(client.invoke(state())).await.unwrap();
    assert_eq!((client.key_exchanges(), scene.dc.key_exchanges()), (1, 1));
}

#[tokio::test]
async fn a_dc_that_forgets_temporary_keys_and_bindings_costs_no_account() {
    let scene = Scene::new().await;
    let client = scene.start().await;
    let queue = client.subscribe("all");
    client.begin_updates();
    for round in 0..3 {
        scene.dc.forget_temporary_keys();
        within(client.invoke(state())).await.unwrap();
        scene.write(&format!("after the key {round}"));
        scene.dc.forget_bindings();
        within(client.invoke(send_message(scene.alice, "hello", round + 1))).await.unwrap();
        scene.write(&format!("after the binding {round}"));
    }
    let expected: Vec<String> =
        (0..3).flat_map(|n| [format!("after the key {n}"), format!("after the binding {n}")]).collect();
    assert_eq!(texts(&queue, 6).await, expected);
    assert_eq!(client.key_exchanges(), 1);
    assert_eq!(client.temporary_key_exchanges(), 4, "a binding is made again without another key");
}

#[tokio::test]
async fn a_dc_that_was_started_anew_knows_the_account_and_no_temporary_key() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Some(folder.path().join("dc.json"));
    let scene = Scene::with(Clock::real(), keep.clone()).await;
    let client = scene.start().await;
    let address = scene.dc.address();
    scene.dc.clone().stop().await;
    let dc = LocalDc::start(local_dc::Config { listen: address, keep, ..local_dc::Config::default() }).await.unwrap();
    within(client.invoke(state())).await.unwrap();
    assert_eq!((dc.key_exchanges(), dc.temporary_key_exchanges()), (0, 1));
}

#[tokio::test]
async fn every_end_of_an_account_ends_the_running_client_with_advice() {
    for (ending, name, advice) in [
        (Ending::Unregistered, "AUTH_KEY_UNREGISTERED", "sign in anew"),
        (Ending::Revoked, "SESSION_REVOKED", "ended from another device"),
        (Ending::Deactivated, "USER_DEACTIVATED", "the account was deleted"),
        (Ending::Banned, "USER_DEACTIVATED_BAN", "Telegram deleted the account"),
        (Ending::Duplicated, "AUTH_KEY_DUPLICATED", "two programs"),
    ] {
        let scene = Scene::new().await;
        let client = scene.start().await;
        client.begin_updates();
        within(client.invoke(state())).await.unwrap();
        scene.dc.end_sessions(scene.bot.id, ending);
        let error = within(client.invoke(state())).await.unwrap_err();
        assert!(matches!(&error, CallError::Rpc(error) if error.name == name), "{error}");
        let reason = within(client.ended()).await;
        assert!(reason.contains(name) && reason.contains(advice) && reason.contains("bot.db"), "{reason}");
        let later = client.invoke(state()).await.unwrap_err();
        assert!(matches!(later, CallError::Closed { .. }), "{later}");
        // The next start says the same.
        client.stop().await;
        let error = within(Client::start(scene.config(), Clock::real())).await.err().unwrap().to_string();
        assert!(error.contains(name) && error.contains(advice), "{error}");
    }
}

#[tokio::test]
async fn a_permanent_key_that_the_dc_forgot_ends_the_client_with_and_without_temporary_keys() {
    for life in [Some(DAY), None] {
        let scene = Scene::stepped().await;
        let config = Config { temporary_key_life: life, ..scene.config() };
        let client = within(Client::start(config, scene.clock.clone())).await.unwrap();
        client.begin_updates();
        // A younger one might only be unknown yet.
        scene.clock.advance(Duration::from_secs(90));
        scene.dc.forget_keys_of(scene.bot.id);
        let error = within(client.invoke(state())).await.unwrap_err();
        assert!(matches!(error, CallError::Closed { .. }), "{error}");
        let reason = within(client.ended()).await;
        assert!(reason.contains("does not know its auth key") && reason.contains("sign in anew"), "{reason}");
    }
}

#[tokio::test]
async fn logging_out_ends_the_authorization_the_key_and_the_session_file() {
    let scene = Scene::new().await;
    let (address, seen) = wiretap(scene.dc.address()).await;
    let config = Config { dcs: vec![Dc { id: 2, address }], ..scene.config() };
    let client = within(Client::start(config.clone(), Clock::real())).await.unwrap();
    client.begin_updates();
    client.stop().await;
    let permanent = permanent_key(&scene);
    let client = within(Client::start(config.clone(), Clock::real())).await.unwrap();
    let other = client.clone();
    assert!(!seen.lock().unwrap().contains(&permanent));
    within(client.log_out()).await.unwrap();
    // Its last word, which no other key can say: destroy_auth_key.
    assert!(seen.lock().unwrap().contains(&permanent));
    assert!(!scene.dc.knows_key(permanent));
    assert!(matches!(other.invoke(state()).await, Err(CallError::Closed { .. })));
    drop(other);
    {
        let session = Session::open(scene.path()).unwrap();
        assert_eq!((session.account(), session.key(2), session.state()), (None, None, None));
    }
    let stored = Config { sign_in: SignIn::Stored, ..config.clone() };
    let error = within(Client::start(stored, Clock::real())).await.err().unwrap();
    assert!(matches!(error, StartError::NotSignedIn(_)), "{error}");
    // The same file signs in anew, with a new key.
    let client = within(Client::start(config, Clock::real())).await.unwrap();
    assert_eq!(client.key_exchanges(), 1);
    client.stop().await;
    assert_ne!(permanent_key(&scene), permanent);
}

#[tokio::test]
async fn logging_out_without_temporary_keys_or_from_a_session_that_was_revoked_is_the_same() {
    for (life, revoked) in [(None, false), (Some(DAY), true)] {
        let scene = Scene::new().await;
        let config = Config { temporary_key_life: life, ..scene.config() };
        let client = within(Client::start(config, Clock::real())).await.unwrap();
        client.clone().stop().await;
        drop(client);
        let permanent = permanent_key(&scene);
        let config = Config { temporary_key_life: life, ..scene.config() };
        let client = within(Client::start(config, Clock::real())).await.unwrap();
        if revoked {
            scene.dc.end_sessions(scene.bot.id, Ending::Revoked);
        }
        within(client.log_out()).await.unwrap();
        assert!(!scene.dc.knows_key(permanent));
        assert_eq!(Session::open(scene.path()).unwrap().account(), None);
    }
}
