//! Message ids and sequence numbers: making ours, checking theirs.

use std::collections::VecDeque;
use std::time::Duration;

use super::{MsgId, PacketError, Time};

/// How far a message id may lie behind and ahead of the receiver's time, in seconds.
/// <https://core.telegram.org/mtproto/description#message-identifier-msg-id>
const OLDEST: i64 = 300;
const NEWEST: i64 = 30;

/// Clocks that differ by less agree: far less than any window, far more than what ids run ahead when many are made at once.
const TOLERANCE: Duration = Duration::from_secs(5);

/// How many received messages are remembered. Whoever sends more within the window meets a floor below which nothing
/// is believed to be new. <https://core.telegram.org/mtproto/security_guidelines#checking-msg-id>
const REMEMBERED: usize = 4096;

/// This side's idea of the server's clock.
///
/// It runs with the monotonic clock, so nobody who sets the wall clock moves it. A machine that slept finds its
/// monotonic clock late and its wall clock right: then the wall clock decides.
#[derive(Debug)]
pub(super) struct ServerClock {
    /// A moment of our monotonic clock, and the server's Unix time then.
    base: (Duration, Duration),
    /// What the server's clock was ahead of our wall clock when it was set.
    offset_nanos: i64,
}

impl ServerClock {
    pub fn new(offset_seconds: i64, now: Time) -> ServerClock {
        let mut clock =
            ServerClock { base: Default::default(), offset_nanos: offset_seconds.saturating_mul(1_000_000_000) };
        clock.base = (now.mono, clock.by_wall_clock(now));
        clock
    }

    pub fn offset_seconds(&self) -> i64 {
        // Rounded: the nanoseconds are the network's more than the clock's.
        (self.offset_nanos + self.offset_nanos.signum() * 500_000_000) / 1_000_000_000
    }

    /// The server's Unix time.
    pub fn unix(&self, now: Time) -> Duration {
        let (mono, unix) = self.base;
        unix + now.mono.saturating_sub(mono)
    }

    fn by_wall_clock(&self, now: Time) -> Duration {
        let by = Duration::from_nanos(self.offset_nanos.unsigned_abs());
        if self.offset_nanos < 0 { now.unix.saturating_sub(by) } else { now.unix + by }
    }

    /// Sets the clock by a message that the server wrote just now.
    pub fn set(&mut self, written: MsgId, now: Time) {
        self.set_to(msg_id_time(written), now);
    }

    fn set_to(&mut self, unix: Duration, now: Time) {
        let nanos = |time: Duration| time.as_nanos() as i64;
        self.offset_nanos = nanos(unix).saturating_sub(nanos(now.unix));
        self.base = (now.mono, unix);
    }

    /// The server's clock shows at least the time in a message of its that has come.
    pub fn at_least(&mut self, written: MsgId, now: Time) {
        let least = msg_id_time(written);
        if least > self.unix(now) + TOLERANCE {
            self.set_to(least, now);
        }
    }

    /// The server's clock shows at most the time in a message that it wrote this long ago, and that long.
    pub fn at_most(&mut self, written: MsgId, ago: Duration, now: Time) {
        let most = msg_id_time(written) + ago;
        if most + TOLERANCE < self.unix(now) {
            self.set_to(most, now);
        }
    }

    /// Refuses a message outside of the time window.
    /// <https://core.telegram.org/mtproto/description#message-identifier-msg-id>
    pub fn check_window(&mut self, id: MsgId, now: Time) -> Result<(), PacketError> {
        let refused = match within_window(id, self.unix(now)) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let by_wall_clock = self.by_wall_clock(now);
        within_window(id, by_wall_clock).map_err(|_| refused)?;
        self.base = (now.mono, by_wall_clock);
        Ok(())
    }
}

/// The moment inside a message id.
fn msg_id_time(id: MsgId) -> Duration {
    let fraction = ((id.0 as u64 & 0xffff_ffff) * 1_000_000_000) >> 32;
    Duration::new(id.seconds().max(0) as u64, fraction as u32)
}

/// What the two lowest bits of our next message id say.
/// <https://core.telegram.org/mtproto/description#message-identifier-msg-id>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdKind {
    FromClient = 0,
    /// The server's response to a message of the client.
    Response = 1,
    /// The server's own.
    Unsolicited = 3,
}

impl IdKind {
    /// The kind of an id of ours.
    pub fn of(id: MsgId) -> IdKind {
        match id.0 & 3 {
            0 => IdKind::FromClient,
            1 => IdKind::Response,
            _ => IdKind::Unsolicited,
        }
    }
}

/// Makes message ids: the server's time, and always more than the last.
#[derive(Debug, Default)]
pub(super) struct MsgIds {
    last: i64,
    /// The newest that the peer has said to have.
    accepted: i64,
    /// How often ids have gone back.
    rewinds: u16,
}

