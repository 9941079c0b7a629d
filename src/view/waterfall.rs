//! The requests of one trace, below each other as they were made.

use jiff::Timestamp;

use super::Request;

/// One request in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Its place in the list.
    pub request: usize,
    /// How many are above it.
    pub depth: usize,
    /// Since the first one began.
    pub start_ms: f64,
    pub duration_ms: f64,
}

/// Who made which: a request is one of the latest that its caller was serving when it began. Sorted as a tree.
pub fn waterfall(requests: &[&Request]) -> Vec<Bar> {
    let mut times: Vec<(usize, f64)> = requests
        .iter()
        .enumerate()
        .filter_map(|(place, request)| Some((place, millis(request.time.parse().ok()?))))
        .collect();
    times.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let Some(first) = times.first().map(|(_, time)| *time) else { return Vec::new() };
    let end = |(place, start): (usize, f64)| start + requests[place].duration_ms;
    let parent = |at: usize| {
        let (place, start) = times[at];
        let serves = |other: &&(usize, f64)| is_of(requests[other.0], &requests[place].from) && end(**other) >= start;
        times[..at].iter().rev().find(serves).map(|(place, _)| *place)
    };
    let parents: Vec<(usize, Option<usize>)> = (0..times.len()).map(|at| (times[at].0, parent(at))).collect();
    let mut out = Vec::new();
    let mut open: Vec<(usize, usize)> =
        parents.iter().rev().filter(|(_, parent)| parent.is_none()).map(|(place, _)| (*place, 0)).collect();
    while let Some((request, depth)) = open.pop() {
        let start = times.iter().find(|(place, _)| *place == request).map_or(first, |(_, time)| *time);
        out.push(Bar { request, depth, start_ms: start - first, duration_ms: requests[request].duration_ms });
        let children = parents.iter().rev().filter(|(_, parent)| *parent == Some(request));
        open.extend(children.map(|(place, _)| (*place, depth + 1)));
    }
    out
}

/// Whether a request was served by a service, by either of its names.
fn is_of(request: &Request, name: &str) -> bool {
    let versioned = |version: &String| name.strip_prefix(&request.to) == Some(&format!("-{version}"));
    request.to == name || request.version.as_ref().is_some_and(versioned)
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of this century")]
fn millis(time: Timestamp) -> f64 {
    time.as_microsecond() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(from: &str, to: &str, start_ms: u64, duration_ms: f64) -> Request {
        serde_json::from_value(serde_json::json!({
            "id": "r", "trace_id": "t", "time": format!("2026-11-21T12:00:00.{start_ms:03}Z"), "from": from, "to": to,
            "version": null, "protocol": "http", "method": "GET", "path": "/", "status": 200, "grpc_status": null,
            "duration_ms": duration_ms, "attempts": 1, "fallback": null, "fault": null, "routed_by": null,
            "link": "exact", "error": null,
        }))
        .unwrap()
    }

    #[test]
    fn a_request_stands_below_the_one_that_it_came_of() {
        let list = [
            request("users", "db", 25, 4.0),
            request("(front door)", "web", 10, 90.0),
            request("web", "users", 20, 30.0),
            request("web", "cart", 60, 20.0),
            request("ghost", "db", 70, 1.0),
        ];
        let bars = waterfall(&list.iter().collect::<Vec<_>>());
        let shown: Vec<_> = bars.iter().map(|bar| (list[bar.request].to.as_str(), bar.depth, bar.start_ms)).collect();
        assert_eq!(shown, [("web", 0, 0.0), ("users", 1, 10.0), ("db", 2, 15.0), ("cart", 1, 50.0), ("db", 0, 60.0)]);
        assert_eq!(waterfall(&[]), []);
    }
}
