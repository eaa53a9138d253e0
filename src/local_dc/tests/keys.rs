//! Permanent and temporary keys. <https://core.telegram.org/api/pfs>

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::client::*;
use crate::crypto::{AuthKey, Random as _, SystemRandom};
use crate::local_dc::api::fields::Fields as _;
use crate::local_dc::server::unix;
use crate::local_dc::{Config, Ending, LocalDc, Peer, system_clock};
use crate::mtproto::Transport;
use crate::mtproto::binding::Binding;
use crate::tl::{Object, Value};

/// A DC whose clock a test moves ahead.
pub async fn with_clock(life: Option<Duration>) -> (LocalDc, impl Fn(u64)) {
    let ahead = Arc::new(Mutex::new(Duration::ZERO));
    let (real, by) = (system_clock(), ahead.clone());
    let now = Arc::new(move || real() + *by.lock().unwrap());
    let dc = LocalDc::start(Config { now, temporary_key_life: life, ..Config::default() }).await.unwrap();
    (dc, move |seconds| *ahead.lock().unwrap() += Duration::from_secs(seconds))
}

/// A permanent key that the DC is simply given, with this account signed in.
fn permanent(dc: &LocalDc, account: i64) -> AuthKey {
    let mut bytes = [0; 256];
    SystemRandom::new().fill(&mut bytes);
    let key = AuthKey::new(bytes);
    let mut inner = dc.shared.dc();
    inner.telegram.keys.add(&key, 7, unix(dc.shared.now()));
    inner.telegram.keys.sign_in(key.id(), account);
    key
}

/// A session of a new temporary key, not bound yet.
async fn temporary(dc: &LocalDc, session: i64) -> Client {
    let agreed = Client::agreed(dc, Some(3600)).await;
    Client::connect(dc, agreed.auth_key, session, Transport::Intermediate).await
}

async fn bind(client: &mut Client, permanent: &AuthKey, lives: i32) -> Result<Value, String> {
    let now = client.dc.shared.now();
    let call = client.engine.bind(permanent.clone(), unix(now) + lives, now);
    client.expect_any(call);
    client.reply(call).await.map_err(|error| error.message)
}

#[tokio::test]
async fn a_key_that_was_agreed_on_is_good_and_the_two_kinds_are_counted_apart() {
    let dc = start().await;
    let agreed = Client::agreed(&dc, None).await;
    assert_eq!((dc.key_exchanges(), dc.temporary_key_exchanges()), (1, 0));
    let mut client = Client::connect(&dc, agreed.auth_key, 1, Transport::Intermediate).await;
    assert_eq!(client.call(Object::new("help.getConfig")).await.small("this_dc"), 2);
    Client::agreed(&dc, Some(60)).await;
    assert_eq!((dc.key_exchanges(), dc.temporary_key_exchanges()), (1, 1));
}

#[tokio::test]
async fn a_bound_key_has_the_account_and_the_updates_of_the_permanent_one() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let key = permanent(&dc, alice);
    let mut client = temporary(&dc, 2).await;
    assert_eq!(bind(&mut client, &key, 1800).await, Ok(Value::Bool(true)));
    client.call(state()).await;
    dc.send(bob, Peer::User(alice), "hello").unwrap();
    assert_eq!(client.texts(1).await, ["hello"]);
    // The same binding again changes nothing.
    assert_eq!(bind(&mut client, &key, 1800).await, Ok(Value::Bool(true)));
    client.call(state()).await;
}

#[tokio::test]
async fn an_unbound_key_may_ask_for_the_configuration_and_nothing_else() {
    let dc = start().await;
    let mut client = temporary(&dc, 2).await;
    for query in [state(), Object::new("auth.logOut"), Object::new("help.getAppConfig").with("hash", 0)] {
        let refused = client.try_call(query).await.unwrap_err();
        assert_eq!((refused.code, refused.message.as_str()), (401, "AUTH_KEY_PERM_EMPTY"));
    }
    client.call(Object::new("help.getConfig")).await;
    client.call(Object::new("help.getNearestDc")).await;
}

#[tokio::test]
async fn a_new_binding_takes_the_place_of_the_one_before() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let key = permanent(&dc, alice);
    let (mut first, mut second) = (temporary(&dc, 1).await, temporary(&dc, 2).await);
    bind(&mut first, &key, 1800).await.unwrap();
    first.call(state()).await;
    bind(&mut second, &key, 1800).await.unwrap();
    second.call(state()).await;
    assert_eq!(first.try_call(state()).await.unwrap_err().message, "AUTH_KEY_PERM_EMPTY");
    // Its own proof brings it back.
    bind(&mut first, &key, 1800).await.unwrap();
    first.call(state()).await;
}

