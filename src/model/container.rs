//! A service that runs in a container: what an engine such as Docker's is asked for.

use std::path::PathBuf;
use std::time::Duration;

use super::{Command, Size};

/// What a container is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    pub image: Image,
    /// The image's own where there is none. A text is split into words; there is no shell.
    pub entrypoint: Option<Command>,
    /// Likewise.
    pub command: Option<Command>,
    pub settings: Settings,
}

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Image {
    /// `postgres:16`; of one that is built, the name it is to have.
    pub name: Option<String>,
    pub build: Option<Build>,
    pub pull: Pull,
    /// `linux/arm64`; the engine's own where there is none.
    pub platform: Option<String>,
}

/// How an image is built.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Build {
    /// Absolute.
    pub context: PathBuf,
    /// Relative to the context, or absolute.
    pub dockerfile: Option<PathBuf>,
    /// The Dockerfile itself, where it is written in the manifest.
    pub inline: Option<String>,
    /// `None` takes the shell's value.
    pub args: Vec<(String, Option<String>)>,
    pub target: Option<String>,
    pub labels: Vec<(String, String)>,
    pub no_cache: bool,
    /// Look for newer images to build on.
    pub pull: bool,
    pub secrets: Vec<Secret>,
    /// Images whose layers are used.
    pub cache_from: Vec<String>,
    /// The network of its commands: `none`, `host`, or the engine's own.
    pub network: Option<String>,
    /// Names besides.
    pub tags: Vec<String>,
}

/// What commands of a build can read, and nobody else: it is in no layer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Secret {
    /// Its name in the Dockerfile.
    pub id: String,
    pub source: SecretSource,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// Absolute.
    File(PathBuf),
    /// A variable of the shell.
    Variable(String),
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Pull {
    Always,
    /// Where it is not there.
    #[default]
    Missing,
    Never,
    /// Built although it is there.
    Build,
}

/// All that is said of a container and refers to no other service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    pub working_dir: Option<String>,
    pub mounts: Vec<Mount>,
    /// Its own name instead of one of ours.
    pub name: Option<String>,
    /// What it calls itself; the service's name where there is none.
    pub host_name: Option<String>,
    pub labels: Vec<(String, String)>,
    /// `NAME:ADDRESS`.
    pub extra_hosts: Vec<String>,
    pub dns: Vec<String>,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub security_opt: Vec<String>,
    pub privileged: bool,
    pub read_only: bool,
    /// A small init as its first process.
    pub init: bool,
    pub ulimits: Vec<Ulimit>,
    pub sysctls: Vec<(String, String)>,
    pub limits: Limits,
    /// The image's own check counts for nothing.
    pub no_health_check: bool,
}

/// What a container may take.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    pub memory: Option<Size>,
    /// Billionths of a processor.
    pub nano_cpus: Option<i64>,
    pub processes: Option<u32>,
    pub shared_memory: Option<Size>,
}

/// A limit of a process (getrlimit(2)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ulimit {
    /// `nofile`.
    pub name: String,
    pub soft: i64,
    pub hard: i64,
}

/// Something that is seen at a place in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub source: Source,
    /// An absolute path in the container.
    pub target: String,
    pub read_only: bool,
}

/// What is seen there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file or folder of this machine.
    Host(PathBuf),
    /// A volume that the engine keeps: one of the workspace, or of everybody, by that very name.
    Volume { name: String, shared: bool },
    /// A volume of this container alone.
    Anonymous,
    /// Memory; the options are those of `mount -t tmpfs`.
    Memory { options: String },
}

/// Compose's defaults for a container's health check.
pub const HEALTH_INTERVAL: Duration = Duration::from_secs(30);

impl Image {
    /// What people call it.
    pub fn shown(&self) -> String {
        match (&self.name, &self.build) {
            (Some(name), _) => name.clone(),
            (None, Some(build)) => build.context.display().to_string(),
            (None, None) => String::new(),
        }
    }
}

impl Settings {
    /// Gives a copy of a service volumes of its own: two servers on the same data would spoil it.
    pub fn set_apart(&mut self, copy: &str) {
        for mount in &mut self.mounts {
            if let Source::Volume { name, shared: false } = &mut mount.source {
                name.push_str(&format!(".{copy}"));
            }
        }
    }
}

impl Mount {
    /// The workspace's own volume that a service has there. What a stateful one has in a volume without a name is the
    /// workspace's too, or it would be lost with each of its containers.
    pub fn own_volume(&self, service: &str, stateful: bool) -> Option<String> {
        match &self.source {
            Source::Volume { name, shared: false } => Some(name.clone()),
            Source::Anonymous if stateful => Some(volume_at(service, &self.target)),
            _ => None,
        }
    }
}

/// The workspace's volume at a path of a stateful service where the manifest names none: `db.var.lib.db`. No two folders
/// have the same.
fn volume_at(service: &str, path: &str) -> String {
    let mut name = service.to_owned();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        name.push('.');
        for byte in part.bytes() {
            match byte {
                b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => name.push(char::from(byte)),
                other => name.push_str(&format!("_{other:02x}")),
            }
        }
    }
    name
}

impl Container {
    /// One line for people.
    pub fn written(&self) -> String {
        let command = self.command.as_ref().map(|command| format!(" {}", command.written())).unwrap_or_default();
        format!("{}{command}", self.image.shown())
    }

    /// The commands in it.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.entrypoint.iter().chain(&self.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_of_a_stateful_service_has_a_volume() {
        assert_eq!(volume_at("db", "/var/lib/db"), "db.var.lib.db");
        assert_eq!(volume_at("db", "/data//logs/"), "db.data.logs");
        assert_eq!(volume_at("db", "/a.b_c"), "db.a_2eb_5fc");
        assert_ne!(volume_at("db", "/a.b"), volume_at("db", "/a/b"));
        let mount = Mount { source: Source::Anonymous, target: "/data".to_owned(), read_only: false };
        assert_eq!(mount.own_volume("db", true).as_deref(), Some("db.data"));
        assert_eq!(mount.own_volume("db", false), None);
    }
}
