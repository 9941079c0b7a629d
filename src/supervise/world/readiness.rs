//! From running to ready: probes, log lines, listeners.

use std::time::Duration;

use super::World;
use crate::plan::{PlannedCheck, Ready};
use crate::supervise::input::{Incarnation, Moment, Swept};
use crate::supervise::instance::Spot;
use crate::supervise::phase::{Health, Phase, Up};

/// The first tries of a probe come quickly, each later than the one before, up to its period.
const FIRST_TRY: Duration = Duration::from_millis(10);
/// A try that starts a process is dearer.
const FIRST_EXEC_TRY: Duration = Duration::from_millis(50);
/// Between two looks at who listens: a quarter of the age of the youngest service that does not, in these limits.
const SWEEP_LIMITS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(500));

/// A program that does not listen after this long may never do so, and is looked at less often.
const SLOW: Duration = Duration::from_secs(60);

impl World {
    /// A process has just started: what is to tell that it is ready?
    pub(super) fn await_readiness(&mut self, now: Moment, service: usize, up: &mut Up, proven: bool) {
        match &self.plan.services[service].readiness {
            Ready::Started => up.be_ready(now),
            Ready::Log(_) | Ready::Notify if proven => up.be_ready(now),
            Ready::Log(pattern) => up.probing.error = Some(format!("no line matches `{pattern}` yet")),
            Ready::Notify => {
                up.probing.error = Some("it has not said yet that it is ready (READY=1 to `NOTIFY_SOCKET`)".into())
            }
            Ready::Listening(_) => self.sweep_soon(now),
            Ready::Probe(probe) => up.probing.next = Some(now.after(probe.rhythm.initial_delay.max(FIRST_TRY))),
        }
    }

    pub(super) fn probed(&mut self, now: Moment, incarnation: Incarnation, result: Result<(), String>) {
        let Some(spot) = self.find(incarnation) else { return };
        let (service, plan) = (spot.service, self.plan.clone());
        let Ready::Probe(probe) = &plan.services[service].readiness else { return };
        if self.instance(spot).is_unjudged {
            return;
        }
        let Phase::Up(up) = &mut self.instance_mut(spot).phase else { return };
        let probing = &mut up.probing;
        probing.tries += 1;
        let before = up.health;
        match result {
            Ok(()) => {
                probing.failures = 0;
                probing.successes += 1;
                if probing.successes >= probe.rhythm.success_threshold {
                    up.be_ready(now);
                }
            }
            Err(error) => {
                probing.successes = 0;
                probing.failures += 1;
                probing.error = Some(error);
                if up.health == Health::Ready && probing.failures >= probe.rhythm.failure_threshold {
                    up.health = Health::Unhealthy;
                }
            }
        }
        let probing = &mut up.probing;
        let quiet = up.health == Health::Ready && probing.failures == 0;
        let first = if matches!(probe.check, PlannedCheck::Exec(_)) { FIRST_EXEC_TRY } else { FIRST_TRY };
        let pause = match (quiet, up.health) {
            (true, _) => probe.rhythm.quiet_period,
            (false, Health::Starting) => growing(first, probing.tries).min(probe.rhythm.period),
            (false, _) => probe.rhythm.period,
        };
        probing.next = Some(now.after(pause));
        match before == up.health {
            true => self.touch(service),
            false => self.touch_neighbours(service),
        }
    }

    /// Its log matched, or it said itself that it is ready.
    pub(super) fn proved(&mut self, now: Moment, incarnation: Incarnation) {
        let Some(spot) = self.find(incarnation) else { return };
        match &mut self.instance_mut(spot).phase {
            Phase::Launching { matched, .. } => *matched = true,
            _ => self.become_ready(now, spot),
        }
    }

    /// How far it is; once it is ready nobody waits for that.
    pub(super) fn said(&mut self, incarnation: Incarnation, status: String) {
        let Some(spot) = self.find(incarnation) else { return };
        if let Phase::Up(up) = &mut self.instance_mut(spot).phase
            && up.health != Health::Ready
        {
            up.probing.error = Some(format!("it says: {status}"));
            self.touch(spot.service);
        }
    }

    fn become_ready(&mut self, now: Moment, spot: Spot) {
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
                    && matches!(self.plan.services[service].readiness, Ready::Listening(_)) =>
            {
                Some((service, up))
            }
            _ => None,
        })
    }
}

/// 1, 1.5, 2.25 … times the first pause.
fn growing(first: Duration, tries: u32) -> Duration {
    first.mul_f64(1.5f64.powi(tries.min(40).cast_signed()))
}
