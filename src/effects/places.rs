//! Where nagaya keeps things, by the XDG base directory specification, and what a workspace is called there.

use std::env;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::fs::make_private_folder;
use super::locks;
use crate::plan::DataDirs;

/// Where programs of the system keep what they are to find again (Filesystem Hierarchy Standard 3.0, section 5.8).
const OF_ACCOUNTS: &str = "/var/lib/nagaya";

/// An engine's note of itself, in its workspace's state.
pub const NOTE: &str = "engine.json";
/// What is kept of versions that are tried, in their workspace's state.
pub const TRIES: &str = "tries.json";

/// The folders of this user.
#[derive(Debug, Clone)]
pub struct Places {
    /// Logs, data and memory of workspaces.
    pub state: PathBuf,
    /// Sockets.
    pub runtime: PathBuf,
}

/// The files of one workspace.
#[derive(Debug, Clone)]
pub struct Home {
    pub id: String,
    /// Its folder in the state.
    pub state: PathBuf,
    pub socket: PathBuf,
}

/// The longest path that a Unix socket can have, with its closing zero.
pub const LONGEST_SOCKET: usize = 108;

impl Places {
    /// The folders, as the environment says.
    pub fn find() -> io::Result<Self> {
        let home = || env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let xdg = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = match xdg("XDG_STATE_HOME").or_else(|| home().map(|home| home.join(".local/state"))) {
            Some(state) => state.join("nagaya"),
            None => {
                let message = "neither HOME nor XDG_STATE_HOME is set, so there is no place for state";
                return Err(io::Error::new(io::ErrorKind::NotFound, message));
            }
        };
        let runtime = match xdg("XDG_RUNTIME_DIR") {
            Some(runtime) => runtime.join("nagaya"),
            None => env::temp_dir().join(format!("nagaya-{}", rustix::process::getuid().as_raw())),
        };
        Ok(Self { state, runtime })
    }

    /// Makes the folder for sockets. In the temp dir anybody could have made it before us.
    pub fn make_runtime(&self) -> io::Result<()> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.runtime.display()));
        make_private_folder(&self.runtime).map_err(named)?;
        let metadata = self.runtime.symlink_metadata().map_err(named)?;
        let own = metadata.is_dir() && metadata.uid() == rustix::process::getuid().as_raw();
        if !own || metadata.mode() & 0o077 != 0 {
            let message = format!("{} belongs to somebody else or is open to others", self.runtime.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        Ok(())
    }

    /// The certificate authority that all workspaces of this user share.
    pub fn authority(&self) -> PathBuf {
        self.state.join("ca")
    }

    /// The results of tasks, which can all be made again.
    pub fn results(&self) -> PathBuf {
        self.cache().join("tasks")
    }

    /// What was seen in trees, which can be seen again.
    pub fn trees(&self) -> PathBuf {
        self.cache().join("trees")
    }

    /// What can be had again.
    fn cache(&self) -> PathBuf {
        let named = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
        // Without a home there is the state's folder at least.
        cache.map_or_else(|| self.state.join("cache"), |cache| cache.join("nagaya"))
    }

    /// The locks that all tasks of this machine share.
    pub fn task_locks(&self) -> PathBuf {
        locks::of_machine(self.state.join(LOCKS))
    }

    /// Held by the engine that has ports 80 and 443.
    pub fn standard_ports(&self) -> PathBuf {
        self.state.join("standard-ports.lock")
    }

    /// The files of a workspace.
    pub fn home(&self, id: &str) -> Home {
        Home { id: id.to_owned(), state: self.state.join(id), socket: self.runtime.join(format!("{id}.sock")) }
    }
}

/// The folder of an account's own locks, beside those of workspaces.
const LOCKS: &str = "locks";

impl Home {
    /// The locks that all tasks of this machine share.
    pub fn task_locks(&self) -> PathBuf {
        locks::of_machine(self.state.with_file_name(LOCKS))
    }

    /// Where the services' output is kept.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// Where the services keep their data.
    pub fn data(&self) -> PathBuf {
        self.state.join("data")
    }

    /// The same, and where those keep it that root runs as other accounts: they cannot look into root's home.
    pub fn data_dirs(&self) -> DataDirs {
        let own = self.data();
        let of_accounts = match rustix::process::geteuid().is_root() {
            true => Path::new(OF_ACCOUNTS).join(&self.id),
            false => own.clone(),
        };
        DataDirs { own, of_accounts }
    }

    /// Where snapshots of the services' data are kept.
    pub fn snapshots(&self) -> PathBuf {
        self.state.join("snapshots")
    }

    /// The files that take the place of the host's in pods.
    pub fn etc(&self) -> PathBuf {
        self.state.join("etc")
    }

    /// Those of one service in network mode `names`.
    pub fn etc_of(&self, service: &str) -> PathBuf {
        self.etc().join("callers").join(service)
    }

    /// The sockets on which services say that they are ready. A service of another account cannot come into the folder of
    /// the other sockets.
    pub fn notify(&self, of_another_account: bool) -> PathBuf {
        match of_another_account {
            true => env::temp_dir().join(format!("nagaya-notify-{}", self.id)),
            false => self.socket.with_extension("notify"),
        }
    }

    /// What the engine itself says when something goes wrong.
    pub fn engine_log(&self) -> PathBuf {
        self.state.join("engine.log")
    }

    /// Who the engine is; written by it, read by clients.
    pub fn registration(&self) -> PathBuf {
        self.state.join(NOTE)
    }

    /// Held by the engine as long as it lives.
    pub fn lock(&self) -> PathBuf {
        self.state.join("lock")
    }

    /// The port numbers that were given before.
    pub fn ports(&self) -> PathBuf {
        self.state.join("ports.json")
    }

    /// The changes of its routes.
    pub fn routes(&self) -> PathBuf {
        self.state.join("routes.jsonl")
    }

    /// Which engine of containers has something of the workspace.
    pub fn containers(&self) -> PathBuf {
        self.state.join(CONTAINERS)
    }

    /// Which engine of containers has volumes of the workspace, also while it is down.
    pub fn volumes(&self) -> PathBuf {
        self.state.join("volumes.json")
    }

    /// Where the router of the containers finds the engine.
    pub fn router(&self) -> PathBuf {
        self.socket.with_extension("router")
    }

    /// Versions that are tried.
    pub fn tries(&self) -> PathBuf {
        self.state.join(TRIES)
    }

    /// The git worktrees of those that are.
    pub fn worktrees(&self) -> PathBuf {
        self.state.join("worktrees")
    }

    /// Which setup steps were run, and on what.
    pub fn setups(&self) -> PathBuf {
        self.state.join("setups.json")
    }
}

/// The name, in a workspace's state, of the note on its containers.
pub const CONTAINERS: &str = "containers.json";
/// Shared by the runs of tasks that use an engine, in its workspace's state.
pub const RUNS: &str = "runs.lock";
/// What runs of tasks started there, and the last of them stops: names, `*` for the engine itself.
pub const LENT: &str = "runs.lent";

/// The part of a workspace's id that tells its manifest: a hash of the real path.
pub fn path_hash(manifest: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let hash = blake3::hash(manifest.as_os_str().as_bytes());
    hash.to_hex().chars().take(8).collect()
}

/// The id of a workspace: its name and the hash of its manifest's path.
pub fn workspace_id(name: &str, manifest: &Path) -> String {
    format!("{name}-{}", path_hash(manifest))
}
