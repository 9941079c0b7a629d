//! Answers to `why`: what the world knows, and what only the service's pod does.

use tokio::sync::oneshot;

use super::Engine;
use crate::effects::{Dialled, Whereabouts, ports};
use crate::plan::{Planned, Ready};
use crate::runtime::Problem;
use crate::runtime::publish::Missing;
use crate::supervise::Status;
use crate::view::{Explanation, Judge, SilentPort, Unpublished};

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
        let (known, whereabouts) = (self.host.dialled(place), self.host.whereabouts(place));
        tokio::spawn(async move {
            let judge = Judge { plan: &plan, place, statuses: &statuses, past: &past };
            let refused = match known {
                Dialled::Before(dialled) => judge.refused(&dialled, |_| false),
                Dialled::Ask(pod) => {
                    // A pod that is gone by now has nothing to say.
                    let dialled = pod.line.dialled().await.unwrap_or_default();
                    judge.refused(&dialled, |port| pod.ears.hear(port))
                }
            };
            let silent_ports = silent_ports(whereabouts, &plan.services[place], explained.ready).await;
            let unpublished = tokio::task::spawn_blocking(|| missing.into_iter().map(unpublished).collect());
            let unpublished = unpublished.await.unwrap_or_default();
            let _ = reply.send(Ok(Explanation { refused, silent_ports, unpublished, ..explained }));
        });
    }
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
