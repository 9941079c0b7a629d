//! What one pod, or one container, asks for by name.
//!
//! Whoever asks for a service has the kernel told first whether that can be called (`doors`).

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use super::Pods;
use super::doors::Doors;
use super::told::Told;
use crate::discovery::{self, Pod};
use crate::model::Egress;
use crate::plan::{HOST, HOST_NAME, Subnet, is_ours, twin};
use crate::route::Table;
use crate::route::zone::{Asker, Zone};

/// One pod's view of names, or one container's.
pub struct Names {
    service: Arc<str>,
    /// The pod's own.
    address: Ipv4Addr,
    /// Where addresses are others than in pods.
    subnet: Option<Subnet>,
    doors: Rc<Doors>,
    tables: watch::Receiver<Arc<Table>>,
    pods: Pods,
    told: RefCell<Told>,
}

impl Names {
    /// The names of a pod of a service; in the network of the containers, of one of these.
    pub fn new(
        (service, address): (Arc<str>, Ipv4Addr),
        subnet: Option<Subnet>,
        doors: Rc<Doors>,
        tables: watch::Receiver<Arc<Table>>,
        pods: Pods,
    ) -> Rc<Self> {
        Rc::new(Self { service, address, subnet, doors, tables, pods, told: RefCell::default() })
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
        self.doors.meet(address).await;
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

    fn seen(&self, address: Ipv4Addr) -> Ipv4Addr {
        match self.subnet {
            Some(subnet) if is_ours(address) => subnet.outside(address),
            _ => address,
        }
    }

    fn meant(&self, address: Ipv4Addr) -> Ipv4Addr {
        match self.subnet {
            Some(subnet) if Subnet::of(address) == subnet => Subnet::inside(address),
            _ => address,
        }
    }

    fn told(&self, name: &str, addresses: &[IpAddr]) {
        self.told.borrow_mut().add(name, addresses);
    }

    fn twin(&self, service: usize) -> Option<Ipv6Addr> {
        // The network of the containers has no addresses of IPv6.
        if self.subnet.is_some() {
            return None;
        }
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
