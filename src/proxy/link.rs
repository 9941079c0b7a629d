//! From which request a service made another: by what the program forwards, else by what it was serving.
//!
//! A program that forwards `x-request-id`, `traceparent` or `b3` says it itself. Of one that forwards nothing it is still
//! known which requests it had not answered yet: where that is one, it can be no other. Where there are several, it is one
//! of them, and nothing is made of that: an override that went with the wrong request would send it to where it must not
//! go. How many calls led to a request is counted all the same (`hops`), so that those that go round in circles end.

mod circle;
mod hops;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;

pub use hops::Hops;
use hops::{Among, Totals};

use super::headers::Identity;
use super::http::Caller;
use super::routing::own::Local;
use crate::telemetry::requests::Link;

/// What every instance of a service is serving; clones share it. Instances are told apart by their pods' addresses, and
/// those without pods not at all: which of them calls is not known either.
#[derive(Clone, Default)]
pub struct Links(Rc<All>);

#[derive(Default)]
struct All {
    serving: RefCell<HashMap<Whose, Serving>>,
    totals: Rc<Totals>,
}

type Whose = (Arc<str>, Option<Ipv4Addr>);

/// The requests that one instance has not answered yet; clones share them.
#[derive(Clone, Default)]
pub struct Serving(Rc<RefCell<Requests>>);

#[derive(Default)]
struct Requests {
    /// Who serves them.
    service: Arc<str>,
    /// A place each, some of them free.
    places: Vec<Option<Inbound>>,
    free: Vec<usize>,
    /// Of all services.
    totals: Rc<Totals>,
    /// The program was seen to hand on the entries of a request itself, and has not been idle since: a call without any is
    /// of one without.
    hands_on: Cell<bool>,
}

struct Inbound {
    /// The service that made it.
    from: Option<Arc<str>>,
    identity: Identity,
    local: Option<Rc<Local>>,
}

/// A request that is being served, until this is dropped.
pub struct InFlight {
    serving: Serving,
    place: usize,
}

/// How a request hangs together with what its caller was serving.
#[derive(Debug, Default)]
pub struct Linked {
    pub link: Link,
    /// The entries of the request that it came from.
    pub inherited: Option<Rc<Local>>,
    /// The caller, where it was serving requests with such entries, and it is not known whether they are for this one.
    pub withheld: Option<Arc<str>>,
    /// It goes round in circles.
    pub is_endless: bool,
}

impl Linked {
    /// What is told of it.
    pub fn told(&self) -> (Link, Option<Arc<str>>) {
        (self.link, self.withheld.clone())
    }
}

impl Links {
    /// What a caller serves; nothing can be known of one outside.
    pub fn of_caller(&self, caller: &Caller) -> Option<Serving> {
        match caller {
            Caller::Service(name) => Some(self.of(name, None)),
            Caller::Pod(name, own) => Some(self.of(name, Some(*own))),
            Caller::Outside => None,
        }
    }

    /// What an instance of a service serves.
    pub fn of(&self, service: &Arc<str>, own: Option<Ipv4Addr>) -> Serving {
        let new = || {
            let totals = self.0.totals.clone();
            Serving(Rc::new(RefCell::new(Requests { service: service.clone(), totals, ..Requests::default() })))
        };
        self.0.serving.borrow_mut().entry((service.clone(), own)).or_insert_with(new).clone()
    }
}

impl Serving {
    /// It is given a request by a service, or from outside.
    pub fn begin(&self, from: Option<&Arc<str>>, identity: &Identity, local: Option<&Rc<Local>>) -> InFlight {
        let inbound = Some(Inbound { from: from.cloned(), identity: identity.clone(), local: local.cloned() });
        let mut requests = self.0.borrow_mut();
        requests.totals.begin(identity.hops);
        let place = match requests.free.pop() {
            Some(place) => {
                requests.places[place] = inbound;
                place
            }
            None => {
                requests.places.push(inbound);
                requests.places.len() - 1
            }
        };
        InFlight { serving: self.clone(), place }
    }

