//! The variables of a service, in layers from weak to strong.
//!
//! Layers that many services share are kept once; the whole is put together for each launch.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::{Form, Protocol, Service, Value};

use super::edges::{Addresses, show};
use super::{LOOPBACK, PlannedPort, Surroundings};

/// The variables of the shell that started the engine.
pub type Shell = Arc<BTreeMap<String, String>>;

/// Where a service's variables come from, weakest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Layers {
    /// Addresses and identity, made by us.
    pub generated: Vec<(String, String)>,
    pub shell: Shell,
    pub dotenv: Arc<Vec<(String, String)>>,
    pub files: Vec<(String, String)>,
    /// The manifest's: top level, then the service's own. `None` takes the shell's value.
    pub declared: Vec<(String, Option<String>)>,
}

impl Layers {
    /// All variables, each once, the strongest value.
    pub fn resolve(&self) -> IndexMap<&str, &str> {
        let mut out: IndexMap<&str, &str> = IndexMap::with_capacity(self.shell.len() + self.generated.len() + 8);
        out.extend(self.generated.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        out.extend(self.shell.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        out.extend(self.dotenv.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        out.extend(self.files.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        for (key, value) in &self.declared {
            match value.as_deref().or_else(|| self.inherited(key)) {
                Some(value) => {
                    out.insert(key, value);
                }
                None => {
                    out.shift_remove(key.as_str());
                }
            }
        }
        out
    }

    /// What `KEY` without a value means: the shell's value, else that of `.env`.
    fn inherited(&self, key: &str) -> Option<&str> {
        let dotenv = || self.dotenv.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        self.shell.get(key).map(String::as_str).or_else(dotenv)
    }
}

/// The layers of one service.
pub fn layers(
    service: &Service,
    ports: &[PlannedPort],
    addresses: &Addresses<'_>,
    surroundings: &Surroundings,
) -> Layers {
    let environment = &service.environment;
    let declared = environment.shared.iter().chain(&environment.own).map(|(key, value)| {
        let value = match value {
            Value::Is(template) => Some(template.fill(|reference| addresses.fill(reference))),
            Value::FromShell => None,
        };
        (key.clone(), value)
    });
    Layers {
        generated: generated(service, ports, addresses, surroundings),
        shell: surroundings.shell.clone(),
        dotenv: environment.dotenv.clone(),
        files: environment.files.clone(),
        declared: declared.collect(),
    }
}

/// Identity, the service's own ports, and the address of every callee in the spellings that programs look for.
fn generated(
    service: &Service,
    ports: &[PlannedPort],
    addresses: &Addresses<'_>,
    surroundings: &Surroundings,
) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut set = |key: String, value: String| out.push((key, value));
    set("NAGAYA_WORKSPACE".into(), addresses.workspace.name.to_string());
    set("NAGAYA_SERVICE".into(), service.name.to_string());
    let data = surroundings.data_dir.join(service.name.as_str());
    set("NAGAYA_DATA_DIR".into(), data.to_string_lossy().into_owned());
    // Python holds lines back when nobody sits before a terminal, and a log that comes late is no log.
    set("PYTHONUNBUFFERED".into(), "1".into());
    if let Some(first) = ports.iter().find(|port| port.protocol != Protocol::Udp).or(ports.first()) {
        set("PORT".into(), first.listen.to_string());
    }
    for port in ports {
        set(format!("PORT_{}", in_variable(&port.name)), port.listen.to_string());
    }
    let mut previous = None;
    for edge in addresses.edges() {
        let callee = addresses.workspace.service(edge.to);
        let port = &callee.ports[edge.port];
        let name = callee.name.in_variable();
        let url = show(Form::Url, port.protocol, edge.listen);
        let number = edge.listen.to_string();
        // The first port of a callee is the callee's address; the others are reached by their own name only.
        if previous.replace(edge.to) != Some(edge.to) {
            set(format!("{name}_URL"), url.clone());
            set(format!("{name}_HOST"), LOOPBACK.to_owned());
            set(format!("{name}_PORT"), number.clone());
            set(format!("{name}_SERVICE_HOST"), LOOPBACK.to_owned());
            set(format!("{name}_SERVICE_PORT"), number.clone());
        }
        let port_name = in_variable(&port.name);
        set(format!("{name}_{port_name}_URL"), url.clone());
        set(format!("{name}_SERVICE_PORT_{port_name}"), number);
        set(format!("services__{}__{}__0", callee.name, port.name), url);
    }
    out
}

fn in_variable(port: &str) -> String {
    port.to_uppercase().replace('-', "_")
}
