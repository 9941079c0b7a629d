//! What is only looked at when somebody asks: calls, CPU and memory.

use super::Publisher;
use crate::effects::stats::{Sample, memory, ticks_per_second};
use crate::route::Replicas;
use crate::supervise::{Demand, Fact, Incarnation, Weighed, World};
use crate::view::Usage;

impl Publisher {
    /// Tells the loop how much a service is called.
    pub fn measure(&self, world: &World, place: usize, incarnation: Incarnation) {
        let name = world.plan().services[place].name.as_str();
        let demand = self.replicas.get(name).map(Replicas::demand).unwrap_or_default();
        let _ = self.calls.facts.send(Fact::Measured(incarnation, demand));
    }

    /// Tells the loop what all lives take, once that is looked up.
    pub fn weigh(&self, world: &World, families: Vec<(Incarnation, usize, Vec<u32>)>) {
        let plan = world.plan();
        let demand = |place: usize| {
            let name = plan.services.get(place).map_or("", |planned| planned.name.as_str());
            self.replicas.get(name).map(Replicas::demand).unwrap_or_default()
        };
        let demands: Vec<Demand> = families.iter().map(|(_, place, _)| demand(*place)).collect();
        let (enough, facts) = (plan.budget.map_or(u64::MAX, |budget| budget.0), self.calls.facts.clone());
        tokio::task::spawn_blocking(move || {
            let (incarnations, roots): (Vec<_>, Vec<_>) =
                families.into_iter().map(|(it, _, roots)| (it, roots)).unzip();
            let bytes = memory(&roots, enough);
            let weighed = incarnations.into_iter().zip(bytes).zip(demands);
            let weighed = weighed.map(|((incarnation, bytes), demand)| Weighed { incarnation, bytes, demand });
            let _ = facts.send(Fact::Weighed(weighed.collect()));
        });
    }

    /// Has the loop told when a service is called by more than so many ever were.
    pub fn alert(&self, world: &World, place: usize, incarnation: Incarnation, begun: u64) {
        if let Some(replicas) = self.replicas.get(world.plan().services[place].name.as_str())
            && replicas.alert(begun)
        {
            let _ = self.calls.facts.send(Fact::Called(incarnation));
        }
    }

    /// Looks at CPU and memory of all services once.
    pub fn sample(&mut self, world: &World) {
        let now = self.clock.now();
        let sample = Sample::take();
        self.usage.clear();
        for place in 0..world.plan().services.len() {
            for pid in world.statuses(place).filter_map(|status| status.pid) {
                let Some(usage) = sample.of(pid) else { continue };
                let before = self.last_sample.as_ref().and_then(|(at, sample)| Some((*at, sample.of(pid)?)));
                let cpu_percent = before.map(|(at, before)| {
                    #[allow(clippy::cast_precision_loss, reason = "a percentage")]
                    let used = usage.ticks.saturating_sub(before.ticks) as f64 / ticks_per_second() as f64;
                    let passed = now.since(at).as_secs_f64();
                    if passed > 0.0 { (used / passed * 1000.0).round() / 10.0 } else { 0.0 }
                });
                self.usage.insert(pid, Usage { cpu_percent, memory_bytes: usage.memory_bytes });
            }
        }
        self.last_sample = Some((now, sample));
        self.all_rows(world);
    }

    /// Forgets CPU and memory once nobody looks any more. Whoever joins those who look sees what they see.
    pub fn keep_sample(&mut self, is_looked_at: bool, world: &World) {
        if !is_looked_at && self.last_sample.take().is_some() {
            self.usage.clear();
            self.all_rows(world);
        }
    }
}
