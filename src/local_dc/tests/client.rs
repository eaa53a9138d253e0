//! A client of the smallest kind.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::crypto::{AuthKey, RsaPublicKey, SeededRandom, SystemRandom};
use crate::local_dc::api::fields::Fields;
use crate::local_dc::server::unix;
use crate::local_dc::{Config, LocalDc};
use crate::mtproto::exchange::{Agreed, ClientExchange};
use crate::mtproto::{Engine, EngineConfig, Event, Frame, Framing, MsgId, PacketError, RpcError, Side, Transport};
use crate::tl::{self, Object, Value};

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub async fn start() -> LocalDc {
    LocalDc::start(Config::default()).await.expect("a free port")
}

pub struct Client {
    pub dc: LocalDc,
    pub key: AuthKey,
    stream: TcpStream,
    framing: Framing,
    pub engine: Engine,
    input: BytesMut,
    replies: HashMap<MsgId, Result<Bytes, RpcError>>,
    updates: VecDeque<Object>,
    /// How often the server said that it made the session anew.
    pub renewed: usize,
    calls: HashMap<MsgId, &'static tl::Definition>,
    /// The calls that the DC said to have.
    pub received: Vec<MsgId>,
    /// Tokens of quick acknowledgments.
    pub quick_acks: Vec<u32>,
}

impl Client {
    /// Connects with a key that the DC is simply given, and that this account is signed in with, if it is not 0.
    pub async fn signed_in(dc: &LocalDc, account: i64, session: i64) -> Client {
        let mut bytes = [0; 256];
        crate::crypto::Random::fill(&mut SystemRandom::new(), &mut bytes);
        let key = AuthKey::new(bytes);
        let now = dc.shared.now();
        {
            let mut inner = dc.shared.dc();
            inner.telegram.keys.add(&key, 7, unix(now));
            if account != 0 {
                inner.telegram.keys.sign_in(key.id(), account);
            }
        }
        Client::connect(dc, key, session, Transport::Intermediate).await
    }

    pub async fn connect(dc: &LocalDc, key: AuthKey, session: i64, transport: Transport) -> Client {
        let stream = TcpStream::connect(dc.address()).await.expect("it listens");
        let now = dc.shared.now();
        let config = EngineConfig::new(key.clone(), session, 7, 0);
        let engine = Engine::new(Side::Client, config, now, Box::new(SeededRandom::new(session as u64)));
        Client {
            dc: dc.clone(),
            key,
            stream,
            framing: Framing::client(transport),
            engine,
            input: BytesMut::new(),
            replies: HashMap::new(),
            updates: VecDeque::new(),
            renewed: 0,
            calls: HashMap::new(),
            received: Vec::new(),
            quick_acks: Vec::new(),
        }
    }

    /// A client that believes in this salt.
    pub async fn connect_with_salt(dc: &LocalDc, key: AuthKey, session: i64, salt: i64) -> Client {
        let mut client = Client::connect(dc, key.clone(), session, Transport::Intermediate).await;
        let config = EngineConfig::new(key, session, salt, 0);
        let random = Box::new(SeededRandom::new(session as u64));
        client.engine = Engine::new(Side::Client, config, dc.shared.now(), random);
        client
    }

