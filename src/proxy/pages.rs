//! The front door's own pages, for browsers: all services of the workspace, and why one of them does not answer.
//!
//! A page is made when it is asked for, from the rows that are there then: with nobody looking it costs nothing.

use std::path::PathBuf;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_FRAME_OPTIONS};
use jiff::Timestamp;

use super::answer::{Answer, Refusal};
use super::html::{document, escape};
use crate::effects::places::Places;
use crate::effects::registry;
use crate::route::Table;
use crate::runtime::Board;
use crate::supervise::State;
use crate::telemetry::logs::last_lines;
use crate::view::{LogLine, Port, Service, by_service};

/// Lines of a service's log on its page.
const LINES: usize = 20;

/// What pages are made of.
#[derive(Clone)]
pub struct Pages {
    board: Board,
    places: Places,
    logs: PathBuf,
    /// When the engine was started: older lines are of another run.
    began: Timestamp,
}

/// A page as an answer. It needs nothing from elsewhere and is in nobody's frame.
pub fn page(status: StatusCode, html: String) -> Answer {
    let mut response = Answer::new(html.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Pages {
    /// Pages by the rows of a board, the registry of engines, and the log store.
    pub fn new(board: Board, places: Places, logs: PathBuf, began: Timestamp) -> Self {
        Self { board, places, logs, began }
    }

    /// All services, and the other workspaces of this user that run.
    pub async fn index(&self, table: &Table) -> String {
        let places = self.places.clone();
        let own = table.front_door;
        let others = blocking(move || {
            let others = registry::engines(&places).into_iter().filter(|engine| engine.front_door != own);
            others.map(|engine| (engine.host_label, engine.front_door)).collect::<Vec<_>>()
        });
        let others: Vec<String> = others
            .await
            .into_iter()
            .map(|(label, port)| format!("<a href=\"http://{0}.localhost:{port}/\">{0}</a>", escape(&label)))
            .collect();
        let label = escape(&table.host_label);
        let foot = if others.is_empty() {
            String::new()
        } else {
            format!("<footer>Other workspaces: {}</footer>", others.join(", "))
        };
        let body = format!("<h1>{label}</h1>{}{foot}", services(&self.board.rows()));
        document(&table.host_label, &body)
    }

    /// Why a service did not answer, with its last lines and the command to look further.
    pub async fn refusal(&self, refusal: &Refusal, status: StatusCode, table: &Table) -> String {
        let row = refusal.service().and_then(|name| self.row(name));
        let mut body = format!("<p class=code>{status}</p><h1>{}</h1>", escape(&heading(refusal)));
        if !refusal.excerpt().is_empty() {
            body.push_str(&format!("<pre>{}</pre>", escape(refusal.excerpt())));
        }
        match &row {
            Some(row) => body.push_str(&self.state_and_log(row).await),
            None => body.push_str(&services(&self.board.rows())),
        }
        let next = escape(&refusal.next());
        let index = format!("http://{}.localhost:{}/", escape(&table.host_label), table.front_door);
        body.push_str(&format!(
            "<p>Next: <code>{next}</code></p><footer><a href=\"{index}\">All services</a></footer>"
        ));
        document(&refusal.to_string(), &body)
    }

    async fn state_and_log(&self, row: &Service) -> String {
        let mut out = format!("<p>{}", state(row.state));
        if let Some(reason) = &row.reason {
            out.push_str(&format!(" {}", escape(reason)));
        }
        out.push_str("</p>");
        let (logs, name, began) = (self.logs.clone(), row.service.clone(), self.began);
        let lines = blocking(move || {
            let lines = last_lines(&logs, &name, LINES, began);
            lines.iter().map(|line| LogLine::new(&name, line).message).collect::<Vec<_>>()
        });
        let lines = lines.await;
        if !lines.is_empty() {
            out.push_str(&format!("<h2>Its last lines</h2><pre>{}</pre>", escape(&lines.join("\n"))));
        }
        out
    }

    fn row(&self, service: &str) -> Option<Service> {
        by_service(self.board.rows()).into_iter().find(|row| row.service == service)
    }
}

/// Files are not read on the thread that serves.
async fn blocking<T: Default + Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

fn services(rows: &[Service]) -> String {
    let rows: String = rows.iter().map(service).collect();
    format!("<table><tr><th>Service<th>State<th>Address{rows}</table>")
}

fn service(row: &Service) -> String {
    let reason = row.reason.as_ref().map(|reason| format!("<small>{}</small>", escape(reason)));
    let ports: Vec<String> = row.ports.iter().map(port).collect();
    format!(
        "<tr><td>{}<td>{}{}<td>{}",
        escape(&row.label()),
        state(row.state),
        reason.unwrap_or_default(),
        ports.join("<br>")
    )
}

/// Links for browsers; what is no page is only told.
fn port(port: &Port) -> String {
    let Some(url) = &port.url else { return escape(&port.name) };
    let shown = escape(url.split_once("://").map_or(url.as_str(), |(_, rest)| rest));
    let url = escape(url);
    match &port.https {
        Some(https) if port.is_for_browsers() => {
            format!("<a href=\"{url}\">{shown}</a> <a class=also href=\"{}\">https</a>", escape(https))
        }
        _ => format!("<code>{shown}</code> <span class=also>{}</span>", escape(&port.name)),
    }
}

fn state(state: State) -> String {
    let kind = match state {
        State::Ready | State::Running | State::Completed => "good",
        State::Waiting | State::Setup | State::Starting | State::Stopping => "coming",
        State::Unhealthy | State::Backoff | State::Failed => "bad",
        State::Idle | State::Stopped => "off",
    };
    format!("<span class=\"state {kind}\">{}</span>", state.word())
}

/// A sentence begins with a capital, unless it begins with a service's name.
fn heading(refusal: &Refusal) -> String {
    // The reason stands below, with the state.
    let text = match refusal {
        Refusal::StillComing(name, hold, Some(_)) => Refusal::StillComing(name.clone(), *hold, None).to_string(),
        other => other.to_string(),
    };
    let mut letters = text.chars();
    match (refusal.service(), letters.next()) {
        (None, Some(first)) => first.to_uppercase().chain(letters).collect(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(name: &str, service: &str) -> Service {
        serde_json::from_value(json!({
            "name": name, "service": service, "version": null, "instance": 1, "state": "ready", "ready": true,
            "kind": "process", "network": "pod", "pid": 1, "container": null, "image": null, "ports": [], "restarts": 0,
            "exit_code": null, "uptime_ms": null, "started": null, "cpu_percent": null, "memory_bytes": null,
            "reason": null, "settled": true, "stuck": false, "wanted": true, "startup_ms": null,
        }))
        .unwrap()
    }

    #[test]
    fn versions_of_a_service_are_told_apart() {
        let shown = services(&[row("users", "users"), row("users-v2", "users")]);
        assert!(shown.contains("<td>users<td>") && shown.contains("<td>users-v2<td>"), "{shown}");
    }
}
