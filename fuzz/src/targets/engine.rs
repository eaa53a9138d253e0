//! A client and a server, and somebody between them who has the key: real packets, forged ones, lost and repeated ones, and time
//! that jumps. Every message of either side goes through here: containers, packed objects, service messages, queries.

use std::collections::HashSet;
use std::io::Write;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use moongram::crypto::{Direction, SeededRandom, decrypt_message};
use moongram::mtproto::{Engine, EngineConfig, Event, FutureSalt, MsgId, Side, Time, open};
use moongram::tl::envelope::{GzipPacked, INVOKE_AFTER_MSG, INVOKE_AFTER_MSGS, MSG_COPY, MsgContainer, RpcResult};
use moongram::tl::{VECTOR, functions, types};

use super::input::Input;
use super::packet::{KEY, padding, plaintext, seal};
use super::{Target, memory};

// A call of two bytes is kept, sent, and sent again; what a packet may cost is looked at more closely below.
pub const TARGET: Target = Target { name: "engine", run, seeds, memory: (1 << 20, 1 << 14) };

const SESSION: i64 = 0x5e55_1011;
const SALT: i64 = 77;
/// Some function.
const QUERY: &[u8] = b"\x04\x03\x02\x01what";
/// Every input ends sooner or later.
const MAX_STEPS: usize = 300;
/// What one packet may unpack to; three times as much while it grows.
const MAX_INFLATED: usize = 1 << 24;

/// Every constructor that an engine knows, and some that it does not.
const KNOWN: [u32; 38] = [
    MsgContainer::ID,
    MSG_COPY,
    GzipPacked::ID,
    RpcResult::ID,
    types::RpcError::ID,
    types::MsgsAck::ID,
    types::BadMsgNotification::ID,
    types::BadServerSalt::ID,
    types::MsgsStateReq::ID,
    types::MsgsStateInfo::ID,
    types::MsgsAllInfo::ID,
    types::MsgDetailedInfo::ID,
    types::MsgNewDetailedInfo::ID,
    types::MsgResendReq::ID,
    types::MsgResendAnsReq::ID,
    types::RpcAnswerUnknown::ID,
    types::RpcAnswerDroppedRunning::ID,
    types::RpcAnswerDropped::ID,
    types::FutureSalts::ID,
    types::Pong::ID,
    types::NewSessionCreated::ID,
    types::DestroySessionOk::ID,
    types::DestroySessionNone::ID,
    types::DestroyAuthKeyOk::ID,
    types::DestroyAuthKeyNone::ID,
    types::DestroyAuthKeyFail::ID,
    types::HttpWait::ID,
    functions::RpcDropAnswer::ID,
    functions::GetFutureSalts::ID,
    functions::Ping::ID,
    functions::PingDelayDisconnect::ID,
    functions::DestroySession::ID,
    functions::DestroyAuthKey::ID,
    VECTOR,
    0x0102_0304,
    0,
    INVOKE_AFTER_MSG,
    INVOKE_AFTER_MSGS,
];

/// The steps of an input; each takes its bytes after it.
mod step {
    pub const CALL: u8 = 0;
    pub const REPLY: u8 = 1;
    pub const REPLY_ERROR: u8 = 2;
    pub const PUSH: u8 = 3;
    pub const WAIT: u8 = 4;
    pub const CARRY: u8 = 5;
    pub const LOSE: u8 = 6;
    pub const RECONNECT: u8 = 7;
    pub const CANCEL: u8 = 8;
    pub const FORGE_TO_CLIENT: u8 = 9;
    pub const FORGE_TO_SERVER: u8 = 10;
    pub const REPEAT: u8 = 11;
    pub const RESTART_SERVER: u8 = 12;
    pub const ASK: u8 = 13;
    pub const SALTS: u8 = 14;
    pub const QUICK_ACK: u8 = 15;
    pub const COUNT: u8 = 16;
}

/// The words of a forged body; less than `KNOWN.len()` is a constructor.
mod word {
    pub const CLIENTS_ID: u8 = 0x30;
    pub const SERVERS_ID: u8 = 0x40;
    pub const SESSION: u8 = 0x50;
    pub const NOW: u8 = 0x51;
    pub const BYTES: u8 = 0x52;
    pub const PACKED: u8 = 0x53;
    pub const INT: u8 = 0x54;
    pub const LONG: u8 = 0x55;
    pub const MESSAGE: u8 = 0x56;
    pub const ZEROS: u8 = 0x60;
    pub const SMALL: u8 = 0x70;
    pub const END: u8 = 0x80;
}

