//! How many instances a service has: those that are missing are added, those that are too many go.

use super::World;
use crate::model::Strategy;
use crate::supervise::input::Moment;
use crate::supervise::instance::{Instance, Spot, Standing};
use crate::supervise::phase::{Draining, Phase, Rest, Want};

impl World {
    /// Brings the number of instances a step towards what is wanted. One that is to be replaced serves until all of the
    /// others do: there is one more than wanted for a while, and never one less.
    pub(super) fn staff(&mut self, now: Moment, service: usize) {
        self.begin_load(now, service);
        self.renumber(service);
        self.dismiss(now, service);
        if self.rows[service].want == Want::Up {
            self.grow(now, service);
            self.shrink(now, service);
            self.dismiss(now, service);
        }
    }

    fn replicas(&self, service: usize) -> usize {
        let (row, planned) = (&self.rows[service], &self.plan.services[service]);
        let decided = planned.autoscale.zip(row.load.as_ref()).filter(|_| row.want == Want::Up);
        let decided = decided.map(|(spec, load)| load.count.clamp(spec.min, spec.max));
        usize::try_from(decided.unwrap_or(planned.replicas)).unwrap_or(usize::MAX).max(1)
    }

    /// Whether two instances may be there at once where one is wanted.
    pub(super) fn is_rolling(&self, service: usize) -> bool {
        self.plan.services[service].strategy == Strategy::Rolling
    }

    /// How many stay, and how many of these are outdated.
    fn count(&self, service: usize) -> (usize, usize) {
        let instances = &self.rows[service].instances;
        let outdated = instances.iter().filter(|instance| instance.standing == Standing::Outdated).count();
        (instances.iter().filter(|instance| instance.stays()).count(), outdated)
    }

    /// Forgets those of which nothing is left that is wanted; the last one is the service's own.
    fn dismiss(&mut self, now: Moment, service: usize) {
        let is_up = self.rows[service].want == Want::Up;
        loop {
            let (kept, _) = self.count(service);
            let is_surplus = !is_up && kept > self.replicas(service) && !self.rows[service].is_active();
            let instances = &self.rows[service].instances;
            let goes = |instance: &&Instance| !instance.phase.is_active() && (is_surplus || !instance.stays());
            let last = |instance: &&Instance| (!instance.stays(), instance.standing, instance.number);
            let Some(number) = instances.iter().filter(goes).max_by_key(last).map(|it| it.number) else { return };
            if instances.len() == 1 {
                return;
            }
            let Some(at) = instances.iter().position(|it| it.number == number) else { return };
            self.tell(now, Spot { service, at });
            self.rows[service].instances.remove(at);
        }
    }

    fn grow(&mut self, now: Moment, service: usize) {
        let replicas = self.replicas(service);
        loop {
            let (kept, outdated) = self.count(service);
            if kept - outdated >= replicas || kept >= replicas + usize::from(outdated > 0) {
                return;
            }
            let Some(number) = self.free_number(service) else { return self.hasten(now, service) };
            let instances = &mut self.rows[service].instances;
            let at = instances.partition_point(|it| it.number < number);
            instances.insert(at, Instance::new(number));
        }
    }

    /// Fewer than before may leave numbers that have no place in the plan: whoever does not run takes another.
    fn renumber(&mut self, service: usize) {
        let most = self.plan.services[service].most_instances();
        while let Some(at) =
            self.rows[service].instances.iter().position(|it| it.number > most && !it.phase.is_active())
            && let Some(number) = self.free_number(service)
        {
            let instances = &mut self.rows[service].instances;
            instances[at].number = number;
            instances.sort_by_key(|it| it.number);
        }
    }

    /// The lowest number that no instance has.
    fn free_number(&self, service: usize) -> Option<u32> {
        let instances = &self.rows[service].instances;
        let most = self.plan.services[service].most_instances();
        (1..=most).find(|number| instances.iter().all(|it| it.number != *number))
    }

    /// One that drains is in the way of a new one: the oldest has had its time.
    fn hasten(&mut self, now: Moment, service: usize) {
        let instances = &self.rows[service].instances;
        if instances.iter().any(|it| !it.stays() && !matches!(it.phase, Phase::Draining(_))) {
            // There will be room when that one is gone.
            return;
        }
        let draining = instances.iter().enumerate().filter_map(|(at, it)| match &it.phase {
            Phase::Draining(draining) => Some((draining.until, at)),
            _ => None,
        });
        if let Some((_, at)) = draining.min() {
            self.stop(now, Spot { service, at });
        }
    }

    fn shrink(&mut self, now: Moment, service: usize) {
        while let Some(at) = self.superfluous(service) {
            self.retire(now, Spot { service, at });
        }
    }

    /// The one to go next where there are too many.
    fn superfluous(&self, service: usize) -> Option<usize> {
        let replicas = self.replicas(service);
        let (kept, outdated) = self.count(service);
        if kept <= replicas {
            return None;
        }
        let staying = || self.rows[service].instances.iter().enumerate().filter(|(_, it)| it.stays());
        if outdated == 0 {
            let most = self.plan.services[service].most_instances();
            let last = |it: &Instance| (it.number > most, !it.phase.serves(), it.number);
            return staying().max_by_key(|(_, it)| last(it)).map(|(at, _)| at);
        }
        let mut old = staying().filter(|(_, it)| it.standing == Standing::Outdated);
        let mut new = staying().filter(|(_, it)| it.standing == Standing::Kept);
        let is_replaced = new.all(|(_, it)| it.phase.serves());
        let goes = |it: &Instance| is_replaced || kept > replicas + 1 || !it.phase.is_active();
        old.find(|(_, it)| goes(it)).map(|(at, _)| at)
    }

    /// Lets an instance go: one that serves may first answer what it was asked.
    fn retire(&mut self, now: Moment, spot: Spot) {
        let grace = self.plan.services[spot.service].stop.grace;
        let instance = self.instance_mut(spot);
        instance.standing = Standing::Leaving;
        instance.again = false;
        match &instance.phase {
            Phase::Up(up) if instance.phase.serves() => {
                instance.phase = Phase::Draining(Draining::of(up, now.after(grace)));
            }
            Phase::Waiting | Phase::Backoff { .. } => instance.phase = Phase::Rest(Rest::Stopped),
            Phase::Up(_) => self.stop(now, spot),
            // It is stopped as soon as it has started, or is on its way.
            Phase::Rest(_) | Phase::Launching { .. } | Phase::Draining(_) | Phase::Stopping(_) | Phase::Elsewhere => {}
        }
        self.touch_neighbours(spot.service);
    }
}
