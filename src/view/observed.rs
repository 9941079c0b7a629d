//! The topology with what was seen of it: the calls that the engine remembers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::graph::{Edge, Graph, Node};
use super::traffic::{EdgeId, RATE, Tally, is_to};
use super::{Request, Service};

/// What was seen of an edge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// There was a call.
    pub observed: bool,
    /// Calls that are remembered, and how many of them failed.
    pub requests: u64,
    pub errors: u64,
    /// In the last ten seconds.
    pub per_second: f64,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Both are services, and the manifest does not have this caller call this callee.
    pub undeclared: bool,
    /// The manifest has it, and no call is remembered.
    pub unused: bool,
}

/// The calls of one edge.
#[derive(Debug, Default)]
struct Calls {
    tally: Tally,
    lately: u64,
    declared: Option<bool>,
}

impl Graph {
    /// Notes what was seen of each edge, and adds those that were seen alone, with callers and callees that are no services.
    /// Copies that mirrors made are left out: no caller made them.
    pub fn observe(&mut self, requests: &[Request], rows: &[Service], now: Timestamp) {
        for edge in &mut self.edges {
            let is_callable =
                rows.iter().any(|row| row.name == edge.to && row.ports.iter().any(|it| it.protocol != "udp"));
            edge.seen = Some(Observed { unused: is_callable, ..Observed::default() });
        }
        for (id, calls) in calls(requests, now) {
            let from = id.from.clone().unwrap_or_default();
            let to = rows.iter().find(|row| is_to(&id, row)).map_or(&id.to, |row| &row.name).clone();
            self.meet(&from, "outside");
            self.meet(&to, "external");
            let place = self.edges.iter().position(|edge| (&edge.from, &edge.to) == (&from, &to));
            let is_known = place.is_some();
            let place = place.unwrap_or_else(|| {
                self.edges.push(Edge::between(from, to));
                self.edges.len() - 1
            });
            self.edges[place].seen = Some(calls.observed(!is_known));
        }
    }

    /// Whoever is no service was only seen.
    fn meet(&mut self, name: &str, kind: &str) {
        if !self.nodes.iter().any(|node| node.name == name) {
            self.nodes.push(Node { name: name.to_owned(), kind: kind.to_owned(), state: None });
        }
    }
}

impl Calls {
    fn observed(&self, is_new: bool) -> Observed {
        #[allow(clippy::cast_precision_loss, reason = "a count of requests and one of seconds")]
        let per_second = self.lately as f64 / RATE as f64;
        Observed {
            observed: true,
            requests: self.tally.requests,
            errors: self.tally.errors,
            per_second,
            p50_ms: Some(self.tally.quantile(0.5)),
            p99_ms: Some(self.tally.quantile(0.99)),
            undeclared: is_new && self.declared == Some(false),
            unused: false,
        }
    }
}

fn calls(requests: &[Request], now: Timestamp) -> BTreeMap<EdgeId, Calls> {
    let mut found: BTreeMap<EdgeId, Calls> = BTreeMap::new();
    for request in requests.iter().filter(|request| !request.copy) {
        let to = request.to_name.as_ref().filter(|_| request.declared.is_none()).unwrap_or(&request.to);
        let (from, version) = (Some(request.from.clone()), request.version.clone());
        let calls = found.entry(EdgeId { from, to: to.clone(), version }).or_default();
        calls.tally.note(is_failed(request), request.duration_ms * 1e3);
        calls.declared = request.declared;
        let begun: Option<Timestamp> = request.time.parse().ok();
        calls.lately += u64::from(begun.is_some_and(|begun| now.as_second() - begun.as_second() < RATE));
    }
    found
}

fn is_failed(request: &Request) -> bool {
    request.error.is_some()
        || request.status.is_some_and(|status| status >= 500)
        || request.grpc_status.is_some_and(|status| status != 0)
}
