//! A server that keeps MTProto's rules, and answers the API with what was not asked for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use moongram::client::{CallError, Client, Config, Dc, SessionAt, SignIn, StartError, Subscription};
use moongram::net::Clock;
use moongram::tl::{self, Object, VECTOR, types};

use crate::forge::{Forger, NEW_SESSION_CREATED, Words, id};
use crate::server::{Answer, SALT, Server};
use crate::{exchange, within};

/// How often each method was called.
type Calls = Arc<Mutex<HashMap<String, usize>>>;

fn bytes(object: &Object) -> Vec<u8> {
    let mut bytes = Vec::new();
    tl::encode(object, &mut bytes).expect("a whole object");
    bytes
}

/// What an honest server answers.
fn honest(method: &str) -> Vec<u8> {
    let state = || Object::new("updates.state").with("pts", 1).with("qts", 1).with("date", 1).with("seq", 1);
    bytes(&match method {
        "auth.importBotAuthorization" => {
            let user = Object::new("user")
                .with("id", 42)
                .with("bot", true)
                .with("bot_info_version", 1)
                .with("first_name", "Echo");
            Object::new("auth.authorization").with("user", user)
        }
        "updates.getState" => state().with("unread_count", 0),
        "updates.getDifference" => Object::new("updates.differenceEmpty").with("date", 1).with("seq", 1),
        // Nobody looks at the rest.
        _ => Object::new("boolTrue"),
    })
}

/// A server that answers `lie` to this method, and honestly to all others.
async fn server(method: &'static str, lie: Vec<u8>) -> (Server, Calls) {
    let calls = Calls::default();
    let counted = calls.clone();
    let answer = move |query: &[u8]| {
        let mut object = tl::decode_object(query).expect("the client's queries are well-formed");
        while let Some(inner) = object.object("query") {
            object = inner.clone();
        }
        *counted.lock().expect("nobody panicked").entry(object.name().to_owned()).or_default() += 1;
        Answer::Result(Bytes::from(if object.name() == method { lie.clone() } else { honest(object.name()) }))
    };
    (Server::start(Vec::new(), answer).await, calls)
}

async fn start(server: &Server) -> Result<Client, StartError> {
    let config = Config {
        dcs: vec![Dc { id: 2, address: server.address }],
        public_keys: vec![exchange::RSA.public().clone()],
        temporary_key_life: None,
        ..Config::new(1, "hash", SignIn::Bot { token: "42:token".into() }, SessionAt::Memory)
    };
    within(Client::start(config, Clock::real())).await
}

/// Answers that are not of their type.
fn lies() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        vec![0; 4],
        Words::of(0xdead_beef).0,
        bytes(&Object::new("boolTrue")),
        Words::of(VECTOR).int(-1).0,
        Words::of(VECTOR).int(0x7fff_ffff).long(0).0,
        Words::of(types::UpdatesState::ID).0,
        Words::of(types::UpdatesState::ID).int(1).int(1).0,
    ]
}

#[tokio::test]
async fn an_honest_server_is_signed_in_to() {
    let (server, _) = server("", Vec::new()).await;
    let client = start(&server).await.expect("an honest server");
    assert_eq!(client.me().id, 42);
}

#[tokio::test]
async fn answers_of_another_type_end_the_start_with_the_method_s_name() {
    for (method, name) in [("auth.importBotAuthorization", "the sign-in"), ("updates.getState", "updates.getState")] {
        for lie in lies() {
            let (server, _) = server(method, lie.clone()).await;
            match start(&server).await {
                Err(StartError::Call(CallError::Malformed { method, .. })) => assert_eq!(method, name, "{lie:02x?}"),
                Err(other) => panic!("{method} {lie:02x?}: {other}"),
                Ok(_) => panic!("{method} {lie:02x?}: it was believed"),
            }
        }
    }
}

