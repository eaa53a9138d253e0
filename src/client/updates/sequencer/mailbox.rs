//! One box: its state, and what came too early for it.

use std::time::Duration;

use super::{Asking, Change, GAP_WAIT, MAX_EARLY, Step};
use crate::client::{Mailbox, Place};

pub(super) struct Counter<T> {
    /// The state: `pts`, or `qts`.
    pub pts: i32,
    /// By `pts`, ascending.
    early: Vec<Early<T>>,
    /// When the gap before the first of `early` counts as one.
    pub gap: Option<Duration>,
    /// Used for channels; the common box and `qts` share one difference.
    pub asking: Asking,
}

struct Early<T> {
    pts: i32,
    count: i32,
    item: Option<T>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// Handed on, or known already.
    Done,
    /// It waits for what comes before it.
    Kept,
    /// Too much came early: all of it was let go and must be fetched.
    Overflow,
}

impl<T> Counter<T> {
    pub fn at(pts: i32) -> Counter<T> {
        Counter { pts, early: Vec::new(), gap: None, asking: Asking::No }
    }

    /// True while something is missing, or on its way.
    pub fn is_restless(&self) -> bool {
        self.asking != Asking::No || self.gap.is_some()
    }

    /// `held`: a difference is underway, so that nothing is handed on.
    /// <https://core.telegram.org/api/updates#pts-checking-and-applying>
    #[inline]
    pub fn offer(&mut self, place: Place, item: Option<T>, held: bool, now: Duration, out: &mut Vec<Step<T>>) -> Offer {
        let before = i64::from(place.pts) - i64::from(place.count);
        if !held && before == i64::from(self.pts) {
            self.pts = place.pts;
            out.push(Step { item, change: Change::Counted(place.mailbox, place.pts) });
            if !self.early.is_empty() {
                self.hand_on(place.mailbox, now, out);
            }
            return Offer::Done;
        }
        if before < i64::from(self.pts) {
            return Offer::Done;
        }
        self.keep(place, item, held, now)
    }

    #[cold]
    fn keep(&mut self, place: Place, item: Option<T>, held: bool, now: Duration) -> Offer {
        if self.early.len() >= MAX_EARLY {
            self.early.clear();
            self.gap = None;
            return Offer::Overflow;
        }
        let at = self.early.partition_point(|early| early.pts <= place.pts);
        self.early.insert(at, Early { pts: place.pts, count: place.count, item });
        if !held {
            self.gap.get_or_insert(now + GAP_WAIT);
        }
        Offer::Kept
    }

    /// Hands on what is no longer too early; a gap that is left gets its half second.
    pub fn hand_on(&mut self, mailbox: Mailbox, now: Duration, out: &mut Vec<Step<T>>) {
        let mut done = 0;
        for early in &mut self.early {
            let before = i64::from(early.pts) - i64::from(early.count);
            if before > i64::from(self.pts) {
                break;
            }
            if before == i64::from(self.pts) {
                self.pts = early.pts;
                out.push(Step { item: early.item.take(), change: Change::Counted(mailbox, early.pts) });
            }
            done += 1;
        }
        self.early.drain(..done);
        self.gap = (!self.early.is_empty()).then_some(now + GAP_WAIT);
    }
}
