//! Who waits for whom, and whether that can end well.

use super::{SetupState, World};
use crate::model::{Condition, Dependency};
use crate::plan::Ready;
use crate::supervise::phase::{Health, Phase, Rest, Want};

impl World {
    /// The dependencies that keep a service from starting.
    pub(in crate::supervise) fn unmet_dependencies(&self, service: usize) -> impl Iterator<Item = &Dependency> {
        let waits = !self.rows[service].alone;
        self.plan.services[service].depends_on.iter().filter(move |dependency| waits && !self.is_met(dependency))
    }

    /// The same, by place.
    pub(in crate::supervise) fn unmet(&self, service: usize) -> Vec<usize> {
        self.unmet_dependencies(service).map(|dependency| dependency.service).collect()
    }

    /// The mask of these services and all that they need here.
    pub fn needed(&self, services: impl IntoIterator<Item = usize>) -> Vec<bool> {
        self.plan.graph.closure_without(services, |service| self.rows[service].remote.is_some())
    }

    /// Of several instances one is enough to be called; a job is done when all of them are.
    pub(super) fn is_met(&self, dependency: &Dependency) -> bool {
        let row = &self.rows[dependency.service];
        if row.remote.is_some() && dependency.condition != Condition::Completed {
            return true;
        }
        // A lazy service is there as soon as somebody calls it; nobody waits for that.
        if row.want == Want::Idle && row.is_at_rest() && dependency.condition != Condition::Completed {
            return true;
        }
        if dependency.condition == Condition::Completed {
            return row.phases().all(|phase| *phase == Phase::Rest(Rest::Completed));
        }
        row.phases().any(|phase| match (dependency.condition, phase) {
            (Condition::Started, Phase::Up(_)) => true,
            (Condition::Started | Condition::Ready, Phase::Elsewhere) => true,
            (Condition::Ready | Condition::LogReady, Phase::Up(up)) => up.health == Health::Ready,
            // It was there, did its work and ended well: as much as a job can be.
            (Condition::Started | Condition::Ready, Phase::Rest(Rest::Completed)) => {
                !self.judges_readiness(dependency.service)
            }
            _ => false,
        })
    }

    /// The dependency that will never be there unless somebody acts, if there is one.
    pub(in crate::supervise) fn doomed_by(&self, service: usize) -> Option<usize> {
        // Shared by all walks: what one has seen without finding anything, the others need not see.
        let mut seen = vec![false; self.rows.len()];
        self.unmet_dependencies(service).map(|it| it.service).find(|&other| self.is_hopeless(other, &mut seen))
    }

    /// Whether a service that is waited for cannot come by itself. Follows the chain of waiting; the graph has no
    /// cycle, and a mask keeps a wide one from being walked twice.
    fn is_hopeless(&self, service: usize, seen: &mut [bool]) -> bool {
        let mut todo = vec![service];
        while let Some(service) = todo.pop() {
            if std::mem::replace(&mut seen[service], true) {
                continue;
            }
            if self.rows[service].phases().all(|phase| self.is_past(service, phase)) {
                return true;
            }
            if self.rows[service].phases().all(|phase| *phase == Phase::Waiting || self.is_past(service, phase)) {
                todo.extend(self.unmet(service));
            }
        }
        false
    }

    /// Whether nothing comes of an instance by itself.
    fn is_past(&self, service: usize, phase: &Phase) -> bool {
        match phase {
            Phase::Rest(Rest::Failed(_)) => true,
            // Completed, but waited for as a server.
            Phase::Rest(Rest::Completed) => true,
            Phase::Rest(Rest::Stopped | Rest::New) => self.rows[service].want == Want::Down,
            Phase::Waiting | Phase::Launching { .. } | Phase::Up(_) | Phase::Draining(_) => false,
            // What lives elsewhere has no end and no log; the manifest lets nobody wait for either.
            Phase::Backoff { .. } | Phase::Stopping(_) | Phase::Elsewhere => false,
        }
    }

    /// Whether "ready" says more than "running" for this service.
    pub(in crate::supervise) fn judges_readiness(&self, service: usize) -> bool {
        self.plan.services[service].readiness != Ready::Started
    }

    /// The setup step that a service is waiting for, if it is.
    pub(in crate::supervise) fn running_setup(&self, service: usize) -> Option<usize> {
        let mut steps = self.plan.services[service].setup.iter().copied();
        steps.find(|&setup| matches!(self.setups[setup], SetupState::Running(_)))
    }
}
