//! Names the script of a thread that is stuck: in a C function that no hook reaches and no budget bounds, or in a call of
//! the system. Nothing can be done about it from outside but to say so.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::budget::Beat;
use crate::net::Clock;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// A thread that has been about one thing for this much longer than its limit of CPU time is stuck: a handler that computes
/// is ended before, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Watches a version's thread until it ends. Time is real, even where the scripts' clock is stepped: it is the machine's
/// time that is used up.
pub(super) fn watch(script: &str, version: u64, cpu: Duration, beat: &Arc<Beat>) {
    let limit = cpu.saturating_mul(3).saturating_add(PATIENCE);
    tokio::spawn(run(script.to_owned(), version, Arc::downgrade(beat), Watch::new(limit)));
}

async fn run(script: String, version: u64, beat: Weak<Beat>, mut watch: Watch) {
    let clock = Clock::real();
    loop {
        clock.sleep(EVERY).await;
        let Some(beat) = beat.upgrade() else { return };
        match watch.look(beat.get(), clock.now().mono) {
            None => {}
            Some(News::Stuck(time)) => tracing::error!(
                script,
                version,
                "the thread of {script} has been stuck for {} s and cannot be stopped: the other scripts go on, this one \
                 answers nothing. Mend it and start the host again; if it is not at fault, please report it",
                time.as_secs()
            ),
            Some(News::Free) => tracing::warn!(script, version, "the thread of {script} is no longer stuck"),
        }
    }
}

/// What was seen of a thread.
struct Watch {
    limit: Duration,
    /// What it is about, and since when at least.
    since: Option<(u64, Duration)>,
    told: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum News {
    Stuck(Duration),
    Free,
}

impl Watch {
    fn new(limit: Duration) -> Watch {
        Watch { limit, since: None, told: false }
    }

    /// Takes notice of what the thread is about now; what is worth telling.
    fn look(&mut self, about: Option<u64>, now: Duration) -> Option<News> {
        let known = self.since.filter(|(before, _)| Some(*before) == about);
        self.since = known.or(about.map(|about| (about, now)));
        let time = known.map_or(Duration::ZERO, |(_, at)| now.saturating_sub(at));
        match (time >= self.limit, self.told) {
            (true, false) => {
                self.told = true;
                Some(News::Stuck(time))
            }
            (false, true) => {
                self.told = false;
                Some(News::Free)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_about_one_thing_too_long_is_told_of_once_and_again_when_it_is_free() {
        let mut watch = Watch::new(Duration::from_secs(10));
        let mut look = |about, second| watch.look(about, Duration::from_secs(second));
        assert_eq!(look(Some(7), 1), None);
        assert_eq!(look(Some(7), 10), None);
        assert_eq!(look(Some(7), 11), Some(News::Stuck(Duration::from_secs(10))));
        assert_eq!(look(Some(7), 30), None);
        assert_eq!(look(Some(8), 31), Some(News::Free));
        assert_eq!(look(Some(8), 40), None);
    }

    #[test]
    fn a_thread_that_does_ever_new_things_or_nothing_is_not_stuck() {
        let mut watch = Watch::new(Duration::from_secs(10));
        for second in 0..100 {
            let about = if second < 50 { Some(second) } else { None };
            assert_eq!(watch.look(about, Duration::from_secs(second)), None);
        }
    }
}
