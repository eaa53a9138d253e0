//! How often a script went over a limit: too often, and it is stopped.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

/// So many handlers that had to be ended for going over a limit, within so long, are too many: the version ends.
pub const STRIKES: (usize, Duration) = (3, Duration::from_secs(60));

/// When handlers of a version had to be ended, the last few times.
#[derive(Default)]
pub(super) struct Strikes(RefCell<VecDeque<Duration>>);

impl Strikes {
    /// Notes one at this time of the monotonic clock; true where it is one too many.
    pub fn add(&self, now: Duration) -> bool {
        let mut at = self.0.borrow_mut();
        at.push_back(now);
        at.retain(|at| now.saturating_sub(*at) < STRIKES.1);
        at.len() >= STRIKES.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_a_minute_are_too_many_and_three_in_two_are_not() {
        let strikes = Strikes::default();
        let at = |seconds| strikes.add(Duration::from_secs(seconds));
        assert!(!at(0));
        assert!(!at(59));
        assert!(!at(60), "the first is a minute ago");
        assert!(!at(119));
        assert!(at(119), "three within 59 seconds");
    }
}
