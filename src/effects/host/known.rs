//! What is known of services that run.

use std::collections::BTreeMap;

use super::{Dialled, Host, Life, Typed};
use crate::effects::accounts::{self, Found};
use crate::effects::texts;
use crate::launcher::Account;
use crate::plan::{Layers, Shell};
use crate::supervise::Incarnation;

impl Host {
    /// Pid 1 of the pod, or of the namespaces for private files, in which a service runs now.
    pub fn pod_of(&self, service: usize) -> Option<u32> {
        self.first_of(service)?.init
    }

    /// All lives, each with the place of its service and the processes from which its others descend.
    pub fn families(&self) -> Vec<(Incarnation, usize, Vec<u32>)> {
        let family = |(incarnation, life): (&Incarnation, &Life)| {
            (*incarnation, life.service, life.pids.iter().copied().chain(life.init).collect())
        };
        let contained = self.vessels.iter().filter_map(|(incarnation, vessel)| {
            let pid = vessel.running()?.pid;
            (pid != 0).then(|| (*incarnation, vessel.service, vec![pid]))
        });
        self.lives.iter().map(family).chain(contained).collect()
    }

    /// What is known of a service's first instance.
    pub(super) fn first_of(&self, service: usize) -> Option<&Life> {
        self.lives.values().filter(|life| life.service == service).min_by_key(|life| life.instance)
    }

    /// Where the input of an instance is typed that runs now.
    pub fn typed(&self, service: usize, instance: u32) -> Option<&Typed> {
        let life = self.lives.values().find(|life| (life.service, life.instance) == (service, instance));
        life.map_or_else(|| self.typed_into(service, instance), |life| life.typed.as_ref())
    }

    /// The variables in which a service runs, and the account that it takes on.
    pub fn surroundings(&self, service: usize) -> Result<(BTreeMap<String, String>, Option<Account>), String> {
        let planned = &self.plan.services[service];
        let found = accounts::of(planned)?;
        let variables = texts::resolve(planned, found.as_ref());
        let variables = variables.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Ok((variables, found.and_then(Found::change)))
    }

    /// The variables that a service has of its own, whatever the shell has: addresses, `.env`, what the manifest sets.
    pub fn own_variables(&self, service: usize) -> BTreeMap<String, String> {
        let layers = Layers { shell: Shell::default(), ..self.plan.services[service].environment.clone() };
        layers.resolve().into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Whom a service dialled in vain.
    pub fn dialled(&self, service: usize) -> Dialled {
        let pod = self.first_of(service).and_then(|life| life.pod.clone());
        let before = || self.dialled.get(self.plan.services.get(service)?.name.as_str()).cloned();
        pod.map_or_else(|| Dialled::Before(before().unwrap_or_default()), Dialled::Ask)
    }
}
