//! Where a request of a connection leads, and what is kept of where the last one did.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::request::Request;
use super::{Prepared, Server, idle};
use crate::proxy::answer::Refusal;
use crate::proxy::body::Recording;
use crate::proxy::http::{Target, Way};
use crate::proxy::link::InFlight;
use crate::proxy::pool::Shelf;
use crate::proxy::routing::own::Local;
use crate::proxy::routing::{Call, Routed};
use crate::proxy::wire::Io;
use crate::route::{Availability, Call as Place, Location, Picked, Tried};

impl<S: Io, W: Way> Server<'_, S, W> {
    /// Where a request leads that was addressed to a service.
    pub(super) fn lead(
        &self,
        target: Target,
        request: &Request<'_, '_>,
        inherited: Option<&Rc<Local>>,
    ) -> Result<Routed, Refusal> {
        let is_at_door = self.way.origin().is_some();
        let call = Call {
            method: request.method,
            target: request.target,
            host: request.host,
            is_http_1_0: !request.is_http11,
            brings: request.brings || (is_at_door && request.has_cookies),
            fields: request,
            is_at_door,
        };
        self.context.router.lead(target, self.caller, &call, inherited)
    }

    /// The callee begins to serve a request. The next one most often goes where the last one went.
    fn serving(&self, call: &Prepared, place: &Place) -> Option<InFlight> {
        let upstream = &call.routed.target.upstream;
        if upstream.is_external() || call.routed.is_outside() {
            return None;
        }
        let mut last = self.callee.borrow_mut();
        let own = place.own_address();
        let serving = match &*last {
            Some(((known, address), serving)) if Arc::ptr_eq(known, &upstream.name) && *address == own => serving,
            _ => &last.insert(((upstream.name.clone(), own), self.context.links.of(&upstream.name, own))).1,
        };
        Some(serving.begin(self.caller.service(), &call.identity, call.routed.local()))
    }

    /// Begins the call once the callee is there; `None` when the caller goes away meanwhile.
    pub(super) async fn arrive(
        &self,
        call: &mut Prepared,
        recording: &RefCell<Recording>,
    ) -> Option<Result<Place, Refusal>> {
        let Target { upstream, port } = &call.routed.target;
        let is_ready = *upstream.availability.borrow() == Availability::Ready;
        let arrived = match is_ready.then(|| upstream.pick(*port)) {
            Some(Picked::Call(place)) => Ok(place),
            _ => self.wait(call, recording).await?,
        };
        if let Ok(place) = &arrived {
            recording.borrow_mut().in_flight = self.serving(call, place);
        }
        Some(arrived)
    }

    /// Has another instance serve it where the one that was chosen cannot be connected to.
    pub(super) fn another(
        &self,
        call: &Prepared,
        place: &mut Place,
        tried: &mut Tried,
        recording: &RefCell<Recording>,
    ) -> bool {
        let mut recording = recording.borrow_mut();
        let is_other = self.context.another(&call.routed.target, place, tried, &mut recording);
        if is_other {
            recording.in_flight = self.serving(call, place);
        }
        is_other
    }

    async fn wait(&self, call: &mut Prepared, recording: &RefCell<Recording>) -> Option<Result<Place, Refusal>> {
        let before = call.routed.target.upstream.name.clone();
        let arriving = self.context.arrive(&mut call.routed, self.caller);
        let arrived = idle::unless_gone(self.wire, arriving).await?;
        if call.routed.target.upstream.name != before {
            recording.borrow_mut().routed(&call.routed);
        }
        Some(arrived)
    }

    /// The connections to a place. The next request most often goes where the last one went.
    pub(super) fn shelf(&self, location: &Location) -> Shelf {
        let mut last = self.shelf.borrow_mut();
        match &*last {
            Some((known, shelf)) if known == location && !shelf.is_withdrawn() => shelf.clone(),
            _ => {
                let shelf = self.context.pool.shelf(location, self.caller);
                *last = Some((location.clone(), shelf.clone()));
                shelf
            }
        }
    }
}
