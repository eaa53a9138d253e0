//! What MTProto costs: one encrypted update into an engine, one call there and back. `cargo bench --bench engine`.

mod cpu;

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cpu::CpuTime;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use moongram::crypto::{AuthKey, Random, SeededRandom, SystemRandom};
use moongram::mtproto::{Engine, EngineConfig, Event, Frame, Framing, Side, Time, Transport};

/// The size of a common `updates` with one message, its user and its chat.
const UPDATE: usize = 464;
const QUERY: usize = 120;

fn now() -> Time {
    Time { mono: Duration::from_secs(1), unix: Duration::from_secs(1_750_000_000) }
}

fn config() -> EngineConfig {
    let mut key = [0; 256];
    SeededRandom::new(1).fill(&mut key);
    EngineConfig::new(AuthKey::new(key), 1, 2, 0)
}

fn engine(side: Side) -> Engine {
    Engine::new(side, config(), now(), Box::new(SystemRandom::new()))
}

/// Bytes that do not compress, as a body that is no service message.
fn body(length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    SeededRandom::new(length as u64).fill(&mut bytes);
    bytes.into()
}

fn updates(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(1));
    let (client, server) = (RefCell::new(engine(Side::Client)), RefCell::new(engine(Side::Server)));
    let update = body(UPDATE);
    let packet = || {
        let mut server = server.borrow_mut();
        server.push(update.clone(), now());
        BytesMut::from(&server.poll_packet(now()).expect("an update waits")[..])
    };

    group.bench_function("an update into the client, acknowledgments included", |b| {
        b.iter_batched(
            packet,
            |packet| {
                let mut client = client.borrow_mut();
                client.handle_packet(packet, now()).expect("a good packet");
                while let Some(packet) = client.poll_packet(now()) {
                    black_box(packet);
                }
                client.poll_event()
            },
            BatchSize::SmallInput,
        )
    });

    group.bench_function("an update out of the server", |b| {
        let mut server = engine(Side::Server);
        b.iter(|| {
            server.push(update.clone(), now());
            server.poll_packet(now())
        })
    });

    let (client, server) = (RefCell::new(engine(Side::Client)), RefCell::new(engine(Side::Server)));
    let container = || {
        let mut server = server.borrow_mut();
        (0..100).for_each(|_| {
            server.push(update.clone(), now());
        });
        BytesMut::from(&server.poll_packet(now()).expect("updates wait")[..])
    };
    group.throughput(Throughput::Elements(100));
    group.bench_function("a container of 100 updates into the client", |b| {
        b.iter_batched(
            container,
            |packet| {
                let mut client = client.borrow_mut();
                client.handle_packet(packet, now()).expect("a good packet");
                while let Some(packet) = client.poll_packet(now()) {
                    black_box(packet);
                }
                while let Some(event) = client.poll_event() {
                    black_box(event);
                }
            },
            BatchSize::SmallInput,
        )
    });
    group.finish();
}

fn calls(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(1));
    let (mut client, mut server) = (engine(Side::Client), engine(Side::Server));
    let (query, result) = (body(QUERY), body(UPDATE));
    let mut carry = move || {
        let call = client.send(query.clone(), now());
        while let Some(packet) = client.poll_packet(now()) {
            server.handle_packet(packet[..].into(), now()).expect("a good packet");
        }
        while let Some(event) = server.poll_event() {
            if let Event::Query { msg_id, .. } = event {
                server.reply(msg_id, result.clone(), now());
            }
        }
        while let Some(packet) = server.poll_packet(now()) {
            client.handle_packet(packet[..].into(), now()).expect("a good packet");
        }
        let answered = std::iter::from_fn(|| client.poll_event())
            .any(|event| matches!(event, Event::Reply { to, .. } if to == call));
        assert!(answered);
    };
    group.bench_function("a call, its answer, both sides", |b| b.iter(&mut carry));
    group.finish();
}

/// What compression of queries costs, and what it saves: English text of several sizes in a query, packed whenever that helps
/// and never packed. Prints the packets' sizes; the times are in the report.
fn gzip(c: &mut Criterion<CpuTime>) {
    const TEXT: &str = include_str!("../README.md");
    let mut group = c.benchmark_group("gzip");
    group.throughput(Throughput::Elements(1));
    for length in [128, 256, 384, 512, 768, 1024, 2048, 4096] {
        let query: Bytes = [&[1, 2, 3, 4], &TEXT.as_bytes()[..length]].concat().into();
        let mut sizes = Vec::new();
        for (name, gzip_from) in [("packed", 0), ("as it is", usize::MAX)] {
            let config = EngineConfig { gzip_from, ..config() };
            let mut client = Engine::new(Side::Client, config, now(), Box::new(SystemRandom::new()));
            let query = query.clone();
            let mut send = move || {
                let call = client.send(query.clone(), now());
                let packet = client.poll_packet(now()).expect("a call waits");
                client.cancel(call);
                while client.poll_packet(now()).is_some() {}
                packet.len()
            };
            sizes.push(send());
            group.bench_function(format!("{length} bytes of text, {name}"), |b| b.iter(&mut send));
        }
        println!("gzip: {length} bytes of text: a packet of {} bytes, {} as it is", sizes[0], sizes[1]);
    }
    group.finish();
}

fn framing(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("framing");
    group.throughput(Throughput::Elements(1));
    let packet = vec![1; 24 + 16 * 32];
    for transport in [Transport::Abridged, Transport::Intermediate, Transport::Padded, Transport::Full] {
        let plain = (format!("{transport:?}"), Framing::client(transport));
        let obfuscated = Framing::obfuscated(transport, None, &mut SystemRandom::new())
            .map(|framing| (format!("obfuscated {transport:?}"), framing));
        for (name, mut client) in [Some(plain), obfuscated].into_iter().flatten() {
            let mut server = Framing::server();
            let (mut out, mut input) = (Vec::new(), BytesMut::new());
            group.bench_function(format!("a packet of {} bytes, both sides, {name}", packet.len()), |b| {
                b.iter(|| {
                    out.clear();
                    client.encode(&packet, &mut out);
                    input.extend_from_slice(&out);
                    let frame = server.decode(&mut input);
                    assert!(matches!(frame, Ok(Some(Frame::Packet(_)))));
                })
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = updates, calls, gzip, framing
}
criterion_main!(benches);
