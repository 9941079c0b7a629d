//! Where the requests of a connection lead.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use super::answer::{Answer, Asker, Refusal};
use super::closing::Closing;
use super::http::Target;
use super::routing::Router;
use super::tunnel::Tunnel;

/// In the place of a callee that nobody can tell.
const UNKNOWN: &str = "(unknown)";

/// What a way is chosen by.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Whom the request is for, with a port or without: of a CONNECT its target.
    pub host: &'a str,
    /// With its query.
    pub path: &'a str,
    pub is_connect: bool,
    pub asker: Asker,
}

/// Where a request leads.
pub enum Lead {
    /// To a port that speaks HTTP; a CONNECT too, of which that service is to make what it likes.
    Service(Target),
    /// The answer to a CONNECT is a tunnel.
    Tunnel(Tunnel),
    /// It is answered here.
    Here(Making),
}

/// An answer in the making: what a page shows may have to be read from files.
pub type Making = Pin<Box<dyn Future<Output = Answer>>>;

/// The outside, as services are told of it.
#[derive(Debug)]
pub struct Origin {
    pub scheme: &'static str,
    /// Who calls.
    pub address: String,
}

/// Where the requests of a connection lead.
pub trait Way: 'static {
    /// Where a request leads, by the present table.
    fn lead(&self, asked: &Asked<'_>) -> Lead;

    /// What tells a refusal to whoever asked.
    fn refuse(&self, refusal: Refusal, asker: Asker) -> Making {
        Box::pin(ready(refusal.response(asker)))
    }

    /// Whom a request that cannot be read was meant for, as far as its connection tells.
    fn addressee(&self) -> Arc<str> {
        UNKNOWN.into()
    }

    /// The outside, where requests come from there.
    fn origin(&self) -> Option<&Origin> {
        None
    }

    /// Becomes ready once the connection should end: after the request that is being served, with notice where the
    /// protocol has one.
    fn closing(&self) -> Closing {
        Closing::never()
    }
}

/// All requests lead to one callee, wherever it is by now. The connection ends when the callee goes.
impl<F: Fn() -> Target + 'static> Way for F {
    fn lead(&self, _asked: &Asked<'_>) -> Lead {
        Lead::Service(self())
    }

    fn addressee(&self) -> Arc<str> {
        self().upstream.service().clone()
    }

    fn closing(&self) -> Closing {
        Closing::with(self().upstream, Router::default(), None)
    }
}
