//! From started to ready: log lines, listeners, and where probes begin.

use std::time::Duration;

use super::World;
use super::probes::{NOT_SAID, first_try, no_line};
use crate::model::ProbeKind;
use crate::plan::Ready;
use crate::supervise::input::{Moment, Swept};
use crate::supervise::instance::Spot;
use crate::supervise::phase::{Health, Phase, Up};

/// Between two looks at who listens: a quarter of the age of the youngest service that does not, in these limits.
const SWEEP_LIMITS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(500));

/// A program that does not listen after this long may never do so, and is looked at less often.
const SLOW: Duration = Duration::from_secs(60);

impl World {
    /// It has started: what is to tell that it is ready?
    pub(super) fn await_readiness(&mut self, now: Moment, spot: Spot) {
        let plan = self.plan.clone();
        let Phase::Up(up) = &mut self.instance_mut(spot).phase else { return };
        match &plan.services[spot.service].readiness {
            Ready::Started => up.be_ready(now),
            Ready::Log(_) | Ready::Notify if up.shown.has(ProbeKind::Readiness) => up.be_ready(now),
            Ready::Log(pattern) => up.probing.error = Some(no_line(pattern)),
            Ready::Notify => up.probing.error = Some(NOT_SAID.to_owned()),
            Ready::Listening(_) => self.sweep_soon(now),
            Ready::Probe(probe) => up.probing.next = Some(first_try(now, probe)),
        }
    }

    pub(super) fn become_ready(&mut self, now: Moment, spot: Spot) {
        let Phase::Up(up) = &mut self.instance_mut(spot).phase else { return };
        if up.health != Health::Ready {
            up.be_ready(now);
            self.touch_neighbours(spot.service);
        }
    }

    fn sweep_soon(&mut self, now: Moment) {
        let soon = now.after(SWEEP_LIMITS.0);
        self.sweep.next = Some(self.sweep.next.map_or(soon, |next| next.min(soon)));
    }

    pub(super) fn swept(&mut self, now: Moment, findings: Vec<Swept>) {
        self.sweep.under_way = false;
        for finding in findings {
            let Some(spot) = self.find(finding.incarnation) else { continue };
            if finding.listening {
                self.become_ready(now, spot);
                continue;
            }
            let Phase::Up(up) = &mut self.instance_mut(spot).phase else { continue };
            up.probing.tries += 1;
            if up.probing.error != finding.finding {
                up.probing.error = finding.finding;
                self.touch(spot.service);
            }
        }
        let youngest = self.awaiting_listeners().map(|(_, up)| up.started).max();
        self.sweep.next = youngest.map(|started| {
            let age = now.since(started);
            let longest = if age < SLOW { SWEEP_LIMITS.1 } else { SWEEP_LIMITS.1 * 10 };
            now.after((age / 4).clamp(SWEEP_LIMITS.0, longest))
        });
    }

    pub(super) fn awaiting_listeners(&self) -> impl Iterator<Item = (usize, &Up)> {
        let rows = self.rows.iter().enumerate();
        let instances = rows.flat_map(|(service, row)| row.instances.iter().map(move |it| (service, &it.phase)));
        instances.filter_map(|(service, phase)| match phase {
            Phase::Up(up)
                if up.health == Health::Starting
                    && up.startup.is_none()
                    && matches!(self.plan.services[service].readiness, Ready::Listening(_)) =>
            {
                Some((service, up))
            }
            _ => None,
        })
    }
}
