//! What names mean for as long as neither table nor routes change.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::binding::{Binding, End, Leaf, NO_ENDPOINTS};
use super::drawn::{Drawn, outside};
use super::own::Local;
use super::{Call, permits, service_name};
use crate::dtab::{self, Dtab, Identified, Interpreter, Limits, Namers, Path, Ruled, naming_fields};
use crate::proxy::answer::{Refusal, Sought};
use crate::proxy::http::{Caller, Target};
use crate::route::{Endpoint, Known, Remote, Routes, Table, Upstream, is_machine};

/// Names that are kept bound. Requests may bring any.
const MOST_NAMES: usize = 1000;

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
    bound: RefCell<Kept>,
    /// The same of requests that rules are for, by the numbers of these.
    ruled: RefCell<HashMap<Box<[usize]>, Kept>>,
}

impl View {
    fn new(table: &Table, routes: Arc<Routes>) -> Rc<Self> {
        let is_plain = routes.are_built_in() && table.identifiers.is_empty() && table.rules.is_empty();
        Rc::new(Self { routes, is_plain, bound: RefCell::default(), ruled: RefCell::default() })
    }
}

type Kept = HashMap<Path, Rc<Binding>>;

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

    pub fn binding(&self, view: &View, name: &Path, rules: &[usize], local: Option<&Local>) -> Rc<Binding> {
        let bind = || self.bind(view, name, self.table.rules.entries(rules), local);
        match (local, rules) {
            (Some(_), _) => bind(),
            (None, []) => kept(&mut view.bound.borrow_mut(), name, bind),
            (None, rules) => {
                let mut ruled = view.ruled.borrow_mut();
                if let Some(of_rules) = ruled.get_mut(rules) {
                    return kept(of_rules, name, bind);
                }
                if ruled.len() >= MOST_NAMES {
                    ruled.clear();
                }
                kept(ruled.entry(rules.into()).or_default(), name, bind)
            }
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

/// What is kept of a name while it holds, else what it is bound to now.
fn kept(all: &mut Kept, name: &Path, bind: impl FnOnce() -> Rc<Binding>) -> Rc<Binding> {
    if let Some(known) = all.get(name)
        && known.holds()
    {
        return known.clone();
    }
    let binding = bind();
    if all.len() >= MOST_NAMES {
        all.clear();
    }
    all.insert(name.clone(), binding.clone());
    binding
}
