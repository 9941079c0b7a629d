//! When something runs again and again, as cron writes it.

use std::fmt;
use std::str::FromStr;

use croner::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Times by cron's five fields, or six with seconds before them, on the wall of a time zone.
///
/// Where clocks are set forward, a time that is left out comes right after the gap; where they are set back, one that is
/// there twice comes once, but what comes every minute or hour goes on through both. That is Vixie cron's way.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    cron: Cron,
    zone: Option<TimeZone>,
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    #[error("`{0}` is no schedule: {1}")]
    Pattern(String, String),
    #[error("`{0}` is no time zone that is known here")]
    Zone(String),
    #[error("`{0}` never comes")]
    Never(String),
}

impl Schedule {
    /// Reads a schedule, and a time zone by its name (`Europe/Berlin`); without one it is that of this machine.
    pub fn parse(pattern: &str, zone: Option<&str>) -> Result<Self, BadSchedule> {
        let bad = |error: croner::errors::CronError| BadSchedule::Pattern(pattern.to_owned(), error.to_string());
        let cron = Cron::from_str(pattern).map_err(bad)?;
        let zone = zone.map(|name| TimeZone::get(name).map_err(|_| BadSchedule::Zone(name.to_owned()))).transpose()?;
        let schedule = Self { cron, zone };
        // Any moment will do: `30 2 31 2 *` has no next one.
        match schedule.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC) {
            Some(_) => Ok(schedule),
            None => Err(BadSchedule::Never(pattern.to_owned())),
        }
    }

    /// The next time after a moment; `local` is the time zone of this machine.
    pub fn next(&self, after: Timestamp, local: &TimeZone) -> Option<Timestamp> {
        let after = after.to_zoned(self.zone.as_ref().unwrap_or(local).clone());
        self.cron.find_next_occurrence(&after, false).ok().map(|next| next.timestamp())
    }
}

/// As it is written.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cron.as_str())?;
        match self.zone.as_ref().and_then(TimeZone::iana_name) {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pattern: &str, zone: Option<&str>, moment: &str) -> String {
        let schedule = Schedule::parse(pattern, zone).unwrap();
        schedule.next(moment.parse().unwrap(), &TimeZone::UTC).unwrap().to_string()
    }

    #[test]
    fn the_next_time_is_after_the_moment_and_on_the_wall_of_its_zone() {
        let cases = [
            ("*/5 * * * *", None, "2026-03-01T10:05:00Z", "2026-03-01T10:10:00Z"),
            ("*/2 * * * * *", None, "2026-03-01T10:05:00.5Z", "2026-03-01T10:05:02Z"),
            ("@daily", None, "2026-03-01T10:05:00Z", "2026-03-02T00:00:00Z"),
            ("0 9 * * MON", None, "2026-03-01T10:05:00Z", "2026-03-02T09:00:00Z"),
            ("0 9 * * *", Some("Europe/Berlin"), "2026-01-01T00:00:00Z", "2026-01-01T08:00:00Z"),
            ("0 9 * * *", Some("Europe/Berlin"), "2026-07-01T00:00:00Z", "2026-07-01T07:00:00Z"),
            // Half past two is left out on this day: it comes when the clock has been set forward.
            ("30 2 * * *", Some("Europe/Berlin"), "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            // It is there twice on this one, and comes once.
            ("30 2 * * *", Some("Europe/Berlin"), "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("30 2 * * *", Some("Europe/Berlin"), "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            ("30 * * * *", Some("Europe/Berlin"), "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ];
        for (pattern, zone, moment, expected) in cases {
            assert_eq!(after(pattern, zone, moment), expected, "{pattern} {zone:?}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_told() {
        assert!(matches!(Schedule::parse("61 * * * *", None), Err(BadSchedule::Pattern(..))));
        assert!(matches!(Schedule::parse("hourly", None), Err(BadSchedule::Pattern(..))));
        assert_eq!(Schedule::parse("30 2 31 2 *", None), Err(BadSchedule::Never("30 2 31 2 *".into())));
        assert_eq!(Schedule::parse("@daily", Some("Mars/North")), Err(BadSchedule::Zone("Mars/North".into())));
    }
}
