//! Whom a network's own kernel refuses: services that are absent, and ports that they have not declared.
//!
//! Once a connection is here it was made already, and `wait-for-it` would be told a lie. So the kernel is told before a
//! call comes, and kept up to date from then on, of those services that are asked for.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};

use crate::launcher::Line;
use crate::launcher::pod::OpenPort;
use crate::model::Protocol;
use crate::plan::Subnet;
use crate::proxy::routing::{Reach, Router};
use crate::route::{Endpoint, Table, Upstream};

/// How long after its kernel refused to be told.
const AGAIN: Duration = Duration::from_secs(1);

/// The doors of services, as they are seen from one pod, or from all containers.
pub struct Doors {
    side: Side,
    tables: watch::Receiver<Arc<Table>>,
    /// Services that were asked for, by address, each with the task that keeps the kernel up to date.
    known: RefCell<HashMap<Ipv4Addr, Watch>>,
}

/// From where they are seen.
#[derive(Clone)]
struct Side {
    /// Whose pod it is; of the containers' network nobody's.
    caller: Option<Arc<str>>,
    line: Arc<Line>,
    router: Router,
    /// Where addresses are others.
    subnet: Option<Subnet>,
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

impl Doors {
    /// As a service's pod sees them.
    pub fn of_pod(caller: Arc<str>, line: Arc<Line>, tables: watch::Receiver<Arc<Table>>, router: Router) -> Self {
        let side = Side { caller: Some(caller), line, router, subnet: None };
        Self { side, tables, known: RefCell::default() }
    }

    /// As the network of the containers sees them, by the line to its router.
    pub fn of_containers(subnet: Subnet, line: Arc<Line>, tables: watch::Receiver<Arc<Table>>, router: Router) -> Self {
        let side = Side { caller: None, line, router, subnet: Some(subnet) };
        Self { side, tables, known: RefCell::default() }
    }

    /// Has the kernel know, now and from now on, at which ports the service at an address can be called.
    pub async fn meet(&self, address: Ipv4Addr) {
        let watched = || {
            let (tell, told) = watch::channel(false);
            let task = spawn_local(self.side.clone().keep_told(address, self.tables.clone(), tell));
            Watch { told, task }
        };
        let mut told = self.known.borrow_mut().entry(address).or_insert_with(watched).told.clone();
        let _ = told.wait_for(|told| *told).await;
    }
}

impl Side {
    async fn keep_told(self, address: Ipv4Addr, mut tables: watch::Receiver<Arc<Table>>, tell: watch::Sender<bool>) {
        let seen = self.subnet.map_or(address, |subnet| subnet.outside(address));
        // What the kernel was told; at first it lets all calls through.
        let mut known: Option<HashSet<OpenPort>> = None;
        loop {
            // Reloads change who may call, whose the address is, and which ports it has.
            let (upstream, ports) = self.callable(&tables.borrow_and_update(), address).unzip();
            let reach = upstream.map(|upstream| self.router.reach(&upstream, self.caller.as_ref()));
            let is_there = reach.as_ref().is_some_and(|reach| !reach.is_refused);
            let now = ports.filter(|_| is_there).unwrap_or_default();
            let mut is_told = known.as_ref() == Some(&now);
            if !is_told {
                let before = known.clone().unwrap_or_default();
                let [open, shut] = [(&now, &before), (&before, &now)]
                    .map(|(one, other)| one.difference(other).copied().collect::<Vec<_>>());
                is_told = self.line.set_doors(seen, &open, &shut).await.is_ok();
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
    }

    /// The service at an address and its ports, where there is one that may be called from here.
    fn callable(&self, table: &Table, address: Ipv4Addr) -> Option<(Arc<Upstream>, HashSet<OpenPort>)> {
        let may = |upstream: &&Arc<Upstream>| self.caller.as_ref().is_none_or(|caller| table.allows(caller, upstream));
        let upstream = table.called(address).filter(may)?;
        let door = |port: &Endpoint| OpenPort { datagrams: port.protocol == Protocol::Udp, port: port.number };
        Some((upstream.clone(), upstream.ports.iter().map(door).collect()))
    }
}

/// Until it may be otherwise. That of nobody never is.
pub async fn changed(reach: Option<Reach>) {
    match reach {
        Some(reach) => reach.changed().await,
        None => std::future::pending().await,
    }
}
