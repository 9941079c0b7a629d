//! The topology: services, and who calls whom by the manifest.

use serde::{Deserialize, Serialize};

use super::observed::Observed;
use crate::plan::Plan;
use crate::supervise::State;

/// Services and their edges.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    /// `process`, `container`, `external` or `task`.
    pub kind: String,
    /// Where an engine runs it.
    #[serde(default)]
    pub state: Option<State>,
}

/// A caller and a callee.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    pub from: String,
    pub to: String,
    /// By `depends_on`.
    pub declared: bool,
    /// By an address in a variable or in a command.
    pub referenced: bool,
    /// What the caller waits for, where it is declared: `ready`, `completed` …
    pub condition: Option<String>,
    /// The database that the caller uses there and others use too.
    #[serde(default)]
    pub shared: Option<String>,
    /// What was seen of it, where that was asked for.
    #[serde(flatten)]
    pub seen: Option<Observed>,
}

impl Edge {
    /// One of which nothing is known.
    pub fn between(from: String, to: String) -> Self {
        Self { from, to, declared: false, referenced: false, condition: None, shared: None, seen: None }
    }
}

impl Graph {
    /// The topology of a plan. Tasks that no service needs are left out.
    pub fn new(plan: &Plan) -> Self {
        let is_aside = |place: usize| plan.services[place].task && plan.graph.dependents(place).is_empty();
        let name = |place: usize| plan.services[place].name.to_string();
        let nodes = (0..plan.services.len()).filter(|place| !is_aside(*place)).map(|place| Node {
            name: name(place),
            kind: match &plan.services[place] {
                planned if planned.external().is_some() => "external",
                planned if planned.task => "task",
                planned => planned.kind(),
            }
            .to_owned(),
            state: None,
        });
        let mut edges: Vec<Edge> = Vec::new();
        for (from, planned) in plan.services.iter().enumerate().filter(|(place, _)| !is_aside(*place)) {
            edges.extend(planned.depends_on.iter().map(|need| Edge {
                from: name(from),
                to: name(need.service),
                declared: true,
                referenced: false,
                condition: Some(need.condition.word().to_owned()),
                shared: None,
                seen: None,
            }));
        }
        for reference in plan.references.iter().filter(|it| !is_aside(it.from) && !is_aside(it.to)) {
            let (from, to) = (name(reference.from), name(reference.to));
            match edges.iter_mut().find(|edge| edge.from == from && edge.to == to) {
                Some(edge) => edge.referenced = true,
                None => edges.push(Edge { referenced: true, ..Edge::between(from, to) }),
            }
        }
        for coupling in &plan.couplings {
            let server = name(coupling.server);
            let users: Vec<String> = coupling.users.iter().map(|place| name(*place)).collect();
            for edge in edges.iter_mut().filter(|edge| edge.to == server && users.contains(&edge.from)) {
                edge.shared = Some(coupling.database.clone());
            }
        }
        Self { nodes: nodes.collect(), edges }
    }
}
