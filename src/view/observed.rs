//! The topology with what was seen of it: the calls that the engine remembers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::graph::{Edge, Graph, Node};
use super::traffic::{EdgeId, RATE, Tally, is_failed, is_to};
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
        for ((from, to), calls) in calls(requests, rows, now) {
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

/// By caller and callee. A callee's row is found before anything is counted: calls that name its version lead to the
/// same one as those that name none.
fn calls(requests: &[Request], rows: &[Service], now: Timestamp) -> BTreeMap<(String, String), Calls> {
    let mut found: BTreeMap<(String, String), Calls> = BTreeMap::new();
    for request in requests.iter().filter(|request| !request.copy) {
        let to = request.to_name.as_ref().filter(|_| request.declared.is_none()).unwrap_or(&request.to);
        let edge = EdgeId { from: Some(request.from.clone()), to: to.clone(), version: request.version.clone() };
        let to = rows.iter().find(|row| is_to(&edge, row)).map_or(edge.to, |row| row.name.clone());
        let calls = found.entry((request.from.clone(), to)).or_default();
        let is_failed = is_failed(request.error.is_some(), request.status, request.grpc_status);
        calls.tally.note(is_failed, request.duration_ms * 1e3);
        calls.declared = request.declared;
        let begun: Option<Timestamp> = request.time.parse().ok();
        calls.lately += u64::from(begun.is_some_and(|begun| now.as_second() - begun.as_second() < RATE));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(name: &str, version: &str) -> Service {
        serde_json::from_value(json!({
            "name": name, "service": "users", "version": version, "instance": 1, "state": "ready", "ready": true,
            "kind": "process", "network": "env", "pid": 4000, "container": null, "image": null, "ports": [],
            "needed_by": [], "restarts": 0, "exit_code": null, "uptime_ms": null, "started": null,
            "cpu_percent": null, "memory_bytes": null, "reason": null, "settled": true, "stuck": false,
            "wanted": true, "startup_ms": null, "lost_lines": 0,
        }))
        .unwrap()
    }

    fn request(version: Option<&str>, status: u16) -> Request {
        serde_json::from_value(json!({
            "id": "r", "trace_id": "t", "time": "2026-11-21T11:59:59Z", "from": "web", "to": "users",
            "version": version, "protocol": "http", "method": "GET", "path": "/", "status": status,
            "grpc_status": null, "duration_ms": 4.0, "attempts": 1, "fallback": null, "fault": null,
            "routed_by": null, "link": "exact", "error": null, "declared": true,
        }))
        .unwrap()
    }

    #[test]
    fn calls_that_lead_to_one_row_are_counted_together() {
        let rows = [row("users", "v1"), row("users-v2", "v2")];
        // One that was refused came to no version.
        let requests =
            [request(None, 503), request(Some("v1"), 200), request(Some("v2"), 200), request(Some("v1"), 200)];
        let mut graph = Graph::default();
        graph.observe(&requests, &rows, "2026-11-21T12:00:00Z".parse().unwrap());
        let seen = |edge: &Edge| edge.seen.map(|seen| (seen.requests, seen.errors));
        let told: Vec<_> = graph.edges.iter().map(|edge| (edge.to.as_str(), seen(edge))).collect();
        assert_eq!(told, [("users", Some((3, 1))), ("users-v2", Some((1, 0)))]);
    }
}
