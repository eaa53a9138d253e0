//! A server for tests that says what it is told to: an engine behind a socket, and nothing of Telegram.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::dial::{Endpoint, Via};
use super::{Clock, Key, Options};
use crate::crypto::{AuthKey, Random, SystemRandom};
use crate::mtproto::{Engine, EngineConfig, Event, Frame, Framing, Side, Transport, open};

/// What the server does about a query.
pub(crate) enum Answer {
    Result(Bytes),
    Error(i32, &'static str),
    Never,
    /// Ends the connection instead; the query stays unanswered in its session.
    Close,
    /// Ends the connection and forgets the session, as a restart would.
    Restart,
    /// Answers nothing any more, on this connection.
    FallSilent,
    /// Says with a transport error that it does not know the key, from now on.
    DenyKey,
}

pub(crate) struct Server {
    pub address: SocketAddr,
    pub key: Key,
    pub accepted: Arc<AtomicU64>,
    pushes: mpsc::UnboundedSender<Bytes>,
}

impl Server {
    /// Starts one that answers by `script`, which is given each query's body.
    pub async fn start(script: impl FnMut(&[u8]) -> Answer + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut auth_key = [0; 256];
        SystemRandom::new().fill(&mut auth_key);
        let key = Key { auth_key: AuthKey::new(auth_key), server_salt: 77, time_offset: 0 };
        let (pushes, received) = mpsc::unbounded_channel();
        let accepted = Arc::new(AtomicU64::new(0));
        let task = Task {
            key: key.clone(),
            clock: Clock::real(),
            script: Box::new(script),
            engines: HashMap::new(),
            session: None,
            silent: false,
            denies: false,
        };
        tokio::spawn(task.run(listener, received, accepted.clone()));
        Server { address, key, accepted, pushes }
    }

    pub fn options(&self) -> Options {
        Options {
            dc: 2,
            endpoint: Endpoint::at([self.address]),
            transport: Transport::Intermediate,
            obfuscated: false,
            via: Via::Direct,
            public_keys: Vec::new(),
            key: Some(self.key.clone()),
        }
    }

    /// Sends a message nobody asked for, to the session heard last.
    pub fn push(&self, body: Bytes) {
        let _ = self.pushes.send(body);
    }

    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }
}

type Script = Box<dyn FnMut(&[u8]) -> Answer + Send>;

struct Task {
    key: Key,
    clock: Clock,
    script: Script,
    engines: HashMap<i64, Engine>,
    session: Option<i64>,
    silent: bool,
    denies: bool,
}

struct Socket {
    stream: TcpStream,
    framing: Framing,
    input: BytesMut,
    is_new: bool,
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
                    socket = Some(Socket { stream, framing, input, is_new: true });
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
            let now = self.clock.now();
            let opened = open(&self.key.auth_key, Side::Client, packet).unwrap();
            let session = opened.session_id;
            self.session = Some(session);
            let engine = self.engines.entry(session).or_insert_with(|| {
                let config = EngineConfig::new(self.key.auth_key.clone(), session, self.key.server_salt, 0);
                Engine::new(Side::Server, config, now, Box::new(SystemRandom::new()))
            });
            if std::mem::take(&mut socket.is_new) {
                engine.reconnected(now);
            }
            let _ = engine.handle_opened(opened, now);
            while let Some(event) = engine.poll_event() {
                let Event::Query { msg_id, body } = event else { continue };
                match (self.script)(&body) {
                    Answer::Result(result) => engine.reply(msg_id, result, now),
                    Answer::Error(code, message) => engine.reply_error(msg_id, code, message, now),
                    Answer::Never => {}
                    Answer::Close => return false,
                    Answer::Restart => {
                        self.engines.clear();
                        return false;
                    }
                    Answer::FallSilent => self.silent = true,
                    Answer::DenyKey => self.denies = true,
                }
            }
            if self.denies {
                let mut bytes = Vec::new();
                socket.framing.encode_transport_error(-404, &mut bytes);
                let _ = socket.stream.write_all(&bytes).await;
                return false;
            }
        }
        true
    }

    async fn send(&mut self, socket: &mut Option<Socket>) -> bool {
        let now = self.clock.now();
        let engine = self.session.and_then(|session| self.engines.get_mut(&session));
        let (Some(engine), Some(socket)) = (engine, socket) else { return true };
        if self.silent || socket.is_new {
            return true;
        }
        let mut bytes = Vec::new();
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
