//! Restarts that follow from restarts: `depends_on: { db: { restart: true } }`, with Compose's meaning.
//!
//! Only a restart that somebody asked for has followers, be it by a command, a saved file or an edit of the manifest;
//! what crashes and is started again by its policy has none. A follower goes on until the one that it depends on is
//! there again, and is then replaced as its own strategy says.

use super::World;
use crate::supervise::input::Moment;
use crate::supervise::instance::Standing;
use crate::supervise::phase::Want;

impl World {
    /// These are restarted by somebody's wish: who depends on them so is to follow.
    pub(super) fn lead_on(&mut self, services: &[usize]) {
        let plan = self.plan.clone();
        for &service in services {
            for &other in plan.graph.dependents(service) {
                let is_meant = |it: &crate::model::Dependency| it.service == service && it.restart;
                let follows = plan.services[other].depends_on.iter().any(is_meant);
                // One that does not run yet finds the new one anyway, and one that is restarted itself need not be twice.
                if follows && self.rows[other].is_active() && !services.contains(&other) {
                    self.rows[other].follows = true;
                    self.touch(other);
                }
            }
        }
    }

    /// Restarts a service that is to follow others, once all of these are there again.
    pub(super) fn follow(&mut self, now: Moment, service: usize) {
        if !self.rows[service].follows {
            return;
        }
        if self.rows[service].want != Want::Up {
            self.rows[service].follows = false;
            return;
        }
        let plan = self.plan.clone();
        let is_there = |it: &&crate::model::Dependency| {
            let instances = &self.rows[it.service].instances;
            let is_changing = instances.iter().any(|it| it.standing == Standing::Outdated || it.again);
            self.is_met(it) && !is_changing && !self.rows[it.service].follows
        };
        let awaited = plan.services[service].depends_on.iter().filter(|it| it.restart);
        if awaited.clone().count() == awaited.filter(is_there).count() {
            self.rows[service].follows = false;
            self.replace(now, service);
            self.lead_on(&[service]);
        }
    }
}