/// The real client, signed in and following its updates.
async fn following(server: &Server) -> (Client, Subscription) {
    let client = start(server).await.expect("an honest server");
    let subscription = client.subscribe("script");
    client.begin_updates();
    (client, subscription)
}

/// What the client does with an update that is one.
async fn hears(server: &Server, forger: &Forger, subscription: &Subscription, name: &str) {
    let action = Object::new("sendMessageTypingAction");
    let typing = Object::new("updateUserTyping").with("user_id", 7).with("action", action);
    let update = Object::new("updateShort").with("update", typing).with("date", 1);
    server.say(forger.seal(&forger.message(bytes(&update))));
    let mut heard = VecDeque::new();
    let hearing = async {
        while subscription.drain(&mut heard, 1) == 0 {
            subscription.ready().await;
        }
    };
    assert!(tokio::time::timeout(crate::PATIENCE, hearing).await.is_ok(), "{name}: an honest update was not heard");
    subscription.set_delivered(heard[0].seq);
}

#[tokio::test]
async fn updates_that_cannot_be_read_do_not_keep_others_from_being_heard() {
    let (server, calls) = server("", Vec::new()).await;
    let (client, subscription) = following(&server).await;
    let forger = server.forger().await;
    let huge = |id: u32| Words::of(id).int(VECTOR as i32).int(i32::MAX).long(0).0;
    let mut wrong = lies();
    wrong.extend([
        huge(types::Updates::ID),
        huge(types::UpdatesCombined::ID),
        Words::of(types::Updates::ID).int(VECTOR as i32).int(-1).0,
        Words::of(types::UpdateShort::ID).int(0x1234_5678).int(1).0,
        Words::of(types::UpdateShortMessage::ID).int(-1).0,
        bytes(&Object::new("updatesTooLong")),
    ]);
    let count = wrong.len();
    for (number, lie) in wrong.into_iter().enumerate() {
        server.say(forger.seal(&forger.message(lie)));
        hears(&server, &forger, &subscription, &format!("lie {number}")).await;
    }
    // Each may have cost a request for the difference, and no more.
    let asked = calls.lock().expect("nobody panicked").get("updates.getDifference").copied().unwrap_or_default();
    assert!(asked <= count + 1, "{asked} requests for {count} updates");
    assert_eq!(client.connections(), 1);
}

/// A difference that cannot be read is asked for again after a while, not again and again.
#[tokio::test]
async fn a_difference_that_cannot_be_read_is_not_asked_for_in_a_loop() {
    let (server, calls) = server("updates.getDifference", Words::of(0xdead_beef).0).await;
    let (_client, subscription) = following(&server).await;
    let forger = server.forger().await;
    for _ in 0..20 {
        server.say(forger.seal(&forger.message(bytes(&Object::new("updatesTooLong")))));
        hears(&server, &forger, &subscription, "between").await;
    }
    let asked = calls.lock().expect("nobody panicked").get("updates.getDifference").copied().unwrap_or_default();
    assert!((1..=5).contains(&asked), "{asked} requests");
}

/// Each new session has to be told who we are, but a thousand at once only in the end.
#[tokio::test]
async fn a_flood_of_new_sessions_is_not_answered_with_a_flood_of_calls() {
    let (server, calls) = server("", Vec::new()).await;
    let (client, subscription) = following(&server).await;
    let forger = server.forger().await;
    for unique in 0..1000 {
        let body = Words::of(NEW_SESSION_CREATED).long(id(0, 0)).long(unique).long(SALT).0;
        server.say(forger.seal(&forger.message(body)));
    }
    hears(&server, &forger, &subscription, "after the flood").await;
    let introduced = || calls.lock().expect("nobody panicked").get("help.getConfig").copied().unwrap_or_default();
    within(async {
        let mut last = 0;
        while last != introduced() {
            last = introduced();
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
    })
    .await;
    // What changes faster than the client looks is one change.
    assert!((2..100).contains(&introduced()), "{} introductions", introduced());
    assert_eq!(client.connections(), 1);
}
