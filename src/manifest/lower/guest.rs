//! The guest of a workspace: a service that no manifest has, in whose place a command may call all others.

use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::manifest::load::GUEST;
use crate::manifest::problem::{Problem, Problems};
use crate::model::{
    Command, Environment, Form, Piece, Protocol, Reference, Run, Service, ServiceName, Signal, Stop, Template, Value,
};

/// A variable whose addresses make the guest a caller of every service; by it come the usual variables of callers.
const ALL: &str = "NAGAYA_URLS";

/// Adds the guest to the services of a workspace in `root`, which is declared in `manifest`.
pub fn add(services: &mut IndexMap<ServiceName, Service>, root: &Path, manifest: &Path, problems: &mut Problems) {
    let Ok(name) = ServiceName::new(GUEST) else { return };
    if services.contains_key(&name) || services.values().any(|it| it.aliases.contains(&name)) {
        let message = format!("`{GUEST}` is the name of the place in which `nagaya ci` runs its command");
        return problems.push(Problem::error("duplicate_service", message).hint("rename that service"));
    }
    let mut urls = Template::default();
    for service in services.values() {
        for port in service.ports.iter().filter(|port| port.protocol != Protocol::Udp) {
            let reference = Reference { service: service.name.clone(), port: Some(port.name.clone()), form: Form::Url };
            urls.0.extend([Piece::Address(reference), Piece::Text(" ".to_owned())]);
        }
    }
    let own = IndexMap::from([(ALL.to_owned(), Value::Is(urls))]);
    // It only has to be there: commands come into its pod.
    let run = Run::Process(Command::Argv(["tail", "-f", "/dev/null"].map(Template::text).to_vec()));
    let guest = Service {
        environment: Environment { shared: Arc::default(), own, ..Environment::default() },
        stop: Stop { signal: Signal::KILL, ..Stop::default() },
        ..Service::plain(name.clone(), run, root.to_owned(), (manifest.to_owned(), 1))
    };
    services.insert(name, guest);
}
