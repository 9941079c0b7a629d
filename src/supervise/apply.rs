//! A changed plan takes the place of the old one, as a difference.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Graph, ServiceName};
use crate::plan::{Plan, Planned, Setup};

use super::Command;
use super::due::Deadlines;
use super::input::{Effect, Input, Moment};
use super::phase::{Phase, Rest, Want};
use super::world::{Row, SetupState, World};

impl World {
    /// Takes over a new plan: services that are the same go on, changed ones are replaced, missing ones are stopped
    /// and stay visible until they are gone. Returns what is to be done.
    pub fn apply(&mut self, now: Moment, plan: Plan) -> Vec<Effect> {
        let old = self.plan.clone();
        let own = plan.services.len();
        let plan = self.with_leaving(plan);
        let before = places(&old);
        let (mut replaced, mut restarted) = (Vec::new(), Vec::new());
        let mut rows = Vec::with_capacity(plan.services.len());
        for (service, planned) in plan.services.iter().enumerate() {
            let mut row = before.get(&planned.name).map_or_else(Row::new, |&place| self.rows[place].clone());
            row.is_dirty = false;
            let same = |&place: &usize| old.services[place].schedule == planned.schedule;
            if !before.get(&planned.name).is_some_and(same) {
                row.agenda = None;
            }
            row.leaving = service >= own;
            for instance in &mut row.instances {
                match (&instance.phase, planned.external()) {
                    (Phase::Elsewhere, None) => instance.phase = Phase::Waiting,
                    // What became of a process is no matter of what lives elsewhere.
                    (Phase::Rest(_), Some(_)) => instance.phase = Phase::Rest(Rest::New),
                    _ => {}
                }
            }
            if row.leaving {
                row.want = Want::Down;
            } else if let Some(&place) = before.get(&planned.name)
                && row.want == Want::Up
                && (row.is_active() || row.has_ended() && self.is_to_end_again(place, planned))
                && !planned.launches_like(&old.services[place])
            {
                match planned.is_called_like(&old.services[place]) {
                    true => replaced.push(service),
                    false => restarted.push(service),
                }
                if !planned.is_probed_like(&old.services[place]) {
                    row.instances.iter_mut().for_each(|instance| instance.is_unjudged = true);
                }
            }
            rows.push(row);
        }
        self.move_reports(&old, &plan);
        self.rows = rows;
        self.plan = Arc::new(plan);
        self.deadlines = Deadlines::default();
        self.weigh_soon(now);
        self.dirty.clear();
        (0..self.rows.len()).for_each(|service| self.touch(service));
        let mut effects = self.step(now, Input::Asked(Command::Restart(restarted)));
        effects.extend(self.step(now, Input::Asked(Command::Replace(replaced))));
        effects
    }

    /// Whether what ended by itself is wanted again once it is another: a service is, and a task that somebody waits for. What
    /// only a user ran is run by users.
    fn is_to_end_again(&self, place: usize, planned: &Planned) -> bool {
        let is_awaited = || {
            let needs = |from: usize| self.plan.services[from].depends_on.iter().any(|it| it.service == place);
            (0..self.rows.len()).any(|from| self.rows[from].want == Want::Up && needs(from))
        };
        planned.schedule.is_none() && (!planned.task || is_awaited())
    }

    /// Whether a service is in the plan for its end alone. Those are behind all others.
    pub fn is_leaving(&self, service: usize) -> bool {
        self.row(service).leaving
    }

    /// Whether a service only waited for its end and has come to it: it is shown no longer.
    pub fn is_over(&self, service: usize) -> bool {
        let row = self.row(service);
        row.leaving && row.is_at_rest()
    }

    /// The new plan, with those services of the old one at its end that are gone from it but still run.
    fn with_leaving(&self, mut plan: Plan) -> Plan {
        let staying = places(&plan);
        for (service, planned) in self.plan.services.iter().enumerate() {
            if !staying.contains_key(&planned.name) && self.rows[service].is_active() {
                let mut planned = planned.clone();
                planned.depends_on.clear();
                planned.setup.clear();
                plan.services.push(planned);
            }
        }
        let edges =
            plan.services.iter().enumerate().flat_map(|(from, planned)| {
                planned.depends_on.iter().map(move |dependency| (from, dependency.service))
            });
        // Cannot have a cycle: the new plan's own graph had none, and those that leave have no edges.
        plan.graph = Graph::new(plan.services.len(), edges).unwrap_or_default();
        plan
    }

    /// Reports under way name lives and runs; those now belong to other places.
    fn move_reports(&mut self, old: &Plan, plan: &Plan) {
        let after = places(plan);
        self.live.retain(|_, service| match after.get(&old.services[*service].name) {
            Some(&place) => {
                *service = place;
                true
            }
            None => false,
        });
        let mut setups = vec![SetupState::Due; plan.setups.len()];
        self.runs.clear();
        for (setup, state) in old.setups.iter().zip(&self.setups) {
            let same = |other: &Setup| other.is_like(setup);
            let Some(place) = plan.setups.iter().position(same) else { continue };
            if let SetupState::Running(run) = state {
                self.runs.insert(*run, place);
            }
            setups[place] = state.clone();
        }
        self.setups = setups;
    }
}

fn places(plan: &Plan) -> HashMap<ServiceName, usize> {
    plan.services.iter().enumerate().map(|(place, planned)| (planned.name.clone(), place)).collect()
}
