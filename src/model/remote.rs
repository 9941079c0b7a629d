//! Places where services run that are not run here.

use indexmap::IndexMap;

use super::{External, Protocol, Service};

/// All remotes by name; in each, where its services are, by their names here.
pub type Remotes = IndexMap<String, IndexMap<String, External>>;

/// What stands for a service's name in a URL that is for all of them.
pub const PLACEHOLDER: &str = "{name}";

impl External {
    /// Whether calls to a port that speaks `protocol` can be sent there.
    pub fn takes(&self, protocol: Protocol) -> bool {
        match self.scheme.protocol() {
            Protocol::Tcp => matches!(protocol, Protocol::Tcp | Protocol::Detect),
            Protocol::Grpc => protocol.is_http2(),
            _ => protocol.is_http() || protocol == Protocol::Detect,
        }
    }

    /// Whether it can stand for a service: for one of its ports at least.
    pub fn stands_for(&self, service: &Service) -> bool {
        service.ports.iter().any(|port| self.takes(port.protocol))
    }
}
