//! A server for tests that says what it is told to: an engine behind a socket, and nothing of Telegram.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::dial::{Endpoint, Via};
use super::{Clock, Key, Options};
use crate::crypto::{AuthKey, Random, RsaPrivateKey, SystemRandom};
use crate::mtproto::exchange::ServerExchange;
use crate::mtproto::{Engine, EngineConfig, Event, Frame, Framing, Side, Transport, auth_key_id, open};

static RSA: LazyLock<Arc<RsaPrivateKey>> = LazyLock::new(|| {
    let pem = include_str!("../../tests/samples/rsa_pkcs1.pem");
    Arc::new(RsaPrivateKey::from_pem(pem).expect("the sample key is well-formed"))
});

/// What the server does about a query.
pub(crate) enum Answer {
    Result(Bytes),
    Error(i32, &'static str),
    Never,
    /// Answers, hears nothing more, and ends the connection with the first packet of more than 500 bytes that it did not hear.
    ResultAndDeaf(Bytes),
    /// Answers, and ends the connection before the answer has left. Never on the same query twice.
    ResultLost(Bytes),
    /// Ends the connection and forgets the session, as a restart would.
    Restart,
    /// Answers nothing any more, on this connection.
    FallSilent,
    /// Says with a transport error that it does not know the key, from now on.
    DenyKey,
    /// Forgets the key that encrypted the query, and says so with a transport error.
    ForgetKey,
    /// Answers, in a session that it has forgotten and made anew.
    RenewSession(Bytes),
}

pub(crate) struct Server {
    pub address: SocketAddr,
    pub key: Key,
    pub accepted: Arc<AtomicU64>,
    /// Answers that clients did not want any more.
    pub dropped: Arc<AtomicU64>,
    refusals: Arc<Mutex<VecDeque<i32>>>,
    seen: Arc<Mutex<Vec<u64>>>,
    pushes: mpsc::UnboundedSender<Bytes>,
}

impl Server {
    /// Starts one that answers by `script`, which is given each query's body.
    pub async fn start(script: impl FnMut(&[u8]) -> Answer + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut auth_key = [0; 256];
        SystemRandom::new().fill(&mut auth_key);
        let key = Key { auth_key: AuthKey::new(auth_key), server_salt: 77, time_offset: 0, created: 0 };
        let (pushes, received) = mpsc::unbounded_channel();
        let (accepted, dropped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let refusals = Arc::<Mutex<VecDeque<i32>>>::default();
        let seen = Arc::default();
        let task = Task {
            keys: HashMap::from([(key.auth_key.id(), (key.auth_key.clone(), key.server_salt))]),
            exchange: ServerExchange::new(RSA.clone()),
            seen: Arc::clone(&seen),
            clock: Clock::real(),
            script: Box::new(script),
            engines: HashMap::new(),
            session: None,
            silent: false,
            denies: false,
            dropped: dropped.clone(),
            refusals: refusals.clone(),
        };
        tokio::spawn(task.run(listener, received, accepted.clone()));
        Server { address, key, accepted, dropped, refusals, seen, pushes }
    }

    pub fn options(&self) -> Options {
        Options {
            dc: 2,
            endpoint: Endpoint::at([self.address]),
            transport: Transport::Intermediate,
            obfuscated: false,
            via: Via::Direct,
            public_keys: vec![RSA.public().clone()],
            key: Some(self.key.clone()),
            temporary_key_life: None,
            opening: None,
        }
    }

    /// The same with temporary keys, and an opening call.
    pub fn temporary(&self) -> Options {
        let opening = Some(Bytes::from_static(b"openings"));
        Options { temporary_key_life: Some(Duration::from_secs(3600)), opening, ..self.options() }
    }

    /// Sends a message nobody asked for, to the session heard last.
    pub fn push(&self, body: Bytes) {
        let _ = self.pushes.send(body);
    }

    /// Answers the next packets with these transport errors, and ends their connections.
    pub fn refuse(&self, codes: &[i32]) {
        self.refusals.lock().unwrap().extend(codes);
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Acquire)
    }

    /// The keys of the packets that came, by id; 0 for those of an exchange. One that comes again and again stands once.
    pub fn seen(&self) -> Vec<u64> {
        self.seen.lock().unwrap().clone()
    }

    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }
}

type Script = Box<dyn FnMut(&[u8]) -> Answer + Send>;

struct Task {
    keys: HashMap<u64, (AuthKey, i64)>,
    exchange: ServerExchange,
    seen: Arc<Mutex<Vec<u64>>>,
    clock: Clock,
    script: Script,
    engines: HashMap<i64, Engine>,
    session: Option<i64>,
    silent: bool,
    denies: bool,
    dropped: Arc<AtomicU64>,
    refusals: Arc<Mutex<VecDeque<i32>>>,
}

struct Socket {
    stream: TcpStream,
    framing: Framing,
    input: BytesMut,
    /// Quick acknowledgments that have not left yet.
    output: Vec<u8>,
    is_new: bool,
    is_deaf: bool,
}

impl Socket {
    /// The connection is to end.
    async fn deny(&mut self) -> bool {
        let mut bytes = Vec::new();
        self.framing.encode_transport_error(-404, &mut bytes);
        let _ = self.stream.write_all(&bytes).await;
        false
    }
}