    /// Agrees on a key by the exchange, temporary if it `expires`.
    pub async fn agreed(dc: &LocalDc, expires: Option<i32>) -> Agreed {
        let mut stream = TcpStream::connect(dc.address()).await.expect("it listens");
        let (mut framing, mut input) = (Framing::client(Transport::Full), BytesMut::new());
        let keys = [RsaPublicKey::from_pem(dc.public_key_pem()).unwrap()];
        let (mut random, now) = (SystemRandom::new(), dc.shared.now());
        let mut exchange = match expires {
            None => ClientExchange::new(&keys, dc.dc_id(), &mut random, now),
            Some(expires) => ClientExchange::temporary(&keys, dc.dc_id(), expires, &mut random, now),
        };
        loop {
            let mut out = Vec::new();
            while let Some(packet) = exchange.poll_packet() {
                framing.encode(&packet, &mut out);
            }
            if let Some(agreed) = exchange.poll_done() {
                return agreed;
            }
            stream.write_all(&out).await.expect("the DC reads");
            let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut input)).await;
            assert_ne!(read.expect("the DC answers").expect("a connection"), 0, "the DC closed the connection");
            while let Some(frame) = framing.decode(&mut input).expect("frames") {
                let Frame::Packet(packet) = frame else { panic!("{frame:?}") };
                exchange.handle_packet(&packet, dc.shared.now(), &mut random).expect("a fair exchange");
            }
        }
    }

    /// The same session over a new connection.
    pub async fn reconnect(mut self) -> Client {
        self.stream = TcpStream::connect(self.dc.address()).await.expect("it listens");
        self.framing = Framing::client(Transport::Intermediate);
        self.input.clear();
        let now = self.dc.shared.now();
        self.engine.reconnected(now);
        self
    }

    pub fn send(&mut self, query: &Object) -> MsgId {
        let mut body = Vec::new();
        tl::encode(query, &mut body).expect("a whole query");
        let id = self.engine.send(body.into(), self.dc.shared.now());
        self.calls.insert(id, tl::function(innermost(query).name()).expect("a function"));
        id
    }

    /// Any answer to this call will do; it must be an error, or `Bool`.
    pub fn expect_any(&mut self, call: MsgId) {
        self.calls.insert(call, tl::function("account.updateStatus").expect("a function"));
    }

    pub async fn flush(&mut self) {
        let mut out = Vec::new();
        while let Some(packet) = self.engine.poll_packet(self.dc.shared.now()) {
            match self.engine.quick_ack_wanted() {
                true => self.framing.encode_with_quick_ack(&packet, &mut out),
                false => self.framing.encode(&packet, &mut out),
            }
        }
        self.stream.write_all(&out).await.expect("the DC reads");
    }

    /// [`flush`](Self::flush), returning the packets as an eavesdropper would record them.
    pub async fn flush_recorded(&mut self) -> Vec<Bytes> {
        let packets: Vec<Bytes> = std::iter::from_fn(|| self.engine.poll_packet(self.dc.shared.now())).collect();
        let mut out = Vec::new();
        packets.iter().for_each(|packet| self.framing.encode(packet, &mut out));
        self.stream.write_all(&out).await.expect("the DC reads");
        packets
    }

    pub async fn reply(&mut self, call: MsgId) -> Result<Value, RpcError> {
        let reply = loop {
            if let Some(reply) = self.replies.remove(&call) {
                break reply;
            }
            self.step().await;
        };
        let function = self.calls[&call];
        // An answer in another layer than this is an object.
        let older = |body: &[u8]| tl::decode_any_layer(body).map(Value::Object);
        reply.map(|body| tl::decode_result(function, &body).or_else(|_| older(&body)).expect("an answer by the schema"))
    }

    pub async fn try_call(&mut self, query: Object) -> Result<Value, RpcError> {
        let id = self.send(&query);
        self.reply(id).await
    }

    pub async fn call(&mut self, query: Object) -> Object {
        self.try_call(query).await.expect("an answer").into_object().expect("an object")
    }

    /// The next container of updates.
    pub async fn update(&mut self) -> Object {
        loop {
            if let Some(update) = self.updates.pop_front() {
                return update;
            }
            self.step().await;
        }
    }

    /// The texts of the messages in the next containers, until there are so many.
    pub async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            let container = self.update().await;
            let messages = container.objects("updates").filter_map(|update| update.inner("message"));
            texts.extend(messages.map(|message| message.text("message").to_owned()));
        }
        texts
    }

    /// What was pushed so far, up to the answer of a ping.
    pub async fn pushed(&mut self) -> Vec<Object> {
        self.call(Object::new("help.getNearestDc")).await;
        self.updates.drain(..).collect()
    }

    /// What the transport says last, when the DC closes the connection: an error's code, if any.
    pub async fn end(mut self) -> Option<i32> {
        self.flush().await;
        let mut code = None;
        loop {
            while let Some(frame) = self.framing.decode(&mut self.input).expect("frames") {
                if let Frame::TransportError(error) = frame {
                    code = Some(error);
                }
            }
            match tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await.expect("the DC closes") {
                Ok(0) | Err(_) => return code,
                Ok(_) => {}
            }
        }
    }

    pub async fn step(&mut self) {
        self.flush().await;
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await;
        assert_ne!(read.expect("the DC answers").expect("a connection"), 0, "the DC closed the connection");
        let now = self.dc.shared.now();
        while let Some(frame) = self.framing.decode(&mut self.input).expect("frames") {
            let packet = match frame {
                Frame::Packet(packet) => packet,
                Frame::QuickAck(token) => {
                    self.quick_acks.push(token);
                    self.engine.handle_quick_ack(token, now);
                    continue;
                }
                Frame::TransportError(code) => panic!("transport error {code}"),
            };
            // After a reconnection what was not acknowledged comes twice.
            match self.engine.handle_packet(packet, now) {
                Ok(()) | Err(PacketError::Duplicate(_)) => {}
                Err(error) => panic!("{error}"),
            }
            while let Some(event) = self.engine.poll_event() {
                match event {
                    Event::Reply { to, result } => drop(self.replies.insert(to, result)),
                    Event::Update(body) => {
                        self.updates.push_back(tl::decode_any_layer(&body).expect("updates by the schema"))
                    }
                    Event::SessionRenewed { .. } => self.renewed += 1,
                    Event::Received { call } => self.received.push(call),
                    _ => {}
                }
            }
        }
    }
}

