//! The one source of time for `client`, `lua` and `host`: real, or stepped by a test or by `sim.clock`.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::mtproto::Time;

/// A handle on time. Clones share it: advancing a stepped clock advances every clone.
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    Real { start: Instant },
    Stepped(Arc<watch::Sender<Time>>),
}

impl Clock {
    /// Time as it passes. `unix` is the wall clock: while the machine sleeps it goes on, and `mono` on most systems does not.
    pub fn real() -> Clock {
        Clock(Kind::Real { start: Instant::now() })
    }

    /// Time that stands still until [`Clock::advance`]; `unix` is what it shows at first.
    pub fn stepped(unix: Duration) -> Clock {
        Clock(Kind::Stepped(Arc::new(watch::Sender::new(Time { mono: Duration::ZERO, unix }))))
    }

    pub fn now(&self) -> Time {
        match &self.0 {
            Kind::Real { start } => {
                let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Time { mono: start.elapsed(), unix }
            }
            Kind::Stepped(now) => *now.borrow(),
        }
    }

    /// The monotonic part of [`Clock::now`] alone, for what reads it often.
    pub fn mono(&self) -> Duration {
        match &self.0 {
            Kind::Real { start } => start.elapsed(),
            Kind::Stepped(now) => now.borrow().mono,
        }
    }

    /// Moves a stepped clock forward and wakes every sleeper whose time has come. A real clock takes no notice.
    pub fn advance(&self, by: Duration) {
        if let Kind::Stepped(now) = &self.0 {
            now.send_modify(|now| {
                now.mono += by;
                now.unix += by;
            });
        }
    }

    /// What a stepped clock finds after the machine slept for so long: the wall clock went on, and nobody's time came.
    pub fn suspend(&self, by: Duration) {
        if let Kind::Stepped(now) = &self.0 {
            now.send_modify(|now| now.unix += by);
        }
    }

    /// True for a clock that only [`Clock::advance`] moves.
    pub fn is_stepped(&self) -> bool {
        matches!(self.0, Kind::Stepped(_))
    }

    pub async fn sleep(&self, duration: Duration) {
        let until = self.now().mono.saturating_add(duration);
        self.sleep_until(until).await
    }

    /// Returns once `now().mono` has reached `mono`.
    pub async fn sleep_until(&self, mono: Duration) {
        match &self.0 {
            Kind::Real { start } => match start.checked_add(mono) {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            },
            Kind::Stepped(now) => {
                let mut now = now.subscribe();
                // Fails only when every sender is gone, and `self` holds one.
                let _ = now.wait_for(|now| now.mono >= mono).await;
            }
        }
    }

    /// `Err(Elapsed)` where `future` is not ready within `duration`.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Result<F::Output, Elapsed> {
        tokio::select! {
            biased;
            output = future => Ok(output),
            () = self.sleep(duration) => Err(Elapsed),
        }
    }
}

/// The time given to [`Clock::timeout`] was over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time given was over")]
pub struct Elapsed;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stepped_clock_wakes_those_whose_time_has_come() {
        let clock = Clock::stepped(Duration::from_secs(1_700_000_000));
        let start = clock.now();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(60)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
        assert_eq!(clock.now().unix, start.unix + Duration::from_secs(60));
    }

    #[tokio::test]
    async fn a_machine_that_slept_finds_its_wall_clock_ahead() {
        let clock = Clock::stepped(Duration::from_secs(1_700_000_000));
        let before = clock.now();
        clock.suspend(Duration::from_secs(3_600));
        assert_eq!(clock.now(), Time { unix: before.unix + Duration::from_secs(3_600), ..before });
    }

    #[test]
    fn a_real_clock_shows_the_wall_clock_s_time() {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(Clock::real().now().unix >= wall);
    }

    #[tokio::test]
    async fn a_timeout_ends_what_takes_longer() {
        let clock = Clock::real();
        let never = std::future::pending::<()>();
        assert_eq!(clock.timeout(Duration::from_millis(5), never).await, Err(Elapsed));
        assert_eq!(clock.timeout(Duration::from_secs(5), async { 7 }).await, Ok(7));
    }
}
