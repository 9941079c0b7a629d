//! `why`: the chain of blockers, the last probe, what comes next.

use serde::{Deserialize, Serialize};

use super::refused::Refused;
use super::wording::{elapsed, reason, scaling};
use crate::plan::{Plan, PlannedPort};
use crate::supervise::{Moment, Next, State, Why};

/// The answer to `why SERVICE`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub service: String,
    pub state: State,
    pub ready: bool,
    pub reason: Option<String>,
    pub blockers: Vec<Blocker>,
    pub last_probe: Option<String>,
    /// Calls of it that its own pod refused; filled in by whoever can ask the pod.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// Its declared ports on which nobody listens; filled in by whoever can ask its pod.
    #[serde(default)]
    pub silent_ports: Vec<SilentPort>,
    /// The last lines of its output; filled in by whoever can read the logs.
    pub last_lines: Vec<String>,
    pub next: Option<String>,
    /// Where its calls decide how many there are: how many, and why.
    #[serde(default)]
    pub scaling: Option<String>,
    /// Lines of its output that could not be written; filled in by whoever counts them.
    #[serde(default)]
    pub lost_lines: u64,
}

/// A declared port on which nobody listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentPort {
    pub name: String,
    /// Production's.
    pub number: u16,
    /// What was expected, and which are open instead.
    pub finding: String,
}

impl SilentPort {
    /// What is to be said of a port.
    pub fn new(port: &PlannedPort, finding: &impl ToString) -> Self {
        Self { name: port.name.clone(), number: port.number, finding: finding.to_string() }
    }
}

/// A dependency that is not there yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blocker {
    pub service: String,
    pub state: State,
    /// What is waited for: `ready`, `completed` …
    pub condition: String,
    pub reason: Option<String>,
}

impl Explanation {
    /// Why it is not ready in one line: what it waits for or does wrong, and the same of whoever holds it up.
    pub fn in_a_line(&self) -> Option<String> {
        let own = self.reason.as_ref().or(self.last_probe.as_ref())?;
        // Whoever waits itself is not the cause.
        let cause = self.blockers.iter().find(|blocker| blocker.state != State::Waiting);
        Some(match cause.and_then(|cause| Some((cause, cause.reason.as_ref()?))) {
            Some((cause, reason)) => format!("{own}; {} is {}: {reason}", cause.service, cause.state.word()),
            None => own.clone(),
        })
    }

    /// Explains a service.
    pub fn new(plan: &Plan, place: usize, why: &Why, now: Moment) -> Self {
        let blockers = why.blockers.iter().map(|blocker| Blocker {
            service: plan.services[blocker.service].name.to_string(),
            state: blocker.status.state,
            condition: blocker.condition.word().to_owned(),
            reason: blocker.status.reason.as_ref().map(|it| reason(it, plan)),
        });
        let last_probe = why.last_probe.as_ref().map(|error| match why.tries {
            0 | 1 => error.clone(),
            tries => format!("{error} (tried {tries} times)"),
        });
        Self {
            service: plan.services[place].name.to_string(),
            state: why.status.state,
            ready: why.status.ready,
            reason: why.status.reason.as_ref().map(|it| reason(it, plan)),
            blockers: blockers.collect(),
            last_probe,
            refused: Vec::new(),
            silent_ports: Vec::new(),
            last_lines: Vec::new(),
            lost_lines: 0,
            scaling: why.scaling.as_ref().map(scaling),
            next: why.next.map(|next| match next {
                Next::Start(at) => format!("it is started again in {}", elapsed(at.since(now))),
                Next::Run(at) => format!("it runs next at {at:.0}"),
                Next::Probe(at) => format!("it is probed again in {}", elapsed(at.since(now))),
                Next::End(at) => format!("it is ended in {} unless it has started", elapsed(at.since(now))),
                Next::Kill(at) => format!("it is killed in {} unless it ends before", elapsed(at.since(now))),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_cause_at_the_end_of_the_chain() {
        let blocker = |service: &str, state, reason: &str| Blocker {
            service: service.to_owned(),
            state,
            condition: "ready".to_owned(),
            reason: Some(reason.to_owned()),
        };
        let mut explanation = Explanation {
            service: "web".to_owned(),
            state: State::Waiting,
            ready: false,
            reason: Some("waits for users".to_owned()),
            blockers: vec![
                blocker("users", State::Waiting, "waits for db"),
                blocker("db", State::Starting, "it does not listen on port 5432 yet"),
            ],
            last_probe: None,
            refused: Vec::new(),
            silent_ports: Vec::new(),
            last_lines: Vec::new(),
            next: None,
            scaling: None,
            lost_lines: 0,
        };
        let line = "waits for users; db is starting: it does not listen on port 5432 yet";
        assert_eq!(explanation.in_a_line().as_deref(), Some(line));
        explanation.blockers.clear();
        assert_eq!(explanation.in_a_line().as_deref(), Some("waits for users"));
        (explanation.reason, explanation.last_probe) = (None, Some("GET / answered 500".to_owned()));
        assert_eq!(explanation.in_a_line().as_deref(), Some("GET / answered 500"));
    }
}