fn run(data: &[u8]) -> usize {
    let mut input = Input(data);
    let mut pair = Pair::new(input.u8());
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        let step = input.u8() % step::COUNT;
        pair.step(step, &mut input);
        pair.look();
    }
    pair.accounted
}

struct Pair {
    client: Engine,
    server: Engine,
    now: Time,
    /// What the client's wall clock lags behind, in seconds.
    behind: u64,
    /// Calls without an end.
    open: HashSet<MsgId>,
    /// Queries without an answer.
    queries: Vec<MsgId>,
    /// The newest ids of either side's messages, and its newest packets.
    ids: [Vec<MsgId>; 2],
    packets: [Vec<Bytes>; 2],
    forged: i64,
    restarts: u64,
    accounted: usize,
}

impl Pair {
    fn new(clock: u8) -> Pair {
        let now = Time { mono: Duration::from_secs(1000), unix: Duration::new(1_750_000_000, 250_000_000) };
        let behind = u64::from(clock) * 7;
        let mut pair = Pair {
            client: engine(Side::Client, now, 1),
            server: engine(Side::Server, now, 2),
            now,
            behind,
            open: HashSet::new(),
            queries: Vec::new(),
            ids: Default::default(),
            packets: Default::default(),
            forged: 0,
            restarts: 0,
            accounted: 0,
        };
        pair.client = engine(Side::Client, pair.client_now(), 1);
        pair
    }

    fn client_now(&self) -> Time {
        Time { unix: self.now.unix - Duration::from_secs(self.behind), ..self.now }
    }

    fn step(&mut self, step: u8, input: &mut Input<'_>) {
        let (now, client_now) = (self.now, self.client_now());
        match step {
            step::CALL => {
                let body = self.body(input.u8());
                self.open.insert(self.client.send(body, client_now));
            }
            step::REPLY => {
                let (which, body) = (input.u8(), input.u8());
                let body = self.body(body);
                if let Some(query) = pick(&self.queries, which) {
                    self.server.reply(query, body, now);
                }
            }
            step::REPLY_ERROR => {
                if let Some(query) = pick(&self.queries, input.u8()) {
                    self.server.reply_error(query, 420, "FLOOD_WAIT_3", now);
                }
            }
            step::PUSH => {
                let body = self.body(input.u8());
                self.server.push(body, now);
            }
            step::WAIT => {
                let by = u64::from(input.u8());
                let by = if by < 128 { Duration::from_millis(by * 100) } else { Duration::from_secs((by - 127) * 5) };
                // No two moments have the same fraction, as they have not in the world.
                self.now = now + by + Duration::from_nanos(7);
                self.client.handle_timeout(self.client_now());
                self.server.handle_timeout(self.now);
            }
            step::CARRY => {
                for _ in 0..4 {
                    let (up, down) = (self.poll(Side::Client), self.poll(Side::Server));
                    up.iter().for_each(|packet| self.deliver(Side::Server, packet, 0));
                    down.iter().for_each(|packet| self.deliver(Side::Client, packet, 0));
                    self.look();
                }
            }
            step::LOSE => {
                self.poll(Side::Client);
                self.poll(Side::Server);
            }
            step::RECONNECT => {
                self.client.reconnected(client_now);
                self.server.reconnected(now);
            }
            step::CANCEL => {
                if let Some(call) = pick(&self.open_calls(), input.u8()) {
                    self.client.cancel(call);
                    self.open.remove(&call);
                }
            }
            step::FORGE_TO_CLIENT => self.forge(Side::Server, input),
            step::FORGE_TO_SERVER => self.forge(Side::Client, input),
            step::REPEAT => {
                let which = input.u8();
                for side in [Side::Client, Side::Server] {
                    let packets = &self.packets[side as usize];
                    if let Some(packet) = packets.get(usize::from(which) % packets.len().max(1)).cloned() {
                        self.deliver(side.peer(), &packet, 0);
                    }
                }
            }
            step::RESTART_SERVER => {
                self.restarts += 1;
                self.server = engine(Side::Server, now, 2 + self.restarts);
                self.queries.clear();
            }
            step::ASK => match input.u8() % 4 {
                0 => _ = self.client.ping(client_now),
                1 => self.client.destroy_session(5),
                2 => self.client.destroy_auth_key(),
                _ => {
                    let after = self.open_calls();
                    let after = after[..after.len().min(3)].to_vec();
                    self.open.insert(self.client.send_after(QUERY.into(), after, client_now));
                }
            },
            step::QUICK_ACK => {
                // The token of a packet, or nearly.
                if let Some(packet) = pick_ref(&self.packets[Side::Client as usize], input.u8()) {
                    let token = open(&KEY, Side::Client, packet[..].into()).expect("the client's packet").quick_ack;
                    self.client.handle_quick_ack(token ^ u32::from(input.u8() & 1), client_now);
                }
            }
            _ => {
                let unix = now.unix.as_secs() as i32;
                let salt =
                    |n: i32| FutureSalt { valid_since: unix + n * 60, valid_until: unix + n * 60 + 90, salt: n.into() };
                self.server.set_future_salts((0..i32::from(input.u8() % 8)).map(salt).collect());
            }
        }
    }

