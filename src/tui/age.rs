//! How long ago something was, in few letters, and how long that stays true: so a frame is drawn again when it would lie,
//! and not before.

use std::time::Duration;

use jiff::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The time since something: seconds of the first minute, then minutes, hours and days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Age {
    pub text: String,
    /// When it will be another text.
    pub until: Timestamp,
}

impl Age {
    /// Of what was at a time. What is still to come, as by a clock that was set, is as of now.
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        let age = Duration::try_from(now.duration_since(at)).unwrap_or_default();
        let (unit, letter) = match age.as_secs() {
            seconds if seconds < MINUTE => (1, 's'),
            seconds if seconds < HOUR => (MINUTE, 'm'),
            seconds if seconds < 2 * DAY => (HOUR, 'h'),
            _ => (DAY, 'd'),
        };
        let count = age.as_secs() / unit;
        let left = Duration::from_secs((count + 1) * unit).saturating_sub(age);
        Self { text: format!("{count}{letter}"), until: now.checked_add(left).unwrap_or(Timestamp::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(millis: i64) -> (String, i64) {
        let at: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let now = at + jiff::SignedDuration::from_millis(millis);
        let age = Age::new(at, now);
        (age.text, age.until.duration_since(now).as_millis().try_into().unwrap())
    }

    #[test]
    fn it_tells_when_it_is_another() {
        let told = [
            (0, "0s", 1000),
            (1800, "1s", 200),
            (59_999, "59s", 1),
            (60_000, "1m", 60_000),
            (107_000, "1m", 13_000),
            (3_599_000, "59m", 1000),
            (3_600_000, "1h", 3_600_000),
            (47 * 3_600_000, "47h", 3_600_000),
            (49 * 3_600_000, "2d", 23 * 3_600_000),
            // A clock that was set back.
            (-5000, "0s", 1000),
        ];
        for (millis, text, left) in told {
            assert_eq!(age(millis), (text.to_owned(), left), "{millis} ms");
        }
    }
}
