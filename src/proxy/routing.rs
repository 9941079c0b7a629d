//! Where requests lead: their names, bound by the routes in force and by the entries that they bring.
//!
//! What the routes say of a name is worked out once and kept for as long as they, the table and the services on which it
//! depends stay as they are. Where users wrote no routes and a request brings no entries, nothing is looked up at all.

mod asked;
mod binding;
mod drawn;
pub mod own;
pub mod permits;
mod reach;
mod snapshot;

pub use reach::Reach;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use binding::Binding;
use own::Local;
use permits::loopback;
use reach::seen;
use snapshot::Snapshot;

use super::answer::Refusal;
use super::http::{Caller, Target};
use crate::dtab::Path;
use crate::dtab::namers::Kind;
use crate::route::{Routes, Table, Upstream};

/// What nagaya calls itself to proxies (RFC 9110 section 7.6.3).
const PSEUDONYM: &str = "1.1 nagaya";
/// How often a request may pass here on its way from one address outside to the next.
const MOST_PASSES: usize = 8;

/// Knows the routes; clones share it. Without any, everything leads where it was addressed to.
#[derive(Clone, Default)]
pub struct Router(Option<Rc<Inner>>);

struct Inner {
    tables: watch::Receiver<Arc<Table>>,
    routes: watch::Receiver<Arc<Routes>>,
    /// What tells our own `Via` lines.
    via: String,
    now: RefCell<Rc<Snapshot>>,
}

/// What of a request decides where it leads.
pub struct Call<'a> {
    pub method: &'a str,
    /// The path and query.
    pub target: &'a str,
    pub host: &'a str,
    pub is_http_1_0: bool,
    pub fields: &'a dyn Fields,
    /// Whether there is any field to be read here: entries, ways that it came, or at the front door cookies.
    pub brings: bool,
    pub is_at_door: bool,
}

impl Call<'_> {
    /// The fields that are texts, whom the request is for first.
    fn headers(&self) -> Vec<(&str, &str)> {
        let mut headers = vec![("host", self.host)];
        self.fields.each(&mut |name, value| {
            if let Ok(value) = std::str::from_utf8(value)
                && !name.eq_ignore_ascii_case("host")
            {
                headers.push((name, value));
            }
        });
        headers
    }
}

/// The fields of a request.
pub trait Fields {
    /// Shows each of them.
    fn each<'f>(&'f self, see: &mut dyn FnMut(&'f str, &'f [u8]));

    /// The first value of a field.
    fn first(&self, name: &str) -> Option<&[u8]> {
        let mut found = None;
        self.each(&mut |field, value| {
            if found.is_none() && field.eq_ignore_ascii_case(name) {
                found = Some(value);
            }
        });
        found
    }
}

/// Where a request leads.
#[derive(Clone)]
pub struct Routed {
    pub target: Target,
    /// None where it leads to whom it was addressed.
    pub more: Option<Box<More>>,
}

/// What else is to be known of a request that is led somewhere, or brings entries.
#[derive(Debug, Clone, Default)]
pub struct More {
    /// The entry that led there, where it was not the built-in one.
    pub by: Option<Arc<str>>,
    /// What it was addressed to, where it leads to an address outside.
    pub asked_for: Option<Arc<str>>,
    /// The entries that are handed on.
    pub local: Option<Rc<Local>>,
    /// The path and query to send, where they are others.
    pub target: Option<String>,
    /// The line by which it is known again.
    pub via: Option<String>,
    binding: Option<Rc<Binding>>,
}

impl More {
    /// Only entries to hand on.
    pub fn of(local: Rc<Local>) -> Self {
        Self { local: Some(local), ..Self::default() }
    }
}

impl Routed {
    /// To whom it was addressed.
    pub fn plainly(target: Target) -> Self {
        Self { target, more: None }
    }

