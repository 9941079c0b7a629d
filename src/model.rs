//! Names, services, probes, policies and the acyclic graph: values that cannot be wrong.
//!
//! Nothing here reads, asks or prints. Whoever holds one of these values needs no further check: a text that is
//! no name, a port 0 or a cycle cannot be expressed.

mod command;
mod container;
mod external;
mod graph;
mod host_name;
mod name;
mod names;
mod network;
mod port;
mod probe;
mod quantity;
mod remote;
mod replicas;
mod restart;
mod rule;
mod schedule;
mod service;
mod signal;
mod task;
mod template;
mod tried;
mod user;
mod watch;
mod workspace;

pub use command::{Command, spoken};
pub use container::{
    Build, Container, HEALTH_INTERVAL, Image, Limits, Mount, Pull, Secret, SecretSource, Settings,
    Source as MountSource, Ulimit,
};
pub use external::{BadUrl, External, Scheme};
pub use graph::{Cycle, Graph};
pub use host_name::{BadHostName, HostName};
pub use name::{BadName, Namespace, ServiceName, WorkspaceName, in_variable};
pub use names::{Names, short_name};
pub use network::{Egress, NetworkMode, Publish};
pub use port::{Port, Protocol, ServicePort, web_port};
pub use probe::{Check, Liveness, Probe, ProbeKind, Readiness, Rhythm, Sign, Startup};
pub use quantity::{BadQuantity, Size, parse_duration, show_duration};
pub use remote::{PLACEHOLDER, Remotes};
pub use replicas::{Autoscale, MOST_REPLICAS, Strategy};
pub use restart::{BackoffSpec, Jitter, Restart, RestartPolicy, Stop};
pub use rule::{Match, Miss, PathMatch, Pattern, Rule, Rules, TextMatch};
pub use schedule::{BadSchedule, Schedule};
pub use service::{
    Condition, Dependency, Environment, Inputs, Leads, LogKeeping, Part, Run, Service, SetupStep, Stdin, Value, Version,
};
pub use signal::Signal;
pub use task::{BadTaskName, Caching, Task, TaskName};
pub use template::{Form, Piece, Reference, Template};
pub use tried::{NotTried, Tried, stand_in};
pub use user::{Account, User};
pub use watch::{Reaction, Watch};
pub use workspace::Workspace;
