//! Reading and writing TL: `cargo bench --bench tl`.

use criterion::{Criterion, criterion_group, criterion_main};
use moongram::tl::{Raw, Reader, decode_object, encode, enums, functions};
use std::hint::black_box;

fn sample(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/samples/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let hex = std::fs::read_to_string(path).expect("the sample is in the repository");
    let digits: Vec<u8> = hex.trim().bytes().map(|byte| char::from(byte).to_digit(16).expect("hex") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// What a client looks at first: the message's text, the update's pts, every id.
fn walk(bytes: &[u8]) -> i64 {
    let Ok(enums::Updates::Updates(updates)) = enums::Updates::read(&mut Reader::new(bytes)) else { return 0 };
    let mut sum = i64::from(updates.seq);
    for update in updates.updates {
        if let enums::Update::NewChannelMessage(update) = update {
            sum += i64::from(update.pts);
            if let enums::Message::Message(message) = update.message {
                sum += message.message.len() as i64 + i64::from(message.id);
            }
        }
    }
    for user in updates.users {
        if let enums::User::User(user) = user {
            sum += user.id;
        }
    }
    for chat in updates.chats {
        if let enums::Chat::Channel(channel) = chat {
            sum += channel.id;
        }
    }
    sum
}

fn read(c: &mut Criterion) {
    for name in ["updates_small", "updates_big"] {
        let bytes = sample(name);
        let mut group = c.benchmark_group(name);
        group.bench_function("skip", |b| b.iter(|| Raw::new(black_box(&bytes)).is_ok()));
        group.bench_function("read borrowed", |b| {
            b.iter(|| black_box(enums::Updates::read(&mut Reader::new(black_box(&bytes)))).is_ok())
        });
        group.bench_function("walk borrowed", |b| b.iter(|| walk(black_box(&bytes))));
        group.bench_function("decode dynamic", |b| b.iter(|| decode_object(black_box(&bytes)).is_ok()));
        group.finish();
    }
}

fn write(c: &mut Criterion) {
    let bytes = sample("send_message");
    let call: functions::MessagesSendMessage = Raw::new(&bytes).and_then(|raw| raw.parse()).expect("the sample");
    let object = decode_object(&bytes).expect("the sample");
    let mut group = c.benchmark_group("send_message");
    let mut out = Vec::with_capacity(1024);
    group.bench_function("write borrowed", |b| {
        b.iter(|| {
            out.clear();
            black_box(&call).write(&mut out);
            out.len()
        })
    });
    group.bench_function("encode dynamic", |b| {
        b.iter(|| {
            out.clear();
            encode(black_box(&object), &mut out).is_ok()
        })
    });
    group.finish();
}

criterion_group!(benches, read, write);
criterion_main!(benches);
