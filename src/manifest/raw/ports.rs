//! `ports` and `listen` in their short and long forms.

use serde_json::{Value as Json, json};

use crate::manifest::node::{Node, Value};
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::read::{At, Definitions, Dict, Read, record, text_of};
use crate::model::Protocol;

/// Ports in order: `8080`, `[8080, 9090]`, `{http: 8080}`, `{metrics: {port: 9100, protocol: http}}`.
#[derive(Debug, Clone, Default)]
pub struct Ports(pub Vec<At<PortSpec>>);

/// One port.
#[derive(Debug, Clone)]
pub struct PortSpec {
    pub name: String,
    pub number: u16,
    pub protocol: Protocol,
}

record! {
    /// A port, long form.
    PortRecord is "a port" {
        /// Production's number.
        port: u16,
        /// `http`, `h2`, `grpc`, `ws`, `tcp` or `udp`; told from the port's name where it is not given.
        protocol: ProtocolWord,
    }
}

/// The name of the port that is declared without one.
const UNNAMED: &str = "main";

impl Read for Ports {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let ports = match &node.value {
            Value::Null => Vec::new(),
            Value::Scalar(_) => vec![unnamed(UNNAMED.to_owned(), node, problems)?],
            Value::Seq(items) => items
                .iter()
                .enumerate()
                .filter_map(|(place, item)| {
                    let name = if place == 0 { UNNAMED.to_owned() } else { format!("{UNNAMED}-{}", place + 1) };
                    unnamed(name, item, problems)
                })
                .collect(),
            Value::Map(entries) => entries
                .iter()
                .filter(|(key, _)| !key.text.starts_with("x-"))
                .filter_map(|(key, node)| {
                    if !is_port_name(&key.text) {
                        problems.push(bad_port_name(&key.text).at(key.span));
                        return None;
                    }
                    named(&key.text, node, problems)
                })
                .collect(),
        };
        check_twice(&ports, problems);
        Some(Self(ports))
    }

    fn schema(definitions: &mut Definitions) -> Json {
        let number = u16::schema(definitions);
        let one = json!({ "anyOf": [number, PortRecord::schema(definitions)] });
        json!({ "anyOf": [
            number,
            { "type": "array", "items": one },
            { "type": "object", "additionalProperties": one },
        ] })
    }
}

fn unnamed(name: String, node: &Node, problems: &mut Problems) -> Option<At<PortSpec>> {
    if let Value::Scalar(scalar) = &node.value
        && let Some((_, inner)) = scalar.text.as_text().and_then(|text| text.rsplit_once(':'))
    {
        let hint =
            format!("write production's port alone: `ports: {inner}`; the front door is the way in from the host");
        let problem = Problem::error("compose_port", "a published port in Compose's form").at(node.span);
        problems.push(problem.hint(hint));
        return None;
    }
    named_with(name, Protocol::Detect, node, problems)
}

fn named(name: &str, node: &Node, problems: &mut Problems) -> Option<At<PortSpec>> {
    named_with(name.to_owned(), Protocol::from_port_name(name), node, problems)
}

fn named_with(name: String, told: Protocol, node: &Node, problems: &mut Problems) -> Option<At<PortSpec>> {
    let (number, protocol) = match &node.value {
        Value::Map(_) => {
            let record = PortRecord::read(node, problems)?;
            let Some(number) = record.port else {
                problems.push(Problem::error("missing_key", "a port needs its number, `port`").at(node.span));
                return None;
            };
            (number, record.protocol.map_or(told.at(number), |word| word.0))
        }
        _ => {
            let number = u16::read(node, problems)?;
            (number, told.at(number))
        }
    };
    Some(At { value: PortSpec { name, number, protocol }, span: node.span })
}

/// Kubernetes' rule for port names, as they become labels in variables and URLs.
fn is_port_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    name.chars().all(inner) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

fn bad_port_name(name: &str) -> Problem {
    let problem = Problem::error("bad_name", format!("`{name}` is no name for a port"));
    if name.chars().all(|c| c.is_ascii_digit()) {
        return problem.hint(format!("name it by its protocol: `http: {name}`"));
    }
    problem.hint("a port's name has lower-case letters, digits and `-`, and starts with a letter")
}

fn check_twice(ports: &[At<PortSpec>], problems: &mut Problems) {
    for (place, port) in ports.iter().enumerate() {
        let number = port.value.number;
        if let Some(first) = ports[..place].iter().find(|other| other.value.number == number) {
            problems.push(
                Problem::error("duplicate_port", format!("port {number} is declared twice"))
                    .at(port.span)
                    .related(first.span, "first here"),
            );
        }
    }
}

/// A protocol by its word.
#[derive(Debug, Clone, Copy)]
pub struct ProtocolWord(pub Protocol);

impl Read for ProtocolWord {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "a protocol", problems)?;
        let protocol = Protocol::from_word(text);
        if protocol.is_none() {
            problems.push(
                Problem::error("unknown_word", format!("`{text}` is no protocol that is known here"))
                    .at(node.span)
                    .hint("one of http, h2, grpc, ws, tcp, udp"),
            );
        }
        protocol.map(Self)
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "enum": ["http", "h2", "grpc", "ws", "tcp", "udp"] })
    }
}

/// The port on which a program insists: one number for its first port, or one by name.
#[derive(Debug, Clone)]
pub enum Listen {
    First(At<u16>),
    Named(Dict<At<u16>>),
}

impl Read for Listen {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Map(_) => Dict::read(node, problems).map(Self::Named),
            _ => At::read(node, problems).map(Self::First),
        }
    }

    fn schema(definitions: &mut Definitions) -> Json {
        json!({ "anyOf": [u16::schema(definitions), Dict::<u16>::schema(definitions)] })
    }
}