impl MsgIds {
    pub fn next(&mut self, server_time: Duration, kind: IdKind) -> MsgId {
        let fraction = ((u64::from(server_time.subsec_nanos())) << 32) / 1_000_000_000;
        let time = (server_time.as_secs() as i64) << 32 | fraction as i64 & !3;
        let mut id = time.max((self.last & !3) + 4);
        if id as u32 == 0 {
            // "The lower 32 bits of messages ids passed by the client must not be empty".
            id += 4;
        }
        self.last = id | kind as i64;
        MsgId(self.last)
    }

    /// The peer has the message of this id.
    pub fn accepted(&mut self, id: MsgId) {
        self.accepted = self.accepted.max(id.0);
    }

    /// Our clock was ahead of the server's: goes back, but never below what the server has accepted, or may have.
    pub fn rewind(&mut self, server_time: Duration) {
        let newest = server_time.as_secs() as i64 + NEWEST - 1;
        if MsgId(self.last).seconds() > newest {
            // Whoever goes back twice to one second must not give out the same ids twice.
            self.rewinds = self.rewinds.wrapping_add(1);
            let acceptable = newest << 32 | i64::from(self.rewinds) << 16;
            self.last = self.last.min(acceptable.max(self.accepted));
        }
    }
}

/// Counts our content-related messages.
/// <https://core.telegram.org/mtproto/description#message-sequence-number-msg-seqno>
#[derive(Debug, Default)]
pub(super) struct SeqNos {
    content: i32,
}

impl SeqNos {
    pub fn next(&mut self, content: bool) -> i32 {
        let seqno = self.content.wrapping_mul(2) | i32::from(content);
        self.content = self.content.wrapping_add(i32::from(content));
        seqno
    }

    /// The peer has seen higher ones than we believe to have sent.
    pub fn skip(&mut self) {
        self.content = self.content.wrapping_add(32);
    }
}

/// What is known of a message that the peer may have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Below what is remembered.
    Unknowable,
    /// Within what is remembered, and not there.
    NotReceived,
    /// Above all that has come.
    NotYetReceived,
    Received {
        needs_ack: bool,
    },
}

/// The messages received, by id.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// In the order of their ids; nearly always that is the order in which they come.
    messages: VecDeque<(MsgId, i32)>,
    /// The highest id that was forgotten.
    floor: Option<MsgId>,
}

impl Received {
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// An error if the message was received before, or if that cannot be told any more.
    pub fn check_new(&self, id: MsgId) -> Result<(), PacketError> {
        if self.messages.back().is_none_or(|(newest, _)| *newest < id) {
            return Ok(());
        }
        match self.find(id) {
            Ok(_) => Err(PacketError::Duplicate(id)),
            Err(_) if self.floor.is_some_and(|floor| id <= floor) => Err(PacketError::OlderThanMemory(id)),
            Err(_) => Ok(()),
        }
    }

    /// The code of `bad_msg_notification` for a seqno that does not fit between those of the messages before and after.
    /// <https://core.telegram.org/mtproto/service_messages_about_messages#notice-of-ignored-error-message>
    pub fn check_seqno(&self, id: MsgId, seqno: i32) -> Result<(), i32> {
        let at = self.place(id);
        let odd_and_equal = |other: i32| other == seqno && other & 1 == 1;
        if let Some((_, before)) = at.checked_sub(1).and_then(|at| self.messages.get(at))
            && (*before > seqno || odd_and_equal(*before))
        {
            return Err(32);
        }
        if let Some((_, after)) = self.messages.get(at)
            && (*after < seqno || odd_and_equal(*after))
        {
            return Err(33);
        }
        Ok(())
    }

    pub fn insert(&mut self, id: MsgId, seqno: i32) {
        if self.messages.len() == REMEMBERED {
            self.floor = self.messages.pop_front().map(|(id, _)| id);
        }
        let at = self.place(id);
        self.messages.insert(at, (id, seqno));
    }

    pub fn known(&self, id: MsgId) -> Known {
        match (self.find(id), self.messages.front(), self.messages.back()) {
            (Ok(at), ..) => Known::Received { needs_ack: self.messages[at].1 & 1 == 1 },
            (_, Some((oldest, _)), Some((newest, _))) if (*oldest..=*newest).contains(&id) => Known::NotReceived,
            (_, _, Some((newest, _))) if id > *newest => Known::NotYetReceived,
            _ => Known::Unknowable,
        }
    }

    fn find(&self, id: MsgId) -> Result<usize, usize> {
        self.messages.binary_search_by_key(&id, |(id, _)| *id)
    }

    /// Where a message with this id stands or would stand.
    fn place(&self, id: MsgId) -> usize {
        match self.messages.back() {
            Some((newest, _)) if *newest < id => self.messages.len(),
            _ => self.find(id).unwrap_or_else(|at| at),
        }
    }
}

fn within_window(id: MsgId, server_time: Duration) -> Result<(), PacketError> {
    let age = server_time.as_secs() as i64 - id.seconds();
    if age > OLDEST {
        Err(PacketError::TooOld(id))
    } else if age < -NEWEST {
        Err(PacketError::TooNew(id))
    } else {
        Ok(())
    }
}
