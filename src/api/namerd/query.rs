//! Questions whose answers change with time, and may be watched.

use std::sync::Arc;

use axum::http::header::{CONTENT_TYPE, HeaderName};
use serde::Serialize;

use super::Refusal;
use super::codec::{Codec, JSON};
use super::request::Parameters;
use crate::api::names::{Names, with_hosts};
use crate::dtab::namers::Kind;
use crate::dtab::{Dtab, Label, NameTree, Path, Place, SyntaxError, Unbound};
use crate::route::Upstream;
use crate::runtime::Handle;
use crate::view::DelegateTree;
use crate::view::delegate_tree::Addr;

/// What is asked. A namespace of `None` is this workspace's.
#[derive(Debug)]
pub enum Query {
    /// All namespaces.
    List,
    Dtab {
        namespace: Option<String>,
        codec: Codec,
    },
    Bind(Bind),
    /// Where one of the names is to which a name is bound; a random number chooses which, in `0..1`.
    Resolve(Bind, f64),
    /// Where a bound name is.
    Addr(Path),
    /// How a name is bound, by the entries that came with the request alone where there is no namespace.
    Delegate {
        namespace: Option<Option<String>>,
        path: Path,
        dtab: Dtab,
    },
    /// All names that namers know.
    BoundNames,
}

/// A name to be bound, with more entries.
#[derive(Debug)]
pub struct Bind {
    namespace: Option<String>,
    path: Path,
    dtab: Dtab,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    Text(String),
    /// Ask again when something has changed.
    Pending,
    Missing,
    Error(String),
}

impl Query {
    /// `GET /api/1/bind/NAMESPACE`.
    pub fn bind(namespace: Option<String>, parameters: &Parameters) -> Result<Self, Refusal> {
        Bind::new(namespace, parameters).map(Self::Bind)
    }

    /// `GET /api/1/resolve/NAMESPACE`.
    pub fn resolve(namespace: Option<String>, parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self::Resolve(Bind::new(namespace, parameters)?, fastrand::f64()))
    }

    /// `GET /api/1/addr/NAMESPACE`. What linkerd's transformers write before a name, `/%/…`, is taken off.
    pub fn addr(parameters: &Parameters) -> Result<Self, Refusal> {
        let path = path(parameters)?;
        let is = |label: &Label, text: &[u8]| label.as_bytes() == text;
        let is_transformed = path.labels().first().is_some_and(|first| is(first, b"%"));
        let is_before = |label: &&Label| is_transformed && !is(label, b"#") && !is(label, b"$");
        Ok(Self::Addr(Path::new(path.labels().iter().skip_while(is_before).cloned().collect())))
    }

    /// `GET` and `POST /api/1/delegate`.
    pub fn delegate(namespace: Option<Option<String>>, parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self::Delegate { namespace, path: path(parameters)?, dtab: dtab(parameters)? })
    }

    /// The header that tells the form of the answer.
    pub fn content_type(&self) -> [(HeaderName, &'static str); 1] {
        let kind = if let Self::Dtab { codec, .. } = self { codec.media_type() } else { JSON };
        [(CONTENT_TYPE, kind)]
    }

    /// The answer now.
    pub async fn answer(&self, handle: &Handle) -> Said {
        match self {
            Self::List => {
                let dtabs = handle.dtabs.borrow();
                let own = dtabs.get(None).map(|_| "default");
                let mut names: Vec<&str> = own.into_iter().chain(dtabs.others()).collect();
                names.sort_unstable();
                json(&names)
            }
            Self::Dtab { namespace, codec } => {
                let current = handle.dtabs.borrow().get(namespace.as_deref());
                let dtab = current.and_then(|current| current.dtab);
                dtab.map_or(Said::Missing, |dtab| Said::Text(codec.write(&dtab) + "\n"))
            }
            Self::Bind(bind) => {
                let bound = match bind.names(handle).interpreter().bind(&bind.path) {
                    Ok(bound) => bound,
                    Err(reason) => return unbound(&reason),
                };
                json(&with_hosts(|hosts| DelegateTree::of_bound(&bound, &|place| hosts.addr(place))).await)
            }
            Self::Resolve(bind, random) => {
                let id = match bind.names(handle).interpreter().bind(&bind.path) {
                    Ok(bound) => bound.draw(*random).map(|bound| bound.id.clone()),
                    Err(reason) => return unbound(&reason),
                };
                match id {
                    Some(id) => addr(handle, &id).await,
                    None => json(&Addr::Neg),
                }
            }
            Self::Addr(path) => addr(handle, path).await,
            Self::Delegate { namespace, path, dtab } => {
                let names = match namespace {
                    Some(namespace) => names(handle, namespace.as_deref(), dtab.clone()),
                    None => Names::of(handle, dtab.clone(), Dtab::default()),
                };
                let trace = names.interpreter().delegate(path);
                json(&with_hosts(|hosts| DelegateTree::new(&trace, &|place| hosts.addr(place))).await)
            }
            Self::BoundNames => {
                let table = handle.table.borrow();
                let name = |upstream: &Arc<Upstream>| {
                    let kind = if upstream.is_external() { Kind::External } else { Kind::Local };
                    format!("{}/{}", kind.prefix(), upstream.name)
                };
                json(&table.upstreams.iter().map(name).collect::<Vec<_>>())
            }
        }
    }
}

impl Bind {
    fn new(namespace: Option<String>, parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self { namespace, path: path(parameters)?, dtab: dtab(parameters)? })
    }

    fn names(&self, handle: &Handle) -> Names {
        names(handle, self.namespace.as_deref(), self.dtab.clone())
    }
}

/// What names mean in a namespace. One that is missing is empty, as with linkerd.
fn names(handle: &Handle, namespace: Option<&str>, local: Dtab) -> Names {
    if namespace.is_none() {
        return Names::of_workspace(handle, local);
    }
    let current = handle.dtabs.borrow().get(namespace);
    Names::of(handle, current.and_then(|current| current.dtab).unwrap_or_default(), local)
}

/// Where a bound name is: only namers are asked.
async fn addr(handle: &Handle, path: &Path) -> Said {
    let names = Names::of(handle, Dtab::default(), Dtab::default());
    let place = match names.interpreter().bind(path) {
        Ok(NameTree::Leaf(bound)) => bound.place,
        Ok(NameTree::Empty) => Place::Vacant,
        Ok(NameTree::Neg) => return json(&Addr::Neg),
        Ok(NameTree::Fail) => return Said::Error("name tree failed".to_owned()),
        Ok(NameTree::Alt(_) | NameTree::Union(_)) => return Said::Error(format!("{path} is not a concrete bound id")),
        Err(reason) => return unbound(&reason),
    };
    json(&with_hosts(|hosts| hosts.addr(&place)).await)
}

fn unbound(reason: &Unbound) -> Said {
    match reason {
        Unbound::Pending(_) => Said::Pending,
        error => Said::Error(error.to_string()),
    }
}

fn json(value: &impl Serialize) -> Said {
    Said::Text(serde_json::to_string(value).unwrap_or_default() + "\n")
}

fn path(parameters: &Parameters) -> Result<Path, Refusal> {
    let text = parameters.get("path").unwrap_or_default();
    text.parse().map_err(|error: SyntaxError| Refusal::bad(format!("Invalid path: {text} / {error}")))
}

fn dtab(parameters: &Parameters) -> Result<Dtab, Refusal> {
    let text = parameters.get("dtab").unwrap_or_default();
    text.parse().map_err(|error: SyntaxError| Refusal::bad(format!("Invalid dtab: {error}\n{}", error.excerpt())))
}
