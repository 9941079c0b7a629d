//! Names, services, probes, policies and the acyclic graph: values that cannot be wrong.
//!
//! Nothing here reads, asks or prints. Whoever holds one of these values needs no further check: a text that is
//! no name, a port 0 or a cycle cannot be expressed.

mod command;
mod graph;
mod name;
mod port;
mod probe;
mod quantity;
mod restart;
mod service;
mod signal;
mod template;
mod workspace;

pub use command::Command;
pub use graph::{Cycle, Graph};
pub use name::{BadName, ServiceName, WorkspaceName};
pub use port::{Port, Protocol};
pub use probe::{Check, Probe, ProbePort, Readiness};
pub use quantity::{BadQuantity, Size, parse_duration, show_duration};
pub use restart::{BackoffSpec, Jitter, Restart, RestartPolicy, Stop};
pub use service::{Condition, Dependency, Environment, Inputs, LogKeeping, Service, SetupStep, Value};
pub use signal::Signal;
pub use template::{Form, Piece, Reference, Template};
pub use workspace::{NetworkMode, Workspace};
