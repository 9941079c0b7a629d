//! All names of a service, one by one, for who reads a hosts file and asks no server.

use super::{HOSTS, Zone, normal};

impl Zone {
    /// The names of the front door and of the host.
    pub fn on_loopback(&self) -> Vec<String> {
        [self.at_front_door(), self.of_host()].concat()
    }

    /// The names of the front door.
    pub fn at_front_door(&self) -> Vec<String> {
        let label = &self.origin.label;
        let names = self.services.iter().flat_map(|entry| std::iter::once(&entry.name).chain(&entry.aliases));
        let services = names.map(|name| format!("{}.{label}.localhost", normal(name)));
        std::iter::once(format!("{label}.localhost")).chain(services).collect()
    }

    /// The names of the host.
    pub fn of_host(&self) -> Vec<String> {
        HOSTS.into_iter().map(str::to_owned).collect()
    }

    /// Every full spelling under which a service is found; what a wildcard stands for cannot be listed.
    pub fn spellings(&self, service: usize) -> Vec<String> {
        let Some(entry) = self.services.get(service) else { return Vec::new() };
        let labels = std::iter::once(&entry.name).chain(&entry.aliases).map(|label| normal(label));
        let suffixes = || std::iter::once("").chain(self.suffixes.iter().rev().map(String::as_str));
        let short = labels.flat_map(|label| suffixes().map(move |suffix| format!("{label}{suffix}")));
        let long = entry.hostnames.iter().map(|hostname| normal(hostname)).filter(|name| !name.starts_with("*."));
        let mut out: Vec<String> = Vec::new();
        for name in short.chain(long) {
            // Where two services claim a name, one has it.
            if self.service(&name) == Some(service) && !out.contains(&name) {
                out.push(name);
            }
        }
        out
    }
}
