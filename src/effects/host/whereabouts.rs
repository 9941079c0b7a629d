//! Where the program of an instance listens, beside where it is to.

use std::sync::Arc;

use super::Host;
use super::misplaced::misplaced;
use crate::effects::ears::{Unheard, astray};
use crate::effects::listeners::{Listeners, Listening, Open};
use crate::effects::pods::Pod;
use crate::effects::process::Kin;
use crate::model::Protocol;
use crate::plan::{Plan, Planned, PlannedPort};

/// An instance that runs, as one that can be asked off the loop where it listens.
#[derive(Debug)]
pub struct Whereabouts {
    pub(super) plan: Arc<Plan>,
    /// Its service, and its number.
    pub(super) place: (usize, u32),
    pub(super) pod: Option<Pod>,
    pub(super) pids: Vec<u32>,
}

impl Host {
    /// Those of a service's first instance, while that runs.
    pub fn whereabouts(&self, service: usize) -> Option<Whereabouts> {
        let life = self.first_of(service).filter(|life| !life.pids.is_empty())?;
        let (plan, place) = (self.plan.clone(), (service, life.instance));
        Some(Whereabouts { plan, place, pod: life.pod.clone(), pids: life.pids.clone() })
    }
}

impl Whereabouts {
    /// What is said where nobody listens on a port, but the program on another one.
    pub(super) fn misplaced(&self, port: u16) -> Option<String> {
        let open: Vec<u16> = match &self.pod {
            Some(pod) => pod.ears.open().iter().map(|it| it.port).collect(),
            None => Listeners::look().map(|listeners| listeners.of(&self.pids)).unwrap_or_default(),
        };
        misplaced(&self.instance().ports, self.pod.is_some(), port, &open)
    }

    /// The declared ports, by place, on which nobody listens where callers are led; those for datagrams in pods alone.
    /// This looks at processes.
    pub fn unheard(&self) -> Vec<(usize, Unheard)> {
        let (mut open, listeners) = (None, self.pod.is_none().then(|| Listeners::look().unwrap_or_default()));
        let ports = self.instance().ports.iter().enumerate();
        let numbers = ports.filter_map(|(place, port)| Some((place, port, port.listen()?)));
        let deaf = numbers.filter(|(_, port, number)| match (&self.pod, &listeners) {
            (Some(pod), _) => !pod.ears.answers(port),
            (None, Some(listeners)) if port.protocol != Protocol::Udp => {
                listeners.on(*number, Kin { pids: &self.pids, others: &[] }) == Listening::Nobody
            }
            (None, _) => false,
        });
        let mut found = |port: &PlannedPort, number| match port.protocol {
            Protocol::Udp => Unheard::of_datagrams(number),
            _ => Unheard::new(number, open.get_or_insert_with(|| self.open()).clone()),
        };
        deaf.map(|(place, port, number)| (place, found(port, number))).collect()
    }

    fn open(&self) -> Vec<Open> {
        match &self.pod {
            Some(pod) => pod.ears.open(),
            None => Listeners::look().map(|listeners| listeners.open_of(&self.pids)).unwrap_or_default(),
        }
    }

    fn instance(&self) -> &Planned {
        let (service, instance) = self.place;
        self.plan.services[service].instance(instance)
    }
}

/// What keeps a program in a pod from being found on a port, in words; nothing where it listens on an odd address of the
/// loopback, where it is found.
pub(super) fn not_found(pod: &Pod, port: u16, misplaced: impl FnOnce(&[u16]) -> Option<String>) -> Option<String> {
    let open = pod.ears.open();
    if astray(&open, port).is_some() {
        return None;
    }
    let mut ports: Vec<u16> = open.iter().map(|it| it.port).collect();
    ports.dedup();
    Some(misplaced(&ports).unwrap_or_else(|| match ports.is_empty() {
        true => format!("it does not listen on port {port} yet, nor on any other"),
        false => super::sweep::not_yet(port),
    }))
}
