//! A client and a server with nothing between them but packets, and a clock that moves only when it is told to.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::service::*;
use crate::crypto::{AuthKey, Direction, PACKET_HEADER, Random, SeededRandom, encrypt_message};
use crate::mtproto::*;

pub const SESSION: i64 = 0x5e55_1011;
pub const SALT: i64 = 0x5a17;
/// Some boxed function and some boxed result, which are nothing to this layer.
pub const QUERY: &[u8] = b"\x01\x02\x03\x04what";
pub const RESULT: &[u8] = b"\x05\x06\x07\x08that";

pub fn auth_key() -> AuthKey {
    let mut bytes = [0; 256];
    SeededRandom::new(7).fill(&mut bytes);
    AuthKey::new(bytes)
}

pub fn start() -> Time {
    Time { mono: Duration::from_secs(1000), unix: Duration::new(1_750_000_000, 250_000_000) }
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn engine(side: Side, session: i64, seed: u64) -> Engine {
    let config = EngineConfig::new(auth_key(), session, SALT, 0);
    Engine::new(side, config, start(), Box::new(SeededRandom::new(seed)))
}

/// A message id of this time with these two lower bits, the `n`th.
pub fn msg_id(unix: Duration, n: i64, bits: i64) -> MsgId {
    MsgId((unix.as_secs() as i64) << 32 | (n + 1) << 2 | bits)
}

/// One message as it stands in a packet or container.
#[derive(Clone)]
pub struct Forged {
    pub salt: i64,
    pub session: i64,
    pub id: MsgId,
    pub seqno: i32,
    pub body: Vec<u8>,
    /// What the length field says, if not the truth.
    pub length: Option<u32>,
    /// How much padding there is, if not the least.
    pub padding: Option<usize>,
}

impl Forged {
    pub fn new(id: MsgId, seqno: i32, body: impl AsRef<[u8]>) -> Forged {
        let body = body.as_ref().to_vec();
        Forged { salt: SALT, session: SESSION, id, seqno, body, length: None, padding: None }
    }

    pub fn packet(&self, from: Side) -> BytesMut {
        let mut packet = BytesMut::new();
        packet.put_bytes(0, PACKET_HEADER);
        packet.put_i64_le(self.salt);
        packet.put_i64_le(self.session);
        packet.put_i64_le(self.id.0);
        packet.put_i32_le(self.seqno);
        packet.put_u32_le(self.length.unwrap_or(self.body.len() as u32));
        packet.put_slice(&self.body);
        let direction = match from {
            Side::Client => Direction::ToServer,
            Side::Server => Direction::ToClient,
        };
        if let Some(padding) = self.padding {
            packet.put_bytes(0, padding);
            seal_as_it_is(direction, &mut packet);
        } else {
            encrypt_message(&auth_key(), direction, &mut packet, &mut SeededRandom::new(1));
        }
        packet
    }
}

/// Encrypts without adding padding: for padding that must not be.
fn seal_as_it_is(direction: Direction, packet: &mut BytesMut) {
    use crate::crypto::{ige_encrypt, sha256};
    let x = match direction {
        Direction::ToServer => 0,
        Direction::ToClient => 8,
    };
    let key = auth_key();
    let (header, data) = packet.split_at_mut(PACKET_HEADER);
    let large = sha256(&[&key.as_bytes()[88 + x..120 + x], data]);
    let msg_key = &large[8..24];
    let a = sha256(&[msg_key, &key.as_bytes()[x..x + 36]]);
    let b = sha256(&[&key.as_bytes()[40 + x..76 + x], msg_key]);
    let aes_key: Vec<u8> = [&a[..8], &b[8..24], &a[24..]].concat();
    let aes_iv: Vec<u8> = [&b[..8], &a[8..24], &b[24..]].concat();
    ige_encrypt(&aes_key.try_into().unwrap(), &aes_iv.try_into().unwrap(), data);
    header[..8].copy_from_slice(&key.id_bytes());
    header[8..].copy_from_slice(msg_key);
}

/// A container of these messages.
pub fn container(messages: &[Forged]) -> Vec<u8> {
    let mut body = Vec::new();
    body.put_u32_le(MSG_CONTAINER);
    body.put_u32_le(messages.len() as u32);
    for message in messages {
        body.put_i64_le(message.id.0);
        body.put_i32_le(message.seqno);
        body.put_u32_le(message.length.unwrap_or(message.body.len() as u32));
        body.put_slice(&message.body);
    }
    body
}

/// The body of the one message of a packet.
pub fn opened(from: Side, packet: &[u8]) -> (MsgId, i32, Bytes) {
    let opened = open(&auth_key(), from, packet.into()).expect("a good packet");
    (opened.message.id, opened.message.seqno, opened.message.body)
}

/// The messages of a packet, out of their container if they are in one.
pub fn messages(from: Side, packet: &[u8]) -> Vec<(MsgId, i32, Bytes)> {
    let (id, seqno, body) = opened(from, packet);
    if constructor(&body) != MSG_CONTAINER {
        return vec![(id, seqno, body)];
    }
    let count = u32::from_le_bytes(body[4..8].try_into().unwrap());
    let mut rest = body.slice(8..);
    let mut messages = Vec::new();
    for _ in 0..count {
        let id = MsgId(i64::from_le_bytes(rest[..8].try_into().unwrap()));
        let seqno = i32::from_le_bytes(rest[8..12].try_into().unwrap());
        let length = u32::from_le_bytes(rest[12..16].try_into().unwrap()) as usize;
        messages.push((id, seqno, rest.slice(16..16 + length)));
        rest = rest.slice(16 + length..);
    }
    messages
}

pub fn constructor(body: &[u8]) -> u32 {
    u32::from_le_bytes(body[..4].try_into().unwrap())
}

pub struct Pair {
    pub client: Engine,
    pub server: Engine,
    pub now: Time,
    /// What the server's clock, `now`, is ahead of the client's.
    pub server_ahead: i64,
    /// What both of the client's clocks gain in a second.
    pub client_gains: f64,
    /// How often the server has forgotten the session.
    servers: u64,
    /// All that was refused, and by whom.
    pub errors: Vec<(Side, PacketError)>,
}

impl Pair {
    pub fn new() -> Pair {
        Pair {
            client: engine(Side::Client, SESSION, 1),
            server: engine(Side::Server, SESSION, 2),
            now: start(),
            server_ahead: 0,
            client_gains: 0.0,
            servers: 0,
            errors: Vec::new(),
        }
    }

    /// A pair in which the client's clock is wrong from the beginning.
    pub fn with_server_ahead(seconds: i64) -> Pair {
        let mut pair = Pair { server_ahead: seconds, ..Pair::new() };
        let config = EngineConfig::new(auth_key(), SESSION, SALT, 0);
        pair.client = Engine::new(Side::Client, config, pair.client_now(), Box::new(SeededRandom::new(1)));
        pair
    }

    /// A pair whose session has begun, with no packet on its way and no event left.
    pub fn connected() -> Pair {
        let mut pair = Pair::new();
        pair.call();
        pair.client_events();
        pair.flush_acks();
        pair
    }

    /// What the client's clock shows.
    pub fn client_now(&self) -> Time {
        let gained = (self.now.mono - start().mono).as_secs_f64() * self.client_gains;
        let unix = self.now.unix.as_secs_f64() - self.server_ahead as f64 + gained;
        let mono = self.now.mono.as_secs_f64() + gained;
        Time { mono: Duration::from_secs_f64(mono), unix: Duration::from_secs_f64(unix) }
    }

    pub fn wait(&mut self, duration: Duration) {
        self.now = self.now + duration;
        self.client.handle_timeout(self.client_now());
        self.server.handle_timeout(self.now);
    }

    /// What the client has to say now.
    pub fn client_packets(&mut self) -> Vec<Bytes> {
        let now = self.client_now();
        std::iter::from_fn(|| self.client.poll_packet(now)).collect()
    }

    pub fn server_packets(&mut self) -> Vec<Bytes> {
        std::iter::from_fn(|| self.server.poll_packet(self.now)).collect()
    }

    pub fn deliver_to_server(&mut self, packet: &[u8]) {
        if let Err(error) = self.server.handle_packet(packet.into(), self.now) {
            self.errors.push((Side::Server, error));
        }
    }

    pub fn deliver_to_client(&mut self, packet: &[u8]) {
        let now = self.client_now();
        if let Err(error) = self.client.handle_packet(packet.into(), now) {
            self.errors.push((Side::Client, error));
        }
    }

    /// Carries packets until neither has more to say.
    pub fn settle(&mut self) {
        for _ in 0..100 {
            let (up, down) = (self.client_packets(), self.server_packets());
            if up.is_empty() && down.is_empty() {
                return;
            }
            up.iter().for_each(|packet| self.deliver_to_server(packet));
            down.iter().for_each(|packet| self.deliver_to_client(packet));
        }
        panic!("they do not come to an end");
    }

    /// Lets all acknowledgments that wait go.
    pub fn flush_acks(&mut self) {
        self.wait(seconds(5));
        self.settle();
    }

    pub fn send(&mut self) -> MsgId {
        let now = self.client_now();
        self.client.send(QUERY.into(), now)
    }

    pub fn reply(&mut self, to: MsgId) {
        self.server.reply(to, RESULT.into(), self.now);
    }

    /// A whole call: sent, answered, and its answer received.
    pub fn call(&mut self) {
        let call = self.send();
        self.settle();
        let [query] = self.queries()[..] else { panic!("one query should have come") };
        self.reply(query);
        self.settle();
        assert!(self.client_events().contains(&answer(call)));
    }

    /// What the client has been told, but for mere receipts.
    pub fn client_events(&mut self) -> Vec<Event> {
        let events = std::iter::from_fn(|| self.client.poll_event());
        events.filter(|event| !matches!(event, Event::Received { .. })).collect()
    }

    /// The calls that the client was told to have arrived; all else that it was told is thrown away.
    pub fn receipts(&mut self) -> Vec<MsgId> {
        let events = std::iter::from_fn(|| self.client.poll_event());
        let receipts = events.filter_map(|event| match event {
            Event::Received { call } => Some(call),
            _ => None,
        });
        receipts.collect()
    }

    pub fn server_events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.server.poll_event()).collect()
    }

    /// The queries that have come to the server.
    pub fn queries(&mut self) -> Vec<MsgId> {
        let ids = self.server_events().into_iter().map(|event| match event {
            Event::Query { msg_id, body } => {
                assert_eq!(body, QUERY);
                msg_id
            }
            other => panic!("{other:?}"),
        });
        ids.collect()
    }

    /// Both ends find that the connection is another one.
    pub fn reconnect(&mut self) {
        let now = self.client_now();
        self.client.reconnected(now);
        self.server.reconnected(self.now);
    }

    /// The server has forgotten the session. A second later, or it would make its message ids again.
    pub fn forget_session(&mut self) {
        self.now = self.now + seconds(1);
        self.servers += 1;
        self.server = engine(Side::Server, SESSION, 2 + self.servers);
    }
}

/// The event of a call's answer.
pub fn answer(call: MsgId) -> Event {
    Event::Reply { to: call, result: Ok(RESULT.into()) }
}
