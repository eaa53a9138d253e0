//! Connections that break at any moment, from a seed: every call ends once, and none is done twice.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;

use super::pair::*;
use crate::crypto::{Random, SeededRandom};
use crate::mtproto::*;

struct Chaos {
    pair: Pair,
    random: SeededRandom,
    up: VecDeque<Bytes>,
    down: VecDeque<Bytes>,
    running: Vec<MsgId>,
    /// What was asked by each call that has not ended.
    waiting: HashMap<MsgId, Bytes>,
    asked: u32,
    done: HashSet<Bytes>,
    lost: usize,
    pushed: u32,
    updates: Vec<u32>,
}

impl Chaos {
    fn new(seed: u64) -> Chaos {
        Chaos {
            pair: Pair::new(),
            random: SeededRandom::new(seed),
            up: VecDeque::new(),
            down: VecDeque::new(),
            running: Vec::new(),
            waiting: HashMap::new(),
            asked: 0,
            done: HashSet::new(),
            lost: 0,
            pushed: 0,
            updates: Vec::new(),
        }
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.random.u64().is_multiple_of(n)
    }

    fn ask(&mut self) {
        self.asked += 1;
        let body: Bytes = [&[9, 9, 9, 9], &self.asked.to_le_bytes()[..]].concat().into();
        let now = self.pair.client_now();
        // Every other one is to be done after some that wait.
        let after = self.waiting.keys().copied().filter(|_| self.asked.is_multiple_of(2)).take(2).collect();
        let call = self.pair.client.send_after(body.clone(), after, now);
        self.waiting.insert(call, body);
    }

    fn push(&mut self) {
        self.pushed += 1;
        let body = [&[8, 8, 8, 8], &self.pushed.to_le_bytes()[..]].concat();
        self.pair.server.push(body.into(), self.pair.now);
    }

    fn answer_one(&mut self) {
        if !self.running.is_empty() {
            let at = self.random.u64() as usize % self.running.len();
            let query = self.running.swap_remove(at);
            self.pair.reply(query);
        }
    }

    fn carry(&mut self) {
        self.up.extend(self.pair.client_packets());
        self.down.extend(self.pair.server_packets());
        if let Some(packet) = self.up.pop_front() {
            self.pair.deliver_to_server(&packet);
        }
        if let Some(packet) = self.down.pop_front() {
            self.pair.deliver_to_client(&packet);
        }
        for event in self.pair.server_events() {
            if let Event::Query { msg_id, body } = event {
                let body = body.slice(body.len() - 8..);
                assert!(self.done.insert(body), "a call was done twice");
                self.running.push(msg_id);
            }
        }
        for event in self.pair.client_events() {
            match event {
                Event::Reply { to, .. } => {
                    let body = self.waiting.remove(&to).expect("a call ends once");
                    assert!(self.done.contains(&body));
                }
                Event::QueryLost { to, body, reason } => {
                    assert_eq!(self.waiting.remove(&to), Some(body), "{reason:?}");
                    self.lost += 1;
                }
                Event::Update(body) => self.updates.push(u32::from_le_bytes(body[4..].try_into().expect("a number"))),
                _ => {}
            }
        }
    }

    fn cut(&mut self) {
        self.up.clear();
        self.down.clear();
        self.pair.reconnect();
    }

    fn finish(&mut self) {
        for _ in 0..2000 {
            self.answer_one();
            self.carry();
        }
        assert_eq!(self.waiting.len(), 0, "every call ends");
        assert_eq!(self.pair.client.calls_waiting(), 0);
    }
}

#[test]
fn calls_survive_connections_that_break_at_any_moment() {
    for seed in 0..300 {
        let mut chaos = Chaos::new(seed);
        // The session begins before the first cut: until then nobody can tell a forgotten session from a new one.
        chaos.pair.call();
        for _ in 0..200 {
            match chaos.random.u64() % 8 {
                0 | 1 => chaos.ask(),
                2 => chaos.push(),
                3 => chaos.answer_one(),
                _ => chaos.carry(),
            }
            if chaos.one_in(12) {
                chaos.cut();
            }
            if chaos.one_in(10) {
                let pause = chaos.random.u64() % 400;
                chaos.pair.wait(seconds(pause));
            }
        }
        chaos.finish();
        assert_eq!(chaos.lost, 0, "seed {seed}");
        assert_eq!(chaos.done.len() as u32, chaos.asked);
        assert_eq!(chaos.updates, (1..=chaos.pushed).collect::<Vec<_>>(), "seed {seed}: updates come once, in order");
    }
}

#[test]
fn no_call_is_done_twice_by_a_server_that_forgets_sessions() {
    let mut lost = 0;
    for seed in 0..300 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..200 {
            match chaos.random.u64() % 8 {
                0 | 1 => chaos.ask(),
                2 | 3 => chaos.answer_one(),
                _ => chaos.carry(),
            }
            if chaos.one_in(15) {
                if chaos.one_in(3) {
                    chaos.pair.forget_session();
                    chaos.running.clear();
                }
                chaos.cut();
            }
        }
        chaos.finish();
        lost += chaos.lost;
    }
    assert!(lost > 0, "something was lost, and said to be");
}
