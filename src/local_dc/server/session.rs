//! One session of a client, as the server has it, apart from its connection.

use std::collections::VecDeque;
use std::time::Duration;

use crate::mtproto::Engine;
use crate::tl::Object;

/// How many queries' outcomes are remembered for invokeAfterMsg.
const OUTCOMES: usize = 1000;

/// How many bytes of updates may wait for a client that does not read. It is disconnected then, and its session forgotten:
/// it fetches the difference when it is back.
pub const BACKLOG_LIMIT: usize = 8 << 20;

/// A session's engine, and what the DC remembers of it.
pub struct Session {
    pub engine: Engine,
    /// The connection that it last spoke on, while that is open.
    pub connection: Option<u64>,
    /// The layer that its client speaks, once it has said so: <https://core.telegram.org/api/invoking#layers>
    pub layer: Option<i32>,
    /// It has asked something outside of invokeWithoutUpdates, so it wants updates.
    pub wants_updates: bool,
    /// Updates went by while it was not connected; it is told to fetch the difference.
    pub missed: bool,
    /// Bytes of updates that wait to be written.
    pub backlog: usize,
    /// When it was heard of last, in monotonic time.
    pub heard: Duration,
    /// What became of its last queries.
    outcomes: VecDeque<(i64, Outcome)>,
    /// Queries that wait for others to be done first.
    pub parked: Vec<Parked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Running,
    Done,
    Failed,
}

/// A query that waits for others: <https://core.telegram.org/api/invoking#query-sequences>.
#[derive(Debug)]
pub struct Parked {
    pub msg_id: i64,
    pub after: Vec<i64>,
    pub query: Object,
    pub since: Duration,
}

impl Session {
    pub fn new(engine: Engine, heard: Duration) -> Session {
        Session {
            engine,
            connection: None,
            layer: None,
            wants_updates: false,
            missed: false,
            backlog: 0,
            heard,
            outcomes: VecDeque::new(),
            parked: Vec::new(),
        }
    }

    pub fn note(&mut self, msg_id: i64, outcome: Outcome) {
        match self.outcomes.iter_mut().rev().find(|(id, _)| *id == msg_id) {
            Some(found) => found.1 = outcome,
            None => {
                if self.outcomes.len() >= OUTCOMES {
                    self.outcomes.pop_front();
                }
                self.outcomes.push_back((msg_id, outcome));
            }
        }
    }

    pub fn outcome(&self, msg_id: i64) -> Option<Outcome> {
        self.outcomes.iter().rev().find(|(id, _)| *id == msg_id).map(|(_, outcome)| *outcome)
    }
}
