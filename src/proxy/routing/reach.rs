//! Whether a service can be called at all: the caller's kernel refuses what leads to nobody.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::select_all;
use tokio::sync::watch;

use super::Router;
use super::binding::Binding;
use crate::route::{Availability, Routes, Standing, Upstream};

/// Whether somebody is there for calls to a service, by the routes of this moment.
pub struct Reach {
    /// Nobody is.
    pub is_refused: bool,
    /// All on whom that depends.
    watched: Vec<watch::Receiver<Availability>>,
    routes: Option<watch::Receiver<Arc<Routes>>>,
}

impl Router {
    /// A service of the present table.
    pub fn upstream(&self, name: &str) -> Option<Arc<Upstream>> {
        self.0.as_ref()?.tables.borrow().upstream(name).cloned()
    }
}

impl Reach {
    /// Without bindings the service itself decides; of several one is enough that leads to somebody.
    pub(super) fn of(
        upstream: &Arc<Upstream>,
        bindings: &[Rc<Binding>],
        routes: Option<watch::Receiver<Arc<Routes>>>,
    ) -> Self {
        let others = bindings.iter().flat_map(|binding| binding.services());
        // Whoever looks from now on is told of what changes from now on.
        let watched = others.chain([upstream]).map(|upstream| seen(&upstream.availability)).collect();
        let is_refused = match bindings {
            [] => Standing::of(upstream) == Standing::Absent,
            all => all.iter().all(|binding| binding.is_absent()),
        };
        Self { is_refused, watched, routes }
    }

    /// Until it may be otherwise.
    pub async fn changed(mut self) {
        let services = self.watched.iter_mut().map(|availability| Box::pin(changed(availability)));
        tokio::select! {
            _ = select_all(services) => {}
            () = async { match &mut self.routes {
                Some(routes) => changed(routes).await,
                None => std::future::pending().await,
            } } => {}
        }
    }
}

/// A receiver for which there is nothing new.
pub(super) fn seen<T>(receiver: &watch::Receiver<T>) -> watch::Receiver<T> {
    let mut receiver = receiver.clone();
    receiver.mark_unchanged();
    receiver
}

/// Until a value changes; that of a service which is in no table any more never does.
async fn changed<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending().await
    }
}
