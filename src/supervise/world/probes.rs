//! What a program that runs is asked: whether it has started, whether it is ready, whether it lives.
//!
//! First comes startup alone; readiness and liveness begin when that has succeeded. A startup or liveness probe that
//! fails ends the process, and the restart policy says what follows, as after any other end.

use std::time::Duration;

use super::World;
use crate::model::{Liveness, ProbeKind, Sign};
use crate::plan::{PlannedCheck, PlannedProbe};
use crate::supervise::input::{Effect, Exit, Incarnation, Moment};
use crate::supervise::instance::Spot;
use crate::supervise::phase::{Cause, Health, Phase, Probing, Startup, Up};

/// The first tries of a probe come quickly, each later than the one before, up to its period: so soon, and by so much.
const FIRST_TRY: (Duration, f64) = (Duration::from_millis(4), 1.25);
/// A try that starts a process is dearer.
const FIRST_EXEC_TRY: (Duration, f64) = (Duration::from_millis(50), 1.25);

/// Who looks this late for a word was held up itself, as on a machine that slept, and what was said meanwhile may not
/// have been read yet: it is looked again.
const LATE: Duration = Duration::from_millis(250);
const AGAIN: Duration = Duration::from_secs(1);

impl World {
    /// A process has just started.
    pub(super) fn begin_probes(&mut self, now: Moment, spot: Spot) {
        let plan = self.plan.clone();
        let Some(startup) = &plan.services[spot.service].startup else { return self.has_started(now, spot) };
        let Phase::Up(up) = &mut self.instance_mut(spot).phase else { return };
        if up.shown.has(ProbeKind::Startup) {
            return self.has_started(now, spot);
        }
        let mut probing = Probing::default();
        match &startup.sign {
            Sign::Probe(probe) => probing.next = Some(first_try(now, probe)),
            Sign::Log(pattern) => probing.error = Some(no_line(pattern)),
            Sign::Notify => probing.error = Some(NOT_SAID.to_owned()),
        }
        up.startup = Some(Startup { probing, until: now.after(startup.limit) });
    }

    /// It has started, as far as that is asked for: now the rest is.
    pub(super) fn has_started(&mut self, now: Moment, spot: Spot) {
        let plan = self.plan.clone();
        let Phase::Up(up) = &mut self.instance_mut(spot).phase else { return };
        up.startup = None;
        up.liveness.next = plan.services[spot.service].liveness.as_ref().map(|liveness| match liveness {
            Liveness::Probe(probe) => now.after(probe.rhythm.initial_delay.max(probe.rhythm.period)),
            Liveness::Watchdog(limit) => now.after(*limit),
        });
        self.await_readiness(now, spot);
        self.touch_neighbours(spot.service);
    }

    /// Some of its probes are due.
    pub(super) fn probes_due(&mut self, now: Moment, spot: Spot) {
        let plan = self.plan.clone();
        let service = spot.service;
        let Phase::Up(up) = &mut self.instance_mut(spot).phase else { return };
        let incarnation = up.incarnation;
        let is_due = |probing: &mut Probing| probing.next.take_if(|next| *next <= now).is_some();
        let mut due = Vec::new();
        if let Some(startup) = &mut up.startup {
            if startup.until <= now {
                let error = startup.probing.error.take().unwrap_or_else(|| "it did not answer in time".to_owned());
                return self.fail(now, spot, ProbeKind::Startup, error);
            }
            due.extend(is_due(&mut startup.probing).then_some(ProbeKind::Startup));
        } else {
            due.extend(is_due(&mut up.probing).then_some(ProbeKind::Readiness));
            let late = up.liveness.next.map_or(Duration::ZERO, |next| now.since(next));
            if is_due(&mut up.liveness) {
                match plan.services[service].watchdog() {
                    Some(_) if late >= LATE => up.liveness.next = Some(now.after(AGAIN)),
                    Some(limit) => {
                        let error = format!("it has not said WATCHDOG=1 for {}", crate::model::show_duration(limit));
                        return self.fail(now, spot, ProbeKind::Liveness, error);
                    }
                    None => due.push(ProbeKind::Liveness),
                }
            }
        }
        self.effects.extend(due.into_iter().map(|kind| Effect::Probe { service, incarnation, kind }));
    }

    /// One try of a probe is through.
    pub(super) fn probed(
        &mut self,
        now: Moment,
        incarnation: Incarnation,
        kind: ProbeKind,
        result: Result<(), String>,
    ) {
        let Some(spot) = self.find(incarnation) else { return };
        let plan = self.plan.clone();
        let Some(probe) = plan.services[spot.service].probe(kind) else { return };
        let instance = self.instance_mut(spot);
        let Phase::Up(up) = &mut instance.phase else { return };
        if instance.is_unjudged {
            return;
        }
        let before = (up.health, up.complaint().map(|(kind, probing)| (kind, probing.error.clone(), probing.failures)));
        match (kind, &mut up.startup) {
            (ProbeKind::Startup, Some(startup)) => match startup.probing.take(result) {
                Ok(_) => return self.has_started(now, spot),
                Err(_) => startup.probing.next = Some(now.after(next_of_many(probe, startup.probing.tries))),
            },
            (ProbeKind::Readiness, None) => readiness_probed(now, up, probe, result),
            (ProbeKind::Liveness, None) => match up.liveness.take(result) {
                Err(failures) if failures >= probe.rhythm.failure_threshold => {
                    let error = up.liveness.error.take().unwrap_or_default();
                    return self.fail(now, spot, kind, error);
                }
                _ => up.liveness.next = Some(now.about_after(probe.rhythm.period)),
            },
            // Of a time before this one.
            _ => return,
        }
        let after = (up.health, up.complaint().map(|(kind, probing)| (kind, probing.error.clone(), probing.failures)));
        match (before.0 == after.0, before.1 == after.1) {
            (false, _) => self.touch_neighbours(spot.service),
            (true, false) => self.touch(spot.service),
            // Nobody sees a difference: a thousand quiet services are looked at for nothing else.
            (true, true) => self.deadlines.set(spot.service, self.rows[spot.service].deadline()),
        }
    }

