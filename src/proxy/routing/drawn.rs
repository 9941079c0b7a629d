//! Whom one request is led to.

use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use super::binding::Binding;
use super::own::Local;
use super::{More, Routed, loopback, target_name};
use crate::dtab::Address;
use crate::model::{Egress, Protocol};
use crate::proxy::answer::Refusal;
use crate::proxy::http::Target;
use crate::route::{Availability, Endpoint, Location, Remote, Replicas, Upstream};

/// Whom one request is led to.
pub(super) struct Drawn {
    pub target: Target,
    pub by: Option<Arc<str>>,
    /// It is nobody of the workspace.
    pub is_outside: bool,
}

impl Drawn {
    fn remote(&self) -> Option<&Remote> {
        self.target.upstream.remote.as_ref()
    }

    /// Whether a request leaves this machine's workspace, to come back perhaps.
    pub fn leaves(&self) -> bool {
        self.is_outside || self.remote().is_some()
    }

    /// What of a request's entries goes on with it: whole, as linkerd hands them on; to another place what is not of this
    /// machine; and to somebody else's service nothing.
    pub fn hands_on(&self, local: Option<Rc<Local>>) -> Option<Rc<Local>> {
        match self.remote() {
            Some(_) => local?.abroad().map(Rc::new),
            None if self.target.upstream.is_external() && !self.is_outside => None,
            None => local,
        }
    }

    /// The path and query to send: at a remote all paths may be below one.
    pub fn below(&self, other: Option<String>, asked: &str) -> Option<String> {
        match self.remote() {
            Some(remote) if !remote.url.path.is_empty() => {
                let path = other.as_deref().unwrap_or(asked);
                path.starts_with('/').then(|| format!("{}{path}", remote.url.path)).or(other)
            }
            _ => other,
        }
    }

    /// What speaks HTTP elsewhere is not to be sent bytes of which nobody knows what they are.
    pub fn check_bytes(&self) -> Result<(), Refusal> {
        match self.remote() {
            Some(remote) if remote.url.scheme.protocol() != Protocol::Tcp => {
                Err(Refusal::failed(&self.target.upstream, "it takes HTTP alone".to_owned()))
            }
            _ => Ok(()),
        }
    }

    pub fn routed(self, binding: Rc<Binding>, more: More) -> Routed {
        let asked_for = self.is_outside.then(|| target_name(&binding.name));
        let more = More { by: self.by, asked_for, binding: Some(binding), ..more };
        Routed { target: self.target, more: Some(Box::new(more)) }
    }
}

/// A callee that is no service. On this machine it is called by the name that was asked for, elsewhere by its own.
pub(super) fn outside(address: &Address, like: &Endpoint) -> Target {
    let Address { host, port } = address;
    let location = match loopback(host) {
        Some(Ipv4Addr::LOCALHOST) => Location::Loopback(*port),
        _ => Location::Elsewhere { host: host.as_str().into(), port: *port, tls: false },
    };
    let upstream = Upstream {
        name: format!("{host}:{port}").into(),
        version: None,
        remote: None,
        called: Ipv4Addr::UNSPECIFIED,
        own: Ipv4Addr::UNSPECIFIED,
        egress: Egress::Allow,
        ports: vec![Endpoint { location, ..like.clone() }],
        availability: watch::channel(Availability::Ready).1,
        replicas: Replicas::Fixed,
    };
    Target { upstream: Arc::new(upstream), port: 0 }
}