    /// Whether it leads to nobody of the workspace.
    pub fn is_outside(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.asked_for.is_some())
    }

    /// The entry that led there, where it was not the built-in one.
    pub fn by(&self) -> Option<&Arc<str>> {
        self.more.as_ref()?.by.as_ref()
    }

    /// The entries that are handed on.
    pub fn local(&self) -> Option<&Rc<Local>> {
        self.more.as_ref()?.local.as_ref()
    }
}

impl Router {
    /// A router by these tables and routes, always the present ones.
    pub fn new(tables: watch::Receiver<Arc<Table>>, routes: watch::Receiver<Arc<Routes>>) -> Self {
        let now = Rc::new(Snapshot::new(tables.borrow().clone(), routes.borrow().clone()));
        let via = format!("{PSEUDONYM}-{:016x}", fastrand::u64(..));
        Self(Some(Rc::new(Inner { tables, routes, via, now: RefCell::new(now) })))
    }

    /// Where a request leads that was addressed to a service. `inherited` are the entries that it has of the request
    /// from which it came.
    pub fn lead(
        &self,
        target: Target,
        caller: &Caller,
        call: &Call<'_>,
        inherited: Option<&Rc<Local>>,
    ) -> Result<Routed, Refusal> {
        let Some(inner) = &self.0 else { return Ok(Routed::plainly(target)) };
        let snapshot = inner.snapshot();
        let view = snapshot.view(caller.service());
        let is_given = inherited.is_some() || call.brings || (call.is_at_door && own::has_parameter(call.target));
        if view.is_plain && !is_given {
            return Ok(Routed::plainly(target));
        }
        let brought = own::read(call, caller, inherited)?;
        let named = snapshot.name(&target, call, brought.target.as_deref())?;
        let rules = snapshot.holding(&named, call, brought.target.as_deref());
        let binding = snapshot.binding(&view, &named.path, &rules, brought.local.as_deref());
        let drawn = snapshot.draw(&binding, target.endpoint(), caller);
        let drawn = drawn.map_err(|refusal| snapshot.told(refusal, &named, call, brought.target.as_deref()))?;
        let via = drawn.leaves().then(|| inner.pass(call)).transpose()?;
        let target = drawn.below(named.uri.or(brought.target), call.target);
        let local = drawn.hands_on(brought.local);
        Ok(drawn.routed(binding, More { local, target, via, ..More::default() }))
    }

    /// Where a connection of bytes leads that was addressed to a service: by the table alone.
    pub fn lead_bytes(&self, target: Target, caller: &Caller) -> Result<Routed, Refusal> {
        let Some(inner) = &self.0 else { return Ok(Routed::plainly(target)) };
        let snapshot = inner.snapshot();
        let view = snapshot.view(caller.service());
        if view.routes.are_built_in() {
            return Ok(Routed::plainly(target));
        }
        let name = service_name(&target.upstream);
        let binding = snapshot.binding(&view, &name, &[], None);
        let drawn = snapshot.draw(&binding, target.endpoint(), caller)?;
        drawn.check_bytes()?;
        Ok(drawn.routed(binding, More::default()))
    }

    /// Where else a request leads now that whoever it led to has gone; `None` where there is nobody else, or where
    /// what was written for one would not do for the other.
    pub fn elsewhere(&self, routed: &Routed, caller: &Caller) -> Option<Routed> {
        let (inner, more) = (self.0.as_ref()?, routed.more.as_ref()?);
        let before = more.binding.as_ref()?;
        let snapshot = inner.snapshot();
        let view = snapshot.view(caller.service());
        let binding = match before.rules.as_slice() {
            [] => snapshot.binding(&view, &before.name, &[], more.local.as_deref()),
            rules => snapshot.bind(&view, &before.name, rules.to_vec(), more.local.as_deref()),
        };
        let drawn = snapshot.draw(&binding, routed.target.endpoint(), caller).ok()?;
        let (now, then) = (drawn.target.endpoint(), routed.target.endpoint());
        let is_alike = now.location.host() == then.location.host()
            && now.protocol.is_http2() == then.protocol.is_http2()
            && !drawn.is_outside
            && more.asked_for.is_none();
        let is_other = drawn.target.upstream.name != routed.target.upstream.name;
        let more = More { local: more.local.clone(), target: more.target.clone(), ..More::default() };
        (is_alike && is_other).then(|| drawn.routed(binding, more))
    }

