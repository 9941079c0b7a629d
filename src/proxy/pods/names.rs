//! What one pod asks for by name, and whom it may not call at the moment.
//!
//! A call to a service that is absent, or to a port that it has not declared, is to be refused by the pod's own kernel:
//! once a connection is here it was made already, and `wait-for-it` would be told a lie. So whoever asks for a name has
//! the kernel told first, and kept up to date from then on. Nothing is told to pods that never asked.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};

use super::Pods;
use super::told::Told;
use crate::discovery::{self, Pod};
use crate::launcher::Line;
use crate::launcher::pod::OpenPort;
use crate::model::{Egress, Protocol};
use crate::plan::{HOST, HOST_NAME, twin};
use crate::proxy::routing::{Reach, Router};
use crate::route::zone::{Asker, Zone};
use crate::route::{Endpoint, Table, Upstream};

/// How long after its kernel refused to be told.
const AGAIN: Duration = Duration::from_secs(1);

/// One pod's view of names.
pub struct Names {
    service: Arc<str>,
    /// The pod's own.
    address: Ipv4Addr,
    line: Arc<Line>,
    tables: watch::Receiver<Arc<Table>>,
    pods: Pods,
    router: Router,
    /// Services that it asked for, by address, each with the task that keeps the kernel up to date.
    known: RefCell<HashMap<Ipv4Addr, Watch>>,
    told: RefCell<Told>,
}

struct Watch {
    /// Becomes true when the kernel has been told for the first time.
    told: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Names {
    /// The names of a pod of a service.
    pub fn new(
        (service, address): (Arc<str>, Ipv4Addr),
        line: Arc<Line>,
        tables: watch::Receiver<Arc<Table>>,
        pods: Pods,
        router: Router,
    ) -> Rc<Self> {
        let (known, told) = (RefCell::default(), RefCell::default());
        Rc::new(Self { service, address, line, tables, pods, router, known, told })
    }

    /// By which name the pod knows an address outside the workspace.
    pub fn name_of(&self, address: IpAddr) -> Option<Arc<str>> {
        if address == HOST || address == twin(HOST) {
            return Some(HOST_NAME.into());
        }
        self.told.borrow().name(address)
    }

    /// Has the kernel know, now and from now on, at which ports the service at an address can be called.
    pub async fn meet(&self, address: Ipv4Addr) {
        let mut told = self.known.borrow_mut().entry(address).or_insert_with(|| self.watch(address)).told.clone();
        let _ = told.wait_for(|told| *told).await;
    }

    fn watch(&self, address: Ipv4Addr) -> Watch {
        let (tell, told) = watch::channel(false);
        let (line, caller, mut tables) = (self.line.clone(), self.service.clone(), self.tables.clone());
        let router = self.router.clone();
        let task = spawn_local(async move {
            // What the kernel was told; at first it lets all calls through.
            let mut known: Option<HashSet<OpenPort>> = None;
            loop {
                // Reloads change who may call, whose the address is, and which ports it has.
                let (upstream, ports) = callable(&tables.borrow_and_update(), &caller, address).unzip();
                let reach = upstream.map(|upstream| router.reach(&upstream, Some(&caller)));
                let is_there = reach.as_ref().is_some_and(|reach| !reach.is_refused);
                let now = ports.filter(|_| is_there).unwrap_or_default();
                let is_known = known.as_ref() == Some(&now);
                let mut is_told = is_known;
                if !is_known {
                    let before = known.clone().unwrap_or_default();
                    let [open, shut] = [(&now, &before), (&before, &now)]
                        .map(|(one, other)| one.difference(other).copied().collect::<Vec<_>>());
                    is_told = line.set_doors(address, &open, &shut).await.is_ok();
                    if is_told {
                        known = Some(now);
                    }
                }
                tell.send_replace(true);
                tokio::select! {
                    changed = tables.changed() => if changed.is_err() { return },
                    () = changed(reach) => {}
                    () = tokio::time::sleep(AGAIN), if !is_told => {}
                }
            }
        });
        Watch { told, task }
    }
}

/// The service at an address and its ports, where there is one that the caller may call.
fn callable(table: &Table, caller: &str, address: Ipv4Addr) -> Option<(Arc<Upstream>, HashSet<OpenPort>)> {
    let upstream = table.called(address).filter(|upstream| table.allows(caller, upstream))?;
    let door = |port: &Endpoint| OpenPort { datagrams: port.protocol == Protocol::Udp, port: port.number };
    Some((upstream.clone(), upstream.ports.iter().map(door).collect()))
}

/// Until it may be otherwise. That of nobody never is.
async fn changed(reach: Option<Reach>) {
    match reach {
        Some(reach) => reach.changed().await,
        None => std::future::pending().await,
    }
}

impl Pod for Names {
    fn zone(&self) -> Arc<Zone> {
        self.tables.borrow().zone.clone()
    }

    fn asker(&self) -> Option<Asker> {
        let service = self.tables.borrow().index(&self.service)?;
        Some(Asker { service, address: self.address })
    }

    fn egress(&self) -> discovery::Egress {
        match self.tables.borrow().egress(&self.service) {
            Egress::Allow => discovery::Egress::Allow,
            Egress::Deny => discovery::Egress::Deny,
        }
    }

    fn told(&self, name: &str, addresses: &[IpAddr]) {
        self.told.borrow_mut().add(name, addresses);
    }

    fn twin(&self, service: usize) -> Option<Ipv6Addr> {
        let upstream = self.tables.borrow().upstreams.get(service)?.clone();
        self.pods.is_ipv6(&upstream).then(|| twin(upstream.called))
    }

    async fn asked(&self, service: usize) {
        let address = self.tables.borrow().upstreams.get(service).map(|upstream| upstream.called);
        if let Some(address) = address {
            self.meet(address).await;
        }
    }
}
