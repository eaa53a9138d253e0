//! How much a script may write to the log: enough to follow it, not enough to fill a disk.

use std::cell::Cell;
use std::time::Duration;

/// What may be written at once, in parts of [`PART`] bytes; a shorter line is one part.
const BURST: u64 = 500;
/// Parts that may be written each second after that.
const A_SECOND: u64 = 50;
const PART: u64 = 512;

/// A script's share of the log.
pub(super) struct LogRate {
    left: Cell<u64>,
    /// Up to when `left` was filled, on the monotonic clock.
    filled: Cell<Duration>,
    left_out: Cell<u64>,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Written,
    /// It is written, after so many that were not.
    After(u64),
    /// It is left out, the first of them.
    FirstLeftOut,
    LeftOut,
}

impl Default for LogRate {
    fn default() -> LogRate {
        LogRate { left: Cell::new(BURST), filled: Cell::new(Duration::ZERO), left_out: Cell::new(0) }
    }
}

impl LogRate {
    /// Asks for a line of so many bytes.
    pub fn take(&self, bytes: usize, now: Duration) -> Line {
        let since = now.saturating_sub(self.filled.get());
        let more = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_mul(A_SECOND) / 1000;
        if more > 0 {
            self.left.set(self.left.get().saturating_add(more).min(BURST));
            self.filled.set(now);
        }
        let parts = 1 + bytes as u64 / PART;
        match self.left.get().checked_sub(parts) {
            Some(left) => {
                self.left.set(left);
                match self.left_out.take() {
                    0 => Line::Written,
                    count => Line::After(count),
                }
            }
            None => {
                self.left_out.set(self.left_out.get() + 1);
                if self.left_out.get() == 1 { Line::FirstLeftOut } else { Line::LeftOut }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let rate = LogRate::default();
        let at = |ms| rate.take(10, Duration::from_millis(ms));
        for _ in 0..BURST {
            assert_eq!(at(1), Line::Written);
        }
        assert_eq!(at(1), Line::FirstLeftOut);
        assert_eq!(at(2), Line::LeftOut);
        assert_eq!(at(1_002), Line::After(2));
        assert_eq!(at(1_002), Line::Written);
    }

    #[test]
    fn long_lines_count_for_more() {
        let rate = LogRate::default();
        let lines = (0..1000).filter(|_| rate.take(16 << 10, Duration::ZERO) == Line::Written).count();
        assert!(lines * (16 << 10) <= (BURST * PART) as usize, "{lines}");
    }
}