    /// Whether somebody is there for calls to a service, of a caller that is one itself or of somebody outside.
    pub fn reach(&self, upstream: &Arc<Upstream>, caller: Option<&Arc<str>>) -> Reach {
        let Some(inner) = &self.0 else { return Reach::of(upstream, &[], None) };
        let routes = seen(&inner.routes);
        let snapshot = inner.snapshot();
        let name = service_name(upstream);
        let view = snapshot.view(caller);
        let is_plain = view.routes.are_built_in() && snapshot.table.rules.is_empty();
        loop {
            let bindings = if is_plain { Vec::new() } else { snapshot.bindings(&view, &name) };
            let reach = Reach::of(upstream, &bindings, Some(routes.clone()));
            // What has changed since then would not be told.
            if bindings.iter().all(|binding| binding.holds()) {
                return reach;
            }
        }
    }
}

impl Inner {
    fn snapshot(&self) -> Rc<Snapshot> {
        let has_changed = {
            let now = self.now.borrow();
            !Arc::ptr_eq(&now.table, &self.tables.borrow()) || !Arc::ptr_eq(&now.common.routes, &self.routes.borrow())
        };
        if has_changed {
            let next = Snapshot::new(self.tables.borrow().clone(), self.routes.borrow().clone());
            self.now.replace(Rc::new(next));
        }
        self.now.borrow().clone()
    }

    /// Our line for a request that goes to an address outside; one that was here too often goes round.
    fn pass(&self, call: &Call<'_>) -> Result<String, Refusal> {
        let mut passes = 0;
        call.fields.each(&mut |name, value| {
            if name.eq_ignore_ascii_case("via") {
                passes +=
                    value.split(|byte| *byte == b',').filter(|one| one.trim_ascii() == self.via.as_bytes()).count();
            }
        });
        match passes {
            0..MOST_PASSES => Ok(self.via.clone()),
            _ => Err(Refusal::Looped(format!("it was here {passes} times already"))),
        }
    }
}

/// `/svc/users`.
fn service_name(upstream: &Upstream) -> Path {
    Path::of(["svc", &upstream.name]).unwrap_or_default()
}

/// A name as records have it: without what all begin with.
fn target_name(path: &Path) -> Arc<str> {
    let text = path.to_string();
    text.strip_prefix("/svc/").unwrap_or(&text).into()
}

/// The name by which commands know a service that routes mean.
fn routed_name(path: &Path) -> Option<&str> {
    let prefix = Kind::Local.prefix();
    path.strip_prefix(&prefix)?.first()?.as_str()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::drawn::outside;
    use super::*;
    use crate::dtab::Address;
    use crate::model::Protocol;
    use crate::proxy::headers::{Given, Identity};
    use crate::proxy::http::Context;
    use crate::route::{Call, Endpoint, Location};
    use crate::telemetry::requests::Requests;

    #[test]
    fn what_is_led_outside_is_nobody_whose_requests_are_known() {
        let port =
            Endpoint { name: String::new(), number: 80, protocol: Protocol::Http, location: Location::Loopback(80) };
        let target = outside(&Address { host: "127.0.0.1".to_owned(), port: 9000 }, &port);
        let context = Context::new(Requests::default(), mpsc::unbounded_channel().0);
        let identity = Identity::of(jiff::Timestamp::UNIX_EPOCH, &Given::default());
        let place = Call::Fixed(target.endpoint().location.clone());
        let more = More { asked_for: Some("users".into()), ..More::default() };
        let routed = Routed { target: target.clone(), more: Some(Box::new(more)) };
        assert!(routed.is_outside() && context.serving(&routed, &place, &Caller::Outside, &identity).is_none());
        assert!(context.serving(&Routed::plainly(target), &place, &Caller::Outside, &identity).is_some());
    }
}
