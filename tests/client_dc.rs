//! The client against the local DC: two programs that share no state but the bytes between them.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moongram::client::{CallError, Client, Config, Dc, SessionAt, SignIn, StartError, Subscription, Update};
use moongram::crypto::RsaPublicKey;
use moongram::local_dc::{self, Bot, LocalDc, Peer};
use moongram::net::Clock;
use moongram::tl::{self, Object};

const PATIENCE: Duration = Duration::from_secs(20);

struct Scene {
    dc: LocalDc,
    bot: Bot,
    alice: i64,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Scene {
        let dc = LocalDc::start(local_dc::Config::default()).await.unwrap();
        let bot = dc.add_bot("echo_bot", "Echo");
        let alice = dc.add_user("Alice");
        Scene { dc, bot, alice, folder: tempfile::tempdir().unwrap() }
    }

    fn config(&self, session: &str) -> Config {
        let sign_in = SignIn::Bot { token: self.bot.token.clone() };
        let session = SessionAt::File(self.folder.path().join(session));
        Config {
            dcs: vec![Dc { id: self.dc.dc_id(), address: self.dc.address() }],
            public_keys: vec![RsaPublicKey::from_pem(self.dc.public_key_pem()).unwrap()],
            ..Config::new(1, "hash", sign_in, session)
        }
    }

    async fn start(&self) -> Client {
        within(Client::start(self.config("bot.db"), Clock::real())).await.unwrap()
    }

    fn write(&self, text: &str) -> i32 {
        self.dc.send(self.alice, Peer::User(self.bot.id), text).unwrap()
    }