impl Task {
    async fn run(
        mut self,
        listener: TcpListener,
        mut pushes: mpsc::UnboundedReceiver<Bytes>,
        accepted: Arc<AtomicU64>,
    ) {
        let mut socket: Option<Socket> = None;
        loop {
            let open = tokio::select! {
                stream = listener.accept() => {
                    accepted.fetch_add(1, Ordering::AcqRel);
                    self.silent = false;
                    let stream = stream.unwrap().0;
                    let (framing, input) = (Framing::server(), BytesMut::new());
                    socket = Some(Socket { stream, framing, input, output: Vec::new(), is_new: true, is_deaf: false });
                    true
                }
                body = pushes.recv() => {
                    let Some(body) = body else { return };
                    let engine = self.session.and_then(|session| self.engines.get_mut(&session));
                    engine.unwrap().push(body, self.clock.now());
                    true
                }
                read = read(&mut socket) => read && self.heard(&mut socket).await,
            };
            let open = open && self.send(&mut socket).await;
            if !open {
                socket = None;
            }
        }
    }

    /// False when the connection is to end.
    async fn heard(&mut self, socket: &mut Option<Socket>) -> bool {
        let Some(socket) = socket else { return false };
        while let Some(frame) = socket.framing.decode(&mut socket.input).unwrap() {
            let Frame::Packet(packet) = frame else { continue };
            if socket.is_deaf {
                match packet.len() {
                    0..=500 => continue,
                    _ => return false,
                }
            }
            let refusal = self.refusals.lock().unwrap().pop_front();
            if let Some(code) = refusal {
                let mut bytes = Vec::new();
                socket.framing.encode_transport_error(code, &mut bytes);
                let _ = socket.stream.write_all(&bytes).await;
                return false;
            }
            let now = self.clock.now();
            let key_id = auth_key_id(&packet).unwrap();
            {
                let mut seen = self.seen.lock().unwrap();
                if !seen.contains(&key_id) {
                    seen.push(key_id);
                }
            }
            if key_id == 0 {
                self.exchange(&packet, socket).await;
                continue;
            }
            let Some((key, salt)) = self.keys.get(&key_id).cloned() else {
                return socket.deny().await;
            };
            let opened = open(&key, Side::Client, packet).unwrap();
            let session = opened.session_id;
            if socket.framing.quick_ack_wanted() {
                socket.framing.encode_quick_ack(opened.quick_ack, &mut socket.output).unwrap();
            }
            self.session = Some(session);
            let new_engine = || {
                let config = EngineConfig::new(key.clone(), session, salt, 0);
                Engine::new(Side::Server, config, now, Box::new(SystemRandom::new()))
            };
            let engine = self.engines.entry(session).or_insert_with(new_engine);
            if std::mem::take(&mut socket.is_new) {
                engine.reconnected(now);
            }
            let _ = engine.handle_opened(opened.clone(), now);
            while let Some(event) = engine.poll_event() {
                let (msg_id, body) = match event {
                    Event::Query { msg_id, body } => (msg_id, body),
                    Event::QueryDropped { .. } => {
                        self.dropped.fetch_add(1, Ordering::AcqRel);
                        continue;
                    }
                    _ => continue,
                };
                match (self.script)(&body) {
                    Answer::Result(result) => engine.reply(msg_id, result, now),
                    Answer::Error(code, message) => engine.reply_error(msg_id, code, message, now),
                    Answer::Never => {}
                    Answer::ResultAndDeaf(result) => {
                        engine.reply(msg_id, result, now);
                        socket.is_deaf = true;
                    }
                    Answer::ResultLost(result) => {
                        engine.reply(msg_id, result, now);
                        while engine.poll_packet(now).is_some() {}
                        return false;
                    }
                    Answer::Restart => {
                        self.engines.clear();
                        return false;
                    }
                    Answer::FallSilent => self.silent = true,
                    Answer::DenyKey => self.denies = true,
                    Answer::ForgetKey => {
                        self.keys.remove(&key_id);
                        return socket.deny().await;
                    }
                    Answer::RenewSession(result) => {
                        *engine = new_engine();
                        let _ = engine.handle_opened(opened.clone(), now);
                        while engine.poll_event().is_some() {}
                        engine.reply(msg_id, result, now);
                    }
                }
            }
            if self.denies {
                return socket.deny().await;
            }
        }
        true
    }

    async fn exchange(&mut self, packet: &[u8], socket: &mut Socket) {
        self.exchange.handle_packet(packet, self.clock.now(), &mut SystemRandom::new()).unwrap();
        let mut bytes = Vec::new();
        while let Some(packet) = self.exchange.poll_packet() {
            socket.framing.encode(&packet, &mut bytes);
        }
        if let Some(agreed) = self.exchange.poll_done() {
            self.keys.insert(agreed.auth_key.id(), (agreed.auth_key, agreed.server_salt));
        }
        let _ = socket.stream.write_all(&bytes).await;
    }

    async fn send(&mut self, socket: &mut Option<Socket>) -> bool {
        let now = self.clock.now();
        let engine = self.session.and_then(|session| self.engines.get_mut(&session));
        let (Some(engine), Some(socket)) = (engine, socket) else { return true };
        if self.silent || socket.is_new {
            return true;
        }
        let mut bytes = std::mem::take(&mut socket.output);
        while let Some(packet) = engine.poll_packet(now) {
            socket.framing.encode(&packet, &mut bytes);
        }
        socket.stream.write_all(&bytes).await.is_ok()
    }
}

async fn read(socket: &mut Option<Socket>) -> bool {
    match socket {
        Some(socket) => matches!(socket.stream.read_buf(&mut socket.input).await, Ok(read) if read > 0),
        None => std::future::pending().await,
    }
}

/// Waits for what must come soon.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("it takes too long")
}

/// Lets so much real time pass, in which sockets do what they do.
pub(crate) async fn moment(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// A clock that only a test moves, set to now: message ids are time, and the server's clock is real.
pub(crate) fn stepped_clock() -> Clock {
    Clock::stepped(Clock::real().now().unix)
}
