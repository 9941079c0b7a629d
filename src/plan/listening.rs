//! Where a service's ports are, and how it is seen to be ready there.

use crate::model::{Check, Command, NetworkMode, Port, Probe, Protocol, Readiness, Run, Service, ServicePort};

use super::{Location, PlannedCheck, PlannedPort, PlannedProbe, PlannedPublish, Ports, Ready};

/// A service whose ports are being placed.
pub struct Listening<'a> {
    pub service: &'a Service,
    /// Which of its instances.
    pub instance: u32,
    pub network: NetworkMode,
    pub numbers: &'a Ports,
}

impl Listening<'_> {
    /// The declared ports.
    pub fn ports(&self) -> Vec<PlannedPort> {
        let port = |(place, port): (usize, &Port)| PlannedPort {
            name: port.name.clone(),
            number: port.number,
            protocol: port.protocol,
            location: self.location(ServicePort::Declared(place)),
        };
        self.service.ports.iter().enumerate().map(port).collect()
    }

    /// Ports that are published but not declared. Nobody said what they speak, so it is bytes.
    pub fn undeclared(&self) -> Vec<PlannedPort> {
        let mut ports: Vec<PlannedPort> = Vec::new();
        for publish in &self.service.publish {
            let ServicePort::Number(number) = publish.port else { continue };
            if ports.iter().all(|known| known.number != number) {
                let location = self.location(publish.port);
                ports.push(PlannedPort { name: number.to_string(), number, protocol: Protocol::Tcp, location });
            }
        }
        ports
    }

    /// What it publishes.
    pub fn publish(&self, undeclared: &[PlannedPort]) -> Vec<PlannedPublish> {
        let service = self.service;
        let place = |port: ServicePort| match port {
            ServicePort::Declared(place) => Some(place),
            ServicePort::Number(number) => {
                undeclared.iter().position(|port| port.number == number).map(|at| service.ports.len() + at)
            }
        };
        let published = service.publish.iter();
        published.filter_map(|it| Some(PlannedPublish { host: it.host, port: place(it.port)?, chosen: true })).collect()
    }

    fn location(&self, port: ServicePort) -> Location {
        let (service, number) = (self.service, self.number(port));
        match (&service.run, self.network) {
            (Run::External(external), _) => Location::Elsewhere {
                host: external.host.clone(),
                port: match port {
                    ServicePort::Declared(place) => external.number(&service.ports, place),
                    ServicePort::Number(number) => number,
                },
                tls: external.scheme.is_tls(),
            },
            (Run::Process(_) | Run::Container(_), NetworkMode::Pod) => {
                Location::Pod { service: service.name.as_str().into(), instance: self.instance, port: number }
            }
            (Run::Process(_) | Run::Container(_), NetworkMode::Names | NetworkMode::Env) => Location::Loopback(number),
        }
    }

    /// On which number the program is to listen: in a pod production's, which it shares with nobody.
    fn number(&self, port: ServicePort) -> u16 {
        match port {
            ServicePort::Declared(place) if self.network == NetworkMode::Pod => {
                self.service.listen[place].unwrap_or(self.service.ports[place].number)
            }
            ServicePort::Declared(place) => {
                self.numbers.own(&self.service.name, self.instance, &self.service.ports[place].name)
            }
            ServicePort::Number(number) => number,
        }
    }

    /// When it is ready.
    pub fn ready(&self, argv: &dyn Fn(&Command) -> Vec<String>) -> Ready {
        match &self.service.readiness {
            Readiness::Started => Ready::Started,
            Readiness::Listening => {
                let first = self.service.ports.iter().position(|port| port.protocol != Protocol::Udp);
                // Who takes datagrams is known of pods alone.
                let first = first.or((self.is_asked() && !self.service.ports.is_empty()).then_some(0));
                first.map_or(Ready::Started, |place| Ready::Listening(self.number(ServicePort::Declared(place))))
            }
            Readiness::Log(pattern) => Ready::Log(pattern.clone()),
            Readiness::Notify => Ready::Notify,
            Readiness::Probe(probe) => Ready::Probe(self.probe(probe, argv)),
        }
    }

    /// Its program's own kernel can be asked for its sockets.
    fn is_asked(&self) -> bool {
        self.network == NetworkMode::Pod && matches!(self.service.run, Run::Process(_))
    }

    /// A probe with every address filled in.
    pub fn probe(&self, probe: &Probe, argv: &dyn Fn(&Command) -> Vec<String>) -> Box<PlannedProbe> {
        Box::new(PlannedProbe { rhythm: probe.rhythm, check: self.check(&probe.check, argv) })
    }

    fn check(&self, check: &Check, argv: &dyn Fn(&Command) -> Vec<String>) -> PlannedCheck {
        match check {
            Check::Http { path, port, host, headers, status } => PlannedCheck::Http {
                port: self.number(*port),
                path: path.clone(),
                host: host.clone(),
                headers: headers.clone(),
                status: *status,
            },
            Check::Tcp { port } => PlannedCheck::Tcp { port: self.number(*port) },
            Check::Grpc { port, service } => PlannedCheck::Grpc { port: self.number(*port), service: service.clone() },
            Check::Exec(command) => PlannedCheck::Exec(argv(command)),
        }
    }
}
