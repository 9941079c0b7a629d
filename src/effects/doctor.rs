//! What stands between this machine and all that nagaya can do.
//!
//! The facts are gathered first and judged apart, so that the judgement of every machine can be tested on any. Nothing
//! is changed, and nothing is asked with more rights than this process has.

pub mod dockerfile;
mod environs;
mod gather;
mod modes;
mod storage;

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Serialize;

pub use gather::gather;

use super::trial::Possible;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    /// Something works less well than it could.
    Warning,
    /// nagaya cannot work like this.
    Problem,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, which stays the same.
    pub check: &'static str,
    pub status: Status,
    pub message: String,
    /// What to do about it, over several lines where there is more to type.
    pub fix: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, message: message.into(), fix: None }
    }

    fn warning(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, status: Status::Warning, message: message.into(), fix: Some(fix.into()) }
    }

    fn problem(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: Status::Problem, ..Self::warning(check, message, fix) }
    }
}

/// All that the judgement is made from.
#[derive(Debug, Clone)]
pub struct Facts {
    pub possible: Possible,
    pub kernel: Kernel,
    pub descriptors: Descriptors,
    pub state: Folder,
    pub runtime: Folder,
    /// Where the host's own resolver finds a name below `localhost`.
    pub localhost: Result<Vec<IpAddr>, String>,
    pub trust: Trust,
    pub resolv_conf: ResolvConf,
    /// Variables that name a proxy, with their values.
    pub proxies: Vec<(String, String)>,
    /// Why pods cannot send datagrams, where they cannot.
    pub datagrams: Result<(), String>,
    /// Running engines: workspace and version.
    pub engines: Vec<(String, String)>,
    /// The engine of containers in words, or why there is none.
    pub containers: Result<String, String>,
}

/// The kernel, as far as namespaces are concerned.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// This very program.
    pub program: PathBuf,
    /// There is a /proc.
    pub proc: bool,
    /// `/` is a mount point, which it is not below a plain chroot.
    pub root_is_mount: bool,
    pub proc_sys_is_writable: bool,
    /// `kernel.unprivileged_userns_clone`, which Debian's kernels have.
    pub userns_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, which Ubuntu's kernels have.
    pub apparmor: Option<u64>,
    /// `user.max_*_namespaces`: the setting and its value.
    pub limits: Vec<(&'static str, u64)>,
    /// `uname -r`.
    pub release: String,
    /// There are modules for this release to be loaded.
    pub has_modules: bool,
    /// Modules for pods that are neither loaded nor built in.
    pub unloaded: Vec<&'static str>,
    pub container: Option<Container>,
    /// System calls are filtered (seccomp).
    pub is_filtered: bool,
}

/// What runs this process in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    Docker,
    Podman,
    Kubernetes,
}

/// The limits on descriptors.
#[derive(Debug, Clone, Copy)]
pub struct Descriptors {
    pub soft: u64,
    pub hard: u64,
}

/// A folder of ours, which may have to be made yet.
#[derive(Debug, Clone)]
pub struct Folder {
    pub path: PathBuf,
    pub access: Access,
}

/// Whether we can write there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    Writable,
    /// The nearest folder that is there forbids it.
    Denied(PathBuf),
    /// It is another account's, or open to others.
    Unsafe,
    /// There is no saying where it would be.
    Unknown(String),
}

/// This user's certificate authority.
#[derive(Debug, Clone)]
pub enum Trust {
    /// None was needed yet.
    None,
    Broken(String),
    /// The kind of each store that is here, its place, and whether it has the authority.
    In(Vec<(&'static str, PathBuf, bool)>),
}

/// `/etc/resolv.conf`.
#[derive(Debug, Clone)]
pub enum ResolvConf {
    Missing,
    /// A link to what is not there.
    Dangling(PathBuf),
    Text(String),
}

/// What the facts mean, in the order in which a person would ask.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut found = modes::findings(&facts.possible, &facts.kernel);
    found.extend([
        storage::descriptors(facts.descriptors),
        storage::state(&facts.state),
        storage::sockets(&facts.runtime),
        environs::front_door(&facts.localhost),
        environs::trust(&facts.trust),
        environs::dns(&facts.resolv_conf),
        environs::proxy(&facts.proxies),
        environs::udp(&facts.possible, &facts.datagrams),
        environs::engines(&facts.engines),
        environs::containers(&facts.containers),
    ]);
    found
}
