//! What names mean at one moment, for those who ask.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::dtab::{Dtab, Interpreter, Limits, Namers, Ruled, Table};
use crate::route::{Callable, Routes, Upstream};
use crate::runtime::Handle;
use crate::view::Hosts;

/// How long host names are looked up for one answer (linkerd: as long as it delegates).
const PATIENCE: Duration = Duration::from_secs(2);

/// Routes, more entries behind them, and the services that there are.
pub struct Names {
    routes: Arc<Routes>,
    rules: Vec<Ruled>,
    local: Dtab,
    namers: Namers<Arc<Upstream>>,
}

impl Names {
    /// What names of this workspace mean, with more entries behind its routes.
    pub fn of_workspace(handle: &Handle, local: Dtab) -> Self {
        Self::with(handle, handle.routes.borrow().clone(), local)
    }

    /// What names mean by this dtab alone.
    pub fn of(handle: &Handle, dtab: Dtab, local: Dtab) -> Self {
        Self::with(handle, Arc::new(Routes { table: Table::new(dtab), ..Routes::default() }), local)
    }

    fn with(handle: &Handle, routes: Arc<Routes>, local: Dtab) -> Self {
        let services = Callable(handle.table.borrow().clone());
        Self { routes, rules: Vec::new(), local, namers: Namers::of_workspace(Arc::new(services)) }
    }

    /// The same for a request that these entries are for.
    pub fn ruled(self, rules: Vec<Ruled>) -> Self {
        Self { rules, ..self }
    }

    /// How many of the routes' entries are built in.
    pub fn built_in(&self) -> usize {
        self.routes.built_in
    }

    /// What binds them.
    pub fn interpreter(&self) -> Interpreter<'_, Arc<Upstream>> {
        let (table, limits) = (&self.routes.table, Limits::default());
        Interpreter { table, rules: &self.rules, local: &self.local, namers: &self.namers, limits }
    }
}

/// Makes something of places, and again once the host names that came up were looked up.
pub async fn with_hosts<T>(make: impl Fn(&Hosts) -> T) -> T {
    let mut hosts = Hosts::default();
    let made = make(&hosts);
    let mut wanted = std::mem::take(hosts.wanted.get_mut());
    if wanted.is_empty() {
        return made;
    }
    wanted.sort_unstable();
    wanted.dedup();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for host in wanted {
        let ips = async {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await;
            found.map(|found| found.map(|at| at.ip()).collect::<Vec<IpAddr>>()).unwrap_or_default()
        };
        // What is not known in time is pending.
        let Ok(ips) = tokio::time::timeout_at(deadline, ips).await else { break };
        hosts.known.insert(host, ips);
    }
    make(&hosts)
}
