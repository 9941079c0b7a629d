//! The variables of a service, in layers from weak to strong.
//!
//! Layers that many services share are kept once; the whole is put together for each launch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::{Form, Protocol, Service, Value, in_variable};

use super::edges::{Outlook, show};
use super::proxies::{HOST_NAME, Proxies};
use super::{PlannedPort, Surroundings};

/// Python's switch for writing lines at once.
const UNBUFFERED: &str = "PYTHONUNBUFFERED";
/// Where tests that start containers find the ports that these publish (Testcontainers' own variable).
const CONTAINERS: &str = "TESTCONTAINERS_HOST_OVERRIDE";
/// Whoever sets these otherwise knows why, and is not told.
const OWN_BUSINESS: [&str; 5] = [UNBUFFERED, CONTAINERS, "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"];

/// The variables of the shell that started the engine.
pub type Shell = Arc<BTreeMap<String, String>>;

/// Where a service's variables come from, weakest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layers {
    /// Addresses and identity, made by us.
    pub generated: Vec<(String, String)>,
    /// It is a container: of the shell's and of `.env` it has what the manifest asks for by name, and nothing else.
    pub sealed: bool,
    pub shell: Shell,
    /// What takes the place of the shell's in a pod.
    pub proxies: Proxies,
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
        if !self.sealed {
            out.extend(self.shell.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            out.extend(self.proxies.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            out.extend(self.dotenv.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        }
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

    /// Generated variables whose place the shell takes with another value. The manifest's own settings are meant so.
    fn shadowed(&self) -> impl Iterator<Item = &str> {
        let differs =
            |(key, value): &&(String, String)| !self.sealed && self.shell.get(key).is_some_and(|set| set != value);
        let meant = |key: &str| {
            self.declared.iter().any(|(declared, _)| declared == key)
                || self.files.iter().chain(self.dotenv.iter()).any(|(set, _)| set == key)
        };
        let keys = self.generated.iter().filter(differs).map(|(key, _)| key.as_str());
        keys.filter(move |key| !OWN_BUSINESS.contains(key) && !meant(key))
    }

    /// What `KEY` without a value means: the shell's value, else that of `.env`.
    fn inherited(&self, key: &str) -> Option<&str> {
        let dotenv = || self.dotenv.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        self.proxies.get(key).or_else(|| self.shell.get(key)).map(String::as_str).or_else(dotenv)
    }
}

/// A word about variables of the shell that keep services from nagaya's own: a forgotten `PORT` gives all of them the
/// same port, and a `REDIS_URL` leads past the proxy.
pub fn shadow_notice<'a>(services: impl Iterator<Item = &'a Layers>) -> Option<String> {
    let names: BTreeSet<&str> = services.flat_map(Layers::shadowed).collect();
    if names.is_empty() {
        return None;
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let unset: Vec<String> = names.iter().map(|name| format!("-u {name}")).collect();
    Some(format!(
        "the shell sets {}, and services get that in place of nagaya's own value; `env {} nagaya up` leaves it out",
        quoted.join(", "),
        unset.join(" ")
    ))
}

/// The layers of one service.
pub fn layers(
    service: &Service,
    outlook: &Outlook<'_>,
    own: (&[PlannedPort], &Path),
    surroundings: &Surroundings,
) -> Layers {
    let environment = &service.environment;
    let declared = environment.shared.iter().chain(&environment.own).map(|(key, value)| {
        let value = match value {
            Value::Is(template) => Some(template.fill(|reference| outlook.fill(reference))),
            Value::FromShell => None,
        };
        (key.clone(), value)
    });
    Layers {
        generated: generated(service, outlook, own, surroundings),
        sealed: service.container().is_some(),
        shell: seen(&surroundings.shell, service.of_shell.as_ref()),
        proxies: if outlook.calls_by_name() {
            seen(outlook.proxies, service.of_shell.as_ref())
        } else {
            Proxies::default()
        },
        dotenv: environment.dotenv.clone(),
        files: environment.files.clone(),
        declared: declared.collect(),
    }
}

/// What is seen of the shell's variables: these alone, or all of them where nothing is said.
pub fn seen(all: &Shell, names: Option<&BTreeSet<String>>) -> Shell {
    let Some(names) = names else { return all.clone() };
    let seen = all.iter().filter(|(name, _)| names.contains(*name));
    Arc::new(seen.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Identity, the service's own ports, and the address of every callee in the spellings that programs look for.
fn generated(
    service: &Service,
    outlook: &Outlook<'_>,
    (ports, data_dir): (&[PlannedPort], &Path),
    surroundings: &Surroundings,
) -> Vec<(String, String)> {
    let is_container = service.container().is_some();
    // Files of this machine are not seen from a container.
    let mut out = if is_container { Vec::new() } else { surroundings.site.trust.clone() };
    let mut set = |key: String, value: String| out.push((key, value));
    set("NAGAYA_WORKSPACE".into(), outlook.workspace.name.to_string());
    set("NAGAYA_SERVICE".into(), service.name.to_string());
    if !is_container {
        set("NAGAYA_DATA_DIR".into(), data_dir.to_string_lossy().into_owned());
    }
    // Python holds lines back when nobody sits before a terminal, and a log that comes late is no log.
    set(UNBUFFERED.into(), "1".into());
    if outlook.calls_by_name() {
        // The engine of containers is reached by its socket, their ports are this machine's.
        set(CONTAINERS.into(), HOST_NAME.into());
    }
    let own = |port: &PlannedPort| port.listen().unwrap_or(port.number).to_string();
    if let Some(first) = ports.iter().find(|port| port.protocol != Protocol::Udp).or(ports.first()) {
        set("PORT".into(), own(first));
    }
    for port in ports {
        set(format!("PORT_{}", in_variable(&port.name)), own(port));
    }
    bound(service, outlook).into_iter().for_each(|(key, value)| set(key, value));
    let mut previous = None;
    for edge in outlook.edges() {
        let callee = outlook.workspace.service(edge.to);
        let port = &callee.ports[edge.port];
        let name = callee.name.in_variable();
        let (host, number) = outlook.address(edge.to, edge.port, Some(edge));
        let url = show(Form::Url, callee, port.protocol, host, number);
        let number = number.to_string();
        // The first port of a callee is the callee's address; the others are reached by their own name only.
        if previous.replace(edge.to) != Some(edge.to) {
            let key = format!("{name}_URL");
            // Who depends on `redis` wants what its template says of itself, which knows more than the port does.
            let own = callee.binds.iter().find(|(bound, _)| *bound == key);
            let own = own.map(|(_, value)| value.fill(|reference| outlook.fill(reference)));
            set(key, own.unwrap_or_else(|| url.clone()));
            set(format!("{name}_HOST"), host.to_owned());
            set(format!("{name}_PORT"), number.clone());
            set(format!("{name}_SERVICE_HOST"), host.to_owned());
            set(format!("{name}_SERVICE_PORT"), number.clone());
        }
        let port_name = in_variable(&port.name);
        set(format!("{name}_{port_name}_URL"), url.clone());
        set(format!("{name}_SERVICE_PORT_{port_name}"), number);
        set(format!("services__{}__{}__0", callee.name, port.name), url);
    }
    out
}

/// What the services it depends on give to those that do: `DATABASE_URL`, and `DB_DATABASE_URL` for `db`. Where several
/// give the same one, it is nobody's.
fn bound(service: &Service, outlook: &Outlook<'_>) -> Vec<(String, String)> {
    let callees: BTreeSet<usize> = service.depends_on.iter().map(|dependency| dependency.service).collect();
    let callees: Vec<&Service> = callees.into_iter().map(|place| outlook.workspace.service(place)).collect();
    let binds = || callees.iter().flat_map(|callee| callee.binds.iter().map(move |bind| (callee, bind)));
    let mut out = Vec::new();
    for (callee, (key, value)) in binds() {
        let value = value.fill(|reference| outlook.fill(reference));
        if binds().filter(|(_, (other, _))| other == key).count() == 1 {
            out.push((key.clone(), value.clone()));
        }
        out.push((format!("{}_{key}", callee.name.in_variable()), value));
    }
    out
}
