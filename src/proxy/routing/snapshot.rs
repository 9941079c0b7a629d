//! What names mean for as long as neither table nor routes change.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::Arc;

use super::binding::{Binding, End, Leaf, NO_ENDPOINTS};
use super::drawn::{Drawn, outside};
use super::own::Local;
use super::{Call, asked, permits, service_name};
use crate::dtab::{self, Dtab, Identified, Interpreter, Limits, Namers, Path, Ruled, naming_fields};
use crate::proxy::answer::{Refusal, Sought};
use crate::proxy::http::{Caller, Target};
use crate::route::{Endpoint, Known, Remote, Routes, Table, Upstream, is_machine};

/// Names that are kept bound. Requests may bring any.
const MOST_NAMES: usize = 1000;
/// Entries of requests by which names are kept bound: those who try something send the same ones again and again. Of
/// each of them so many names and choices of rules are kept.
const MOST_BROUGHT: usize = 50;
const MOST_OF_ONE: usize = 20;

/// What names mean for as long as neither table nor routes change.
pub(super) struct Snapshot {
    pub table: Arc<Table>,
    known: Arc<Known>,
    namers: Namers<Arc<Upstream>>,
    /// What they mean for most callers.
    pub common: Rc<View>,
    /// And for those who have entries of their own, by name.
    apart: RefCell<HashMap<Arc<str>, Rc<View>>>,
}

/// The routes as some callers have them, and what was bound by them.
pub(super) struct View {
    pub routes: Arc<Routes>,
    /// Every name leads to the service of that name.
    pub is_plain: bool,
    bound: Ways,
    /// The same of requests that bring entries, by the text of these.
    led: Keyed<str, Ways>,
}

/// What names are bound to: for requests that no rule is for, and for the others by the numbers of their rules.
#[derive(Default)]
struct Ways {
    plain: RefCell<Kept>,
    ruled: Keyed<[usize], RefCell<Kept>>,
}

impl View {
    fn new(table: &Table, routes: Arc<Routes>) -> Rc<Self> {
        let is_plain = routes.are_built_in() && table.identifiers.is_empty() && table.rules.is_empty();
        Rc::new(Self { routes, is_plain, bound: Ways::default(), led: RefCell::default() })
    }
}

type Kept = HashMap<Path, Rc<Binding>>;

type Keyed<K, V> = RefCell<HashMap<Box<K>, Rc<V>>>;

impl Ways {
    /// What a name is bound to; of names and of choices of rules, so many are kept.
    fn binding(&self, name: &Path, rules: &[usize], most: usize, bind: impl FnOnce() -> Rc<Binding>) -> Rc<Binding> {
        match rules {
            [] => kept(&mut self.plain.borrow_mut(), name, most, bind),
            rules => kept(&mut kept_for(&self.ruled, rules, most).borrow_mut(), name, most, bind),
        }
    }
}

impl Snapshot {
    pub fn new(table: Arc<Table>, routes: Arc<Routes>) -> Self {
        let known = Arc::new(Known::new(table.clone()));
        let namers = Namers::of_workspace(known.clone());
        let common = View::new(&table, routes);
        Self { table, known, namers, common, apart: RefCell::default() }
    }

    /// What names mean for a caller.
    pub fn view(&self, caller: Option<&Arc<str>>) -> Rc<View> {
        let own = caller.filter(|_| !self.table.apart.is_empty());
        let Some((caller, apart)) = own.and_then(|caller| Some((caller, self.table.apart.get(caller)?))) else {
            return self.common.clone();
        };
        let new = || View::new(&self.table, Arc::new(self.common.routes.with(apart.dtab())));
        self.apart.borrow_mut().entry(caller.clone()).or_insert_with(new).clone()
    }

    /// The name of a request: what the first identifier says that says anything, else that of whoever is called.
    pub fn name(
        &self,
        target: &Target,
        call: &Call<'_>,
        without_parameter: Option<&str>,
    ) -> Result<Identified, Refusal> {
        let callee = service_name(&target.upstream);
        if self.table.identifiers.is_empty() {
            return Ok(Identified { path: callee, uri: None });
        }
        let uri = without_parameter.unwrap_or(call.target);
        let call = Call { host: self.host(call.host, &target.upstream), ..*call };
        let headers = naming_fields(call.headers(), (call.method, call.host, uri));
        let request = dtab::Request { method: call.method, is_http_1_0: call.is_http_1_0, uri, headers: &headers };
        dtab::identified(&self.table.identifiers, callee, &request).map_err(|bad| {
            let (text, excerpt) = (bad.to_string(), bad.error.excerpt());
            Refusal::BadOverride { text, excerpt, is_too_large: false }
        })
    }