    /// Links a request that it makes. What that does not say of itself is taken from where it came, if that is sure;
    /// `carried` is the field of it that hands entries on.
    pub fn link<'c>(&self, identity: &mut Identity, carried: impl FnOnce() -> Option<&'c [u8]>) -> Linked {
        let requests = self.0.borrow();
        let count = requests.places.len() - requests.free.len();
        if count == 0 {
            return Linked::default();
        }
        let all = || requests.places.iter().flatten();
        // Those of which it says itself that it came, those of its trace, and all.
        let [mut above, mut named, mut any] = [Among::default(), Among::default(), Among::default()];
        for inbound in all() {
            any.add(inbound);
            if identity.names(&inbound.identity) {
                named.add_alike(inbound);
            }
            if identity.is_below(&inbound.identity) {
                above.add_alike(inbound);
            }
        }
        let (link, among) = match (above.is_of_one_kind(), named.is_of_one_kind()) {
            (true, _) => (Link::Exact, above),
            // Several parts of one trace: whichever it is of, it says so.
            (false, true) => (Link::Exact, named),
            (false, false) if named.count > 0 => (Link::Inferred, named),
            (false, false) if count == 1 => (Link::Certain, any),
            (false, false) => (Link::Inferred, any),
        };
        identity.hops = among.below();
        let are_deep = || hops::is_deep(named.count) || requests.totals.are_deep();
        let is_endless = identity.hops.are_endless(are_deep);
        match among.first.filter(|_| link != Link::Inferred) {
            Some(from) => {
                identity.follow(&from.identity);
                Linked { link, inherited: from.local.clone(), withheld: None, is_endless }
            }
            None => Linked { is_endless, ..requests.inferred(carried()) },
        }
    }
}

