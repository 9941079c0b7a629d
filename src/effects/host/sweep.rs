//! One look for the listeners of all services that wait for theirs.

use std::time::Duration;

use super::misplaced::misplaced;
use super::vessels::sweep_vessels;
use super::whereabouts::not_found;
use super::{Host, Life};
use crate::effects::listeners::{Listeners, Listening};
use crate::effects::process::Kin;
use crate::effects::twins::complaint;
use crate::model::Protocol;
use crate::plan::{PlannedPort, Ready};
use crate::supervise::{Fact, Incarnation, Moment, Swept};

/// A look for listeners takes at most a fifth of the time.
const SWEEP_REST: u32 = 4;
/// A program that listens elsewhere is told of once it has had this long.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

impl Host {
    /// Looks once; what it finds is a fact.
    pub(super) fn sweep(&self, waiting: &[(usize, Incarnation)]) {
        let begun = self.clock.now();
        let on_host =
            |(_, incarnation): &(usize, Incarnation)| self.lives.get(incarnation).is_some_and(|it| it.pod.is_none());
        let listeners = match waiting.iter().any(on_host) {
            true => Listeners::look().unwrap_or_default(),
            false => Listeners::default(),
        };
        let findings = waiting.iter().filter_map(|&(service, incarnation)| {
            let life = self.lives.get(&incarnation)?;
            let planned = self.plan.services[service].instance(life.instance);
            let Ready::Listening(port) = planned.readiness else { return None };
            let awaited = awaited(&planned.ports, port)?;
            let finding = match &life.pod {
                Some(pod) if pod.ears.answers(awaited) => None,
                Some(_) if awaited.protocol == Protocol::Udp => {
                    Some(format!("it takes no datagrams on port {port} yet"))
                }
                Some(_) if begun.since(life.launched) < PATIENCE => Some(not_yet(port)),
                Some(pod) => not_found(pod, port, |open| self.elsewhere(life, port, open)),
                None => match listeners.on(port, Kin { pids: &life.pids, others: &self.main_pids(incarnation) }) {
                    Listening::Nobody => Some(self.not_listening(life, port, begun, || listeners.of(&life.pids))),
                    known => complaint(port, known),
                },
            };
            Some(Swept { incarnation, listening: finding.is_none(), finding })
        });
        let findings: Vec<Swept> = findings.collect();
        let (vessels, facts) = (self.waiting_vessels(waiting), self.facts.clone());
        let rest = self.clock.now().since(begun) * SWEEP_REST;
        if vessels.is_empty() {
            let _ = facts.send(Fact::Swept(findings, rest));
            return;
        }
        let clock = self.clock;
        tokio::spawn(async move {
            let findings = findings.into_iter().chain(sweep_vessels(vessels).await).collect();
            let _ = facts.send(Fact::Swept(findings, clock.now().since(begun) * SWEEP_REST));
        });
    }

    /// The main processes of all instances but one.
    pub(super) fn main_pids(&self, but: Incarnation) -> Vec<u32> {
        let others = self.lives.iter().filter(|(incarnation, _)| **incarnation != but);
        others.flat_map(|(_, life)| life.pids.iter().copied()).collect()
    }

    fn not_listening(&self, life: &Life, port: u16, now: Moment, open: impl FnOnce() -> Vec<u16>) -> String {
        let is_late = now.since(life.launched) >= PATIENCE;
        is_late.then(|| self.elsewhere(life, port, &open())).flatten().unwrap_or_else(|| not_yet(port))
    }

    fn elsewhere(&self, life: &Life, port: u16, open: &[u16]) -> Option<String> {
        let planned = self.plan.services.get(life.service)?;
        misplaced(&planned.instance(life.instance).ports, life.pod.is_some(), port, open)
    }
}

/// The port at which a program is awaited on a number: of two with one number, the one for streams.
fn awaited(ports: &[PlannedPort], number: u16) -> Option<&PlannedPort> {
    let there = ports.iter().filter(|port| port.listen() == Some(number));
    there.min_by_key(|port| port.protocol == Protocol::Udp)
}

/// What is said of a program that may only need more time.
pub(super) fn not_yet(port: u16) -> String {
    format!("it does not listen on port {port} yet")
}
