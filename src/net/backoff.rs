//! How long to wait before the next attempt to connect.

use std::time::Duration;

use crate::crypto::Random;

const FIRST: Duration = Duration::from_millis(250);
const LAST: Duration = Duration::from_secs(30);
/// The longest wait after a connection that was of use, however short it was.
const LAST_AFTER_USE: Duration = Duration::from_secs(1);
/// After a connection that was of use for so long the next is made without a wait.
const STEADY: Duration = Duration::from_secs(10);

/// Doubles with every failure up to half a minute; a random half of each wait keeps many clients from returning at once.
pub(super) struct Backoff {
    next: Duration,
    /// The next connection that was of use and short is made again without a wait: once is no habit.
    forgives: bool,
}

impl Backoff {
    pub fn new() -> Backoff {
        Backoff { next: Duration::ZERO, forgives: true }
    }

    /// The next connection is made without a wait.
    pub fn reset(&mut self) {
        self.next = Duration::ZERO;
    }

    /// The connection, which is `age` old, is of use. A server that closes each after a packet is no reason to knock at its
    /// door without a pause, nor to leave what it would answer for half a minute.
    pub fn was_of_use(&mut self, age: Duration) {
        if age >= STEADY {
            *self = Backoff::new();
        } else if std::mem::take(&mut self.forgives) {
            self.next = Duration::ZERO;
        } else {
            self.next = self.next.min(LAST_AFTER_USE);
        }
    }

    /// The server asked for patience: the next waits are at least this long.
    pub fn at_least(&mut self, wait: Duration) {
        self.next = self.next.max(wait).min(LAST);
    }

    /// The wait that is due now: none the first time.
    pub fn next(&mut self, random: &mut dyn Random) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).clamp(FIRST, LAST);
        let share = random.u64() as f64 / u64::MAX as f64;
        wait / 2 + (wait / 2).mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SeededRandom;

    #[test]
    fn waits_grow_up_to_a_bound_and_start_anew_after_success() {
        let mut random = SeededRandom::new(1);
        let mut backoff = Backoff::new();
        assert_eq!(backoff.next(&mut random), Duration::ZERO);
        let mut bound = FIRST;
        for _ in 0..20 {
            let wait = backoff.next(&mut random);
            assert!(wait >= bound / 2 && wait <= bound, "{wait:?} of {bound:?}");
            bound = (bound * 2).min(LAST);
        }
        backoff.was_of_use(STEADY);
        assert_eq!(backoff.next(&mut random), Duration::ZERO);
        backoff.at_least(Duration::from_secs(5));
        assert!(backoff.next(&mut random) >= Duration::from_millis(2_500));
    }

    #[test]
    fn short_connections_that_were_of_use_are_made_again_about_once_a_second() {
        let mut random = SeededRandom::new(2);
        let mut backoff = Backoff::new();
        let mut waits = Duration::ZERO;
        for connection in 0..100 {
            let wait = backoff.next(&mut random);
            assert_eq!(wait.is_zero(), connection < 2, "the first and the second at once: {wait:?}");
            assert!(wait <= LAST_AFTER_USE, "{wait:?}");
            waits += wait;
            backoff.was_of_use(Duration::from_millis(3));
        }
        assert!(waits >= Duration::from_secs(46), "{waits:?} for 100 connections");
    }
}
