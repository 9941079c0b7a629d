//! Looks at the wall's clock for services that run at their times.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Host;
use crate::effects::clock;
use crate::supervise::{Fact, Hour, Ticket};

/// A time that was missed for longer, as by a machine that slept, is not made up for.
const LATE: Duration = Duration::from_secs(60);
/// The clock is looked at again after this, as it may have been set meanwhile.
const LONGEST: Duration = Duration::from_secs(3600);

impl Host {
    /// Tells whether the time of a schedule has come, and which is the next.
    pub(super) fn look(&self, service: usize, ticket: Ticket, due: Option<Timestamp>) {
        let Some(schedule) = self.plan.services.get(service).and_then(|planned| planned.schedule.as_ref()) else {
            return;
        };
        let now = clock::utc();
        let since = |earlier: Timestamp| Duration::try_from(now.duration_since(earlier)).ok();
        let next = schedule.next(now, &TimeZone::system());
        let until = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        let hour = Hour {
            is_due: due.and_then(since).is_some_and(|late| late <= LATE),
            next,
            look: until.map(|until| self.clock.now().after(until.min(LONGEST))),
        };
        let _ = self.facts.send(Fact::Looked(ticket, hour));
    }
}
