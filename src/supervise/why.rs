//! Why a service is not ready: what it waits for, what that waits for, and what happens next.

use jiff::Timestamp;

use super::input::Moment;
use super::phase::{Phase, Stage, Stopping};
use super::status::{State, Status};
use super::world::World;
use crate::model::{Autoscale, Condition};

/// The answer to "why is it not ready?".
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    pub status: Status,
    /// Its instances that are neither well nor on their way out, but for the one whose status this is, where there are
    /// several.
    pub unwell: Vec<Status>,
    /// Nearest first; what a blocker itself waits for follows it.
    pub blockers: Vec<Blocker>,
    /// What the last try of its probe said.
    pub last_probe: Option<String>,
    pub tries: u32,
    pub next: Option<Next>,
    /// Where its calls decide how many there are.
    pub scaling: Option<Scaling>,
}

/// How many instances calls are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    pub count: u32,
    pub spec: Autoscale,
    /// Calls under way in the mean, when it was last decided.
    pub mean: Option<f64>,
}

/// A dependency that is not there.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocker {
    pub service: usize,
    pub condition: Condition,
    pub status: Status,
}

/// What the engine will do next by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    Start(Moment),
    /// By its schedule.
    Run(Timestamp),
    Probe(Moment),
    Kill(Moment),
    /// It is ended unless it has started.
    End(Moment),
    /// It is idle, and started by whoever calls it.
    Call,
}

impl World {
    /// Explains a service.
    pub fn why(&self, service: usize) -> Why {
        // While another is to take its place, that one is what there is to explain.
        let phase = &self.instance(self.newcomer(service).unwrap_or_else(|| self.lead(service))).phase;
        let (last_probe, tries) = match phase {
            Phase::Up(up) => up.complaint().map_or((None, 0), |(_, probing)| (probing.error.clone(), probing.tries)),
            _ => (None, 0),
        };
        let next = match phase {
            Phase::Backoff { until } => Some(Next::Start(*until)),
            Phase::Up(up) => {
                let probed = up.complaint().and_then(|(_, probing)| probing.next).map(Next::Probe);
                probed.or(up.startup.as_ref().map(|startup| Next::End(startup.until)))
            }
            Phase::Stopping(Stopping { stage: Stage::Asked { kill_at }, .. }) => Some(Next::Kill(*kill_at)),
            Phase::Rest(_) => self.next_run(service).map(Next::Run),
            _ => None,
        };
        let is_idle = self.status(service).state == State::Idle;
        let next = next.or(is_idle.then_some(Next::Call));
        let lead = self.lead(service);
        let others = self.spots(service).filter(|spot| *spot != lead && self.instance(*spot).stays());
        let unwell = others.map(|spot| self.instance_status(spot)).filter(|status| !status.settled);
        Why {
            unwell: unwell.collect(),
            status: self.status(service),
            blockers: self.blockers(service),
            last_probe,
            tries,
            next,
            scaling: self.scaling(service),
        }
    }

    fn scaling(&self, service: usize) -> Option<Scaling> {
        let spec = self.plan.services[service].autoscale?;
        let load = self.row(service).load.as_ref()?;
        Some(Scaling { count: load.count, spec, mean: load.mean })
    }

    fn blockers(&self, service: usize) -> Vec<Blocker> {
        let mut out: Vec<Blocker> = Vec::new();
        let mut todo = vec![service];
        while let Some(waiter) = todo.pop() {
            if self.row(waiter).phases().all(|phase| *phase != Phase::Waiting) {
                continue;
            }
            for dependency in self.unmet_dependencies(waiter) {
                if out.iter().all(|known| known.service != dependency.service) {
                    let status = self.status(dependency.service);
                    out.push(Blocker { service: dependency.service, condition: dependency.condition, status });
                    todo.push(dependency.service);
                }
            }
        }
        out
    }
}
