//! What is known of the instances that are waited for.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Goal;
use crate::runtime::Changes;
use crate::supervise::State;
use crate::view::Service;

/// A program that lives this long has not failed at once.
const PROOF: Duration = Duration::from_millis(300);

/// A service's name and the number of one of its instances.
type Id = (String, u32);

/// Instances of the services that are waited for. Laying changes over it costs as much as has changed: what watches a
/// thousand services start may take no time from them.
pub struct Awaited<'a> {
    goal: Goal,
    services: HashSet<&'a str>,
    /// Services none of whose instances is known.
    unseen: HashSet<&'a str>,
    rows: BTreeMap<Id, Service>,
    /// Those that are not there.
    late: BTreeSet<Id>,
    /// Those whose mere running does not say anything before then.
    unproven: BTreeMap<Id, Instant>,
    /// Those that cannot get there by themselves.
    hopeless: BTreeSet<Id>,
}

impl<'a> Awaited<'a> {
    pub fn new(services: &'a [String], goal: Goal) -> Self {
        let services: HashSet<&str> = services.iter().map(String::as_str).collect();
        Self {
            goal,
            unseen: services.clone(),
            services,
            rows: BTreeMap::new(),
            late: BTreeSet::new(),
            unproven: BTreeMap::new(),
            hopeless: BTreeSet::new(),
        }
    }

    /// Whether it is waited for.
    pub fn is_for(&self, row: &Service) -> bool {
        self.services.contains(row.name.as_str())
    }

    /// Lays changes over what is known; `tell` gets each row that is waited for, behind what it was before.
    pub fn take(&mut self, changes: Changes, mut tell: impl FnMut(Option<&Service>, &Service)) {
        if changes.whole {
            self.keep_only(&changes.services);
        }
        for row in changes.services {
            let Some(&service) = self.services.get(row.name.as_str()) else { continue };
            let id = (row.name.clone(), row.instance);
            tell(self.rows.get(&id), &row);
            self.unseen.remove(service);
            put(&mut self.late, &id, !self.goal.is_reached(&row));
            put(&mut self.hopeless, &id, self.goal.is_hopeless(&row));
            match unproven(&row) {
                Some(rest) => self.unproven.insert(id.clone(), Instant::now() + rest),
                None => self.unproven.remove(&id),
            };
            self.rows.insert(id, row);
        }
    }

    /// Forgets instances that are no more.
    fn keep_only(&mut self, present: &[Service]) {
        let present: HashSet<(&str, u32)> = present.iter().map(Service::id).collect();
        let is_there = |(name, instance): &Id| present.contains(&(name.as_str(), *instance));
        self.rows.retain(|id, _| is_there(id));
        self.late.retain(is_there);
        self.hopeless.retain(is_there);
        self.unproven.retain(|id, _| is_there(id));
        self.unseen.clone_from(&self.services);
        for (name, _) in self.rows.keys() {
            self.unseen.remove(name.as_str());
        }
    }

    /// One that cannot get there.
    pub fn hopeless(&self) -> Option<&Service> {
        self.hopeless.first().and_then(|id| self.rows.get(id))
    }

    /// When all will have got there, as far as is known: now or soon, or nobody knows.
    pub fn reached_at(&self) -> Option<Instant> {
        let all = self.unseen.is_empty() && self.late.is_empty();
        all.then(|| self.unproven.values().max().copied().unwrap_or_else(Instant::now))
    }

    /// Those that are not there.
    pub fn late(&self) -> impl Iterator<Item = &Service> {
        self.late.iter().filter_map(|id| self.rows.get(id))
    }
}

fn put(set: &mut BTreeSet<Id>, id: &Id, is_in: bool) {
    match is_in {
        true => set.insert(id.clone()),
        false => set.remove(id),
    };
}

/// How much longer a service has to run until its mere running says something: one with neither a probe nor a port
/// may be about to fail on its first line.
fn unproven(row: &Service) -> Option<Duration> {
    let uptime = Duration::from_millis(row.uptime_ms.unwrap_or(0));
    PROOF.checked_sub(uptime).filter(|rest| !rest.is_zero() && row.state == State::Running)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(name: &str, instance: u32, state: State) -> Service {
        let settled = state == State::Ready;
        serde_json::from_value(json!({
            "name": name, "service": name, "instance": instance, "state": state, "ready": settled, "kind": "process",
            "network": "pod", "ports": [], "restarts": 0, "settled": settled, "stuck": state == State::Failed,
            "wanted": true, "uptime_ms": 0,
        }))
        .unwrap()
    }

    fn changes(whole: bool, services: Vec<Service>) -> Changes {
        serde_json::from_value(json!({ "version": 1, "whole": whole, "services": services })).unwrap()
    }

    /// What follows from each of several changes: `reached`, `hopeless` by its name, or who is late.
    fn follow(services: &[&str], all: Vec<Changes>) -> Vec<String> {
        let services: Vec<String> = services.iter().map(|it| (*it).to_owned()).collect();
        let mut awaited = Awaited::new(&services, Goal::Ready);
        let follows = all.into_iter().map(|changes| {
            awaited.take(changes, |_, _| {});
            match (awaited.hopeless(), awaited.reached_at()) {
                (Some(row), _) => format!("{} is hopeless", row.label()),
                (None, Some(at)) if at <= Instant::now() => "reached".to_owned(),
                (None, Some(_)) => "soon".to_owned(),
                (None, None) => awaited.late().map(Service::label).collect::<Vec<_>>().join(" "),
            }
        });
        follows.collect()
    }

    #[test]
    fn all_are_there_once_each_is_known_and_none_is_late() {
        use State::{Ready, Starting};
        let said = follow(
            &["a", "b"],
            vec![
                changes(true, vec![row("a", 1, Ready), row("other", 1, State::Failed)]),
                changes(false, vec![row("b", 1, Starting), row("b", 2, Starting)]),
                changes(false, vec![row("b", 1, Ready)]),
                changes(false, vec![row("b", 2, Ready)]),
                changes(false, vec![row("a", 1, Starting)]),
            ],
        );
        assert_eq!(said, ["", "b b#2", "b#2", "reached", "a"]);
    }

    #[test]
    fn an_instance_that_is_gone_from_the_whole_is_not_waited_for_and_a_service_is() {
        use State::{Ready, Starting};
        let said = follow(
            &["a", "b"],
            vec![
                changes(true, vec![row("a", 1, Ready), row("b", 1, Ready), row("b", 2, Starting)]),
                changes(true, vec![row("a", 1, Ready), row("b", 1, Ready)]),
                changes(true, vec![row("a", 1, Ready)]),
                changes(false, vec![row("b", 3, Ready)]),
            ],
        );
        assert_eq!(said, ["b#2", "reached", "", "reached"]);
    }

    #[test]
    fn what_failed_is_hopeless_until_it_is_started_again_or_gone() {
        let failed = || row("a", 1, State::Failed);
        let said = follow(
            &["a"],
            vec![
                changes(true, vec![failed()]),
                changes(false, vec![row("a", 1, State::Ready)]),
                changes(false, vec![failed()]),
                changes(true, vec![row("a", 2, State::Ready)]),
            ],
        );
        assert_eq!(said, ["a is hopeless", "reached", "a is hopeless", "reached"]);
    }

    #[test]
    fn a_program_that_merely_runs_has_to_run_for_a_while() {
        let mut young = row("a", 1, State::Running);
        young.settled = true;
        let old = Service { uptime_ms: Some(400), ..young.clone() };
        assert_eq!(follow(&["a"], vec![changes(true, vec![young]), changes(false, vec![old])]), ["soon", "reached"]);
    }
}
