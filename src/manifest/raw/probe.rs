//! Probes: one of six checks and its rhythm.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::manifest::node::Node;
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::read::{At, Brief, Definitions, Dict, OrBrief, Read, Seconds, record, text_of, wrong_type};

use super::CommandSpec;

record! {
    /// A probe; Kubernetes' spellings of the rhythm are understood too.
    Probe is "a probe" {
        /// `GET` succeeds: a path, or {path, port, host, headers, status}.
        http: OrBrief<HttpCheck>,
        /// A connection is accepted: a port, or {port}.
        tcp: OrBrief<TcpCheck>,
        /// The standard gRPC health service says SERVING: a service's name, or {port, service}.
        grpc: OrBrief<GrpcCheck>,
        /// The command exits with 0.
        exec: OrBrief<ExecCheck>,
        /// A line of the output matches this regular expression.
        log: At<LogCheck>,
        /// `true`: the program says so itself, as systemd's services do (sd_notify; `NOTIFY_SOCKET` leads to it).
        notify: At<bool>,
        /// Kubernetes' name for `http`.
        httpGet: OrBrief<HttpCheck>,
        /// Kubernetes' name for `tcp`.
        tcpSocket: OrBrief<TcpCheck>,
        /// Between two tries until it succeeds; 2s.
        period: Duration,
        /// Likewise, in seconds.
        periodSeconds: Seconds,
        /// For one try; 1s.
        timeout: Duration,
        /// Likewise, in seconds.
        timeoutSeconds: Seconds,
        /// Before the first try; none.
        initial_delay: Duration,
        /// Likewise, in seconds.
        initialDelaySeconds: Seconds,
        /// Failures in a row that make a ready service unhealthy; 3.
        failure_threshold: At<u32>,
        /// Likewise.
        failureThreshold: At<u32>,
        /// Successes in a row that make it ready; 1.
        success_threshold: At<u32>,
        /// Likewise.
        successThreshold: At<u32>,
    }
}

impl Brief for Probe {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        let http = HttpCheck::brief(node, problems)?;
        Some(Self { http: Some(OrBrief(http)), ..Self::default() })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        HttpCheck::brief_schema(definitions)
    }
}

record! {
    /// An HTTP check, long form.
    HttpCheck is "an http check" {
        /// The path, `/` where it is not given.
        path: At<String>,
        /// A declared port's name or number; the first port where it is not given.
        port: At<PortRef>,
        /// The Host header.
        host: String,
        /// `http`; https comes with TLS.
        scheme: At<String>,
        /// Other headers; a `Host` among them counts as `host`.
        headers: Dict<At<String>>,
        /// Kubernetes' way to write them: a list of {name, value}.
        httpHeaders: Vec<HttpHeader>,
        /// The only status that counts as success, instead of 200 to 399.
        status: At<u16>,
    }
}

record! {
    /// A header, as Kubernetes writes it.
    HttpHeader is "a header" {
        /// Its name.
        name: At<String>,
        /// Its value.
        value: At<String>,
    }
}

impl Brief for HttpCheck {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        let path = At::<String>::read(node, problems)?;
        Some(Self { path: Some(path), ..Self::default() })
    }

    fn brief_schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "examples": ["/healthz"] })
    }
}

record! {
    /// An exec check, as Kubernetes writes it.
    ExecCheck is "an exec check" {
        /// What to run.
        command: At<CommandSpec>,
    }
}

impl Brief for ExecCheck {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        At::read(node, problems).map(|command| Self { command: Some(command) })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        CommandSpec::schema(definitions)
    }
}

record! {
    /// A TCP check.
    TcpCheck is "a tcp check" {
        /// A declared port's name or number; the first port where it is not given.
        port: At<PortRef>,
    }
}

impl Brief for TcpCheck {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        At::read(node, problems).map(|port| Self { port: Some(port) })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        PortRef::schema(definitions)
    }
}

record! {
    /// A gRPC health check.
    GrpcCheck is "a grpc check" {
        /// A declared port's name or number; the first port where it is not given.
        port: At<PortRef>,
        /// The service to ask about; the whole server where it is not given.
        service: String,
    }
}

impl Brief for GrpcCheck {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        String::read(node, problems).map(|service| Self { port: None, service: Some(service) })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        String::schema(definitions)
    }
}

/// A regular expression over lines, checked to be one.
#[derive(Debug, Clone)]
pub struct LogCheck(pub String);

impl Read for LogCheck {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "a regular expression", problems)?;
        if let Err(error) = regex::Regex::new(text) {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
            problems.push(Problem::error("bad_regex", format!("not a regular expression: {reason}")).at(node.span));
        }
        Some(Self(text.to_owned()))
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "format": "regex" })
    }
}

/// A port by its declared name or by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortRef {
    Name(String),
    Number(u16),
}

impl Read for PortRef {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "a port's name or number", problems)?;
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return u16::read(node, problems).map(Self::Number);
        }
        if text.is_empty() {
            wrong_type("a port's name or number", node, problems);
            return None;
        }
        Some(Self::Name(text.to_owned()))
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": ["string", "integer"] })
    }
}
