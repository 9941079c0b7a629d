//! What time it is.

use std::time::{Duration, Instant};

use jiff::{Timestamp, tz::TimeZone};

use crate::supervise::Moment;

/// The instant from which a duration is measured.
pub fn instant() -> Instant {
    Instant::now()
}

/// The wall's time, UTC.
pub fn utc() -> Timestamp {
    Timestamp::now()
}

/// The zone of this machine's clock, as `TZ` and `/etc/localtime` have it; UTC where they have none.
pub fn zone() -> TimeZone {
    TimeZone::system()
}

/// Counts from its creation. It also knows the wall time of that moment, so that moments can be shown.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    wall: Timestamp,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self { start: Instant::now(), wall: Timestamp::now() }
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        Moment(self.start.elapsed())
    }

    /// A moment as the runtime's timers want it.
    pub fn instant(&self, moment: Moment) -> Instant {
        self.start + moment.0
    }

    /// A moment on the wall.
    pub fn wall(&self, moment: Moment) -> Timestamp {
        self.wall.checked_add(moment.0).unwrap_or(self.wall)
    }

    /// How long until a moment; nothing once it has passed.
    pub fn until(&self, moment: Moment) -> Duration {
        moment.since(self.now())
    }
}