impl Requests {
    /// What is known of a call that may be of any of the requests.
    fn inferred(&self, carried: Option<&[u8]>) -> Linked {
        let inferred = |withheld| Linked { link: Link::Inferred, withheld, ..Linked::default() };
        let mut locals = self.places.iter().flatten().filter_map(|inbound| inbound.local.as_ref());
        if let Some(carried) = carried {
            let is_theirs = locals.any(|local| local.text().as_bytes() == carried.trim_ascii());
            self.hands_on.set(self.hands_on.get() || is_theirs);
            return inferred(None);
        }
        if self.hands_on.get() {
            return inferred(None);
        }
        // Nobody's entries, and each of the requests that it may be of is told so.
        let told = locals.map(|local| local.withhold(&self.service)).count();
        inferred((told > 0).then(|| self.service.clone()))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut requests = self.serving.0.borrow_mut();
        if let Some(ended) = requests.places[self.place].take() {
            requests.totals.end(ended.identity.hops);
        }
        requests.free.push(self.place);
        if requests.free.len() == requests.places.len() {
            // It may be another program the next time.
            requests.hands_on.set(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::headers::Given;
    use super::*;

    fn identity(id: Option<&'static str>, traceparent: Option<&str>) -> Identity {
        let bytes = |text: &'static str| text.as_bytes();
        let given = Given { request_id: id.map(bytes), traceparent: traceparent.map(str::as_bytes), b3: None };
        Identity::of(Timestamp::UNIX_EPOCH, &given)
    }

    fn local(text: &str) -> Rc<Local> {
        Rc::new(Local::new(text.parse().unwrap()).unwrap())
    }

    fn traceparent(identity: &Identity) -> String {
        String::from_utf8(identity.traceparent().to_vec()).unwrap()
    }

    #[test]
    fn what_a_program_forwards_is_exact_however_much_it_serves() {
        let serving = Serving::default();
        let (one, two) = (identity(Some("one"), None), identity(Some("two"), None));
        let _one = serving.begin(None, &one, None);
        let _two = serving.begin(None, &two, Some(&local("/a=>/b")));
        for forwarded in [identity(Some("two"), None), identity(None, Some(&traceparent(&two)))] {
            let mut made = forwarded;
            let linked = serving.link(&mut made, || None);
            assert_eq!((linked.link, linked.withheld), (Link::Exact, None));
            assert_eq!(linked.inherited.map(|local| local.text().to_owned()).as_deref(), Some("/a=>/b"));
            assert_eq!((made.request_id(), made.trace_id), ("two", two.trace_id));
        }
    }

    #[test]
    fn one_request_that_is_served_is_certain_and_of_several_none_is() {
        let serving = Links::default().of(&"web".into(), None);
        assert_eq!(serving.link(&mut identity(None, None), || None).link, Link::None);
        let first = identity(None, None);
        let entries = local("/a=>/b");
        let in_flight = serving.begin(None, &first, Some(&entries));
        let mut made = identity(None, None);
        let linked = serving.link(&mut made, || None);
        assert_eq!((linked.link, linked.inherited.is_some()), (Link::Certain, true));
        assert_eq!((made.request_id(), made.trace_id), (first.request_id(), first.trace_id));
        assert_eq!(entries.withheld(), None);
        let other = serving.begin(None, &identity(None, None), None);
        let mut made = identity(None, None);
        let linked = serving.link(&mut made, || None);
        assert_eq!((linked.link, linked.inherited, linked.withheld), (Link::Inferred, None, Some("web".into())));
        assert_eq!(entries.withheld().map(|name| &**name), Some("web"), "who brought them is told");
        assert_ne!(made.trace_id, first.trace_id);
        drop(in_flight);
        let linked = serving.link(&mut identity(None, None), || None);
        assert_eq!((linked.link, linked.withheld), (Link::Certain, None));
        drop(other);
        assert_eq!(serving.link(&mut identity(None, None), || None).link, Link::None);
    }

    #[test]
    fn who_hands_on_what_it_got_is_told_apart_from_others_of_its_trace() {
        let serving = Serving::default();
        let whole = identity(None, None);
        let parts = [identity(None, Some(&traceparent(&whole))), identity(None, Some(&traceparent(&whole)))];
        let _first = serving.begin(None, &parts[0], Some(&local("/a=>/b")));
        let _second = serving.begin(None, &parts[1], Some(&local("/a=>/c")));
        for (part, entries) in parts.iter().zip(["/a=>/b", "/a=>/c"]) {
            let linked = serving.link(&mut identity(None, Some(&traceparent(part))), || None);
            assert_eq!((linked.link, linked.withheld), (Link::Exact, None));
            assert_eq!(linked.inherited.map(|local| local.text().to_owned()).as_deref(), Some(entries));
        }
        let linked = serving.link(&mut identity(None, Some(&traceparent(&whole))), || None);
        assert_eq!((linked.link, linked.withheld.is_some()), (Link::Inferred, true));
    }

    #[test]
    fn parts_of_one_trace_with_different_entries_are_not_told_apart() {
        let serving = Serving::default();
        let whole = identity(None, None);
        let part = identity(None, Some(&traceparent(&whole)));
        let _first = serving.begin(None, &whole, Some(&local("/a=>/b")));
        let _second = serving.begin(None, &part, Some(&local("/a=>/b")));
        let mut made = identity(None, Some(&traceparent(&part)));
        assert_eq!(serving.link(&mut made, || None).link, Link::Exact);
        let _third = serving.begin(None, &part, None);
        let linked = serving.link(&mut made, || None);
        assert_eq!((linked.link, linked.withheld.is_some()), (Link::Inferred, true));
    }

    #[test]
    fn nothing_is_withheld_from_the_calls_of_who_hands_entries_on_itself() {
        let serving = Links::default().of(&"web".into(), None);
        let entries = local("/a=>/b");
        let begin = |local| serving.begin(None, &identity(None, None), local);
        let both = [begin(Some(&entries)), begin(None)];
        let call = |carried: Option<&'static [u8]>| serving.link(&mut identity(None, None), || carried);
        let linked = call(Some(b"/a=>/c"));
        assert_eq!((linked.link, linked.withheld), (Link::Inferred, None), "it has some of its own");
        assert_eq!(call(Some(b" /a=>/b")).withheld, None);
        assert_eq!((call(None).withheld, entries.withheld()), (None, None), "it is the other's");
        // Once it serves nothing it may be started anew.
        drop(both);
        let _both = [begin(Some(&entries)), begin(None)];
        assert_eq!(call(None).withheld.as_deref(), Some("web"));
    }
}
