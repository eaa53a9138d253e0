//! How the handlers of a version fare: calls, errors, and the time that they took.
//!
//! A handler's time is that for which it kept its chat waiting: from its call until it returned, or waited in `ask`, `wait_for`
//! or `sleep`. What it waits for Telegram counts, what it waits for a person does not.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Buckets between a power of two and the next: no figure is off by more than an eighth.
const PARTS: usize = 4;
/// The last power of two microseconds that has buckets of its own, 67 s; what takes longer is in the last of these.
const OCTAVES: usize = 27;
const BUCKETS: usize = OCTAVES * PARTS;

/// One handler's figures. Only the script's thread writes them, so no read-modify-write is needed; whoever shows them reads.
pub(super) struct Profile {
    event: &'static str,
    place: String,
    calls: AtomicU64,
    errors: AtomicU64,
    nanoseconds: AtomicU64,
    times: [AtomicU32; BUCKETS],
}

/// What one is in memory.
pub(super) const PROFILE_BYTES: usize = size_of::<Profile>();

/// How one handler has fared since its version is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerStats {
    /// What it was registered for: `message`, `callback_query` …
    pub event: &'static str,
    /// `file:line` of the registration.
    pub place: String,
    pub calls: u64,
    /// Calls that raised an error.
    pub errors: u64,
    /// Of all calls that returned, or went into `ask`, `wait_for` or `sleep`.
    pub total: Duration,
    /// Of a hundred calls, 99 took no longer; to an eighth.
    pub p99: Duration,
}

impl Profile {
    pub fn new(event: &'static str, place: String) -> Profile {
        Profile {
            event,
            place,
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
            times: [const { AtomicU32::new(0) }; BUCKETS],
        }
    }

    pub fn called(&self) {
        self.calls.store(self.calls.load(Relaxed) + 1, Relaxed);
    }

    pub fn failed(&self) {
        self.errors.store(self.errors.load(Relaxed) + 1, Relaxed);
    }

    pub fn took(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.store(self.nanoseconds.load(Relaxed).saturating_add(nanoseconds), Relaxed);
        let bucket = &self.times[bucket_of(nanoseconds / 1_000)];
        bucket.store(bucket.load(Relaxed).saturating_add(1), Relaxed);
    }

    fn stats(&self) -> HandlerStats {
        let times: Vec<u64> = self.times.iter().map(|count| u64::from(count.load(Relaxed))).collect();
        HandlerStats {
            event: self.event,
            place: self.place.clone(),
            calls: self.calls.load(Relaxed),
            errors: self.errors.load(Relaxed),
            total: Duration::from_nanos(self.nanoseconds.load(Relaxed)),
            p99: p99(&times),
        }
    }
}

/// A call that is measured.
pub(super) struct Call {
    profile: Arc<Profile>,
    /// None before it begins, and once it has been measured.
    began: Option<Duration>,
}

impl Call {
    pub fn of(profile: &Arc<Profile>) -> Call {
        Call { profile: profile.clone(), began: None }
    }

    pub fn begin(&mut self, now: Duration) {
        self.profile.called();
        self.began = Some(now);
    }

    /// It returned, or keeps nobody waiting any more. Only the first counts.
    pub fn end(&mut self, now: impl FnOnce() -> Duration) {
        if let Some(began) = self.began.take() {
            self.profile.took(now().saturating_sub(began));
        }
    }

    pub fn failed(&self) {
        self.profile.failed();
    }
}

/// Up to 4 µs a bucket each, and from there on [`PARTS`] to an octave.
fn bucket_of(microseconds: u64) -> usize {
    const BITS: u32 = PARTS.ilog2();
    if microseconds < PARTS as u64 {
        return microseconds as usize;
    }
    let octave = microseconds.ilog2();
    let part = (microseconds >> (octave - BITS)) as usize % PARTS;
    ((octave - BITS + 1) as usize * PARTS + part).min(BUCKETS - 1)
}

/// The time at which a bucket ends.
fn end_of(bucket: usize) -> Duration {
    if bucket < PARTS {
        return Duration::from_micros(bucket as u64 + 1);
    }
    let (shift, part) = (bucket / PARTS - 1, bucket % PARTS);
    Duration::from_micros(((PARTS + part + 1) as u64) << shift)
}

fn p99(times: &[u64]) -> Duration {
    let all: u64 = times.iter().sum();
    if all == 0 {
        return Duration::ZERO;
    }
    let wanted = all - all / 100;
    let mut seen = 0;
    let reached = times.iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    reached.map_or(Duration::ZERO, end_of)
}

/// The figures of all handlers of a version, in the order of their registration.
#[derive(Default)]
pub(super) struct Profiles(Mutex<Vec<Arc<Profile>>>);

impl Profiles {
    pub fn add(&self, profile: Arc<Profile>) {
        self.lock().push(profile);
    }

    pub fn remove(&self, profile: &Arc<Profile>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, profile));
    }

    pub fn stats(&self) -> Vec<HandlerStats> {
        self.lock().iter().map(|profile| profile.stats()).collect()
    }

    /// What all took together, of handlers that are still registered.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.lock().iter().map(|profile| profile.nanoseconds.load(Relaxed)).sum())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Profile>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_lies_in_its_bucket_which_is_no_wider_than_a_quarter_of_it() {
        let mut last = 0;
        for microseconds in (0..2_000).chain((0..500).map(|step| 2_000 + step * 100_003)) {
            let bucket = bucket_of(microseconds);
            assert!(bucket >= last, "{microseconds}");
            last = bucket;
            let (time, end) = (Duration::from_micros(microseconds), end_of(bucket));
            assert!(time < end, "{microseconds} in {bucket} to {end:?}");
            assert!(end <= time + time / 4 + Duration::from_micros(1), "{microseconds} in {bucket} to {end:?}");
        }
    }

    #[test]
    fn what_takes_for_ever_is_in_the_last_bucket() {
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        let longest = end_of(BUCKETS - 1);
        assert!(longest > Duration::from_secs(60), "{longest:?}");
    }

    #[test]
    fn one_call_in_a_hundred_may_take_longer_than_the_p99() {
        let profile = Profile::new("message", "a.lua:1".into());
        (0..99).for_each(|_| profile.took(Duration::from_millis(1)));
        profile.took(Duration::from_secs(5));
        let stats = profile.stats();
        assert!(stats.p99 >= Duration::from_millis(1) && stats.p99 < Duration::from_millis(2), "{:?}", stats.p99);
        assert_eq!(stats.total, Duration::from_millis(5_099));
        profile.took(Duration::from_secs(5));
        assert!(profile.stats().p99 >= Duration::from_secs(5));
    }

    #[test]
    fn a_handler_that_was_not_called_took_no_time() {
        let stats = Profile::new("message", "a.lua:1".into()).stats();
        assert_eq!((stats.calls, stats.total, stats.p99), (0, Duration::ZERO, Duration::ZERO));
    }
}
