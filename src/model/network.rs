//! How a service sees the network, and how the network sees it.

use super::ServicePort;

/// How host processes see the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NetworkMode {
    /// Each in a network of its own, where names and ports are production's.
    Pod,
    /// Names lead to loopback addresses.
    Names,
    /// Addresses come in environment variables.
    Env,
}

impl NetworkMode {
    /// The word for users.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Names => "names",
            Self::Env => "env",
        }
    }
}

/// Whether a service may call what is outside the workspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Egress {
    #[default]
    Allow,
    Deny,
}

impl Egress {
    /// The word for users.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// A number of this machine's loopback that leads to a port of a service, as Compose's `ports` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Publish {
    pub host: u16,
    pub port: ServicePort,
}
