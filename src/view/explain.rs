//! `why`: the chain of blockers, the last probe, what comes next.

use serde::{Deserialize, Serialize};

use super::refused::Refused;
use super::service::label;
use super::wording::{AGAIN, elapsed, reason, scaling};
use crate::plan::{Plan, PlannedPort};
use crate::supervise::{Exit, Moment, Next, State, Status, Why};

/// The answer to `why SERVICE`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub service: String,
    pub state: State,
    pub ready: bool,
    pub reason: Option<String>,
    pub blockers: Vec<Blocker>,
    /// Its instances that are not well, but for the one whose state and reason are above.
    #[serde(default)]
    pub instances: Vec<Unwell>,
    /// When the rebuild was begun that failed, where what runs is older than its files for that; RFC 3339, UTC. Filled in
    /// by who watches the files.
    #[serde(default)]
    pub not_rebuilt_since: Option<String>,
    pub last_probe: Option<String>,
    /// Calls of it that its own pod refused; filled in by whoever can ask the pod.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// Its declared ports on which nobody listens; filled in by whoever can ask its pod.
    #[serde(default)]
    pub silent_ports: Vec<SilentPort>,
    /// The numbers that were chosen with `publish` and that others have, each with who has it.
    #[serde(default)]
    pub unpublished: Vec<Unpublished>,
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

/// A number that was chosen with `publish` and does not lead to the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpublished {
    pub number: u16,
    pub because: String,
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

/// An instance that is not well, of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unwell {
    pub instance: u32,
    pub state: State,
    pub reason: Option<String>,
    /// Of its last process that ended.
    pub exit_code: Option<i32>,
}

impl Unwell {
    fn new(status: &Status, plan: &Plan) -> Self {
        Self {
            instance: status.instance,
            state: status.state,
            reason: status.reason.as_ref().map(|it| reason(it, plan)),
            exit_code: status.exit.as_ref().and_then(Exit::code),
        }
    }
}

/// Whose last lines tell most of a service that is explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Culprit {
    pub service: String,
    /// One of its instances alone.
    pub instance: Option<u32>,
    /// What its rebuild said, since then, and nothing else.
    pub setup_since: Option<String>,
}

impl Culprit {
    /// What people call it.
    pub fn label(&self) -> String {
        match (&self.setup_since, self.instance) {
            (Some(_), _) => format!("{}'s rebuild", self.service),
            (None, instance) => label(&self.service, instance.unwrap_or(1)),
        }
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
            Some((cause, reason)) => format!("{own}; {} {}: {reason}", cause.service, cause.state.said()),
            None => own.clone(),
        })
    }

    /// Who holds it up: a dependency, one of its own instances, its rebuild, or itself.
    pub fn culprit(&self) -> Culprit {
        let whole = |service: &str| Culprit { service: service.to_owned(), instance: None, setup_since: None };
        if let Some(cause) = self.blockers.iter().find(|blocker| blocker.state != State::Waiting) {
            return whole(&cause.service);
        }
        let own = whole(&self.service);
        match self.instances.iter().find(|it| it.state != State::Waiting) {
            Some(unwell) if self.ready => Culprit { instance: Some(unwell.instance), ..own },
            _ => Culprit { setup_since: self.not_rebuilt_since.clone(), ..own },
        }
    }

    /// Whether there are lines to look at: something of it is not as it should be.
    pub fn is_wanting(&self) -> bool {
        !self.ready || !self.instances.is_empty() || self.not_rebuilt_since.is_some()
    }

    /// What is wrong and what comes next, in words for people: what both say is said once.
    pub fn sentences(&self) -> (Option<String>, Option<String>) {
        let both = self.reason.as_deref().zip(self.next.as_deref());
        let again = both.and_then(|(reason, next)| Some((reason.strip_suffix(AGAIN)?, next.strip_prefix(AGAIN)?)));
        match again {
            Some((reason, when)) => (Some(format!("{reason}{AGAIN}{when}")), None),
            None => (self.reason.clone(), self.next.clone()),
        }
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
            instances: why.unwell.iter().map(|status| Unwell::new(status, plan)).collect(),
            not_rebuilt_since: None,
            last_probe,
            refused: Vec::new(),
            silent_ports: Vec::new(),
            unpublished: Vec::new(),
            last_lines: Vec::new(),
            lost_lines: 0,
            scaling: why.scaling.as_ref().map(scaling),
            next: why.next.map(|next| match next {
                Next::Start(at) => format!("{AGAIN} in {}", elapsed(at.since(now))),
                Next::Run(at) => format!("it runs next at {at:.0}"),
                Next::Probe(at) => format!("it is probed again in {}", elapsed(at.since(now))),
                Next::End(at) => format!("it is ended in {} unless it has started", elapsed(at.since(now))),
                Next::Kill(at) => format!("it is killed in {} unless it ends before", elapsed(at.since(now))),
                Next::Call => "its first call starts it".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
impl Explanation {
    /// Of a service about which nothing is known but that it is not ready, and why.
    pub fn of(service: &str, state: State, reason: &str) -> Self {
        Self {
            service: service.to_owned(),
            state,
            ready: false,
            reason: Some(reason.to_owned()),
            blockers: Vec::new(),
            instances: Vec::new(),
            not_rebuilt_since: None,
            last_probe: None,
            refused: Vec::new(),
            silent_ports: Vec::new(),
            unpublished: Vec::new(),
            last_lines: Vec::new(),
            next: None,
            scaling: None,
            lost_lines: 0,
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
        let mut explanation = Explanation::of("web", State::Waiting, "waits for users");
        explanation.blockers = vec![
            blocker("users", State::Waiting, "waits for db"),
            blocker("db", State::Starting, "it does not listen on port 5432 yet"),
        ];
        let line = "waits for users; db is starting: it does not listen on port 5432 yet";
        assert_eq!(explanation.in_a_line().as_deref(), Some(line));
        explanation.blockers.clear();
        assert_eq!(explanation.in_a_line().as_deref(), Some("waits for users"));
        (explanation.reason, explanation.last_probe) = (None, Some("GET / answered 500".to_owned()));
        assert_eq!(explanation.in_a_line().as_deref(), Some("GET / answered 500"));
    }
}
