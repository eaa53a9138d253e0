//! The state that may be saved: it follows what scripts have delivered, however far ahead the stream is.

use std::collections::VecDeque;

use super::sequencer::Change;
use crate::client::Mailbox;
use crate::client::ids::IdMap;
use crate::storage::UpdateState;

/// Remembers what became true with which update, until every script has delivered that one.
pub(super) struct Ledger {
    state: UpdateState,
    /// Channels whose pts changed since the last [`Ledger::take`].
    channels: IdMap<i32>,
    changed: bool,
    /// By `seq`, ascending. As long as scripts are behind; the bound is that of their queues.
    undelivered: VecDeque<(u64, Change)>,
    /// The length at which `note` looks whether something was delivered meanwhile.
    next_trim: usize,
}

const TRIM_FROM: usize = 4_096;

impl Ledger {
    pub fn new(state: UpdateState) -> Ledger {
        let undelivered = VecDeque::new();
        Ledger { state, channels: IdMap::default(), changed: false, undelivered, next_trim: TRIM_FROM }
    }

    /// `change` is true once everything up to and including `seq` is delivered.
    pub fn note(&mut self, seq: u64, change: Change, delivered: impl FnOnce() -> u64) {
        if change == Change::Nothing {
            return;
        }
        self.undelivered.push_back((seq, change));
        if self.undelivered.len() >= self.next_trim {
            self.advance(delivered());
            self.next_trim = (self.undelivered.len() * 2).max(TRIM_FROM);
        }
    }

    /// Everything up to and including `seq` is delivered.
    pub fn advance(&mut self, delivered: u64) {
        while let Some((seq, change)) = self.undelivered.front()
            && *seq <= delivered
        {
            self.changed = true;
            match *change {
                Change::Nothing => {}
                Change::Counted(Mailbox::Common, pts) => self.state.pts = pts,
                Change::Counted(Mailbox::Secondary, qts) => self.state.qts = qts,
                Change::Counted(Mailbox::Channel(id), pts) => drop(self.channels.insert(id, pts)),
                Change::Group { seq, date } => {
                    self.state.seq = seq;
                    self.state.date = date;
                }
                Change::State(state) => self.state = state,
                Change::Forgotten(id) => drop(self.channels.insert(id, 0)),
            }
            self.undelivered.pop_front();
        }
    }

    /// What is to be saved, if it is not what was taken last. A channel with pts 0 is no longer followed.
    pub fn take(&mut self) -> Option<(UpdateState, IdMap<i32>)> {
        std::mem::take(&mut self.changed).then(|| (self.state, std::mem::take(&mut self.channels)))
    }

    /// True while a later [`Ledger::take`] may have more.
    pub fn is_waiting(&self) -> bool {
        self.changed || !self.undelivered.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UpdateState = UpdateState { pts: 100, qts: 1, date: 1, seq: 1 };

    #[test]
    fn the_saved_state_never_runs_ahead_of_what_is_delivered() {
        let mut ledger = Ledger::new(START);
        for seq in 1..=5 {
            ledger.note(seq, Change::Counted(Mailbox::Common, 100 + seq as i32), || 0);
        }
        ledger.note(5, Change::Group { seq: 2, date: 9 }, || 0);
        assert_eq!(ledger.take(), None);
        ledger.advance(3);
        assert_eq!(ledger.take().unwrap().0, UpdateState { pts: 103, ..START });
        assert_eq!(ledger.take(), None);
        assert!(ledger.is_waiting());
        ledger.advance(5);
        assert_eq!(ledger.take().unwrap().0, UpdateState { pts: 105, seq: 2, date: 9, ..START });
        assert!(!ledger.is_waiting());
    }

    #[test]
    fn a_difference_counts_when_its_last_update_is_delivered() {
        let mut ledger = Ledger::new(START);
        let after = UpdateState { pts: 500, qts: 2, date: 3, seq: 4 };
        ledger.note(7, Change::State(after), || 0);
        ledger.advance(6);
        assert_eq!(ledger.take(), None);
        ledger.advance(7);
        assert_eq!(ledger.take().unwrap().0, after);
    }

    #[test]
    fn only_channels_that_changed_are_saved() {
        let mut ledger = Ledger::new(START);
        ledger.note(1, Change::Counted(Mailbox::Channel(5), 50), || 0);
        ledger.note(2, Change::Counted(Mailbox::Channel(5), 51), || 0);
        ledger.advance(2);
        assert_eq!(ledger.take().unwrap().1, IdMap::from_iter([(5, 51)]));
        ledger.note(3, Change::Counted(Mailbox::Common, 101), || 0);
        ledger.advance(3);
        assert_eq!(ledger.take().unwrap().1, IdMap::default());
    }

    #[test]
    fn what_is_delivered_is_forgotten_though_nobody_saves() {
        let mut ledger = Ledger::new(START);
        for seq in 0..1_000_000 {
            ledger.note(seq, Change::Counted(Mailbox::Common, seq as i32), || seq);
        }
        assert!(ledger.undelivered.len() <= TRIM_FROM);
    }
}