    fn open_calls(&self) -> Vec<MsgId> {
        let mut open: Vec<MsgId> = self.open.iter().copied().collect();
        open.sort_unstable();
        open
    }

    /// What a caller or a world might say; from time to time something that is worth compressing.
    fn body(&mut self, size: u8) -> Bytes {
        let length = 8 + usize::from(size & 0x7f) * if size < 0x80 { 4 } else { 64 };
        self.accounted += 16 * length;
        let mut body = vec![size; length];
        body[..4].copy_from_slice(&0x0102_0304_u32.to_le_bytes());
        body.into()
    }

    /// A packet of this side by hand.
    fn forge(&mut self, from: Side, input: &mut Input<'_>) {
        let how = input.u8();
        let (id, seqno) = self.header(from, input);
        let (body, inflated) = self.words(from, input, 0);
        let salt = if how & 1 == 0 { self.server.server_salt(self.now) } else { 5 };
        let session = if how & 2 == 0 { SESSION } else { 5 };
        let plaintext = plaintext(salt, session, id.0, seqno, &body, padding(body.len()));
        self.deliver(from.peer(), &seal(from, &plaintext), inflated);
    }

    fn header(&mut self, from: Side, input: &mut Input<'_>) -> (MsgId, i32) {
        let (how, seqno) = (input.u8(), input.u8());
        self.forged += 4;
        let seconds = self.now.unix.as_secs() as i64;
        let id = match how >> 2 & 3 {
            0 => seconds << 32 | 1 << 28 | self.forged,
            1 => input.u64() as i64,
            2 => pick(&self.ids[from as usize], how >> 4).unwrap_or_default().0,
            _ => (seconds + (i64::from(how >> 4) - 8) * 40) << 32 | self.forged,
        };
        let id = if how >> 2 & 3 == 2 { id } else { id & !3 | i64::from(how & 3) };
        (MsgId(id), seqno.into())
    }

    /// A body, and how much of it comes out of what it packs.
    fn words(&mut self, from: Side, input: &mut Input<'_>, depth: usize) -> (Vec<u8>, usize) {
        let (mut body, mut inflated) = (Vec::new(), 0);
        while !input.is_empty() && body.len() < 1 << 14 {
            let word = input.u8();
            match word {
                word::CLIENTS_ID..word::SESSION => {
                    let side = if word < word::SERVERS_ID { Side::Client } else { Side::Server };
                    let id = pick(&self.ids[side as usize], word & 15).unwrap_or_default();
                    body.extend_from_slice(&id.0.to_le_bytes());
                }
                word::SESSION => body.extend_from_slice(&SESSION.to_le_bytes()),
                word::NOW => body.extend_from_slice(&(self.now.unix.as_secs() << 32 | 1).to_le_bytes()),
                word::BYTES => {
                    let length = input.u8();
                    put_bytes(input.take(length.into()), &mut body);
                }
                word::PACKED if depth < 4 => {
                    let times = 1_usize << (input.u8() % 20);
                    let (packed, inner) = self.words(from, input, depth + 1);
                    let times = times.min((MAX_INFLATED + (1 << 16)) / packed.len().max(1));
                    inflated = (inflated + inner + packed.len() * times).min(MAX_INFLATED);
                    body.extend_from_slice(&GzipPacked::ID.to_le_bytes());
                    put_bytes(&gzip(&packed, times), &mut body);
                }
                word::MESSAGE if depth < 4 => {
                    let (id, seqno) = self.header(from, input);
                    let (inner, more) = self.words(from, input, depth + 1);
                    inflated = (inflated + more).min(MAX_INFLATED);
                    body.extend_from_slice(&id.0.to_le_bytes());
                    body.extend_from_slice(&seqno.to_le_bytes());
                    body.extend_from_slice(&(inner.len() as u32).to_le_bytes());
                    body.extend_from_slice(&inner);
                }
                word::INT => body.extend_from_slice(&input.u32().to_le_bytes()),
                word::LONG => body.extend_from_slice(&input.u64().to_le_bytes()),
                word::ZEROS..word::SMALL => body.resize(body.len() + usize::from(word & 15) * 4, 0),
                word::SMALL..word::END => body.extend_from_slice(&u32::from(word & 15).to_le_bytes()),
                word::END.. => break,
                constructor => {
                    let constructor = KNOWN[usize::from(constructor) % KNOWN.len()];
                    body.extend_from_slice(&constructor.to_le_bytes());
                }
            }
        }
        (body, inflated)
    }