#[tokio::test]
async fn a_binding_by_a_permanent_key_or_to_a_second_one_is_refused() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let (key, other) = (permanent(&dc, alice), permanent(&dc, alice));
    let mut client = Client::connect(&dc, key.clone(), 1, Transport::Intermediate).await;
    assert_eq!(bind(&mut client, &key, 1800).await, Err("TEMP_AUTH_KEY_EMPTY".into()));
    let mut client = temporary(&dc, 2).await;
    bind(&mut client, &key, 1800).await.unwrap();
    assert_eq!(bind(&mut client, &other, 1800).await, Err("TEMP_AUTH_KEY_ALREADY_BOUND".into()));
    assert_eq!(bind(&mut client, &key, -1).await, Err("EXPIRES_AT_INVALID".into()));
    client.call(state()).await;
}

#[tokio::test]
async fn a_proof_is_good_for_its_own_query_session_keys_nonce_and_time_only() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let key = permanent(&dc, alice);
    let mut client = temporary(&dc, 2).await;
    let expires_at = unix(dc.shared.now()) + 1800;
    let right = Binding { permanent: key.clone(), temporary: client.key.id(), session: 2, nonce: 5, expires_at };
    let unknown = AuthKey::new([8; 256]);
    let wrong = [
        // Right but for the message id, which no query has that was made before it was sent.
        right.clone(),
        Binding { permanent: unknown, ..right.clone() },
        Binding { temporary: 1, ..right.clone() },
        Binding { session: 3, ..right.clone() },
    ];
    for binding in wrong {
        let body = binding.query(crate::mtproto::MsgId(44), &mut SystemRandom::new());
        let call = client.engine.send(body, dc.shared.now());
        client.expect_any(call);
        assert_eq!(client.reply(call).await.unwrap_err().message, "ENCRYPTED_MESSAGE_INVALID");
    }
    // What stands in the query and what stands in the proof are to be the same.
    let now = dc.shared.now();
    for (nonce, expires_at) in [(6, expires_at), (5, expires_at + 1)] {
        let proof = right.query(crate::mtproto::MsgId(44), &mut SystemRandom::new());
        let mut reader = crate::tl::Reader::new(&proof);
        reader.expect(crate::tl::functions::AuthBindTempAuthKey::ID).unwrap();
        let told = crate::tl::functions::AuthBindTempAuthKey::read(&mut reader).unwrap();
        let query = Object::new("auth.bindTempAuthKey")
            .with("perm_auth_key_id", key.id() as i64)
            .with("nonce", nonce)
            .with("expires_at", expires_at)
            .with("encrypted_message", told.encrypted_message.to_vec());
        let session = crate::local_dc::telegram::SessionKey { auth_key: client.key.id(), session: 2 };
        let mut inner = dc.shared.dc();
        let answer = crate::local_dc::api::call(&mut inner.telegram, session, 44, &query, unix(now));
        let crate::local_dc::api::Answer::Now(Err(refusal)) = answer else { panic!("{answer:?}") };
        assert_eq!(refusal.name, "ENCRYPTED_MESSAGE_INVALID");
    }
    assert_eq!(client.try_call(state()).await.unwrap_err().message, "AUTH_KEY_PERM_EMPTY");
}

#[tokio::test]
async fn a_temporary_key_ends_at_its_time_with_minus_404() {
    let (dc, advance) = with_clock(None).await;
    let alice = dc.add_user("Alice");
    let key = permanent(&dc, alice);
    let mut client = temporary(&dc, 2).await;
    bind(&mut client, &key, 1800).await.unwrap();
    advance(1790);
    client.engine = later_engine(&client, 3);
    client.call(state()).await;
    advance(11);
    client.engine = later_engine(&client, 4);
    client.send(&state());
    assert_eq!(client.end().await, Some(-404));
}

/// A session whose clock agrees with the DC's, that was moved.
fn later_engine(client: &Client, session: i64) -> crate::mtproto::Engine {
    let config = crate::mtproto::EngineConfig::new(client.key.clone(), session, 7, 0);
    let random = Box::new(SystemRandom::new());
    crate::mtproto::Engine::new(crate::mtproto::Side::Client, config, client.dc.shared.now(), random)
}

