//! Cron patterns in a time zone.
//!
//! What a pattern means where the clock changes is croner's rule, which is that of Vixie's cron: a fixed time that the clock
//! leaps over comes right after the leap, one that it shows twice comes the first time, and what has a `*` or a step in its
//! hours or minutes follows the clock as it is shown.

use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use jiff::Timestamp;
use jiff::tz::{self, TimeZone};

use crate::tl;

/// Longer patterns are nobody's.
const MAX_PATTERN: usize = 256;

pub(super) struct Schedule {
    pattern: String,
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// Five fields, or six with the seconds first, or `@daily` and its like. Without a zone it is the host's own.
    pub fn parse(pattern: &str, zone: Option<&str>) -> Result<Schedule, String> {
        if pattern.len() > MAX_PATTERN || !pattern.is_ascii() {
            return Err(format!("a pattern has at most {MAX_PATTERN} characters, which are ASCII"));
        }
        let cron = Cron::from_str(pattern).map_err(|error| {
            let reason = error.to_string();
            format!("{pattern:?} is not a cron pattern: {}", reason.trim_end_matches('.'))
        })?;
        let zone = match zone {
            Some(name) => TimeZone::get(name).map_err(|_| no_zone(name))?,
            None => TimeZone::system(),
        };
        Ok(Schedule { pattern: pattern.to_owned(), cron, zone })
    }

    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The first time after `now`, both Unix; none where none comes.
    pub fn next(&self, now: Duration) -> Option<Duration> {
        let seconds = i64::try_from(now.as_secs()).ok()?;
        let now = Timestamp::new(seconds, 0).ok()?.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&now, false).ok()?;
        u64::try_from(next.timestamp().as_second()).ok().map(Duration::from_secs)
    }
}

fn no_zone(name: &str) -> String {
    let known: Vec<String> = tz::db().available().map(|zone| zone.as_str().to_owned()).collect();
    let near = tl::nearest(name, known.iter().map(String::as_str));
    let near = near.map_or_else(|| "they are like Europe/Berlin".to_owned(), |near| format!("did you mean {near}?"));
    format!("there is no time zone {name:?}; {near}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(text: &str) -> Duration {
        let time: Timestamp = text.parse().unwrap();
        Duration::from_secs(time.as_second() as u64)
    }

    /// The times after `from`, as UTC.
    fn check(pattern: &str, zone: &str, from: &str, expected: &[&str]) {
        let schedule = Schedule::parse(pattern, Some(zone)).unwrap();
        let mut now = unix(from);
        for (i, expected) in expected.iter().enumerate() {
            let next = schedule.next(now).unwrap();
            let shown = Timestamp::from_second(next.as_secs() as i64).unwrap().to_string();
            assert_eq!(shown, *expected, "{pattern} in {zone}, number {i}");
            now = next;
        }
    }

    #[test]
    fn a_time_of_day_follows_its_zone() {
        check("0 9 * * *", "Europe/Berlin", "2026-01-10T08:00:00Z", &["2026-01-11T08:00:00Z"]);
        check("0 9 * * *", "Europe/Berlin", "2026-07-10T08:00:00Z", &["2026-07-11T07:00:00Z"]);
        check("0 9 * * *", "Asia/Kolkata", "2026-07-10T00:00:00Z", &["2026-07-10T03:30:00Z"]);
        check("0 9 * * 1-5", "UTC", "2026-07-10T09:00:00Z", &["2026-07-13T09:00:00Z"]);
        check("30 * * * * *", "UTC", "2026-07-10T09:00:00Z", &["2026-07-10T09:00:30Z", "2026-07-10T09:01:30Z"]);
        check("@hourly", "UTC", "2026-07-10T09:00:00Z", &["2026-07-10T10:00:00Z"]);
    }

    #[test]
    fn a_time_that_the_clock_leaps_over_comes_right_after() {
        // On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00, at 01:00 UTC.
        check("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        let before = "2026-03-29T00:40:00Z";
        check("*/30 * * * *", "Europe/Berlin", before, &["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]);
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_comes_once() {
        // On 25 October 2026 they go from 03:00 back to 02:00, at 01:00 UTC.
        check("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        let before = "2026-10-25T00:10:00Z";
        let expected = ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"];
        check("*/30 * * * *", "Europe/Berlin", before, &expected);
    }

    #[test]
    fn the_leap_day_comes_every_four_years() {
        check("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
        check("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z"]);
        check("0 0 L * *", "UTC", "2028-02-01T00:00:00Z", &["2028-02-29T00:00:00Z"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        fn check(pattern: &str, zone: &str, expected: &str) {
            let problem = Schedule::parse(pattern, Some(zone)).err().unwrap();
            assert!(problem.contains(expected), "{problem}");
        }
        check("99 * * * *", "UTC", "\"99 * * * *\" is not a cron pattern: ");
        check("* * *", "UTC", "\"* * *\" is not a cron pattern: ");
        check("", "UTC", "\"\" is not a cron pattern: ");
        check("0 9 * * *", "Europe/Berlni", "there is no time zone \"Europe/Berlni\"; did you mean Europe/Berlin?");
        check("0 9 * * *", "../../etc/passwd", "there is no time zone");
        check("0 9 * * *", "", "there is no time zone");
        check(&"*".repeat(300), "UTC", "at most 256 characters");
    }

    #[test]
    fn a_day_that_never_comes_has_no_next() {
        assert_eq!(Schedule::parse("0 0 30 2 *", Some("UTC")).unwrap().next(unix("2026-01-01T00:00:00Z")), None);
    }

    /// A field may be anything: no pattern makes more than an error.
    #[test]
    fn nonsense_is_an_error_and_no_panic() {
        let pieces = [
            "*",
            "1",
            "60",
            "-",
            "/",
            ",",
            "L",
            "W",
            "#",
            "?",
            "MON",
            "JAN",
            " ",
            "@",
            "1-5",
            "*/0",
            "5-1",
            "4294967296",
        ];
        let mut number = 1u64;
        for _ in 0..20_000 {
            let mut pattern = String::new();
            for _ in 0..number >> 33 & 15 {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                pattern.push_str(pieces[(number >> 40) as usize % pieces.len()]);
                if number >> 60 & 1 == 0 {
                    pattern.push(' ');
                }
            }
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if let Ok(schedule) = Schedule::parse(&pattern, Some("Europe/Berlin")) {
                let now = unix("2026-03-28T12:00:00Z");
                assert!(schedule.next(now).is_none_or(|next| next > now), "{pattern}");
            }
        }
    }
}