    /// A line of its output is one that was waited for.
    pub(super) fn log_matched(&mut self, now: Moment, incarnation: Incarnation, kind: ProbeKind) {
        let Some(spot) = self.find(incarnation) else { return };
        if self.plan.services[spot.service].pattern(kind).is_some() {
            self.shown(now, incarnation, kind);
        }
    }

    /// Its log or its own word has shown something.
    fn shown(&mut self, now: Moment, incarnation: Incarnation, kind: ProbeKind) {
        let Some(spot) = self.find(incarnation) else { return };
        match &mut self.instance_mut(spot).phase {
            Phase::Launching { shown, .. } => shown.set(kind),
            Phase::Up(up) => {
                up.shown.set(kind);
                match (kind, up.startup.is_some()) {
                    (ProbeKind::Startup, true) => self.has_started(now, spot),
                    (ProbeKind::Readiness, false) => self.become_ready(now, spot),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// It says that it is ready, which is also to have started.
    pub(super) fn said_ready(&mut self, now: Moment, incarnation: Incarnation) {
        let Some(spot) = self.find(incarnation) else { return };
        let plan = self.plan.clone();
        for kind in [ProbeKind::Readiness, ProbeKind::Startup] {
            if plan.services[spot.service].says(kind) {
                self.shown(now, incarnation, kind);
            }
        }
    }

    /// How far it is; once it is ready nobody waits for that.
    pub(super) fn said(&mut self, incarnation: Incarnation, status: &str) {
        let Some(spot) = self.find(incarnation) else { return };
        let plan = self.plan.clone();
        let up = match &mut self.instance_mut(spot).phase {
            Phase::Up(up) => up,
            // It may be quicker than the launcher's answer.
            Phase::Launching { said, .. } => return *said = Some(status.to_owned()),
            _ => return,
        };
        let words = Some(format!("it says: {status}"));
        match &mut up.startup {
            Some(startup) if plan.services[spot.service].says(ProbeKind::Startup) => startup.probing.error = words,
            None if up.health != Health::Ready => up.probing.error = words,
            _ => return,
        }
        self.touch(spot.service);
    }

    /// It says that it lives: it has as long again until it must say so once more.
    pub(super) fn said_alive(&mut self, now: Moment, incarnation: Incarnation) {
        let Some(spot) = self.find(incarnation) else { return };
        let Some(limit) = self.plan.services[spot.service].watchdog() else { return };
        let Phase::Up(up) = &mut self.instance_mut(spot).phase else { return };
        if up.liveness.next.is_some() {
            up.liveness.next = Some(now.after(limit));
            self.deadlines.set(spot.service, self.rows[spot.service].deadline());
        }
    }

    /// It says that it does not.
    pub(super) fn said_dead(&mut self, now: Moment, incarnation: Incarnation) {
        let Some(spot) = self.find(incarnation) else { return };
        if self.plan.services[spot.service].says(ProbeKind::Liveness) && !self.instance(spot).is_unjudged {
            self.fail(now, spot, ProbeKind::Liveness, "it said WATCHDOG=trigger".to_owned());
        }
    }

    /// A probe has failed for good: the process goes, as if it had ended by itself.
    fn fail(&mut self, now: Moment, spot: Spot, kind: ProbeKind, error: String) {
        let Phase::Up(Up { started, .. }) = self.instance(spot).phase else { return };
        self.forgive(now, spot, started);
        self.stop(now, spot);
        if let Phase::Stopping(stopping) = &mut self.instance_mut(spot).phase {
            stopping.cause = Cause::Failed(Exit::Failed(kind, error));
        }
    }
}

/// What is told while a line of the log is waited for.
pub(super) fn no_line(pattern: &str) -> String {
    format!("no line matches `{pattern}` yet")
}

/// What is told while a program's own word is waited for.
pub(super) const NOT_SAID: &str = "it has not said yet that it is ready (READY=1 to `NOTIFY_SOCKET`)";

/// When a probe is tried for the first time.
pub(super) fn first_try(now: Moment, probe: &PlannedProbe) -> Moment {
    now.after(probe.rhythm.initial_delay.max(FIRST_TRY.0))
}

/// How long after a try without success the next one comes.
fn next_of_many(probe: &PlannedProbe, tries: u32) -> Duration {
    let (first, growth) = if matches!(probe.check, PlannedCheck::Exec(_)) { FIRST_EXEC_TRY } else { FIRST_TRY };
    first.mul_f64(growth.powi(tries.min(100).cast_signed())).min(probe.rhythm.period)
}

fn readiness_probed(now: Moment, up: &mut Up, probe: &PlannedProbe, result: Result<(), String>) {
    match up.probing.take(result) {
        Ok(successes) if successes >= probe.rhythm.success_threshold => up.be_ready(now),
        Err(failures) if up.health == Health::Ready && failures >= probe.rhythm.failure_threshold => {
            up.health = Health::Unhealthy;
        }
        _ => {}
    }
    let quiet = up.health == Health::Ready && up.probing.failures == 0;
    up.probing.next = Some(match (quiet, up.health) {
        (true, _) => now.about_after(probe.rhythm.quiet_period),
        (false, Health::Starting) => now.after(next_of_many(probe, up.probing.tries)),
        (false, _) => now.after(probe.rhythm.period),
    });
}
