//! The order of updates, as a value: what may be handed on now, what must wait, what was seen before, and when to ask the
//! server for what is missing. Time is an argument; nothing here knows bytes, sockets or scripts.
//!
//! The rules are those of <https://core.telegram.org/api/updates>: `pts` for the common box and for each channel, `qts`,
//! `seq` for containers, half a second for a gap to close by itself, `getDifference` for what does not.

mod mailbox;

use std::collections::HashSet;
use std::time::Duration;

use crate::client::ids::{IdHash, IdMap};
use crate::client::{Mailbox, Place};
use crate::storage::UpdateState;

use mailbox::{Counter, Offer};

/// How long a gap may close by itself before the difference is fetched.
/// <https://core.telegram.org/api/updates#recovering-gaps>
pub const GAP_WAIT: Duration = Duration::from_millis(500);
/// Silence after which the difference is fetched. <https://core.telegram.org/api/updates#recovering-gaps>
pub const SILENCE: Duration = Duration::from_secs(15 * 60);
/// Channels whose differences are fetched at the same time.
const CHANNELS_AT_ONCE: usize = 4;
/// A box keeps this many updates that came too early; one more, and all are let go and fetched with the difference.
pub const MAX_EARLY: usize = 2_000;

/// What is handed on, in order, and what it makes of the state.
#[derive(Debug, PartialEq, Eq)]
pub struct Step<T> {
    /// `None` where the state moves and scripts see nothing: the host's own messages, the end of a difference.
    pub item: Option<T>,
    pub change: Change,
}

/// What is true once a step, and every one before it, is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Nothing,
    Counted(Mailbox, i32),
    /// `seq` 0 leaves that one as it was.
    Group {
        seq: i32,
        date: i32,
    },
    State(UpdateState),
    /// The channel is no longer ours to follow.
    Forgotten(i64),
}

/// What must be asked of the server. Each is handed out once, and answered by the method of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// updates.getDifference from this state; answered by [`Sequencer::difference`].
    Difference(UpdateState),
    /// updates.getChannelDifference; answered by [`Sequencer::channel_difference`].
    Channel { id: i64, pts: i32 },
}

/// Keeps the state of every box, and what came too early for it.
pub struct Sequencer<T> {
    common: Counter<T>,
    secondary: Counter<T>,
    seq: i32,
    date: i32,
    early_groups: Vec<Group<T>>,
    gap_in_groups: Option<Duration>,
    channels: IdMap<Counter<T>>,
    /// Channels with a gap or a difference. Every other is at rest: there may be tens of thousands.
    restless: HashSet<i64, IdHash>,
    difference: Asking,
    last_heard: Duration,
}

/// The uncounted updates of one container that has a place among containers.
struct Group<T> {
    start: i32,
    seq: i32,
    date: i32,
    items: Vec<T>,
}

/// Whether a difference is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asking {
    #[default]
    No,
    /// As soon as this time comes: at once, or later where the last attempt failed.
    From(Duration),
    /// On its way. `again`: something was let go meanwhile, so the end of it is not the end.
    Underway { again: bool },
}

impl<T> Sequencer<T> {
    pub fn new(state: UpdateState, channels: impl IntoIterator<Item = (i64, i32)>, now: Duration) -> Sequencer<T> {
        Sequencer {
            common: Counter::at(state.pts),
            secondary: Counter::at(state.qts),
            seq: state.seq,
            date: state.date,
            early_groups: Vec::new(),
            gap_in_groups: None,
            channels: channels.into_iter().map(|(id, pts)| (id, Counter::at(pts))).collect(),
            restless: HashSet::default(),
            difference: Asking::No,
            last_heard: now,
        }
    }

    /// The common state: what a difference would be asked from.
    pub fn state(&self) -> UpdateState {
        UpdateState { pts: self.common.pts, qts: self.secondary.pts, date: self.date, seq: self.seq }
    }

    /// The state of a channel's box, where it is known.
    pub fn channel(&self, id: i64) -> Option<i32> {
        self.channels.get(&id).map(|counter| counter.pts)
    }

    /// Something came from the server.
    pub fn heard(&mut self, now: Duration) {
        self.last_heard = now;
    }

