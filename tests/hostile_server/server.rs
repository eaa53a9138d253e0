//! A server whose engine is honest, and which says beside it whatever it is told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use moongram::crypto::{AuthKey, Random, SystemRandom};
use moongram::mtproto::exchange::is_plain;
use moongram::mtproto::{Engine, EngineConfig, Event, Frame, Framing, MsgId, Side, open};
use moongram::net::{Clock, Key};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use crate::exchange::{Exchange, Lies};
use crate::forge::{BAD_MSG_NOTIFICATION, BAD_SERVER_SALT, Forger, Words, id};
use crate::within;

pub const SALT: i64 = 77;

/// What the server does with a query.
pub enum Answer {
    Result(Bytes),
    Error(i32, &'static str),
    Never,
}

/// What the server does with every packet of the client that would begin to be handled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refuse {
    Nothing,
    /// With `bad_msg_notification` of this code.
    Message(i32),
    /// With `bad_server_salt`, and another salt each time.
    Salt,
}

/// What a server is told.
enum Order {
    /// A packet, framed as the client wants it.
    Say(Vec<u8>),
    /// Bytes on the stream.
    Raw(Vec<u8>),
    TransportError(i32),
    /// Of the connections to come: the first begins with these bytes, and so on.
    Greet(Vec<Vec<u8>>),
    Refuse(Refuse),
    /// Reads nothing more on this connection.
    ReadNothing,
    /// Says nothing of its own any more on this connection.
    Mute,
}

/// What is known of the client.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The key that it speaks with, which an exchange may have changed.
    pub key: Option<AuthKey>,
    pub session: Option<i64>,
    /// Its last query.
    pub query: MsgId,
    /// The last packet of its own message id; that of a container is of no call.
    pub packet: MsgId,
}

pub struct Server {
    pub address: SocketAddr,
    pub key: Key,
    pub seen: watch::Receiver<Seen>,
    pub accepted: Arc<AtomicU64>,
    /// Packets of the client's.
    pub packets: Arc<AtomicU64>,
    /// Bytes that the client's machine has taken.
    pub written: Arc<AtomicU64>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Server {
    /// One that answers queries with themselves, and lies in nothing.
    pub async fn honest() -> Server {
        Server::start(Vec::new(), |query| Answer::Result(Bytes::copy_from_slice(query))).await
    }

    /// `lies` are told in the key exchanges, one a connection; further ones are honest.
    pub async fn start(lies: Vec<Lies>, answer: impl FnMut(&[u8]) -> Answer + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let mut auth_key = [0; 256];
        SystemRandom::new().fill(&mut auth_key);
        let key = Key { auth_key: AuthKey::new(auth_key), server_salt: SALT, time_offset: 0, created: 0 };
        let (orders, ordered) = mpsc::unbounded_channel();
        let (seen, watched) = watch::channel(Seen::default());
        let counters: [Arc<AtomicU64>; 3] = Default::default();
        let [accepted, packets, written] = counters;
        let task = Task {
            clock: Clock::real(),
            key: key.auth_key.clone(),
            answer: Box::new(answer),
            lies: lies.into(),
            engines: HashMap::new(),
            session: None,
            refuse: Refuse::Nothing,
            greetings: Vec::new(),
            reads: true,
            mute: false,
            accepted: accepted.clone(),
            packets: packets.clone(),
            written: written.clone(),
            seen,
        };
        tokio::spawn(task.run(listener, ordered));
        Server { address, key, seen: watched, accepted, packets, written, orders }
    }

    /// The forger for the client's session, once there is one.
    pub async fn forger(&self) -> Forger {
        let mut watched = self.seen.clone();
        let seen = within(watched.wait_for(|seen| seen.session.is_some())).await.expect("it runs").clone();
        let (key, session) = seen.key.zip(seen.session).expect("both are told together");
        Forger { key, salt: SALT, session }
    }

    pub fn last_query(&self) -> i64 {
        self.seen.borrow().query.0
    }

    pub fn say(&self, packet: Vec<u8>) {
        self.order(Order::Say(packet));
    }

    pub fn raw(&self, bytes: Vec<u8>) {
        self.order(Order::Raw(bytes));
    }

    pub fn transport_error(&self, code: i32) {
        self.order(Order::TransportError(code));
    }

    pub fn greet(&self, greetings: Vec<Vec<u8>>) {
        self.order(Order::Greet(greetings));
    }

    pub fn refuse(&self, what: Refuse) {
        self.order(Order::Refuse(what));
    }

    pub fn mute(&self) {
        self.order(Order::Mute);
    }

    pub fn read_nothing(&self) {
        self.order(Order::ReadNothing);
    }

    fn order(&self, order: Order) {
        assert!(self.orders.send(order).is_ok(), "the server runs");
    }

    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }
}

/// What is done with each query's body.
type Script = Box<dyn FnMut(&[u8]) -> Answer + Send>;

struct Task {
    clock: Clock,
    key: AuthKey,
    answer: Script,
    lies: std::collections::VecDeque<Lies>,
    engines: HashMap<i64, Engine>,
    session: Option<i64>,
    refuse: Refuse,
    greetings: Vec<Vec<u8>>,
    reads: bool,
    mute: bool,
    accepted: Arc<AtomicU64>,
    packets: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
    seen: watch::Sender<Seen>,
}

struct Socket {
    stream: TcpStream,
    framing: Framing,
    input: BytesMut,
    output: Vec<u8>,
    exchange: Option<Exchange>,
    /// A session of before, with which the engine has to begin anew on this connection.
    known: bool,
}