    fn session(&self) -> std::path::PathBuf {
        self.folder.path().join("bot.db")
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

fn send_message(user: i64, text: &str, random_id: i64) -> Bytes {
    let peer = Object::new("inputPeerUser").with("user_id", user).with("access_hash", 0);
    call(&Object::new("messages.sendMessage").with("peer", peer).with("message", text).with("random_id", random_id))
}

fn text(update: &Update) -> String {
    let update = tl::decode_object(update.raw()).unwrap();
    update.object("message").and_then(|message| message.str("message")).unwrap_or_default().to_owned()
}

/// Waits for so many updates, and delivers them.
async fn take(queue: &Subscription, count: usize) -> Vec<Arc<Update>> {
    let mut taken = VecDeque::new();
    within(async {
        while taken.len() < count {
            queue.ready().await;
            let missing = count - taken.len();
            queue.drain(&mut taken, missing);
        }
    })
    .await;
    taken.into()
}

fn texts(updates: &[Arc<Update>]) -> Vec<String> {
    updates.iter().map(|update| text(update)).collect()
}

#[tokio::test]
async fn a_bot_signs_in_hears_a_message_and_answers() {
    let scene = Scene::new().await;
    let client = scene.start().await;
    assert_eq!((client.me().id, client.me().is_bot), (scene.bot.id, true));
    assert_eq!(client.me().username.as_deref(), Some("echo_bot"));
    assert_eq!((client.connections(), client.key_exchanges()), (1, 1));
    let queue = client.subscribe("echo");
    client.begin_updates();
    scene.write("hello");
    let updates = take(&queue, 1).await;
    assert_eq!(texts(&updates), ["hello"]);
    assert!(updates[0].user(scene.alice).is_some());
    let input = client.peers().input_peer(scene.alice).unwrap();
    assert!(matches!(input, moongram::client::InputPeer::User { id, .. } if id == scene.alice));

    let before = scene.dc.pts(scene.alice);
    within(client.invoke(send_message(scene.alice, "hello yourself", 1))).await.unwrap();
    assert_eq!(scene.dc.pts(scene.alice), before + 1);
    // What the bot wrote is no news to its scripts, and leaves no gap.
    scene.write("again");
    assert_eq!(texts(&take(&queue, 1).await), ["again"]);
    assert_eq!((queue.queued(), client.connections()), (0, 1));
    assert!(!client.position().behind);
}

#[tokio::test]
async fn a_user_signs_in_with_the_code_and_hears_what_his_other_devices_write() {
    let scene = Scene::new().await;
    let phone = scene.dc.phone(scene.alice).unwrap();
    let code = scene.dc.code();
    let sign_in = SignIn::User { phone, code: Arc::new(move || code.clone()), name: "Alice".into() };
    let config = Config { sign_in, ..scene.config("alice.db") };
    let client = within(Client::start(config, Clock::real())).await.unwrap();
    assert_eq!((client.me().id, client.me().is_bot), (scene.alice, false));
    let queue = client.subscribe("script");
    client.begin_updates();
    caught_up(&client).await;
    let bot = within(client.resolve("@echo_bot")).await.unwrap();
    let moongram::client::InputPeer::User { id, access_hash } = client.peers().input_peer(bot.id()).unwrap() else {
        panic!("a bot is a user")
    };
    let peer = Object::new("inputPeerUser").with("user_id", id).with("access_hash", access_hash);
    let own = Object::new("messages.sendMessage").with("peer", peer).with("message", "own").with("random_id", 1);
    within(client.invoke(call(&own))).await.unwrap();
    scene.write("from another device");
    assert_eq!(texts(&take(&queue, 1).await), ["from another device"]);
    assert_eq!(queue.queued(), 0);
    assert!(!client.position().behind);
}

#[tokio::test]
async fn a_second_start_uses_the_key_it_has_and_signs_in_to_nothing() {
    let scene = Scene::new().await;
    let client = scene.start().await;
    client.stop().await;
    let client = scene.start().await;
    assert_eq!((scene.dc.key_exchanges(), client.key_exchanges()), (1, 0));
    assert_eq!(client.me().id, scene.bot.id);
    // Nor does it need the token.
    client.stop().await;
    let config = Config { sign_in: SignIn::Stored, ..scene.config("bot.db") };
    let client = within(Client::start(config, Clock::real())).await.unwrap();
    assert_eq!(client.me().id, scene.bot.id);
    assert_eq!(scene.dc.key_exchanges(), 1);
}

#[tokio::test]
async fn what_was_written_meanwhile_is_caught_up_with_in_order() {
    let scene = Scene::new().await;
    let client = scene.start().await;
    let queue = client.subscribe("echo");
    client.begin_updates();
    for i in 0..3 {
        scene.write(&format!("before {i}"));
    }
    assert_eq!(take(&queue, 3).await.len(), 3);
    queue.set_delivered(3);
    // As after a crash: nothing is said, nothing is saved that was not saved before.
    tokio::time::sleep(Duration::from_millis(700)).await;
    drop(queue);
    drop(client);
    for i in 0..10 {
        scene.write(&format!("meanwhile {i}"));
    }
    wait_until_free(&scene.session()).await;
    let client = scene.start().await;
    let queue = client.subscribe("echo");
    client.begin_updates();
    scene.write("after");
    let expected: Vec<String> = (0..10).map(|i| format!("meanwhile {i}")).chain(["after".to_owned()]).collect();
    assert_eq!(texts(&take(&queue, 11).await), expected);
    assert_eq!((scene.dc.key_exchanges(), queue.queued()), (1, 0));
}

#[tokio::test]
async fn what_was_not_delivered_comes_again() {
    let scene = Scene::new().await;
    let client = scene.start().await;
    let queue = client.subscribe("echo");
    client.begin_updates();
    caught_up(&client).await;
    for i in 0..4 {
        scene.write(&i.to_string());
    }
    take(&queue, 4).await;
    queue.set_delivered(2);
    client.stop().await;
    drop(queue);
    let client = scene.start().await;
    let queue = client.subscribe("echo");
    client.begin_updates();
    assert_eq!(texts(&take(&queue, 2).await), ["2", "3"]);
}

async fn caught_up(client: &Client) {
    within(async {
        while client.position().behind {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The last of a client's tasks may end a moment after its handle.
async fn wait_until_free(session: &Path) {
    within(async {
        while moongram::storage::Session::open(session).is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_dropped_connection_is_made_again_and_nothing_is_lost() {
    let scene = Scene::new().await;
    let client = scene.start().await;
    let queue = client.subscribe("echo");
    client.begin_updates();
    scene.write("one");
    assert_eq!(texts(&take(&queue, 1).await), ["one"]);
    scene.dc.drop_connections();
    scene.write("two");
    assert_eq!(texts(&take(&queue, 1).await), ["two"]);
    within(client.invoke(send_message(scene.alice, "three", 3))).await.unwrap();
    assert_eq!((client.connections(), client.key_exchanges(), scene.dc.key_exchanges()), (2, 1, 1));
}

#[tokio::test]
async fn calls_that_a_broken_connection_cut_off_are_answered_once_and_done_once() {
    let scene = Scene::new().await;
    scene.write("hello");
    let client = scene.start().await;
    client.begin_updates();
    let before = scene.dc.pts(scene.alice);
    let calls: Vec<_> = (0..100)
        .map(|i| {
            let client = client.clone();
            let call = send_message(scene.alice, &format!("message {i}"), 1_000 + i);
            tokio::spawn(async move { client.invoke(call).await })
        })
        .collect();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        scene.dc.drop_connections();
    }
    for call in calls {
        within(call).await.unwrap().unwrap();
    }
    assert_eq!(scene.dc.pts(scene.alice), before + 100);
    assert!(client.connections() > 1);
    assert_eq!(client.calls_in_flight(), 0);
}

#[tokio::test]
async fn a_username_is_resolved_once() {
    let scene = Scene::new().await;
    scene.dc.add_bot("other_bot", "Other");
    let client = scene.start().await;
    let peer = within(client.resolve("@other_bot")).await.unwrap();
    assert_eq!(client.peers().username("OTHER_bot"), Some(peer.id()));
    assert_eq!(within(client.resolve("https://t.me/other_bot")).await.unwrap(), peer);
    assert_eq!(within(client.resolve("me")).await.unwrap().id(), scene.bot.id);
    let error = within(client.resolve("@nobody_at_all")).await.unwrap_err();
    assert!(matches!(&error, CallError::Rpc(error) if error.code == 400), "{error}");
    assert!(matches!(client.resolve("no such name").await, Err(CallError::Invalid(_))));
}

#[tokio::test]
async fn an_error_names_the_method() {
    let scene = Scene::new().await;
    let client = scene.start().await;
    let error = within(client.invoke(send_message(scene.alice, "", 1))).await.unwrap_err();
    let CallError::Rpc(error) = error else { panic!("{error}") };
    assert_eq!((error.code, error.method.as_str()), (400, "messages.sendMessage"));
    let error = client.invoke(call(&Object::new("inputPeerSelf"))).await.unwrap_err();
    assert!(matches!(error, CallError::Invalid(_)), "{error}");
}

#[tokio::test]
async fn a_start_that_cannot_succeed_says_why() {
    let scene = Scene::new().await;
    let wrong = SignIn::Bot { token: "12345:nonsense".into() };
    let config = Config { sign_in: wrong, ..scene.config("wrong.db") };
    let error = within(Client::start(config, Clock::real())).await.err().unwrap();
    assert!(matches!(error, StartError::BadToken(_)), "{error}");

    let config = Config { sign_in: SignIn::Stored, ..scene.config("empty.db") };
    let error = within(Client::start(config, Clock::real())).await.err().unwrap();
    assert!(matches!(error, StartError::NotSignedIn(_)), "{error}");

    let client = scene.start().await;
    let error = within(Client::start(scene.config("bot.db"), Clock::real())).await.err().unwrap();
    assert!(error.to_string().contains("in use by process"), "{error}");
    client.stop().await;

    let address = ([127, 0, 0, 1], 1).into();
    let nowhere = vec![Dc { id: 2, address }];
    let config = Config { dcs: nowhere, connect_timeout: Duration::from_millis(300), ..scene.config("far.db") };
    let error = within(Client::start(config, Clock::real())).await.err().unwrap();
    assert!(matches!(error, StartError::Unreachable { dc: 2, .. }), "{error}");
}

#[tokio::test]
async fn a_dc_that_forgot_the_key_ends_the_start_with_advice() {
    let scene = Scene::new().await;
    scene.start().await.stop().await;
    // Another DC at another address has other keys. By its clock two minutes have gone by: a key that is younger than one may
    // only be unknown yet, and is tried for longer.
    let clock = Clock::real();
    let now: local_dc::Now = Arc::new(move || clock.now() + Duration::from_secs(120));
    let other = LocalDc::start(local_dc::Config { now, ..local_dc::Config::default() }).await.unwrap();
    for temporary_key_life in [Some(Duration::from_secs(3600)), None] {
        let dcs = vec![Dc { id: 2, address: other.address() }];
        let config = Config { dcs, temporary_key_life, ..scene.config("bot.db") };
        let error = within(Client::start(config, Clock::real())).await.err().unwrap();
        assert!(matches!(&error, StartError::SignedOut { .. }), "{error}");
        assert!(error.to_string().contains("does not know its auth key"), "{error}");
    }
}

#[tokio::test]
async fn a_script_that_does_not_keep_up_gets_everything_in_the_end() {
    const COUNT: usize = 20_000;
    let scene = Scene::new().await;
    let client = scene.start().await;
    let queue = client.subscribe("slow");
    client.begin_updates();
    caught_up(&client).await;
    for i in 0..COUNT {
        scene.write(&i.to_string());
        if i % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // Replies come whatever is full.
    within(client.invoke(send_message(scene.alice, "busy", 1))).await.unwrap();
    assert!(queue.queued() < moongram::client::MAX_QUEUED + 1_000, "{}", queue.queued());
    for i in 0..COUNT {
        assert_eq!(texts(&take(&queue, 1).await), [i.to_string()]);
    }
    assert_eq!(client.connections(), 1);
}