#[tokio::test]
async fn a_dc_may_forget_temporary_keys_before_their_time() {
    let (dc, advance) = with_clock(Some(Duration::from_secs(5))).await;
    let alice = dc.add_user("Alice");
    let key = permanent(&dc, alice);
    let mut client = temporary(&dc, 2).await;
    bind(&mut client, &key, 1800).await.unwrap();
    advance(6);
    client.send(&state());
    assert_eq!(client.end().await, Some(-404));
    let mut client = temporary(&dc, 2).await;
    bind(&mut client, &key, 1800).await.unwrap();
    dc.forget_temporary_keys();
    client.send(&state());
    assert_eq!(client.end().await, Some(-404));
}

#[tokio::test]
async fn temporary_keys_and_their_bindings_are_not_kept_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Some(folder.path().join("dc.json"));
    let dc = LocalDc::start(Config { keep: keep.clone(), ..Config::default() }).await.unwrap();
    let alice = dc.add_user("Alice");
    let key = permanent(&dc, alice);
    let mut client = temporary(&dc, 2).await;
    bind(&mut client, &key, 1800).await.unwrap();
    let temporary = client.key.clone();
    drop(client);
    dc.stop().await;
    let text = std::fs::read_to_string(folder.path().join("dc.json")).unwrap();
    assert!(text.contains(&key.id().to_string()) && !text.contains(&temporary.id().to_string()));
    let dc = LocalDc::start(Config { keep, ..Config::default() }).await.unwrap();
    let mut client = Client::connect(&dc, key, 1, Transport::Intermediate).await;
    client.call(state()).await;
    let mut client = Client::connect(&dc, temporary, 2, Transport::Intermediate).await;
    client.send(&state());
    assert_eq!(client.end().await, Some(-404));
}

#[tokio::test]
async fn a_session_of_the_key_before_can_be_destroyed_and_nobody_else_s() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let key = permanent(&dc, alice);
    let (mut first, mut second) = (temporary(&dc, 1).await, temporary(&dc, 2).await);
    let mut other = Client::signed_in(&dc, bob, 3).await;
    other.call(state()).await;
    bind(&mut first, &key, 1800).await.unwrap();
    bind(&mut second, &key, 1800).await.unwrap();
    let nearest = || Object::new("help.getNearestDc");
    second.engine.destroy_session(3);
    second.call(nearest()).await;
    assert_eq!(dc.shared.dc().session_count(), 3, "another account's session is not hers to destroy");
    second.engine.destroy_session(1);
    second.call(nearest()).await;
    assert_eq!(dc.shared.dc().session_count(), 2);
}

#[tokio::test]
async fn logging_out_and_destroying_the_permanent_key_end_what_is_bound_to_it() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let key = permanent(&dc, alice);
    let mut client = temporary(&dc, 2).await;
    bind(&mut client, &key, 1800).await.unwrap();
    client.call(Object::new("auth.logOut")).await;
    assert_eq!(client.try_call(state()).await.unwrap_err().message, "AUTH_KEY_UNREGISTERED");
    let mut direct = Client::connect(&dc, key.clone(), 1, Transport::Intermediate).await;
    direct.engine.destroy_auth_key();
    // Answered after what was sent before it.
    direct.call(Object::new("help.getConfig")).await;
    assert!(dc.shared.dc().telegram.keys.permanent(key.id()).is_none());
    client.send(&state());
    assert_eq!(client.end().await, Some(-404));
}

#[tokio::test]
async fn each_ending_is_told_by_its_name() {
    for (ending, code, name) in [
        (Ending::Unregistered, 401, "AUTH_KEY_UNREGISTERED"),
        (Ending::Revoked, 401, "SESSION_REVOKED"),
        (Ending::Deactivated, 401, "USER_DEACTIVATED"),
        (Ending::Banned, 401, "USER_DEACTIVATED_BAN"),
        (Ending::Duplicated, 406, "AUTH_KEY_DUPLICATED"),
    ] {
        let dc = start().await;
        let alice = dc.add_user("Alice");
        let mut client = Client::signed_in(&dc, alice, 1).await;
        client.call(state()).await;
        dc.end_sessions(alice, ending);
        let refused = client.try_call(state()).await.unwrap_err();
        assert_eq!((refused.code, refused.message.as_str()), (code, name));
    }
}
