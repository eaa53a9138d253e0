//! What happened to a message box since a count: <https://core.telegram.org/api/updates#recovering-gaps>.

use super::{Entry, World};

/// How many changes of one account are kept. Whoever asks for older ones is told `differenceTooLong`.
pub const LOG_LIMIT: usize = 20_000;

/// The most entries in one answer; the rest comes in further slices.
pub const SLICE_LIMIT: i32 = 200;

/// The answer to `updates.getDifference`.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    Empty,
    /// The entries after the count asked for, in order. With `more`, not all of them: ask again from the last one's pts.
    Entries {
        entries: Vec<Entry>,
        more: bool,
    },
    /// The log does not reach back that far (or the count is none of this box's): go on from here.
    TooLong {
        pts: i32,
    },
}

impl World {
    /// What happened to the box of `account` after `pts`, at most about `limit` entries of it; nothing but `TooLong` if it is
    /// more than `total_limit`.
    pub fn difference(&self, account: i64, pts: i32, limit: Option<i32>, total_limit: Option<i32>) -> Difference {
        let Some(account) = self.account(account) else { return Difference::Empty };
        let now = account.pts();
        if pts == now {
            return Difference::Empty;
        }
        let log = account.log();
        let reach = log.front().map_or(now, |first| first.pts - first.count);
        let missed = i64::from(now) - i64::from(pts);
        if pts > now || pts < reach || total_limit.is_some_and(|most| missed > i64::from(most)) {
            return Difference::TooLong { pts: now };
        }
        let begin = log.partition_point(|entry| entry.pts <= pts);
        let limit = limit.unwrap_or(SLICE_LIMIT).clamp(1, SLICE_LIMIT) as usize;
        let entries: Vec<Entry> = log.iter().skip(begin).take(limit).cloned().collect();
        let more = entries.last().is_some_and(|last| last.pts < now);
        Difference::Entries { entries, more }
    }
}