    /// Takes a counted update, or with no `item` only its place: handed on, kept until what is missing came, or known already.
    pub fn counted(&mut self, place: Place, item: Option<T>, now: Duration, out: &mut Vec<Step<T>>) {
        let mailbox = place.mailbox;
        // The server numbers an update 0 where its place does not matter.
        if place.pts == 0 {
            out.push(Step { item, change: Change::Nothing });
            return;
        }
        let underway = self.difference != Asking::No;
        let (counter, held) = match mailbox {
            Mailbox::Common => (&mut self.common, underway),
            Mailbox::Secondary => (&mut self.secondary, underway),
            Mailbox::Channel(id) => {
                // A channel's first update is where its box begins for us.
                let counter =
                    self.channels.entry(id).or_insert_with(|| Counter::at(place.pts.saturating_sub(place.count)));
                let held = counter.asking != Asking::No;
                (counter, held)
            }
        };
        match (counter.offer(place, item, held, now, out), mailbox) {
            (Offer::Done, _) => {}
            (Offer::Kept, Mailbox::Channel(id)) => {
                self.restless.insert(id);
            }
            (Offer::Kept, _) => {}
            (Offer::Overflow, Mailbox::Channel(id)) => {
                ask_again(&mut counter.asking, now);
                self.restless.insert(id);
            }
            (Offer::Overflow, _) => ask_again(&mut self.difference, now),
        }
    }

    /// Takes a container's place and its uncounted updates. Without a place (`seq` 0) they are handed on at once.
    /// <https://core.telegram.org/api/updates#seq-checking-and-applying>
    pub fn group(
        &mut self,
        start: i32,
        seq: i32,
        date: i32,
        items: &mut Vec<T>,
        now: Duration,
        out: &mut Vec<Step<T>>,
    ) {
        if start == 0 {
            hand_on(items.drain(..), Change::Nothing, out);
        } else if i64::from(start) <= i64::from(self.seq) {
            items.clear();
        } else if self.difference == Asking::No && i64::from(start) == i64::from(self.seq) + 1 {
            self.seq = seq;
            self.date = date;
            hand_on(items.drain(..), Change::Group { seq, date }, out);
            self.hand_on_groups(now, out);
        } else if self.early_groups.len() >= MAX_EARLY {
            // Full: all of it is part of the difference, but for what cannot be fetched again (typing, status).
            items.clear();
            self.early_groups.clear();
            self.gap_in_groups = None;
            ask_again(&mut self.difference, now);
        } else {
            let at = self.early_groups.partition_point(|group| group.start < start);
            self.early_groups.insert(at, Group { start, seq, date, items: std::mem::take(items) });
            if self.difference == Asking::No {
                self.gap_in_groups.get_or_insert(now + GAP_WAIT);
            }
        }
    }

    /// The server says that there is too much to push, or something came that cannot be read: the difference has it.
    pub fn too_long(&mut self, now: Duration) {
        ask_again(&mut self.difference, now);
    }

    /// The same for one channel; `pts` is where a channel begins that is not known yet.
    /// <https://core.telegram.org/constructor/updateChannelTooLong>
    pub fn channel_too_long(&mut self, id: i64, pts: Option<i32>, now: Duration) {
        match (self.channels.get_mut(&id), pts) {
            (Some(counter), Some(pts)) if counter.pts >= pts && counter.asking == Asking::No => {}
            (Some(counter), _) => {
                ask_again(&mut counter.asking, now);
                self.restless.insert(id);
            }
            (None, Some(pts)) => {
                self.channels.insert(id, Counter::at(pts));
            }
            (None, None) => {}
        }
    }

    /// The next thing to ask for, if its time has come. Call until `None`.
    pub fn poll_fetch(&mut self, now: Duration) -> Option<Fetch> {
        let silent = self.last_heard + SILENCE <= now;
        let gaps = [self.common.gap, self.secondary.gap, self.gap_in_groups];
        if self.difference == Asking::No && (silent || gaps.iter().flatten().any(|gap| *gap <= now)) {
            self.difference = Asking::From(now);
        }
        if is_due(self.difference, now) {
            self.difference = Asking::Underway { again: false };
            (self.common.gap, self.secondary.gap, self.gap_in_groups) = (None, None, None);
            self.last_heard = now;
            return Some(Fetch::Difference(self.state()));
        }
        let mut underway = 0;
        let mut due = None;
        let channels = &mut self.channels;
        self.restless.retain(|id| {
            let Some(counter) = channels.get_mut(id) else {
                return false;
            };
            if counter.asking == Asking::No && counter.gap.is_some_and(|gap| gap <= now) {
                counter.asking = Asking::From(now);
            }
            match counter.asking {
                Asking::Underway { .. } => underway += 1,
                asking if is_due(asking, now) => due = due.or(Some(*id)),
                _ => {}
            }
            counter.is_restless()
        });
        let counter = self.channels.get_mut(&due?)?;
        if underway >= CHANNELS_AT_ONCE {
            return None;
        }
        counter.asking = Asking::Underway { again: false };
        counter.gap = None;
        Some(Fetch::Channel { id: due?, pts: counter.pts })
    }

