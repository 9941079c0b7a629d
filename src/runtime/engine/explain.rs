//! Answers to `why`: what the world knows, and what only the service's pod does.

use tokio::sync::oneshot;

use super::Engine;
use crate::effects::{Dialled, Whereabouts, ports};
use crate::plan::{Planned, PlannedPort, Ready};
use crate::runtime::Problem;
use crate::runtime::publish::{Deaf, Missing};
use crate::supervise::Status;
use crate::view::{Explanation, Judge, Refused, SilentPort, Unpublished};

impl Engine {
    /// Answers at once, or when the service's pod has been asked.
    pub(super) fn explain(&self, name: &str, reply: oneshot::Sender<Result<Explanation, Problem>>) {
        let place = match self.place(name) {
            Ok(place) => place,
            Err(problem) => return drop(reply.send(Err(problem))),
        };
        let plan = self.world.plan().clone();
        let explained = Explanation {
            not_rebuilt_since: self.not_rebuilt_since(place),
            ..Explanation::new(&plan, place, &self.world.why(place), self.clock.now())
        };
        let statuses: Vec<Status> = (0..plan.services.len()).map(|place| self.world.status(place)).collect();
        // What was before its present run is no reason for a call that this one made.
        let past = self.publisher.past(&plan, statuses[place].started);
        let mut missing = self.publisher.missing();
        missing.retain(|missing| *missing.service == *name);
        let own = |deaf: &Deaf| {
            let (_, to) = deaf.between.clone().filter(|(from, _)| **from == *name)?;
            Some(Refused { to: format!("{to}:{}", deaf.at.port()), hint: deaf.to_string() })
        };
        let unheard: Vec<Refused> = self.publisher.deaf().iter().filter_map(own).collect();
        let (known, whereabouts) = (self.host.dialled(place), self.host.whereabouts(place));
        tokio::spawn(async move {
            let judge = Judge { plan: &plan, place, statuses: &statuses, past: &past };
            let mut refused = match known {
                Dialled::Before(dialled) => judge.refused(&dialled, |_| false),
                Dialled::Ask(pod) => {
                    // A pod that is gone by now has nothing to say.
                    let dialled = pod.line.dialled().await.unwrap_or_default();
                    judge.refused(&dialled, |port| pod.ears.hear(port))
                }
            };
            refused.extend(unheard);
            let silent_ports = silent_ports(whereabouts, &plan.services[place], explained.ready).await;
            let unpublished = tokio::task::spawn_blocking(|| missing.into_iter().map(unpublished).collect());
            let unpublished = unpublished.await.unwrap_or_default();
            let next = free_again(&explained, &plan.services[place]).or(explained.next.clone());
            let _ = reply.send(Ok(Explanation { refused, silent_ports, unpublished, next, ..explained }));
        });
    }
}

/// What is next where it could not be started for a port that has become free since.
fn free_again(explained: &Explanation, planned: &Planned) -> Option<String> {
    let said = explained.reason.as_deref().filter(|_| !explained.ready)?;
    let free = planned.ports.iter().filter_map(PlannedPort::listen).find(|port| ports::is_free_again(said, *port))?;
    Some(match &explained.next {
        Some(next) => format!("port {free} is free now: {next}"),
        None => format!("port {free} is free now: `nagaya start {}`", explained.service),
    })
}

/// A number that could not be had; who has it may be another by now.
fn unpublished(missing: Missing) -> Unpublished {
    let number = missing.number;
    let because = match missing.is_waited_for() {
        true if ports::is_free(number) => "it has just become free, and is about to be taken".to_owned(),
        true => format!("{}; it will be once that is free", ports::taken_message(number)),
        false => missing.why.to_string(),
    };
    Unpublished { number, because }
}

/// The declared ports on which nobody listens, but for the one that makes it ready: while it is not, that is the reason.
async fn silent_ports(whereabouts: Option<Whereabouts>, planned: &Planned, is_ready: bool) -> Vec<SilentPort> {
    let unheard = tokio::task::spawn_blocking(move || whereabouts.map(|it| it.unheard())).await;
    let awaited = match planned.readiness {
        Ready::Listening(port) if !is_ready => Some(port),
        _ => None,
    };
    let unheard = unheard.ok().flatten().unwrap_or_default().into_iter();
    let ports = unheard.map(|(at, finding)| (&planned.ports[at], finding));
    let rest = ports.filter(|(port, _)| awaited.is_none() || port.listen() != awaited);
    rest.map(|(port, finding)| SilentPort::new(port, &finding)).collect()
}