    /// Gives a packet to one side. It must not cost more than it is worth.
    fn deliver(&mut self, to: Side, packet: &[u8], inflated: usize) {
        let (now, client_now) = (self.now, self.client_now());
        let packet = BytesMut::from(packet);
        let length = packet.len();
        let mut result = Ok(());
        let used = memory::peak(|| {
            result = match to {
                Side::Client => self.client.handle_packet(packet, client_now),
                Side::Server => self.server.handle_packet(packet, now),
            };
        });
        let allowed = (1 << 17) + 64 * length + 3 * inflated.max(MIN_INFLATED.min(1032 * length));
        assert!(used <= allowed, "{used} bytes of memory for a packet of {length}: {allowed} would be accounted for");
        self.accounted += 64 * length + 3 * inflated;
        if let Err(error) = result {
            assert!(!error.to_string().is_empty());
        }
    }

    /// All that a side has to say now.
    fn poll(&mut self, side: Side) -> Vec<Bytes> {
        let (now, client_now) = (self.now, self.client_now());
        let mut packets = Vec::new();
        loop {
            let packet = match side {
                Side::Client => self.client.poll_packet(client_now),
                Side::Server => self.server.poll_packet(now),
            };
            let Some(packet) = packet else { break };
            assert!(packets.len() < 1000, "a side that never comes to an end");
            self.accounted += 8 * packet.len();
            self.ids[side as usize].extend(ids(side, &packet));
            packets.push(packet);
        }
        keep_newest(&mut self.ids[side as usize]);
        self.packets[side as usize].extend(packets.iter().cloned());
        keep_newest(&mut self.packets[side as usize]);
        packets
    }

    /// What must be true after every step.
    fn look(&mut self) {
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Reply { to, .. } | Event::QueryLost { to, .. } => {
                    assert!(self.open.remove(&to), "a call ends once, and one that was given up not at all");
                }
                Event::Query { .. } | Event::QueryDropped { .. } => panic!("a client was asked"),
                _ => {}
            }
        }
        while let Some(event) = self.server.poll_event() {
            match event {
                Event::Query { msg_id, .. } => self.queries.push(msg_id),
                Event::QueryDropped { msg_id } => self.queries.retain(|query| *query != msg_id),
                Event::Reply { .. } | Event::QueryLost { .. } | Event::Update(_) => panic!("a server was answered"),
                _ => {}
            }
        }
        assert_eq!(self.client.calls_waiting(), self.open.len(), "a call that is neither waiting nor at its end");
        self.timers();
    }

    /// What is due is done after a few rounds: whoever drives an engine would not sleep otherwise.
    fn timers(&mut self) {
        for side in [Side::Client, Side::Server] {
            let mut rounds = 0;
            loop {
                let (engine, now) = match side {
                    Side::Client => {
                        (&mut self.client, Time { unix: self.now.unix - Duration::from_secs(self.behind), ..self.now })
                    }
                    Side::Server => (&mut self.server, self.now),
                };
                engine.handle_timeout(now);
                if engine.poll_timeout().is_none_or(|due| due > now.mono) {
                    break;
                }
                rounds += 1;
                assert!(rounds < 4, "{side:?} is due for ever: {:?} at {:?}", engine.poll_timeout(), now.mono);
                self.poll(side);
            }
        }
    }
}

/// What any packet may unpack to that the harness did not pack itself.
const MIN_INFLATED: usize = 1 << 20;

fn engine(side: Side, now: Time, seed: u64) -> Engine {
    let config = EngineConfig::new(KEY.clone(), SESSION, SALT, 0);
    Engine::new(side, config, now, Box::new(SeededRandom::new(seed)))
}

fn pick<T: Copy>(from: &[T], which: u8) -> Option<T> {
    from.get(usize::from(which) % from.len().max(1)).copied()
}

