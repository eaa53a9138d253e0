use std::time::Duration;

use tokio::sync::oneshot;

use super::*;
use crate::crypto::AuthKey;
use crate::mtproto::Transport;
use crate::net::calls::Place;
use crate::net::dial::{Endpoint, Via};

const LIFE: i32 = 100;
const SALT: i64 = 5;

fn options() -> Options {
    Options {
        dc: 2,
        endpoint: Endpoint::at([([127, 0, 0, 1], 1).into()]),
        transport: Transport::Intermediate,
        obfuscated: false,
        via: Via::Direct,
        public_keys: Vec::new(),
        key: None,
        temporary_key_life: Some(Duration::from_secs(LIFE as u64)),
        opening: None,
    }
}

/// A session of a temporary key, bound, and the server's side of it.
struct Pair {
    session: Session,
    server: Engine,
    outlet: Outlet,
    now: Time,
}

impl Pair {
    fn new() -> Pair {
        let now = Time { mono: Duration::from_secs(9), unix: Duration::from_secs(1_750_000_000) };
        let auth_key = AuthKey::new([1; 256]);
        let permanent = Key { auth_key: AuthKey::new([2; 256]), server_salt: 1, time_offset: 0, created: 0 };
        let agreed =
            Agreed { auth_key: auth_key.clone(), server_salt: SALT, time_offset: 0, expires_in: Some(LIFE), dc: None };
        let session = Session::temporary(agreed, Arc::new(permanent), &options(), now, now);
        let config = EngineConfig::new(auth_key, session.engine.session_id(), SALT, 0);
        let server = Engine::new(Side::Server, config, now, Box::new(SystemRandom::new()));
        let updates = crate::net::updates::channel().0;
        let outlet = Outlet { status: watch::Sender::new(Status::default()), updates, dc: 2 };
        let mut pair = Pair { session, server, outlet, now };
        pair.session.advance(now);
        pair.answer_all(Ok(BOOL_TRUE.to_le_bytes().to_vec())).expect("bound");
        pair.session.advance(now);
        assert!(pair.session.is_open());
        pair
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    fn carry(&mut self) {
        while let Some(packet) = self.session.engine.poll_packet(self.now) {
            self.server.handle_packet(packet[..].into(), self.now).expect("a fair client");
        }
        while let Some(packet) = self.server.poll_packet(self.now) {
            self.session.engine.handle_packet(packet[..].into(), self.now).expect("a fair server");
        }
    }

    fn queries(&mut self) -> Vec<MsgId> {
        self.carry();
        let events = std::iter::from_fn(|| self.server.poll_event());
        let queries = events.filter_map(|event| match event {
            Event::Query { msg_id, .. } => Some(msg_id),
            _ => None,
        });
        queries.collect()
    }

    /// The server answers all queries so.
    fn answer_all(&mut self, result: Result<Vec<u8>, (i32, &str)>) -> Result<(), Broken> {
        for query in self.queries() {
            match &result {
                Ok(body) => self.server.reply(query, body.clone().into(), self.now),
                Err((code, name)) => self.server.reply_error(query, *code, name, self.now),
            }
        }
        self.carry();
        self.session.handle_events(&self.outlet, &mut Backoff::new(), self.now)
    }

    fn call(&mut self) -> oneshot::Receiver<Result<Bytes, CallFailure>> {
        let (reply, answer) = oneshot::channel();
        self.session.send(
            Call { body: Bytes::from_static(b"question"), after: Vec::new(), place: Place::default(), reply },
            self.now,
        );
        answer
    }
}

#[test]
fn unregistered_is_the_account_s_end_while_the_temporary_key_lives_and_the_key_s_own_after() {
    let unregistered = || Err((401, "AUTH_KEY_UNREGISTERED"));
    let mut pair = Pair::new();
    pair.wait(50);
    let mut answer = pair.call();
    pair.answer_all(unregistered()).expect("the session goes on");
    assert!(matches!(answer.try_recv(), Ok(Err(CallFailure::Rpc(error))) if error.code == 401));

    let mut pair = Pair::new();
    pair.wait(100);
    let mut answer = pair.call();
    assert!(matches!(pair.answer_all(unregistered()), Err(Broken::KeyLost(_))));
    assert!(answer.try_recv().is_err(), "its caller waits for the next key");
    assert_eq!(pair.session.take_returned().len(), 1);
}

#[test]
fn a_session_that_is_given_up_gives_back_what_was_not_sent_and_owns_up_to_the_rest() {
    let mut pair = Pair::new();
    let (mut sent, mut answered) = (pair.call(), pair.call());
    let queries = pair.queries();
    pair.server.reply(queries[1], Bytes::from_static(b"answer!!"), pair.now);
    pair.carry();
    let mut unsent = pair.call();
    let returned = pair.session.give_up(&pair.outlet, &mut Backoff::new(), pair.now);
    assert_eq!(returned.len(), 1);
    assert_eq!(sent.try_recv(), Ok(Err(CallFailure::Lost { certainly_not_done: false })));
    assert_eq!(answered.try_recv(), Ok(Ok(Bytes::from_static(b"answer!!"))));
    drop(returned);
    assert_eq!(unsent.try_recv(), Err(oneshot::error::TryRecvError::Closed), "it is the one that was given back");
}

#[test]
fn a_key_is_renewed_an_hour_before_its_end_or_in_its_last_quarter() {
    for (life, due) in [(86_400, 82_800), (7_200, 5_400), (100, 75), (1, 1)] {
        let mut pair = Pair::new();
        let Some(of_key) = &mut pair.session.temporary else { panic!("a temporary key") };
        of_key.expires = of_key.made + life;
        let in_seconds = (pair.session.renewal_due(pair.now).expect("a time") - pair.now.mono).as_secs();
        assert_eq!(in_seconds, due, "a life of {life} s");
    }
}

#[test]
fn the_permanent_key_s_salt_is_not_the_temporary_key_s() {
    let mut pair = Pair::new();
    let key = Key { auth_key: AuthKey::new([2; 256]), server_salt: 1, time_offset: 0, created: 0 };
    pair.outlet.status.send_modify(|status| status.key = Some(Arc::new(key)));
    let salt = crate::mtproto::FutureSalt { valid_since: 0, valid_until: i32::MAX, salt: 99 };
    pair.server.set_future_salts(vec![salt]);
    let mut answer = pair.call();
    // The first is refused for its salt.
    while let Some(packet) = pair.session.engine.poll_packet(pair.now) {
        assert!(pair.server.handle_packet(packet[..].into(), pair.now).is_err());
    }
    pair.carry();
    pair.answer_all(Ok(b"answer!!".to_vec())).expect("answered");
    assert_eq!(answer.try_recv(), Ok(Ok(Bytes::from_static(b"answer!!"))));
    assert_eq!(pair.outlet.status.borrow().key.as_ref().map(|key| key.server_salt), Some(1));
}