    /// When [`Sequencer::poll_fetch`] may have something next. A channel's turn may come earlier, when another's answer does.
    pub fn deadline(&self) -> Duration {
        let from = |asking: Asking| match asking {
            Asking::From(time) => Some(time),
            _ => None,
        };
        let mut deadline = self.last_heard + SILENCE;
        let common = [self.common.gap, self.secondary.gap, self.gap_in_groups, from(self.difference)];
        for time in common.into_iter().flatten() {
            deadline = deadline.min(time);
        }
        let restless = || self.restless.iter().filter_map(|id| self.channels.get(id));
        let underway = |counter: &&Counter<T>| matches!(counter.asking, Asking::Underway { .. });
        if restless().filter(underway).count() < CHANNELS_AT_ONCE {
            for time in restless().flat_map(|counter| [counter.gap, from(counter.asking)]).flatten() {
                deadline = deadline.min(time);
            }
        }
        deadline
    }

    /// The answer to [`Fetch::Difference`], after its updates were handed on: the state it brought, and whether it was the
    /// last slice. What came too early follows now.
    pub fn difference(&mut self, state: UpdateState, last: bool, now: Duration, out: &mut Vec<Step<T>>) {
        self.common.pts = state.pts;
        self.secondary.pts = state.qts;
        // updates.differenceTooLong and differenceEmpty leave some of it out.
        self.date = state.date;
        self.seq = state.seq;
        self.last_heard = now;
        out.push(Step { item: None, change: Change::State(state) });
        let again = matches!(self.difference, Asking::Underway { again: true });
        if !last || again {
            self.difference = Asking::From(now);
            return;
        }
        self.difference = Asking::No;
        self.common.hand_on(Mailbox::Common, now, out);
        self.secondary.hand_on(Mailbox::Secondary, now, out);
        self.hand_on_groups(now, out);
    }

    /// The answer to [`Fetch::Channel`], after its updates were handed on.
    pub fn channel_difference(&mut self, id: i64, pts: i32, last: bool, now: Duration, out: &mut Vec<Step<T>>) {
        let counter = self.channels.entry(id).or_insert_with(|| Counter::at(pts));
        counter.pts = pts;
        out.push(Step { item: None, change: Change::Counted(Mailbox::Channel(id), pts) });
        let again = matches!(counter.asking, Asking::Underway { again: true });
        if !last || again {
            counter.asking = Asking::From(now);
            return;
        }
        counter.asking = Asking::No;
        counter.hand_on(Mailbox::Channel(id), now, out);
        if counter.is_restless() {
            self.restless.insert(id);
        }
    }

    /// The channel cannot be followed any more (CHANNEL_PRIVATE): its state is forgotten, and what waited for it.
    pub fn forget_channel(&mut self, id: i64, out: &mut Vec<Step<T>>) {
        self.channels.remove(&id);
        out.push(Step { item: None, change: Change::Forgotten(id) });
    }

    /// The request failed; it is made again when `retry` has come.
    pub fn fetch_failed(&mut self, fetch: Fetch, retry: Duration) {
        match fetch {
            Fetch::Difference(_) => self.difference = Asking::From(retry),
            Fetch::Channel { id, .. } => {
                if let Some(counter) = self.channels.get_mut(&id) {
                    counter.asking = Asking::From(retry);
                }
            }
        }
    }

    /// True while something is missing: a gap waits, or a difference is asked for.
    pub fn is_behind(&self) -> bool {
        self.difference != Asking::No
            || self.gap_in_groups.is_some()
            || self.common.is_restless()
            || self.secondary.is_restless()
            || self.restless.iter().filter_map(|id| self.channels.get(id)).any(Counter::is_restless)
    }

    fn hand_on_groups(&mut self, now: Duration, out: &mut Vec<Step<T>>) {
        while let Some(first) = self.early_groups.first() {
            if i64::from(first.start) > i64::from(self.seq) + 1 {
                self.gap_in_groups = Some(now + GAP_WAIT);
                return;
            }
            let group = self.early_groups.remove(0);
            if group.start == self.seq.wrapping_add(1) {
                self.seq = group.seq;
                self.date = group.date;
                hand_on(group.items, Change::Group { seq: group.seq, date: group.date }, out);
            }
        }
        self.gap_in_groups = None;
    }
}

/// The state changes with the last of the items, or by itself where there is none.
fn hand_on<T>(items: impl IntoIterator<Item = T>, change: Change, out: &mut Vec<Step<T>>) {
    out.extend(items.into_iter().map(|item| Step { item: Some(item), change: Change::Nothing }));
    if change != Change::Nothing {
        out.push(Step { item: None, change });
    }
}

fn is_due(asking: Asking, now: Duration) -> bool {
    matches!(asking, Asking::From(time) if time <= now)
}

fn ask_again(asking: &mut Asking, now: Duration) {
    *asking = match *asking {
        Asking::No => Asking::From(now),
        Asking::From(time) => Asking::From(time),
        Asking::Underway { .. } => Asking::Underway { again: true },
    };
}

#[cfg(test)]
mod tests;