impl Task {
    async fn run(mut self, listener: TcpListener, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut socket: Option<Socket> = None;
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { return };
                    self.accepted.fetch_add(1, Ordering::AcqRel);
                    (self.reads, self.mute) = (true, false);
                    let greeting = if self.greetings.is_empty() { Vec::new() } else { self.greetings.remove(0) };
                    socket = Some(Socket {
                        stream,
                        framing: Framing::server(),
                        input: BytesMut::new(),
                        output: greeting,
                        exchange: None,
                        known: false,
                    });
                }
                order = orders.recv() => {
                    let Some(order) = order else { return };
                    self.obey(order, &mut socket);
                }
                alive = traffic(&mut socket, self.reads, &self.written) => {
                    if !alive || !self.listen(socket.as_mut().expect("it had traffic")) {
                        socket = None;
                    }
                }
            }
            self.speak(&mut socket);
        }
    }

    fn obey(&mut self, order: Order, socket: &mut Option<Socket>) {
        // Nothing can be said before the client has.
        let socket = socket.as_mut().filter(|socket| socket.framing.transport().is_some());
        match (order, socket) {
            (Order::Refuse(what), _) => self.refuse = what,
            (Order::Greet(greetings), _) => self.greetings = greetings,
            (Order::ReadNothing, _) => self.reads = false,
            (Order::Mute, _) => self.mute = true,
            (Order::Say(packet), Some(socket)) => socket.framing.encode(&packet, &mut socket.output),
            (Order::Raw(bytes), Some(socket)) => socket.output.extend_from_slice(&bytes),
            (Order::TransportError(code), Some(socket)) => {
                socket.framing.encode_transport_error(code, &mut socket.output);
            }
            (_, None) => {}
        }
    }

    /// Takes what has come. False if the connection is of no more use.
    fn listen(&mut self, socket: &mut Socket) -> bool {
        loop {
            let packet = match socket.framing.decode(&mut socket.input) {
                Ok(Some(Frame::Packet(packet))) => packet,
                Ok(None) => return true,
                Ok(Some(_)) | Err(_) => return false,
            };
            self.packets.fetch_add(1, Ordering::AcqRel);
            if is_plain(&packet) {
                let exchange = socket.exchange.get_or_insert_with(|| Exchange::new(self.lies.pop_front()));
                let Some(answer) = exchange.answer(&packet) else { return false };
                socket.framing.encode(&answer, &mut socket.output);
                if let Some(key) = exchange.agreed() {
                    self.key = key;
                }
                continue;
            }
            if !self.listen_to(packet, socket) {
                return false;
            }
        }
    }

    fn listen_to(&mut self, packet: BytesMut, socket: &mut Socket) -> bool {
        let now = self.clock.now();
        let Ok(opened) = open(&self.key, Side::Client, packet) else { return false };
        let (session, packet) = (opened.session_id, opened.msg_id());
        self.session = Some(session);
        let key = self.key.clone();
        self.seen.send_modify(|seen| (seen.session, seen.key, seen.packet) = (Some(session), Some(key), packet));
        let words = match self.refuse {
            Refuse::Nothing => None,
            Refuse::Message(code) => Some(Words::of(BAD_MSG_NOTIFICATION).long(packet.0).int(0).int(code)),
            Refuse::Salt => Some(Words::of(BAD_SERVER_SALT).long(packet.0).int(0).int(48).long(id(0, 0))),
        };
        if let Some(words) = words {
            let forger = Forger { key: self.key.clone(), salt: SALT, session };
            let mut refusal = forger.message(words.0);
            (refusal.id, refusal.seqno) = (id(0, 1), 0);
            socket.framing.encode(&forger.seal(&refusal), &mut socket.output);
            return true;
        }
        let engine = self.engines.entry(session).or_insert_with(|| {
            let mut config = EngineConfig::new(self.key.clone(), session, opened.salt, 0);
            // Whatever it is, it stays.
            config.future_salts = Vec::new();
            Engine::new(Side::Server, config, now, Box::new(SystemRandom::new()))
        });
        if !std::mem::replace(&mut socket.known, true) {
            engine.reconnected(now);
        }
        // An honest engine tells what it does not take.
        let _ = engine.handle_opened(opened, now);
        while let Some(event) = engine.poll_event() {
            if let Event::Query { msg_id, body } = event {
                self.seen.send_modify(|seen| seen.query = msg_id);
                match (self.answer)(&body) {
                    Answer::Result(result) => engine.reply(msg_id, result, now),
                    Answer::Error(code, message) => engine.reply_error(msg_id, code, message, now),
                    Answer::Never => {}
                }
            }
        }
        true
    }

    fn speak(&mut self, socket: &mut Option<Socket>) {
        let now = self.clock.now();
        let Some(socket) = socket.as_mut().filter(|socket| socket.known && !self.mute) else { return };
        let Some(engine) = self.session.and_then(|session| self.engines.get_mut(&session)) else { return };
        while let Some(packet) = engine.poll_packet(now) {
            socket.framing.encode(&packet, &mut socket.output);
        }
    }
}

/// Reads and writes once. False when the client is gone.
async fn traffic(socket: &mut Option<Socket>, reads: bool, written: &AtomicU64) -> bool {
    let Some(Socket { stream, input, output, .. }) = socket else { return std::future::pending().await };
    let (mut reading, mut writing) = stream.split();
    tokio::select! {
        read = reading.read_buf(input), if reads => matches!(read, Ok(read) if read > 0),
        wrote = writing.write(output), if !output.is_empty() => match wrote {
            Ok(wrote) => {
                output.drain(..wrote);
                written.fetch_add(wrote as u64, Ordering::AcqRel);
                true
            }
            Err(_) => false,
        },
        else => std::future::pending().await,
    }
}