/// Sends recorded packets over a connection of its own; returns it once the DC has handled them.
pub async fn play_again(dc: &LocalDc, packets: &[Bytes]) -> TcpStream {
    let mut stream = TcpStream::connect(dc.address()).await.expect("it listens");
    let (mut framing, mut out) = (Framing::client(Transport::Intermediate), Vec::new());
    packets.iter().for_each(|packet| framing.encode(packet, &mut out));
    // The first step of an exchange, which is answered at once.
    let mut exchange = ClientExchange::new(&[], dc.dc_id(), &mut SystemRandom::new(), dc.shared.now());
    framing.encode(&exchange.poll_packet().expect("req_pq_multi"), &mut out);
    stream.write_all(&out).await.expect("the DC reads");
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 16])).await;
    assert_ne!(read.expect("the DC answers").expect("a connection"), 0, "the DC closed the connection");
    stream
}

fn innermost(query: &Object) -> &Object {
    match query.inner("query") {
        Some(inner) if tl::function(query.name()).is_some_and(tl::Definition::is_generic) => innermost(inner),
        _ => query,
    }
}

pub fn message(dc: &LocalDc, from: i64, to: i64, text: &str) -> Object {
    let hash = dc.shared.dc().telegram.world.access_hash(from, to);
    let peer = Object::new("inputPeerUser").with("user_id", to).with("access_hash", hash);
    let mut random = SystemRandom::new();
    let random_id = crate::crypto::Random::i64(&mut random) | 1;
    Object::new("messages.sendMessage").with("peer", peer).with("message", text).with("random_id", random_id)
}

/// A query as the first of a connection: it says which layer the client speaks.
pub fn in_layer(layer: i32, query: Object) -> Object {
    let texts = ["device_model", "system_version", "app_version", "system_lang_code", "lang_pack", "lang_code"];
    let init = Object::new("initConnection").with("api_id", 1).with("query", query);
    let init = texts.into_iter().fold(init, |init, field| init.with(field, "x"));
    Object::new("invokeWithLayer").with("layer", layer).with("query", init)
}

pub fn state() -> Object {
    Object::new("updates.getState")
}

pub fn difference(pts: i32) -> Object {
    Object::new("updates.getDifference").with("pts", pts).with("date", 1).with("qts", 0)
}
