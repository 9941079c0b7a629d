//! The guest of a workspace: a service that no manifest has, in whose place a command may call all others.

use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::manifest::load::GUEST;
use crate::manifest::problem::{Problem, Problems};
use crate::model::{
    Command, Egress, Environment, Form, LogKeeping, Piece, Protocol, Readiness, Reference, Restart, Run, Service,
    ServiceName, Signal, Stdin, Stop, Template, Value,
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
    let guest = Service {
        name: name.clone(),
        version: None,
        task: false,
        aliases: Vec::new(),
        hostnames: Vec::new(),
        // It only has to be there: commands come into its pod.
        run: Run::Process(Command::Argv(["tail", "-f", "/dev/null"].map(Template::text).to_vec())),
        working_dir: root.to_owned(),
        setup: Vec::new(),
        ports: Vec::new(),
        listen: Vec::new(),
        publish: Vec::new(),
        network: None,
        egress: Egress::default(),
        user: None,
        depends_on: Vec::new(),
        environment: Environment { shared: Arc::default(), own, ..Environment::default() },
        readiness: Readiness::Started,
        startup: None,
        liveness: None,
        restart: Restart::default(),
        schedule: None,
        stop: Stop { signal: Signal::KILL, ..Stop::default() },
        profiles: Vec::new(),
        lazy: false,
        replicas: 1,
        autoscale: None,
        stdin: Stdin::Empty,
        stateful: false,
        idle_timeout: None,
        max_age: None,
        strategy: None,
        watch: Vec::new(),
        logs: LogKeeping::default(),
        declared: (manifest.to_owned(), 1),
    };
    services.insert(name, guest);
}