fn pick_ref<T>(from: &[T], which: u8) -> Option<&T> {
    from.get(usize::from(which) % from.len().max(1))
}

fn keep_newest<T>(list: &mut Vec<T>) {
    list.drain(..list.len().saturating_sub(16));
}

/// The ids of a packet's messages, and of their container.
fn ids(from: Side, packet: &[u8]) -> Vec<MsgId> {
    let direction = if from == Side::Client { Direction::ToServer } else { Direction::ToClient };
    let mut packet = packet.to_vec();
    let plaintext = decrypt_message(&KEY, direction, &mut packet).expect("an engine's packet");
    let long = |bytes: &[u8]| MsgId(i64::from_le_bytes(*bytes.first_chunk().expect("a long")));
    let mut ids = vec![long(&plaintext[16..])];
    let mut body = &plaintext[32..];
    if body.first_chunk() == Some(&MsgContainer::ID.to_le_bytes()) {
        let count = u32::from_le_bytes(std::array::from_fn(|i| body[4 + i]));
        body = &body[8..];
        for _ in 0..count {
            ids.push(long(body));
            let length = u32::from_le_bytes(std::array::from_fn(|i| body[12 + i])) as usize;
            body = &body[16 + length..];
        }
    }
    ids
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let length = (bytes.len() as u32).to_le_bytes();
    match bytes.len() {
        0..254 => out.push(length[0]),
        _ => out.extend_from_slice(&[254, length[0], length[1], length[2]]),
    }
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn gzip(bytes: &[u8], times: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..times {
        encoder.write_all(bytes).expect("memory takes it");
    }
    encoder.finish().expect("memory takes it")
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    use step::*;
    let known = |id: u32| KNOWN.iter().position(|known| *known == id).expect("in the table") as u8;
    let call = [CALL, 3, CARRY, REPLY, 0, 4, CARRY];
    // An id of the server's response, made just now, and an odd seqno.
    let answer = [0, 1, 3];
    let mut seeds: Vec<(String, Vec<u8>)> = Vec::new();
    let mut seed = |name: &str, steps: &[&[u8]]| seeds.push((name.to_owned(), [&[0][..], &steps.concat()].concat()));
    seed("call", &[&call, &call, &[WAIT, 60, CARRY]]);
    seed("many-calls", &[&[CALL, 1, CALL, 200, CALL, 3, CALL, 0xff, CARRY, REPLY, 0, 0xff, REPLY, 2, 0, CARRY]]);
    seed("updates", &[&call, &[PUSH, 4, PUSH, 0xf0, CARRY, WAIT, 130, CARRY]]);
    seed("error", &[&[CALL, 1, CARRY, REPLY_ERROR, 0, CARRY]]);
    seed("cancelled", &[&[CALL, 1, CARRY, CANCEL, 0, CARRY, CALL, 1, CANCEL, 0, CARRY]]);
    seed("lost", &[&[CALL, 1, LOSE, RECONNECT, CARRY, REPLY, 0, 1, CARRY]]);
    seed("restarted", &[&call, &[CALL, 1, CARRY, RESTART_SERVER, RECONNECT, CARRY, CALL, 2, CARRY]]);
    seed("repeated", &[&call, &[REPEAT, 0, REPEAT, 1, REPEAT, 2, CARRY]]);
    seed("silence", &[&[CALL, 1, LOSE, WAIT, 70, LOSE, WAIT, 127, LOSE, WAIT, 140]]);
    seed("asked", &[&call, &[ASK, 0, ASK, 1, ASK, 2, CARRY, CARRY]]);
    seed("in-order", &[&[CALL, 1, ASK, 3, ASK, 3, CARRY, REPLY_ERROR, 0, CARRY, REPLY, 1, 3, CARRY]]);
    seed("quick-ack", &[&call, &[CALL, 1, CALL, 2, CARRY, QUICK_ACK, 0, 0, QUICK_ACK, 1, 0, QUICK_ACK, 1, 1, CARRY]]);
    seed("salts", &[&call, &[SALTS, 4, CALL, 1, CARRY, WAIT, 160, CALL, 1, CARRY, WAIT, 150, CALL, 1, CARRY]]);
    seeds.push(("clock".into(), [&[60][..], &call, &call].concat()));
    let mut forged = |name: &str, words: &[u8]| {
        let to_client = [&[CALL, 1, CARRY, FORGE_TO_CLIENT][..], &answer, words, &[word::END, CARRY]].concat();
        let to_server = [&[CALL, 1, CARRY, FORGE_TO_SERVER, 0, 0, 3], words, &[word::END, CARRY]].concat();
        seeds.push((format!("{name}-from-server"), [&[0], &to_client[..]].concat()));
        seeds.push((format!("{name}-from-client"), [&[0], &to_server[..]].concat()));
    };
    let (clients, servers, small) = (word::CLIENTS_ID, word::SERVERS_ID, word::SMALL);
    let vector = known(VECTOR);
    let update = known(0x0102_0304);
    forged("update", &[update, word::ZEROS | 2]);
    forged("result", &[known(RpcResult::ID), clients, update, small | 7]);
    forged(
        "result-error",
        &[known(RpcResult::ID), clients, known(types::RpcError::ID), small | 9, word::BYTES, 3, 65, 66, 67],
    );
    forged("result-packed", &[known(RpcResult::ID), clients, word::PACKED, 3, update, word::END]);
    forged("packed", &[word::PACKED, 9, update, word::ZEROS | 3, word::END]);
    forged("bomb", &[word::PACKED, 19, word::ZEROS | 15, word::ZEROS | 15, word::END]);
    let message = [word::MESSAGE, 1, 3, update, small | 1, word::END];
    forged("container", &[&[known(MsgContainer::ID), small | 2][..], &message, &message].concat());
    forged("container-lies", &[&[known(MsgContainer::ID), small | 3][..], &message, &message].concat());
    let nested = [&[word::MESSAGE, 1, 3, known(MsgContainer::ID), small | 1][..], &message, &[word::END]].concat();
    forged("container-nested", &[&[known(MsgContainer::ID), small | 1][..], &nested].concat());
    let bomb = [word::MESSAGE, 1, 3, word::PACKED, 18, word::ZEROS | 15, word::END, word::END];
    forged("container-of-bombs", &[&[known(MsgContainer::ID), small | 3][..], &bomb, &bomb, &bomb].concat());
    forged("after", &[known(INVOKE_AFTER_MSG), clients, word::PACKED, 3, update, word::END]);
    forged("after-many", &[known(INVOKE_AFTER_MSGS), vector, small | 2, clients, servers, update]);
    forged("copy", &[&[known(MSG_COPY)][..], &message].concat());
    forged("acks", &[known(types::MsgsAck::ID), vector, small | 2, clients, servers]);
    forged("bad-message", &[known(types::BadMsgNotification::ID), clients, small | 1, word::INT, 16, 0, 0, 0]);
    forged("bad-salt", &[known(types::BadServerSalt::ID), clients, small | 1, word::INT, 48, 0, 0, 0, word::NOW]);
    forged("state-request", &[known(types::MsgsStateReq::ID), vector, small | 2, clients, servers]);
    forged("state-info", &[known(types::MsgsStateInfo::ID), clients, word::BYTES, 1, 4]);
    forged("all-info", &[known(types::MsgsAllInfo::ID), vector, small | 1, clients, word::BYTES, 1, 4]);
    forged("detailed-info", &[known(types::MsgDetailedInfo::ID), clients, word::NOW, small | 9, small]);
    forged("new-detailed-info", &[known(types::MsgNewDetailedInfo::ID), word::NOW, small | 9, small]);
    forged("resend", &[known(types::MsgResendReq::ID), vector, small | 2, clients, servers]);
    forged("resend-answer", &[known(types::MsgResendAnsReq::ID), vector, small | 1, clients]);
    forged(
        "future-salts",
        &[known(types::FutureSalts::ID), clients, small | 9, small | 1, small | 1, small | 9, word::NOW],
    );
    forged("new-session", &[known(types::NewSessionCreated::ID), clients, word::NOW, word::SESSION]);
    forged("pong", &[known(types::Pong::ID), clients, word::NOW]);
    forged("ping", &[known(functions::Ping::ID), word::NOW]);
    forged("ping-disconnect", &[known(functions::PingDelayDisconnect::ID), word::NOW, small | 9]);
    forged("drop-answer", &[known(functions::RpcDropAnswer::ID), clients]);
    forged("get-salts", &[known(functions::GetFutureSalts::ID), small | 5]);
    forged("destroy-session", &[known(functions::DestroySession::ID), word::NOW]);
    forged("destroy-key", &[known(functions::DestroyAuthKey::ID)]);
    forged("destroyed-session", &[known(types::DestroySessionOk::ID), word::SESSION]);
    forged("destroyed-key", &[known(types::DestroyAuthKeyOk::ID)]);
    seeds
}