    /// The Host by which a request is named. A service has many names, and one way for all of them: its own.
    fn host<'a>(&'a self, host: &'a str, callee: &'a Upstream) -> &'a str {
        match self.table.named_by_host(host) {
            Some(name) => name,
            None if host.is_empty() || is_machine(host) => &callee.name,
            None => host,
        }
    }

    /// The numbers of the rules that are for a request.
    pub fn holding(&self, named: &Identified, call: &Call<'_>, without_parameter: Option<&str>) -> Vec<usize> {
        let rules = &self.table.rules;
        if rules.is_empty() || rules.of_name(&named.path).next().is_none() {
            return Vec::new();
        }
        let (uri, headers) = (without_parameter.unwrap_or(call.target), call.headers());
        let request = dtab::Request { method: call.method, is_http_1_0: call.is_http_1_0, uri, headers: &headers };
        rules.holding(&named.path, &request)
    }

    /// A refusal that says how to ask why of this very request.
    pub fn told(
        &self,
        refusal: Refusal,
        named: &Identified,
        call: &Call<'_>,
        without_parameter: Option<&str>,
    ) -> Refusal {
        // Where requests are named by what they bring, it takes more of one to tell its name.
        let rules = Some(&self.table.rules).filter(|_| self.table.identifiers.is_empty());
        let target = without_parameter.unwrap_or(call.target);
        match rules.and_then(|rules| asked::words(rules, &named.path, call, target)) {
            Some(words) => refusal.of_request(&words),
            None => refusal,
        }
    }

    pub fn binding(&self, view: &View, name: &Path, rules: &[usize], local: Option<&Local>) -> Rc<Binding> {
        let bind = || self.bind(view, name, self.table.rules.entries(rules), local);
        match local {
            None => view.bound.binding(name, rules, MOST_NAMES, bind),
            Some(local) => kept_for(&view.led, local.text(), MOST_BROUGHT).binding(name, rules, MOST_OF_ONE, bind),
        }
    }

    pub fn bind(&self, view: &View, name: &Path, rules: Vec<Ruled>, local: Option<&Local>) -> Rc<Binding> {
        let none = Dtab::default();
        let interpreter = Interpreter {
            table: &view.routes.table,
            rules: &rules,
            local: local.map_or(&none, Local::dtab),
            namers: &self.namers,
            limits: Limits::default(),
        };
        let is_led = !std::ptr::eq(view, &*self.common);
        Rc::new(Binding::new(&interpreter, name, &self.known, view.routes.built_in, is_led))
    }

    /// All that a name may be bound to: without any rule, and by each of those for it.
    pub fn bindings(&self, view: &View, name: &Path) -> Vec<Rc<Binding>> {
        let by_rule = self.table.rules.of_name(name).map(|(number, _)| self.binding(view, name, &[number], None));
        std::iter::once(self.binding(view, name, &[], None)).chain(by_rule).collect()
    }

    /// Draws one of those to whom a name is bound, at the port that has the part of the one that was called.
    pub fn draw(&self, binding: &Binding, port: &Endpoint, caller: &Caller) -> Result<Drawn, Refusal> {
        let found = match &binding.end {
            End::Tree(tree) => tree.draw(fastrand::f64()),
            End::Refused(refusal) => return Err(refusal.clone()),
        };
        let name = || binding.name.to_string();
        let nobody = |reason: &str| Refusal::Unrouted(name(), reason.to_owned(), Sought::End(name()));
        let (leaf, by) = found.ok_or_else(|| nobody(NO_ENDPOINTS))?;
        let drawn = |target, is_outside| Drawn { target, by: by.clone(), is_outside };
        match leaf {
            Leaf::Service(upstream) => {
                permits::service(&self.table, caller, upstream)?;
                if let Some(Remote { url, .. }) = &upstream.remote {
                    permits::no_loop(&self.table, &url.host, url.port)?;
                }
                let lacks = || Refusal::failed(upstream, format!("it has no port like `{}`", port.name));
                let port = upstream.port_like(port).ok_or_else(lacks)?;
                Ok(drawn(Target { upstream: upstream.clone(), port }, false))
            }
            Leaf::Address(address) => {
                permits::address(&self.table, caller, address)?;
                Ok(drawn(outside(address, port), true))
            }
            Leaf::Nobody(reason) => Err(nobody(reason)),
        }
    }
}

/// What is kept for a key, among so many.
fn kept_for<K: ?Sized + Eq + Hash, V: Default>(all: &Keyed<K, V>, key: &K, most: usize) -> Rc<V>
where
    Box<K>: for<'k> From<&'k K>,
{
    if let Some(known) = all.borrow().get(key) {
        return known.clone();
    }
    let mut all = all.borrow_mut();
    if all.len() >= most {
        all.clear();
    }
    all.entry(key.into()).or_default().clone()
}

/// What is kept of a name while it holds, else what it is bound to now.
fn kept(all: &mut Kept, name: &Path, most: usize, bind: impl FnOnce() -> Rc<Binding>) -> Rc<Binding> {
    if let Some(known) = all.get(name)
        && known.holds()
    {
        return known.clone();
    }
    let binding = bind();
    if all.len() >= most {
        all.clear();
    }
    all.insert(name.clone(), binding.clone());
    binding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_requests_bring_is_bound_once_for_all_that_bring_the_same() {
        let table = Arc::new(Table::default());
        let routes = Arc::new(Routes::new(0, std::iter::empty(), Dtab::default()));
        let snapshot = Snapshot::new(table, routes);
        let name: Path = "/svc/users".parse().unwrap();
        let local = |number: usize| Local::new(format!("/svc/users=>/a{number}").parse().unwrap()).unwrap();
        let bound = |number| snapshot.binding(&snapshot.common, &name, &[], Some(&local(number)));
        let first = bound(0);
        assert!(Rc::ptr_eq(&first, &bound(0)) && !Rc::ptr_eq(&first, &bound(1)));
        (2..=MOST_BROUGHT).for_each(|number| drop(bound(number)));
        assert!(snapshot.common.led.borrow().len() <= MOST_BROUGHT);
        assert!(!Rc::ptr_eq(&first, &bound(0)), "there is room for so many");
    }
}
